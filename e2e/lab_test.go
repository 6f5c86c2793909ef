package e2e_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"tokentube/e2e/testsite"
)

// labButtons are the buttons of the Token lab, and what each shows at the end, for this site and for the usual way.
var labButtons = []struct{ name, ours, usual string }{
	{"tamper-header", "refused with 401", "Refused, but with 500"},
	{"tamper-cookie", "The tampered token is ignored", "The refresh token beside it is valid, and isn't looked at."},
	{"eight-at-once", "Renewals of the session: 1.", "Requests that were refused with 401"},
	{"lost-response", "a bad connection logs nobody out", "A bad connection has logged somebody out."},
	{"replay-in-grace", "It brings the same successor", "there is no grace"},
	{"expire", "brings two new tokens", "as if the server were broken"},
	{"replay-after-grace", "because a replaced token was used again", "The thief stays"},
	{"logout-replay", "The refresh token renews nothing.", "The access token still opens everything"},
	{"password-change", "Both copies are refused.", "The copied refresh token renews"},
}

// try presses the button of an experiment, and waits for its result.
func (p *tab) try(experiment string) {
	p.t.Helper()
	p.click(`document.querySelector("#experiments [id=` + experiment + `] button")`)
	p.until("the result of "+experiment, `document.querySelector("#experiments [id=`+experiment+`] button[aria-current]") !== null && document.getElementById("result-title") !== null`)
}

// live waits until the lab's script has loaded.
func (p *tab) live() {
	p.t.Helper()
	p.until("the lab to be live", `document.querySelector("[data-lab=live]") !== null`)
}

// TestLab presses every button of the Token lab, as a user and as a visitor, with scripts and without. It doesn't
// affect the user's own login.
func TestLab(t *testing.T) {
	s := open(t)
	s.User("alice")
	for _, kind := range []struct {
		name          string
		user, scripts bool
	}{
		{"user, scripts", true, true},
		{"user, no scripts", true, false},
		{"visitor, scripts", false, true},
		{"visitor, no scripts", false, false},
	} {
		t.Run(kind.name, func(t *testing.T) {
			p := s.Browser()
			if !kind.scripts {
				p = p.withoutScripts()
			}
			p.Go("/token-lab")
			if kind.user {
				p.Go("/login?next=/token-lab")
				p.logIn("alice", testsite.Password)
				p.At("/token-lab")
			}
			p.Sees("No session yet")
			if kind.scripts {
				p.live()
			}
			p.pressEach(t)
			p.Go("/settings/profile")
			if !kind.user {
				p.At("/login?next=%2Fsettings%2Fprofile")
				return
			}
			p.At("/settings/profile")
			p.SeesNot("used twice")
			if cookie := p.Cookie("AccessToken"); strings.Count(cookie, ".") != 2 {
				t.Errorf("the site's own cookie is %q", cookie)
			}
		})
	}
}

// pressEach presses each button once. The lab starts sessions as needed.
func (p *tab) pressEach(t *testing.T) {
	for i, button := range labButtons {
		p.try(button.name)
		p.Sees(button.ours, button.usual)
		p.until("every finding to hold", `document.querySelectorAll(".lab-ours .held").length > 1 && document.querySelectorAll(".lab-usual .held").length > 1 && !document.querySelector(".lab-findings .failed")`)
		if n := evaluate[int](p, `document.querySelectorAll(".lab-ours .lab-code .code").length`); n < 2 {
			t.Errorf("%s: %d pieces of code", button.name, n)
		}
		if n := evaluate[int](p, `document.querySelectorAll("#experiments li.held").length`); n != i+1 {
			t.Errorf("%s: %d experiments are marked as held, after %d", button.name, n, i+1)
		}
	}
}

// TestLabTellsAsItHappens: with scripts, the session and its tokens appear first, a wait is counted down, and the steps
// before it can be read in the meantime.
func TestLabTellsAsItHappens(t *testing.T) {
	s := open(t)
	p := s.Browser()
	p.Go("/token-lab")
	p.live()
	s.Clock.Slow.Store(true)
	p.click(`document.querySelector("#experiments [id=replay-after-grace] button")`)
	p.until("the tokens", `document.querySelectorAll(".lab-token").length === 2 && !document.getElementById("result")`)
	p.until("a step before the end", `document.querySelector("[data-live]:not([hidden]) .lab-status.good") !== null && !document.getElementById("result")`)
	p.until("the countdown", `/Waiting [1-9]\d* s for the old refresh token's grace to end/.test(document.querySelector(".lab-countdown:not([hidden])")?.textContent)`)
	p.until("the result", `document.getElementById("result") !== null && document.querySelector("[data-live]").hidden`)
	p.Sees("Waited")
}

// TestLabDeepLink follows a link to an experiment through a login, and on a phone.
func TestLabDeepLink(t *testing.T) {
	s := open(t)
	s.User("alice")
	p := s.Browser()
	p.look(360, "light")
	p.Go("/token-lab#lost-response")
	const there = `(() => { const { top, bottom } = document.getElementById("lost-response").getBoundingClientRect(); return top >= 0 && bottom <= innerHeight && location.hash === "#lost-response"; })()`
	p.live()
	p.until("the experiment in sight", there)
	p.click(`document.querySelector("main a[data-here]")`)
	p.until("the login", `location.pathname === "/login"`)
	p.logIn("alice", testsite.Password)
	p.At("/token-lab")
	p.live()
	p.until("the experiment in sight", there)
	// After a run the experiments are behind a button that stays visible, even at the end of the page.
	p.try("lost-response")
	p.do("go to the end", chromedp.Evaluate[chromedp.Void]("scrollTo(0, document.body.scrollHeight)"))
	p.until("the way to the next one in sight", `(() => { const { top, bottom } = document.querySelector(".lab-picker").getBoundingClientRect(); return top > 0 && bottom < innerHeight; })()`)
	p.click(`document.querySelector(".lab-picker")`)
	p.try("replay-in-grace")
	p.until("the sheet to be closed", `!document.querySelector("#experiments").matches(":popover-open")`)
}

// TestLabIsLive watches the lab in one tab while another one uses it: changes of the session are shown, and its end.
func TestLabIsLive(t *testing.T) {
	s := open(t)
	s.User("alice")
	p := s.Browser()
	p.Go("/login?next=/token-lab")
	p.logIn("alice", testsite.Password)
	p.At("/token-lab")
	p.Press("Start a session")
	p.Sees("The session began", "still ahead")
	p.until("the tokens' time", `/^[0-9]+ s left$|^expired$/.test(document.querySelector("[data-expires]").textContent)`)
	other := s.Browser()
	other.Go("/login?next=/settings/sessions")
	other.logIn("alice", testsite.Password)
	other.At("/settings/sessions")
	other.Sees("Token lab")
	// A request of the lab, sent by another client.
	client := s.Client()
	for _, name := range []string{"AccessToken", "RefreshToken"} {
		client.Cookies[name] = p.Cookie(name)
		client.Cookies["Lab"+name] = p.labCookie("Lab" + name)
	}
	client.PostForm("/token-lab/experiments/replay-in-grace", nil).Status(200)
	p.Sees("The grace of R1, which R2 replaced, end", "are in use")
	client.PostForm("/token-lab/experiments/logout-replay", nil).Status(200)
	p.Sees("The session was ended by logging out")
}

// inspectLab inspects what the lab shows before and after its buttons are pressed.
func (p *tab) inspectLab(axe string) {
	p.t.Helper()
	p.Go("/token-lab")
	p.Press("Start a session")
	p.Sees("The tokens in your browser")
	p.inspect("/token-lab (begun)", axe)
	for _, button := range []string{"eight-at-once", "replay-after-grace", "password-change"} {
		p.look(1280, "light")
		p.try(button)
		p.inspect("/token-lab: "+button, axe)
		p.do("open all steps", chromedp.Evaluate[chromedp.Void](`document.querySelectorAll(".lab-result details").forEach((part) => { part.open = true; })`))
		p.inspect("/token-lab: "+button+", opened", axe)
	}
	p.look(360, "dark")
	p.click(`document.querySelector(".lab-picker")`)
	p.inspect("/token-lab: the sheet of experiments", axe)
	p.look(1280, "light")
}
