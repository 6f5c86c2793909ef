package controllers_test

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tokentube/e2e/testsite"
)

// feed is a feed as parsed by a reader.
type feed struct {
	XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string   `xml:"id"`
	Title   string   `xml:"title"`
	Updated string   `xml:"updated"`
	Author  string   `xml:"author>name"`
	Links   []struct {
		Rel  string `xml:"rel,attr"`
		Type string `xml:"type,attr"`
		Href string `xml:"href,attr"`
	} `xml:"link"`
	Entries []struct {
		ID        string `xml:"id"`
		Title     string `xml:"title"`
		Published string `xml:"published"`
		Updated   string `xml:"updated"`
		Content   string `xml:"content"`
		Link      struct {
			Href string `xml:"href,attr"`
		} `xml:"link"`
		Categories []struct {
			Term string `xml:"term,attr"`
		} `xml:"category"`
	} `xml:"entry"`
}

// parse parses a feed and checks the requirements of RFC 4287.
func parse(t *testing.T, a *testsite.Answer) (f feed) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(a.Status(200).Body)) // strict
	if err := d.Decode(&f); err != nil {
		t.Fatalf("%v in %s", err, a.Body)
	}
	times := []string{f.Updated}
	ids := map[string]bool{f.ID: true}
	for _, e := range f.Entries {
		times = append(times, e.Published, e.Updated)
		if e.Title == "" || e.Link.Href == "" || ids[e.ID] || !strings.HasPrefix(e.ID, "tag:localhost,") {
			t.Errorf("an entry: %+v", e)
		}
		ids[e.ID] = true
	}
	for _, text := range times {
		if _, err := time.Parse(time.RFC3339, text); err != nil {
			t.Error(err)
		}
	}
	if f.Author == "" || f.Title == "" || !strings.HasPrefix(f.ID, "tag:localhost,") {
		t.Errorf("the feed: %+v", f)
	}
	return f
}

func TestFeedOfAChannel(t *testing.T) {
	site := testsite.New(t)
	alice, nobody := site.User("alice"), site.Client()
	if f := parse(t, nobody.Get("/@alice/feed.atom")); len(f.Entries) != 0 {
		t.Errorf("a new channel has %d entries", len(f.Entries))
	}
	first := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "First <b>line</b> & ]]> more\nsecond \u202eline", "tags": "sea, ä&b"}).Status(201).ID()
	site.Clock.Advance(time.Hour)
	long := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": strings.Repeat("é", 200)}).Status(201).ID()
	draft := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "draft", "visibility": "draft"}).Status(201).ID()

	answer := nobody.Get("/@Alice/feed.atom")
	f := parse(t, answer)
	if kind := answer.Header.Get("Content-Type"); kind != "application/atom+xml; charset=utf-8" {
		t.Error(kind)
	}
	if len(f.Entries) != 2 || strings.Contains(answer.Body, draft) {
		t.Fatalf("%d entries in %s", len(f.Entries), answer.Body)
	}
	for i, want := range []struct{ link, title, content string }{
		{"https://localhost/posts/" + long, strings.Repeat("é", 80) + "…", strings.Repeat("é", 200)},
		{"https://localhost/posts/" + first, "First <b>line</b> & ]]> more", "First <b>line</b> & ]]> more\nsecond \u202eline"},
	} {
		if e := f.Entries[i]; e.Link.Href != want.link || e.Title != want.title || e.Content != want.content {
			t.Errorf("entry %d: %+v", i, e)
		}
	}
	if c := f.Entries[1].Categories; len(c) != 2 || c[1].Term != "ä&b" {
		t.Errorf("categories: %+v", c)
	}
	if l := f.Links; len(l) != 2 || l[0].Rel != "self" || l[0].Href != "https://localhost/@alice/feed.atom" || l[1].Href != "https://localhost/@alice" {
		t.Errorf("links: %+v", l)
	}
	if f.Updated != f.Entries[0].Updated || f.Entries[0].Updated <= f.Entries[1].Updated {
		t.Errorf("updated %s, %s, %s", f.Updated, f.Entries[0].Updated, f.Entries[1].Updated)
	}
	if own := parse(t, alice.Get("/@alice/feed.atom")); len(own.Entries) != 2 {
		t.Errorf("its owner sees %d entries", len(own.Entries))
	}

	tag := answer.Header.Get("ETag")
	again := func() *testsite.Answer {
		r := httptest.NewRequest("GET", "https://localhost/@alice/feed.atom", nil)
		r.Header.Set("If-None-Match", tag)
		return nobody.Do(r)
	}
	if a := again().Status(304); a.Body != "" || a.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("%v %q", a.Header, a.Body)
	}
	site.Clock.Advance(time.Hour)
	alice.JSON("PATCH", "/api/v1/tweets/"+first, testsite.M{"content": "changed"}).Status(200)
	if f := parse(t, again()); f.Entries[1].Title != "changed" || f.Entries[1].Updated <= f.Entries[1].Published || f.Updated != f.Entries[1].Updated {
		t.Errorf("after a change: %+v", f)
	}
	alice.JSON("PATCH", "/api/v1/tweets/"+first, testsite.M{"visibility": "draft"}).Status(200)
	if f := parse(t, again()); len(f.Entries) != 1 {
		t.Errorf("unpublished, and %d entries", len(f.Entries))
	}
	since := httptest.NewRequest("GET", "https://localhost/@alice/feed.atom", nil)
	since.Header.Set("If-Modified-Since", site.Clock.Now().UTC().Format(http.TimeFormat))
	if f := parse(t, nobody.Do(since)); len(f.Entries) != 1 {
		t.Errorf("unpublished, and a reader without the tag gets %d entries", len(f.Entries))
	}
	for range 25 {
		alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "one of many"}).Status(201)
	}
	if f := parse(t, nobody.Get("/@alice/feed.atom")); len(f.Entries) != 20 {
		t.Errorf("%d entries", len(f.Entries))
	}
	nobody.Get("/@nobody/feed.atom").Status(404)
}
