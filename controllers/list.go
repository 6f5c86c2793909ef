package controllers

import (
	"net/url"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
)

// paging reads which part of a list is requested: limit, and after or page.
func paging(c *gin.Context) (store.Paging, error) {
	var in struct {
		After string `form:"after"`
		Limit *int   `form:"limit"`
		Page  *int   `form:"page"`
	}
	if err := input.Query(c.Request, &in); err != nil {
		return store.Paging{}, err
	}
	return store.NewPaging(in.After, in.Limit, in.Page)
}

// ascending reads sortType, which defaults to desc.
func ascending(sortType string) (bool, error) {
	switch sortType {
	case "", "desc", "des":
		return false, nil
	case "asc":
		return true, nil
	}
	return false, apperr.InvalidField("sortType", "Use “asc” or “desc”.")
}

// paginate are the article's fields of a numbered page. They count what numbered pages can reach: store.MaxNumber of
// them.
type paginate struct {
	CurrentPage int `json:"currentPage"`
	TotalPages  int `json:"totalPages"`
	Limit       int `json:"limit"`
	TotalVideos int `json:"totalVideos"`
}

// numbered is the page fields of a list; count counts it up to a limit. There are none after a cursor.
func numbered(c *gin.Context, count func(limit int) (int, error)) (*paginate, error) {
	p, err := paging(c)
	if err != nil || p.After != "" {
		return nil, err
	}
	n, err := count(p.Reach())
	return &paginate{CurrentPage: max(p.Number, 1), TotalPages: (n + p.Limit - 1) / p.Limit, Limit: p.Limit, TotalVideos: n}, err
}

// next is the cursor of the next page for the API, and its URL for the page.
type next struct {
	Next *string `json:"next"`
	More string  `json:"-"`
}

func nextOf(c *gin.Context, cursor string) next {
	return nextAt(c.Request.URL.Path, c.Request.URL.Query(), cursor)
}

// nextAt is nextOf for a list that has a page of its own.
func nextAt(path string, query url.Values, cursor string) next {
	if cursor == "" {
		return next{}
	}
	query.Set("after", cursor)
	query.Del("page")
	query.Del("_method") // from a form that was refused
	return next{&cursor, (&url.URL{Path: path, RawQuery: query.Encode()}).String()}
}

// postList is a page of posts.
type postList struct {
	Videos []Post `json:"videos"`
	next
	Kind string `json:"-"`
}

// postList builds the output of a page of posts that the viewer may see.
func (a *App) postList(c *gin.Context, page store.Page[*models.Post]) (postList, error) {
	posts, err := a.posts(c, middlewares.UserID(c), page.Items)
	return postList{Videos: posts, next: nextOf(c, page.Next)}, err
}
