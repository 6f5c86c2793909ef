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

// paging reads which part of a list is wanted: limit and after.
func paging(c *gin.Context) (store.Paging, error) {
	var in struct {
		After string `form:"after"`
		Limit *int   `form:"limit"`
	}
	if err := input.Query(c.Request, &in); err != nil {
		return store.Paging{}, err
	}
	return store.NewPaging(in.After, in.Limit)
}

// ascending reads sortType, which is desc where nothing is said.
func ascending(sortType string) (bool, error) {
	switch sortType {
	case "", "desc", "des":
		return false, nil
	case "asc":
		return true, nil
	}
	return false, apperr.InvalidField("sortType", "Use “asc” or “desc”.")
}

// next is how a list goes on: the cursor of the next page for the API, and its address for the page.
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
	return next{&cursor, (&url.URL{Path: path, RawQuery: query.Encode()}).String()}
}

// postList is a page of posts.
type postList struct {
	Videos []Post `json:"videos"`
	next
	Kind string `json:"-"`
}

// postList makes the output of a page of posts that the viewer may see.
func (a *App) postList(c *gin.Context, page store.Page[*models.Post]) (postList, error) {
	posts, err := a.posts(c, middlewares.UserID(c), page.Items)
	return postList{Videos: posts, next: nextOf(c, page.Next)}, err
}
