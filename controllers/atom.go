package controllers

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/respond"
)

// Atom lets feed readers follow a channel (RFC 4287).
type Atom struct{ *App }

// Routes registers the feature.
func (a Atom) Routes(r middlewares.Access) {
	r.Open.Page(http.MethodGet, "/@:username/feed.atom", a.Show)
}

type atomFeed struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string      `xml:"id"`
	Title   string      `xml:"title"`
	About   string      `xml:"subtitle,omitempty"`
	Updated time.Time   `xml:"updated"`
	Author  atomPerson  `xml:"author"`
	Links   []atomLink  `xml:"link"`
	Icon    string      `xml:"icon,omitempty"`
	Entries []atomEntry `xml:"entry"`
}

type atomPerson struct {
	Name string `xml:"name"`
	URI  string `xml:"uri"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	ID         string         `xml:"id"`
	Title      string         `xml:"title"`
	Link       atomLink       `xml:"link"`
	Published  time.Time      `xml:"published"`
	Updated    time.Time      `xml:"updated"`
	Categories []atomCategory `xml:"category"`
	Content    string         `xml:"content"` // plain text, the default without a type
}

type atomCategory struct {
	Term string `xml:"term,attr"`
}

const (
	atomType = "application/atom+xml"
	htmlType = "text/html"
)

// Show is GET /@:username/feed.atom: the channel's latest published posts, as everybody sees them. It is revalidated
// each time, so an unpublished post disappears immediately.
func (a Atom) Show(c *gin.Context) error {
	user, err := a.Users.ByUsername(c, c.Param("username"))
	if err != nil {
		return err
	}
	page, err := a.Posts.Page(c, bson.NilObjectID, models.PostQuery{Owner: user.ID}, store.Paging{})
	if err != nil {
		return err
	}
	feed, err := a.feed(c, user, page.Items)
	if err != nil {
		return err
	}
	body, err := xml.Marshal(feed)
	if err != nil {
		return err
	}
	return respond.Document{Type: atomType + "; charset=utf-8", Body: append([]byte(xml.Header), body...)}.Send(c)
}

func (a Atom) feed(c *gin.Context, user *models.User, posts []*models.Post) (atomFeed, error) {
	base, channel := a.Config.BaseURL, a.user(user, false)
	shown, err := a.posts(c, bson.NilObjectID, posts)
	feed := atomFeed{
		ID: a.tag("channel", channel.ID, user.CreatedAt), Title: user.FullName, About: user.Bio, Icon: channel.Avatar.Absolute(), Updated: user.UpdatedAt.UTC(),
		Author: atomPerson{user.FullName, base + channel.Path()},
		Links:  []atomLink{{"self", atomType, base + channel.FeedPath()}, {"alternate", htmlType, base + channel.Path()}},
	}
	for _, p := range shown {
		entry := atomEntry{
			ID: a.tag("post", p.ID, p.CreatedAt), Title: p.Title, Link: atomLink{"alternate", htmlType, base + p.Path()}, Content: p.Description + p.Content,
			Published: p.PublishedAt.UTC(), Updated: p.PublishedAt.UTC(),
		}
		if p.EditedAt != nil && p.EditedAt.After(entry.Updated) {
			entry.Updated = p.EditedAt.UTC()
		}
		if entry.Title == "" {
			entry.Title = beginning(p.Content, 80)
		}
		for _, tag := range p.Tags {
			entry.Categories = append(entry.Categories, atomCategory{tag})
		}
		if entry.Updated.After(feed.Updated) {
			feed.Updated = entry.Updated
		}
		feed.Entries = append(feed.Entries, entry)
	}
	return feed, err
}

// tag is a permanent id (RFC 4151): URLs change with the username.
func (a Atom) tag(kind, id string, since time.Time) string {
	host := "localhost"
	if u, err := url.Parse(a.Config.BaseURL); err == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	return "tag:" + host + "," + since.UTC().Format(time.DateOnly) + ":" + kind + "/" + id
}

// beginning is the first line of a text, shortened if necessary.
func beginning(text string, most int) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if letters := []rune(line); len(letters) > most {
		return strings.TrimSpace(string(letters[:most])) + "…"
	}
	return line
}
