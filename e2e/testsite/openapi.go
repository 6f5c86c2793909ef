package testsite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"tokentube/controllers/openapi"
)

const apiBase = "/api/v1"

// Described is the API as openapi.json describes it.
var Described = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(openapi.File)
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background())
})

// checkDescribed fails the test where a response of the API isn't one that openapi.json describes. That every route is in
// that file is tested with the routes.
func (c *Client) checkDescribed(a *Answer) {
	c.site.t.Helper()
	if err := described(a, &c.site.refusals); err != nil {
		c.site.t.Errorf("%s %s: this response is not what controllers/openapi/openapi.json says. Correct one of the two:\n%v\n%s", a.Request.Method, a.Request.URL.Path, err, a)
	}
}

// requestID is what differs in refusals that say the same.
var requestID = regexp.MustCompile(`"requestId":"[^"]*"`)

// described tells what is wrong with a response, if it is of an operation that openapi.json has. The same refusal of one
// operation, of which tests see thousands, is looked at once: refusals remembers it.
func described(a *Answer, refusals *sync.Map) error {
	doc, err := Described()
	if err != nil {
		return err
	}
	route := describedRoute(doc, a.Request)
	if route == nil {
		return nil
	}
	if a.Code >= http.StatusBadRequest {
		said := fmt.Sprintln(a.Request.Method, route.Path, a.Code, a.Header.Get("Content-Type"), requestID.ReplaceAllString(a.Body, ""))
		if _, known := refusals.LoadOrStore(said, true); known {
			return nil
		}
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: a.Request, Route: route},
		Status:                 a.Code, Header: a.Header, Body: io.NopCloser(strings.NewReader(a.Body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: isArchive(a)},
	})
	if fault := (*openapi3filter.ResponseError)(nil); errors.As(err, &fault) && fault.Err != nil {
		return fault.Err // without the schema, which is long
	}
	return err
}

// isArchive tells a backup or an export, which only a reader of its format could check.
func isArchive(a *Answer) bool {
	kind := a.Header.Get("Content-Type")
	return kind == "application/x-tar" || kind == "application/zip"
}

// describedRoute finds the operation that a request is for, if there is one.
func describedRoute(doc *openapi3.T, r *http.Request) *routers.Route {
	path, inAPI := strings.CutPrefix(r.URL.Path, apiBase)
	if !inAPI {
		return nil
	}
	var found *routers.Route
	for template, item := range doc.Paths.Map() {
		operation := item.GetOperation(r.Method)
		if operation == nil || !matches(template, path) || found != nil && strings.Count(found.Path, "{") <= strings.Count(template, "{") {
			continue
		}
		found = &routers.Route{Spec: doc, Path: template, PathItem: item, Method: r.Method, Operation: operation}
	}
	return found
}

// matches tells whether a path is of a template, such as /videos/{id}.
func matches(template, path string) bool {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		if !strings.HasPrefix(want[i], "{") && want[i] != have[i] {
			return false
		}
	}
	return true
}
