package passkey

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// device makes passkeys, and signs whatever a test wants to see refused.
type device struct {
	key    *ecdsa.PrivateKey
	id     []byte
	owner  []byte
	origin string
	rpID   string
	flags  byte
	count  uint32
	typ    string // of the ceremony; empty: the right one
	cross  bool
}

const (
	present, verified, syncable, synced, attested = 1, 4, 8, 16, 64
)

func newDevice(t *testing.T, owner string) *device {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &device{key: key, id: []byte("credential of " + owner), owner: []byte(owner), origin: "https://tube.example", rpID: "tube.example", flags: present | verified}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (d *device) clientData(t *testing.T, typ, challenge string) []byte {
	t.Helper()
	if d.typ != "" {
		typ = d.typ
	}
	raw, err := json.Marshal(map[string]any{"type": typ, "challenge": challenge, "origin": d.origin, "crossOrigin": d.cross})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (d *device) data(flags byte) []byte {
	sum := sha256.Sum256([]byte(d.rpID))
	return binary.BigEndian.AppendUint32(append(sum[:], flags), d.count)
}

func (d *device) answer(t *testing.T, response map[string]any) []byte {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"id": b64(d.id), "rawId": b64(d.id), "type": "public-key", "response": response})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// create is what navigator.credentials.create answers: CBOR, with a key in COSE (RFC 9052).
func (d *device) create(t *testing.T, challenge string) []byte {
	t.Helper()
	public, err := d.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	data := append(d.data(d.flags|attested), make([]byte, 16)...)
	data = append(binary.BigEndian.AppendUint16(data, uint16(len(d.id))), d.id...)
	data = append(data, 0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32)
	data = append(append(append(data, public[1:33]...), 0x22, 0x58, 32), public[33:]...)
	object := append([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"), byte(len(data)))
	return d.answer(t, map[string]any{
		"clientDataJSON": b64(d.clientData(t, "webauthn.create", challenge)), "attestationObject": b64(append(object, data...)), "transports": []string{"internal"},
	})
}

// get is what navigator.credentials.get answers.
func (d *device) get(t *testing.T, challenge string) []byte {
	t.Helper()
	client, data := d.clientData(t, "webauthn.get", challenge), d.data(d.flags)
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(data[:len(data):len(data)], hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, d.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return d.answer(t, map[string]any{"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature), "userHandle": b64(d.owner)})
}

func newSite(t *testing.T) *Site {
	t.Helper()
	s, err := New("https://tube.example")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// made is what the device's passkey is, once it was checked.
func (s *Site) made(t *testing.T, p Person, d *device) (Key, error) {
	t.Helper()
	_, challenge, err := s.AskNew(p)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ReadMade(d.create(t, challenge))
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
	d.flags |= syncable
	key, err := s.made(t, p, d)
	if err != nil || string(key.ID) != string(d.id) || !key.Syncable || key.Synced {
		t.Fatalf("%+v, %v", key, err)
	}
	p.Keys = []Key{key}
	options, _, err := s.AskNew(p)
	if text := asJSON(t, options); err != nil || !strings.Contains(text, `"excludeCredentials":[{"type":"public-key","id":"`+b64(d.id)) ||
		!strings.Contains(text, `"residentKey":"required"`) || !strings.Contains(text, `"userVerification":"required"`) {
		t.Errorf("%s, %v", text, err)
	}
	d.flags, d.count = d.flags|synced, 7
	for _, of := range []*Person{&p, nil} {
		options, challenge, err := s.Ask(of)
		if text := asJSON(t, options); err != nil || !strings.Contains(text, `"userVerification":"required"`) || strings.Contains(text, b64(d.id)) != (of != nil) {
			t.Errorf("%s, %v", text, err)
		}
		signed, err := ReadSigned(d.get(t, challenge))
		if err != nil || signed.Challenge() != challenge || string(signed.Key()) != string(d.id) {
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

// What is not for this site, by this person, with a check of who they are, is refused: new passkeys and signatures alike.
func TestAttacksAreRefused(t *testing.T) {
	s := newSite(t)
	for name, spoil := range map[string]func(*device){
		"another origin":          func(d *device) { d.origin = "https://evil.example" },
		"a part of the site":      func(d *device) { d.origin = "https://a.tube.example" },
		"without TLS":             func(d *device) { d.origin = "http://tube.example" },
		"another port":            func(d *device) { d.origin = "https://tube.example:444" },
		"another site's":          func(d *device) { d.rpID = "evil.example" },
		"nobody was there":        func(d *device) { d.flags = verified },
		"nobody checked who":      func(d *device) { d.flags = present },
		"synced but not syncable": func(d *device) { d.flags |= synced },
		"another ceremony":        func(d *device) { d.typ = "payment.get" },
		"framed":                  func(d *device) { d.cross = true },
	} {
		p, d := Person{ID: []byte("alice"), Name: "alice"}, newDevice(t, "alice")
		good, bad := *d, *d
		spoil(&bad)
		if _, err := s.made(t, p, &bad); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: a new one: %v", name, err)
		}
		key, err := s.made(t, p, &good)
		if err != nil {
			t.Fatal(err)
		}
		p.Keys = []Key{key}
		s.refuses(t, name, p, &bad)
	}
}

func (s *Site) refuses(t *testing.T, name string, p Person, d *device) {
	t.Helper()
	_, challenge, err := s.Ask(&p)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := ReadSigned(d.get(t, challenge))
	if err == nil {
		_, _, err = s.Check(p, signed)
	}
	if !errors.Is(err, ErrRefused) {
		t.Errorf("%s: a signature: %v", name, err)
	}
}

func TestOnlyTheOwnersKeySigns(t *testing.T) {
	s, d, p := newSite(t), newDevice(t, "alice"), Person{ID: []byte("alice"), Name: "alice"}
	key, err := s.made(t, p, d)
	if err != nil {
		t.Fatal(err)
	}
	p.Keys = []Key{key}
	s.refuses(t, "somebody else's passkey", p, newDevice(t, "bob"))
	forged := newDevice(t, "alice") // the same names, another key
	s.refuses(t, "a forged signature", p, forged)
	renamed := *d
	renamed.owner = []byte("bob")
	s.refuses(t, "somebody else's name", p, &renamed)
	flagged := *d
	flagged.flags |= syncable
	s.refuses(t, "a passkey that became syncable", p, &flagged)

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
