package controllers_test

import (
	"net/url"
	"strings"
	"testing"

	"tokentube/e2e/testsite"
)

func TestSearch(t *testing.T) {
	site := testsite.New(t)
	alice, bob, nobody := site.User("alice"), site.User("bob"), site.Client()
	say := func(content, tags string) string {
		return alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": content, "tags": tags}).Status(201).ID()
	}
	say("Crème brûlée at 100% heat", "Sweet Things")
	say("A plain cake 🎂 #baking", "")
	gone := say("A cake that goes", "")
	draft := say("A cake in secret", "")
	alice.JSON("PATCH", "/api/v1/tweets/"+draft, testsite.M{"visibility": "draft"}).Status(200)
	alice.JSON("DELETE", "/api/v1/tweets/"+gone, nil).Status(200)
	api := func(q string) string { return "/api/v1/videos?query=" + url.QueryEscape(q) }
	page := func(q string) string { return "/search?q=" + url.QueryEscape(q) }
	play(t, []scenario{
		{name: "a word", as: nobody, method: "GET", path: api("cake"), status: 200, has: []string{"A plain cake", `"totalVideos":1`}, hasNot: []string{"secret", "goes", "brûlée"}},
		{name: "one's own draft", as: alice, method: "GET", path: api("secret"), status: 200, has: []string{`"videos":[]`}},
		{name: "folded", as: bob, method: "GET", path: api("BRULEE creme"), status: 200, has: []string{"brûlée"}},
		{name: "the last word begun", as: nobody, method: "GET", path: api("crème bru"), status: 200, has: []string{"brûlée"}},
		{name: "another word begun", as: nobody, method: "GET", path: api("cre brulee"), status: 200, has: []string{`"videos":[]`}},
		{name: "percent", as: nobody, method: "GET", path: api("100%"), status: 200, has: []string{"brûlée"}},
		{name: "emoji", as: nobody, method: "GET", path: api("🎂"), status: 200, has: []string{"plain cake"}},
		{name: "a tag", as: nobody, method: "GET", path: api("#sweetthings"), status: 200, has: []string{"brûlée"}},
		{name: "not a tag", as: nobody, method: "GET", path: api("#sweet"), status: 200, has: []string{`"videos":[]`}},
		{name: "a tag in the text", as: nobody, method: "GET", path: page("#baking"), status: 200, has: []string{"plain cake", `value="#baking"`}},
		{name: "the channel", as: nobody, method: "GET", path: page("alice"), status: 200, has: []string{"Results for", `href="/@alice"`, "/login?next=%2fsearch%3fq%3dalice"}},
		{name: "as its user", as: alice, method: "GET", path: page("alice"), status: 200, has: []string{`href="/@alice"`}, hasNot: []string{"/subscriptions/c/"}},
		{name: "channels alone", as: bob, method: "GET", path: page("alice") + "&kind=channel", status: 200, has: []string{"The alice", "/subscriptions/c/"}, hasNot: []string{"plain cake"}},
		{name: "channels over the API", as: nobody, method: "GET", path: "/api/v1/search?q=ali&kind=channel", status: 200, has: []string{`"username":"alice"`, `"videos":[]`}, hasNot: []string{"@example.com"}},
		{name: "all over the API", as: nobody, method: "GET", path: "/api/v1/search?q=alice", status: 200, has: []string{`"username":"alice"`, "plain cake"}, hasNot: []string{"@example.com"}},
		{name: "by kind", as: nobody, method: "GET", path: api("cake") + "&kind=video", status: 200, has: []string{`"videos":[]`}},
		{name: "of a user", as: nobody, method: "GET", path: api("cake") + "&userId=" + idOf(t, bob), status: 200, has: []string{`"videos":[]`}},
		{name: "sorted", as: nobody, method: "GET", path: api("alice") + "&sortBy=likes&sortType=asc&limit=1", status: 200, has: []string{"brûlée"}},
		{name: "nothing", as: nobody, method: "GET", path: page("zebra"), status: 200, has: []string{"Nothing found"}},
		{name: "nothing of a kind", as: nobody, method: "GET", path: page("cake") + "&kind=photo", status: 200, has: []string{"Nothing found", "Search everything"}},
		{name: "no question", as: nobody, method: "GET", path: "/search", status: 200, has: []string{"What are you looking for?"}},
		{name: "no such kind", as: nobody, method: "GET", path: page("cake") + "&kind=song", status: 422},
		{name: "no such order", as: nobody, method: "GET", path: api("cake") + "&sortBy=x", status: 422, fault: "sortBy"},
		{name: "no such cursor", as: nobody, method: "GET", path: api("cake") + "&after=x", status: 422, fault: "after"},
		{name: "no such cursor of channels", as: nobody, method: "GET", path: "/api/v1/search?q=alice&kind=channel&after=x", status: 422, fault: "after"},
		{name: "no such limit", as: nobody, method: "GET", path: "/api/v1/search?q=alice&limit=0", status: 422, fault: "limit"},
	})
	for _, q := range []string{`\`, "(", `"`, ".*", "%", "#", "##", "$where", `{"$gt":""}`, "\x00", "😀", strings.Repeat("a ", 5000), strings.Repeat("é", 3000)} {
		nobody.Get(page(q)).Status(200)
		nobody.JSON("GET", api(q), nil).Status(200)
		nobody.JSON("GET", "/api/v1/search?kind=channel&q="+url.QueryEscape(q), nil).Status(200)
	}
	nobody.JSON("GET", api("\xff"), nil).Status(422)
	nobody.JSON("GET", "/api/v1/search?q[$gt]=", nil).Status(200)
	nobody.Get("/login").Status(200).Has(`action="/search"`)
}

// A list of results continues like any other list.
func TestSearchPages(t *testing.T) {
	site := testsite.New(t)
	alice, nobody := site.User("alice"), site.Client()
	for range 5 {
		alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "cake"}).Status(201)
	}
	seen, path := 0, "/search?q=cake&limit=2"
	for pages := 0; path != "" && pages < 5; pages++ {
		answer := nobody.Get(path).Status(200)
		path = ""
		for _, link := range answer.Addresses("a", "href") {
			if strings.Contains(link, "after=") {
				path = link
			}
		}
		seen += strings.Count(answer.Body, `<li class="card`)
	}
	if seen != 5 {
		t.Errorf("the pages show %d posts", seen)
	}
	nobody.JSON("GET", "/api/v1/videos?query=cake&limit=2&page=3", nil).Status(200).Has(`"currentPage":3,"totalPages":3,"limit":2,"totalVideos":5`)
}
