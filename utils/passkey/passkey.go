// Package passkey implements WebAuthn: it writes the requests that browsers pass to a passkey, and verifies the
// responses.
//
// Does not belong here: which challenges are pending, and who owns which passkey (models/passkey.go).
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

// Site is what passkeys are bound to. Browsers offer them to no other site.
type Site struct{ party *webauthn.WebAuthn }

// ErrNoName: the site is at an IP address, but passkeys need a host name.
var ErrNoName = errors.New("passkeys need a site with a name, such as localhost or tube.example, and this one is at an IP address")

// ErrRefused: a response doesn't match the request.
var ErrRefused = errors.New("passkey: refused")

// New makes the Site for a base URL.
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

// Key is the public half of a passkey, and what the site knows about the passkey.
type Key struct {
	ID, Public []byte
	Count      uint32
	Transports []string
	Syncable   bool // may be copied to other devices of its owner
	Synced     bool // has been copied
}

// Person is the owner of passkeys.
type Person struct {
	ID                []byte // at most 64 bytes; stored in the passkey
	Name, DisplayName string
	Keys              []Key
}

// user adapts a person to the library.
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

// AskNew returns the options for creating a passkey (the argument of navigator.credentials.create) and their challenge.
// Devices that already have one of the person's passkeys don't create another.
func (s *Site) AskNew(p Person) (options any, challenge string, err error) {
	existing := webauthn.Credentials(user{p}.WebAuthnCredentials()).CredentialDescriptors()
	creation, session, err := s.party.BeginRegistration(user{p}, webauthn.WithExclusions(existing), webauthn.WithCredentialParameters(algorithms()))
	if err != nil {
		return nil, "", err
	}
	return creation, session.Challenge, nil
}

// Ask returns the options for a signature (the argument of navigator.credentials.get) and their challenge. Without a
// person, the passkey identifies its owner.
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

// Made is an unverified response to AskNew.
type Made struct {
	parsed *protocol.ParsedCredentialCreationData
}

// ReadMade parses the JSON of a response to AskNew.
func ReadMade(answer []byte) (Made, error) {
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	return Made{parsed}, refused(err)
}

// Challenge is the challenge that the response claims to answer. The caller must check that the site issued it for this
// purpose.
func (m Made) Challenge() string { return m.parsed.Response.CollectedClientData.Challenge }

// CheckMade verifies a new passkey of the person.
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

// Signed is an unverified response to Ask.
type Signed struct {
	parsed *protocol.ParsedCredentialAssertionData
}

// ReadSigned parses the JSON of a response to Ask.
func ReadSigned(answer []byte) (Signed, error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	return Signed{parsed}, refused(err)
}

// Challenge is the challenge that the response claims to answer: see Made.Challenge.
func (a Signed) Challenge() string { return a.parsed.Response.CollectedClientData.Challenge }

// Key is the id of the passkey that the response claims to come from.
func (a Signed) Key() []byte { return a.parsed.RawID }

// Check verifies that one of the person's passkeys signed the response's challenge for this site, after verifying the
// user. It returns the passkey's new counter, which must be greater than the last one, and whether it is synced now.
func (s *Site) Check(p Person, a Signed) (count uint32, synced bool, err error) {
	_, err = s.party.ValidateLogin(user{p}, webauthn.SessionData{
		Challenge: a.Challenge(), UserID: p.ID, UserVerification: protocol.VerificationRequired,
	}, a.parsed)
	data := a.parsed.Response.AuthenticatorData
	return data.Counter, data.Flags.HasBackupState(), refused(err)
}

// refused turns the library's errors into one. Their details are for the log.
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

// algorithms are the signature algorithms that passkeys may use.
func algorithms() []protocol.CredentialParameter {
	var all []protocol.CredentialParameter
	for _, a := range []webauthncose.COSEAlgorithmIdentifier{webauthncose.AlgES256, webauthncose.AlgEdDSA, webauthncose.AlgRS256} {
		all = append(all, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: a})
	}
	return all
}
