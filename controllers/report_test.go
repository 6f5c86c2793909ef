package controllers_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/config"
	"tokentube/e2e/testsite"
	"tokentube/models"
)

// adminOf is a user who is an administrator.
func adminOf(t *testing.T, site *testsite.Site, name string) *testsite.Client {
	t.Helper()
	id, err := bson.ObjectIDFromHex(idOf(t, site.User(name)))
	if err == nil {
		_, err = site.Users.SetRoles(t.Context(), id, []string{models.Admin})
	}
	if err != nil {
		t.Fatal(err)
	}
	return site.SignIn(name)
}

// caseOn is the id of the latest open case.
func caseOn(t *testing.T, admin *testsite.Client) string {
	t.Helper()
	cases, _ := admin.JSON("GET", "/api/v1/admin/reports?limit=1", nil).Status(200).Data()["cases"].([]any)
	if len(cases) == 0 {
		t.Fatal("nothing is reported")
	}
	id, _ := cases[0].(map[string]any)["_id"].(string)
	return id
}

func TestReporting(t *testing.T) {
	site := testsite.New(t)
	alice, bob, carol, nobody := site.User("alice"), site.User("bob"), site.User("carol"), site.Client()
	ada := adminOf(t, site, "ada")
	a := idOf(t, alice)
	post := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "buy my watches"}).Status(201).ID()
	draft := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "later", "visibility": "draft"}).Status(201).ID()
	comment := alice.JSON("POST", "/api/v1/comments/"+post, testsite.M{"content": "really cheap"}).Status(201).ID()
	spam, api := testsite.M{"reason": "spam", "text": "He always does this."}, "/api/v1/reports/"
	play(t, []scenario{
		{name: "the post's page leads there", as: bob, method: "GET", path: "/posts/" + post, status: 200, has: []string{"/reports/posts/" + post, "/reports/comments/" + comment}},
		{name: "one's own doesn't", as: alice, method: "GET", path: "/posts/" + post, status: 200, hasNot: []string{"/reports/"}},
		{name: "the channel's page", as: bob, method: "GET", path: "/@alice", status: 200, has: []string{"/reports/channels/" + a}},
		{name: "one's own channel", as: alice, method: "GET", path: "/@alice", status: 200, hasNot: []string{"/reports/"}},
		{name: "the form", as: bob, method: "GET", path: "/reports/posts/" + post, status: 200, has: []string{"buy my watches", `name="reason"`, `name="text"`}},
		{name: "the form on a comment", as: bob, method: "GET", path: "/reports/comments/" + comment, status: 200, has: []string{"really cheap"}},
		{name: "the form on oneself", as: alice, method: "GET", path: "/reports/channels/" + a, status: 409},
		{name: "the form of nobody", as: nobody, method: "GET", path: "/reports/posts/" + post, status: 303},

		{name: "no reason", as: bob, method: "POST", path: api + "posts/" + post, body: testsite.M{}, status: 422, fault: "reason"},
		{name: "no such reason", as: bob, method: "POST", path: api + "posts/" + post, body: testsite.M{"reason": "bad"}, status: 422, fault: "reason"},
		{name: "too long", as: bob, method: "POST", path: api + "posts/" + post, body: testsite.M{"reason": "spam", "text": string(slices.Repeat([]byte("x"), 501))}, status: 422, fault: "text"},
		{name: "a wrong type", as: bob, method: "POST", path: api + "posts/" + post, body: testsite.M{"reason": testsite.M{"$ne": ""}}, status: 422},
		{name: "shown beside the field, and kept", as: bob, method: "POST", path: "/reports/posts/" + post, body: testsite.M{"reason": "", "text": "What I typed"}, status: 422, has: []string{"What I typed", "Choose a reason."}},
		{name: "anonymous", as: nobody, method: "POST", path: api + "posts/" + post, body: spam, status: 401},
		{name: "anonymous, as a page", as: nobody, method: "POST", path: "/reports/posts/" + post, body: spam, status: 303},
		{name: "a draft", as: bob, method: "POST", path: api + "posts/" + draft, body: spam, status: 404},
		{name: "nothing", as: bob, method: "POST", path: api + "channels/" + nobodysID, body: spam, status: 404},
		{name: "nonsense", as: bob, method: "POST", path: api + "comments/nonsense", body: spam, status: 404},
		{name: "a comment as a post", as: bob, method: "POST", path: api + "posts/" + comment, body: spam, status: 404},
		{name: "oneself", as: alice, method: "POST", path: api + "posts/" + post, body: spam, status: 409, has: []string{"yourself"}},

		{name: "a post", as: bob, method: "POST", path: api + "posts/" + post, body: spam, status: 200},
		{name: "twice", as: bob, method: "POST", path: api + "posts/" + post, body: spam, status: 409, has: []string{"already reported"}},
		{name: "twice, as a page", as: bob, method: "POST", path: "/reports/posts/" + post, body: spam, status: 409, has: []string{"already reported"}},
		{name: "by another", as: carol, method: "POST", path: "/reports/posts/" + post, body: spam, status: 303},
		{name: "a comment", as: bob, method: "POST", path: "/reports/comments/" + comment, body: testsite.M{"reason": "abuse"}, status: 303},
		{name: "a channel", as: bob, method: "POST", path: api + "channels/" + a, body: testsite.M{"reason": "other"}, status: 200},

		{name: "the queue", as: ada, method: "GET", path: "/api/v1/admin/reports", status: 200, has: []string{`"reportsCount":2`, `"text":"really cheap"`, `"kind":"channel"`}, hasNot: []string{"@example.com"}},
		{name: "its page", as: ada, method: "GET", path: "/admin/reports", status: 200, has: []string{"buy my watches", "2 reports"}},
		{name: "nothing is closed", as: ada, method: "GET", path: "/admin/reports?state=closed", status: 200, has: []string{"No closed reports"}},
		{name: "no such state", as: ada, method: "GET", path: "/api/v1/admin/reports?state=all", status: 422, fault: "state"},
		{name: "after nonsense", as: ada, method: "GET", path: "/api/v1/admin/reports?after=x", status: 422, fault: "after"},
		{name: "the menu does", as: ada, method: "GET", path: "/", status: 200, has: []string{`href="/admin/reports"`}},
		{name: "and not for others", as: bob, method: "GET", path: "/", status: 200, hasNot: []string{"/admin"}},
		{name: "for others", as: bob, method: "GET", path: "/api/v1/admin/reports", status: 403, hasNot: []string{"cheap"}},
		{name: "for others, as a page", as: bob, method: "GET", path: "/admin/reports", status: 403, hasNot: []string{"cheap"}},
		{name: "for nobody", as: nobody, method: "GET", path: "/api/v1/admin/reports", status: 401},
		{name: "for nobody, as a page", as: nobody, method: "GET", path: "/admin/reports", status: 303},
	})
}

func TestReportsAreLimited(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.RateLimit = true })
	alice, bob := site.User("alice"), site.User("bob")
	post := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201).ID()
	for range 20 {
		bob.JSON("POST", "/api/v1/reports/posts/"+post, testsite.M{"reason": "?"}).Status(422)
	}
	bob.JSON("POST", "/api/v1/reports/posts/"+post, testsite.M{"reason": "spam"}).Status(429)
	bob.PostForm("/reports/posts/"+post, nil).Status(429)
	alice.JSON("POST", "/api/v1/reports/channels/"+idOf(t, bob), testsite.M{"reason": "spam"}).Status(200)
}

func TestModeration(t *testing.T) {
	site := testsite.New(t)
	alice, bob, nobody := site.User("alice"), site.User("bob"), site.Client()
	ada, eve := adminOf(t, site, "ada"), adminOf(t, site, "eve")
	a := idOf(t, alice)
	post := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "buy my watches"}).Status(201).ID()
	comment := alice.JSON("POST", "/api/v1/comments/"+post, testsite.M{"content": "really cheap"}).Status(201).ID()
	report := func(who *testsite.Client, what string) string {
		who.JSON("POST", "/api/v1/reports/"+what, testsite.M{"reason": "spam"}).Status(200)
		site.Clock.Advance(time.Second)
		return caseOn(t, ada)
	}
	act := func(action string) testsite.M { return testsite.M{"action": action} }
	onComment := report(bob, "comments/"+comment)
	onPost, api := report(bob, "posts/"+post), "/api/v1/admin/reports/"
	ofPost, page := api+onPost, "/admin/reports/"+onPost
	play(t, []scenario{
		{name: "the case", as: ada, method: "GET", path: ofPost, status: 200, has: []string{`"reason":"spam"`, `"username":"bob"`, `"isHidden":false`}, hasNot: []string{"@example.com"}},
		{name: "its page", as: ada, method: "GET", path: page, status: 200, has: []string{"buy my watches", "Hide", "Disable account", "Dismiss"}},
		{name: "no such case", as: ada, method: "GET", path: api + nobodysID, status: 404},
		{name: "nonsense", as: ada, method: "PATCH", path: api + "nonsense", body: act("hide"), status: 404},
		{name: "nothing to act on", as: ada, method: "PATCH", path: api + nobodysID, body: act("hide"), status: 404},
		{name: "no action", as: ada, method: "PATCH", path: ofPost, body: testsite.M{}, status: 422, fault: "action"},
		{name: "no such action", as: ada, method: "PATCH", path: ofPost, body: act("burn"), status: 422, fault: "action"},
		{name: "no such action, as a page", as: ada, method: "PATCH", path: page, body: act("burn"), status: 422, has: []string{"buy my watches"}},
		{name: "by others", as: bob, method: "PATCH", path: ofPost, body: act("hide"), status: 403},
		{name: "by others, as a page", as: bob, method: "PATCH", path: page, body: act("hide"), status: 403},
		{name: "by its owner", as: alice, method: "PATCH", path: ofPost, body: act("dismiss"), status: 403},
		{name: "by nobody", as: nobody, method: "PATCH", path: ofPost, body: act("hide"), status: 401},

		{name: "hide", as: ada, method: "PATCH", path: page, body: act("hide"), status: 303},
		{name: "twice", as: eve, method: "PATCH", path: ofPost, body: act("hide"), status: 200, has: []string{`"isHidden":true`, `"by":"ada"`, `"isOpen":false`}},
		{name: "dismiss then", as: eve, method: "PATCH", path: ofPost, body: act("dismiss"), status: 409},
		{name: "hidden from others", as: bob, method: "GET", path: "/api/v1/tweets/" + post, status: 404},
		{name: "its page", as: nobody, method: "GET", path: "/posts/" + post, status: 404},
		{name: "from administrators", as: ada, method: "GET", path: "/posts/" + post, status: 404},
		{name: "its comments", as: bob, method: "GET", path: "/api/v1/comments/c/" + comment, status: 404},
		{name: "the feed", as: bob, method: "GET", path: "/", status: 200, hasNot: []string{post}},
		{name: "liking it", as: bob, method: "PUT", path: "/api/v1/likes/v/" + post, status: 404},
		{name: "reporting it", as: bob, method: "POST", path: "/api/v1/reports/posts/" + post, body: testsite.M{"reason": "spam"}, status: 404},
		{name: "its owner sees it", as: alice, method: "GET", path: "/posts/" + post, status: 200, has: []string{"Hidden by a moderator"}, hasNot: []string{"Publish"}},
		{name: "among the drafts", as: alice, method: "GET", path: "/@alice?tab=drafts", status: 200, has: []string{post, "Hidden"}},
		{name: "and nowhere else", as: alice, method: "GET", path: "/@alice", status: 200, hasNot: []string{post}},
		{name: "publishing it", as: alice, method: "PATCH", path: "/api/v1/tweets/" + post, body: testsite.M{"visibility": "public"}, status: 403, has: []string{"hidden this post"}},
		{name: "publishing it, as a page", as: alice, method: "PATCH", path: "/posts/" + post, body: testsite.M{"visibility": "public"}, status: 403},
		{name: "editing it", as: alice, method: "PATCH", path: "/api/v1/tweets/" + post, body: testsite.M{"content": "sell"}, status: 200, has: []string{`"isHidden":true`, `"isPublished":false`}},
		{name: "what was said is still read", as: ada, method: "GET", path: page, status: 200, has: []string{"buy my watches", "Restore", "hidden by @ada"}},
		{name: "a list of it", as: ada, method: "GET", path: "/api/v1/admin/reports?state=closed", status: 200, has: []string{onPost}, hasNot: []string{onComment}},
		{name: "restore", as: ada, method: "PATCH", path: ofPost, body: act("restore"), status: 200, has: []string{`"isHidden":false`, `"outcome":"restored"`}},
		{name: "it is back", as: nobody, method: "GET", path: "/api/v1/tweets/" + post, status: 200, has: []string{`"commentsCount":1`}},

		{name: "hide the comment", as: ada, method: "PATCH", path: api + onComment, body: act("hide"), status: 200},
		{name: "it isn't counted", as: bob, method: "GET", path: "/api/v1/tweets/" + post, status: 200, has: []string{`"commentsCount":0`}},
		{name: "nor shown", as: bob, method: "GET", path: "/posts/" + post, status: 200, hasNot: []string{"really cheap"}},
		{name: "but to its author", as: alice, method: "GET", path: "/posts/" + post, status: 200, has: []string{"really cheap", "Hidden by a moderator"}},
		{name: "by itself", as: bob, method: "GET", path: "/comments/c/" + comment, status: 404},
		{name: "restore the comment", as: ada, method: "PATCH", path: "/admin/reports/" + onComment, body: act("restore"), status: 303},
		{name: "it is back", as: bob, method: "GET", path: "/api/v1/tweets/" + post, status: 200, has: []string{`"commentsCount":1`}},

		{name: "its owner is told", as: alice, method: "GET", path: "/settings/security", status: 200, has: []string{"A moderator hid the post “buy my watches”", "A moderator made visible again the comment"}, hasNot: []string{" ada", ">ada", "@ada"}},
		{name: "the administrator's log", as: ada, method: "GET", path: "/api/v1/users/security-log", status: 200, has: []string{"You hid the post “buy my watches” by @alice"}},
	})
	alice.JSON("DELETE", "/api/v1/users/me", testsite.M{"password": testsite.Password}).Status(200)
	play(t, []scenario{
		{name: "the report outlives it", as: ada, method: "GET", path: page, status: 200, has: []string{"buy my watches", "Deleted since"}, hasNot: []string{"Hide<"}},
		{name: "nothing is left to hide", as: ada, method: "PATCH", path: ofPost, body: act("hide"), status: 409},
		{name: "nobody is left to disable", as: ada, method: "PATCH", path: ofPost, body: act("disable"), status: 409},
		{name: "a report on nobody", as: bob, method: "POST", path: "/api/v1/reports/channels/" + a, body: testsite.M{"reason": "spam"}, status: 404},
	})
}

func TestDisabledAccounts(t *testing.T) {
	site := testsite.New(t)
	alice, bob, nobody := site.User("alice"), site.User("bob"), site.Client()
	ada, eve := adminOf(t, site, "ada"), adminOf(t, site, "eve")
	a := idOf(t, alice)
	post := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "buy my watches"}).Status(201).ID()
	ofBob := bob.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201).ID()
	alice.JSON("POST", "/api/v1/comments/"+ofBob, testsite.M{"content": "really cheap"}).Status(201)
	bob.JSON("PUT", "/api/v1/subscriptions/c/"+a, nil).Status(200)
	act := func(action string) testsite.M { return testsite.M{"action": action} }
	report := func(who *testsite.Client, id string) string {
		who.JSON("POST", "/api/v1/reports/channels/"+id, testsite.M{"reason": "spam"}).Status(200)
		site.Clock.Advance(time.Second)
		return "/api/v1/admin/reports/" + caseOn(t, ada)
	}
	ofAlice := report(bob, a)
	login := func(password string) testsite.M { return testsite.M{"identifier": "alice", "password": password} }
	play(t, []scenario{
		{name: "a channel isn't hidden", as: ada, method: "PATCH", path: ofAlice, body: act("hide"), status: 422, fault: "action"},
		{name: "disable", as: ada, method: "PATCH", path: ofAlice, body: act("disable"), status: 200, has: []string{`"isDisabled":true`, `"outcome":"disabled"`}},
		{name: "twice", as: ada, method: "PATCH", path: ofAlice, body: act("disable"), status: 200, has: []string{`"isDisabled":true`}},
		{name: "the access token", as: alice.Copy(), method: "GET", path: "/api/v1/users/get-current-user", status: 401},
		{name: "the refresh token", as: alice.Copy(), method: "POST", path: "/api/v1/users/regenerate-tokens", status: 401},
		{name: "the channel", as: bob, method: "GET", path: "/@alice", status: 404, has: []string{"This channel is not available."}},
		{name: "the channel, for a program", as: nobody, method: "GET", path: "/api/v1/users/channel/alice", status: 404},
		{name: "a post", as: bob, method: "GET", path: "/api/v1/tweets/" + post, status: 404},
		{name: "the feed", as: nobody, method: "GET", path: "/api/v1/feed", status: 200, hasNot: []string{"watches"}},
		{name: "her posts", as: bob, method: "GET", path: "/api/v1/tweets/user/" + a, status: 200, hasNot: []string{"watches"}},
		{name: "those who follow her", as: bob, method: "GET", path: "/api/v1/subscriptions", status: 200, hasNot: []string{"alice"}},
		{name: "whom she follows", as: bob, method: "GET", path: "/api/v1/subscriptions/u/" + a, status: 404},
		{name: "following her", as: bob, method: "PUT", path: "/api/v1/subscriptions/c/" + a, status: 404},
		{name: "reporting her", as: bob, method: "POST", path: "/api/v1/reports/channels/" + a, body: testsite.M{"reason": "spam"}, status: 404},
		{name: "a wrong password tells nothing", as: nobody, method: "POST", path: "/api/v1/users/login", body: login("wrong password"), status: 401, hasNot: []string{"disabled"}},
		{name: "the right one does", as: nobody, method: "POST", path: "/api/v1/users/login", body: login(testsite.Password), status: 403, has: []string{"A moderator has disabled this account."}},
		{name: "on the page", as: nobody, method: "POST", path: "/login", body: login(testsite.Password), status: 403, has: []string{"A moderator has disabled this account."}},
	})
	site.DB.WaitRemovals()
	play(t, []scenario{
		{name: "her comment isn't counted", as: bob, method: "GET", path: "/api/v1/tweets/" + ofBob, status: 200, has: []string{`"commentsCount":0`}},
		{name: "enable", as: eve, method: "PATCH", path: ofAlice, body: act("enable"), status: 200, has: []string{`"isDisabled":false`, `"outcome":"enabled"`}},
		{name: "the old tokens stay dead", as: alice.Copy(), method: "GET", path: "/api/v1/users/get-current-user", status: 401},
	})
	site.DB.WaitRemovals()
	alice = site.SignIn("alice")
	play(t, []scenario{
		{name: "the channel is back", as: bob, method: "GET", path: "/api/v1/users/channel/alice", status: 200, has: []string{`"postsCount":1`, `"isSubscribed":true`}},
		{name: "the post is", as: nobody, method: "GET", path: "/api/v1/feed", status: 200, has: []string{"watches"}},
		{name: "the comment is", as: bob, method: "GET", path: "/api/v1/tweets/" + ofBob, status: 200, has: []string{`"commentsCount":1`}},
		{name: "she is told", as: alice, method: "GET", path: "/settings/security", status: 200, has: []string{"A moderator disabled the account @alice", "A moderator enabled"}},
	})

	onAda := report(bob, idOf(t, ada))
	ada.JSON("PATCH", onAda, act("disable")).Status(409).Has("your own account")
	eve.JSON("PATCH", onAda, act("disable")).Status(200)
	ada.JSON("GET", "/api/v1/admin/reports", nil).Status(401)
	eve.JSON("PATCH", onAda, act("enable")).Status(200)
	ada = site.SignIn("ada")
	if _, err := site.Users.SetRoles(t.Context(), mustID(t, idOf(t, eve)), nil); err != nil {
		t.Fatal(err)
	}
	eve.JSON("PATCH", onAda, act("disable")).Status(403) // demoted: effective from the next request
	ada.JSON("GET", onAda, nil).Status(200)
}

func mustID(t *testing.T, hex string) bson.ObjectID {
	t.Helper()
	id, err := bson.ObjectIDFromHex(hex)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestModeratingAtOnce(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	ada := adminOf(t, site, "ada")
	post := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201).ID()
	var all sync.WaitGroup
	codes := make([]int, 6)
	for i := range codes {
		all.Go(func() {
			codes[i] = bob.Copy().JSON("POST", "/api/v1/reports/posts/"+post, testsite.M{"reason": "spam"}).Code
		})
	}
	all.Wait()
	slices.Sort(codes)
	if !slices.Equal(codes, []int{200, 409, 409, 409, 409, 409}) {
		t.Errorf("reports at once: %v", codes)
	}
	of := "/api/v1/admin/reports/" + caseOn(t, ada)
	ada.JSON("GET", of, nil).Status(200).Has(`"reportsCount":1`)
	for _, action := range []string{"hide", "dismiss", "hide", "dismiss"} {
		all.Go(func() {
			if answer := ada.Copy().JSON("PATCH", of, testsite.M{"action": action}); answer.Code != 200 && answer.Code != 409 {
				t.Error(answer)
			}
		})
	}
	all.Wait()
	ada.JSON("GET", of, nil).Status(200).Has(`"isOpen":false`)
}

// stalledVideo is the body of an upload that lasts for as long as the server reads.
type stalledVideo struct {
	begin   io.Reader
	reading chan bool
	once    sync.Once
}

func (v *stalledVideo) Read(p []byte) (int, error) {
	if n, err := v.begin.Read(p); err == nil {
		return n, nil
	}
	v.once.Do(func() { close(v.reading) })
	time.Sleep(10 * time.Millisecond)
	return copy(p, "x"), nil
}

// An upload in progress ends when its sender's account is deleted or disabled.
func TestUploadEndsWithTheAccount(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	ada := adminOf(t, site, "ada")
	bob.JSON("POST", "/api/v1/reports/channels/"+idOf(t, alice), testsite.M{"reason": "spam"}).Status(200)
	head := "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nLong\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"videoFile\"; filename=\"a.mp4\"\r\n\r\n" + string(testsite.Video)
	body := &stalledVideo{begin: strings.NewReader(head), reading: make(chan bool)}
	request := httptest.NewRequest(http.MethodPost, "https://localhost/api/v1/videos/publish-video", body)
	request.Header.Set("Content-Type", `multipart/form-data; boundary=b`)
	ended := make(chan *testsite.Answer, 1)
	go func() { ended <- alice.Copy().Do(request) }()
	select {
	case <-body.reading:
	case answer := <-ended:
		t.Fatalf("the upload did not begin: %s", answer)
	}
	ada.JSON("PATCH", "/api/v1/admin/reports/"+caseOn(t, ada), testsite.M{"action": "disable"}).Status(200)
	select {
	case answer := <-ended:
		answer.Status(401).Has("logged out during the upload")
	case <-time.After(10 * time.Second):
		t.Fatal("the upload goes on")
	}
	if page := bob.JSON("GET", "/api/v1/feed", nil).Status(200); len(page.Data()["videos"].([]any)) != 0 {
		t.Error("it is published")
	}
}
