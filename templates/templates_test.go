package templates_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"tokentube/controllers"
	"tokentube/e2e/testsite"
	"tokentube/models"
	"tokentube/templates"
	"tokentube/utils/apperr"
	"tokentube/utils/respond"
)

// attack is a text with everything that users' text must not do: become markup, reverse its surroundings, or cover them
// with marks. The name identifies the attack.
func attack(name string) string {
	text := `"'><script>` + name + `</script>` + "\u2069\u202eש"
	if name == "tags" {
		return text // a tag is short
	}
	return text + strings.Repeat("\u0301", 7)
}

// escaped is an attack as a correct page shows it.
var escaped = regexp.MustCompile(`&lt;script&gt;(\w+)&lt;/script&gt;`)

// TestPages opens every page of a site that people have used, and of an empty one, as everybody who may see it, and
// submits every form. It finds all linked and routed pages; a template that nothing renders is a fault.
func TestPages(t *testing.T) {
	empty := newCrawler(t)
	empty.site.User("alice")
	for _, user := range []string{"", "alice"} {
		empty.person(user).look()
	}

	x := newCrawler(t)
	x.furnish()
	for _, user := range []string{"", "bob", "carol", "dave", "alice"} {
		p := x.person(user)
		p.look()
		p.send()
		x.enable("alice", "bob", "carol")
	}
	x.forget("carol")
	x.logInTwice()
	for _, user := range []string{"", "bob", "alice"} { // the results of all that
		x.person(user).look()
	}
	for _, name := range pageNames(t) {
		if !x.rendered[name] {
			t.Errorf("no page is rendered by templates/%s: link it from another one, or give it a route", name)
		}
	}
	for _, field := range []string{"fullName", "bio", "title", "description", "content", "tags", "alt", "query", "reply", "edited", "reported", "report"} {
		if !x.shown[field] {
			t.Errorf("no page shows a %s that is an attack: the test tests nothing", field)
		}
	}
	for _, state := range states {
		if !x.shown[state] {
			t.Errorf("no page has %s: it is not checked in that state", state)
		}
	}
}

// outside are the external URLs that our pages link to: the project they are compared with, and standards.
var outside = []string{"https://github.com/navraj-singh-dev/mega-project-javascript-backend", "https://www.rfc-editor.org/rfc/"}

// states are states that pages are only sometimes in, and that furnish brings about.
var states = []string{
	`class="theft"`, `class="flash"`, `role="alert"`, `aria-invalid="true"`, `class="empty"`, `class="badge draft"`, `class="owner-bar"`,
	`aria-pressed="true"`, `class="entry bad"`, `class="entry odd"`, `class="entry-count"`, `class="mark-here"`, `class="lab-result"`, `data-timeline`, `data-more`,
	`rel="nofollow ugc noopener"`, "(edited)", "This comment was deleted.", "Comments are turned off", "data-replies>", "Log in to comment", ">Author<",
	"Hidden by a moderator. Only you can see it. You can", "hidden by @dave", "A moderator hid the comment",
}

// forget requests a password reset, and inspects the mails and the pages they link to.
func (x *crawler) forget(user string) {
	p := x.person("")
	p.client.Change = func(r *http.Request) { r.RemoteAddr = "127.0.0.1:1" } // mails are shown to this machine
	x.site.User("newcomer")
	elsewhere := x.site.Client() // a new device, which they are notified of
	elsewhere.Header.Set("User-Agent", "curl/8.1")
	elsewhere.JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "newcomer", "password": testsite.Password}).Status(http.StatusOK)
	p.client.PostForm("/forgot-password", url.Values{"email": {user + "@example.com"}}).Status(http.StatusSeeOther)
	if _, err := x.site.DeliverDue(x.t.Context()); err != nil {
		x.t.Fatal(err)
	}
	mails := p.client.Get("/dev/mail")
	p.check("the mails", mails)
	for _, page := range []string{"reset-password", "confirm-email", "not-me"} {
		link := regexp.MustCompile("/" + page + `\?token=\w+`).FindString(mails.Body)
		p.check("the link to "+page, p.client.Get(link).Status(http.StatusOK))
	}
}

// logInTwice turns on two-step login, logs in with it, and inspects the pages along the way.
func (x *crawler) logInTwice() {
	p := &person{crawler: x, user: "erin", client: x.site.User("erin"), seen: map[string]bool{}}
	const app = "/settings/factors/authenticator"
	p.client.PostForm(app+"?_method=PUT", nil).Status(http.StatusSeeOther)
	p.check("the new app", p.client.Get(app))
	p.check("a wrong code", p.client.PostForm(app+"?_method=PATCH", url.Values{"code": {"wrong"}}).Status(http.StatusUnprocessableEntity))
	p.client.TurnOnTwoSteps()
	_, passkey, _ := p.client.AddPasskey(attack("name"))
	p.check("a passkey", p.client.Get("/settings/factors/passkeys/"+passkey))
	p.check("a passkey with a wrong name", p.client.PostForm("/settings/factors/passkeys/"+passkey+"?_method=PATCH", url.Values{"name": {""}}).Status(http.StatusUnprocessableEntity))
	p.check("two-step login", p.client.Get("/settings/factors"))
	p.check("a confirmation with a code", p.client.Get("/confirm"))
	p.check("recovery codes", p.client.PostForm("/settings/factors/recovery-codes?_method=PUT", nil).Status(http.StatusOK))
	guest := x.person("")
	guest.client.PostForm("/login", url.Values{"identifier": {"erin"}, "password": {testsite.Password}}).Status(http.StatusSeeOther)
	guest.check("the second step", guest.client.Get("/login/code"))
	guest.check("a wrong second step", guest.client.PostForm("/login/code", url.Values{"code": {"wrong"}}).Status(http.StatusUnprocessableEntity))
}

// furnish creates the content that pages are known to show: posts of all kinds, more than one page of them, likes,
// drafts, an edited draft, devices, a long security log, and the notice of a theft.
func (x *crawler) furnish() {
	alice, bob, carol := x.site.User("alice"), x.site.User("bob"), x.site.User("carol")
	var posts []string
	for _, visibility := range []string{"draft", "public"} {
		video := alice.Upload("POST", "/api/v1/videos/publish-video", map[string]string{"title": "A video", "tags": "one,two", "visibility": visibility},
			testsite.File{Field: "videoFile", Name: "a.mp4", Content: x.files["video"]})
		photo := alice.Upload("POST", "/api/v1/photos", map[string]string{"title": "A photo", "alt": "A line", "visibility": visibility},
			testsite.File{Field: "photo", Name: "a.png", Content: x.files["image"]})
		text := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "Words.", "visibility": visibility})
		for _, answer := range []*testsite.Answer{video, photo, text} {
			posts = append(posts, answer.Status(http.StatusCreated).ID())
		}
		alice.JSON("PATCH", "/api/v1/tweets/"+posts[len(posts)-1], testsite.M{"content": "Other words."}).Status(http.StatusOK)
	}
	for i := range 21 {
		alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "Words " + strconv.Itoa(i)}).Status(http.StatusCreated)
		x.site.Client().PostForm("/login", url.Values{"identifier": {"alice"}, "password": {"wrong"}}).Status(http.StatusUnauthorized)
		x.site.SignIn("alice").PostForm("/logout", nil).Status(http.StatusSeeOther)
	}
	for _, post := range posts[3:] {
		bob.JSON("PUT", "/api/v1/likes/v/"+post, nil).Status(http.StatusOK)
	}
	x.comment(alice, bob, posts[3])
	x.site.SignIn("alice")
	x.site.SignIn("alice").JSON("DELETE", "/api/v1/users/sessions", nil).Status(http.StatusOK)
	x.steal(carol)
	x.appoint("dave")
	x.moderate(x.site.SignIn("alice"), bob)
}

// moderate reports posts, comments and a channel, with an attack as the text, and has an administrator hide them all
// but the channel, whose case stays open.
func (x *crawler) moderate(alice, bob *testsite.Client) {
	dave := x.site.SignIn("dave")
	post := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": attack("reported")}).Status(http.StatusCreated).ID()
	comment := alice.JSON("POST", "/api/v1/comments/"+post, testsite.M{"content": attack("reported")}).Status(http.StatusCreated).ID()
	owner := alice.JSON("GET", "/api/v1/users/get-current-user", nil).Status(http.StatusOK).ID()
	for _, what := range []string{"channels/" + owner, "comments/" + comment, "posts/" + post} {
		bob.JSON("POST", "/api/v1/reports/"+what, testsite.M{"reason": "other", "text": attack("report")}).Status(http.StatusOK)
		x.site.Clock.Advance(time.Second)
	}
	cases, _ := dave.JSON("GET", "/api/v1/admin/reports", nil).Status(http.StatusOK).Data()["cases"].([]any)
	for _, one := range cases {
		of := one.(map[string]any)
		if of["target"].(map[string]any)["kind"] != "channel" { // stays open
			dave.JSON("PATCH", "/api/v1/admin/reports/"+of["_id"].(string), testsite.M{"action": "hide"}).Status(http.StatusOK)
		}
	}
	open := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "Words."}).Status(http.StatusCreated).ID()
	said := alice.JSON("POST", "/api/v1/comments/"+open, testsite.M{"content": "Hidden words."}).Status(http.StatusCreated).ID()
	bob.JSON("POST", "/api/v1/reports/comments/"+said, testsite.M{"reason": "spam"}).Status(http.StatusOK)
	latest := dave.JSON("GET", "/api/v1/admin/reports?limit=1", nil).Status(http.StatusOK).Data()["cases"].([]any)[0].(map[string]any)
	dave.JSON("PATCH", "/api/v1/admin/reports/"+latest["_id"].(string), testsite.M{"action": "hide"}).Status(http.StatusOK)
}

// comment lets two users discuss a post: with replies, edited, liked, deleted with a reply remaining, and where
// comments are off.
func (x *crawler) comment(alice, bob *testsite.Client, post string) {
	say := func(c *testsite.Client, post, parent, words string) string {
		return c.JSON("POST", "/api/v1/comments/"+post, testsite.M{"content": words, "parent": parent}).Status(http.StatusCreated).ID()
	}
	deleted := say(bob, post, "", "Words.")
	say(alice, post, deleted, "To nothing.")
	bob.JSON("DELETE", "/api/v1/comments/c/"+deleted, nil).Status(http.StatusOK)
	first := say(bob, post, "", "@alice, look: https://elsewhere.example/a?b=<script>"+attack("linked"))
	say(alice, post, first, "@bob "+attack("reply"))
	bob.JSON("PATCH", "/api/v1/comments/c/"+first, testsite.M{"content": "@alice, https://elsewhere.example/ and " + attack("edited")}).Status(http.StatusOK)
	alice.JSON("PUT", "/api/v1/likes/c/"+first, nil).Status(http.StatusOK)
	off := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "No comment.", "commentsOff": true}).Status(http.StatusCreated).ID()
	bob.JSON("POST", "/api/v1/comments/"+off, testsite.M{"content": "Words."}).Status(http.StatusForbidden)
}

// enable reverts the actions of an administrator who submitted every form.
func (x *crawler) enable(names ...string) {
	for _, name := range names {
		user, err := x.site.Users.ByLogin(x.t.Context(), name)
		if apperr.Is(err, apperr.NotFound) { // renamed, or deleted, by a form
			continue
		}
		if err == nil {
			err = x.site.Moderation.Enable(x.t.Context(), models.Moderator{}, user.ID)
		}
		if err != nil {
			x.t.Fatal(err)
		}
	}
}

// steal uses a refresh token of a session that has been renewed many times since.
func (x *crawler) steal(owner *testsite.Client) {
	const renewal = "/api/v1/users/regenerate-tokens"
	thief := owner.Copy()
	for range 2 {
		owner.JSON("POST", renewal, nil).Status(http.StatusOK)
		x.site.Clock.Advance(time.Hour)
	}
	thief.JSON("POST", renewal, nil).Status(http.StatusUnauthorized)
}

// appoint creates a user who is an administrator.
func (x *crawler) appoint(name string) {
	x.site.User(name)
	user, err := x.site.Users.ByLogin(x.t.Context(), name)
	if err == nil {
		_, err = x.site.Users.SetRoles(x.t.Context(), user.ID, []string{"admin"})
	}
	if err != nil {
		x.t.Fatal(err)
	}
}

// Some failures are hard to provoke: the error page is rendered for all of them.
func TestErrorPages(t *testing.T) {
	asset := func(name string) string { return "/static/" + name + "?v=1" }
	pages, err := respond.NewRenderer(templates.FS, respond.Funcs(asset, time.Now))
	if err != nil {
		t.Fatal(err)
	}
	for _, viewer := range []any{nil, controllers.Viewer{ID: "1", Username: "alice", FullName: attack("fullName"), Email: attack("email")}} {
		for _, status := range []int{401, 403, 404, 405, 409, 413, 415, 418, 422, 429, 500, 503} {
			text, err := pages.String("errors/show", respond.Page{
				Viewer: viewer, Path: "/" + attack("path"), Status: status, Message: attack("message"), RequestID: attack("id"), BaseURL: "https://localhost",
			})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(text, strconv.Itoa(status)) || !strings.Contains(text, "&lt;script&gt;message") {
				t.Errorf("%d is not told:\n%s", status, text)
			}
			doc, err := html.Parse(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			checkPage(func(form string, args ...any) { t.Errorf(strconv.Itoa(status)+": "+form, args...) }, text, doc)
		}
	}
}

func TestFaultsStandBesideTheirFields(t *testing.T) {
	c := testsite.New(t).Client()
	c.PostForm("/login", url.Values{"identifier": {"alice"}}).Status(http.StatusUnprocessableEntity).Has(
		`value="alice"`, `role="alert"`, `aria-invalid="true" aria-describedby="password-error"`, `id="password-error"`)
	c.PostForm("/login", url.Values{"password": {"secret words"}}).Status(http.StatusUnprocessableEntity).Has(
		`aria-invalid="true" aria-describedby="identifier-error"`, `id="identifier-error"`).HasNot("secret words")
}

// report receives what is wrong with a page.
type report func(form string, args ...any)

// checkPage checks what the site's policy and users of assistive technology require, and that users' text is not
// interpreted as anything else.
func checkPage(fault report, text string, doc *html.Node) {
	for _, wrong := range []string{"<script>", "ZgotmplZ", "%!", "<no value>"} {
		if strings.Contains(text, wrong) {
			fault("the page contains %q", wrong)
		}
	}
	checkDocument(fault, doc)
	checkIsolated(fault, doc)
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode {
			checkPolicy(fault, n)
		}
	}
}

// checkIsolated: no text affects its surroundings, whether it is shown, read out, or in the title. Values that a form
// sends back stay as typed, in a field that determines its own direction.
func checkIsolated(fault report, doc *html.Node) {
	for n := range doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "textarea" {
			if wrong := testsite.Disturbs(n.Data); wrong != "" {
				fault("<%s> shows %+q: %s", n.Parent.Data, n.Data, wrong)
			}
			continue
		}
		sent := attr(n, "value")
		if n.Data == "textarea" && n.FirstChild != nil {
			sent = n.FirstChild.Data
		}
		visible := n.Data == "textarea" || n.Data == "input" && attr(n, "type") != "hidden"
		if visible && testsite.Disturbs(sent) != "" && attr(n, "dir") != "auto" {
			fault("the field %s has no dir=auto", attr(n, "name"))
		}
		for _, a := range n.Attr {
			raw := a.Key == "value" || slices.Contains(addresses, a.Key) || strings.HasPrefix(a.Key, "data-")
			if wrong := testsite.Disturbs(a.Val); !raw && wrong != "" {
				fault("%s on <%s> is %+q: %s", a.Key, n.Data, a.Val, wrong)
			}
		}
	}
}

// addresses are the attributes that browsers follow.
var addresses = []string{"href", "src", "action", "formaction", "poster", "srcset", "data", "cite", "ping"}

// checkPolicy: nothing inline, and nothing from another site.
func checkPolicy(fault report, n *html.Node) {
	if n.Data == "style" || n.Data == "base" || n.Data == "iframe" || n.Data == "object" || n.Data == "embed" {
		fault("a <%s> inside the page", n.Data)
	}
	for _, a := range n.Attr {
		switch {
		case strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc":
			fault("%s=%q on <%s>", a.Key, a.Val, n.Data)
		case slices.Contains(addresses, a.Key) || a.Key == "content" && strings.HasPrefix(a.Val, "http"):
			if n.Data == "a" && attr(n, "rel") == "nofollow ugc noopener" && strings.HasPrefix(a.Val, "https://elsewhere.example/") {
				continue // written by a user, and marked as such
			}
			if n.Data == "a" && attr(n, "rel") == "noopener" && slices.ContainsFunc(outside, func(prefix string) bool { return strings.HasPrefix(a.Val, prefix) }) {
				continue
			}
			to, err := url.Parse(a.Val)
			if err != nil || to.Host != "" && to.Host != "localhost" || to.Scheme != "" && to.Scheme != "https" || to.Opaque != "" {
				fault("<%s %s=%q> leads elsewhere", n.Data, a.Key, a.Val)
			}
		}
	}
}

func checkDocument(fault report, doc *html.Node) {
	labels, ids, count, level := map[string]bool{}, map[string]bool{}, map[string]int{}, 0
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		count[n.Data]++
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				fault("id %q twice", id)
			}
			ids[id] = true
		}
		if id := attr(n, "for"); n.Data == "label" && id != "" {
			labels[id] = true
		}
		if n.Data == "script" && (attr(n, "src") == "" || n.FirstChild != nil) {
			fault("a script inside the page")
		}
		if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6' {
			if now := int(n.Data[1] - '0'); now > level+1 {
				fault("<%s> after level %d", n.Data, level)
			} else {
				level = now
			}
		}
	}
	if count["h1"] != 1 || count["main"] != 1 || count["title"] < 1 {
		fault("%d h1, %d main, %d title", count["h1"], count["main"], count["title"])
	}
	for n := range doc.Descendants() {
		checkElement(fault, n, labels, ids)
	}
}

func checkElement(fault report, n *html.Node, labels, ids map[string]bool) {
	for _, id := range strings.Fields(attr(n, "aria-describedby")) {
		if !ids[id] {
			fault("%s is described by %q, which is not there", attr(n, "name"), id)
		}
	}
	kind := attr(n, "type")
	switch {
	case n.Data == "img" && !has(n, "alt"):
		fault("no alt on %s", attr(n, "src"))
	case n.Data == "input" && kind == "password" && has(n, "value"):
		fault("a password is written back")
	case n.Data != "input" && n.Data != "textarea" && n.Data != "select", kind == "hidden", has(n, "hidden"), labels[attr(n, "id")]:
	case n.Parent.Data != "label":
		fault("no label for %s %s", n.Data, attr(n, "name"))
	}
}

func attr(n *html.Node, name string) string {
	value, _ := testsite.Attribute(n, name)
	return value
}

func has(n *html.Node, name string) bool {
	_, there := testsite.Attribute(n, name)
	return there
}
