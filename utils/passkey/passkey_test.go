package passkey_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"tokentube/e2e/testsite"
	. "tokentube/utils/passkey"
)

func newDevice(t *testing.T, owner string) *testsite.Passkey {
	t.Helper()
	d := testsite.NewPasskey(t, "https://tube.example", "tube.example")
	d.ID, d.Owner = []byte("credential of "+owner), []byte(owner)
	return d
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func newSite(t *testing.T) *Site {
	t.Helper()
	s, err := New("https://tube.example")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// made is the device's passkey, after verification.
func made(t *testing.T, s *Site, p Person, d *testsite.Passkey) (Key, error) {
	t.Helper()
	_, challenge, err := s.AskNew(p)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ReadMade([]byte(d.Create(challenge)))
	if err != nil {
		return Key{}, err
	}
	if m.Challenge() != challenge {
		t.Errorf("the challenge is %q", m.Challenge())
	}
	return s.CheckMade(p, m)
}

func TestAPasskeyIsMadeAndSigns(t *testing.T) {
	s, d, p := newSite(t), newDevice(t, "alice"), Person{ID: []byte("alice"), Name: "alice", DisplayName: "Alice"}
	d.Flags |= testsite.Syncable
	key, err := made(t, s, p, d)
	if err != nil || string(key.ID) != string(d.ID) || !key.Syncable || key.Synced {
		t.Fatalf("%+v, %v", key, err)
	}
	p.Keys = []Key{key}
	options, _, err := s.AskNew(p)
	if text := asJSON(t, options); err != nil || !strings.Contains(text, `"excludeCredentials":[{"type":"public-key","id":"`+b64(d.ID)) ||
		!strings.Contains(text, `"residentKey":"required"`) || !strings.Contains(text, `"userVerification":"required"`) {
		t.Errorf("%s, %v", text, err)
	}
	d.Flags, d.Count = d.Flags|testsite.Synced, 7
	for _, of := range []*Person{&p, nil} {
		options, challenge, err := s.Ask(of)
		if text := asJSON(t, options); err != nil || !strings.Contains(text, `"userVerification":"required"`) || strings.Contains(text, b64(d.ID)) != (of != nil) {
			t.Errorf("%s, %v", text, err)
		}
		signed, err := ReadSigned([]byte(d.Get(challenge)))
		if err != nil || signed.Challenge() != challenge || string(signed.Key()) != string(d.ID) {
			t.Fatalf("%+v, %v", signed, err)
		}
		if count, synced, err := s.Check(p, signed); count != 7 || !synced || err != nil {
			t.Errorf("%d, %v, %v", count, synced, err)
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Anything that is not for this site, by this person, with user verification, is refused: new passkeys and signatures
// alike.
func TestAttacksAreRefused(t *testing.T) {
	s := newSite(t)
	for name, spoil := range map[string]func(*testsite.Passkey){
		"another origin":          func(d *testsite.Passkey) { d.Origin = "https://evil.example" },
		"a part of the site":      func(d *testsite.Passkey) { d.Origin = "https://a.tube.example" },
		"without TLS":             func(d *testsite.Passkey) { d.Origin = "http://tube.example" },
		"another port":            func(d *testsite.Passkey) { d.Origin = "https://tube.example:444" },
		"another site's":          func(d *testsite.Passkey) { d.RPID = "evil.example" },
		"nobody was there":        func(d *testsite.Passkey) { d.Flags = testsite.Verified },
		"nobody checked who":      func(d *testsite.Passkey) { d.Flags = testsite.Present },
		"synced but not syncable": func(d *testsite.Passkey) { d.Flags |= testsite.Synced },
		"another ceremony":        func(d *testsite.Passkey) { d.Type = "payment.get" },
		"framed":                  func(d *testsite.Passkey) { d.Cross = true },
	} {
		p, d := Person{ID: []byte("alice"), Name: "alice"}, newDevice(t, "alice")
		good, bad := *d, *d
		spoil(&bad)
		if _, err := made(t, s, p, &bad); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: a new one: %v", name, err)
		}
		key, err := made(t, s, p, &good)
		if err != nil {
			t.Fatal(err)
		}
		p.Keys = []Key{key}
		refuses(t, s, name, p, &bad)
	}
}

func refuses(t *testing.T, s *Site, name string, p Person, d *testsite.Passkey) {
	t.Helper()
	_, challenge, err := s.Ask(&p)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := ReadSigned([]byte(d.Get(challenge)))
	if err == nil {
		_, _, err = s.Check(p, signed)
	}
	if !errors.Is(err, ErrRefused) {
		t.Errorf("%s: a signature: %v", name, err)
	}
}

func TestOnlyTheOwnersKeySigns(t *testing.T) {
	s, d, p := newSite(t), newDevice(t, "alice"), Person{ID: []byte("alice"), Name: "alice"}
	key, err := made(t, s, p, d)
	if err != nil {
		t.Fatal(err)
	}
	p.Keys = []Key{key}
	refuses(t, s, "somebody else's passkey", p, newDevice(t, "bob"))
	forged := newDevice(t, "alice") // the same names, another key
	refuses(t, s, "a forged signature", p, forged)
	renamed := *d
	renamed.Owner = []byte("bob")
	refuses(t, s, "somebody else's name", p, &renamed)
	flagged := *d
	flagged.Flags |= testsite.Syncable
	refuses(t, s, "a passkey that became syncable", p, &flagged)

	for _, answer := range []string{"", "null", "{}", "[]", `{"id":"","rawId":"","type":"public-key","response":{}}`, strings.Repeat("[", 10000)} {
		if _, err := ReadMade([]byte(answer)); !errors.Is(err, ErrRefused) {
			t.Errorf("%.20q: %v", answer, err)
		}
		if _, err := ReadSigned([]byte(answer)); !errors.Is(err, ErrRefused) {
			t.Errorf("%.20q: %v", answer, err)
		}
	}
}

func TestASiteNeedsAName(t *testing.T) {
	for _, address := range []string{"http://127.0.0.1:8000", "http://[::1]:8000"} {
		if _, err := New(address); !errors.Is(err, ErrNoName) {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"http://localhost:8000", "https://tube.example"} {
		if _, err := New(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}
