package controllers

import (
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

// maxQuery is the number of characters of a query that are used.
const maxQuery = 200

type searchPage struct {
	postList
	Channels []channel `json:"channels"`
	Query    string    `json:"query"`
}

// Search is GET /search?q=: the posts that contain all the words, or the channels with kind=channel. The first page of
// posts of all kinds starts with a few channels.
func (f Feeds) Search(c *gin.Context) error {
	var in struct {
		Q    string `form:"q"`
		Kind string `form:"kind"`
	}
	if err := input.Query(c.Request, &in); err != nil {
		return err
	}
	out := searchPage{Query: queryText(in.Q), Channels: []channel{}}
	if in.Kind == kindChannel {
		return f.searchChannels(c, out)
	}
	q, _, err := f.query(c)
	if err != nil {
		return err
	}
	p, err := paging(c)
	if err != nil {
		return err
	}
	page, err := f.App.Posts.Search(c, middlewares.UserID(c), out.Query, q, p)
	if err != nil {
		return err
	}
	if out.postList, err = f.postList(c, page); err != nil {
		return err
	}
	out.Kind = string(q.Kind)
	if q.Kind == "" && q.Owner.IsZero() && p.After == "" && p.Number <= 1 {
		channels, err := f.Users.Search(c, out.Query, store.Paging{Limit: fewChannels})
		if err != nil {
			return err
		}
		if out.Channels, err = f.channels(c, channels.Items); err != nil {
			return err
		}
	}
	return respond.Show(c, "search/index", out)
}

const (
	kindChannel = "channel"
	fewChannels = 3
)

func (f Feeds) searchChannels(c *gin.Context, out searchPage) error {
	p, err := paging(c)
	if err != nil {
		return err
	}
	page, err := f.Users.Search(c, out.Query, p)
	if err != nil {
		return err
	}
	if out.Channels, err = f.channels(c, page.Items); err != nil {
		return err
	}
	out.postList = postList{Videos: []Post{}, Kind: kindChannel, next: nextOf(c, page.Next)}
	return respond.Show(c, "search/index", out)
}

// showFound responds with the API's list of posts that match a query.
func (f Feeds) showFound(c *gin.Context, text string, q models.PostQuery) error {
	p, err := paging(c)
	if err != nil {
		return err
	}
	page, err := f.App.Posts.Search(c, middlewares.UserID(c), queryText(text), q, p)
	if err != nil {
		return err
	}
	out := numberedList{}
	if out.postList, err = f.postList(c, page); err != nil {
		return err
	}
	out.Paginate, err = numbered(c, func(limit int) (int, error) { return min(page.Total, limit), nil })
	if err != nil {
		return err
	}
	return respond.Show(c, "", out)
}

// queryText normalizes the whitespace of a query and cuts it to maxQuery characters.
func queryText(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) > maxQuery {
		text = string([]rune(text)[:maxQuery])
	}
	return text
}
