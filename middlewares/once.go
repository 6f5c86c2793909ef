package middlewares

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

const (
	keyHeader  = "Idempotency-Key"
	longestKey = 255
	// headSize is how much of a body is inspected. It covers all the text that a request may contain; of an upload,
	// only the beginning.
	headSize   = input.EncodedLimit + 1<<10
	waitForIt  = 10 * time.Second // for another attempt's result
	waitBefore = 100 * time.Millisecond
)

// Once executes a request only once even if it is sent twice (a double click, a retry after a lost response): the
// second one gets the first one's result, even concurrently and from another process. It is for POST: the other methods
// are idempotent anyway. The client identifies the request by a key, in the Idempotency-Key header or in a form field
// that all our forms have (see respond.KeyField). Requests without a key are unaffected.
func (a *Auth) Once(c *gin.Context) {
	if a.Requests == nil {
		return
	}
	key, content, err := readKey(c)
	if err != nil {
		respond.Error(c, err)
		return
	}
	if key == "" {
		return
	}
	r, err := a.takeTurn(c, key, content)
	if err != nil {
		respond.Error(c, err)
		return
	}
	if r.Result != nil {
		respond.Replay(c, respond.Kept(*r.Result))
		c.Abort()
		return
	}
	a.doOnce(c, r)
}

// takeTurn waits a while if another attempt is in progress.
func (a *Auth) takeTurn(c *gin.Context, key string, content []byte) (*models.Request, error) {
	deadline := time.Now().Add(waitForIt)
	for {
		r, err := a.Requests.Take(c, UserID(c), c.Request.Method+" "+c.Request.URL.Path, key, content)
		if e := apperr.From(err); err == nil || e.Code != apperr.Conflict || e.RetryAfter == 0 || time.Now().After(deadline) {
			return r, err
		}
		select {
		case <-time.After(waitBefore):
		case <-c.Request.Context().Done():
			return nil, c.Request.Context().Err()
		}
	}
}

// doOnce executes the request and stores its result. A failed request releases the key; one that failed on our side
// (5xx, a panic) only if it changed nothing.
func (a *Auth) doOnce(c *gin.Context, r *models.Request) {
	ctx := c.Request.Context()
	stop := a.stayAlive(ctx, r)
	c.Request = c.Request.WithContext(a.Requests.Within(ctx, r))
	response := &recorder{ResponseWriter: c.Writer}
	c.Writer = response
	end := a.Requests.ReleaseUnchanged
	defer func() {
		stop()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second) // even if the client has disconnected
		defer cancel()
		if err := end(ctx, r); err != nil && !apperr.Is(err, apperr.NotFound) {
			a.Log.ErrorContext(ctx, "the end of a request with a key was not kept", "error", err, "request_id", respond.RequestID(c))
		}
	}()
	c.Next()
	kept, made := respond.Keep(c, response.body.Bytes())
	switch {
	case made && response.tooLong: // done, but the response can't be replayed
	case made:
		end = func(ctx context.Context, r *models.Request) error {
			return a.Requests.Finish(ctx, r, models.Result(kept))
		}
	case c.Writer.Status() < http.StatusInternalServerError:
		end = a.Requests.Release
	}
}

// stayAlive renews the lease, so that other processes know that this one is still working: an upload takes long.
func (a *Auth) stayAlive(ctx context.Context, r *models.Request) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-time.After(models.TurnTime / 3):
				_ = a.Requests.Live(ctx, r) // a later one may succeed; if none does, the fence keeps this attempt from changing anything
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}

// recorder copies the response if it is short.
type recorder struct {
	gin.ResponseWriter
	body    bytes.Buffer
	tooLong bool
}

const longestBody = 64 << 10

func (r *recorder) Write(p []byte) (int, error) {
	if r.tooLong = r.tooLong || r.body.Len()+len(p) > longestBody; !r.tooLong {
		r.body.Write(p)
	}
	return r.ResponseWriter.Write(p)
}

func (r *recorder) WriteString(s string) (int, error) { return r.Write([]byte(s)) }

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// readKey returns the request's key, and the content that identifies the request: its format and its body, or the
// beginning of a long body. The body can still be read from the start.
func readKey(c *gin.Context) (key string, content []byte, err error) {
	headers := c.Request.Header.Values(keyHeader)
	kind, params, _ := mime.ParseMediaType(c.GetHeader("Content-Type"))
	isForm := kind == "multipart/form-data" || kind == "application/x-www-form-urlencoded"
	if len(headers) == 0 && !isForm {
		return "", nil, nil
	}
	body := bufio.NewReaderSize(c.Request.Body, headSize)
	head, _ := body.Peek(headSize) // the action gets the same error when it reads
	c.Request.Body = struct {
		io.Reader
		io.Closer
	}{body, c.Request.Body}
	switch {
	case len(headers) > 0:
		key, err = headerKey(headers)
	case kind == "multipart/form-data":
		key, err = checkKey(multipartKey(head, params["boundary"]))
	default:
		values, _ := url.ParseQuery(string(head))
		key, err = checkKey(values.Get(respond.KeyField))
	}
	if boundary := params["boundary"]; boundary != "" { // browsers choose a new one each time
		head = bytes.ReplaceAll(head, []byte(boundary), nil)
	}
	format := map[bool]string{true: "JSON", false: "page"}[respond.WantsJSON(c)]
	return key, append([]byte(format+" "+kind+"\n"), head...), err
}

// multipartKey finds the key's field at the beginning of a multipart form, before its files.
func multipartKey(head []byte, boundary string) string {
	if boundary == "" {
		return ""
	}
	form := multipart.NewReader(bytes.NewReader(head), boundary)
	for {
		part, err := form.NextPart()
		if err != nil {
			return ""
		}
		if part.FormName() == respond.KeyField {
			key, _ := io.ReadAll(io.LimitReader(part, longestKey+1))
			return string(key)
		}
	}
}

// headerKey parses the header: a quoted string, as in the draft (RFC 8941 §3.3.3), or unquoted, as most clients send
// it.
func headerKey(headers []string) (string, error) {
	key := strings.TrimSpace(headers[0])
	if n := len(key); n >= 2 && key[0] == '"' && key[n-1] == '"' {
		key = key[1 : n-1]
	}
	if len(headers) > 1 || key == "" {
		return "", errKey()
	}
	return checkKey(key)
}

func checkKey(key string) (string, error) {
	if len(key) > longestKey || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
		return "", errKey()
	}
	return key, nil
}

func errKey() error {
	return apperr.New(apperr.Malformed, "Send one Idempotency-Key of at most %d visible ASCII characters, such as a UUID.", longestKey)
}
