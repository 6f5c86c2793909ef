package routes_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/e2e/testsite"
)

// secret is in every text that only alice may see.
const secret = "onlyalice"

// givePrivateThings reports routes that reveal alice's private data to somebody else, or change it. Her data is
// everything that the site's own routes create for her; each id is used for every parameter of every route.
func givePrivateThings(t testing.TB, site *testsite.Site, routes []route) (faults []string) {
	alice, bob := site.User("alice"), site.User("bob")
	useEverything(t, site, alice, secret, "draft", "private")
	useEverything(t, site, bob, "mine", "draft", "private")
	things, own := belongings(site, alice, bob), ids(belongings(site, bob, alice))
	checkVariety(t, things)
	hers, closed := ids(things), privateRoutes(routes)
	watched := watch(site, things, func(before, after testsite.Document) bool {
		counts := before.Collection == "users" || before.Collection == "dailies" // what others do
		return bytes.Equal(before.Raw, after.Raw) || counts && sameWords(before, after)
	})
	for _, r := range routes {
		for _, values := range tuples(r, append(hers, "alice", userID(alice)), own) { // her channel is public
			private := slices.Contains(closed, r) && slices.ContainsFunc(values, func(v string) bool { return slices.Contains(hers, v) })
			for _, answer := range tries(site.Client(), bob, r, values) {
				if strings.Contains(answer.Body, secret) || strings.Contains(answer.Body, "alice@example.com") {
					faults = append(faults, fmt.Sprintf("%s with %v shows somebody else what is private: %s", r, values, brief(answer)))
				}
				if private && !refused(r, answer) {
					faults = append(faults, fmt.Sprintf("%s with %v takes what is somebody else's: %s", r, values, brief(answer)))
				}
			}
			bob = stillIn(site, bob, "bob")
		}
		endBlocks(r, bob, alice)
		if r.params() > 0 {
			faults = append(faults, watched.changes(r)...)
		}
	}
	return faults
}

// changePublicThings reports routes that let somebody change what another user has published. Its counters may change:
// they count what others do.
func changePublicThings(t testing.TB, site *testsite.Site, routes []route) (faults []string) {
	alice, bob := site.User("alice"), site.User("bob")
	useEverything(t, site, alice, "words", "public")
	things := belongings(site, alice, bob)
	checkVariety(t, things)
	watched := watch(site, things, sameWords)
	for _, r := range routes {
		for _, values := range tuples(r, append(ids(things), "alice", userID(alice)), nil) {
			tries(site.Client(), bob, r, values)
			bob = stillIn(site, bob, "bob")
		}
		endBlocks(r, bob, alice)
		if r.params() > 0 {
			faults = append(faults, watched.changes(r)...)
		}
	}
	return faults
}

// endBlocks lets bob see everything again after he has blocked alice: what a block hides from him proves nothing.
func endBlocks(r route, bob, alice *testsite.Client) {
	if strings.Contains(r.path, "/blocks/") {
		bob.JSON("DELETE", "/api/v1/users/blocks/"+userID(alice), nil).Status(http.StatusOK)
	}
}

// refused reports whether a response reveals nothing. Private data doesn't exist for anybody else; a route with a body
// may find a fault in that first.
func refused(r route, answer *testsite.Answer) bool {
	switch answer.Code {
	case http.StatusNotFound, http.StatusForbidden, http.StatusUnauthorized:
		return true
	case http.StatusSeeOther:
		return strings.HasPrefix(answer.Header.Get("Location"), "/login")
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusUnsupportedMediaType:
		return !r.safe() && r.method != http.MethodDelete
	}
	return false
}

// tries calls a route with and without a login, as a page and as a script, without and with a body. There are many
// pairs of ids: those are only tried as a logged-in user's script.
func tries(nobody, user *testsite.Client, r route, values []string) (answers []*testsite.Answer) {
	bodies := []string{""}
	if !r.safe() {
		bodies = append(bodies, fill("mine", "public").Encode())
	}
	clients, formats := []*testsite.Client{nobody, user}, []string{"text/html", "application/json"}
	if len(values) > 1 {
		clients, formats = clients[1:], formats[1:]
	}
	for _, client := range clients {
		for _, accept := range formats {
			for _, body := range bodies {
				request := httptest.NewRequest(r.method, "https://localhost"+r.to(values...), strings.NewReader(body))
				request.Header.Set("Accept", accept)
				if body != "" {
					request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				}
				answers = append(answers, client.Do(request))
			}
		}
	}
	return answers
}

// brief is the beginning of a response.
func brief(answer *testsite.Answer) string {
	text := answer.String()
	return text[:min(len(text), 200)]
}

// tuples are the values for the route's parameters: at least one of them belongs to another user.
func tuples(r route, foreign, own []string) (all [][]string) {
	switch r.params() {
	case 0:
		return nil
	case 1:
		for _, id := range foreign {
			all = append(all, []string{id})
		}
		return all
	}
	either := slices.Concat(foreign, own)
	for i, first := range either {
		for j, rest := range either {
			if i < len(foreign) || j < len(foreign) {
				all = append(all, []string{first, rest})
			}
		}
	}
	return all
}

// useEverything calls, as a user, all routes that create something, with every field filled in, and then again with the
// ids of the results. It finds the routes in the engine, so the data of new features is created too.
func useEverything(t testing.TB, site *testsite.Site, c *testsite.Client, words string, visibilities ...string) {
	t.Helper()
	files := allFiles(t)
	for _, again := range []bool{false, true, true} { // the last time with the results of the second
		var mine []string
		if again {
			mine = ids(belongings(site, c, nil))
		}
		for _, r := range privateRoutes(allRoutes(site)) {
			if r.method != http.MethodPost && r.method != http.MethodPut || again != (r.params() > 0) {
				continue
			}
			targets := tuples(r, mine, nil)
			if !again {
				targets = [][]string{nil}
			}
			for _, values := range targets {
				use(c, r, values, words, visibilities, files)
			}
		}
	}
	c.PostForm("/token-lab/session", nil).Status(http.StatusSeeOther) // visitors have it too, and it leaves nothing behind
	c.Get("/settings/profile").Status(http.StatusOK)
}

// use calls a route with the first visibility that it accepts, and with files if it doesn't work without.
func use(c *testsite.Client, r route, values []string, words string, visibilities []string, files []testsite.File) {
	path := r.to(append(values, "")...)
	for _, visibility := range visibilities {
		form := fill(words, visibility)
		request := httptest.NewRequest(r.method, "https://localhost"+path, strings.NewReader(form.Encode()))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if c.Do(request).Code < http.StatusBadRequest || upload(c, r.method, path, form, files) {
			return
		}
	}
}

// upload sends the files that the action accepts: an unknown one is a fault, and is left out next time.
func upload(c *testsite.Client, method, path string, form url.Values, files []testsite.File) bool {
	fields := map[string]string{}
	for name := range form {
		fields[name] = form.Get(name)
	}
	asScript := c.Copy()
	asScript.Header.Set("Accept", "application/json")
	for {
		answer := asScript.Upload(method, path, fields, files...)
		if answer.Code < http.StatusBadRequest {
			return true
		}
		unknown := func(f testsite.File) bool { return answer.Fault(f.Field) != "" }
		if !slices.ContainsFunc(files, unknown) {
			return false
		}
		files = slices.DeleteFunc(slices.Clone(files), unknown)
	}
}

func userID(c *testsite.Client) string {
	return c.JSON("GET", "/api/v1/users/get-current-user", nil).Status(http.StatusOK).ID()
}

// stillIn is the client or, if one of the routes ended its session, a new one.
func stillIn(site *testsite.Site, c *testsite.Client, name string) *testsite.Client {
	if c.JSON("GET", "/api/v1/users/get-current-user", nil).Code == http.StatusOK {
		return c
	}
	return site.SignIn(name)
}

// belongings are a user's documents: those that refer to the user, those that refer to one of these, and so on, unless
// they refer to the other user too.
func belongings(site *testsite.Site, of, other *testsite.Client) (found []testsite.Document) {
	named, strangers := map[string]bool{userID(of): true}, map[string]bool{}
	if other != nil {
		strangers[userID(other)] = true
	}
	rest := site.Documents()
	for grown := true; grown; {
		grown = false
		rest = slices.DeleteFunc(rest, func(d testsite.Document) bool {
			if !names(d, named) || names(d, strangers) {
				return false
			}
			grown, named[d.ID()] = true, true
			found = append(found, d)
			return true
		})
	}
	return found
}

// names reports whether any of the ids occurs in the document.
func names(d testsite.Document, ids map[string]bool) bool {
	for hex := range ids {
		if id, err := bson.ObjectIDFromHex(hex); err == nil && bytes.Contains(d.Raw, id[:]) {
			return true
		}
	}
	return false
}

// kindOf distinguishes documents of one collection that are treated differently.
func kindOf(d testsite.Document) string {
	kind, _ := d.Lookup("kind").StringValueOK()
	return strings.TrimSpace(d.Collection + " " + kind)
}

// ids names one document of each kind except the user, whom everybody may know.
func ids(documents []testsite.Document) (all []string) {
	seen := map[string]bool{"users": true}
	for _, d := range documents {
		if kind := kindOf(d); !seen[kind] && d.ID() != "" {
			seen[kind] = true
			all = append(all, d.ID())
		}
	}
	return all
}

// checkVariety fails if useEverything created less than the site is known to have.
func checkVariety(t testing.TB, documents []testsite.Document) {
	t.Helper()
	for _, want := range []string{"posts video", "posts photo", "posts text", "sessions lab", "events", "likes", "comments", "commentLikes"} {
		if !slices.ContainsFunc(documents, func(d testsite.Document) bool { return kindOf(d) == want }) {
			t.Fatalf("nothing of this kind was made: %s", want)
		}
	}
}

// watched are documents that must not change.
type watched struct {
	site  *testsite.Site
	known []testsite.Document
	same  func(before, after testsite.Document) bool
}

func watch(site *testsite.Site, documents []testsite.Document, same func(before, after testsite.Document) bool) *watched {
	return &watched{site, documents, same}
}

// changes reports what has changed since the last check, which was before r was called.
func (w *watched) changes(r route) (faults []string) {
	now := map[string]testsite.Document{}
	for _, d := range w.site.Documents() {
		now[d.Key()] = d
	}
	var left []testsite.Document
	for _, before := range w.known {
		after, there := now[before.Key()]
		if !there {
			faults = append(faults, fmt.Sprintf("%s removes what is somebody else's: %s", r, before))
			continue
		}
		if !w.same(before, after) {
			faults = append(faults, fmt.Sprintf("%s changes what is somebody else's: %s is now %s", r, before, after))
		}
		left = append(left, after)
	}
	w.known = left
	return faults
}

// sameWords compares documents without their numbers, and without lists of ids.
func sameWords(before, after testsite.Document) bool { return words(before) == words(after) }

func words(d testsite.Document) string {
	elements, _ := d.Elements()
	var kept []string
	for _, e := range elements {
		switch e.Value().Type {
		case bson.TypeInt32, bson.TypeInt64, bson.TypeDouble:
			continue
		case bson.TypeArray:
			values, _ := e.Value().Array().Values()
			if len(values) == 0 || values[0].Type == bson.TypeObjectID {
				continue
			}
		}
		kept = append(kept, e.String())
	}
	return strings.Join(kept, "\n")
}
