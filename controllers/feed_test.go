package controllers_test

import (
	"fmt"
	"strings"
	"testing"

	"tokentube/e2e/testsite"
)

func TestFeeds(t *testing.T) {
	site := testsite.New(t)
	alice, bob, nobody := site.User("alice"), site.User("bob"), site.Client()
	carol := site.User("carol")
	first := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "the first"}).Status(201).ID()
	bob.JSON("POST", "/api/v1/tweets", testsite.M{"content": "the second"}).Status(201)
	alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "the draft", "visibility": "draft"}).Status(201)
	carol.JSON("PUT", "/api/v1/subscriptions/c/"+idOf(t, alice), nil).Status(200)
	feed := "/api/v1/feed"
	play(t, []scenario{
		{name: "home", as: nobody, method: "GET", path: feed, status: 200, has: []string{"the first", "the second", `"next":null`}, hasNot: []string{"the draft", "paginate"}},
		{name: "home by name", as: alice, method: "GET", path: feed + "?tab=home", status: 200, has: []string{"the first"}, hasNot: []string{"the draft"}},
		{name: "home as a page", as: nobody, method: "GET", path: "/?tab=home", status: 200, has: []string{"Latest", `href="/?tab=trending"`}, hasNot: []string{`href="/?tab=subscriptions"`}},
		{name: "by kind", as: nobody, method: "GET", path: feed + "?kind=video", status: 200, hasNot: []string{"the first"}},
		{name: "by kind as a page", as: carol, method: "GET", path: "/?tab=subscriptions&kind=text", status: 200, has: []string{"Latest posts from your subscriptions", `href="/?tab=subscriptions&amp;kind=photo"`, `href="/?tab=trending&amp;kind=text"`}},
		{name: "subscriptions", as: carol, method: "GET", path: feed + "?tab=subscriptions", status: 200, has: []string{"the first"}, hasNot: []string{"the second", "the draft"}},
		{name: "subscriptions as a page", as: carol, method: "GET", path: "/?tab=subscriptions", status: 200, has: []string{"the first"}, hasNot: []string{"the second"}},
		{name: "without subscriptions", as: bob, method: "GET", path: feed + "?tab=subscriptions", status: 200, has: []string{`"videos":[]`}},
		{name: "without subscriptions as a page", as: bob, method: "GET", path: "/?tab=subscriptions", status: 200, has: []string{"Nothing from your subscriptions yet"}},
		{name: "subscriptions of nobody", as: nobody, method: "GET", path: feed + "?tab=subscriptions", status: 401},
		{name: "subscriptions of nobody as a page", as: nobody, method: "GET", path: "/?tab=subscriptions", status: 303},
		{name: "no such tab", as: nobody, method: "GET", path: feed + "?tab=drafts", status: 422, fault: "tab"},
		{name: "no such kind", as: nobody, method: "GET", path: feed + "?kind=song", status: 422, fault: "kind"},
		{name: "no such cursor", as: carol, method: "GET", path: feed + "?tab=subscriptions&after=x", status: 422, fault: "after"},
		{name: "no limit", as: nobody, method: "GET", path: feed + "?tab=trending&limit=0", status: 422, fault: "limit"},
		{name: "before like", as: nobody, method: "GET", path: feed + "?tab=trending&limit=1", status: 200, has: []string{"the second"}},
		{name: "like", as: carol, method: "PUT", path: "/api/v1/likes/v/" + first, status: 200},
		{name: "trending", as: nobody, method: "GET", path: feed + "?tab=trending&limit=1", status: 200, has: []string{"the first"}, hasNot: []string{"the second"}},
		{name: "trending as a page", as: nobody, method: "GET", path: "/?tab=trending&limit=1", status: 200, has: []string{"the first", "tab=trending", "after="}, hasNot: []string{"the second"}},
	})
	to := nobody.Get("/?tab=subscriptions").Header.Get("Location")
	if !strings.HasPrefix(to, "/login?next=") {
		t.Errorf("the tab leads a visitor to %q", to)
	}
}

func TestSortOrders(t *testing.T) {
	site := testsite.New(t)
	alice, bob, nobody := site.User("alice"), site.User("bob"), site.Client()
	liked := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "liked one"}).Status(201).ID()
	viewed := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "viewed one"}).Status(201).ID()
	alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "latest one"}).Status(201)
	bob.JSON("PUT", "/api/v1/likes/v/"+liked, nil).Status(200)
	bob.JSON("GET", "/api/v1/tweets/"+viewed, nil).Status(200)
	for _, list := range []string{"/api/v1/videos?", "/api/v1/videos?userId=" + idOf(t, alice) + "&", "/api/v1/tweets?", "/api/v1/tweets/user/" + idOf(t, alice) + "?", "/api/v1/feed?", "/@alice?"} {
		for sort, first := range map[string][2]string{
			"sortBy=createdAt": {"latest one", "liked one"}, "sortBy=views": {"viewed one", ""}, "sortBy=likes": {"liked one", ""},
			"sortBy=trending": {"liked one", "latest one"}, "kind=text": {"latest one", "liked one"},
		} {
			for direction, want := range map[string]string{"": first[0], "&sortType=desc": first[0], "&sortType=des": first[0], "&sortType=asc": first[1]} {
				if answer := nobody.Get(list + sort + direction + "&limit=1").Status(200); !strings.Contains(answer.Body, want) {
					t.Errorf("%s%s%s does not begin with the %s: %s", list, sort, direction, want, answer.Body)
				}
			}
		}
		for query, field := range map[string]string{"sortBy=password": "sortBy", "sortBy[$gt]=": "", "sortType=up": "sortType"} {
			answer := nobody.JSON("GET", list+query, nil)
			if field != "" && (answer.Code != 422 || answer.Fault(field) == "") {
				t.Errorf("%s%s: %s", list, query, answer)
			}
		}
	}
}

// The article's page fields are returned next to the cursor.
func TestNumberedPages(t *testing.T) {
	site := testsite.New(t)
	alice, nobody := site.User("alice"), site.Client()
	for i := range 5 {
		alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": fmt.Sprint("number ", i)}).Status(201)
	}
	alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "draft", "visibility": "draft"}).Status(201)
	videos := "/api/v1/videos?limit=2"
	play(t, []scenario{
		{name: "the first", as: nobody, method: "GET", path: videos, status: 200, has: []string{"number 4", "number 3", `"paginate":{"currentPage":1,"totalPages":3,"limit":2,"totalVideos":5}`}, hasNot: []string{"number 2"}},
		{name: "the second", as: nobody, method: "GET", path: videos + "&page=2", status: 200, has: []string{"number 2", "number 1", `"currentPage":2`}, hasNot: []string{"number 3", "number 0"}},
		{name: "the last", as: nobody, method: "GET", path: videos + "&page=3", status: 200, has: []string{"number 0", `"next":null`}, hasNot: []string{"number 1"}},
		{name: "beyond", as: nobody, method: "GET", path: videos + "&page=4", status: 200, has: []string{`"videos":[]`, `"totalPages":3`}},
		{name: "of a feed", as: nobody, method: "GET", path: "/?limit=2&page=3", status: 200, has: []string{"number 0"}, hasNot: []string{"number 1"}},
		{name: "none", as: nobody, method: "GET", path: videos + "&kind=video", status: 200, has: []string{`"totalPages":0`, `"totalVideos":0`}},
		{name: "zero", as: nobody, method: "GET", path: videos + "&page=0", status: 422, fault: "page"},
		{name: "negative", as: nobody, method: "GET", path: videos + "&page=-1", status: 422, fault: "page"},
		{name: "eleven", as: nobody, method: "GET", path: videos + "&page=11", status: 422, fault: "page"},
		{name: "a word", as: nobody, method: "GET", path: videos + "&page=two", status: 422, fault: "page"},
	})
	first := nobody.JSON("GET", videos+"&page=2", nil).Data()
	next, _ := first["next"].(string)
	nobody.JSON("GET", videos+"&after="+next, nil).Status(200).Has("number 0", `"paginate":null`)
	if answer := nobody.JSON("GET", videos+"&page=2&after="+next, nil); answer.Code != 422 || answer.Fault("page") == "" {
		t.Errorf("a page and a cursor: %s", answer)
	}
	if more := nobody.Get("/?limit=2&page=2").Status(200); strings.Contains(more.Body, "page=2&amp;") || !strings.Contains(more.Body, "after=") {
		t.Errorf("the next page after a numbered one: %s", more.Body)
	}
}
