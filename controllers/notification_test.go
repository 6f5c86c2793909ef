package controllers_test

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"tokentube/e2e/testsite"
)

// told are the types of a user's notifications, and how many are unread by the list's own count.
func (w *talk) told(c *testsite.Client) (types []string, list []testsite.M, unread float64) {
	w.DB.WaitRemovals() // and other background work
	data := c.JSON("GET", "/api/v1/notifications", nil).Status(200).Data()
	for _, n := range data["notifications"].([]any) {
		list = append(list, n.(testsite.M))
		types = append(types, n.(testsite.M)["type"].(string))
	}
	return types, list, data["unreadCount"].(float64)
}

func (w *talk) wantTold(t *testing.T, c *testsite.Client, want string, unread float64) {
	t.Helper()
	if got, _, n := w.told(c); fmt.Sprint(got) != want || n != unread {
		t.Errorf("told are %v, and %v unread, want %s, %v", got, n, want, unread)
	}
}

// Each request on its own talk, both through the API and as a page: bob has commented on alice's post.
func TestNotificationRequests(t *testing.T) {
	for _, c := range []struct {
		name, who, method, path string // :one is the notification that alice has
		body                    testsite.M
		api, page               int
		field                   string // the faulty field
	}{
		{"list", "alice", "GET", "/notifications", nil, 200, 200, ""},
		{"list as nobody", "", "GET", "/notifications", nil, 401, 303, ""},
		{"no cursor", "alice", "GET", "/notifications?after=x", nil, 422, 422, ""},
		{"no limit", "alice", "GET", "/notifications?limit=0", nil, 422, 422, ""},
		{"read", "alice", "PUT", "/notifications/:one/read", nil, 200, 303, ""},
		{"read another's", "bob", "PUT", "/notifications/:one/read", nil, 404, 404, ""},
		{"read nothing", "alice", "PUT", "/notifications/:none/read", nil, 404, 404, ""},
		{"read no id", "alice", "PUT", "/notifications/x/read", nil, 404, 404, ""},
		{"read as nobody", "", "PUT", "/notifications/:one/read", nil, 401, 303, ""},
		{"read all", "alice", "PUT", "/notifications/read", nil, 200, 303, ""},
		{"read all of none", "carol", "PUT", "/notifications/read", nil, 200, 303, ""},
		{"read all as nobody", "", "PUT", "/notifications/read", nil, 401, 303, ""},
		{"remove", "alice", "DELETE", "/notifications/:one", nil, 200, 303, ""},
		{"remove another's", "bob", "DELETE", "/notifications/:one", nil, 404, 404, ""},
		{"remove nothing", "alice", "DELETE", "/notifications/:none", nil, 404, 404, ""},
		{"remove as nobody", "", "DELETE", "/notifications/:one", nil, 401, 303, ""},
		{"settings", "alice", "GET", "/settings/notifications", nil, 200, 200, ""},
		{"turn off", "alice", "PATCH", "/settings/notifications", testsite.M{"like": "false"}, 200, 303, ""},
		{"turn nothing off", "alice", "PATCH", "/settings/notifications", testsite.M{}, 422, 422, "comment"},
		{"turn to nonsense", "alice", "PATCH", "/settings/notifications", testsite.M{"like": "maybe"}, 422, 422, "like"},
		{"turn off as nobody", "", "PATCH", "/settings/notifications", testsite.M{"like": "false"}, 401, 303, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for format, want := range map[string]int{"/api/v1": c.api, "": c.page} {
				w := newTalk(t)
				_, list, _ := w.told(w.alice)
				path := format + strings.NewReplacer(":one", list[0]["_id"].(string), ":none", strings.Repeat("a", 24)).Replace(c.path)
				body := testsite.M{}
				for name, value := range c.body {
					body[name] = value
					if value == "false" {
						body[name] = false
					}
				}
				client, form := map[string]*testsite.Client{"": w.nobody, "alice": w.alice, "bob": w.bob, "carol": w.carol}[c.who], url.Values{}
				for name, value := range c.body {
					form.Set(name, value.(string))
				}
				switch {
				case format != "":
					answer := client.JSON(c.method, path, body).Status(want)
					if c.field != "" && answer.Fault(c.field) == "" {
						t.Errorf("%s names no fault of %s", answer, c.field)
					}
				case c.method == "GET":
					client.Get(path).Status(want)
				default:
					client.PostForm(path+"?_method="+c.method, form).Status(want)
				}
			}
		})
	}
}

func TestNotifications(t *testing.T) {
	w := newTalk(t)
	w.wantTold(t, w.alice, "[comment comment]", 2)
	w.wantTold(t, w.bob, "[reply]", 1)
	w.wantTold(t, w.carol, "[]", 0)
	for _, c := range []*testsite.Client{w.bob, w.carol} {
		c.JSON("PUT", "/api/v1/likes/v/"+w.post, nil).Status(200)
		c.JSON("PUT", "/api/v1/subscriptions/c/"+myID(w.alice), nil).Status(200)
	}
	w.say(w.carol, w.post, w.first, "@alice, see <b>")
	_, list, unread := w.told(w.alice)
	if unread != 5 {
		t.Errorf("%v are unread: %v", unread, list)
	}
	for _, n := range list {
		if n["type"] == "like" {
			actors := n["actors"].([]any)
			if n["actorsCount"] != 2.0 || n["andMore"] != false || actors[0].(testsite.M)["username"] != "carol" || n["post"].(testsite.M)["_id"] != w.post || n["comment"] != nil {
				t.Error(n)
			}
			if actors[0].(testsite.M)["email"] != nil {
				t.Error("it shows an email address")
			}
		}
	}
	w.alice.Get("/notifications").Status(200).Has("Mark all as read", "liked your post", "subscribed to you", "commented", "mentioned you", "see &lt;b&gt;", `data-unread="5"`)
	w.wantTold(t, w.bob, "[reply reply]", 2)
	w.bob.Get("/notifications").Status(200).Has("replied to you", `data-unread="2"`)

	// Opening something marks its notifications as read.
	w.alice.Get("/subscriptions/c/" + myID(w.alice)).Status(200).Has(`data-unread="4"`)
	w.alice.Get("/posts/" + w.post).Status(200).Has(`data-unread="2"`) // including those for the comments shown there
	w.alice.Get("/comments/c/" + w.first).Status(200).Has(`data-unread="0"`)
	if _, _, unread := w.told(w.alice); unread != 0 {
		t.Errorf("%v are unread", unread)
	}
	w.nobody.Get("/posts/" + w.post).Status(200).HasNot("data-unread")

	// What is taken back removes its notification.
	w.carol.JSON("DELETE", "/api/v1/likes/v/"+w.post, nil).Status(200)
	w.alice.Get("/notifications").Status(200).Has("The bob").HasNot("data-unread=\"1\"")
	w.bob.JSON("DELETE", "/api/v1/likes/v/"+w.post, nil).Status(200)
	w.alice.Get("/notifications").Status(200).HasNot("liked your post")
}

func TestNotificationsTurnedOff(t *testing.T) {
	w := newTalk(t)
	w.alice.PostForm("/settings/notifications?_method=PATCH", url.Values{"like": {"false"}}).Status(303)
	w.alice.Get("/settings/notifications").Status(200).Has("Turn on", "Turn off")
	got := w.alice.JSON("PATCH", "/api/v1/settings/notifications", testsite.M{"subscriber": false}).Status(200).Data()
	if fmt.Sprint(got) != "map[comment:true like:false mention:true reply:true subscriber:false]" {
		t.Error(got)
	}
	w.carol.JSON("PUT", "/api/v1/likes/v/"+w.post, nil).Status(200)
	w.carol.JSON("PUT", "/api/v1/subscriptions/c/"+myID(w.alice), nil).Status(200)
	w.wantTold(t, w.alice, "[comment comment]", 2)
	w.alice.JSON("PATCH", "/api/v1/settings/notifications", testsite.M{"like": true}).Status(200)
	w.bob.JSON("PUT", "/api/v1/likes/v/"+w.post, nil).Status(200)
	w.wantTold(t, w.alice, "[like comment comment]", 3)
}

// Ten simultaneous requests: one notification, read once, removed once.
func TestNotificationsTwiceAtOnce(t *testing.T) {
	w := newTalk(t)
	atOnce := func(c *testsite.Client, method, path string) map[int]int {
		var all sync.WaitGroup
		var mu sync.Mutex
		codes := map[int]int{}
		for range 10 {
			client := c.Copy()
			all.Go(func() {
				code := client.JSON(method, path, nil).Code
				mu.Lock()
				defer mu.Unlock()
				codes[code]++
			})
		}
		all.Wait()
		return codes
	}
	w.told(w.alice)
	if got := atOnce(w.carol, "PUT", "/api/v1/likes/v/"+w.post); got[200] != 10 {
		t.Error(got)
	}
	_, list, unread := w.told(w.alice)
	if len(list) != 3 || unread != 3 || list[0]["actorsCount"] != 1.0 {
		t.Errorf("%v, %v unread", list, unread)
	}
	one := "/api/v1/notifications/" + list[0]["_id"].(string)
	if got := atOnce(w.alice, "PUT", one+"/read"); got[200] != 10 {
		t.Error(got)
	}
	w.wantTold(t, w.alice, "[like comment comment]", 2)
	if got := atOnce(w.alice, "DELETE", one); got[200] != 1 || got[404] != 9 {
		t.Error(got)
	}
	w.wantTold(t, w.alice, "[comment comment]", 2)
}

// The page of notifications makes as many queries for three as for thirty, from however many people.
func TestNotificationsMakeAFixedNumberOfQueries(t *testing.T) {
	w := newTalk(t)
	asked := func(path string) int64 {
		w.DB.WaitRemovals()
		before := w.DB.Queries()
		w.alice.Get(path).Status(200)
		return w.DB.Queries() - before
	}
	paths := []string{"/notifications?limit=100", "/api/v1/notifications?limit=100", "/"}
	few := map[string]int64{}
	for _, path := range paths {
		asked(path) // cached from now on
		few[path] = asked(path)
	}
	for i := range 10 {
		other := w.User(fmt.Sprint("person", i))
		post := w.alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "mine"}).Status(201).ID()
		other.JSON("PUT", "/api/v1/likes/v/"+post, nil).Status(200)
		w.say(other, post, "", "hello")
		w.say(other, w.post, w.first, "hello @alice")
		other.JSON("PUT", "/api/v1/subscriptions/c/"+idOf(t, w.alice), nil).Status(200)
	}
	types, _, _ := w.told(w.alice)
	if len(types) < 20 {
		t.Fatalf("only %v are told", types)
	}
	for _, path := range paths {
		asked(path)
		if n := asked(path); n > few[path] {
			t.Errorf("%s makes %d queries, and %d where there is little to show", path, n, few[path])
		}
	}
}
