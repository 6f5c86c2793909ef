package controllers_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/config"
	"tokentube/e2e/testsite"
	"tokentube/models"
)

// locations are the URLs in a sitemap, without the site's base URL.
func locations(t *testing.T, c *testsite.Client, path string) []string {
	t.Helper()
	var m struct {
		Maps []string `xml:"http://www.sitemaps.org/schemas/sitemap/0.9 sitemap>loc"`
		URLs []struct {
			Loc     string `xml:"loc"`
			LastMod string `xml:"lastmod"`
		} `xml:"http://www.sitemaps.org/schemas/sitemap/0.9 url"`
	}
	a := c.Get(path).Status(200)
	if err := xml.Unmarshal([]byte(a.Body), &m); err != nil {
		t.Fatalf("%v in %s", err, a.Body)
	}
	var all []string
	for _, u := range m.URLs {
		if _, err := time.Parse(time.RFC3339, u.LastMod); u.LastMod != "" && err != nil {
			t.Error(err)
		}
		all = append(all, u.Loc)
	}
	all = append(all, m.Maps...)
	for i, loc := range all {
		path, ours := strings.CutPrefix(loc, "https://localhost")
		if !ours {
			t.Errorf("%s leads elsewhere", loc)
		}
		all[i] = path
	}
	return all
}

func TestSitemapHasWhatEverybodyCanSee(t *testing.T) {
	site := testsite.New(t)
	alice, bob, nobody := site.User("alice"), site.User("bob"), site.Client()
	post := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201).ID()
	alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "draft", "visibility": "draft"}).Status(201)
	bob.JSON("POST", "/api/v1/tweets", testsite.M{"content": "draft", "visibility": "draft"}).Status(201)
	gone := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "gone"}).Status(201).ID()
	alice.JSON("DELETE", "/api/v1/tweets/"+gone, nil).Status(200)

	if got, want := locations(t, nobody, "/sitemap.xml"), "[/sitemap.xml?of=pages /sitemap.xml?of=channels /sitemap.xml?of=posts]"; fmt.Sprint(got) != want {
		t.Errorf("the index is %v", got)
	}
	for _, who := range []*testsite.Client{nobody, alice} {
		if got := locations(t, who, "/sitemap.xml?of=posts"); !slices.Equal(got, []string{"/posts/" + post}) {
			t.Errorf("posts: %v", got)
		}
	}
	if got := locations(t, nobody, "/sitemap.xml?of=channels"); !slices.Equal(got, []string{"/@alice"}) {
		t.Errorf("channels: %v", got)
	}
	pages := locations(t, nobody, "/sitemap.xml?of=pages")
	if len(pages) < 10 || !slices.Contains(pages, "/learn/rotation") {
		t.Errorf("pages: %v", pages)
	}
	for _, path := range pages {
		nobody.Get(path).Status(200).Has(`<link rel="canonical" href="https://localhost` + path + `">`)
	}
	nobody.Get("/sitemap.xml?of=users").Status(404)
	nobody.Get("/sitemap.xml?of=posts&after=nonsense").Status(422)
}

func TestSitemapOfManyPosts(t *testing.T) {
	site := testsite.New(t)
	alice, nobody := site.User("alice"), site.Client()
	const n = 2100
	owner, err := bson.ObjectIDFromHex(idOf(t, alice))
	if err != nil {
		t.Fatal(err)
	}
	for range n / 100 {
		err := site.DB.Atomically(t.Context(), func(ctx context.Context) error {
			for range 100 {
				if err := site.Posts.Create(ctx, &models.Post{Owner: owner, Kind: models.Text, Description: "one of many"}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	index := locations(t, nobody, "/sitemap.xml")
	seen := map[string]int{}
	for _, path := range index {
		if u, _ := url.Parse(path); u.Query().Get("of") != "posts" {
			continue
		}
		found := locations(t, nobody, path)
		if len(found) > 1000 {
			t.Errorf("%d on %s", len(found), path)
		}
		for _, loc := range found {
			seen[loc]++
		}
	}
	if len(index) != 5 || len(seen) != n {
		t.Errorf("%d posts on %d pages: %v", len(seen), len(index), index)
	}
}

func TestRobots(t *testing.T) {
	site := testsite.New(t)
	text := site.Client().Get("/robots.txt").Status(200).Has("User-agent: *\n", "\nDisallow: /search\n", "\nSitemap: https://localhost/sitemap.xml\n").Body
	for _, path := range []string{"/", "/watch/1", "/@alice", "/learn", "/learn/jwt", "/token-lab", "/static/css/base.css", "/media/posts/1/thumbnail", "/api/docs", "/sitemap.xml"} {
		for line := range strings.Lines(text) {
			if rule, ok := strings.CutPrefix(strings.TrimSpace(line), "Disallow: "); ok && strings.HasPrefix(path, rule) {
				t.Errorf("%s keeps search engines from %s", rule, path)
			}
		}
	}
	closed := testsite.New(t, func(c *config.Config) { c.AllowCrawlers = false }).Client()
	if got := closed.Get("/robots.txt").Status(200).Body; got != "User-agent: *\nDisallow: /\n" {
		t.Errorf("%q", got)
	}
	closed.Get("/sitemap.xml").Status(404)
}
