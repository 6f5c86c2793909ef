package routes_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"tokentube/e2e/testsite"
)

var ginParameter = regexp.MustCompile(`[:*](\w+)`)

// The routes under /api/v1 are those in openapi.json, which says for each of them whether anybody may call it.
// Responses are checked against it wherever a test gets one (e2e/testsite).
func TestOpenAPIDescribesEveryRoute(t *testing.T) {
	doc, err := testsite.Described()
	if err != nil {
		t.Fatal(err)
	}
	site := testsite.New(t)
	private, described := privateRoutes(allRoutes(site)), map[string]bool{}
	for _, r := range allRoutes(site) {
		path, inAPI := strings.CutPrefix(r.path, "/api/v1")
		if !inAPI || r.method == http.MethodHead {
			continue
		}
		path = ginParameter.ReplaceAllString(path, "{$1}")
		described[r.method+" "+path] = true
		item := doc.Paths.Value(path)
		if item == nil || item.GetOperation(r.method) == nil {
			t.Errorf("%s is not in controllers/openapi/openapi.json: add %q with %q under \"paths\", as docs/extending.md shows", r, path, strings.ToLower(r.method))
			continue
		}
		security := item.GetOperation(r.method).Security
		open := security != nil && (len(*security) == 0 || slices.ContainsFunc(*security, func(one openapi3.SecurityRequirement) bool { return len(one) == 0 }))
		if open == slices.Contains(private, r) {
			t.Errorf("%s: openapi.json says under \"security\" that anybody may call it: %v, and the site says otherwise", r, open)
		}
	}
	ids := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if !described[method+" "+path] {
				t.Errorf("openapi.json has %s %s, and the site doesn't", method, path)
			}
			if operation.OperationID == "" || ids[operation.OperationID] {
				t.Errorf("%s %s: the operationId %q is missing, or used twice", method, path, operation.OperationID)
			}
			ids[operation.OperationID] = true
		}
	}
}

// A list with a cursor also accepts a page number, and openapi.json says so.
func TestListsTakeThePagesThatAreDescribed(t *testing.T) {
	doc, err := testsite.Described()
	if err != nil {
		t.Fatal(err)
	}
	site := testsite.New(t)
	alice := admin(t, site, "alice")
	post := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201).ID()
	comment := alice.JSON("POST", "/api/v1/comments/"+post, testsite.M{"content": "hello"}).Status(201).ID()
	lists := 0
	for path, item := range doc.Paths.Map() {
		operation := item.Get
		if operation == nil || operation.Parameters.GetByInAndName("query", "after") == nil {
			continue
		}
		lists++
		if operation.Parameters.GetByInAndName("query", "page") == nil {
			t.Errorf("GET %s takes a page number, and openapi.json doesn't say so", path)
		}
		if !strings.Contains(path, "{") {
			answer := alice.JSON("GET", "/api/v1"+path+"?page=11", nil)
			if answer.Code != http.StatusUnprocessableEntity || answer.Fault("page") == "" {
				t.Errorf("GET %s?page=11: %s", path, answer)
			}
		}
	}
	if lists < 15 {
		t.Errorf("only %d lists were found", lists)
	}
	for _, path := range []string{"/comments/" + post, "/comments/c/" + comment} {
		alice.JSON("GET", "/api/v1"+path+"?page=11", nil).Status(http.StatusUnprocessableEntity)
	}
}
