package routes_test

import (
	"slices"
	"strings"
	"testing"

	"tokentube/e2e/testsite"
	"tokentube/routes"
)

// Every line of the table is for a route that a feature registers, and each of its paths is served.
func TestArticlePathsAreServed(t *testing.T) {
	found := allRoutes(testsite.New(t))
	for name, paths := range routes.Article {
		method, path, _ := strings.Cut(name, " ")
		for _, renamed := range paths {
			if !slices.Contains(found, route{method, "/api/v1" + renamed}) {
				t.Errorf("%s %s is not served: does a feature register %s?", method, renamed, name)
			}
		}
		if !slices.Contains(paths, path) && slices.Contains(found, route{method, "/api/v1" + path}) {
			t.Errorf("%s is served under its own path too", name)
		}
	}
}
