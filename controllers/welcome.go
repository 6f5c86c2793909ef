package controllers

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/utils/respond"
)

// Welcome is the page that new users see after signing up.
type Welcome struct{ *App }

// Routes registers the feature.
func (w Welcome) Routes(r middlewares.Access) {
	r.Private.Page(http.MethodGet, "/welcome", w.Show)
}

// welcomePage is which of the next steps are done.
type welcomePage struct {
	HasPosted     bool `json:"hasPosted"`
	HasSubscribed bool `json:"hasSubscribed"`
}

// Show is GET /welcome: three next steps. The menu links to it until the first post is published.
func (w Welcome) Show(c *gin.Context) error {
	u := middlewares.Current(c).User
	return respond.Show(c, "welcome/show", welcomePage{u.PostsCount > 0, u.SubscriptionsCount > 0})
}

// afterSignUp is where a new user continues: on the page they came for, or with the next steps.
func afterSignUp(next string) string {
	if to := safeNext(next); to != "/" {
		return to
	}
	return "/welcome"
}
