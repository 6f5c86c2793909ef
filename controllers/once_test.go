package controllers_test

import (
	"bytes"
	"context"
	"errors"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"

	"tokentube/e2e/testsite"
	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/respond"
)

const tweets = "/api/v1/tweets"

// keyed is c with an idempotency key in the header.
func keyed(c *testsite.Client, key string) *testsite.Client {
	other := c.Copy()
	other.Header.Set("Idempotency-Key", key)
	return other
}

func wantPosts(t *testing.T, c *testsite.Client, want int) {
	t.Helper()
	me := c.JSON("GET", "/api/v1/users/get-current-user", nil).Status(200).Data()
	if n := me["postsCount"].(float64); int(n) != want {
		t.Errorf("%s has %v posts, want %d", me["username"], n, want)
	}
}

func TestAFormSentTwiceMakesOnePost(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	for kind, send := range map[string]func(f testsite.Form) *testsite.Answer{
		"text": func(f testsite.Form) *testsite.Answer {
			return alice.Submit(f, map[string]string{"content": "hello", respond.KeyField: f.Fields[0].Value})
		},
		"photo": func(f testsite.Form) *testsite.Answer { // the boundary is a different one each time
			return alice.Submit(f, map[string]string{"title": "A photo", respond.KeyField: f.Fields[0].Value}, testsite.File{Field: "photo", Name: "a.png", Content: testsite.Picture(t)})
		},
	} {
		form := newForm(t, alice, kind)
		first := send(form).Status(303)
		home := alice.Get(first.Header.Get("Location")).Has(`class="flash"`)
		again := send(form).Status(303)
		if to := again.Header.Get("Location"); to != first.Header.Get("Location") || again.Header.Get("Idempotent-Replayed") != "true" || first.Header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%s: the second time leads to %s, the first to %s", kind, to, first.Header.Get("Location"))
		}
		if alice.Get(again.Header.Get("Location")).Has(`class="flash"`).Code != home.Code {
			t.Errorf("%s: the second time is another page", kind)
		}
		send(newForm(t, alice, kind)).Status(303) // a form that was opened again creates another one
	}
	wantPosts(t, alice, 4)
}

// newForm is the form for a post of this kind. Its first field is the key.
func newForm(t *testing.T, c *testsite.Client, kind string) testsite.Form {
	t.Helper()
	for _, f := range c.Get("/create?kind=" + kind).Status(200).Forms() {
		if f.Method == "POST" && f.Action != "/logout" {
			if f.Fields[0].Name != respond.KeyField || f.Fields[0].Value == "" {
				t.Fatalf("the form's first field is %+v", f.Fields[0])
			}
			return f
		}
	}
	t.Fatal("no form")
	return testsite.Form{}
}

func TestARequestSentTwiceGetsTheFirstResult(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	body := testsite.M{"content": "hello"}
	first := keyed(alice, "k-1").JSON("POST", tweets, body).Status(201)
	again := keyed(alice, `"k-1"`).JSON("POST", tweets, body).Status(201) // quoted, as in the draft
	if again.Body != first.Body || again.Header.Get("Location") != first.Header.Get("Location") || again.Header.Get("Content-Type") != first.Header.Get("Content-Type") {
		t.Errorf("first %s, then %s", first, again)
	}
	if again.Header.Get("Cache-Control") != "no-store" || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("headers %v", again.Header)
	}
	keyed(site.SignIn("alice"), "k-1").JSON("POST", tweets, body).Status(201).Has(first.ID()) // another session of hers
	keyed(alice, "k-1").JSON("POST", tweets, testsite.M{"content": "other"}).Status(422).Has("already sent")
	keyed(alice, "k-1").Upload("POST", tweets, map[string]string{"content": "hello"}).Status(422)
	wantPosts(t, alice, 1)

	if other := keyed(bob, "k-1").JSON("POST", tweets, body).Status(201); other.ID() == first.ID() || other.Header.Get("Idempotent-Replayed") != "" {
		t.Error("bob gets what alice made")
	}
	keyed(site.Client(), "k-1").JSON("POST", tweets, body).Status(401)
	keyed(alice, "k-1").JSON("POST", "/api/v1/likes/toggle/t/"+first.ID(), nil).Status(200).Has(`"isLiked":true`) // another route
	keyed(alice, "k-1").JSON("POST", "/api/v1/likes/toggle/t/"+first.ID(), nil).Status(200).Has(`"isLiked":true`)
	alice.JSON("POST", "/api/v1/likes/toggle/t/"+first.ID(), nil).Status(200).Has(`"isLiked":false`)
	for range 2 {
		alice.JSON("POST", tweets, body).Status(201) // without a key, sending it twice creates two
	}
	wantPosts(t, alice, 3)
}

func TestARefusedRequestLeavesItsKeyFree(t *testing.T) {
	site := testsite.New(t)
	alice := keyed(site.User("alice"), "k")
	alice.JSON("POST", tweets, testsite.M{"content": ""}).Status(422)
	alice.JSON("POST", tweets, testsite.M{"content": strings.Repeat("long ", 2000)}).Status(422)
	alice.JSON("POST", tweets, testsite.M{"content": "hello"}).Status(201)
	form := newForm(t, alice, "text")
	delete(alice.Header, "Idempotency-Key")
	values := map[string]string{"content": "", respond.KeyField: form.Fields[0].Value}
	refused := alice.Submit(form, values).Status(422)
	if strings.Contains(refused.Body, form.Fields[0].Value) {
		t.Error("the form comes back with its old key")
	}
	values["content"] = "hello"
	alice.Submit(form, values).Status(303)
	wantPosts(t, alice, 2)
}

func TestKeysThatAreNone(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	for _, key := range []string{"", `""`, `"`, "two words", "ü", `a"b`, `a\b`, strings.Repeat("k", 256), "\x00"} {
		keyed(alice, key).JSON("POST", tweets, testsite.M{"content": "hello"}).Status(400).Has("Idempotency-Key")
		if key != "" && strings.Trim(key, `"`) != "" {
			alice.PostForm("/posts", url.Values{"content": {"hello"}, respond.KeyField: {key}}).Status(400)
			alice.Upload("POST", "/posts", map[string]string{"content": "hello", respond.KeyField: key}).Status(400)
		}
	}
	two := keyed(alice, "a")
	two.Header.Add("Idempotency-Key", "b")
	two.JSON("POST", tweets, testsite.M{"content": "hello"}).Status(400)
	wantPosts(t, alice, 0)
	keyed(alice, strings.Repeat("k", 255)).JSON("POST", tweets, testsite.M{"content": "hello"}).Status(201)
	keyed(alice, "k").PostForm("/posts", url.Values{"content": {"hello"}, respond.KeyField: {"ignored beside the header"}}).Status(303)
	for _, broken := range []string{"", "--B", "--B\r\n", "--B\r\nContent-Disposition: form-data; name=\"x\""} {
		r := httptest.NewRequest("POST", "https://localhost/posts", strings.NewReader(broken))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=B")
		alice.Do(r).Status(400)
	}
}

// An upload has its key before the file, or in the header. Long content is compared by its beginning.
func TestAnUploadSentTwice(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	long := append(bytes.Clone(testsite.Video), mp4Padding(100<<10)...)
	upload := func(c *testsite.Client, title string, fields ...string) *testsite.Answer {
		t.Helper()
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for _, key := range fields {
			_ = w.WriteField(respond.KeyField, key)
		}
		_ = w.WriteField("title", title)
		part, _ := w.CreateFormFile("videoFile", "a.mp4")
		_, _ = part.Write(long)
		_ = w.Close()
		r := httptest.NewRequest("POST", "https://localhost/watch", &body)
		r.Header.Set("Content-Type", w.FormDataContentType())
		return c.Do(r)
	}
	first := upload(alice, "A video", "k").Status(303)
	files := storedFiles(t, site)
	if to := upload(alice, "A video", "k").Status(303).Header.Get("Location"); to != first.Header.Get("Location") {
		t.Errorf("the second time leads to %s", to)
	}
	upload(alice, "Another", "k").Status(422)
	upload(keyed(alice, "h"), "A video").Status(303)
	if to := upload(keyed(alice, "h"), "A video").Status(303).Header.Get("Location"); to == first.Header.Get("Location") {
		t.Error("two keys are one")
	}
	if n := storedFiles(t, site); n != 2*files-1 { // the avatar is only there once
		t.Errorf("%d files, with one video %d", n, files)
	}
	wantPosts(t, alice, 2)
}

// mp4Padding is a box that players skip.
func mp4Padding(n int) []byte {
	return append([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), 'f', 'r', 'e', 'e'}, make([]byte, n-8)...)
}

func TestTheSameAtTheSameMoment(t *testing.T) {
	one := testsite.New(t)
	sites := []*testsite.Site{one}
	if one.Config.MongoURI != "" {
		sites = append(sites, testsite.Open(t, one.Config, one.Clock))
	}
	alice := one.User("alice")
	var wait sync.WaitGroup
	var mu sync.Mutex
	made := map[string]int{}
	for i := range 12 {
		client := keyed(alice.CopyTo(sites[i%len(sites)]), "k")
		wait.Go(func() {
			answer := client.JSON("POST", tweets, testsite.M{"content": "hello"})
			mu.Lock()
			defer mu.Unlock()
			made[answer.Body]++
		})
	}
	wait.Wait()
	if len(made) != 1 {
		t.Errorf("the responses differ: %v", made)
	}
	one.Clock.Advance(store.CachedFor) // until then, another process's change may be invisible
	wantPosts(t, alice, 1)
}

// The outcome of an action determines whether its key is free afterwards.
func TestHowARequestEnds(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	calls, changes := 0, func(c *gin.Context) error {
		return site.Posts.Create(c, &models.Post{Owner: middlewares.UserID(c), Kind: models.Text, Description: "hello", Visibility: models.Public})
	}
	access := middlewares.NewAccess(site.Engine, site.Auth, nil)
	for name, action := range map[string]respond.Action{
		"fails":       func(*gin.Context) error { return errors.New("broken") },
		"panics":      func(*gin.Context) error { panic("broken") },
		"fails-late":  func(c *gin.Context) error { return errors.Join(changes(c), errors.New("broken")) },
		"panics-late": func(c *gin.Context) error { _ = changes(c); panic("broken") },
		"shows":       func(c *gin.Context) error { return respond.Show(c, "learn/index", nil) },
		"no-longer":   func(c *gin.Context) error { return store.ErrNotFound() },
		"is-far-long": func(c *gin.Context) error { return respond.Done(c, "", "/", strings.Repeat("x", 70<<10)) },
		"changes-long": func(c *gin.Context) error {
			return errors.Join(changes(c), respond.Done(c, "", "/", strings.Repeat("x", 70<<10)))
		},
	} {
		access.Private.API(http.MethodPost, "/test/"+name, func(c *gin.Context) error { calls++; return action(c) })
	}
	for name, want := range map[string][2]int{ // the second status, and how often it runs
		"fails": {500, 2}, "panics": {500, 2}, "fails-late": {409, 1}, "panics-late": {409, 1}, "shows": {200, 2}, "no-longer": {404, 2},
		"is-far-long": {200, 2}, "changes-long": {409, 1},
	} {
		calls = 0
		keyed(alice, "k").JSON("POST", "/api/v1/test/"+name, nil)
		site.Clock.Advance(models.TurnTime) // as if the process had stopped
		if again := keyed(alice, "k").JSON("POST", "/api/v1/test/"+name, nil); again.Code != want[0] || calls != want[1] {
			t.Errorf("%s: the second time %d, and it ran %d times; want %v", name, again.Code, calls, want)
		}
	}
}

// A double click in a browser without scripts: the first request loses its client, before or after it changed
// something.
func TestTheFirstClientIsGone(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	var hangUp func()
	access := middlewares.NewAccess(site.Engine, site.Auth, nil)
	post := func(c *gin.Context) error {
		return site.Posts.Create(c, &models.Post{Owner: middlewares.UserID(c), Kind: models.Text, Description: "hello", Visibility: models.Public})
	}
	access.Private.Page(http.MethodPost, "/test/before", func(c *gin.Context) error {
		hangUp()
		if err := post(c); err != nil {
			return err
		}
		return respond.Done(c, "Done.", "/done", nil)
	})
	access.Private.Page(http.MethodPost, "/test/after", func(c *gin.Context) error {
		if err := post(c); err != nil {
			return err
		}
		hangUp()
		return respond.Done(c, "Done.", "/done", nil)
	})
	for i, path := range []string{"/test/before", "/test/after"} {
		form := url.Values{respond.KeyField: {"k"}}
		gone, cancel := context.WithCancel(t.Context())
		defer cancel()
		hangUp = cancel
		r := httptest.NewRequestWithContext(gone, "POST", "https://localhost"+path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		alice.Do(r)
		if to := alice.PostForm(path, form).Status(303).Header.Get("Location"); to != "/done" {
			t.Errorf("%s leads to %s", path, to)
		}
		wantPosts(t, alice, i+1)
	}
}
