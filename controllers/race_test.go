package controllers_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"tokentube/e2e/testsite"
)

// Whatever ends a session while tabs renew it: afterwards none of the tokens that
// anybody holds is alive.
func TestRenewalAgainstTheEndOfTheSession(t *testing.T) {
	for name, end := range map[string]func(*testsite.Client) *testsite.Answer{
		"logout": func(c *testsite.Client) *testsite.Answer { return c.JSON("POST", "/api/v1/users/logout", nil) },
		"password change": func(c *testsite.Client) *testsite.Answer {
			return c.JSON("PATCH", "/api/v1/users/update-user-password", passwordChange())
		},
		"deletion": func(c *testsite.Client) *testsite.Answer {
			return c.JSON("DELETE", "/api/v1/users/me", testsite.M{"password": testsite.Password})
		},
	} {
		site := testsite.New(t)
		alice := site.User("alice")
		other := site.SignIn("alice") // ends both sessions, but for logout its own
		if name == "logout" {
			other = alice.Copy()
		}
		site.Clock.Advance(16 * time.Minute)
		tabs := make([]*testsite.Client, 16)
		var all sync.WaitGroup
		for i := range tabs {
			tabs[i] = alice.Copy()
			all.Go(func() { renew(tabs[i]) })
		}
		all.Go(func() { end(other).Status(200) })
		all.Wait()
		for _, tab := range append(tabs, alice) {
			if renew(tab) {
				t.Fatalf("%s: a token lives on", name)
			}
		}
		site.DB.WaitRemovals()
	}
}

// A slow upload begins with the old tokens and ends when other tabs have long
// renewed them: it is let in, and its answer sets no cookie.
func TestSlowUploadWhileAnotherTabRenews(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	site.Clock.Advance(16 * time.Minute)
	slow, tab := alice.Copy(), alice
	body, w := io.Pipe()
	form := multipart.NewWriter(w)
	r := httptest.NewRequest(http.MethodPost, "https://localhost/api/v1/photos", body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	done := make(chan *testsite.Answer)
	go func() { done <- slow.Do(r) }()

	part, err := form.CreateFormFile("photo", "hills.png") // the guard has let it in when this is read
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // renewed, and the new pair used
		if !renew(tab) {
			t.Fatal("the other tab was refused")
		}
	}
	site.Clock.Advance(time.Hour)
	_, _ = io.Copy(part, bytes.NewReader(png(t, 20, 20)))
	_ = form.WriteField("title", "Hills")
	_ = form.Close()
	_ = w.Close()
	if answer := (<-done).Status(http.StatusCreated); len(answer.Cookies()) != 0 {
		t.Errorf("the late answer sets %v", answer.Cookies())
	}
}
