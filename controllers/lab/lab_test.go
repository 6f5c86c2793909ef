package lab_test

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/config"
	"tokentube/controllers/lab"
	"tokentube/e2e/testsite"
	"tokentube/models"
	"tokentube/utils/source"
	"tokentube/utils/token"
)

const page, whoAmI = "/token-lab", "/api/v1/users/get-current-user"

var experiments = strings.Fields("expire tamper-header tamper-cookie eight-at-once lost-response replay-in-grace replay-after-grace logout-replay password-change")

// press presses a button of the lab and returns the result.
func press(t *testing.T, c *testsite.Client, name string) lab.Result {
	t.Helper()
	c.Header.Set("Accept", "application/json")
	defer c.Header.Del("Accept")
	answer := c.PostForm(page+"/experiments/"+name, nil).Status(http.StatusOK)
	var body struct{ Data lab.Page }
	if err := json.Unmarshal([]byte(answer.Body), &body); err != nil || body.Data.Result == nil {
		t.Fatalf("%s: %v in %s", name, err, answer.Body)
	}
	return *body.Data.Result
}

// holds checks that all findings of an experiment hold, here and in the model.
func holds(t *testing.T, result lab.Result) {
	t.Helper()
	for who, column := range map[string]lab.Column{"this site": result.Ours, "the usual way": result.Usual} {
		if len(column.Findings) < 2 || len(column.Code) == 0 || len(column.Steps) == 0 {
			t.Errorf("%s, %s: %+v", result.Name, who, column)
		}
		for _, shown := range column.Code {
			for _, mark := range shown.Marks {
				if strings.Count(shown.Text, mark) == 0 {
					t.Errorf("%s: no line of %s contains %q: correct its marks in experiments.json", result.Name, shown.Name, mark)
				}
			}
			if len(shown.Marks) == 0 {
				t.Errorf("%s: nothing of %s is decisive", result.Name, shown.Name)
			}
		}
		for _, f := range column.Findings {
			if !f.OK {
				t.Errorf("%s, %s: it is not so: %s\n%+v", result.Name, who, f.Text, column.Steps)
			}
		}
	}
}

// labSession is the user's active lab session, or nil.
func labSession(t *testing.T, site *testsite.Site, c *testsite.Client) *models.Session {
	t.Helper()
	id, err := bson.ObjectIDFromHex(c.JSON("GET", whoAmI, nil).Status(http.StatusOK).Data()["_id"].(string))
	if err != nil {
		t.Fatal(err)
	}
	all, err := site.Sessions.OfUser(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var found []*models.Session
	for _, s := range all {
		if s.Kind == models.Lab {
			found = append(found, s)
		}
	}
	if len(found) > 1 {
		t.Fatalf("%d lab sessions", len(found))
	}
	if found == nil {
		return nil
	}
	return found[0]
}

// Every button shows what it claims, in any order, and all of them leave the user's own session and log alone.
func TestButtons(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	before := alice.JSON("GET", "/api/v1/users/security-log", nil).Status(http.StatusOK).Body
	order := slices.Clone(experiments)
	slices.Reverse(order)
	for _, name := range append(slices.Clone(experiments), order...) {
		result := press(t, alice, name)
		holds(t, result)
		over := name == "replay-after-grace" || name == "logout-replay"
		if s := labSession(t, site, alice); (s == nil) != over || result.Ours.Session.Over != over {
			t.Errorf("%s: session %v", name, s)
		}
		if (alice.Cookies["LabRefreshToken"] == "") != over {
			t.Errorf("%s: cookies %v", name, alice.Cookies)
		}
	}
	if after := alice.JSON("GET", "/api/v1/users/security-log", nil).Body; after != before {
		t.Errorf("the log was %s and is %s", before, after)
	}
	alice.Get("/").Status(http.StatusOK).HasNot("used twice")
}

// After eight concurrent requests, the database shows a single rotation.
func TestCountsInTheDatabase(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	alice.PostForm(page+"/session", nil).Status(http.StatusSeeOther)
	before := labSession(t, site, alice)
	press(t, alice, "eight-at-once")
	after := labSession(t, site, alice)
	if after.ID != before.ID || after.Renewals != before.Renewals+1 || len(after.Recent) != 1 || after.Recent[0].ID != before.Current.ID {
		t.Errorf("before %+v, after %+v", before, after)
	}
	claims, err := site.Auth.Tokens.ForLab(time.Second).Refresh.Verify(alice.Cookies["LabRefreshToken"])
	if err != nil || claims.ID != after.Current.ID {
		t.Errorf("the browser holds %v (%v)", claims, err)
	}
}

// tokensSet counts the token cookies that a response sets.
func tokensSet(a *testsite.Answer) (n int) {
	for _, cookie := range a.Cookies() {
		if strings.HasSuffix(cookie.Name, "Token") {
			n++
		}
	}
	return n
}

// The lab's target responds like the site's own route in the same state: only cookies and sessions differ.
func TestAnswersAsTheSite(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	alice.PostForm(page+"/session", nil)
	type state struct{ access, refresh string }
	for name, change := range map[string]func(state) state{
		"good":            func(s state) state { return s },
		"refresh alone":   func(s state) state { return state{"", s.refresh} },
		"none":            func(state) state { return state{} },
		"tampered":        func(s state) state { return state{s.access[:len(s.access)-8] + "AAAAAAAA", ""} },
		"kinds exchanged": func(s state) state { return state{s.refresh, s.access} },
	} {
		ask := func(path, prefix, method string) *testsite.Answer {
			c := site.Client()
			now := change(state{alice.Cookies[prefix+"AccessToken"], alice.Cookies[prefix+"RefreshToken"]})
			c.Cookies[prefix+"AccessToken"], c.Cookies[prefix+"RefreshToken"] = now.access, now.refresh
			return c.JSON(method, path, nil)
		}
		for _, route := range [][3]string{
			{"GET", whoAmI, page + "/target"},
			{"POST", "/api/v1/users/regenerate-tokens", page + "/target/renew"},
		} {
			real, played := ask(route[1], "", route[0]), ask(route[2], "Lab", route[0])
			if real.Code != played.Code || real.Header.Get("WWW-Authenticate") != played.Header.Get("WWW-Authenticate") || tokensSet(real) != tokensSet(played) {
				t.Errorf("%s %s: the site answers %d %v, the lab %d %v", name, route[1], real.Code, real.Header, played.Code, played.Header)
			}
			if a, b := reflect.ValueOf(real.Data()).Len(), reflect.ValueOf(played.Data()).Len(); a != b {
				t.Errorf("%s %s: bodies %s and %s", name, route[1], real.Body, played.Body)
			}
		}
	}
}

// The lab's tokens are not accepted anywhere on the site, nor the site's tokens in the lab.
func TestTokensOpenNothingOutside(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	alice.PostForm(page+"/session", nil)
	access, refresh := alice.Cookies["LabAccessToken"], alice.Cookies["LabRefreshToken"]
	// Another service verifies access tokens by the key and the audience, without asking us: it must not accept them
	// either.
	if claims, err := site.Auth.Tokens.Access.Verify(access); err == nil || errors.Is(err, token.ErrExpired) {
		t.Errorf("an access token of the lab is one of the site: %+v", claims)
	}
	if claims, err := site.Auth.Tokens.Refresh.Verify(refresh); err == nil || errors.Is(err, token.ErrExpired) {
		t.Errorf("a refresh token of the lab is one of the site: %+v", claims)
	}
	for name, c := range map[string]func(*testsite.Client){
		"header":         func(c *testsite.Client) { c.Header.Set("Authorization", "Bearer "+access) },
		"cookies":        func(c *testsite.Client) { c.Cookies["AccessToken"], c.Cookies["RefreshToken"] = access, refresh },
		"refresh cookie": func(c *testsite.Client) { c.Cookies["RefreshToken"] = refresh },
		"lab cookies":    func(c *testsite.Client) { c.Cookies["LabAccessToken"], c.Cookies["LabRefreshToken"] = access, refresh },
	} {
		for _, path := range []string{whoAmI, "/api/v1/users/sessions", "/api/v1/users/security-log"} {
			client := site.Client()
			c(client)
			if answer := client.JSON("GET", path, nil); answer.Code != http.StatusUnauthorized {
				t.Errorf("%s at %s: %d %s", name, path, answer.Code, answer.Body)
			}
		}
	}
	site.Client().JSON("POST", "/api/v1/users/regenerate-tokens", testsite.M{"RefreshToken": refresh}).Status(http.StatusUnauthorized)
	if s := labSession(t, site, alice); s == nil || s.Renewals != 0 {
		t.Errorf("the site touched the lab's session: %+v", s)
	}
	mine := site.Client()
	mine.Cookies["LabAccessToken"], mine.Cookies["LabRefreshToken"] = alice.Cookies["AccessToken"], alice.Cookies["RefreshToken"]
	mine.JSON("GET", page+"/target", nil).Status(http.StatusUnauthorized)
	mine.JSON("POST", page+"/target/renew", testsite.M{"RefreshToken": alice.Cookies["RefreshToken"]}).Status(http.StatusUnauthorized)
	alice.JSON("GET", whoAmI, nil).Status(http.StatusOK)
}

// With another user's cookies, damaged ones, or a session that was ended elsewhere: a new session of the user's own is
// started, and nobody else's is touched.
func TestWithStrangeCookies(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	bob.PostForm(page+"/session", nil)
	his := labSession(t, site, bob)
	alice.Cookies["LabAccessToken"], alice.Cookies["LabRefreshToken"] = bob.Cookies["LabAccessToken"], bob.Cookies["LabRefreshToken"]
	alice.Get(page).Status(http.StatusOK).HasNot(his.ID.Hex())
	press(t, alice, "logout-replay")
	if s := labSession(t, site, bob); s == nil || s.ID != his.ID || s.Renewals != 0 {
		t.Errorf("bob's session is %+v", s)
	}
	alice.Cookies["LabAccessToken"], alice.Cookies["LabRefreshToken"] = "x.y.z", strings.Repeat("A", 5000)
	press(t, alice, "lost-response")
	alice.JSON("DELETE", "/api/v1/users/sessions", nil).Status(http.StatusOK)
	if s := labSession(t, site, alice); s != nil {
		t.Errorf("it outlived all others: %+v", s)
	}
	result := press(t, alice, "replay-in-grace")
	if !strings.Contains(result.Ours.Steps[0].Title, "new one was started") {
		t.Errorf("steps %+v", result.Ours.Steps)
	}
	alice.PostForm(page+"/experiments/no-such", nil).Status(http.StatusNotFound)
}

// Two simultaneous presses behave like two tabs: both get a response, and the session is never considered stolen.
func TestPressedTwiceAtOnce(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	alice.PostForm(page+"/session", nil)
	var both sync.WaitGroup
	for range 2 {
		tab := alice.Copy()
		both.Go(func() { tab.PostForm(page+"/experiments/eight-at-once", nil).Status(http.StatusOK) })
	}
	both.Wait()
	if s := labSession(t, site, alice); s == nil {
		t.Error("the session is over")
	}
}

// If the site's cookies have a prefix, the lab's have one that their path allows.
func TestCookies(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.CookiePrefix = "__Host-" })
	alice := site.User("alice")
	for _, k := range alice.PostForm(page+"/session", nil).Status(http.StatusSeeOther).Cookies() {
		if strings.Contains(k.Name, "Token") && (!strings.HasPrefix(k.Name, "__Secure-Lab") || k.Path != page || !k.HttpOnly || !k.Secure || k.SameSite != http.SameSiteLaxMode) {
			t.Errorf("%s", k)
		}
	}
	press(t, alice, "expire")
	// A press that begins a session sets each of its cookies once.
	alice.JSON("DELETE", "/api/v1/users/sessions", nil).Status(http.StatusOK)
	set := map[string]int{}
	for _, k := range alice.PostForm(page+"/experiments/lost-response", nil).Status(http.StatusOK).Cookies() {
		set[k.Name]++
	}
	if set["__Secure-LabAccessToken"] != 1 || set["__Secure-LabRefreshToken"] != 1 {
		t.Errorf("cookies set: %v", set)
	}
}

// A run reports waiting exactly as long as time passed: quick presses don't wait for what is already there.
func TestWaitsAreTrue(t *testing.T) {
	site := testsite.New(t)
	visitor := site.Client()
	waited := regexp.MustCompile(`^Waited ([0-9.]+) s for `)
	for _, name := range append(slices.Clone(experiments), "replay-in-grace", "replay-in-grace", "replay-in-grace", "expire", "expire") {
		before, said := site.Clock.Now(), 0.0
		for _, step := range press(t, visitor, name).Ours.Steps {
			if m := waited.FindStringSubmatch(step.Title); m != nil {
				seconds, err := strconv.ParseFloat(m[1], 64)
				if err != nil {
					t.Fatal(err)
				}
				said += seconds
			}
		}
		passed := site.Clock.Now().Sub(before).Seconds()
		if math.Abs(passed-said) > 0.06 {
			t.Errorf("%s: it says %.1f s, and %.2f s have passed", name, said, passed)
		}
		if may := map[string]float64{"expire": 10.1, "replay-after-grace": 5.1}[name]; passed > may {
			t.Errorf("%s: it took %.2f s", name, passed)
		}
	}
}

// The outcomes of earlier experiments are sent with the form, and can contain nothing else.
func TestExperimentsKeepTheirState(t *testing.T) {
	visitor := testsite.New(t).Client()
	form := url.Values{"done": {`expire.failed lost-response.held tamper-header.perhaps no-such.held "><script>.held`}}
	answer := visitor.PostForm(page+"/experiments/eight-at-once", form).Status(http.StatusOK)
	states := map[string]string{}
	for n := range answer.Page().Descendants() {
		if id, _ := testsite.Attribute(n, "id"); slices.Contains(experiments, id) {
			states[id], _ = testsite.Attribute(n, "class")
		}
	}
	for _, name := range experiments {
		if want := map[string]string{"expire": "failed", "lost-response": "held", "eight-at-once": "held"}[name]; states[name] != want {
			t.Errorf("%s is %q, not %q", name, states[name], want)
		}
	}
	answer.Has(`name="done" value="expire.failed eight-at-once.held lost-response.held "`)
}

// The timeline is in chronological order, and marks everything in the future as still ahead.
func TestTimelineIsInOrder(t *testing.T) {
	visitor := testsite.New(t).Client()
	for range 3 {
		press(t, visitor, "lost-response")
		timeline := press(t, visitor, "replay-in-grace").Ours.Session.Timeline
		ahead := 0
		for i, e := range timeline {
			if i > 0 && e.At[:8] < timeline[i-1].At[:8] && timeline[i-1].At[:2] != "23" {
				t.Errorf("%s comes after %s", e.At, timeline[i-1].At)
			}
			if (e.Kind == "ahead") != strings.HasSuffix(e.At, "still ahead") || e.Kind != "ahead" && ahead > 0 {
				t.Errorf("%+v", timeline)
			}
			if e.Kind == "ahead" {
				ahead++
			}
		}
		if ahead < 2 { // a grace period, and the end
			t.Errorf("%d entries are ahead: %+v", ahead, timeline)
		}
	}
}

// Each claim in the lab's tokens is explained: we set no nbf, and remember is only in the token between the two steps
// of a login.
func TestExplainsEveryClaim(t *testing.T) {
	alice := testsite.New(t).User("alice")
	alice.PostForm(page+"/session", nil)
	text := alice.Get(page).Status(http.StatusOK).Body
	for i := range reflect.TypeFor[token.Claims]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[token.Claims]().Field(i).Tag.Get("json"), ",")
		if name != "nbf" && name != "remember" && !strings.Contains(text, "<dt>"+name+"</dt>") {
			t.Errorf("%s is not explained", name)
		}
	}
}

// The timeline shows why a session ended, whatever the reason.
func TestTimelineTellsWhyTheSessionEnded(t *testing.T) {
	site := testsite.New(t)
	now, told := site.App.Now(), map[string]bool{}
	for _, why := range []models.EndReason{models.LoggedOut, models.NewLogin, models.PasswordChanged, models.TokenReused, models.EndedByUser, models.TooMany, models.Restored} {
		s := lab.NewSession(&lab.Lab{App: site.App}, &models.Session{EndedAt: &now, EndedFor: why})
		last := s.Timeline[len(s.Timeline)-1]
		if !s.Over || last.Kind != "ended" || strings.Contains(last.Text, "ended .") || told[last.Text] {
			t.Errorf("%s: %+v", why, last)
		}
		told[last.Text] = true
	}
}

// The site doesn't start if a button's code no longer exists.
func TestNeedsItsCode(t *testing.T) {
	empty, err := source.New(fstest.MapFS{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lab.New(testsite.New(t).App, empty, http.NotFoundHandler()); err == nil || !strings.Contains(err.Error(), "middlewares.Auth") {
		t.Errorf("error %v", err)
	}
}
