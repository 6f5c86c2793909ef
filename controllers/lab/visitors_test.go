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
)

// kept is everything that a site has stored: documents by their bytes, and files by name and size. Those of guests
// don't count.
func kept(t *testing.T, site *testsite.Site) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, d := range site.Documents() {
		if !strings.HasPrefix(d.Collection, ofGuests) {
			all[d.Key()] = d.Raw.String()
		}
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

// ofGuests is how the names of the guests' collections start.
const ofGuests = "guests_"

// A visitor presses every button, and each shows what it claims. Afterwards, the site's documents, the media folder and
// the site's cookies are unchanged, and ten minutes later, nothing else is left.
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
	site.Clock.Advance(10 * time.Minute)
	guests, err := models.OpenGuests(t.Context(), site.DB, 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := guests.RemoveExpired(t.Context()); err != nil {
		t.Fatal(err)
	}
	guests.DB.WaitRemovals()
	for _, d := range site.Documents() {
		if strings.HasPrefix(d.Collection, ofGuests) && d.Collection != ofGuests+"broadcasts" { // these expire by themselves
			t.Errorf("after ten minutes, there is still %s", d.Key())
		}
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

// A visitor's requests may reach any process.
func TestVisitorsHaveOneLabInAllProcesses(t *testing.T) {
	one := testsite.New(t)
	if one.Config.MongoURI == "" {
		t.Skip("one process has the file")
	}
	other := testsite.Open(t, one.Config, one.Clock)
	visitor := one.Client()
	visitor.PostForm(page+"/session", nil).Status(http.StatusSeeOther)
	name := claim(t, visitor.Cookies["LabAccessToken"], "username")
	for i, experiment := range experiments {
		visitor = visitor.CopyTo([]*testsite.Site{other, one}[i%2])
		holds(t, press(t, visitor, experiment))
		if experiment == "replay-after-grace" || experiment == "logout-replay" { // these end the session
			visitor.PostForm(page+"/session", nil).Status(http.StatusSeeOther)
			name = claim(t, visitor.Cookies["LabAccessToken"], "username")
		}
		if now := claim(t, visitor.Cookies["LabAccessToken"], "username"); now != name {
			t.Errorf("after %s, the visitor is %s, not %s", experiment, now, name)
		}
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

// If the guests' database can't be opened, the lab is available to users only.
func TestWithoutGuests(t *testing.T) {
	site := testsite.New(t)
	if site.Config.MongoURI != "" {
		t.Skip("their documents are in the site's database")
	}
	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename(site.Config.DataDir, moved); err != nil {
		t.Fatal(err)
	}
	if _, err := models.OpenGuests(t.Context(), site.DB, time.Minute); err == nil {
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
