package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"
)

// visitor is a browser as far as cookies are concerned. Its tabs send real requests concurrently, to any process of a
// site.
type visitor struct {
	client  *http.Client
	mu      sync.Mutex
	cookies map[string]string
	cleared bool // a response has cleared a cookie
}

func newVisitor() *visitor {
	// Redirects are not followed, and no response is waited for longer than any can take.
	return &visitor{cookies: map[string]string{}, client: &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// copied is another program with the same cookies.
func (v *visitor) copied() *visitor {
	v.mu.Lock()
	defer v.mu.Unlock()
	other := newVisitor()
	other.cookies = maps.Clone(v.cookies)
	return other
}

// reply is a response that has been read to its end.
type reply struct {
	*http.Response
	body string
}

func (r *reply) String() string {
	return fmt.Sprintf("%s %s: %d %s", r.Request.Method, r.Request.URL.Path, r.StatusCode, r.body)
}

// data decodes the data in the envelope.
func (r *reply) data(into any) error {
	return json.Unmarshal([]byte(r.body), &struct {
		Data any `json:"data"`
	}{into})
}

// open goes to a page.
func (v *visitor) open(ctx context.Context, address string) (*reply, error) {
	return v.send(ctx, http.MethodGet, address, nil, http.Header{"Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}})
}

// call calls the API.
func (v *visitor) call(ctx context.Context, method, address string, body any) (*reply, error) {
	return v.send(ctx, method, address, body, http.Header{"Accept": {"application/json"}, "Content-Type": {"application/json"}})
}

func (v *visitor) send(ctx context.Context, method, address string, body any, header http.Header) (*reply, error) {
	text := []byte{}
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	r.Header = header
	v.mu.Lock()
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	v.mu.Unlock()
	answer, err := v.client.Do(r)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(answer.Body)
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, cookie := range answer.Cookies() {
		if cookie.MaxAge < 0 || cookie.Value == "" {
			v.cleared = v.cleared || cookie.Name == "AccessToken" || cookie.Name == "RefreshToken"
			delete(v.cookies, cookie.Name)
			continue
		}
		v.cookies[cookie.Name] = cookie.Value
	}
	return &reply{answer, string(content)}, nil
}
