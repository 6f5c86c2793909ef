package controllers_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tokentube/config"
	"tokentube/e2e/testsite"
	"tokentube/models"
	"tokentube/models/store"
)

const me = "/api/v1/users/get-current-user"

// twoProcesses are two processes that share a database, behind a load balancer that sends each request to either.
func twoProcesses(t *testing.T, change ...func(*config.Config)) (one, two *testsite.Site) {
	t.Helper()
	one = testsite.New(t, change...)
	if one.Config.MongoURI == "" {
		t.Skip("MONGODB_URI is not set: two processes need a database server")
	}
	return one, testsite.Open(t, one.Config, one.Clock)
}

// Changes that people make in one process are visible to them immediately in the other, even if it has just cached the
// old state.
func TestOwnChangesAreSeenInAnotherProcess(t *testing.T) {
	one, two := twoProcesses(t)
	picture := testsite.File{Field: "coverImage", Name: "a.png", Content: png(t, 60, 40)}
	post := one.User("bob").JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201).Data()["owner"].(testsite.M)["_id"].(string)
	for name, change := range map[string]struct {
		do   func(alice *testsite.Client) *testsite.Answer
		page string
		has  string
	}{
		"name": {func(c *testsite.Client) *testsite.Answer {
			return c.JSON("PATCH", "/api/v1/users/update-user-fullname", testsite.M{"fullName": "Another Name"})
		}, me, "Another Name"},
		"name, on a page": {func(c *testsite.Client) *testsite.Answer {
			return c.JSON("PATCH", "/settings/profile", testsite.M{"fullName": "Third Name"})
		}, "/settings/profile", "Third Name"},
		"picture": {func(c *testsite.Client) *testsite.Answer {
			return c.Upload("PATCH", "/api/v1/users/update-user-coverImage", nil, picture)
		}, me, `"coverImage":"https`},
		"notifications": {func(c *testsite.Client) *testsite.Answer {
			return c.JSON("PATCH", "/api/v1/settings/notifications", testsite.M{"like": false})
		}, "/api/v1/settings/notifications", `"like":false`},
		"subscription": {func(c *testsite.Client) *testsite.Answer {
			return c.JSON("PUT", "/api/v1/subscriptions/c/"+post, nil)
		}, me, `"subscriptionsCount":1`},
		"the history's pause": {func(c *testsite.Client) *testsite.Answer {
			return c.JSON("PATCH", "/api/v1/users/watch-history", testsite.M{"isPaused": true})
		}, "/api/v1/users/get-watch-history", `"isPaused":true`},
	} {
		t.Run(name, func(t *testing.T) {
			alice := one.User(userNamed(name))
			alice.CopyTo(two).JSON("GET", change.page, nil).Status(http.StatusOK).HasNot(change.has)
			one.Clock.Advance(time.Second)
			if answer := change.do(alice); answer.Code >= 400 {
				t.Fatal(answer)
			}
			alice.CopyTo(two).JSON("GET", change.page, nil).Status(http.StatusOK).Has(change.has)
			one.Clock.Advance(4 * time.Second)
			alice.CopyTo(two).JSON("GET", change.page, nil).Status(http.StatusOK).Has(change.has)
		})
	}
}

// userNamed makes a username from a test's name.
func userNamed(name string) string {
	letters := []rune{}
	for _, r := range name {
		if r >= 'a' && r <= 'z' {
			letters = append(letters, r)
		}
	}
	return "person." + string(letters)
}

// A client without cookies asks for an uncached response, or waits for five seconds.
func TestOwnChangesOfAClientWithoutCookies(t *testing.T) {
	one, two := twoProcesses(t)
	browser := one.User("alice")
	client := func(site *testsite.Site) *testsite.Client {
		c := site.Client()
		c.Header.Set("Authorization", "Bearer "+browser.Cookies["AccessToken"])
		return c
	}
	there := client(two)
	there.JSON("GET", me, nil).Status(200)
	client(one).JSON("PATCH", "/api/v1/users/update-user-fullname", testsite.M{"fullName": "Another Name"}).Status(200)
	there.JSON("GET", me, nil).Status(200).Has("The alice")
	there.Header.Set("Cache-Control", "max-age=0, no-cache")
	there.JSON("GET", me, nil).Status(200).Has("Another Name")
	there.Header.Del("Cache-Control")
	there.JSON("GET", me, nil).Status(200).Has("Another Name") // the copy was renewed
	client(one).JSON("PATCH", "/api/v1/users/update-user-fullname", testsite.M{"fullName": "Third Name"}).Status(200)
	there.JSON("GET", me, nil).Status(200).Has("Another Name")
	one.Clock.Advance(store.CachedFor)
	there.JSON("GET", me, nil).Status(200).Has("Third Name")
}

// Others see a change after five seconds at most, and immediately after a request of the author's own.
func TestOthersSeeChangesOfAnotherProcess(t *testing.T) {
	one, two := twoProcesses(t)
	alice := one.User("alice")
	page := "/api/v1/tweets/" + alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201).ID()
	visitor := two.Client()
	rename := func(to string) {
		alice.JSON("PATCH", "/api/v1/users/update-user-fullname", testsite.M{"fullName": to}).Status(200)
	}
	visitor.JSON("GET", page, nil).Status(200).Has("The alice")
	rename("Second Name")
	visitor.JSON("GET", page, nil).Status(200).Has("The alice")
	alice.CopyTo(two).JSON("GET", page, nil).Status(200).Has("Second Name") // including what belongs to them
	visitor.JSON("GET", page, nil).Status(200).Has("Second Name")
	rename("Third Name")
	one.Clock.Advance(store.CachedFor)
	visitor.JSON("GET", page, nil).Status(200).Has("Third Name")
}

// A user who is thrown out is refused immediately by the process that did it, and wherever a role or an account is
// checked; by other processes after five seconds at most, whatever they have cached.
func TestWhoIsThrownOutInAnotherProcess(t *testing.T) {
	for name, end := range map[string]func(one *testsite.Site, alice *testsite.Client){
		"logged out": func(one *testsite.Site, alice *testsite.Client) {
			alice.CopyTo(one).JSON("POST", "/api/v1/users/logout", nil).Status(200)
		},
		"password changed": func(one *testsite.Site, alice *testsite.Client) {
			alice.CopyTo(one).JSON("PATCH", "/api/v1/users/update-user-password", passwordChange()).Status(200)
		},
		"suspended": func(one *testsite.Site, alice *testsite.Client) {
			u, err := one.Users.ByUsername(t.Context(), "alice")
			if err == nil {
				err = one.Moderation.Disable(t.Context(), models.Moderator{}, u.ID)
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		"deleted": func(one *testsite.Site, alice *testsite.Client) {
			alice.CopyTo(one).JSON("DELETE", "/api/v1/users/me", testsite.M{"password": testsite.Password}).Status(200)
		},
	} {
		t.Run(name, func(t *testing.T) {
			one, two := twoProcesses(t)
			alice := one.User("alice")
			one.Clock.Advance(time.Minute) // none of their changes is recent
			thief := alice.Copy()
			thief.CopyTo(two).JSON("GET", me, nil).Status(200)
			end(one, alice.Copy())
			thief.CopyTo(one).JSON("GET", me, nil).Status(401)
			thief.CopyTo(two).JSON("GET", "/api/v1/users/sessions", nil).Status(401) // a route that bypasses the cache
			renewal := thief.CopyTo(two)
			delete(renewal.Cookies, "AccessToken")
			renewal.JSON("POST", "/api/v1/users/regenerate-tokens", nil).Status(401)
			one.Clock.Advance(store.CachedFor)
			thief.CopyTo(two).JSON("GET", me, nil).Status(401)
		})
	}
}

// A confirmation in one process is valid in the other.
func TestConfirmationHoldsInAnotherProcess(t *testing.T) {
	one, two := twoProcesses(t)
	alice := one.User("alice")
	one.Clock.Advance(14 * time.Minute)
	alice.CopyTo(two).JSON("PUT", "/api/v1/users/factors/authenticator", nil).Status(403)
	alice.JSON("POST", "/api/v1/users/confirm", testsite.M{"password": testsite.Password}).Status(200)
	alice.CopyTo(two).JSON("PUT", "/api/v1/users/factors/authenticator", nil).Status(200)
}

// The cookie is for users' changes. A single process sets none, and what a playing video sends bypasses nobody's cache.
func TestWhenTheCookieOfChangesIsSet(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	shared := site.Config.MongoURI != ""
	for _, test := range []struct {
		answer *testsite.Answer
		sets   bool
	}{
		{alice.Get("/settings/profile"), false},
		{alice.PostForm("/settings/profile?_method=PATCH", url.Values{"bio": {"hello"}}), shared},
		{alice.JSON("PUT", "/api/v1/likes/v/"+nobodysID, nil), shared},
		{alice.JSON("PUT", "/history/"+nobodysID, testsite.M{"position": 1}), false},
		{site.Client().JSON("PATCH", "/settings/profile", testsite.M{"bio": "hello"}), false},
		{site.Client().PostForm("/login", url.Values{"identifier": {"alice"}, "password": {testsite.Password}}), false},
	} {
		if sets := strings.Contains(strings.Join(test.answer.Header.Values("Set-Cookie"), "\n"), "Changed=1; Path=/; Max-Age=10; HttpOnly; Secure; SameSite=Lax"); sets != test.sets {
			t.Errorf("%s %s: %v", test.answer.Request.Method, test.answer.Request.URL, test.answer.Header)
		}
	}
}

// The button is pressed in both processes at once: one adds the content, and the other reports that it's being added,
// or was.
func TestSampleContentIsAddedOnceByTwoProcesses(t *testing.T) {
	one, two := twoProcesses(t)
	codes := make([]int, 4)
	var all sync.WaitGroup
	for i := range codes {
		c := here([]*testsite.Site{one, two}[i%2])
		all.Go(func() { codes[i] = c.PostForm("/sample-content", nil).Code })
	}
	all.Wait()
	for _, code := range codes {
		if code != http.StatusSeeOther && code != http.StatusConflict && code != http.StatusNotFound {
			t.Errorf("the responses are %v", codes)
		}
	}
	if n := postsOf(one); n != 40 || !slices.Contains(codes, http.StatusSeeOther) {
		t.Errorf("%d posts, and the responses are %v", n, codes)
	}
}
