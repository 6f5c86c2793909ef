package controllers_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"tokentube/e2e/testsite"
)

func TestPlaylists(t *testing.T) {
	site := testsite.New(t)
	alice, bob, nobody := site.User("alice"), site.User("bob"), site.Client()
	a := idOf(t, alice)
	create := func(name, visibility string) string {
		return alice.JSON("POST", "/api/v1/playlist", testsite.M{"name": name, "visibility": visibility}).Status(201).ID()
	}
	public, unlisted, private := create("Music", "public"), create("Linked", "unlisted"), create("Secret", "private")
	api, page, ofAlice := "/api/v1/playlist/", "/playlists/", "/api/v1/playlist/user/"+a
	play(t, []scenario{
		{name: "nameless", as: alice, method: "POST", path: "/api/v1/playlist", body: testsite.M{}, status: 422, fault: "name"},
		{name: "long", as: alice, method: "POST", path: "/api/v1/playlist", body: testsite.M{"name": strings.Repeat("x", 101)}, status: 422, fault: "name"},
		{name: "a name of another type", as: alice, method: "POST", path: "/api/v1/playlist", body: testsite.M{"name": testsite.M{"$ne": 1}}, status: 422, fault: "name"},
		{name: "nonsense", as: alice, method: "POST", path: "/api/v1/playlist", body: testsite.M{"name": "x", "visibility": "draft"}, status: 422, fault: "visibility"},
		{name: "taken", as: alice, method: "POST", path: "/api/v1/playlist", body: testsite.M{"name": "MUSIC"}, status: 409, fault: "name"},
		{name: "taken by all", as: alice, method: "POST", path: "/api/v1/playlist", body: testsite.M{"name": "watch later"}, status: 409, fault: "name"},
		{name: "taken, as a page", as: alice, method: "POST", path: "/playlists", body: testsite.M{"name": "Music", "description": "kept words"}, status: 409, has: []string{"already have a playlist", "kept words", "Error: "}},
		{name: "anonymous", as: nobody, method: "POST", path: "/api/v1/playlist", body: testsite.M{"name": "x"}, status: 401},
		{name: "from the page", as: alice, method: "POST", path: "/playlists", body: testsite.M{"name": "Typed", "visibility": "private"}, status: 303},

		{name: "one's own", as: alice, method: "GET", path: ofAlice, status: 200, has: []string{"Music", "Linked", "Secret", "Watch later", `"itemsCount":0`}},
		{name: "another's", as: bob, method: "GET", path: ofAlice, status: 200, has: []string{"Music"}, hasNot: []string{"Linked", "Secret", "Watch later", "itemsCount"}},
		{name: "nobody's", as: nobody, method: "GET", path: ofAlice, status: 200, has: []string{"Music"}, hasNot: []string{"Linked", "Secret", "Watch later", "itemsCount"}},
		{name: "of nobody", as: bob, method: "GET", path: "/api/v1/playlist/user/" + nobodysID, status: 404},
		{name: "the page of them", as: alice, method: "GET", path: "/playlists", status: 200, has: []string{"Music", "Secret"}},
		{name: "the tab of the channel", as: bob, method: "GET", path: "/@alice?tab=playlists", status: 200, has: []string{"Music"}, hasNot: []string{"Linked", "Secret", "Watch later"}},
		{name: "one's own tab", as: alice, method: "GET", path: "/@alice?tab=playlists", status: 200, has: []string{"Music", "Secret"}},
		{name: "a channel without any", as: alice, method: "GET", path: "/@bob?tab=playlists", status: 200, has: []string{"No public playlists"}},
		{name: "public", as: nobody, method: "GET", path: page + public, status: 200, has: []string{"Music"}, hasNot: []string{"noindex"}},
		{name: "unlisted", as: nobody, method: "GET", path: page + unlisted, status: 200, has: []string{"Linked", "noindex"}},
		{name: "private", as: bob, method: "GET", path: page + private, status: 404, hasNot: []string{"Secret"}},
		{name: "private, by the API", as: nobody, method: "GET", path: api + private, status: 404},
		{name: "private to its owner", as: alice, method: "GET", path: api + private, status: 200, has: []string{"Secret", `"videos":[]`}},
		{name: "missing", as: alice, method: "GET", path: api + nobodysID, status: 404},
		{name: "malformed", as: alice, method: "GET", path: api + "nonsense", status: 404},
		{name: "after nonsense", as: alice, method: "GET", path: api + public + "?after=nonsense", status: 422, fault: "after"},

		{name: "another's, changed", as: bob, method: "PATCH", path: api + public, body: testsite.M{"name": "Mine"}, status: 403},
		{name: "another's, hidden", as: bob, method: "PATCH", path: api + private, body: testsite.M{"name": "Mine"}, status: 404},
		{name: "another's, deleted", as: bob, method: "DELETE", path: page + public, status: 403},
		{name: "another's, hidden and deleted", as: bob, method: "DELETE", path: page + private, status: 404},
		{name: "another's, edited", as: bob, method: "GET", path: page + public + "/edit", status: 403},
		{name: "anonymous, deleted", as: nobody, method: "DELETE", path: api + public, status: 401},
		{name: "nothing to change", as: alice, method: "PATCH", path: api + public, body: testsite.M{}, status: 422},
		{name: "a taken name", as: alice, method: "PATCH", path: api + public, body: testsite.M{"name": "secret"}, status: 409, fault: "name"},
		{name: "a taken name, as a page", as: alice, method: "PATCH", path: page + public, body: testsite.M{"name": "secret"}, status: 409, has: []string{`value="secret"`}},
		{name: "rename", as: alice, method: "PATCH", path: page + public, body: testsite.M{"name": "Songs", "description": "to sing", "visibility": "unlisted"}, status: 303},
		{name: "renamed", as: bob, method: "GET", path: api + public, status: 200, has: []string{"Songs", "to sing", `"visibility":"unlisted"`}},
		{name: "the form", as: alice, method: "GET", path: page + public + "/edit", status: 200, has: []string{"Songs", "to sing"}},
		{name: "delete", as: alice, method: "DELETE", path: page + public, status: 303},
		{name: "twice", as: alice, method: "DELETE", path: api + public, status: 404},
		{name: "its name is free", as: alice, method: "POST", path: "/api/v1/playlist", body: testsite.M{"name": "Songs"}, status: 201, has: []string{`"visibility":"private"`}},
	})
}

func TestPlaylistItems(t *testing.T) {
	site := testsite.New(t)
	alice, bob, nobody := site.User("alice"), site.User("bob"), site.Client()
	write := func(c *testsite.Client, text, visibility string) string {
		return c.JSON("POST", "/api/v1/tweets", testsite.M{"content": text, "visibility": visibility}).Status(201).ID()
	}
	one, two, draft, theirs := write(bob, "first", "public"), write(bob, "second", "public"), write(bob, "secret", "draft"), write(alice, "third", "public")
	list := alice.JSON("POST", "/api/v1/playlist", testsite.M{"name": "Music", "visibility": "public"}).Status(201).ID()
	add, remove, move := "/api/v1/playlist/add/", "/api/v1/playlist/remove/", "/api/v1/playlist/move/"
	order := func(as *testsite.Client, want string) {
		t.Helper()
		got := ""
		for _, v := range as.JSON("GET", "/api/v1/playlist/"+list, nil).Status(200).Data()["videos"].([]any) {
			got += v.(testsite.M)["content"].(string) + " "
		}
		if got != want {
			t.Errorf("in the playlist are %q, want %q", got, want)
		}
	}
	play(t, []scenario{
		{name: "add", as: alice, method: "PATCH", path: add + one + "/" + list, status: 200, has: []string{`"isSaved":true`, `"itemsCount":1`}},
		{name: "twice", as: alice, method: "PATCH", path: add + one + "/" + list, status: 200, has: []string{`"itemsCount":1`}},
		{name: "from the page", as: alice, method: "PUT", path: "/playlists/" + list + "/items/" + two, status: 303},
		{name: "another", as: alice, method: "PATCH", path: add + theirs + "/" + list, status: 200, has: []string{`"itemsCount":3`}},
		{name: "somebody's draft", as: alice, method: "PATCH", path: add + draft + "/" + list, status: 404},
		{name: "nothing", as: alice, method: "PATCH", path: add + nobodysID + "/" + list, status: 404},
		{name: "nonsense", as: alice, method: "PATCH", path: add + "nonsense/" + list, status: 404},
		{name: "to nothing", as: alice, method: "PATCH", path: add + one + "/" + nobodysID, status: 404},
		{name: "to another's", as: bob, method: "PATCH", path: add + one + "/" + list, status: 403},
		{name: "from another's", as: bob, method: "PATCH", path: remove + one + "/" + list, status: 403},
		{name: "anonymous", as: nobody, method: "PATCH", path: add + one + "/" + list, status: 401},
		{name: "anonymous, from the page", as: nobody, method: "DELETE", path: "/playlists/" + list + "/items/" + two, status: 303},
		{name: "a post says so", as: alice, method: "GET", path: "/api/v1/tweets/" + one, status: 200, has: []string{`"isSaved":true`, `"isWatchLater":false`}},
		{name: "to alice alone", as: bob, method: "GET", path: "/api/v1/tweets/" + one, status: 200, has: []string{`"isSaved":false`}},
		{name: "where it is", as: alice, method: "GET", path: "/api/v1/playlist/save/" + one, status: 200, has: []string{"Music", `"isSaved":true`}},
		{name: "the page", as: alice, method: "GET", path: "/playlists/save/" + one, status: 200, has: []string{"Music", "/playlists/" + list + "/items/" + one, `aria-pressed="true"`}},
		{name: "of a draft", as: alice, method: "GET", path: "/playlists/save/" + draft, status: 404},
		{name: "the owner's buttons", as: alice, method: "GET", path: "/playlists/" + list, status: 200, has: []string{"Move up", "Remove", "first"}},
		{name: "not for others", as: bob, method: "GET", path: "/playlists/" + list, status: 200, has: []string{"first"}, hasNot: []string{"Move up", "Remove"}},

		{name: "sideways", as: alice, method: "PATCH", path: move + one + "/" + list, body: testsite.M{"direction": "left"}, status: 422, fault: "direction"},
		{name: "another's", as: bob, method: "PATCH", path: move + one + "/" + list, body: testsite.M{"direction": "down"}, status: 403},
		{name: "down", as: alice, method: "PATCH", path: "/playlists/move/" + one + "/" + list, body: testsite.M{"direction": "down"}, status: 303},
		{name: "up", as: alice, method: "PATCH", path: move + theirs + "/" + list, body: testsite.M{"direction": "up"}, status: 200},
	})
	order(alice, "second third first ")
	play(t, []scenario{
		{name: "in order", as: alice, method: "PATCH", path: "/api/v1/playlist/" + list, body: testsite.M{"order": []string{one, two, theirs}}, status: 200},
		{name: "twice the same", as: alice, method: "PATCH", path: "/api/v1/playlist/" + list, body: testsite.M{"order": []string{one, one}}, status: 422, fault: "order"},
		{name: "what is not there", as: alice, method: "PATCH", path: "/api/v1/playlist/" + list, body: testsite.M{"order": []string{nobodysID}}, status: 422, fault: "order"},
		{name: "nonsense", as: alice, method: "PATCH", path: "/api/v1/playlist/" + list, body: testsite.M{"order": []string{"x"}}, status: 422, fault: "order"},
		{name: "a word", as: alice, method: "PATCH", path: "/api/v1/playlist/" + list, body: testsite.M{"order": 1}, status: 422, fault: "order"},
	})
	order(nobody, "first second third ")
	bob.JSON("PATCH", "/api/v1/tweets/"+two, testsite.M{"visibility": "draft"}).Status(200)
	order(nobody, "first third ")
	order(alice, "first third ")
	alice.Get("/playlists/"+list).Status(200).HasNot("second", two)
	bob.JSON("PATCH", "/api/v1/tweets/"+two, testsite.M{"visibility": "public"}).Status(200)
	order(nobody, "first second third ")
	play(t, []scenario{
		{name: "remove", as: alice, method: "PATCH", path: remove + one + "/" + list, status: 200, has: []string{`"isSaved":false`, `"itemsCount":2`}},
		{name: "twice", as: alice, method: "DELETE", path: "/playlists/" + list + "/items/" + one, status: 303},
		{name: "what nobody knows", as: alice, method: "PATCH", path: remove + nobodysID + "/" + list, status: 404},
	})
	bob.JSON("DELETE", "/api/v1/tweets/"+two, nil).Status(200)
	site.DB.WaitRemovals()
	order(alice, "third ")
}

func TestWatchLater(t *testing.T) {
	site := testsite.New(t)
	alice, bob, nobody := site.User("alice"), site.User("bob"), site.Client()
	post := bob.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201).ID()
	draft := bob.JSON("POST", "/api/v1/tweets", testsite.M{"content": "secret", "visibility": "draft"}).Status(201).ID()
	later := "/api/v1/playlist/watch-later"
	alice.JSON("GET", later, nil).Status(200).Has(`"videos":[]`, `"isWatchLater":true`)
	alice.Get("/playlists/watch-later").Status(200).Has("This playlist is empty")
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if answer := alice.Copy().JSON("PUT", later+"/"+post, nil); answer.Code != 200 {
				t.Error(answer)
			}
		})
	}
	all.Wait()
	found := alice.JSON("GET", later, nil).Status(200).Data()
	if videos := found["videos"].([]any); len(videos) != 1 || found["itemsCount"] != 1.0 {
		t.Errorf("%v", found)
	}
	id := fmt.Sprint(found["_id"])
	play(t, []scenario{
		{name: "a post says so", as: alice, method: "GET", path: "/api/v1/tweets/" + post, status: 200, has: []string{`"isSaved":true`, `"isWatchLater":true`}},
		{name: "its page", as: alice, method: "GET", path: "/posts/" + post, status: 200, has: []string{"/playlists/watch-later/" + post + "?_method=DELETE"}},
		{name: "the page", as: alice, method: "GET", path: "/playlists/watch-later", status: 200, has: []string{"hello"}, hasNot: []string{"/edit"}},
		{name: "bob's own", as: bob, method: "GET", path: later, status: 200, has: []string{`"videos":[]`}},
		{name: "alice's", as: bob, method: "GET", path: "/api/v1/playlist/" + id, status: 404},
		{name: "renamed", as: alice, method: "PATCH", path: "/api/v1/playlist/" + id, body: testsite.M{"name": "Mine"}, status: 403},
		{name: "published", as: alice, method: "PATCH", path: "/api/v1/playlist/" + id, body: testsite.M{"visibility": "public"}, status: 403},
		{name: "deleted", as: alice, method: "DELETE", path: "/playlists/" + id, status: 403},
		{name: "somebody's draft", as: alice, method: "PUT", path: later + "/" + draft, status: 404},
		{name: "anonymous", as: nobody, method: "PUT", path: later + "/" + post, status: 401},
		{name: "anonymous, reading", as: nobody, method: "GET", path: later, status: 401},
		{name: "remove", as: alice, method: "DELETE", path: "/playlists/watch-later/" + post, status: 303},
		{name: "twice", as: alice, method: "DELETE", path: later + "/" + post, status: 200, has: []string{`"isWatchLater":false`}},
		{name: "a draft, removed", as: alice, method: "DELETE", path: later + "/" + draft, status: 404},
	})
}
