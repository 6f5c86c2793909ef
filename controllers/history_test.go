package controllers_test

import (
	"sync"
	"testing"

	"tokentube/e2e/testsite"
)

// publish uploads a video and returns its id.
func publish(t *testing.T, c *testsite.Client, title string) string {
	t.Helper()
	return c.Upload("POST", "/api/v1/videos/publish-video", map[string]string{"title": title},
		testsite.File{Field: "videoFile", Name: "video.mp4", Content: testsite.Video}).Status(201).ID()
}

func TestHistory(t *testing.T) {
	site := testsite.New(t)
	alice, bob, nobody := site.User("alice"), site.User("bob"), site.Client()
	video := publish(t, alice, "A square")
	text := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201).ID()
	draft := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "secret", "visibility": "draft"}).Status(201).ID()
	list, one := "/api/v1/users/get-watch-history", "/api/v1/users/watch-history/"
	all := "/api/v1/users/watch-history"
	play(t, []scenario{
		{name: "empty", as: bob, method: "GET", path: list, status: 200, has: []string{`"videos":[]`, `"isPaused":false`, `"next":null`}},
		{name: "the empty page", as: bob, method: "GET", path: "/history", status: 200, has: []string{"Nothing watched yet"}},
		{name: "open a video", as: bob, method: "GET", path: "/watch/" + video, status: 200, has: []string{`data-watch="/history/` + video, `data-position="0"`}},
		{name: "without a login nothing is kept", as: nobody, method: "GET", path: "/watch/" + video, status: 200, hasNot: []string{"data-watch"}},
		{name: "it is there", as: bob, method: "GET", path: list, status: 200, has: []string{`"_id":"` + video, `"watchedAt":"`}},
		{name: "to bob alone", as: alice, method: "GET", path: list, status: 200, has: []string{`"videos":[]`}},
		{name: "read by the API", as: bob, method: "GET", path: "/api/v1/tweets/" + text, status: 200},
		{name: "counts too", as: bob, method: "GET", path: "/history", status: 200, has: []string{"A square", "hello", "Watched"}},
		{name: "looked at in advance", as: alice, method: "HEAD", path: "/api/v1/tweets/" + text, status: 200},
		{name: "does not count", as: alice, method: "GET", path: list, status: 200, has: []string{`"videos":[]`}},
		{name: "one's own draft", as: alice, method: "GET", path: "/posts/" + draft, status: 200},
		{name: "does not count either", as: alice, method: "GET", path: list, status: 200, has: []string{`"videos":[]`}},

		{name: "how far", as: bob, method: "PUT", path: one + video, body: testsite.M{"position": 0.5}, status: 200, has: []string{`"position":0.5`}},
		{name: "from a script of the page", as: bob, method: "PUT", path: "/history/" + video, body: testsite.M{"position": "0.75"}, status: 303},
		{name: "the page goes on there", as: bob, method: "GET", path: "/watch/" + video, status: 200, has: []string{`data-position="0.75"`}},
		{name: "the feed says so", as: bob, method: "GET", path: "/api/v1/feed", status: 200, has: []string{`"position":0.75`}},
		{name: "to bob alone", as: alice, method: "GET", path: "/api/v1/feed", status: 200, hasNot: []string{`"position":0.75`}},
		{name: "nowhere", as: bob, method: "PUT", path: one + video, body: testsite.M{}, status: 422, fault: "position"},
		{name: "before the beginning", as: bob, method: "PUT", path: one + video, body: testsite.M{"position": -1}, status: 422, fault: "position"},
		{name: "far out", as: bob, method: "PUT", path: one + video, body: testsite.M{"position": 1e300}, status: 422, fault: "position"},
		{name: "words", as: bob, method: "PUT", path: one + video, body: testsite.M{"position": "half"}, status: 422, fault: "position"},
		{name: "a list", as: bob, method: "PUT", path: one + video, body: testsite.M{"position": []int{1}}, status: 422, fault: "position"},
		{name: "in a text", as: bob, method: "PUT", path: one + text, body: testsite.M{"position": 1}, status: 422, fault: "position"},
		{name: "in somebody's draft", as: bob, method: "PUT", path: one + draft, body: testsite.M{"position": 1}, status: 404},
		{name: "in nothing", as: bob, method: "PUT", path: one + nobodysID, body: testsite.M{"position": 1}, status: 404},
		{name: "anonymous", as: nobody, method: "PUT", path: one + video, body: testsite.M{"position": 1}, status: 401},
		{name: "anonymous, reading", as: nobody, method: "GET", path: list, status: 401},
		{name: "anonymous, as a page", as: nobody, method: "GET", path: "/history", status: 303},
		{name: "after nonsense", as: bob, method: "GET", path: list + "?after=nonsense", status: 422, fault: "after"},

		{name: "pause", as: bob, method: "PATCH", path: "/history", body: testsite.M{"isPaused": "true"}, status: 303},
		{name: "twice", as: bob, method: "PATCH", path: all, body: testsite.M{"isPaused": true}, status: 200, has: []string{`"isPaused":true`}},
		{name: "neither", as: bob, method: "PATCH", path: all, body: testsite.M{}, status: 422, fault: "isPaused"},
		{name: "nonsense", as: bob, method: "PATCH", path: all, body: testsite.M{"isPaused": "perhaps"}, status: 422, fault: "isPaused"},
		{name: "remove one", as: bob, method: "DELETE", path: "/history/" + text, status: 303},
		{name: "twice", as: bob, method: "DELETE", path: one + text, status: 200},
		{name: "what nobody knows", as: bob, method: "DELETE", path: one + nobodysID, status: 404},
		{name: "somebody's draft", as: bob, method: "DELETE", path: one + draft, status: 404},
		{name: "watch it again", as: bob, method: "GET", path: "/posts/" + text, status: 200},
		{name: "how far, while paused", as: bob, method: "PUT", path: one + video, body: testsite.M{"position": 1}, status: 200, has: []string{"isn't saved"}},
		{name: "paused", as: bob, method: "GET", path: "/history", status: 200, has: []string{"History paused", "A square"}, hasNot: []string{"hello"}},
		{name: "go on", as: bob, method: "PATCH", path: all, body: testsite.M{"isPaused": false}, status: 200, has: []string{`"isPaused":false`}},
		{name: "watch it again", as: bob, method: "GET", path: "/posts/" + text, status: 200},
		{name: "it is there", as: bob, method: "GET", path: list, status: 200, has: []string{"hello", "A square"}},

		{name: "the owner unpublishes it", as: alice, method: "PATCH", path: "/api/v1/videos/" + video, body: testsite.M{"visibility": "draft"}, status: 200},
		{name: "it is skipped", as: bob, method: "GET", path: list, status: 200, has: []string{"hello"}, hasNot: []string{"A square", video}},
		{name: "the page skips it", as: bob, method: "GET", path: "/history", status: 200, has: []string{"hello"}, hasNot: []string{"A square", video}},
		{name: "the owner publishes it", as: alice, method: "PATCH", path: "/api/v1/videos/" + video, body: testsite.M{"visibility": "public"}, status: 200},
		{name: "it is back", as: bob, method: "GET", path: list, status: 200, has: []string{"A square", `"position":0.75`}},
		{name: "clear", as: bob, method: "DELETE", path: "/history", status: 303},
		{name: "twice", as: bob, method: "DELETE", path: all, status: 200},
		{name: "empty again", as: bob, method: "GET", path: list, status: 200, has: []string{`"videos":[]`}},
	})
}

func TestHistoryHasOneEntryForAPostWatchedInManyTabs(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	video := publish(t, alice, "A square")
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if answer := bob.Copy().Get("/watch/" + video); answer.Code != 200 {
				t.Error(answer)
			}
		})
	}
	all.Wait()
	if list := bob.JSON("GET", "/api/v1/users/get-watch-history", nil).Status(200).Data()["videos"].([]any); len(list) != 1 {
		t.Errorf("%d entries", len(list))
	}
}

func TestLiked(t *testing.T) {
	site := testsite.New(t)
	alice, bob, nobody := site.User("alice"), site.User("bob"), site.Client()
	post := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201).ID()
	list := "/api/v1/likes/videos"
	play(t, []scenario{
		{name: "the empty page", as: bob, method: "GET", path: "/liked", status: 200, has: []string{"No likes yet"}},
		{name: "like", as: bob, method: "PUT", path: "/api/v1/likes/t/" + post, status: 200},
		{name: "listed", as: bob, method: "GET", path: list, status: 200, has: []string{post, `"isLiked":true`, `"next":null`}},
		{name: "the page", as: bob, method: "GET", path: "/liked", status: 200, has: []string{"hello", `aria-pressed="true"`}},
		{name: "to bob alone", as: alice, method: "GET", path: list, status: 200, has: []string{`"videos":[]`}},
		{name: "anonymous", as: nobody, method: "GET", path: list, status: 401},
		{name: "anonymous, as a page", as: nobody, method: "GET", path: "/liked", status: 303},
		{name: "too few", as: bob, method: "GET", path: list + "?limit=0", status: 422, fault: "limit"},
		{name: "after nonsense", as: bob, method: "GET", path: list + "?after=nonsense", status: 422, fault: "after"},
		{name: "unpublished", as: alice, method: "PATCH", path: "/api/v1/tweets/" + post, body: testsite.M{"visibility": "draft"}, status: 200},
		{name: "skipped", as: bob, method: "GET", path: list, status: 200, has: []string{`"videos":[]`}, hasNot: []string{post}},
		{name: "published", as: alice, method: "PATCH", path: "/api/v1/tweets/" + post, body: testsite.M{"visibility": "public"}, status: 200},
		{name: "back", as: bob, method: "GET", path: list, status: 200, has: []string{post}},
	})
}
