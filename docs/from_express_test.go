package docs_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// Every path that from-express.md lists with its methods is in the description of the API, except in the row of what
// was removed.
func TestPathsForExpressReadersExist(t *testing.T) {
	var api struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal([]byte(read(t, "../controllers/openapi/openapi.json")), &api); err != nil {
		t.Fatal(err)
	}
	parameter := regexp.MustCompile(`\{\w+\}|:\w+`)
	described := map[string]bool{}
	for path, methods := range api.Paths {
		for method := range methods {
			described[strings.ToUpper(method)+" "+parameter.ReplaceAllString(path, ":")] = true
		}
	}
	methods := regexp.MustCompile(`GET|POST|PUT|PATCH|DELETE`)
	paths := regexp.MustCompile("`(/[^`]*)`")
	listed := regexp.MustCompile("(?:(?:GET|POST|PUT|PATCH|DELETE)(?:, | and | ))+(?:`/[^`]*`(?:, | and )?)+")
	n := 0
	for line := range strings.Lines(read(t, "from-express.md")) {
		if strings.Contains(line, "removed, because") {
			continue
		}
		for _, some := range listed.FindAllString(line, -1) {
			for _, path := range paths.FindAllStringSubmatch(some, -1) {
				if strings.HasSuffix(path[1], "…") {
					continue
				}
				path, _, _ := strings.Cut(path[1], "?")
				for _, method := range methods.FindAllString(some, -1) {
					n++
					if !described[method+" "+parameter.ReplaceAllString(path, ":")] {
						t.Errorf("there is no %s %s", method, path)
					}
				}
			}
		}
	}
	if n < 60 {
		t.Errorf("only %d routes are found", n)
	}
}
