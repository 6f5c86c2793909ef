package e2e_test

import (
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"tokentube/e2e/testsite"
)

// TestPasskeyInABrowser adds a passkey that the browser itself stores, and uses it everywhere.
func TestPasskeyInABrowser(t *testing.T) {
	s := open(t)
	s.User("alice")
	p := s.Browser()
	p.addAuthenticator()

	p.Go("/login?next=/settings/factors")
	p.logIn("alice", testsite.Password)
	p.At("/settings/factors")
	p.Fill("Name of the new passkey", "Phone")
	p.Press("Add a passkey")
	p.Sees("Two-step login is on", "They are shown only now")
	p.Go("/settings/factors")
	p.Sees("Phone", "10 unused codes")
	p.Fill("Name of the new passkey", "Again")
	p.Press("Add a passkey")
	p.Sees("This device already has a passkey")

	p.logOut()
	p.Go("/login?next=/settings/factors")
	p.Press("Use a passkey")
	p.At("/settings/factors")

	p.logOut()
	p.Go("/login?next=/settings/factors")
	p.logIn("alice", testsite.Password)
	p.Sees("Second step")
	p.Press("Use a passkey")
	p.At("/settings/factors")

	s.Clock.Advance(11 * time.Minute)
	p.Go("/settings/factors")
	p.Sees("Confirm it’s you")
	p.Press("Use a passkey")
	p.At("/settings/factors")
	p.Follow("Rename or remove")
	p.Press("Remove passkey")
	p.At("/settings/factors")
	p.Sees("Passkey removed.", "It’s off")

	p.logOut()
	p.Expect("status of 401")
	p.Go("/login")
	p.Press("Use a passkey")
	p.Sees("wasn’t accepted")
}

func (p *tab) logOut() {
	p.t.Helper()
	p.Press("Your menu")
	p.Press("Log out")
	p.Sees("You are logged out.")
}

// addAuthenticator gives the tab a virtual authenticator, which confirms its owner's presence immediately.
func (p *tab) addAuthenticator() {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, webauthn.Enable, webauthn.EnableParams{})
	check(p.t, err)
	_, err = chromedp.Call(p.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
	check(p.t, err)
}
