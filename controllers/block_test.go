package controllers_test

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"tokentube/e2e/testsite"
)

// Each request on its own site, both through the API and as a page.
func TestBlockRequests(t *testing.T) {
	for _, c := range []struct {
		name, who, method, path string // :bob, :alice, :none are ids; alice has blocked carol
		api, page               int
	}{
		{"block", "alice", "PUT", "/users/blocks/:bob", 200, 303},
		{"block again", "alice", "PUT", "/users/blocks/:carol", 200, 303},
		{"unblock", "alice", "DELETE", "/users/blocks/:carol", 200, 303},
		{"unblock who isn't", "alice", "DELETE", "/users/blocks/:bob", 200, 303},
		{"block oneself", "alice", "PUT", "/users/blocks/:alice", 409, 409},
		{"block nobody", "alice", "PUT", "/users/blocks/:none", 404, 404},
		{"block no id", "alice", "PUT", "/users/blocks/x", 404, 404},
		{"unblock nobody", "alice", "DELETE", "/users/blocks/:none", 404, 404},
		{"block as nobody", "", "PUT", "/users/blocks/:bob", 401, 303},
		{"unblock as nobody", "", "DELETE", "/users/blocks/:bob", 401, 303},
		{"subscribe to who has blocked one", "carol", "PUT", "/subscriptions/c/:alice", 403, 403},
		{"subscribe to whom one has blocked", "alice", "PUT", "/subscriptions/c/:carol", 409, 409},
		{"comment where one is blocked", "carol", "POST", "/comments/:post", 403, 403},
		{"block who has blocked one", "carol", "PUT", "/users/blocks/:alice", 200, 303},
		{"unblock oneself for another", "carol", "DELETE", "/users/blocks/:carol", 200, 303}, // doesn't affect alice's
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for format, want := range map[string]int{"/api/v1": c.api, "": c.page} {
				site := testsite.New(t)
				clients := map[string]*testsite.Client{"": site.Client(), "alice": site.User("alice"), "bob": site.User("bob"), "carol": site.User("carol")}
				post := clients["alice"].JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201).ID()
				ids := strings.NewReplacer(":alice", myID(clients["alice"]), ":bob", myID(clients["bob"]), ":carol", myID(clients["carol"]), ":none", strings.Repeat("a", 24), ":post", post)
				clients["alice"].JSON("PUT", "/api/v1/users/blocks/"+myID(clients["carol"]), nil).Status(200)
				path := format + ids.Replace(c.path)
				var answer *testsite.Answer
				if format != "" {
					answer = clients[c.who].JSON(c.method, path, testsite.M{"content": "hello"}).Status(want)
				} else {
					if c.method != "POST" {
						path += "?_method=" + c.method
					}
					answer = clients[c.who].PostForm(path, url.Values{"content": {"hello"}}).Status(want)
				}
				if c.who == "carol" && want == 403 {
					answer.HasNot("blocked")
				}
				ended := c.name == "unblock"
				if code := clients["carol"].JSON("POST", "/api/v1/comments/"+post, testsite.M{"content": "hello"}).Code; (code == 201) != ended {
					t.Errorf("carol's comment is a %d", code)
				}
			}
		})
	}
}

func myID(c *testsite.Client) string {
	return c.JSON("GET", "/api/v1/users/get-current-user", nil).Status(200).ID()
}

func TestBlockedPeople(t *testing.T) {
	w := newTalk(t)
	bob := myID(w.bob)
	w.alice.Get("/settings/blocks").Status(200).Has("You haven’t blocked anyone.")
	w.alice.Get("/@bob").Status(200).Has(`action="/users/blocks/`+bob+`?_method=PUT"`, "Subscribe")
	if to := w.alice.PostForm("/users/blocks/"+bob+"?_method=PUT", nil).Status(303).Header.Get("Location"); to != "/@bob" {
		t.Errorf("a block leads to %s", to)
	}
	w.alice.Get("/@bob").Status(200).Has("You have blocked @bob.", `action="/users/blocks/`+bob+`?_method=DELETE"`).HasNot("/subscriptions/c/" + bob)
	w.alice.Get("/settings/blocks").Status(200).Has("@bob", "Unblock")
	if got := w.alice.JSON("GET", "/api/v1/users/channel/bob", nil).Status(200).Data()["isBlocked"]; got != true {
		t.Error(got)
	}
	list := w.alice.JSON("GET", "/api/v1/users/blocks", nil).Status(200).Data()["users"].([]any)
	if len(list) != 1 || list[0].(testsite.M)["username"] != "bob" || list[0].(testsite.M)["email"] != nil {
		t.Error(list)
	}
	w.alice.JSON("GET", "/api/v1/users/blocks?after=x", nil).Status(422)
	w.nobody.JSON("GET", "/api/v1/users/blocks", nil).Status(401)
	if mine := w.bob.JSON("GET", "/api/v1/users/blocks", nil).Status(200).Data()["users"].([]any); len(mine) != 0 {
		t.Error(mine)
	}
	w.bob.Get("/@alice").Status(200).HasNot("You have", "Unblock")

	// alice no longer sees bob's comment, but others do.
	w.alice.Get("/posts/"+w.post).Status(200).Has("A comment by someone you have blocked.", "1 reply").HasNot("the first")
	w.alice.Get("/comments/c/"+w.first).Status(200).Has("Comment by someone you have blocked", "an answer").HasNot("the first")
	place := w.alice.JSON("GET", "/api/v1/comments/c/"+w.first, nil).Status(200).Data()["comment"].(testsite.M)
	if place["owner"] != nil || place["content"] != "" || place["isBlocked"] != true || place["isDeleted"] != false {
		t.Error(place)
	}
	for _, c := range []*testsite.Client{w.bob, w.carol, w.nobody} {
		c.Get("/posts/" + w.post).Status(200).Has("the first")
	}
	w.alice.PostForm("/users/blocks/"+bob+"?_method=DELETE", nil).Status(303)
	w.alice.Get("/posts/"+w.post).Status(200).Has("the first", "Block")
}

// Ten simultaneous blocks make one, and ten simultaneous removals leave none.
func TestBlocksTwiceAtOnce(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	path := "/api/v1/users/blocks/" + myID(bob)
	for _, c := range []struct{ method, want string }{{"PUT", "1"}, {"DELETE", "0"}} {
		var all sync.WaitGroup
		for range 10 {
			client := alice.Copy()
			all.Go(func() { client.JSON(c.method, path, nil).Status(200) })
		}
		all.Wait()
		if got := fmt.Sprint(len(alice.JSON("GET", "/api/v1/users/blocks", nil).Status(200).Data()["users"].([]any))); got != c.want {
			t.Errorf("after ten times %s there are %s", c.method, got)
		}
	}
}
