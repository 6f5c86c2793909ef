package controllers_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"tokentube/config"
	"tokentube/e2e/testsite"
)

// titles are the titles that a studio lists, in order.
func titles(a *testsite.Answer) (all []string) {
	list, _ := a.Status(200).Data()["videos"].([]any)
	for _, p := range list {
		all = append(all, p.(testsite.M)["content"].(string))
	}
	return all
}

func TestStudio(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	const studio = "/api/v1/dashboard/videos"
	post := func(c *testsite.Client, content, visibility string) string {
		return c.JSON("POST", "/api/v1/tweets", testsite.M{"content": content, "visibility": visibility}).Status(201).ID()
	}
	alice.Get("/studio").Status(200).Has("No posts yet")
	one, two, draft, his := post(alice, "one", "public"), post(alice, "two", "public"), post(alice, "three", "draft"), post(bob, "bobs words", "public")
	want := func(query string, want ...string) {
		t.Helper()
		if got := titles(alice.JSON("GET", studio+query, nil)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	want("", "three", "two", "one")
	want("?state=draft", "three")
	want("?state=public&kind=text", "two", "one")
	want("?kind=video")
	alice.Get("/studio?state=draft").Status(200).Has("three", "Draft").HasNot(">one<", "bobs words")
	if first := alice.JSON("GET", studio+"?limit=1", nil).Data(); first["next"] == nil {
		t.Error("there is no next page")
	}
	for query, field := range map[string]string{"state=hidden": "state", "kind=film": "kind", "after=nonsense": "after", "limit=0": "limit"} {
		if alice.JSON("GET", studio+"?"+query, nil).Status(422).Fault(field) == "" {
			t.Errorf("%s has no fault at %s", query, field)
		}
	}

	many := make([]string, 101)
	for i := range many {
		many[i] = one
	}
	for _, bad := range []struct {
		method string
		body   testsite.M
		field  string
	}{
		{"PATCH", testsite.M{"visibility": "draft"}, "ids"},
		{"PATCH", testsite.M{"ids": []string{}, "visibility": "draft"}, "ids"},
		{"PATCH", testsite.M{"ids": []string{"nonsense"}, "visibility": "draft"}, "ids"},
		{"PATCH", testsite.M{"ids": one, "visibility": "draft"}, "ids"},
		{"PATCH", testsite.M{"ids": many, "visibility": "draft"}, "ids"},
		{"PATCH", testsite.M{"ids": []string{one}}, "visibility"},
		{"PATCH", testsite.M{"ids": []string{one}, "visibility": "hidden"}, "visibility"},
		{"DELETE", testsite.M{}, "ids"},
		{"DELETE", testsite.M{"ids": many}, "ids"},
	} {
		if alice.JSON(bad.method, studio, bad.body).Status(422).Fault(bad.field) == "" {
			t.Errorf("%s %v has no fault at %s", bad.method, bad.body, bad.field)
		}
	}
	want("?state=public", "two", "one")

	// Somebody else's post and a deleted one are skipped; the rest are changed.
	const gone = "0123456789abcdef01234567"
	mixed := testsite.M{"ids": []string{one, his, gone, draft, one}, "visibility": "draft"}
	result := alice.JSON("PATCH", studio, mixed).Status(200).Data()
	if fmt.Sprint(result["done"], result["notYours"]) != fmt.Sprint([]string{one, draft}, []string{his, gone}) {
		t.Errorf("the result is %v", result)
	}
	want("?state=draft", "three", "one")
	if edited := alice.JSON("GET", "/api/v1/tweets/"+draft, nil).Data()["editedAt"]; edited != nil {
		t.Error("a post that was a draft already counts as edited")
	}
	bob.JSON("DELETE", studio, testsite.M{"ids": []string{two, his}}).Status(200)
	want("", "three", "two", "one")
	bob.JSON("GET", "/api/v1/tweets/"+his, nil).Status(404)

	// The same with the page's form.
	alice.PostForm("/studio?_method=PATCH", url.Values{"ids": {one, draft}, "visibility": {"public"}}).Status(303)
	alice.Get("/studio").Has("Published: 2 posts.")
	want("?state=public", "three", "two", "one")
	alice.PostForm("/studio?_method=PATCH", url.Values{"visibility": {"public"}}).Status(422).Has("Choose at least one post.")
	alice.PostForm("/studio?_method=DELETE", url.Values{"ids": {one, two}}).Status(303)
	want("", "three")
}

func TestDashboard(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	stats := func() testsite.M { return alice.JSON("GET", "/api/v1/dashboard/stats", nil).Status(200).Data() }
	alice.Get("/dashboard").Status(200).Has("Nothing to show yet").HasNot("<svg viewBox=\"0 0 280 60\"")
	post := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201).ID()
	bob.Get("/posts/" + post).Status(200)
	bob.JSON("PUT", "/api/v1/likes/v/"+post, nil).Status(200)
	bob.JSON("POST", "/api/v1/comments/"+post, testsite.M{"content": "hi"}).Status(201)
	site.DB.WaitRemovals()
	got := stats()
	days, _ := got["days"].([]any)
	if len(days) != 28 || days[27].(testsite.M)["day"] != site.Clock.Now().UTC().Format("2006-01-02") || days[27].(testsite.M)["likes"] != 1.0 {
		t.Errorf("the days are %v", days)
	}
	for _, part := range []string{"totals", "last28Days"} {
		if f := got[part].(testsite.M); f["views"] != 1.0 || f["likes"] != 1.0 || f["comments"] != 1.0 || f["subscribers"] != 0.0 {
			t.Errorf("%s are %v", part, f)
		}
	}
	page := alice.Get("/dashboard").Status(200).Has(`role="img"`, "Views each day: 1 in 28 days, at most 1 in one", "<table>").HasNot("style=")
	if n := strings.Count(page.Body, "<rect "); n != 4*28 {
		t.Errorf("there are %d bars", n)
	}
	if n := bob.JSON("GET", "/api/v1/dashboard/stats", nil).Status(200).Data()["totals"].(testsite.M)["views"]; n != 0.0 {
		t.Errorf("bob has %v views", n)
	}
}

// unzipped is the content of an export.
func unzipped(t *testing.T, a *testsite.Answer) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader([]byte(a.Status(200).Body)), int64(len(a.Body)))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, entry := range z.File {
		r, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all[entry.Name] = string(content)
	}
	return all
}

func TestExport(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	photo := alice.Upload("POST", "/api/v1/photos", map[string]string{"title": "my photo"}, testsite.File{Field: "photo", Name: "x.png", Content: png(t, 1700, 90)}).Status(201).ID()
	his := bob.JSON("POST", "/api/v1/tweets", testsite.M{"content": "bob says"}).Status(201).ID()
	alice.JSON("PUT", "/api/v1/likes/v/"+his, nil).Status(200)
	alice.JSON("POST", "/api/v1/comments/"+his, testsite.M{"content": "alice says"}).Status(201)
	bob.JSON("POST", "/api/v1/comments/"+photo, testsite.M{"content": "bob replies"}).Status(201)
	site.DB.WaitRemovals()
	alice.Get("/settings/data").Status(200).Has(`href="/settings/data/export"`)

	for _, address := range []string{"/settings/data/export", "/api/v1/users/export"} {
		answer := alice.Get(address)
		all := unzipped(t, answer)
		if answer.Header.Get("Content-Type") != "application/zip" || answer.Header.Get("Cache-Control") != "no-store" ||
			!strings.HasPrefix(answer.Header.Get("Content-Disposition"), `attachment; filename="tokentube-alice-`) {
			t.Errorf("%v", answer.Header)
		}
		text := ""
		for name, content := range all {
			if kind, is := strings.CutSuffix(name, ".json"); is {
				var list []testsite.M
				if err := json.Unmarshal([]byte(content), &list); err != nil || len(list) == 0 {
					t.Errorf("%s: %v in %s", kind, err, content)
				}
				text += content
			}
		}
		var posts []testsite.M
		_ = json.Unmarshal([]byte(all["posts.json"]), &posts)
		if len(posts) != 1 || posts[0]["_id"] != photo {
			t.Fatalf("the posts are %v", posts)
		}
		for _, file := range []string{"media", "preview", "thumbnail"} {
			if len(all["files/"+fmt.Sprint(posts[0][file])]) == 0 {
				t.Errorf("its %s is missing: %v", file, posts)
			}
		}
		for _, want := range []string{"alice@example.com", "my photo", "alice says", his} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing", want)
			}
		}
		for _, secret := range []string{"bob", "$2a$", "jti", "passwordHash"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in it:\n%s", secret, text)
			}
		}
	}
	head := httptest.NewRequest(http.MethodHead, "https://localhost/settings/data/export", nil)
	if a := alice.Do(head).Status(200); a.Body != "" {
		t.Error("HEAD has a body")
	}
	other := httptest.NewRequest(http.MethodGet, "https://localhost/settings/data/export", nil)
	other.Header.Set("Sec-Fetch-Site", "cross-site")
	alice.Do(other).Status(403)
}

// heldWriter is a client that doesn't read for now.
type heldWriter struct {
	*httptest.ResponseRecorder
	reached, proceed chan struct{}
}

func (w heldWriter) Write(p []byte) (int, error) {
	select {
	case w.reached <- struct{}{}:
	default:
	}
	<-w.proceed
	return w.ResponseRecorder.Write(p)
}

func TestOneExportAtATime(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.RateLimit = true })
	alice, bob := site.User("alice"), site.User("bob")
	w := heldWriter{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
	r := httptest.NewRequest(http.MethodGet, "https://localhost/settings/data/export", nil)
	for name, value := range alice.Cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		site.Handler.ServeHTTP(w, r)
	}()
	<-w.reached
	alice.JSON("GET", "/api/v1/users/export", nil).Status(409)
	bob.JSON("GET", "/api/v1/users/export", nil).Status(200)
	close(w.proceed)
	<-ended
	for range 3 { // five, with the two before
		alice.JSON("GET", "/api/v1/users/export", nil).Status(200)
	}
	alice.JSON("GET", "/api/v1/users/export", nil).Status(429)
	bob.JSON("GET", "/api/v1/users/export", nil).Status(200)
}

// A rejected form of the studio keeps the selection, and shows what is wrong.
func TestTheStudiosFormComesBack(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	post := func(c *testsite.Client, content, visibility string) string {
		return c.JSON("POST", "/api/v1/tweets", testsite.M{"content": content, "visibility": visibility}).Status(201).ID()
	}
	one, two, draft, his := post(alice, "number one", "public"), post(alice, "number two", "public"), post(alice, "number three", "draft"), post(bob, "bobs words", "public")
	many := slices.Repeat([]string{one}, 101)
	box := func(id string, checked bool) string {
		text := `name="ids" value="` + id + `"`
		if checked {
			return text + " checked>"
		}
		return text + ">"
	}
	for _, c := range []struct {
		name, query string
		form        url.Values
		says        string
		has, hasNot []string
	}{
		{"nothing chosen", "_method=PATCH", url.Values{"visibility": {"draft"}}, "Choose at least one post.", []string{box(one, false), box(draft, false)}, nil},
		{"nothing chosen to delete", "_method=DELETE", url.Values{}, "Choose at least one post.", []string{box(one, false)}, nil},
		{"too many", "_method=PATCH", url.Values{"ids": many, "visibility": {"draft"}}, "Choose at most 100 posts.", []string{box(one, true), box(two, false)}, nil},
		{"too many to delete", "_method=DELETE", url.Values{"ids": many}, "Choose at most 100 posts.", []string{box(one, true), box(two, false)}, nil},
		{"no id", "_method=PATCH", url.Values{"ids": {two, "nonsense"}, "visibility": {"draft"}}, "This must be a list of ids of posts.", []string{box(two, true), box(one, false)}, nil},
		{"no visibility", "_method=PATCH", url.Values{"ids": {one, two}}, "Use public or draft.", []string{box(one, true), box(two, true)}, nil},
		{"with a filter", "_method=PATCH&state=public&kind=text", url.Values{"ids": many, "visibility": {"draft"}}, "Choose at most 100 posts.",
			[]string{box(one, true), `action="/studio?_method=PATCH&amp;kind=text&amp;state=public"`, `formaction="/studio?_method=DELETE&amp;kind=text&amp;state=public"`}, []string{"number three"}},
	} {
		answer := alice.PostForm("/studio?"+c.query, c.form)
		if answer.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %s", c.name, answer)
			continue
		}
		answer.Has(append(c.has, c.says, `role="alert"`, "<title>Error: Studio")...).HasNot(append(c.hasNot, "bobs words")...)
	}
	// Somebody else's post is skipped, which is reported on the list that held the form.
	to := alice.PostForm("/studio?_method=PATCH&state=public", url.Values{"ids": {one, his}, "visibility": {"draft"}}).Status(303).Header.Get("Location")
	alice.Get(to).Status(200).Has("Unpublished: 1 post. Left alone, because they are not yours or are gone: 1.", "number two").HasNot("number one")
	if to != "/studio?state=public" {
		t.Errorf("it leads to %s", to)
	}
	bob.Get("/posts/" + his).Status(200).Has("bobs words")
}
