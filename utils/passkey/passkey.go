// Package passkey speaks WebAuthn with browsers: it writes the requests that they pass to a passkey, and checks the answers.
//
// Does not belong here: which challenges are open, and who owns which passkey (models/passkey.go).
package passkey

import (
	"errors"
	"fmt"
	"net"
	"net/url"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
)

// Site is what passkeys are made for. Browsers offer them to no other site.
type Site struct{ party *webauthn.WebAuthn }

// ErrNoName: the site is at an IP address, and passkeys need a name.
var ErrNoName = errors.New("passkeys need a site with a name, such as localhost or tube.example, and this one is at an IP address")

// ErrRefused: an answer is not what was asked for.
var ErrRefused = errors.New("passkey: refused")

// New is the site at an address.
func New(baseURL string) (*Site, error) {
	u, err := url.Parse(baseURL)
	if err != nil {
		return nil, err
	}
	if net.ParseIP(u.Hostname()) != nil {
		return nil, ErrNoName
	}
	party, err := webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: "Tokentube", RPOrigins: []string{u.Scheme + "://" + u.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: protocol.ResidentKeyRequired(), ResidentKey: protocol.ResidentKeyRequirementRequired,
			UserVerification: protocol.VerificationRequired,
		},
	})
	return &Site{party}, err
}

// Key is the public half of a passkey, and what the site knows about it.
type Key struct {
	ID, Public []byte
	Count      uint32
	Transports []string
	Syncable   bool // may be copied to other devices of its owner
	Synced     bool // and has been
}

// Person is whose passkeys they are.
type Person struct {
	ID                []byte // at most 64 bytes, which passkeys keep
	Name, DisplayName string
	Keys              []Key
}

// user is a person as the library wants one.
type user struct{ Person }

func (u user) WebAuthnID() []byte          { return u.ID }
func (u user) WebAuthnName() string        { return u.Name }
func (u user) WebAuthnDisplayName() string { return u.DisplayName }
func (u user) WebAuthnCredentials() []webauthn.Credential {
	all := make([]webauthn.Credential, 0, len(u.Keys))
	for _, k := range u.Keys {
		c := webauthn.Credential{ID: k.ID, PublicKey: k.Public}
		c.Authenticator.SignCount = k.Count
		c.Flags.BackupEligible, c.Flags.BackupState = k.Syncable, k.Synced
		for _, t := range k.Transports {
			c.Transport = append(c.Transport, protocol.AuthenticatorTransport(t))
		}
		all = append(all, c)
	}
	return all
}

// AskNew is what a browser is asked to make a passkey with (the argument of navigator.credentials.create), and its challenge.
// Devices that have one of the person's already make no other.
func (s *Site) AskNew(p Person) (options any, challenge string, err error) {
	existing := webauthn.Credentials(user{p}.WebAuthnCredentials()).CredentialDescriptors()
	creation, session, err := s.party.BeginRegistration(user{p}, webauthn.WithExclusions(existing), webauthn.WithCredentialParameters(algorithms()))
	if err != nil {
		return nil, "", err
	}
	return creation, session.Challenge, nil
}

// Ask is what a browser is asked to sign (the argument of navigator.credentials.get), and its challenge. Without a person,
// the passkey says whose it is.
func (s *Site) Ask(p *Person) (options any, challenge string, err error) {
	var assertion *protocol.CredentialAssertion
	var session *webauthn.SessionData
	if p == nil {
		assertion, session, err = s.party.BeginDiscoverableLogin()
	} else {
		assertion, session, err = s.party.BeginLogin(user{*p})
	}
	if err != nil {
		return nil, "", err
	}
	return assertion, session.Challenge, nil
}

// Made is an answer to AskNew that is not checked yet.
type Made struct {
	parsed *protocol.ParsedCredentialCreationData
}

// ReadMade reads the JSON of an answer to AskNew.
func ReadMade(answer []byte) (Made, error) {
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	return Made{parsed}, refused(err)
}

// Challenge is what the answer claims to be to. Whoever checks it makes sure that it was asked, here and for this.
func (m Made) Challenge() string { return m.parsed.Response.CollectedClientData.Challenge }

// CheckMade checks a new passkey of the person.
func (s *Site) CheckMade(p Person, m Made) (Key, error) {
	c, err := s.party.CreateCredential(user{p}, webauthn.SessionData{
		Challenge: m.Challenge(), UserID: p.ID, UserVerification: protocol.VerificationRequired, CredParams: algorithms(),
	}, m.parsed)
	if err != nil {
		return Key{}, refused(err)
	}
	k := Key{ID: c.ID, Public: c.PublicKey, Count: c.Authenticator.SignCount, Syncable: c.Flags.BackupEligible, Synced: c.Flags.BackupState}
	for _, t := range c.Transport {
		k.Transports = append(k.Transports, string(t))
	}
	return k, nil
}

// Signed is an answer to Ask that is not checked yet.
type Signed struct {
	parsed *protocol.ParsedCredentialAssertionData
}

// ReadSigned reads the JSON of an answer to Ask.
func ReadSigned(answer []byte) (Signed, error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	return Signed{parsed}, refused(err)
}

// Challenge is what the answer claims to be to: see Made.Challenge.
func (a Signed) Challenge() string { return a.parsed.Response.CollectedClientData.Challenge }

// Key is the id of the passkey that the answer claims to be of.
func (a Signed) Key() []byte { return a.parsed.RawID }

// Check checks that one of the person's passkeys has signed the answer's challenge, for this site, after making sure who
// holds the device. It gives the passkey's new count, which must be above the last one, and whether it is synced now.
func (s *Site) Check(p Person, a Signed) (count uint32, synced bool, err error) {
	_, err = s.party.ValidateLogin(user{p}, webauthn.SessionData{
		Challenge: a.Challenge(), UserID: p.ID, UserVerification: protocol.VerificationRequired,
	}, a.parsed)
	data := a.parsed.Response.AuthenticatorData
	return data.Counter, data.Flags.HasBackupState(), refused(err)
}

// refused makes the library's errors one. What they tell is for the log.
func refused(err error) error {
	var detailed *protocol.Error
	if errors.As(err, &detailed) {
		return fmt.Errorf("%w: %s: %s", ErrRefused, detailed.Details, detailed.DevInfo)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return nil
}

// algorithms are those that passkeys sign with.
func algorithms() []protocol.CredentialParameter {
	var all []protocol.CredentialParameter
	for _, a := range []webauthncose.COSEAlgorithmIdentifier{webauthncose.AlgES256, webauthncose.AlgEdDSA, webauthncose.AlgRS256} {
		all = append(all, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: a})
	}
	return all
}
