package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokentube/config"
	"tokentube/e2e/testsite"
)

// The timeouts of the site under test are short, so that faults are reported soon.
const shortTimeouts = "timeoutMS=2000&serverSelectionTimeoutMS=1000&connectTimeoutMS=1000"

// longest is how long one request may take: a few timeouts, on a slow machine.
const longest = 30 * time.Second

const (
	people      = 4 // each with several tabs that share cookies
	tabsOfEach  = 3
	sharedPosts = 3
)

// outage is a site whose database connection is disturbed, and the responses that its visitors got.
type outage struct {
	*testsite.Site
	t      *testing.T
	line   *databaseLine
	base   string
	users  []*visitor
	shared []string // posts to like

	over            atomic.Bool // the fault of this round has ended
	answered, tried atomic.Int64
	mu              sync.Mutex
	posted          map[string]bool // texts: whether the post was acknowledged
	liked           map[string]bool // user/post: as last acknowledged
}

// The connection to MongoDB is cut, stalled, slowed and reset while people use the site and their access tokens expire.
// Every response is correct or says to try again; nobody is logged out; everything that was acknowledged is there, and
// counted once: immediately with transactions, after a repair without.
func TestOutage(t *testing.T) {
	line := openDatabaseLine(t)
	o := &outage{t: t, line: line, posted: map[string]bool{}, liked: map[string]bool{}}
	o.Site = testsite.New(t, func(cfg *config.Config) { cfg.MongoURI = line.uri(shortTimeouts) })
	server := httptest.NewServer(o.Handler)
	t.Cleanup(server.Close)
	o.base = server.URL
	for i := range people {
		o.join(fmt.Sprint("user", i))
	}

	for _, fault := range []struct {
		name  string
		early bool // it begins before anybody has renewed their tokens
		begin func()
	}{
		{"nothing", false, func() {}},
		{"cut", false, line.cut},
		{"cut early", true, line.cut},
		{"questions are lost", false, func() { line.disturb("timeout", "upstream", "timeout", 0) }},
		{"answers are lost", false, func() { line.disturb("timeout", "downstream", "timeout", 0) }},
		{"answers are lost early", true, func() { line.disturb("timeout", "downstream", "timeout", 0) }},
		{"slow", true, func() { line.disturb("latency", "downstream", "latency", 200) }},
		{"too slow", true, func() { line.disturb("latency", "upstream", "latency", 2500) }},
		{"reset after the question", true, func() { line.disturb("reset_peer", "downstream", "timeout", 20) }},
		{"cut off in the middle of answers", false, func() { line.disturb("limit_data", "downstream", "bytes", 3000) }},
		{"flickers", false, line.flicker},
		{"flickers while answers are slow", false, func() {
			line.disturb("latency", "downstream", "latency", 30) // most cuts hit between a write and its response
			line.flicker()
		}},
	} {
		o.round(fault.name, fault.early, fault.begin)
	}
	if o.tried.Load() == o.answered.Load() {
		t.Error("no fault was felt")
	}
	t.Logf("%d requests, %d of them answered 503", o.tried.Load(), o.tried.Load()-o.answered.Load())
	o.DB.WaitRemovals()
	o.repair()
	o.checkPosts()
	o.checkLikes()
}

func (o *outage) join(name string) {
	o.t.Helper()
	v := newVisitor()
	o.must(v.call(o.t.Context(), "POST", o.base+"/api/v1/users/register", testsite.M{
		"username": name, "email": name + "@example.com", "fullName": name, "password": testsite.Password,
	}))
	o.users = append(o.users, v)
	if len(o.shared) == sharedPosts {
		return
	}
	text := "shared by " + name
	answer := o.must(v.call(o.t.Context(), "POST", o.base+"/api/v1/tweets", testsite.M{"content": text}))
	var post struct {
		ID string `json:"_id"`
	}
	check(o.t, answer.data(&post))
	o.shared = append(o.shared, post.ID)
	o.posted[text] = true
}

func (o *outage) must(answer *reply, err error) *reply {
	o.t.Helper()
	check(o.t, err)
	if answer.StatusCode >= 300 {
		o.t.Fatal(answer)
	}
	return answer
}

// round lets all access tokens expire, and everybody use the site while the fault begins and ends. Afterwards
// everything recovers by itself.
func (o *outage) round(name string, early bool, begin func()) {
	o.t.Helper()
	o.Clock.Advance(16 * time.Minute)
	o.over.Store(false)
	if early {
		begin()
	}
	before := o.tried.Load()
	var all sync.WaitGroup
	for user := range o.users {
		for tab := range tabsOfEach {
			all.Go(func() { o.use(name, user, tab) })
		}
	}
	o.wait(before + people*tabsOfEach) // now it is in full swing
	if !early {
		begin()
	}
	time.Sleep(2500 * time.Millisecond) // the length of the outage, not a deadline
	o.line.restore()
	o.over.Store(true)
	all.Wait()
	for i, v := range o.users {
		if v.cleared || v.cookies["RefreshToken"] == "" {
			o.t.Fatalf("%s: the cookies of user %d were cleared", name, i)
		}
	}
}

func (o *outage) wait(requests int64) {
	for end := time.Now().Add(longest); o.tried.Load() < requests && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
}

// use is what one tab does until the fault has ended, and once more after that. Each step is retried until it succeeds.
func (o *outage) use(fault string, user, tab int) {
	v, name := o.users[user], fmt.Sprint("user", user)
	for n, last := 0, false; !last; n++ {
		last = o.over.Load()
		text := fmt.Sprintf("%s, %s, tab %d, %d", name, fault, tab, n)
		switch (n + tab) % 4 {
		case 0:
			o.do(func(ctx context.Context) (*reply, error) {
				return v.call(ctx, "GET", o.base+"/api/v1/users/get-current-user", nil)
			}, 200, `"username":"`+name+`"`)
		case 1:
			o.post(v, text)
		case 2:
			o.like(v, user, tab, n)
		case 3:
			o.do(func(ctx context.Context) (*reply, error) { return v.open(ctx, o.base+"/settings/profile") }, 200, name)
		}
	}
}

// post makes a single attempt: a text is posted or it is not.
func (o *outage) post(v *visitor, text string) {
	o.mu.Lock()
	o.posted[text] = false
	o.mu.Unlock()
	done := o.ask(func(ctx context.Context) (*reply, error) {
		return v.call(ctx, "POST", o.base+"/api/v1/tweets", testsite.M{"content": text})
	}, 201, "")
	o.mu.Lock()
	o.posted[text] = done
	o.mu.Unlock()
}

// like likes the post of this tab, or withdraws the like.
func (o *outage) like(v *visitor, user, tab, n int) {
	method, want := "PUT", `"isLiked":true`
	if n/4%2 == 1 {
		method, want = "DELETE", `"isLiked":false`
	}
	o.do(func(ctx context.Context) (*reply, error) {
		return v.call(ctx, method, o.base+"/api/v1/likes/v/"+o.shared[tab], nil)
	}, 200, want)
	o.mu.Lock()
	o.liked[fmt.Sprint(user, "/", tab)] = method == "PUT"
	o.mu.Unlock()
}

// do retries until it succeeds.
func (o *outage) do(send func(context.Context) (*reply, error), status int, text string) {
	for end := time.Now().Add(2 * longest); !o.ask(send, status, text); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			o.t.Errorf("the site does not recover")
			return
		}
		if o.t.Failed() {
			return
		}
	}
}

// ask sends a request, whose response must be correct, or a complete 503.
func (o *outage) ask(send func(context.Context) (*reply, error), status int, text string) bool {
	ctx, cancel := context.WithTimeout(o.t.Context(), longest)
	defer cancel()
	o.tried.Add(1)
	answer, err := send(ctx)
	if err != nil {
		o.t.Errorf("no answer: %v", err)
		return false
	}
	if answer.StatusCode == status && strings.Contains(answer.body, text) {
		o.answered.Add(1)
		return true
	}
	if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
		o.t.Errorf("a wrong answer: %s", answer)
	}
	o.checkUnavailable(answer)
	return false
}
