package testsite

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"tokentube/controllers/openapi"
)

const apiBase = "/api/v1"

// Described is the API according to openapi.json.
var Described = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(openapi.File)
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background())
})

// checkDescribed fails the test if a response of the API doesn't match openapi.json. That the file describes every
// route is tested with the routes.
func (c *Client) checkDescribed(a *Answer) {
	c.site.t.Helper()
	if err := described(a); err != nil {
		c.site.t.Errorf("%s %s: this response is not what controllers/openapi/openapi.json says. Correct one of the two:\n%v\n%s", a.Request.Method, a.Request.URL.Path, err, a)
	}
}

// described returns what is wrong with a response, if openapi.json has its operation.
func described(a *Answer) error {
	doc, err := Described()
	if err != nil {
		return err
	}
	route := describedRoute(doc, a.Request)
	if route == nil {
		return nil
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: a.Request, Route: route},
		Status:                 a.Code, Header: a.Header, Body: http.NoBody,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: true},
	})
	if fault := (*openapi3filter.ResponseError)(nil); errors.As(err, &fault) && fault.Err != nil {
		return fault.Err // without the schema, which is long
	}
	if err != nil {
		return err
	}
	return describedBody(a, route)
}

// describedBody returns what is wrong with the body of a response.
func describedBody(a *Answer, route *routers.Route) error {
	place, response := describedResponse(route, a.Code)
	if len(response.Content) == 0 {
		return nil
	}
	kind, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil || response.Content[kind] == nil {
		return fmt.Errorf("no response of %d has the type %q", a.Code, a.Header.Get("Content-Type"))
	}
	if kind != "application/json" {
		return nil // an archive, which only a reader of its format could check
	}
	schema, err := schemas(place + "/content/" + pointer.Replace(kind) + "/schema")
	if err != nil {
		return err
	}
	body, err := jsonschema.UnmarshalJSON(strings.NewReader(a.Body))
	if err != nil {
		return err
	}
	return schema.Validate(body)
}

// describedResponse is the description of an operation's status, and its position in openapi.json (RFC 6901).
func describedResponse(route *routers.Route, status int) (place string, of *openapi3.Response) {
	for _, name := range []string{strconv.Itoa(status), strconv.Itoa(status/100) + "XX", "default"} {
		if response := route.Operation.Responses.Value(name); response != nil {
			place := "#/paths/" + pointer.Replace(route.Path) + "/" + strings.ToLower(route.Method) + "/responses/" + name
			return cmp.Or(response.Ref, place), response.Value
		}
	}
	return "", &openapi3.Response{}
}

var pointer = strings.NewReplacer("~", "~0", "/", "~1")

// schemas compiles the schema at a position in openapi.json once: compiling takes much longer than checking a response.
var schemas = func() func(place string) (*jsonschema.Schema, error) {
	var lock sync.Mutex
	compiled := map[string]*jsonschema.Schema{}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(openapi.File))
	if err == nil {
		err = compiler.AddResource("openapi.json", doc)
	}
	return func(place string) (*jsonschema.Schema, error) {
		lock.Lock()
		defer lock.Unlock()
		if schema := compiled[place]; schema != nil || err != nil {
			return schema, err
		}
		schema, err := compiler.Compile("openapi.json" + place)
		compiled[place] = schema
		return schema, err
	}
}()

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

// matches reports whether a path matches a template such as /videos/{id}.
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
