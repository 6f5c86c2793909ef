package testsite

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// Anything in a response that openapi.json doesn't describe is detected: a status, a field, a type, another format.
func TestWhatIsNotDescribedIsFound(t *testing.T) {
	const state = `{"statusCode":200,"message":"OK","success":true,"data":`
	for name, test := range map[string]struct {
		method, path string
		code         int
		body         string
		good         bool
	}{
		"as described":           {"PUT", "/likes/v/0123456789abcdef01234567", 200, state + `{"isLiked":true,"likesCount":1}}`, true},
		"a field too many":       {"PUT", "/likes/v/0123456789abcdef01234567", 200, state + `{"isLiked":true,"likesCount":1,"x":1}}`, false},
		"a field too few":        {"PUT", "/likes/v/0123456789abcdef01234567", 200, state + `{"isLiked":true}}`, false},
		"another type":           {"PUT", "/likes/v/0123456789abcdef01234567", 200, state + `{"isLiked":true,"likesCount":"1"}}`, false},
		"no envelope":            {"PUT", "/likes/v/0123456789abcdef01234567", 200, `{"isLiked":true,"likesCount":1}`, false},
		"more in the envelope":   {"GET", "/healthcheck", 200, `{"statusCode":200,"message":"OK","success":true,"x":1,"data":{"status":"ok"}}`, false},
		"another status":         {"PUT", "/likes/v/0123456789abcdef01234567", 202, state + `{"isLiked":true,"likesCount":1}}`, false},
		"an error without words": {"PUT", "/likes/v/0123456789abcdef01234567", 404, `{"statusCode":404,"success":false}`, false},
		"the longer path":        {"GET", "/playlist/watch-later", 200, state + `{"isLiked":true}}`, false},
		"no such operation":      {"PUT", "/likes/x/1", 404, `{}`, true},
	} {
		header := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
		a := &Answer{Response: &http.Response{Request: httptest.NewRequest(test.method, apiBase+test.path, nil), Header: header}, Code: test.code, Body: test.body}
		if err := described(a); (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
