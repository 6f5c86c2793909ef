package testsite

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"testing"
)

// Passkey is a key pair on a device. It also signs whatever a test wants to see refused.
type Passkey struct {
	ID     []byte
	Owner  []byte // the owner's id, as the site knows it
	Origin string
	RPID   string
	Flags  byte
	Count  uint32
	Type   string // of the ceremony; empty: the correct one
	Cross  bool   // requested from inside another site's page
	key    *ecdsa.PrivateKey
	t      testing.TB
}

// The flags of a passkey.
const (
	Present, Verified, Syncable, Synced byte = 1, 4, 8, 16

	attested byte = 64
)

// NewPasskey makes a passkey for a site.
func NewPasskey(t testing.TB, origin, rpID string) *Passkey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return &Passkey{key: key, ID: []byte(rand.Text()), Origin: origin, RPID: rpID, Flags: Present | Verified, t: t}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (p *Passkey) clientData(typ, challenge string) []byte {
	p.t.Helper()
	if p.Type != "" {
		typ = p.Type
	}
	raw, err := json.Marshal(M{"type": typ, "challenge": challenge, "origin": p.Origin, "crossOrigin": p.Cross})
	check(p.t, err)
	return raw
}

func (p *Passkey) data(flags byte) []byte {
	sum := sha256.Sum256([]byte(p.RPID))
	return binary.BigEndian.AppendUint32(append(sum[:], flags), p.Count)
}

func (p *Passkey) answer(response M) string {
	p.t.Helper()
	raw, err := json.Marshal(M{"id": b64(p.ID), "rawId": b64(p.ID), "type": "public-key", "response": response})
	check(p.t, err)
	return string(raw)
}

// Create is the result of navigator.credentials.create: CBOR, with a COSE key (RFC 9052).
func (p *Passkey) Create(challenge string) string {
	p.t.Helper()
	public, err := p.key.PublicKey.Bytes()
	check(p.t, err)
	data := append(p.data(p.Flags|attested), make([]byte, 16)...)
	data = append(binary.BigEndian.AppendUint16(data, uint16(len(p.ID))), p.ID...) // #nosec G115 -- short
	data = append(data, 0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32)
	data = append(append(append(data, public[1:33]...), 0x22, 0x58, 32), public[33:]...)
	object := append([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"), byte(len(data))) // #nosec G115 -- short
	return p.answer(M{
		"clientDataJSON": b64(p.clientData("webauthn.create", challenge)), "attestationObject": b64(append(object, data...)), "transports": []string{"internal"},
	})
}

// Get is the result of navigator.credentials.get.
func (p *Passkey) Get(challenge string) string {
	p.t.Helper()
	client, data := p.clientData("webauthn.get", challenge), p.data(p.Flags)
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(data[:len(data):len(data)], hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, p.key, sum[:])
	check(p.t, err)
	return p.answer(M{"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature), "userHandle": b64(p.Owner)})
}

// AskedKey is the publicKey in a response that requests a passkey.
func (a *Answer) AskedKey() M {
	a.t.Helper()
	return a.Status(http.StatusOK).Data()["publicKey"].(M)
}

// Challenge is the challenge in a response that requests a passkey.
func (a *Answer) Challenge() string {
	a.t.Helper()
	return a.AskedKey()["challenge"].(string)
}

// AddPasskey adds a passkey to the client's account, and returns its id, and recovery codes if it is the first factor.
func (c *Client) AddPasskey(name string) (p *Passkey, id string, recoveryCodes []string) {
	c.site.t.Helper()
	const passkeys = "/api/v1/users/factors/passkeys"
	p = NewPasskey(c.site.t, "https://localhost", "localhost")
	asked := c.JSON(http.MethodPost, passkeys+"/challenge", nil).AskedKey()
	owner, err := base64.RawURLEncoding.DecodeString(asked["user"].(M)["id"].(string))
	check(c.site.t, err)
	p.Owner = owner
	data := c.JSON(http.MethodPost, passkeys, M{"name": name, "passkey": p.Create(asked["challenge"].(string))}).Status(http.StatusOK).Data()
	for _, code := range data["recoveryCodes"].([]any) {
		recoveryCodes = append(recoveryCodes, code.(string))
	}
	return p, data["passkey"].(M)["_id"].(string), recoveryCodes
}
