package controllers_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tokentube/e2e/testsite"
)

func registration(change testsite.M) testsite.M {
	m := testsite.M{"username": "alice", "email": "alice@example.com", "fullName": "Alice", "password": testsite.Password}
	for name, value := range change {
		m[name] = value
	}
	return m
}

func TestRegister(t *testing.T) {
	site := testsite.New(t)
	c := site.Client()
	answer := c.JSON("POST", "/api/v1/users/register", registration(testsite.M{"username": " Alice ", "email": "Alice@Example.com"})).Status(201)
	if got := answer.Header.Get("Location"); got != "/api/v1/users/channel/alice" {
		t.Errorf("Location: %s", got)
	}
	data := answer.HasNot("asswordHash", testsite.Password).Data()
	if data["username"] != "alice" || data["email"] != "alice@example.com" {
		t.Errorf("%v", data)
	}
	avatar := data["avatar"].(string)
	site.Client().Get(strings.TrimPrefix(avatar, "https://localhost")).Status(200)
	c.JSON("GET", whoAmI, nil).Status(200)
	site.Client().Get("/@alice").Status(200).Has("Alice").HasNot("alice@example.com")
	site.Client().JSON("GET", "/api/v1/users/channel/ALICE", nil).Status(200).HasNot("email")
}

func TestRegisterByForm(t *testing.T) {
	site := testsite.New(t)
	c := site.Client()
	avatar := testsite.File{Field: "avatar", Name: "me.png", Content: png(t, 40, 30)}
	fields := map[string]string{"username": "alice", "email": "alice@example.com", "fullName": "Alice", "password": testsite.Password}
	c.Upload("POST", "/register", fields, avatar, testsite.File{Field: "coverImage"}).Status(http.StatusSeeOther)
	c.Get("/settings/profile").Status(200).Has("Alice")
}

// Registration leads back to the page the user came from, and never to another site.
func TestRegisterLeadsBack(t *testing.T) {
	site, tried := testsite.New(t), 0
	for next, want := range map[string]string{
		"/settings/profile?a=b#bio": "/settings/profile?a=b#bio",
		"":                          "/",
		"//evil.example":            "/",
		"https://evil.example/":     "/",
		`/\evil.example`:            "/",
	} {
		name := fmt.Sprintf("user%d", tried)
		tried++
		site.Client().Get("/register?next=" + url.QueryEscape(next)).Status(200).Has(`value="` + html.EscapeString(want) + `"`)
		form := url.Values{"username": {name}, "email": {name + "@example.com"}, "fullName": {name}, "password": {testsite.Password}, "next": {next}}
		answer := site.Client().PostForm("/register", form).Status(303)
		if want == "/" {
			want = "/welcome" // not a page they came for: the next steps
		}
		if got := answer.Header.Get("Location"); got != want {
			t.Errorf("%q leads to %q", next, got)
		}
		refused := site.Client().PostForm("/register", form).Status(409) // the name is taken: the form still knows the way back
		refused.Has(`value="` + html.EscapeString(next) + `"`)
	}
}

func TestRegisterSaysEverythingThatIsWrong(t *testing.T) {
	site := testsite.New(t)
	site.User("taken")
	for _, c := range []struct {
		change testsite.M
		status int
		field  string
	}{
		{testsite.M{"username": ""}, 422, "username"},
		{testsite.M{"username": "   "}, 422, "username"},
		{testsite.M{"username": "ab"}, 422, "username"},
		{testsite.M{"username": strings.Repeat("a", 31)}, 422, "username"},
		{testsite.M{"username": "a/b c"}, 422, "username"},
		{testsite.M{"username": "alice@example.com"}, 422, "username"},
		{testsite.M{"username": []string{"a"}}, 422, "username"},
		{testsite.M{"username": testsite.M{"$gt": ""}}, 422, "username"},
		{testsite.M{"email": "nonsense"}, 422, "email"},
		{testsite.M{"email": strings.Repeat("a", 250) + "@example.com"}, 422, "email"},
		{testsite.M{"fullName": "  \t "}, 422, "fullName"},
		{testsite.M{"fullName": strings.Repeat("é", 81)}, 422, "fullName"},
		{testsite.M{"fullName": "a\u0000b"}, 422, "fullName"},
		{testsite.M{"password": "short"}, 422, "password"},
		{testsite.M{"password": strings.Repeat("long words ", 7)}, 422, "password"},
		{testsite.M{"password": "password"}, 422, "password"},
		{testsite.M{"password": testsite.M{"a": 1}}, 422, "password"},
		{testsite.M{"username": "Taken"}, 409, "username"},
		{testsite.M{"email": "TAKEN@example.com"}, 409, "email"},
	} {
		answer := site.Client().JSON("POST", "/api/v1/users/register", registration(c.change)).Status(c.status)
		if answer.Fault(c.field) == "" {
			t.Errorf("%v: %s names no fault of %s", c.change, answer, c.field)
		}
		answer.HasNot(testsite.Password)
	}
	all := site.Client().JSON("POST", "/api/v1/users/register", testsite.M{}).Status(422)
	for _, field := range []string{"username", "email", "fullName", "password"} {
		if all.Fault(field) == "" {
			t.Errorf("nothing said about %s: %s", field, all)
		}
	}
	form := site.Client().PostForm("/register", url.Values{"username": {"alice"}, "fullName": {"<i>Al"}, "password": {"a very secret one"}})
	form.Status(422).Has("&lt;i&gt;Al", `aria-invalid`).HasNot("a very secret one")
	form = site.Client().PostForm("/register", url.Values{"username": {"taken"}, "email": {"b@example.com"}, "fullName": {"B"}, "password": {testsite.Password}})
	form.Status(409).Has("already in use")
}

func TestEightRegistrationsOfOneNameAtOnce(t *testing.T) {
	site := testsite.New(t)
	for _, same := range []string{"username", "email"} {
		var created, conflicts atomic.Int32
		var all sync.WaitGroup
		for i := range 8 {
			body := registration(testsite.M{"username": "user-" + same + string(rune('a'+i)), "email": same + string(rune('a'+i)) + "@example.com"})
			body[same] = map[string]string{"username": "wanted", "email": "wanted@example.com"}[same]
			all.Go(func() {
				switch answer := site.Client().JSON("POST", "/api/v1/users/register", body); answer.Code {
				case 201:
					created.Add(1)
				case 409:
					conflicts.Add(1)
				default:
					t.Errorf("%s", answer)
				}
			})
		}
		all.Wait()
		if created.Load() != 1 || conflicts.Load() != 7 {
			t.Errorf("%s: %d accounts and %d conflicts, want 1 and 7", same, created.Load(), conflicts.Load())
		}
	}
	if left := storedFiles(t, site); left != 2 {
		t.Errorf("%d files for 2 accounts: failed registrations left some behind", left)
	}
}

func TestFailedRegistrationLeavesNoFile(t *testing.T) {
	site := testsite.New(t)
	avatar := testsite.File{Field: "avatar", Name: "me.png", Content: png(t, 40, 30)}
	page := testsite.File{Field: "avatar", Name: "me.png", Content: []byte("<script>alert(1)</script>")}
	site.Client().Upload("POST", "/api/v1/users/register", map[string]string{"username": "alice"}, avatar).Status(422)
	site.Client().Upload("POST", "/api/v1/users/register", map[string]string{"username": "alice", "email": "alice@example.com", "fullName": "Alice", "password": testsite.Password}, page).Status(415)
	site.Client().Upload("POST", "/api/v1/users/register", nil, testsite.File{Field: "avatar", Name: "me.png", Content: png(t, 40, 30)[:60]}).Status(422)
	if left := storedFiles(t, site); left != 0 {
		t.Errorf("%d files left", left)
	}
}
