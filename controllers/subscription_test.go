package controllers_test

import (
	"net/http"
	"sync"
	"testing"

	"tokentube/e2e/testsite"
)

const nobodysID = "0123456789abcdef01234567"

func TestSubscriptions(t *testing.T) {
	site := testsite.New(t)
	alice, bob, nobody := site.User("alice"), site.User("bob"), site.Client()
	a, b := idOf(t, alice), idOf(t, bob)
	post := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201).ID()
	api, page := "/api/v1/subscriptions/c/", "/subscriptions/c/"
	play(t, []scenario{
		{name: "subscribe", as: bob, method: "PUT", path: api + a, status: 200, has: []string{`"isSubscribed":true`, `"subscribersCount":1`}},
		{name: "twice", as: bob, method: "PUT", path: api + a, status: 200, has: []string{`"isSubscribed":true`, `"subscribersCount":1`}},
		{name: "the channel says so", as: bob, method: "GET", path: "/api/v1/users/channel/alice", status: 200, has: []string{`"isSubscribed":true`, `"subscribersCount":1`}, hasNot: []string{"alice@example.com"}},
		{name: "to bob alone", as: nobody, method: "GET", path: "/api/v1/users/channel/alice", status: 200, has: []string{`"isSubscribed":false`, `"subscribersCount":1`}},
		{name: "a post says so", as: bob, method: "GET", path: "/api/v1/tweets/" + post, status: 200, has: []string{`"isSubscribed":true`}},
		{name: "and not to others", as: alice, method: "GET", path: "/api/v1/tweets/" + post, status: 200, has: []string{`"isSubscribed":false`}},
		{name: "the post's page", as: bob, method: "GET", path: "/posts/" + post, status: 200, has: []string{page + a + `?_method=DELETE`, `aria-pressed="true"`}},
		{name: "the channel's page", as: bob, method: "GET", path: "/@alice", status: 200, has: []string{page + a + `?_method=DELETE`}},
		{name: "one's own channel has no button", as: alice, method: "GET", path: "/@alice", status: 200, hasNot: []string{page + a}},
		{name: "without a login it leads there", as: nobody, method: "GET", path: "/@alice", status: 200, has: []string{"/login?next=%2f%40alice"}},
		{name: "followed", as: bob, method: "GET", path: "/api/v1/subscriptions/u/" + b, status: 200, has: []string{`"username":"alice"`, `"next":null`}, hasNot: []string{"@example.com"}},
		{name: "followed by another", as: alice, method: "GET", path: "/api/v1/subscriptions/u/" + b, status: 200, has: []string{`"username":"alice"`}, hasNot: []string{"@example.com"}},
		{name: "the page of it", as: bob, method: "GET", path: "/subscriptions", status: 200, has: []string{"The alice"}},
		{name: "the empty page", as: alice, method: "GET", path: "/subscriptions", status: 200, has: []string{"No subscriptions yet"}},
		{name: "subscribers", as: alice, method: "GET", path: api + a, status: 200, has: []string{`"username":"bob"`, `"isSubscribed":false`}, hasNot: []string{"@example.com"}},
		{name: "the page of them", as: alice, method: "GET", path: page + a, status: 200, has: []string{"The bob"}},
		{name: "those of somebody else", as: bob, method: "GET", path: api + a, status: 404, hasNot: []string{"bob"}},
		{name: "those of somebody else, as a page", as: bob, method: "GET", path: page + a, status: 404, hasNot: []string{"Your subscribers"}},

		{name: "to oneself", as: alice, method: "PUT", path: api + a, status: 409, has: []string{"your own channel"}},
		{name: "to oneself, toggled", as: alice, method: "POST", path: api + a, status: 409, has: []string{"your own channel"}},
		{name: "to oneself, as a page", as: alice, method: "PUT", path: page + a, status: 409, has: []string{"your own channel"}},
		{name: "to nobody", as: bob, method: "PUT", path: api + nobodysID, status: 404},
		{name: "to nonsense", as: bob, method: "PUT", path: api + "nonsense", status: 404},
		{name: "to a post", as: bob, method: "POST", path: api + post, status: 404},
		{name: "of nobody", as: bob, method: "GET", path: "/api/v1/subscriptions/u/" + nobodysID, status: 404},
		{name: "from nobody", as: bob, method: "DELETE", path: api + nobodysID, status: 404},
		{name: "after nonsense", as: bob, method: "GET", path: "/api/v1/subscriptions?after=nonsense", status: 422, fault: "after"},
		{name: "too few", as: bob, method: "GET", path: "/api/v1/subscriptions/u/" + b + "?limit=0", status: 422, fault: "limit"},
		{name: "anonymous", as: nobody, method: "PUT", path: api + a, status: 401},
		{name: "anonymous, as a page", as: nobody, method: "PUT", path: page + a, status: 303},
		{name: "anonymous, reading", as: nobody, method: "GET", path: "/api/v1/subscriptions/u/" + b, status: 401},

		{name: "toggle off", as: bob, method: "POST", path: api + a, status: 200, has: []string{`"isSubscribed":false`, `"subscribersCount":0`}},
		{name: "toggle on", as: bob, method: "POST", path: api + a, status: 200, has: []string{`"isSubscribed":true`, `"subscribersCount":1`}},
		{name: "unsubscribe", as: bob, method: "DELETE", path: page + a, status: 303},
		{name: "twice", as: bob, method: "DELETE", path: api + a, status: 200, has: []string{`"isSubscribed":false`, `"subscribersCount":0`}},
		{name: "never below nothing", as: bob, method: "GET", path: "/api/v1/users/channel/alice", status: 200, has: []string{`"subscribersCount":0`}},
	})
}

// A form leads back to its page, and nowhere else.
func TestSubscribeFormLeadsBack(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	a := idOf(t, alice)
	for referer, want := range map[string]string{
		"https://localhost/posts/1?x=1":   "/posts/1?x=1",
		"https://evil.example/posts/1":    "/@alice",
		"https://localhost@evil.example/": "/@alice",
		"":                                "/@alice",
	} {
		bob.Header = http.Header{"Referer": {referer}}
		if to := bob.PostForm("/subscriptions/c/"+a+"?_method=PUT", nil).Status(303).Header.Get("Location"); to != want {
			t.Errorf("from %q to %q", referer, to)
		}
	}
}

func TestSubscribeAtOnce(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	a := idOf(t, alice)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if answer := bob.Copy().JSON("PUT", "/api/v1/subscriptions/c/"+a, nil); answer.Code != 200 {
				t.Error(answer)
			}
		})
	}
	all.Wait()
	list := bob.JSON("GET", "/api/v1/subscriptions", nil).Status(200).Data()["channels"].([]any)
	if count := alice.JSON("GET", "/api/v1/users/get-current-user", nil).Data()["subscribersCount"]; len(list) != 1 || count != 1.0 {
		t.Errorf("%d subscriptions, %v counted", len(list), count)
	}
}
