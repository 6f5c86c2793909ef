package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/e2e/testsite"
)

const (
	leavers     = 3 // accounts that are deleted at the same time
	slowUploads = 2 // for each of them
)

// TestNothingIsKeptOfAnAccount deletes accounts while their requests are in progress. Nothing is left that names them.
func TestNothingIsKeptOfAnAccount(t *testing.T) {
	b := build(t)
	t.Run("stopped", func(t *testing.T) { b.goneAccounts(t, false) })
	t.Run("killed", func(t *testing.T) { b.goneAccounts(t, true) })
}

// leaver is an account that is deleted.
type leaver struct {
	*process
	tokens
	name, id string
	host     string // a post of a user who stays
	picture  []byte
	client   *http.Client
	killed   *atomic.Bool
	ended    chan struct{} // closed once the request to delete the account has a response
	gone     atomic.Bool   // it was acknowledged

	done, refused, unanswered atomic.Int64
}

func (b binary) goneAccounts(t *testing.T, kill bool) {
	settings := quiet(t, t.TempDir())
	p := b.start(t, settings)
	p.ready()
	stays := p.register("stays")
	host := p.post(stays, "who likes this", "public")
	picture := testsite.Picture(t)
	var gone []*leaver
	for round := range rounds(t, 8) {
		if round > 0 {
			p = b.start(t, settings)
			p.ready()
		}
		killed := new(atomic.Bool)
		var all sync.WaitGroup
		for i := range leavers {
			name := fmt.Sprintf("leaver-%d-%d", round, i)
			l := &leaver{
				process: p, tokens: p.register(name), name: name, host: host, picture: picture, killed: killed, ended: make(chan struct{}),
				client: &http.Client{Timeout: patience, Transport: &http.Transport{ExpectContinueTimeout: patience, MaxIdleConnsPerHost: 20}},
			}
			l.id = p.whoIs(l.tokens)
			gone = append(gone, l)
			l.use(&all)
		}
		if kill {
			time.Sleep(rand.N(150 * time.Millisecond))
			killed.Store(true)
			p.kill()
		}
		all.Wait()
		for _, l := range gone {
			l.client.CloseIdleConnections()
		}
		if !kill {
			p.stop()
		}
		s := b.settled(t, settings)
		b.mends(t, settings)
		if kill { // what a killed upload leaves behind is removed once it is old enough
			age(t, settings["DATA_DIR"])
			s = b.settled(t, settings)
		}
		complain(t, "afterwards", slices.Concat(s.faults(), s.lostFiles(t, settings["DATA_DIR"]), s.strayFiles(t, settings["DATA_DIR"]), s.traces(gone)))
		if strings.Contains(p.printed(), "level=ERROR") {
			t.Error("to lose an account is no error of the site's")
		}
		if t.Failed() {
			t.Fatalf("round %d: %s", round+1, p.printed())
		}
	}
	report(t, gone)
}

func report(t *testing.T, gone []*leaver) {
	t.Helper()
	var deleted, done, refused, unanswered int64
	for _, l := range gone {
		if l.gone.Load() {
			deleted++
		}
		done, refused, unanswered = done+l.done.Load(), refused+l.refused.Load(), unanswered+l.unanswered.Load()
	}
	t.Logf("%d accounts, the end of %d acknowledged; of their requests %d were done, %d refused, %d not answered", len(gone), deleted, done, refused, unanswered)
	if done == 0 || refused == 0 {
		t.Error("the requests did not meet the end of the accounts")
	}
}

// traces finds what is left of deleted accounts.
func (s stored) traces(gone []*leaver) (faults []string) {
	left := map[string]bool{}
	for _, user := range s["users"] {
		left[user.Lookup("_id").ObjectID().Hex()] = true
	}
	ended := map[string]bool{}
	for _, l := range gone {
		ended[l.id] = !left[l.id]
		if l.gone.Load() && left[l.id] {
			faults = append(faults, "the end of "+l.name+" was acknowledged")
		}
	}
	for kind, docs := range s {
		for _, doc := range docs {
			walk(doc, func(field string, value bson.RawValue) {
				if id, ok := value.ObjectIDOK(); ok && ended[id.Hex()] {
					faults = append(faults, fmt.Sprintf("%s %v: its %s names an account that is gone", kind, doc.Lookup("_id"), field))
				}
			})
		}
	}
	return faults
}

// age makes all files older than any request can take.
func age(t *testing.T, data string) {
	t.Helper()
	then := time.Now().Add(-25 * time.Hour)
	for _, name := range mediaFiles(t, data) {
		check(t, os.Chtimes(filepath.Join(data, "media", name), then, then))
	}
}

// use lets the account do everything that may still be in progress when it ends, and ends it in the middle of that.
func (l *leaver) use(all *sync.WaitGroup) {
	var underWay sync.WaitGroup
	for range slowUploads {
		underWay.Add(1)
		all.Go(func() { l.uploadSlowly(sync.OnceFunc(underWay.Done)) })
	}
	for _, try := range l.tries() {
		all.Go(func() {
			for !l.over() {
				try()
			}
			for range 3 {
				try() // with the old tokens
			}
		})
	}
	all.Go(func() {
		defer close(l.ended)
		underWay.Wait()
		time.Sleep(rand.N(50 * time.Millisecond))
		status := l.call(http.MethodDelete, "/api/v1/users/me", testsite.M{"password": testsite.Password})
		l.gone.Store(status == http.StatusOK)
		if status != http.StatusOK && !l.killed.Load() {
			l.t.Errorf("deleting the account of %s answers %d", l.name, status)
		}
	})
}

func (l *leaver) tries() []func() {
	login := func(password string) func() {
		logins := 0
		return func() {
			if logins++; logins > 20 && !l.over() { // beyond fifty, the session of the other requests would end
				time.Sleep(time.Millisecond)
				return
			}
			r := l.request(http.MethodPost, "/api/v1/users/login", "application/json",
				bytes.NewReader(asJSON(testsite.M{"identifier": l.name, "password": password})))
			r.Header.Del("Authorization") // otherwise this login would replace that session
			l.do(r)
		}
	}
	upload := func(method, path, field string) func() {
		kind, body := fileForm(l.t, field, l.picture, "a photo", "draft")
		return func() { l.do(l.request(method, path, kind, bytes.NewReader(body))) }
	}
	return []func(){
		func() {
			l.call(http.MethodPost, "/api/v1/tweets", testsite.M{"content": "a draft", "visibility": "draft"})
		},
		func() { l.call(http.MethodPost, "/api/v1/tweets", testsite.M{"content": "a post"}) },
		login(testsite.Password),
		login("not this one"),
		func() {
			l.call(http.MethodPut, "/api/v1/likes/v/"+l.host, nil)
			l.call(http.MethodDelete, "/api/v1/likes/v/"+l.host, nil)
		},
		upload(http.MethodPost, "/api/v1/photos", "photo"),
		upload(http.MethodPatch, "/api/v1/users/update-user-avatar", "avatar"),
	}
}

func (l *leaver) over() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// uploadSlowly sends half of a photo, and the other half after the account is deleted. The site lets it begin, which it
// shows by requesting the body, and must not store it.
func (l *leaver) uploadSlowly(begun func()) {
	defer begun()
	kind, body := fileForm(l.t, "photo", l.picture, "a slow photo", "draft")
	r := l.request(http.MethodPost, "/api/v1/photos", kind, &halves{first: body[:len(body)/2], second: body[len(body)/2:], wait: l.ended})
	r.ContentLength = int64(len(body))
	r.Header.Set("Expect", "100-continue")
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{Got100Continue: begun}))
	if status := l.do(r); status < 300 && status != 0 && l.gone.Load() {
		l.t.Errorf("the upload of %s is acknowledged, and the account is gone", l.name)
	}
}

// halves is a body whose second half comes later.
type halves struct {
	first, second []byte
	wait          <-chan struct{}
}

func (h *halves) Read(p []byte) (n int, err error) {
	if len(h.first) > 0 {
		n = copy(p, h.first)
		h.first = h.first[n:]
		return n, nil
	}
	<-h.wait
	n = copy(p, h.second)
	h.second = h.second[n:]
	if n == 0 {
		err = io.EOF
	}
	return n, err
}

func (l *leaver) call(method, path string, body any) int {
	if body == nil {
		return l.do(l.request(method, path, "", nil))
	}
	return l.do(l.request(method, path, "application/json", bytes.NewReader(asJSON(body))))
}

func (l *leaver) request(method, path, kind string, body io.Reader) *http.Request {
	r, err := http.NewRequest(method, l.base+path, body)
	if err != nil {
		panic(err) // of our own making
	}
	r.Header.Set("Authorization", "Bearer "+l.AccessToken)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	return r
}

// do sends a request and records its outcome: it succeeded, or was refused because the account is gone. Without a
// response the status is 0.
func (l *leaver) do(r *http.Request) int {
	answer, err := l.client.Do(r)
	if err != nil {
		l.unanswered.Add(1)
		if !l.killed.Load() {
			l.t.Errorf("no response: %v", err)
		}
		return 0
	}
	text, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	switch status := answer.StatusCode; {
	case status < 300:
		l.done.Add(1)
	case status == http.StatusUnauthorized, status == http.StatusNotFound:
		l.refused.Add(1)
	default:
		l.t.Errorf("%s %s: %d %v %s", r.Method, r.URL.Path, status, err, text)
	}
	return answer.StatusCode
}
