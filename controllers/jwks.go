package controllers

import (
	"encoding/json"
	"net/http"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/utils/token"
)

// Keys publish the keys with which other services verify our access tokens.
type Keys struct{ *App }

// Routes registers the feature.
func (k Keys) Routes(r middlewares.Access) {
	r.Open.Page(http.MethodGet, "/.well-known/jwks.json", k.Index)
}

// KeySet is a JWK Set (RFC 7517 §5), as libraries expect it: without the envelope.
type KeySet struct {
	Keys []token.JWK `json:"keys"` // the current one first; empty if a secret signs
}

// Index is GET /.well-known/jwks.json: the public keys of access tokens. Others may cache the response for five
// minutes, so list a new key at least that long before it signs.
func (k Keys) Index(c *gin.Context) error {
	body, err := json.Marshal(KeySet{Keys: k.Auth.Tokens.Access.PublicKeys()})
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "public, max-age=300")
	c.Data(http.StatusOK, "application/jwk-set+json", body)
	return nil
}
