package controllers

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/utils/respond"
)

// BlockActions let users keep others away from them.
type BlockActions struct{ *App }

// Routes registers the feature.
func (b BlockActions) Routes(r middlewares.Access) {
	r.Private.Page(http.MethodGet, "/settings/blocks", b.Index)
	r.Private.API(http.MethodGet, "/users/blocks", b.Index)
	r.Private.At("/settings/blocks").Both(http.MethodPut, "/users/blocks/:id", b.Create)
	r.Private.At("/settings/blocks").Both(http.MethodDelete, "/users/blocks/:id", b.Delete)
}

type blockList struct {
	Users []Owner `json:"users"`
	next
}

// Index is GET /settings/blocks, and GET /users/blocks of the API: the people the user has blocked.
func (b BlockActions) Index(c *gin.Context) error {
	p, err := paging(c)
	if err != nil {
		return err
	}
	page, err := b.Blocks.Page(c, middlewares.UserID(c), p)
	if err != nil {
		return err
	}
	list := blockList{Users: make([]Owner, len(page.Items)), next: nextOf(c, page.Next)}
	for i, u := range page.Items {
		list.Users[i] = b.owner(u)
	}
	return respond.Show(c, "settings/blocks", list)
}

// Create is PUT /users/blocks/:id: blocks a user. It is idempotent.
func (b BlockActions) Create(c *gin.Context) error {
	user, id, err := target(c)
	if err != nil {
		return err
	}
	if err := b.Blocks.Add(c, user, id); err != nil {
		return err
	}
	return b.done(c, id, true)
}

// Delete is DELETE /users/blocks/:id: ends a block. It is idempotent.
func (b BlockActions) Delete(c *gin.Context) error {
	user, id, err := target(c)
	if err != nil {
		return err
	}
	if err := b.Blocks.Remove(c, user, id); err != nil {
		return err
	}
	return b.done(c, id, false)
}

// done redirects back, but not to a comment, which may no longer be visible.
func (b BlockActions) done(c *gin.Context, id bson.ObjectID, is bool) error {
	u, err := b.Users.ByID(c, id)
	if err != nil {
		return err
	}
	channel := b.owner(u).Path()
	page := respond.Back(c, channel)
	if strings.HasPrefix(page, "/comments/c/") {
		page = channel
	}
	message := map[bool]string{true: "You have blocked @" + u.Username + ".", false: "You have unblocked @" + u.Username + "."}[is]
	return respond.Done(c, message, page, struct {
		IsBlocked bool `json:"isBlocked"`
	}{is})
}
