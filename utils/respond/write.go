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

// write sends a body, compressed where that is safe and the client takes it.
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

// mayCompress refuses what BREACH needs. The length of a compressed body tells whether a guess, reflected in it, also stands
// elsewhere in it; so a page that makes someone's browser ask again and again could spell out what only they may read.
//
// Only a GET is compressed: responses to changes hand out tokens, and show again what was typed. And what comes with cookies
// must come from our own pages, or from an address that the person typed: no other site chooses what such a request says.
// A browser too old to say where a request comes from, and a program with cookies, get the body as it is.
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

// Document is a response that is the same for everybody: a feed, a site map.
type Document struct {
	Type     string
	Body     []byte
	Modified time.Time     // zero: nobody knows
	Fresh    time.Duration // how long it may be shown without asking again
}

// Send responds with a document, or with 304 where the client has it already (RFC 9110 §13). No secret can be in it, so that
// it is compressed for whoever asks.
func (d Document) Send(c *gin.Context) error {
	c.Header("Content-Type", d.Type)
	c.Header("Cache-Control", "no-cache")
	if d.Fresh > 0 {
		c.Header("Cache-Control", "public, max-age="+strconv.Itoa(int(d.Fresh.Seconds())))
	}
	sum := sha256.Sum256(d.Body)
	body, coding := from(c).encoder.Encode(compress.Accepted(c.Request.Header.Values("Accept-Encoding")), d.Body)
	Content(c, base64.RawURLEncoding.EncodeToString(sum[:12]), coding, body, d.Modified)
	return nil
}

// Content responds with bytes that everybody gets alike, in the coding that they have, or with 304, or with the range that is
// asked for. The tag is that of the content, in whatever coding.
func Content(c *gin.Context, tag string, coding compress.Coding, body []byte, modified time.Time) {
	if coding != compress.Identity {
		c.Header("Content-Encoding", string(coding))
		tag += "-" + string(coding) // other bytes need another tag (RFC 9110 §8.8.3.3)
	}
	c.Writer.Header().Add("Vary", "Accept-Encoding")
	c.Header("ETag", `"`+tag+`"`)
	c.Header("Content-Length", strconv.Itoa(len(body))) // ServeContent leaves it out of what is encoded
	http.ServeContent(c.Writer, c.Request, "", modified, bytes.NewReader(body))
}
