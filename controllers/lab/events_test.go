package lab_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tokentube/e2e/testsite"
)

// patience is for slow machines.
const patience = time.Minute

// steps returns the titles of the steps that a stream sends, up to the last one of the run.
func steps(t *testing.T, site *testsite.Site, cookies map[string]string, last string, begin func()) (titles []string) {
	t.Helper()
	server := httptest.NewServer(site.Handler)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+page+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	stream, err := server.Client().Do(r)
	if err != nil || stream.StatusCode != http.StatusOK {
		t.Fatal(stream, err)
	}
	defer func() { _ = stream.Body.Close() }()
	lines, event := bufio.NewScanner(stream.Body), ""
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		switch name {
		case "event":
			event = value
		case "data":
			if event == "session" && begin != nil {
				begin()
				begin = nil
			}
			if _, rest, is := strings.Cut(value, `{"title":"`); event == "step" && is {
				title, _, _ := strings.Cut(rest, `"`)
				titles = append(titles, title)
				if title == last {
					return titles
				}
			}
		}
	}
	t.Errorf("the stream sent %q and then ended: %v", titles, lines.Err())
	return titles
}

// A stream gets the steps of a run at once in the same process, and about a second later in another; each once, in
// order, and to the end, even if the run ends the session.
func TestStepsReachEveryProcess(t *testing.T) {
	one := testsite.New(t)
	sites := map[string]*testsite.Site{"the same process": one}
	if one.Config.MongoURI != "" {
		sites["another process"] = testsite.Open(t, one.Config, one.Clock)
	}
	for name, site := range sites {
		t.Run(name, func(t *testing.T) {
			alice := one.User("alice." + name[:3])
			run := func() (titles []string) {
				for _, step := range press(t, alice, "logout-replay").Ours.Steps {
					titles = append(titles, step.Title)
				}
				return titles
			}
			alice.PostForm(page+"/session", nil).Status(http.StatusSeeOther)
			before := run() // before the stream starts: not news
			alice.PostForm(page+"/session", nil).Status(http.StatusSeeOther)
			done := make(chan []string, 1)
			told := steps(t, site, alice.CopyTo(site).Cookies, before[len(before)-1], func() { go func() { done <- run() }() })
			want := <-done
			if !slices.Equal(told, want) || len(told) < 3 {
				t.Errorf("the stream sent\n%q\nand this happened:\n%q", told, want)
			}
		})
	}
}
