package respond

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/utils/compress"
)

// write sends a body, compressed where that is safe and the client accepts it.
func write(c *gin.Context, status int, kind string, body []byte) {
	coding := compress.Identity
	if mayCompress(c.Request) {
		body, coding = from(c).encoder.Encode(compress.Accepted(c.Request.Header.Values("Accept-Encoding")), body)
	}
	if coding != compress.Identity {
		c.Header("Content-Encoding", string(coding))
	}
	c.Header("Content-Length", strconv.Itoa(len(body)))
	c.Data(status, kind, body)
}

// mayCompress prevents BREACH. The length of a compressed body reveals whether a guess that is reflected in it also
// occurs elsewhere in it; so a page that makes a user's browser send many requests could spell out what only they may
// read.
//
// Only GET is compressed: responses to changes contain tokens and submitted values. And requests with cookies must come
// from our own pages, or from an address that the user typed: no other site may choose what such a request contains.
// Browsers too old to report where a request comes from, and programs that send cookies, get an uncompressed body.
func mayCompress(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	if r.Header.Get("Cookie") == "" {
		return true
	}
	from := r.Header.Get("Sec-Fetch-Site")
	return from == "same-origin" || from == "none"
}

// Document is a response that is the same for everybody, such as a feed or a sitemap.
type Document struct {
	Type  string
	Body  []byte
	Fresh time.Duration // how long it may be cached without revalidation
}

// Send responds with a document, or with 304 if the client already has it (RFC 9110 §13). It contains no secrets, so it
// is always safe to compress.
func (d Document) Send(c *gin.Context) error {
	c.Header("Content-Type", d.Type)
	c.Header("Cache-Control", "no-cache")
	if d.Fresh > 0 {
		c.Header("Cache-Control", "public, max-age="+strconv.Itoa(int(d.Fresh.Seconds())))
	}
	sum := sha256.Sum256(d.Body)
	body, coding := from(c).encoder.Encode(compress.Accepted(c.Request.Header.Values("Accept-Encoding")), d.Body)
	Content(c, base64.RawURLEncoding.EncodeToString(sum[:12]), coding, body)
	return nil
}

// Content responds with content that is the same for everybody: with the encoded bytes, with 304, or with the requested
// range. The tag identifies the content, in any encoding. There is no Last-Modified: it couldn't tell that something
// was removed, or changed twice within a second.
func Content(c *gin.Context, tag string, coding compress.Coding, body []byte) {
	if coding != compress.Identity {
		c.Header("Content-Encoding", string(coding))
		tag += "-" + string(coding) // other bytes need another tag (RFC 9110 §8.8.3.3)
	}
	c.Writer.Header().Add("Vary", "Accept-Encoding")
	c.Header("ETag", `"`+tag+`"`)
	c.Header("Content-Length", strconv.Itoa(len(body))) // ServeContent omits it for encoded content
	http.ServeContent(c.Writer, c.Request, "", time.Time{}, bytes.NewReader(body))
}
