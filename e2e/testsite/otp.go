package testsite

import (
	"crypto/hmac"
	"crypto/sha1" // #nosec G505 -- RFC 6238
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/http"
	"time"
)

// OneTimeCode is the code that an authenticator app shows at a given time (RFC 6238, RFC 4226 §5.3). It is implemented
// here so that the tests don't depend on the library that the site uses.
func OneTimeCode(secret string, at time.Time) string {
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		panic(err)
	}
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, uint64(at.Unix()/30)) // #nosec G115 -- after 1970
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[offset:])&0x7fffffff)%1_000_000)
}

// TurnOnTwoSteps sets up an authenticator app for the client's account. Each code is valid once: the next one follows
// half a minute later.
func (c *Client) TurnOnTwoSteps() (secret string, recoveryCodes []string) {
	c.site.t.Helper()
	const app = "/api/v1/users/factors/authenticator"
	secret = c.JSON(http.MethodPut, app, nil).Status(http.StatusOK).Data()["secret"].(string)
	codes := c.JSON(http.MethodPatch, app, M{"code": OneTimeCode(secret, c.site.Clock.Now())}).Status(http.StatusOK).Data()["recoveryCodes"].([]any)
	for _, code := range codes {
		recoveryCodes = append(recoveryCodes, code.(string))
	}
	c.site.Clock.Advance(30 * time.Second)
	return secret, recoveryCodes
}
