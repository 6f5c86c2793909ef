package controllers_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tokentube/config"
	"tokentube/e2e/testsite"
)

func claims(t *testing.T, site *testsite.Site, c *testsite.Client) (username, email, fullName string) {
	t.Helper()
	got, err := site.Auth.Tokens.Access.Verify(c.Cookies["AccessToken"])
	if err != nil {
		t.Fatal(err)
	}
	return got.Username, got.Email, got.FullName
}

func TestChangesShowInTheTokenAtOnce(t *testing.T) {
	site, _, deliver := withMail(t)
	c := member(t, site, deliver, "alice")
	c.PostForm("/settings/profile?_method=PATCH", url.Values{"fullName": {" New Name "}, "bio": {"one\r\ntwo"}}).Status(http.StatusSeeOther)
	c.Get("/settings/profile").Status(200).Has("New Name", "Profile saved.")
	c.JSON("PATCH", "/api/v1/users/update-user-username", testsite.M{"username": "Alicia", "currentPassword": testsite.Password}).Status(200)
	c.JSON("PATCH", "/api/v1/users/update-user-email", testsite.M{"email": "New@example.com", "password": testsite.Password}).Status(200)
	_, token := tokenIn(t, deliver())
	c.PostForm("/confirm-email", url.Values{"token": {token}}).Status(303)
	if username, email, name := claims(t, site, c); username != "alicia" || email != "new@example.com" || name != "New Name" {
		t.Errorf("the claims are %s, %s, %s", username, email, name)
	}
	if bio := c.JSON("GET", whoAmI, nil).Data()["bio"]; bio != "one\ntwo" {
		t.Errorf("bio: %q", bio)
	}
	site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alicia", "password": testsite.Password}).Status(200)
	site.Client().Get("/@alice").Status(404)
}

func TestSettingsRefuse(t *testing.T) {
	site := testsite.New(t)
	site.User("taken")
	c := site.User("alice")
	for _, r := range []struct {
		path   string
		body   testsite.M
		status int
		field  string
	}{
		{"update-user-fullname", testsite.M{"fullName": "   "}, 422, "fullName"},
		{"update-user-fullname", testsite.M{}, 422, "fullName"},
		{"update-user-bio", testsite.M{"bio": strings.Repeat("x", 501)}, 422, "bio"},
		{"update-user-username", testsite.M{"username": "TAKEN", "currentPassword": testsite.Password}, 409, "username"},
		{"update-user-username", testsite.M{"username": "no spaces", "currentPassword": testsite.Password}, 422, "username"},
		{"update-user-username", testsite.M{"username": "alicia"}, 422, "currentPassword"},
		{"update-user-username", testsite.M{"username": "alicia", "currentPassword": "wrong"}, 422, "currentPassword"},
		{"update-user-username", testsite.M{"username": "no spaces", "currentPassword": "wrong"}, 422, "username"},
		{"update-user-email", testsite.M{"email": "new@example.com"}, 422, "password"},
		{"update-user-email", testsite.M{"email": "new@example.com", "password": "wrong"}, 422, "password"},
		{"update-user-email", testsite.M{"email": "taken@example.com", "password": testsite.Password}, 409, "email"},
		{"update-user-email", testsite.M{"email": "nonsense", "password": testsite.Password}, 422, "email"},
		{"update-user-password", testsite.M{"oldPassword": "wrong", "newPassword": "another fine password", "confirmPassword": "another fine password"}, 422, "oldPassword"},
		{"update-user-password", testsite.M{"oldPassword": testsite.Password, "newPassword": "another fine password", "confirmPassword": "other"}, 422, "confirmPassword"},
		{"update-user-password", testsite.M{"oldPassword": testsite.Password, "newPassword": "12345678", "confirmPassword": "12345678"}, 422, "newPassword"},
		{"update-user-password", testsite.M{"oldPassword": testsite.Password, "newPassword": testsite.Password, "confirmPassword": testsite.Password}, 422, "newPassword"},
	} {
		answer := c.JSON("PATCH", "/api/v1/users/"+r.path, r.body).Status(r.status)
		if answer.Fault(r.field) == "" {
			t.Errorf("%s %v names no fault of %s: %s", r.path, r.body, r.field, answer)
		}
	}
	c.PostForm("/settings/username?_method=PATCH", url.Values{"username": {"taken"}, "currentPassword": {testsite.Password}}).Status(409).Has("already in use", "alice@example.com")
	c.PostForm("/settings/username?_method=PATCH", url.Values{"username": {"alicia"}, "currentPassword": {"wrong words"}}).
		Status(422).Has(`value="alicia"`, "alice@example.com", `id="currentPassword-error"`, "password is incorrect").HasNot("wrong words", `id="password-error"`)
	c.PostForm("/settings/email?_method=PATCH", url.Values{"email": {"new@example.com"}, "password": {"wrong words"}}).
		Status(422).Has("new@example.com", "password is incorrect").HasNot("wrong words")
	if username, email, _ := claims(t, site, c); username != "alice" || email != "alice@example.com" {
		t.Errorf("something was changed: %s, %s", username, email)
	}
}

const newPassword = "another very fine password"

func passwordChange() testsite.M {
	return testsite.M{"oldPassword": testsite.Password, "newPassword": newPassword, "confirmPassword": newPassword}
}

func TestPasswordChangeEndsEveryOtherSession(t *testing.T) {
	site := testsite.New(t)
	c := site.User("alice")
	stolen, elsewhere := c.Copy(), site.SignIn("alice")
	c.PostForm("/settings/password?_method=PATCH", url.Values{
		"oldPassword": {testsite.Password}, "newPassword": {newPassword}, "confirmPassword": {newPassword},
	}).Status(http.StatusSeeOther)
	if renew(stolen) || renew(elsewhere) {
		t.Error("a session of the old password lives on")
	}
	if !renew(c) {
		t.Error("the browser that made the change is logged out")
	}
	site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": testsite.Password}).Status(401)
	site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": newPassword}).Status(200)
}

func TestTwoPasswordChangesAtOnce(t *testing.T) {
	site := testsite.New(t)
	c := site.User("alice")
	var changed atomic.Int32
	var all sync.WaitGroup
	for range 4 {
		tab := c.Copy()
		all.Go(func() {
			if tab.JSON("PATCH", "/api/v1/users/update-user-password", passwordChange()).Code == 200 {
				changed.Add(1)
			}
		})
	}
	all.Wait()
	if changed.Load() != 1 {
		t.Errorf("%d changes succeeded with one old password", changed.Load())
	}
}

func TestPictures(t *testing.T) {
	site := testsite.New(t)
	c := site.User("alice")
	before := c.JSON("GET", whoAmI, nil).Data()["avatar"].(string)
	file := testsite.File{Field: "avatar", Name: "me.png", Content: png(t, 60, 40)}
	after := c.Upload("PATCH", "/api/v1/users/update-user-avatar", nil, file).Status(200).Data()["avatar"].(string)
	if before == after {
		t.Fatal("the picture is the same")
	}
	site.Client().Get(strings.TrimPrefix(before, "https://localhost")).Status(404)
	site.Client().Get(strings.TrimPrefix(after, "https://localhost")).Status(200)
	file.Field = "coverImage"
	c.Upload("POST", "/settings/cover?_method=PATCH", nil, file).Status(http.StatusSeeOther)
	c.Upload("POST", "/settings/avatar?_method=PATCH", nil).Status(422).Has("Choose a picture.")
	c.Upload("PATCH", "/api/v1/users/update-user-avatar", nil, testsite.File{Field: "avatar", Name: "a.png", Content: png(t, 60, 40)[:50]}).Status(422)
	c.Upload("PATCH", "/api/v1/users/update-user-avatar", nil, testsite.File{Field: "avatar", Name: "a.png", Content: []byte("<html>")}).Status(415)
	if left := storedFiles(t, site); left != 2 {
		t.Errorf("%d files stored, want an avatar and a banner", left)
	}
}

func TestDeletedAccountIsGoneWithAllThatWasTheirs(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	bobs := bob.JSON("POST", "/api/v1/tweets", testsite.M{"content": "from bob"}).ID()
	alices := alice.Upload("POST", "/api/v1/photos", map[string]string{"title": "Hills"}, testsite.File{Field: "photo", Name: "a.png", Content: png(t, 8, 8)}).ID()
	alice.JSON("PUT", "/api/v1/likes/v/"+bobs, nil).Status(200)
	bob.JSON("PUT", "/api/v1/likes/v/"+alices, nil).Status(200)
	elsewhere := site.SignIn("alice")

	alice.Copy().JSON("DELETE", "/api/v1/users/me", testsite.M{"password": "wrong"}).Status(422)
	alice.PostForm("/settings/account?_method=DELETE", url.Values{"password": {testsite.Password}}).Status(http.StatusSeeOther)
	if renew(elsewhere) {
		t.Error("a session of the deleted account lives on")
	}
	for _, path := range []string{"/@alice", "/photos/" + alices, "/media/posts/" + alices} {
		bob.Get(path).Status(404) // immediately, before any clean-up
	}
	bob.JSON("GET", "/api/v1/feed", nil).Status(200).HasNot(alices)
	site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": testsite.Password}).Status(401)

	site.DB.WaitRemovals()
	if got := bob.JSON("GET", "/api/v1/tweets/"+bobs, nil).Data()["likesCount"]; got != 0.0 {
		t.Errorf("bob's post still counts %v likes", got)
	}
	if left := storedFiles(t, site); left != 1 {
		t.Errorf("%d files stored, want bob's avatar alone", left)
	}
	site.User("alice") // the name is available again
}

func TestGuessingThePasswordInTheSettingsIsLimited(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.RateLimit = true })
	c := site.User("alice")
	right := testsite.M{"email": "new@example.com", "password": testsite.Password}
	for range 12 { // correct ones don't count
		c.JSON("PATCH", "/api/v1/users/update-user-email", right).Status(200)
	}
	for range 10 {
		c.JSON("PATCH", "/api/v1/users/update-user-email", testsite.M{"email": "new@example.com", "password": "wrong"}).Status(422)
	}
	c.JSON("DELETE", "/api/v1/users/me", testsite.M{"password": "wrong"}).Status(429)
	c.JSON("PATCH", "/api/v1/users/update-user-email", right).Status(429)
	c.Get("/settings/profile").Status(200)
}
