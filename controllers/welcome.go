package controllers

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/utils/respond"
)

// Welcome is what new users see after they signed up.
type Welcome struct{ *App }

// Routes registers the feature.
func (w Welcome) Routes(r middlewares.Access) {
	r.Private.Page(http.MethodGet, "/welcome", w.Show)
}

// welcomePage says which of the next steps are done.
type welcomePage struct {
	HasPosted     bool `json:"hasPosted"`
	HasSubscribed bool `json:"hasSubscribed"`
}

// Show is GET /welcome: three next steps. The menu leads there until the first post is published.
func (w Welcome) Show(c *gin.Context) error {
	u := middlewares.Current(c).User
	return respond.Show(c, "welcome/show", welcomePage{u.PostsCount > 0, u.SubscriptionsCount > 0})
}

// afterSignUp is where a new account begins: at the page that asked for it, or at the next steps.
func afterSignUp(next string) string {
	if to := safeNext(next); to != "/" {
		return to
	}
	return "/welcome"
}
