package controllers

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

// HistoryActions let users find what they watched.
type HistoryActions struct{ *App }

// Routes registers the feature.
func (h HistoryActions) Routes(r middlewares.Access) {
	h.Decorate(h.positions)
	r.Private.Both(http.MethodGet, "/history", h.Index)
	r.Private.Both(http.MethodPatch, "/history", h.Update)
	r.Private.Both(http.MethodDelete, "/history", h.Clear)
	r.Private.Minor().Both(http.MethodPut, "/history/:id", h.SetPosition)
	r.Private.Both(http.MethodDelete, "/history/:id", h.Delete)
}

// noteWatched adds a published post to its viewer's history. If that fails, the page is shown anyway.
func (a *App) noteWatched(c *gin.Context, post *models.Post) {
	user := middlewares.UserID(c)
	if user.IsZero() || !post.Published() || middlewares.Passive(c.Request) {
		return
	}
	if err := a.History.Add(c, user, post.ID); err != nil {
		a.Log.WarnContext(c, "history not written", "post", post.ID.Hex(), "error", err)
	}
}

// positions marks how far the viewer got into the posts.
func (h HistoryActions) positions(ctx context.Context, viewer bson.ObjectID, ids []bson.ObjectID, posts []Post) error {
	positions, err := h.History.Positions(ctx, viewer, ids)
	for i, id := range ids {
		posts[i].Position = positions[id]
	}
	return err
}

type historyEntry struct {
	Post
	WatchedAt time.Time `json:"watchedAt"`
}

type historyList struct {
	Videos   []historyEntry `json:"videos"`
	IsPaused bool           `json:"isPaused"`
	next
}

// Index is GET /history: what the user watched, latest first.
func (h HistoryActions) Index(c *gin.Context) error {
	p, err := paging(c)
	if err != nil {
		return err
	}
	page, err := h.History.Page(c, middlewares.UserID(c), p)
	if err != nil {
		return err
	}
	posts, at := make([]*models.Post, len(page.Items)), map[string]time.Time{}
	for i, w := range page.Items {
		posts[i], at[w.Post.ID.Hex()] = w.Post, w.WatchedAt
	}
	shown, err := h.posts(c, middlewares.UserID(c), posts)
	if err != nil {
		return err
	}
	list := historyList{Videos: make([]historyEntry, len(shown)), IsPaused: middlewares.Current(c).User.HistoryPaused, next: nextOf(c, page.Next)}
	for i, post := range shown {
		list.Videos[i] = historyEntry{post, at[post.ID]}
	}
	return respond.Show(c, "history/index", list)
}

type historyState struct {
	IsPaused *bool `form:"isPaused" json:"isPaused"`
}

// Update is PATCH /history: pauses or resumes the history.
func (h HistoryActions) Update(c *gin.Context) error {
	var in historyState
	err := input.Read(c.Request, &in, nil)
	if err == nil && in.IsPaused == nil {
		err = apperr.InvalidField("isPaused", "Send true or false.")
	}
	if err != nil {
		return err
	}
	if err := h.History.Pause(c, middlewares.UserID(c), *in.IsPaused); err != nil {
		return err
	}
	message := map[bool]string{true: "History paused.", false: "History turned on."}[*in.IsPaused]
	return respond.Done(c, message, "/history", in)
}

// Clear is DELETE /history.
func (h HistoryActions) Clear(c *gin.Context) error {
	if err := h.History.Clear(c, middlewares.UserID(c)); err != nil {
		return err
	}
	return respond.Done(c, "History cleared.", "/history", nil)
}

type position struct {
	Position *float64 `form:"position" json:"position"`
}

// SetPosition is PUT /history/:id: how far into a video the user got, in seconds.
func (h HistoryActions) SetPosition(c *gin.Context) error {
	user, id, err := target(c)
	if err != nil {
		return err
	}
	var in position
	err = input.Read(c.Request, &in, nil)
	if err == nil && in.Position == nil {
		err = apperr.InvalidField("position", "Send the number of seconds.")
	}
	if err != nil {
		return err
	}
	*in.Position, err = h.History.SetPosition(c, user, id, *in.Position)
	if err != nil {
		return err
	}
	message := "Position saved."
	if middlewares.Current(c).User.HistoryPaused {
		message = "Your history is paused, so the position isn't saved."
	}
	return respond.Done(c, message, "/history", in)
}

// Delete is DELETE /history/:id: takes a post out of the history.
func (h HistoryActions) Delete(c *gin.Context) error {
	user, id, err := target(c)
	if err != nil {
		return err
	}
	if err := h.History.Remove(c, user, id); err != nil {
		return err
	}
	return respond.Done(c, "Removed from your history.", "/history", nil)
}
