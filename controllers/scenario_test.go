package controllers_test

import (
	"strings"
	"testing"

	"tokentube/e2e/testsite"
)

// scenario is a request and its expected outcome.
type scenario struct {
	name   string
	as     *testsite.Client
	method string
	path   string // "/api/..." or a page with ?_method=
	body   testsite.M
	status int
	has    []string // in the response
	hasNot []string
	fault  string // the field that the error names
}

// play makes the requests in order: those of the API, and of pages with Accept, as JSON, all others like a browser.
func play(t *testing.T, scenarios []scenario) {
	t.Helper()
	for _, s := range scenarios {
		var answer *testsite.Answer
		switch {
		case strings.HasPrefix(s.path, "/api/"):
			answer = s.as.JSON(s.method, s.path, s.body)
		case s.method == "GET":
			answer = s.as.Get(s.path)
		default:
			form := map[string][]string{}
			for name, value := range s.body {
				form[name] = []string{value.(string)}
			}
			address, query, _ := strings.Cut(s.path, "?")
			if s.method != "POST" {
				query = strings.Trim(query+"&_method="+s.method, "&")
			}
			answer = s.as.PostForm(address+"?"+query, form)
		}
		if answer.Code != s.status {
			t.Errorf("%s: %s, want %d", s.name, answer, s.status)
			continue
		}
		for _, text := range s.has {
			if !strings.Contains(answer.Body, text) {
				t.Errorf("%s: %q is not in %s", s.name, text, answer.Body)
			}
		}
		for _, text := range s.hasNot {
			if strings.Contains(answer.Body, text) {
				t.Errorf("%s: %q is in %s", s.name, text, answer.Body)
			}
		}
		if s.fault != "" && answer.Fault(s.fault) == "" {
			t.Errorf("%s: no fault of %s in %s", s.name, s.fault, answer.Body)
		}
	}
}

// idOf is a user's id.
func idOf(t *testing.T, c *testsite.Client) string {
	t.Helper()
	return c.JSON("GET", "/api/v1/users/get-current-user", nil).Status(200).ID()
}
