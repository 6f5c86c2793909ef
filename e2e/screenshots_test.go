package e2e_test

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/e2e/testsite"
	"tokentube/models"
	"tokentube/models/sample"
	"tokentube/models/store"
)

// TestScreenshots takes screenshots of the main pages of a site with sample content, in the folder that SCREENSHOTS
// names, for people to look at.
func TestScreenshots(t *testing.T) {
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		t.Skip("SCREENSHOTS names no folder")
	}
	s := open(t)
	_, err := sample.Filler{Site: s.Data.Site, Files: s.Media, Hasher: s.Hasher}.Fill(t.Context())
	check(t, err)
	s.User("alice")
	p := s.Browser()
	p.Go("/")
	p.photograph(folder, "guest-home")
	p.Go("/register")
	p.photograph(folder, "register")
	p.Go("/login")
	p.photograph(folder, "login")
	p.logIn("alice", testsite.Password)
	p.At("/")
	p.Go("/") // without the greeting
	p.Go("/subscriptions")
	p.photograph(folder, "subscriptions-none")
	p.Go("/")
	p.Go(p.first("/@"))
	p.click(subscribeButton)
	p.Sees("Subscribed")
	p.Go("/playlists")
	p.Fill("Name", "Boats and water")
	p.Press("Create playlist")
	p.Sees("Boats and water")
	for _, kind := range []string{"/watch/", "/photos/", "/posts/"} {
		p.Go("/")
		p.Go(p.first(kind))
		p.Follow("Save to playlist")
		p.Press("Save to Boats and water")
		p.Sees("Saved to the playlist.")
		if kind == "/watch/" {
			p.photograph(folder, "saving")
		}
	}
	p.Go("/playlists")
	p.Follow("Boats and water")
	p.Sees("Remove")
	p.photograph(folder, "playlist")
	p.Go("/")
	for name, at := range map[string]string{
		"home": "/", "video": p.first("/watch/"), "photo": p.first("/photos/"), "words": p.first("/posts/"), "channel": p.first("/@"),
		"create": "/create?kind=video", "profile": "/settings/profile", "password": "/settings/password", "sessions": "/settings/sessions", "security": "/settings/security", "own-channel": "/@alice", "subscriptions": "/subscriptions", "history": "/history", "playlists": "/playlists", "liked": "/liked", "search": "/search?q=the", "trending": "/?tab=trending", "studio": "/studio", "dashboard": "/dashboard", "notifications": "/notifications", "data": "/settings/data", "blocks": "/settings/blocks", "notices": "/settings/notifications", "account": "/settings/account", "api": "/api/docs", "comments": "/comments/" + path.Base(p.first("/posts/")),
		"learn": "/learn", "lesson": "/learn/rotation", "lesson-jwt": "/learn/jwt", "compared": "/learn/compared", "decoder": "/token-lab/decoder",
	} {
		p.Go(at)
		p.photograph(folder, name)
	}
	p.photographFactors(folder)
	p.Go("/token-lab")
	p.photograph(folder, "lab-empty")
	p.Press("Start a session")
	p.Sees("The tokens in your browser")
	p.photograph(folder, "lab")
	p.Go("/token-lab/editor?preset=kid")
	p.photograph(folder, "editor")
	p.Press("kid: ../../etc/passwd")
	p.Sees("401 Unauthorized")
	p.photograph(folder, "editor-sent")
	p.Go("/token-lab")
	for _, button := range labButtons {
		p.look(1280, "light")
		p.try(button.name)
		p.photograph(folder, "lab-"+button.name)
	}
	p.Expect("status of 404")
	p.Go("/no-such-page")
	p.photograph(folder, "not-found")
}

// TestScreenshotsOfStates takes screenshots of rare states: large numbers, all kinds of names and texts, deleted
// content, and the pages that emails link to.
func TestScreenshotsOfStates(t *testing.T) {
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		t.Skip("SCREENSHOTS names no folder")
	}
	s := open(t)
	alice, karim := s.User("alice"), s.User("karim")
	id := func(c *testsite.Client) string {
		return c.JSON("GET", "/api/v1/users/get-current-user", nil).Status(200).ID()
	}
	photo := func(fields map[string]string) string {
		return "/photos/" + alice.Upload("POST", "/api/v1/photos", fields, testsite.File{Field: "photo", Name: "photo.png", Content: pictureBytes(t)}).Status(201).ID()
	}
	popular := photo(map[string]string{"title": "Much liked", "alt": "A square"})
	draft := photo(map[string]string{"title": "Not yet", "alt": "A square", "visibility": "draft"})
	arabic := "/posts/" + karim.JSON("POST", "/api/v1/tweets", testsite.M{"content": "مرحبا بكم في قناتي! هنا أكتب عن البحر والقوارب.\n\nA line in English, with #boats, and שלום."}).Status(201).ID()
	english := "/posts/" + karim.JSON("POST", "/api/v1/tweets", testsite.M{"content": "First a line in English, with #boats.\n#بحر ثم سطر بالعربية عن البحر والقوارب، وكلمة English في وسطه.\n\nAnd English again."}).Status(201).ID()
	karim.JSON("POST", "/api/v1/comments/"+path.Base(popular), testsite.M{"content": "صورة جميلة جدا\nBeautiful, really."}).Status(201)
	karim.JSON("PATCH", "/api/v1/users/update-user-bio", testsite.M{"bio": "I write about the sea.\nأكتب عن البحر والقوارب."}).Status(200)
	karim.JSON("PATCH", "/api/v1/users/update-user-fullname", testsite.M{"fullName": "محمد عبد الرحمن بن عبد العزيز آل إبراهيم"}).Status(200)
	alice.JSON("PATCH", "/api/v1/users/update-user-fullname", testsite.M{"fullName": strings.Repeat("Wolfeschlegelstein", 4)}).Status(200)
	for account, numbers := range map[string]bson.D{
		id(alice): {{Key: "subscribersCount", Value: 3_400_000}, {Key: "postsCount", Value: 12_345}},
		id(karim): {{Key: "subscribersCount", Value: 999}},
	} {
		s.set("users", account, numbers)
	}
	s.set("posts", path.Base(popular), bson.D{{Key: "views", Value: 1_234_567}, {Key: "likesCount", Value: 98_765}, {Key: "commentsCount", Value: 1_001}})
	dave := s.User("dave")
	dave.JSON("DELETE", "/api/v1/users/me", testsite.M{"password": testsite.Password}).Status(200)
	s.User("erin")

	p := s.Browser()
	p.Expect("status of 404", "status of 401", "status of 422")
	p.Go("/login?next=/@alice")
	p.logIn("erin", testsite.Password)
	p.At("/@alice")
	for name, at := range map[string]string{
		"state-gone-channel": "/@dave", "state-popular-channel": "/@alice", "state-popular": popular, "state-home": "/", "state-draft-visitor": draft,
		"state-arabic": arabic, "state-english": english, "state-arabic-channel": "/@karim", "state-search": "/search?q=square", "state-no-result": "/search?q=nothing",
	} {
		p.Go(at)
		p.photograph(folder, name)
	}
	p.Go(popular)
	p.enhanced(likeForm, "submit")
	other := p.Tab()
	other.Go("/")
	other.Press("Your menu")
	other.Press("Log out")
	other.Sees("You are logged out.")
	p.look(1280, "light")
	p.click(likeButton)
	p.until("the login page", `location.pathname === "/login" && document.readyState === "complete"`)
	p.photograph(folder, "state-ended-elsewhere")

	owner := p.Stranger()
	owner.Expect("status of 422", "status of 404")
	owner.Go("/login?next=" + draft)
	owner.logIn("alice", testsite.Password)
	owner.At(draft)
	owner.Go(draft)
	owner.photograph(folder, "state-draft-owner")
	owner.Go("/studio")
	owner.photograph(folder, "state-studio")
	owner.Go(popular + "/edit")
	owner.photograph(folder, "state-edit")
	reported := "/admin/reports/" + s.reported(id(alice), path.Base(arabic))
	for name, at := range map[string]string{"state-accounts": "/admin/accounts", "state-account": "/admin/accounts?username=erin", "state-account-none": "/admin/accounts?username=nobody", "state-reports": "/admin/reports", "state-reports-closed": "/admin/reports?state=closed", "state-report-case": reported, "state-report-form": "/reports" + arabic} {
		owner.Go(at)
		owner.photograph(folder, name)
	}

	s.set("users", id(karim), bson.D{{Key: "formerEmails", Value: []models.FormerEmail{{Address: "karim.before@example.com", Until: s.Clock.Now().Add(time.Hour)}}}})
	guest := owner.Stranger()
	guest.Expect("status of 404", "status of 422", "status of 410")
	for name, at := range map[string]string{
		"mail-confirm": "/confirm-email?token=" + s.link(id(karim), models.ConfirmEmail), "mail-reset": "/reset-password?token=" + s.link(id(karim), models.ResetPassword),
		"mail-not-me": "/not-me?token=" + s.link(id(karim), models.NotMe), "mail-not-me-undo": "/not-me?token=" + s.linkTo(id(karim), models.NotMe, "karim.before@example.com"), "mail-confirm-bad": "/confirm-email?token=nonsense",
		"mail-reset-bad": "/reset-password?token=nonsense", "mail-not-me-bad": "/not-me?token=nonsense", "mail-forgot": "/forgot-password", "mail-dev": "/dev/mail",
	} {
		guest.Go(at)
		guest.photograph(folder, name)
	}
	guest.Go("/not-me?token=" + s.link(id(karim), models.NotMe))
	guest.look(1280, "light")
	guest.click(`document.querySelector("main form button")`)
	guest.Sees("Every device is signed out", "Choose a new password")
	guest.until("the page", `document.readyState === "complete" && location.pathname === "/reset-password"`)
	guest.photograph(folder, "mail-not-me-done")

	plain := guest.Stranger().withoutScripts()
	plain.Go("/login?next=/")
	plain.logIn("erin", testsite.Password)
	plain.At("/")
	plain.photograph(folder, "plain-home")
	for name, at := range map[string]string{"plain-popular": popular, "plain-create": "/create?kind=video", "plain-lab": "/token-lab", "plain-sessions": "/settings/sessions", "plain-lesson": "/learn/rotation"} {
		plain.Go(at)
		plain.photograph(folder, name)
	}
	plain.Go(popular)
	plain.click(likeButton)
	plain.Sees("Liked.")
	plain.photograph(folder, "plain-liked")
}

// set writes fields of a document, bypassing all rules.
func (s *site) set(kind, id string, fields bson.D) {
	s.t.Helper()
	oid, err := bson.ObjectIDFromHex(id)
	check(s.t, err)
	type any struct {
		ID bson.ObjectID `bson:"_id"`
	}
	_, err = store.Register[any](s.DB.At(s.Clock.Now), store.Kind{Name: kind}).Update(s.t.Context(), bson.D{{Key: "_id", Value: oid}}, bson.D{{Key: "$set", Value: fields}})
	check(s.t, err)
}

// photographFactors turns on two-step login.
func (p *tab) photographFactors(folder string) {
	p.t.Helper()
	p.Expect("status of 422")
	p.Go("/settings/security/not-me")
	p.photograph(folder, "not-me")
	p.Go("/confirm?next=/settings/factors")
	p.photograph(folder, "confirm")
	p.Fill("Your password", "not it at all")
	p.Press("Confirm")
	p.Sees("That password is incorrect.")
	p.photograph(folder, "confirm-refused")
	p.Go("/settings/factors")
	p.photograph(folder, "factors-off")
	p.Press("Set up an app")
	p.Sees("Six digits")
	p.photograph(folder, "factors-setup")
	secret := evaluate[string](p, `document.querySelector("code.secret-key").textContent.replaceAll(/\s/g, "")`)
	p.Fill("Code from the app", "1234")
	p.Press("Turn on")
	p.Sees("Please fix")
	p.photograph(folder, "factors-setup-refused")
	p.Fill("Code from the app", testsite.OneTimeCode(secret, p.Clock.Now()))
	p.Press("Turn on")
	p.Sees("recovery codes")
	p.photograph(folder, "factors-codes")
	p.addAuthenticator()
	p.Go("/settings/factors")
	p.Fill("Name of the new passkey", "Phone")
	p.Press("Add a passkey")
	p.Sees("Added to two-step login")
	p.Go("/settings/factors")
	p.photograph(folder, "factors-on")
	p.Follow("Rename or remove")
	p.Sees("Remove this passkey")
	p.photograph(folder, "passkey")
	p.Go("/confirm?next=/settings/factors")
	p.photograph(folder, "confirm-passkey")
	half := p.Stranger()
	half.Go("/login")
	half.logIn("alice", testsite.Password)
	half.Sees("Second step")
	half.photograph(folder, "second-step")
	half.Expect("status of 401", "status of 422")
	half.Fill("Code from your authenticator app", "123456")
	half.Press("Log in")
	half.Sees("Please fix")
	half.photograph(folder, "second-step-refused")
	plain := p.Stranger().withoutScripts()
	plain.Expect("status of 401", "status of 422")
	plain.Go("/login?next=/settings/factors")
	plain.logIn("alice", testsite.Password)
	plain.Sees("Second step")
	plain.photograph(folder, "plain-second-step")
	p.Clock.Advance(time.Minute) // each code works only once
	plain.Fill("Code from your authenticator app", testsite.OneTimeCode(secret, p.Clock.Now()))
	plain.Press("Log in")
	plain.At("/settings/factors")
	plain.photograph(folder, "plain-factors")
	plain.Go("/confirm?next=/settings/factors")
	plain.photograph(folder, "plain-confirm")
}

// first is the first link of the page with this prefix.
func (p *tab) first(prefix string) string {
	p.t.Helper()
	return evaluate[string](p, `document.querySelector("main a[href^="+JSON.stringify(`+quote(prefix)+`)+"]").getAttribute("href")`)
}

func (p *tab) photograph(folder, name string) {
	p.t.Helper()
	check(p.t, os.MkdirAll(folder, 0o755))
	for _, width := range []int64{1280, 768, 360} {
		for _, scheme := range []string{"light", "dark"} {
			p.look(width, scheme)
			p.do("go to the top", chromedp.Evaluate[chromedp.Void]("scrollTo(0, 0); document.getElementById('toast').textContent = ''"))
			p.until("the pictures", `[...document.images].every((i) => i.complete || i.loading === "lazy")`)
			content, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
			check(p.t, err)
			check(p.t, os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%d-%s.png", name, width, scheme)), content, 0o644))
		}
	}
}
