package e2e_test

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"tokentube/e2e/testsite"
	"tokentube/models/sample"
)

// TestScreenshots photographs the main pages of a site with sample content into
// the folder that SCREENSHOTS names, to look at them.
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

// photographFactors turns two-step login on.
func (p *tab) photographFactors(folder string) {
	p.t.Helper()
	p.Go("/settings/security/not-me")
	p.photograph(folder, "not-me")
	p.Go("/confirm?next=/settings/factors")
	p.photograph(folder, "confirm")
	p.Go("/settings/factors")
	p.photograph(folder, "factors-off")
	p.Press("Set up an app")
	p.Sees("Six digits")
	p.photograph(folder, "factors-setup")
	secret := evaluate[string](p, `document.querySelector("code.secret-key").textContent.replaceAll(/\s/g, "")`)
	p.Fill("Code from the app", testsite.OneTimeCode(secret, p.Clock.Now()))
	p.Press("Turn on")
	p.Sees("recovery codes")
	p.photograph(folder, "factors-codes")
	p.Go("/settings/factors")
	p.photograph(folder, "factors-on")
}

// first is the first link of the page that begins so.
func (p *tab) first(prefix string) string {
	p.t.Helper()
	return evaluate[string](p, `document.querySelector("main a[href^="+JSON.stringify(`+quote(prefix)+`)+"]").getAttribute("href")`)
}

func (p *tab) photograph(folder, name string) {
	p.t.Helper()
	check(p.t, os.MkdirAll(folder, 0o755))
	for _, width := range []int64{1280, 360} {
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
