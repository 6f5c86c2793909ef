package controllers_test

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"tokentube/e2e/testsite"
)

// All faults of a form are reported in one round: files, fields and passwords.
func TestAllFaultsAreToldAtOnce(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	text := func(field string) testsite.File {
		return testsite.File{Field: field, Name: "file", Content: []byte("no such file")}
	}
	long := strings.Repeat("x", 6000)
	for name, test := range map[string]struct {
		answer *testsite.Answer
		status int
		fields string
	}{
		"registration": {site.Client().Upload("POST", "/api/v1/users/register", map[string]string{"username": "alice", "email": "no address", "password": "short"}, text("avatar"), text("coverImage")), 422, "avatar coverImage email fullName password username"},
		"names taken":  {site.Client().JSON("POST", "/api/v1/users/register", testsite.M{"username": "alice", "email": "alice@example.com", "fullName": "A", "password": testsite.Password}), 409, "email username"},
		"password":     {alice.JSON("PATCH", "/api/v1/users/update-user-password", testsite.M{"oldPassword": "not this one", "newPassword": "short", "confirmPassword": "other"}), 422, "confirmPassword newPassword oldPassword"},
		"nothing":      {alice.JSON("PATCH", "/api/v1/users/update-user-password", nil), 422, "newPassword oldPassword"},
		"email":        {alice.JSON("PATCH", "/api/v1/users/update-user-email", testsite.M{"email": "no address", "password": "not this one"}), 422, "email password"},
		"video":        {alice.Upload("POST", "/api/v1/videos/publish-video", map[string]string{"description": long, "visibility": "some", "commentsOff": "maybe"}, text("videoFile"), text("thumbnail")), 422, "commentsOff description thumbnail title videoFile visibility"},
		"no video":     {alice.Upload("POST", "/api/v1/videos/publish-video", nil), 422, "title videoFile"},
		"photo":        {alice.Upload("POST", "/api/v1/photos", nil, text("photo")), 422, "photo title"},
		"only a file":  {alice.Upload("POST", "/api/v1/photos", map[string]string{"title": "T", "alt": "A"}, text("photo")), 415, "photo"},
	} {
		errors, _ := test.answer.Status(test.status).Envelope()["errors"].([]any)
		told := map[string]bool{}
		for _, e := range errors {
			field := e.(testsite.M)["field"].(string)
			if told[field] {
				t.Errorf("%s: %s is told twice", name, field)
			}
			told[field] = true
		}
		if got := strings.Join(slices.Sorted(maps.Keys(told)), " "); got != test.fields {
			t.Errorf("%s: told of %s, want %s", name, got, test.fields)
		}
	}
}

// A rejected file is read before the text fields: the form still contains what was typed.
func TestARefusedFileKeepsWhatWasTyped(t *testing.T) {
	site := testsite.New(t)
	page := site.User("alice").Upload("POST", "/watch", map[string]string{"title": "My words", "visibility": "draft"}, testsite.File{Field: "videoFile", Name: "a.mp4", Content: []byte(strings.Repeat("no video", 1<<16))})
	page.Status(415).Has(`value="My words"`, `<a href="#videoFile">Video</a>`, `id="videoFile-error"`)
}

// Switching to another kind of post keeps what was typed, even for fields that the other kind lacks.
func TestSwitchingTheKindKeepsWhatWasTyped(t *testing.T) {
	alice := testsite.New(t).User("alice")
	page := alice.PostForm("/create?kind=photo", url.Values{"title": {"A title"}, "description": {strings.Repeat("ü", 1500)}, "content": {"Some words"}, "tags": {"a, b"}, "alt": {"An alt"}, "visibility": {"draft"}})
	page.Status(200).Has(`action="/photos"`, `value="A title"`, strings.Repeat("ü", 1500), "An alt", `value="a, b"`, `name="content" value="Some words"`, `value="draft" checked`).HasNot("Error:", "aria-invalid")
	alice.PostForm("/create?kind=text", url.Values{"title": {"A title"}, "alt": {"An alt"}, "content": {"Some words"}}).
		Status(200).Has(`action="/posts"`, "Some words</textarea>", `name="title" value="A title"`, `name="alt" value="An alt"`)
	alice.PostForm("/create?kind=song", nil).Status(422)
	alice.PostForm("/create", nil).Status(200).Has(`action="/watch"`)
}
