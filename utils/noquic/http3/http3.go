// Package http3 replaces github.com/quic-go/quic-go/http3 (see "replace" in go.mod). Gin imports that for
// Engine.RunQUIC, which this site does not call: HTTP/3 can be provided by a proxy in front of the site.
//
// Does not belong here: anything but what Gin needs to compile.
package http3

import (
	"errors"
	"net/http"
)

// ListenAndServeQUIC fails.
func ListenAndServeQUIC(string, string, string, http.Handler) error {
	return errors.New("HTTP/3 is left out of this program: see utils/noquic")
}
