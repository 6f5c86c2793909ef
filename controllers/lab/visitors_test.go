package lab_test

import (
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tokentube/config"
	"tokentube/controllers/lab"
	"tokentube/e2e/testsite"
	"tokentube/models"
	"tokentube/utils/apperr"
)

// kept is everything that a site has stored: documents by their bytes, and files by name and size.
func kept(t *testing.T, site *testsite.Site) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, d := range site.Documents() {
		all[d.Key()] = d.Raw.String()
	}
	err := filepath.WalkDir(site.Config.DataDir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != site.Config.DatabaseFile() {
			all[path] = d.Type().String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A visitor presses every button, and each shows what it claims. Afterwards, the database, the media folder and the
// site's cookies are unchanged.
func TestVisitorsLeaveNothingBehind(t *testing.T) {
	site := testsite.New(t)
	site.User("alice")
	before, visitor := kept(t, site), site.Client()
	visitor.Get(page).Status(http.StatusOK).Has("No session yet", "You don't need an account")
	visitor.PostForm(page+"/session", nil).Status(http.StatusSeeOther)
	visitor.Get(page).Status(http.StatusOK).Has("The tokens in your browser", "visitor-")
	for _, name := range experiments {
		holds(t, press(t, visitor, name))
	}
	press(t, visitor, "expire") // it leaves a session active
	if after := kept(t, site); !maps.Equal(before, after) {
		t.Errorf("before %v\nafter %v", slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
	}
	for name := range visitor.Cookies {
		if !strings.HasPrefix(name, "Lab") {
			t.Errorf("cookie %s", name)
		}
	}
}

// A visitor's tokens give no access to the site, to a user's lab, or to another visitor's session.
func TestVisitorsTokensOpenNothing(t *testing.T) {
	site := testsite.New(t)
	visitor, other := site.Client(), site.Client()
	visitor.PostForm(page+"/session", nil)
	access, refresh := visitor.Cookies["LabAccessToken"], visitor.Cookies["LabRefreshToken"]
	visitor.JSON("GET", page+"/visitor", nil).Status(http.StatusOK).Has("visitor-")
	for _, path := range []string{whoAmI, "/api/v1/users/sessions", "/settings/profile", page + "/target"} {
		for name, show := range map[string]func(*testsite.Client){
			"header":      func(c *testsite.Client) { c.Header.Set("Authorization", "Bearer "+access) },
			"cookies":     func(c *testsite.Client) { c.Cookies["AccessToken"], c.Cookies["RefreshToken"] = access, refresh },
			"lab cookies": func(c *testsite.Client) { c.Cookies["LabAccessToken"], c.Cookies["LabRefreshToken"] = access, refresh },
		} {
			c := site.Client()
			show(c)
			if answer := c.JSON("GET", path, nil); answer.Code != http.StatusUnauthorized {
				t.Errorf("%s at %s: %s", name, path, answer)
			}
		}
	}
	login := other.JSON("POST", "/api/v1/users/login", testsite.M{"identifier": claim(t, access, "username"), "password": testsite.Password})
	if login.Code != http.StatusUnauthorized {
		t.Errorf("a visitor logs in: %s", login)
	}
	// After a login, the lab is the user's: the visitor's session is not theirs.
	alice := site.User("alice")
	alice.Cookies["LabAccessToken"], alice.Cookies["LabRefreshToken"] = access, refresh
	alice.Get(page).Status(http.StatusOK).HasNot("visitor-").Has("No session yet")
	press(t, alice, "logout-replay")
	visitor.JSON("GET", page+"/visitor", nil).Status(http.StatusOK)
	// And vice versa.
	alice.PostForm(page+"/session", nil)
	other.Cookies["LabAccessToken"], other.Cookies["LabRefreshToken"] = alice.Cookies["LabAccessToken"], alice.Cookies["LabRefreshToken"]
	other.Get(page).Status(http.StatusOK).HasNot("alice")
	press(t, other, "replay-after-grace")
	if s := labSession(t, site, alice); s == nil || s.Renewals != 0 {
		t.Errorf("a visitor touched alice's session: %+v", s)
	}
	other.JSON("GET", page+"/events", nil)
}

// An identity is deleted after ten minutes, with its session, and their number is bounded.
func TestVisitorsAreBounded(t *testing.T) {
	site := testsite.New(t)
	guests, err := lab.OpenGuests(site.App)
	if err != nil {
		t.Fatal(err)
	}
	first, err := lab.AddGuest(guests, t.Context())
	if err != nil {
		t.Fatal(err)
	}
	session, _, err := guests.Sessions.Create(t.Context(), first.ID, false, models.Device{})
	if err != nil {
		t.Fatal(err)
	}
	for range lab.MostGuests - 1 {
		if _, err := lab.AddGuest(guests, t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := lab.AddGuest(guests, t.Context()); !apperr.Is(err, apperr.Unavailable) {
		t.Errorf("one more: %v", err)
	}
	site.Clock.Advance(10*time.Minute - time.Second)
	if n := guests.Here(t.Context()); n != lab.MostGuests {
		t.Errorf("%d are left before their time is over", n)
	}
	site.Clock.Advance(time.Second)
	if n := guests.Here(t.Context()); n != 0 {
		t.Errorf("%d are left after it", n)
	}
	if _, err := guests.Users.ByID(t.Context(), first.ID); !apperr.Is(err, apperr.NotFound) {
		t.Errorf("the first is still there: %v", err)
	}
	if _, err := guests.Sessions.OfUserByID(t.Context(), first.ID, session.ID); !apperr.Is(err, apperr.NotFound) {
		t.Errorf("its session is still there: %v", err)
	}
	if _, err := lab.AddGuest(guests, t.Context()); err != nil {
		t.Errorf("after that: %v", err)
	}
}

// "Start over" replaces a visitor's identity: the tokens of the previous one no longer work.
func TestStartingOverReplacesTheVisitor(t *testing.T) {
	site := testsite.New(t)
	visitor := site.Client()
	visitor.PostForm(page+"/session", nil)
	before := visitor.Copy()
	visitor.PostForm(page+"/session", nil)
	visitor.JSON("GET", page+"/visitor", nil).Status(http.StatusOK)
	before.JSON("GET", page+"/visitor", nil).Status(http.StatusUnauthorized)
}

// Visitors are limited by network, users by account, and neither uses up the other's quota.
func TestVisitorsAreLimited(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.RateLimit = true })
	alice, visitor := site.User("alice"), site.Client()
	refused := 0
	for range 302 {
		if visitor.PostForm(page+"/experiments/no-such", nil).Code == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused != 2 {
		t.Errorf("%d of 302 presses were refused", refused)
	}
	visitor.Get(page).Status(http.StatusOK)
	alice.PostForm(page+"/session", nil).Status(http.StatusSeeOther)
}

// Without a writable folder, the lab is available to users only.
func TestWithoutAFolder(t *testing.T) {
	site := testsite.New(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", filepath.Join(file, "tmp"))
	site.App.Config.DataDir = file
	if _, err := lab.OpenGuests(site.App); err == nil {
		t.Error("a database without a folder")
	}
	if _, err := lab.New(site.App, testsite.Code(t), http.NotFoundHandler()); err != nil {
		t.Errorf("the site does not start: %v", err)
	}
}

// claim returns a text claim of a token.
func claim(t *testing.T, raw, name string) string {
	t.Helper()
	var claims map[string]any
	if err := json.Unmarshal([]byte(decoded(t, raw)), &claims); err != nil {
		t.Fatal(err)
	}
	return claims[name].(string)
}

func decoded(t *testing.T, raw string) string {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(payload)
}
