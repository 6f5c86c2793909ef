package e2e_test

import (
	"strings"
	"testing"

	"tokentube/e2e/testsite"
)

// labButtons are the buttons of the Token lab, and what each shows at its end.
var labButtons = []struct{ label, shows string }{
	{"Change the payload, send it as a header", "refused with 401"},
	{"Change the payload, leave it in its cookie", "The answer is for @alice"},
	{"Send eight requests at once", "Renewals of the session: 1."},
	{"Lose the answer, and ask again", "nobody is logged out by a bad connection"},
	{"Replay the old refresh token at once", "It brings the same successor"},
	{"Let the access token run out", "brings two new tokens"},
	{"Replay the old refresh token after its grace", "because a replaced token was used again"},
	{"Log out, and use the old tokens", "The refresh token renews nothing."},
}

// TestLab presses every button of the Token lab, with scripts and without. What
// happens there leaves the person's own login alone.
func TestLab(t *testing.T) {
	s := open(t)
	s.User("alice")
	for _, kind := range []struct {
		name  string
		ready func() *tab
	}{
		{"scripts", func() *tab { return s.Browser() }},
		{"no scripts", func() *tab { return s.Browser().withoutScripts() }},
	} {
		t.Run(kind.name, func(t *testing.T) {
			p := kind.ready()
			p.Go("/login?next=/token-lab")
			p.logIn("alice", testsite.Password)
			p.At("/token-lab")
			p.Sees("No session yet")
			p.Press("Start a session")
			p.Sees("The tokens in your browser", "A1", "R1")
			for _, button := range labButtons {
				p.Press(button.label)
				p.Sees(button.shows)
				p.until("every finding to hold", `document.querySelectorAll(".lab-findings .held").length > 1 && !document.querySelector(".lab-findings .failed")`)
				p.until("its heading", `document.getElementById("result-title").textContent === `+quote(button.label))
				if n := evaluate[int](p, `document.querySelectorAll(".lab-code .code").length`); n < 2 {
					t.Errorf("%s: %d pieces of code", button.label, n)
				}
			}
			p.Go("/settings/profile")
			p.At("/settings/profile")
			p.SeesNot("used twice")
			if cookie := p.Cookie("AccessToken"); strings.Count(cookie, ".") != 2 {
				t.Errorf("the site's own cookie is %q", cookie)
			}
		})
	}
}

// TestLabIsLive looks at the lab in one tab while another one plays: the session
// is told as it changes, and that it ends.
func TestLabIsLive(t *testing.T) {
	s := open(t)
	s.User("alice")
	p := s.Browser()
	p.Go("/login?next=/token-lab")
	p.logIn("alice", testsite.Password)
	p.At("/token-lab")
	p.Press("Start a session")
	p.Sees("have not come back yet")
	p.until("the tokens' time", `/^[0-9]+ s left$|^has run out$/.test(document.querySelector("[data-expires]").textContent)`)
	other := s.Browser()
	other.Go("/login?next=/settings/sessions")
	other.logIn("alice", testsite.Password)
	other.At("/settings/sessions")
	other.Sees("Token lab")
	// A request of the lab, from elsewhere.
	client := s.Client()
	for _, name := range []string{"AccessToken", "RefreshToken"} {
		client.Cookies[name] = p.Cookie(name)
		client.Cookies["Lab"+name] = p.labCookie("Lab" + name)
	}
	client.PostForm("/token-lab/experiments/replay-in-grace", nil).Status(200)
	p.Sees("R1, replaced by R2", "are in use")
	client.PostForm("/token-lab/experiments/logout-replay", nil).Status(200)
	p.Sees("The session was ended by logging out")
}

// inspectLab inspects what the lab shows before and after its buttons.
func (p *tab) inspectLab(axe string) {
	p.t.Helper()
	p.Go("/token-lab")
	p.Press("Start a session")
	p.Sees("The tokens in your browser")
	p.inspect("/token-lab (begun)", axe)
	for _, button := range []string{"Send eight requests at once", "Replay the old refresh token after its grace"} {
		p.Press(button)
		p.until("the result of "+button, `document.getElementById("result-title")?.textContent === `+quote(button))
		p.inspect("/token-lab: "+button, axe)
	}
}
