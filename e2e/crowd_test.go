package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/e2e/testsite"
)

const (
	crowdUsers   = 4
	crowdWriters = 8 // two for each user
	ownPosts     = 10
)

// crowd are writers who change a site concurrently. Each remembers the responses, and the requests whose outcome is
// unknown.
type crowd struct {
	t       *testing.T
	base    string
	picture []byte // they post photos too
	writers []*writer

	brittle func(status int) bool // which failures are expected; 0 is no response
	leave   bool                  // some disconnect before the response
	over    atomic.Bool

	mu           sync.Mutex
	likeable     []address // posts of everybody
	acknowledged atomic.Int64
	left         atomic.Int64 // without a response
	failed       atomic.Int64 // with one
}

// writer is one of them.
type writer struct {
	*crowd
	number int
	user   string
	token  string
	client *http.Client
	posts  []*postFact
	likes  map[string]*likeFact // by post
	made   int
}

// postFact is what a writer knows about one of its posts, which nobody else changes. While it is uncertain, the last
// change may have happened or not. A post that was never acknowledged has no id.
type postFact struct {
	text       string
	at         address
	visibility string
	gone, sure bool
}

// address is the path of a post in the API.
type address struct{ folder, id string }

func (a address) String() string { return a.folder + a.id }

const textsAt, photosAt = "/api/v1/tweets/", "/api/v1/photos/"

type likeFact struct{ on, sure bool }

func newCrowd(t *testing.T, p *process) *crowd {
	t.Helper()
	c := &crowd{t: t, base: p.base, brittle: func(int) bool { return false }}
	var users [crowdUsers]tokens
	var ids [crowdUsers]string
	for i := range users {
		users[i] = p.register(fmt.Sprint("user", i))
		ids[i] = p.whoIs(users[i])
	}
	for i := range crowdWriters {
		u := i % crowdUsers
		c.writers = append(c.writers, &writer{
			crowd: c, number: i, user: ids[u], token: users[u].AccessToken, likes: map[string]*likeFact{},
			client: &http.Client{Timeout: patience, Transport: &http.Transport{}},
		})
	}
	return c
}

// whoIs is the id of the user with these tokens.
func (p *process) whoIs(who tokens) string {
	p.t.Helper()
	var answer struct {
		Data struct {
			ID string `json:"_id"`
		}
	}
	check(p.t, json.Unmarshal([]byte(p.as(who, http.MethodGet, whoAmI, http.StatusOK)), &answer))
	return answer.Data.ID
}

// begin lets all of them write until end is called, or the test ends.
func (c *crowd) begin() (end func()) {
	c.over.Store(false)
	var all sync.WaitGroup
	for _, w := range c.writers {
		all.Go(func() {
			for !c.over.Load() && !c.t.Failed() {
				w.act()
			}
			w.client.CloseIdleConnections()
		})
	}
	end = func() {
		c.over.Store(true)
		all.Wait()
	}
	c.t.Cleanup(end)
	return end
}

func (w *writer) act() {
	mine := w.anyOwn()
	switch n := rand.IntN(20); {
	case mine == nil || n < 4 && len(w.posts) < ownPosts:
		w.create()
	case n < 8:
		w.flip(mine)
	case n < 9 || n < 12 && len(w.posts) >= ownPosts:
		w.remove(mine)
	case n < 13:
		w.look()
	case n < 14 && w.picture != nil:
		kind, body := fileForm(w.t, "avatar", w.picture, "", "")
		w.ask(http.MethodPatch, "/api/v1/users/update-user-avatar", kind, body, nil)
	case n < 18:
		w.like(http.MethodPut)
	default:
		w.like(http.MethodDelete)
	}
}

// anyOwn is one of the writer's posts that certainly exists.
func (w *writer) anyOwn() *postFact {
	var known []*postFact
	for _, p := range w.posts {
		if p.at.id != "" && p.sure && !p.gone {
			known = append(known, p)
		}
	}
	if len(known) == 0 {
		return nil
	}
	return known[rand.IntN(len(known))]
}

func (w *writer) create() {
	w.made++
	p := &postFact{text: fmt.Sprintf("writer %d, post %d", w.number, w.made), visibility: []string{"draft", "public"}[rand.IntN(2)]}
	w.posts = append(w.posts, p)
	var answer struct {
		ID string `json:"_id"`
	}
	folder, kind, body := textsAt, "application/json", asJSON(testsite.M{"content": p.text, "visibility": p.visibility})
	if w.picture != nil && rand.IntN(3) == 0 {
		folder = photosAt
		kind, body = fileForm(w.t, "photo", w.picture, p.text, p.visibility)
	}
	if w.ask(http.MethodPost, strings.TrimSuffix(folder, "/"), kind, body, &answer) != http.StatusCreated {
		return
	}
	p.at, p.sure = address{folder, answer.ID}, true
	w.mu.Lock()
	defer w.mu.Unlock()
	w.likeable = append(w.likeable, p.at)
}

func asJSON(value any) []byte {
	text, _ := json.Marshal(value) // of strings
	return text
}

// fileForm is a multipart form with a picture.
func fileForm(t testing.TB, field string, picture []byte, title, visibility string) (kind string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	check(t, form.WriteField("title", title))
	check(t, form.WriteField("visibility", visibility))
	part, err := form.CreateFormFile(field, "picture.png")
	check(t, err)
	_, err = part.Write(picture)
	check(t, errors.Join(err, form.Close()))
	return form.FormDataContentType(), b.Bytes()
}

// flip publishes a draft, or unpublishes a post.
func (w *writer) flip(p *postFact) {
	to := map[string]string{"draft": "public", "public": "draft"}[p.visibility]
	p.sure = false
	if w.ask(http.MethodPatch, p.at.String(), "application/json", asJSON(testsite.M{"visibility": to}), nil) == http.StatusOK {
		p.visibility, p.sure = to, true
	}
}

func (w *writer) remove(p *postFact) {
	p.sure = false
	if w.ask(http.MethodDelete, p.at.String(), "", nil, nil) == http.StatusOK {
		p.gone, p.sure = true, true
	}
}

// target is any post, often one of the first ones, which many people like. Of two writers of one user, only one may
// like it.
func (w *writer) target() (post address, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.likeable) == 0 {
		return address{}, false
	}
	post = w.likeable[rand.IntN(len(w.likeable))]
	if rand.IntN(2) == 0 {
		post = w.likeable[rand.IntN(min(len(w.likeable), 6))]
	}
	return post, int(post.id[len(post.id)-1])%2 == w.number/crowdUsers
}

// like likes a post, or withdraws the like. If the post doesn't exist or isn't visible, the like may be unchanged, or
// changed the moment before.
func (w *writer) like(method string) {
	post, ok := w.target()
	if !ok {
		return
	}
	fact := w.likes[post.id]
	if fact == nil {
		fact = &likeFact{sure: true}
		w.likes[post.id] = fact
	}
	fact.sure = false
	if w.ask(method, "/api/v1/likes/v/"+post.id, "", nil, nil, http.StatusNotFound) == http.StatusOK {
		fact.on, fact.sure = method == http.MethodPut, true
	}
}

func (w *writer) look() {
	if post, ok := w.target(); ok {
		w.ask(http.MethodGet, post.String(), "", nil, nil, http.StatusNotFound)
	}
}

// ask sends a request and returns the status, or 0 without a response.
func (w *writer) ask(method, path, kind string, body []byte, into any, also ...int) int {
	ctx := context.Background()
	if w.leave && rand.IntN(6) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rand.IntN(8000))*time.Microsecond)
		defer cancel()
	}
	status, text, err := w.exchange(ctx, method, path, kind, body)
	switch {
	case err == nil && status < 300:
		w.acknowledged.Add(1)
		if into != nil {
			if err := json.Unmarshal(text, &struct{ Data any }{into}); err != nil {
				w.t.Errorf("%s %s: %v: %s", method, path, err, text)
			}
		}
		return status
	case err == nil && len(also) > 0 && status == also[0]:
	case status == 0 && (ctx.Err() != nil || w.brittle(0)):
		w.left.Add(1)
	case status != 0 && w.brittle(status):
		w.failed.Add(1)
	default:
		w.t.Errorf("%s %s: %d %v %s", method, path, status, err, text)
	}
	return status
}

func (w *writer) exchange(ctx context.Context, method, path, kind string, body []byte) (status int, text []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, method, w.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+w.token)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	answer, err := w.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	text, err = io.ReadAll(answer.Body)
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return 0, text, err
	}
	return answer.StatusCode, text, nil
}

// compare reports what was acknowledged but is missing, and what exists but was never requested. Afterwards, the
// writers know everything that was in doubt.
func (c *crowd) compare(s stored) (faults []string) {
	byText, likes := map[string]bson.Raw{}, map[string]bool{}
	for _, doc := range s["posts"] {
		text := doc.Lookup("description").StringValue() + doc.Lookup("title").StringValue()
		if byText[text] != nil {
			faults = append(faults, "there twice: "+text)
		}
		byText[text] = doc
	}
	for _, doc := range s["likes"] {
		likes[doc.Lookup("user").ObjectID().Hex()+doc.Lookup("target").ObjectID().Hex()] = true
	}
	there := map[string]bool{}
	c.likeable = nil
	for _, w := range c.writers {
		faults = append(faults, w.comparePosts(byText)...)
		for _, p := range w.posts {
			there[p.at.id] = true
			c.likeable = append(c.likeable, p.at)
		}
	}
	for text := range byText {
		faults = append(faults, "nobody posted "+text)
	}
	for _, w := range c.writers {
		faults = append(faults, w.compareLikes(likes, there)...)
	}
	for like := range likes {
		faults = append(faults, "nobody made the like "+like)
	}
	return faults
}

// comparePosts takes the writer's posts off the list, and keeps those that exist.
func (w *writer) comparePosts(byText map[string]bson.Raw) (faults []string) {
	var left []*postFact
	for _, p := range w.posts {
		doc := byText[p.text]
		delete(byText, p.text)
		now := postFact{text: p.text, gone: doc == nil, sure: true}
		if doc != nil {
			folder := map[string]string{"text": textsAt, "photo": photosAt}[doc.Lookup("kind").StringValue()]
			now.at, now.visibility = address{folder, doc.Lookup("_id").ObjectID().Hex()}, doc.Lookup("visibility").StringValue()
			left = append(left, &now)
		}
		if p.sure && (p.gone != now.gone || !p.gone && (p.at != now.at || p.visibility != now.visibility)) {
			faults = append(faults, fmt.Sprintf("acknowledged: %+v, and there is %+v", *p, now))
		}
	}
	w.posts = left
	return faults
}

func (w *writer) compareLikes(likes, there map[string]bool) (faults []string) {
	for post, fact := range w.likes {
		on := likes[w.user+post]
		delete(likes, w.user+post)
		if there[post] && fact.sure && fact.on != on {
			faults = append(faults, fmt.Sprintf("the like of %s by %s: acknowledged %v, and it is %v", post, w.user, fact.on, on))
		}
		if !there[post] {
			delete(w.likes, post)
			continue
		}
		fact.on, fact.sure = on, true
	}
	return faults
}

// wait waits until this many changes have been acknowledged.
func (c *crowd) wait(changes int64) {
	c.t.Helper()
	for end := time.Now().Add(patience); c.acknowledged.Load() < changes && !c.t.Failed(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("%d changes after %v, want %d", c.acknowledged.Load(), patience, changes)
		}
	}
}

// show opens every file that a document names, and returns how many there are.
func (c *crowd) show(s stored) (files int) {
	c.t.Helper()
	owners := map[string]*writer{}
	for _, w := range c.writers {
		owners[w.user] = w
	}
	for _, doc := range s["posts"] {
		if doc.Lookup("media").StringValue() != "" {
			owners[doc.Lookup("owner").ObjectID().Hex()].opens("/media/posts/" + doc.Lookup("_id").ObjectID().Hex())
			files++
		}
	}
	for name := range s.files() {
		if strings.HasPrefix(name, "public/") {
			c.writers[0].opens("/media/" + name)
			files++
		}
	}
	return files
}

func (w *writer) opens(path string) {
	w.t.Helper()
	if status, text, err := w.exchange(context.Background(), http.MethodGet, path, "", nil); status != http.StatusOK || len(text) == 0 {
		w.t.Errorf("%s: %d %v %s", path, status, err, text)
	}
}
