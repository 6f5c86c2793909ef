package middlewares_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokentube/e2e/testsite"
)

// try logs in through the API from the given address.
func try(c *testsite.Client, address, name, password string) *testsite.Answer {
	body := fmt.Sprintf(`{"identifier": %q, "password": %q}`, name, password)
	r := httptest.NewRequest(http.MethodPost, "https://localhost/api/v1/users/login", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.RemoteAddr = net.JoinHostPort(address, "4321")
	return c.Do(r)
}

const (
	here      = "203.0.113.7"
	neighbour = "203.0.113.200" // in the same /24
	another   = "203.0.113.9"   // also in it
	elsewhere = "198.51.100.7"
)

// fail tries a wrong password the given number of times, each from a browser without cookies.
func fail(site *testsite.Site, address, name string, times int) {
	for range times {
		try(site.Client(), address, name, "wrong").Status(http.StatusUnauthorized)
	}
}

func TestWrongPasswordsRunOut(t *testing.T) {
	site := limited(t)
	site.User("alice")
	fail(site, here, "alice", 9)
	last := try(site.Client(), neighbour, " ALICE ", "wrong").Status(401)
	if got := last.Header.Get("RateLimit"); !strings.HasPrefix(got, `"login";r=0;t=90, "login-network";r=90;t=`) {
		t.Errorf("RateLimit: %s", got)
	}
	if got := last.Header.Get("RateLimit-Policy"); got != `"login";q=10;w=900, "login-network";q=100;w=900` {
		t.Errorf("RateLimit-Policy: %s", got)
	}
	for _, password := range []string{"wrong", testsite.Password} {
		answer := try(site.Client(), here, "alice", password).Status(429).Has(`"code":"rate_limited"`)
		if answer.Header.Get("Retry-After") != "90" || answer.Header.Get("RateLimit") != `"login";r=0;t=90` {
			t.Errorf("%v", answer.Header)
		}
	}
	try(site.Client(), elsewhere, "alice", testsite.Password).Status(200)
	try(site.Client(), here, "bob", "wrong").Status(401)
	site.Clock.Advance(89 * time.Second)
	try(site.Client(), here, "alice", testsite.Password).Status(429)
	site.Clock.Advance(time.Second)
	for range 30 { // correct ones don't count
		try(site.Client(), here, "alice", testsite.Password).Status(200)
	}
	fail(site, here, "alice", 1)
	try(site.Client(), here, "alice", "wrong").Status(429)
}

func TestLimitOnTheLoginPage(t *testing.T) {
	site := limited(t)
	site.User("alice")
	form := url.Values{"identifier": {"alice"}, "password": {"wrong password"}}
	for range 10 {
		site.Client().PostForm("/login", form).Status(401)
	}
	answer := site.Client().PostForm("/login", form).Status(429).Has(`action="/login"`, `value="alice"`, "Too many attempts").HasNot("wrong password\"")
	if answer.Header.Get("Retry-After") != "90" || answer.Header.Get("Cache-Control") == "" {
		t.Errorf("%v", answer.Header)
	}
}

// Neither the responses nor the work reveal which names exist: not before the limit, and not at it.
func TestUnknownNamesAreAnsweredAndCountedAsKnownOnes(t *testing.T) {
	site := limited(t)
	site.User("alice")
	answers := func(name string) (all []string) {
		for range 12 {
			before := site.Hasher.Hashes()
			a := try(site.Client(), here, name, "wrong")
			body := strings.Split(a.Body, `"requestId"`)[0]
			login, _, _ := strings.Cut(a.Header.Get("RateLimit"), ",")
			all = append(all, fmt.Sprint(a.Code, body, login, a.Header.Get("Retry-After"), a.Header["Set-Cookie"], site.Hasher.Hashes()-before, " hashes"))
		}
		return all
	}
	site.User("carol")
	known := answers("alice")
	for _, name := range []string{"nobody", "nobody@example.com", "carol@example.com"} {
		for i, answer := range answers(name) {
			if answer != known[i] {
				t.Errorf("%s, try %d:\n%s\nfor a known name:\n%s", name, i, answer, known[i])
			}
		}
	}
	if !strings.HasSuffix(known[0], " 1 hashes") || !strings.HasSuffix(known[11], " 0 hashes") {
		t.Errorf("%s\n%s", known[0], known[11])
	}
}

func TestNobodyLocksOutABrowserThatWasHereBefore(t *testing.T) {
	site := limited(t)
	site.User("alice")
	browser := site.Client()
	try(browser, here, "alice", testsite.Password).Status(200)
	fail(site, neighbour, "alice", 10)
	for i := range 90 {
		fail(site, []string{neighbour, another}[min(i/40, 1)], fmt.Sprint("other", i), 1)
	}
	try(site.Client(), here, "alice", testsite.Password).Status(429)
	if got := try(browser, here, "alice", testsite.Password).Status(200).Header.Get("RateLimit"); got != `"login";r=9;t=90` {
		t.Errorf("RateLimit: %s", got)
	}
	// Its own bucket is as large as any other, and follows it to another network.
	for range 10 {
		try(browser.Copy(), here, "alice", "wrong").Status(401)
	}
	try(browser.Copy(), elsewhere, "alice", testsite.Password).Status(429)
	try(site.Client(), elsewhere, "alice", testsite.Password).Status(200) // nor does it lock out others
}

func TestDeviceCookieOpensNoOtherAccount(t *testing.T) {
	site := limited(t)
	site.User("alice")
	mallory := site.User("mallory")
	fail(site, here, "alice", 10)
	device := mallory.Cookies["Device"]
	id, proof, _ := strings.Cut(device, ".")
	for name, value := range map[string]string{
		"of another account": device, "changed": id + "x." + proof, "no proof": id, "empty": "", "dots": "....",
		"long": strings.Repeat(id+".", 20),
	} {
		c := site.Client()
		c.Cookies["Device"] = value
		if answer := try(c, here, "alice", testsite.Password); answer.Code != 429 {
			t.Errorf("%s: %s", name, answer)
		}
	}
	two := site.Client()
	two.Header.Set("Cookie", "Device=x")
	two.Cookies["Device"] = device
	try(two, here, "mallory", testsite.Password).Status(200)
}

func TestDeviceCookieRemembersTheLastAccounts(t *testing.T) {
	site := limited(t)
	browser := site.Client()
	names := []string{"alice", "bob", "carol", "dave", "erin", "frank"}
	for _, name := range names {
		site.User(name)
		for _, k := range try(browser, here, name, testsite.Password).Status(200).Cookies() {
			if k.Name == "Device" && (!k.HttpOnly || !k.Secure || k.SameSite != http.SameSiteLaxMode || k.Path != "/" || k.MaxAge != 31_536_000 || len(k.Value) > 200) {
				t.Errorf("%s", k)
			}
		}
	}
	id, _, _ := strings.Cut(browser.Cookies["Device"], ".")
	try(browser, here, "frank", testsite.Password).Status(200)
	if again, _, _ := strings.Cut(browser.Cookies["Device"], "."); again != id || len(id) != 26 {
		t.Errorf("the device is %s, and was %s", again, id)
	}
	for _, name := range names {
		own := !strings.Contains(try(browser.Copy(), here, name, testsite.Password).Header.Get("RateLimit"), "network")
		if own != (name != "alice") { // the first of six has been forgotten
			t.Errorf("%s has a bucket of its own: %v", name, own)
		}
	}
}

// One wrong password for each of many accounts.
func TestStuffingRunsOut(t *testing.T) {
	site := limited(t)
	site.User("alice")
	for i := range 50 {
		fail(site, here, fmt.Sprint("name", i), 1)
	}
	own := try(site.Client(), here, "alice", testsite.Password).Status(429)
	if got := own.Header.Get("RateLimit"); got != `"login-host";r=0;t=18` {
		t.Errorf("RateLimit: %s", got)
	}
	for i := range 50 {
		fail(site, neighbour, fmt.Sprint("another name", i), 1)
	}
	answer := try(site.Client(), another, "alice", testsite.Password).Status(429)
	if got := answer.Header.Get("RateLimit"); got != `"login";r=9;t=90, "login-network";r=0;t=9` || answer.Header.Get("Retry-After") != "9" {
		t.Errorf("RateLimit: %s, Retry-After: %s", got, answer.Header.Get("Retry-After"))
	}
	try(site.Client(), elsewhere, "alice", testsite.Password).Status(200)
	site.Clock.Advance(9 * time.Second)
	try(site.Client(), another, "alice", testsite.Password).Status(200)
}

// However many addresses a provider assigns to one customer, they get no more guesses at one account.
func TestAddressesOfOneNetworkGuessTogether(t *testing.T) {
	site := limited(t)
	site.User("alice")
	for network, address := range map[string]string{"/48": "2001:db8:1:%x::1", "/64": "2001:db8:2:0:%x::1", "/24": "192.0.2.%d"} {
		wrong := 0
		for i := range 120 {
			answer := try(site.Client(), fmt.Sprintf(address, i), "alice", "wrong")
			if answer.Code == http.StatusUnauthorized {
				wrong++
			} else {
				answer.Status(http.StatusTooManyRequests)
			}
		}
		if wrong != 10 {
			t.Errorf("%s: %d guesses", network, wrong)
		}
	}
	try(site.Client(), "2001:db8:3::1", "alice", testsite.Password).Status(200)
}

// Wherever guesses come from, one account allows a hundred per hour; that doesn't keep out its own browsers.
func TestGuessesFromEverywhereRunOut(t *testing.T) {
	site := limited(t)
	browser := site.User("alice")
	for i := range 100 {
		fail(site, fmt.Sprintf("2001:db8:%x::1", i), "alice", 1)
	}
	answer := try(site.Client(), elsewhere, "alice", testsite.Password).Status(429)
	if got := answer.Header.Get("RateLimit"); got != `"login-account";r=0;t=36` {
		t.Errorf("RateLimit: %s", got)
	}
	try(site.Client(), elsewhere, "nobody", "wrong").Status(401)
	try(browser, elsewhere, "alice", testsite.Password).Status(200)
}

// Its name, its address and the settings all identify the account, and count together, even after it is renamed.
func TestAnAccountIsCountedUnderAllItsNames(t *testing.T) {
	site := limited(t)
	alice := site.User("alice")
	fail(site, here, "alice", 4)
	fail(site, here, "alice@example.com", 3)
	alice.JSON("PATCH", "/api/v1/users/update-user-username", testsite.M{"username": "alicia", "currentPassword": testsite.Password}).Status(200)
	fail(site, here, "ALICIA ", 3)
	for _, name := range []string{"alicia", "alice@example.com"} {
		try(site.Client(), here, name, testsite.Password).Status(429)
	}
	// In her own browser, which is counted separately.
	guess := func() *testsite.Answer {
		return alice.JSON("PATCH", "/api/v1/users/update-user-email", testsite.M{"email": "new@example.com", "password": "wrong"})
	}
	for i := range 10 {
		alice.JSON("PATCH", "/api/v1/users/update-user-username", testsite.M{"username": fmt.Sprint("alice", i), "currentPassword": testsite.Password}).Status(200)
		guess().Status(422)
	}
	guess().Status(429)
}

// Correct passwords cost as much work as wrong ones: they are limited too, less strictly.
func TestRightPasswordsRunOut(t *testing.T) {
	site := limited(t)
	alice := site.User("alice")
	for range 60 {
		try(alice, here, "alice", testsite.Password).Status(200)
	}
	before := site.Hasher.Hashes()
	for _, client := range []*testsite.Client{alice, site.Client()} {
		if got := try(client, elsewhere, "alice", testsite.Password).Status(429).Header.Get("RateLimit"); got != `"logins";r=0;t=15` {
			t.Errorf("RateLimit: %s", got)
		}
	}
	if site.Hasher.Hashes() != before {
		t.Error("what was refused was worked for")
	}
	site.User("bob")
	try(site.Client(), here, "bob", testsite.Password).Status(200)
	site.Clock.Advance(15 * time.Second)
	try(site.Client(), here, "alice", testsite.Password).Status(200)
}

func TestRightPasswordsFromOneNetworkRunOut(t *testing.T) {
	site := limited(t)
	for i := range 6 {
		site.User(fmt.Sprint("user", i))
	}
	for i := range 300 {
		try(site.Client(), []string{here, neighbour}[i%2], fmt.Sprint("user", i%6), testsite.Password).Status(200)
	}
	if got := try(site.Client(), another, "user0", testsite.Password).Status(429).Header.Get("RateLimit"); got != `"logins-network";r=0;t=3` {
		t.Errorf("RateLimit: %s", got)
	}
	try(site.Client(), elsewhere, "user0", testsite.Password).Status(200)
}

// What a limit or the queue refuses writes nothing to the database.
func TestRefusedLoginsCostNoDisk(t *testing.T) {
	site := limited(t)
	if site.Config.MongoURI != "" {
		t.Skip("MONGODB_URI is set: this looks at the file of the embedded engine")
	}
	site.User("alice")
	file := func() []byte {
		data, err := os.ReadFile(site.Config.DatabaseFile())
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	fail(site, here, "alice", 10)
	try(site.Client(), here, "alice", "wrong").Status(429) // the bucket is known to be empty from now on
	for i := range 40 {
		fail(site, here, fmt.Sprint("name", i), 1) // the machine's own bucket is empty too
	}
	site.Data.DB.WaitRemovals() // and all background work
	before := file()
	for i := range 1000 {
		try(site.Client(), here, []string{"alice", "nobody", fmt.Sprint("name", i)}[i%3], testsite.Password).Status(429)
		try(site.Client(), neighbour, "alice", testsite.Password).Status(429)
	}
	if !bytes.Equal(before, file()) {
		t.Error("the database was written")
	}
}

// Concurrent attempts are counted before any of them is checked.
func TestTriesAtOncePassNoMoreThanInARow(t *testing.T) {
	site := limited(t)
	site.User("alice")
	before := site.Hasher.Hashes()
	var all sync.WaitGroup
	var wrong, refused atomic.Int64
	for range 64 {
		all.Go(func() {
			switch try(site.Client(), here, "alice", "wrong").Code {
			case http.StatusUnauthorized:
				wrong.Add(1)
			case http.StatusTooManyRequests, http.StatusServiceUnavailable:
				refused.Add(1)
			}
		})
	}
	all.Wait()
	if wrong.Load() > 10 || wrong.Load() < 1 || wrong.Load()+refused.Load() != 64 || site.Hasher.Hashes()-before > 10 {
		t.Errorf("%d wrong, %d refused, %d hashes", wrong.Load(), refused.Load(), site.Hasher.Hashes()-before)
	}
}

func TestProcessesShareTheLoginLimit(t *testing.T) {
	one := limited(t)
	if one.Config.MongoURI == "" {
		t.Skip("MONGODB_URI is not set: two processes need a database server")
	}
	two := testsite.Open(t, one.Config, one.Clock)
	one.User("alice")
	browser := one.Client()
	try(browser, here, "alice", testsite.Password).Status(200)
	fail(one, here, "alice", 5)
	fail(two, here, "alice", 5)
	for _, site := range []*testsite.Site{one, two} {
		try(site.Client(), here, "alice", testsite.Password).Status(429)
	}
	known := two.Client()
	known.Cookies["Device"] = browser.Cookies["Device"]
	try(known, here, "alice", testsite.Password).Status(200)
}
