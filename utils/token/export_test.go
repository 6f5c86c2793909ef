package token

import (
	"encoding/json"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// VerifyAnew is Verify without the cache.
func (k *Kind) VerifyAnew(raw string) (*Claims, error) { return k.verify(raw) }

// CheckSignature checks what others have signed with this kind's key: the encoding, the algorithm and the signature,
// but not typ, kid or claims.
func (k *Kind) CheckSignature(raw string) error {
	parts := strings.Split(raw, ".")
	if strings.Trim(raw, alphabet) != "" || len(parts) != 3 {
		return jwt.ErrTokenMalformed
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = k.parser.DecodeSegment(part); err != nil {
			return err
		}
	}
	var header struct{ Alg string }
	if err := json.Unmarshal(decoded[0], &header); err != nil {
		return err
	}
	key := k.keys[0]
	if header.Alg != key.method.Alg() {
		return jwt.ErrTokenSignatureInvalid
	}
	return key.method.Verify(parts[0]+"."+parts[1], decoded[2], key.verify)
}
