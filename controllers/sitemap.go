package controllers

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/respond"
)

// Sitemap tells search engines which pages exist (sitemaps.org) and which to stay away from (RFC 9309).
type Sitemap struct {
	*App
	fixed []string // the pages that always exist
	parts map[string]*mapPart
}

// NewSitemap makes the feature.
func NewSitemap(app *App, fixed []string) Sitemap {
	s := Sitemap{App: app, fixed: fixed}
	s.parts = map[string]*mapPart{"posts": {page: s.posts}, "channels": {page: s.channels}}
	return s
}

// Routes registers the feature.
func (s Sitemap) Routes(r middlewares.Access) {
	r.Open.Page(http.MethodGet, "/robots.txt", s.Robots)
	r.Open.Page(http.MethodGet, "/sitemap.xml", s.Show)
}

// keptOut are paths of no use to a search engine: forms, search results and pages for logged-in users.
var keptOut = []string{"/api/v1/", "/create", "/login", "/register", "/reports/", "/search", "/settings/", "/studio", "/token-lab/"}

// Robots is GET /robots.txt.
func (s Sitemap) Robots(c *gin.Context) error {
	text := "User-agent: *\nDisallow: /\n"
	if s.Config.AllowCrawlers {
		text = "User-agent: *\nDisallow: " + strings.Join(keptOut, "\nDisallow: ") + "\n\nSitemap: " + s.Config.BaseURL + "/sitemap.xml\n"
	}
	return respond.Document{Type: "text/plain; charset=utf-8", Body: []byte(text), Fresh: mapFresh}.Send(c)
}

const (
	mapFresh   = 10 * time.Minute
	mapEntries = 1000 // per page
	mapSteps   = 20   // how many pages one request reads beyond the known ones
	mapAge     = 24 * time.Hour
)

type mapIndex struct {
	XMLName xml.Name   `xml:"http://www.sitemaps.org/schemas/sitemap/0.9 sitemapindex"`
	Maps    []mapEntry `xml:"sitemap"`
}

type mapPage struct {
	XMLName xml.Name   `xml:"http://www.sitemaps.org/schemas/sitemap/0.9 urlset"`
	URLs    []mapEntry `xml:"url"`
}

type mapEntry struct {
	Loc     string     `xml:"loc"`
	LastMod *time.Time `xml:"lastmod"`
}

// Show is GET /sitemap.xml: the index; with "of", a page of one of its parts: pages, posts or channels.
func (s Sitemap) Show(c *gin.Context) error {
	if !s.Config.AllowCrawlers {
		return apperr.New(apperr.NotFound, "There's no page at this address.")
	}
	part := c.Query("of")
	switch {
	case part == "":
		index, err := s.index(c)
		return s.send(c, index, err)
	case part == "pages":
		page := mapPage{}
		for _, path := range s.fixed {
			page.URLs = append(page.URLs, mapEntry{Loc: s.Config.BaseURL + path})
		}
		return s.send(c, page, nil)
	case s.parts[part] == nil:
		return store.ErrNotFound()
	}
	urls, _, err := s.parts[part].page(c, c.Query("after"))
	return s.send(c, mapPage{URLs: urls}, err)
}

func (s Sitemap) send(c *gin.Context, content any, err error) error {
	if err != nil {
		return err
	}
	body, err := xml.Marshal(content)
	if err != nil {
		return err
	}
	return respond.Document{Type: "application/xml; charset=utf-8", Body: append([]byte(xml.Header), body...), Fresh: mapFresh}.Send(c)
}

func (s Sitemap) index(ctx context.Context) (mapIndex, error) {
	at := func(part, after string) mapEntry {
		query := url.Values{"of": {part}}
		if after != "" {
			query.Set("after", after)
		}
		return mapEntry{Loc: s.Config.BaseURL + "/sitemap.xml?" + query.Encode()}
	}
	index := mapIndex{Maps: []mapEntry{at("pages", "")}}
	for _, name := range []string{"channels", "posts"} {
		starts, err := s.parts[name].starts(ctx, s.Now())
		if err != nil {
			return index, err
		}
		for _, after := range starts {
			index.Maps = append(index.Maps, at(name, after))
		}
	}
	return index, nil
}

// posts are all published posts, oldest first, so that new ones are appended.
func (s Sitemap) posts(ctx context.Context, after string) (urls []mapEntry, next string, err error) {
	page, err := s.Posts.Page(ctx, bson.NilObjectID, models.PostQuery{Ascending: true}, store.Paging{After: after, Limit: mapEntries})
	for _, p := range page.Items {
		changed := *p.PublishedAt
		if p.EditedAt != nil {
			changed = *p.EditedAt
		}
		urls = append(urls, s.changed(postPaths[string(p.Kind)]+"/"+p.ID.Hex(), changed))
	}
	return urls, page.Next, err
}

// channels are the users who have published something.
func (s Sitemap) channels(ctx context.Context, after string) (urls []mapEntry, next string, err error) {
	page, err := s.Users.Page(ctx, store.Paging{After: after, Limit: mapEntries})
	for _, u := range page.Items {
		if u.DisabledAt == nil && u.PostsCount > 0 {
			urls = append(urls, s.changed("/@"+u.Username, u.UpdatedAt))
		}
	}
	return urls, page.Next, err
}

func (s Sitemap) changed(path string, at time.Time) mapEntry {
	at = at.UTC().Truncate(time.Second)
	return mapEntry{s.Config.BaseURL + path, &at}
}

// mapPart remembers the cursors at which the pages of a part begin. To find them, each page is read once, a few per
// request. So no request takes longer as the site grows, and the index of a very large site is complete after a few
// requests.
type mapPart struct {
	page func(ctx context.Context, after string) (urls []mapEntry, next string, err error)

	mu    sync.Mutex
	found []string // cursors
	since time.Time
}

// starts are the cursors of the pages; the first one is empty. They are found afresh once a day: deletions leave pages
// short, and restored entries make pages longer than allowed.
func (p *mapPart) starts(ctx context.Context, now time.Time) ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.found) == 0 || now.Sub(p.since) > mapAge {
		p.found, p.since = []string{""}, now
	}
	for range mapSteps {
		_, next, err := p.page(ctx, p.found[len(p.found)-1])
		if err != nil {
			return nil, err
		}
		if next == "" {
			break
		}
		p.found = append(p.found, next)
	}
	return p.found[:len(p.found):len(p.found)], nil
}
