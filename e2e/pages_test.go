package e2e_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/e2e/testsite"
	"tokentube/models"
)

// pages are the site's pages as guests and as users see them.
type pages struct{ guest, user []string }

// furnish creates content of every kind, and lists the pages that show it.
func (s *site) furnish() pages {
	s.t.Helper()
	alice := s.User("alice")
	alice.JSON("PATCH", "/api/v1/users/update-user-bio", testsite.M{"bio": "Pictures made by code."}).Status(http.StatusOK)
	create := func(path string, fields map[string]string, files ...testsite.File) string {
		return alice.Upload("POST", "/api/v1"+path, fields, files...).Status(http.StatusCreated).ID()
	}
	photo := testsite.File{Field: "photo", Name: "photo.png", Content: pictureBytes(s.t)}
	video := "/watch/" + create("/videos/publish-video", map[string]string{"title": "A square goes by", "description": "From left to right, and again.", "tags": "square,motion"},
		testsite.File{Field: "videoFile", Name: "video.mp4", Content: testsite.Video})
	picture := "/photos/" + create("/photos", map[string]string{"title": strings.Repeat("Averylongtitlewithoutspaces", 3), "alt": "A square"}, photo)
	draft := "/photos/" + create("/photos", map[string]string{"title": "A draft", "alt": "A square", "visibility": "draft"}, photo)
	words := "/posts/" + alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "A few words. " + strings.Repeat("Longword", 40), "tags": "words"}).Status(http.StatusCreated).ID()
	bob := s.User("bob")
	bob.JSON("PUT", "/api/v1/likes/v/"+strings.TrimPrefix(video, "/watch/"), nil).Status(http.StatusOK)
	ids := map[string]string{}
	for name, c := range map[string]*testsite.Client{"alice": alice, "bob": bob} {
		ids[name] = c.JSON("GET", "/api/v1/users/get-current-user", nil).Status(http.StatusOK).ID()
	}
	playlist := alice.JSON("POST", "/api/v1/playlist", testsite.M{"name": "Squares " + strings.Repeat("andmore", 12), "description": "All that goes by.", "visibility": "public"}).Status(http.StatusCreated).ID()
	for _, path := range []string{video, picture, words} {
		alice.JSON("PATCH", "/api/v1/playlist/add/"+path[strings.LastIndex(path, "/")+1:]+"/"+playlist, nil).Status(http.StatusOK)
	}
	alice.JSON("PUT", "/api/v1/subscriptions/c/"+ids["bob"], nil).Status(http.StatusOK)
	bob.JSON("PUT", "/api/v1/subscriptions/c/"+ids["alice"], nil).Status(http.StatusOK)
	say := func(c *testsite.Client, parent, words string) string {
		return c.JSON("POST", "/api/v1/comments/"+strings.TrimPrefix(video, "/watch/"), testsite.M{"content": words, "parent": parent}).Status(http.StatusCreated).ID()
	}
	comment := say(bob, "", "Look at https://example.com/"+strings.Repeat("longaddress", 20)+" @alice\n\nIt is #square.")
	say(alice, comment, "Thank you!")
	say(alice, say(bob, "", "Gone soon."), "An answer.")
	mine := say(alice, "", strings.Repeat("Longword", 40))
	bob.JSON("DELETE", "/api/v1/comments/c/"+comment, nil).Status(http.StatusOK)
	bobs := bob.JSON("POST", "/api/v1/tweets", testsite.M{"content": "Words of bob."}).Status(http.StatusCreated).ID()
	comment = say(bob, "", "Still here: "+strings.Repeat("\u0321\u0489", 60))

	s.SignIn("alice").JSON("PUT", "/api/v1/users/factors/authenticator", nil).Status(http.StatusOK)

	open := []string{"/", "/?kind=video", "/?kind=photo", "/?kind=text", video, picture, words, "/@alice", "/@bob", "/no-such-page",
		"/comments/" + strings.TrimPrefix(video, "/watch/"), "/comments/c/" + comment}
	return pages{
		guest: append(append(open, "/login", "/register", "/forgot-password", s.resetLink("bob"), "/dev/mail",
			"/confirm-email?token="+s.link(ids["bob"], models.ConfirmEmail), "/not-me?token="+s.link(ids["bob"], models.NotMe)), s.lessons()...),
		user: append(open, draft, "/@alice?kind=text", "/@alice?tab=drafts", "/create?kind=video", "/create?kind=photo", "/create?kind=text",
			video+"/edit", picture+"/edit", words+"/edit", words+"/delete", video+"/delete", picture+"/delete", "/comments/c/"+mine+"/edit",
			"/subscriptions", "/history", "/liked", "/playlists", "/playlists/watch-later", "/playlists/"+playlist, "/playlists/"+playlist+"/edit", "/playlists/save/"+strings.TrimPrefix(video, "/watch/"), "/@alice?tab=playlists", "/subscriptions/c/"+ids["alice"],
			"/welcome", "/studio", "/dashboard", "/notifications", "/search?q=square", "/settings/notifications", "/settings/blocks", "/settings/data", "/api/docs",
			"/reports/posts/"+bobs, "/reports/channels/"+ids["bob"], "/reports/comments/"+comment, "/admin/reports", "/admin/reports/"+s.reported(ids["alice"], bobs), "/admin/accounts?username=bob",
			"/confirm?next=/settings/factors", "/settings/factors", "/settings/factors/authenticator", "/settings/security/not-me",
			"/token-lab/editor", "/token-lab/decoder",
			"/settings/profile", "/settings/account", "/settings/password", "/settings/sessions", "/settings/security", "/settings/delete", "/token-lab"),
	}
}

// reported makes the user an administrator and lets somebody else report a post; it returns the id of the case.
func (s *site) reported(admin, post string) string {
	s.t.Helper()
	id, err := bson.ObjectIDFromHex(admin)
	check(s.t, err)
	_, err = s.Users.SetRoles(s.t.Context(), id, []string{models.Admin})
	check(s.t, err)
	s.User("carol").JSON("POST", "/api/v1/reports/posts/"+post, testsite.M{"reason": "spam", "text": "Look at this."}).Status(http.StatusOK)
	cases := s.SignIn("alice").JSON("GET", "/api/v1/admin/reports", nil).Status(http.StatusOK).Data()["cases"].([]any)
	return cases[0].(testsite.M)["_id"].(string)
}

// resetLink requests a password reset, and returns the link in the mail.
func (s *site) resetLink(user string) string {
	s.t.Helper()
	c := s.Client()
	c.Change = func(r *http.Request) { r.RemoteAddr = "127.0.0.1:1" } // mails are shown to this machine
	c.PostForm("/forgot-password", url.Values{"email": {user + "@example.com"}}).Status(http.StatusSeeOther)
	_, err := s.DeliverDue(s.t.Context())
	check(s.t, err)
	return regexp.MustCompile(`/reset-password\?token=\w+`).FindString(c.Get("/dev/mail").Status(http.StatusOK).Body)
}

// passkeyPage gives a user a passkey, and returns its page.
func (s *site) passkeyPage(user string) string {
	s.t.Helper()
	u, err := s.Users.ByUsername(s.t.Context(), user)
	check(s.t, err)
	key := &models.Passkey{User: u.ID, Credential: []byte("credential"), PublicKey: []byte("key"), Name: "Phone"}
	_, err = s.Factors.AddPasskey(s.t.Context(), key)
	check(s.t, err)
	return "/settings/factors/passkeys/" + key.ID.Hex()
}

// link is the secret in a link for this purpose.
func (s *site) link(user string, purpose models.Purpose) string {
	s.t.Helper()
	return s.linkTo(user, purpose, "")
}

// linkTo is a link sent to an address which the account may no longer have; without one, to its current address.
func (s *site) linkTo(user string, purpose models.Purpose, address string) string {
	s.t.Helper()
	id, err := bson.ObjectIDFromHex(user)
	check(s.t, err)
	u, err := s.Users.ByID(s.t.Context(), id)
	check(s.t, err)
	secret, err := s.Links.Make(s.t.Context(), u, purpose, cmp.Or(address, u.Email))
	check(s.t, err)
	return secret
}

// noPages are paths that don't return a page to inspect, or one that is inspected elsewhere.
var noPages = []string{
	"/.well-known/jwks.json", "/api/openapi.json", "/sitemap.xml", "/robots.txt", "/@:username/feed.atom", "/healthz", "/readyz", "/static/*name", "/media/public/:name", "/media/posts/:id", "/media/posts/:id/preview", "/media/posts/:id/thumbnail",
	"/settings", "/settings/data/export", "/learn/", "/learn/from-express", "/token-lab/events", "/token-lab/target", "/token-lab/target/editor", "/token-lab/visitor", "/token-lab/visitor/editor",
	"/login/code", // requires half a login
}

// unseen are the site's pages that none of these paths opens.
func (s *site) unseen(paths []string) (routes []string) {
	parameter := regexp.MustCompile(`[:*]\w+`)
	for _, r := range s.Engine.Routes() {
		if r.Method != http.MethodGet || strings.HasPrefix(r.Path, "/api/v1/") || slices.Contains(noPages, r.Path) {
			continue
		}
		pattern := regexp.MustCompile("^" + parameter.ReplaceAllString(regexp.QuoteMeta(r.Path), `[^/]+`) + "$")
		if !slices.ContainsFunc(paths, func(path string) bool { path, _, _ = strings.Cut(path, "?"); return pattern.MatchString(path) }) {
			routes = append(routes, r.Path)
		}
	}
	return routes
}

// lessons are the pages of Learn.
func (s *site) lessons() []string {
	s.t.Helper()
	paths := []string{"/learn"}
	for _, l := range s.Client().JSON("GET", "/learn", nil).Status(http.StatusOK).Data()["lessons"].([]any) {
		paths = append(paths, "/learn/"+l.(testsite.M)["slug"].(string))
	}
	return paths
}

// TestPages inspects every page, narrow and wide, in light and dark.
func TestPages(t *testing.T) {
	s := open(t)
	all := s.furnish()
	p := s.Browser()
	p.Expect("status of 404", "status of 401", "status of 409")
	axe := loadAxe(t)
	for _, path := range all.guest {
		p.Go(path)
		p.inspect(path+" (guest)", axe)
	}
	s.User("dave").TurnOnTwoSteps()
	p.Go("/login")
	p.logIn("dave", testsite.Password)
	p.At("/login/code")
	p.inspect("/login/code", axe)
	p.Go("/login")
	p.logIn("alice", "not her password at all")
	p.Sees("Wrong username or password.")
	p.inspect("/login (refused)", axe)
	p.Go("/register")
	p.register("alice")
	p.faultAt("Username", "already in use")
	p.inspect("/register (refused)", axe)

	p.Go("/login")
	p.logIn("alice", testsite.Password)
	p.At("/")
	p.inspect("/ (flash)", axe)
	all.user = append(all.user, s.passkeyPage("alice")) // only now: from here on, a login takes a second step
	for _, route := range s.unseen(slices.Concat(all.guest, all.user)) {
		t.Errorf("%s is looked at by no test: add it to the pages, or to what is none", route)
	}
	for _, path := range all.user {
		p.Go(path)
		p.inspect(path, axe)
	}
	p.inspectLab(axe)
	p.inspectEditor(axe)
	p.Press("Your menu")
	p.inspect("the open menu", axe)
}

func loadAxe(t *testing.T) string {
	t.Helper()
	path := os.Getenv("AXE_JS")
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("AXE_JS does not name the file of axe-core")
		}
		t.Log("the pages are not checked by axe-core: AXE_JS does not name its file")
		return ""
	}
	source, err := os.ReadFile(path)
	check(t, err)
	return string(source)
}

// inspect checks the page's width, its single heading, and the findings of axe-core.
func (p *tab) inspect(name, axe string) {
	p.t.Helper()
	if axe != "" {
		evaluate[chromedp.Void](p, axe)
	}
	for _, look := range []struct {
		width  int64
		scheme string
	}{{1280, "light"}, {1280, "dark"}, {360, "dark"}, {360, "light"}} {
		at := fmt.Sprintf("%s at %d, %s", name, look.width, look.scheme)
		p.look(look.width, look.scheme)
		if room := evaluate[float64](p, `document.querySelector(".search input")?.clientWidth ?? 1000`); room < 120 {
			p.t.Errorf("%s: the search field has %.0f pixels", at, room)
		}
		if fit := evaluate[[]int](p, `[document.documentElement.scrollWidth, innerWidth]`); fit[0] > fit[1] {
			p.t.Errorf("%s: scrolls sideways, %d pixels in %d; widest: %s", at, fit[0], fit[1], evaluate[string](p, widest))
		}
		if n := evaluate[int](p, `document.querySelectorAll("h1").length`); n != 1 {
			p.t.Errorf("%s: %d h1", at, n)
		}
		if axe != "" {
			p.check(at)
		}
	}
}

const widest = `[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1).slice(0, 3).map((e) => e.outerHTML.replace(/\s+/g, " ").slice(0, 120)).join(" | ")`

// look sets the window's width and the colour scheme.
func (p *tab) look(width int64, scheme string) {
	p.t.Helper()
	p.do("resize", chromedp.EmulateViewport(width, 900))
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	check(p.t, err)
	if !p.plain { // otherwise nothing that the page promises arrives
		evaluate[chromedp.Void](p, painted)
	}
}

// painted waits until colours stop changing: a parent's transition may start those of its children.
const painted = `(async () => {
  const changing = () => document.getAnimations().filter((a) => a.effect.getComputedTiming().endTime !== Infinity);
  for (let quiet = 0; quiet < 3; quiet = changing().length ? 0 : quiet + 1) {
    await Promise.allSettled(changing().map((a) => a.finished));
    await new Promise(requestAnimationFrame);
  }
})()`

type violation struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML, FailureSummary string }
}

// check runs axe-core with the rules of WCAG 2.2 AA.
func (p *tab) check(at string) {
	p.t.Helper()
	const run = `axe.run(document, { resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }).then((r) => JSON.stringify(r.violations))`
	var found []violation
	check(p.t, json.Unmarshal([]byte(evaluate[string](p, run)), &found))
	for _, v := range found {
		for _, node := range v.Nodes {
			p.t.Errorf("%s: %s (%s): %s\n%s\n%s", at, v.ID, v.Impact, v.Help, node.HTML, node.FailureSummary)
		}
	}
}
