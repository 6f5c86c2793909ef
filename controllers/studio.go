package controllers

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

// Studio is where users manage their own posts.
type Studio struct{ *App }

// Routes registers the feature.
func (s Studio) Routes(r middlewares.Access) {
	r.Private.Both(http.MethodGet, "/studio", s.Index)
	r.Private.Both(http.MethodPatch, "/studio", s.Update)
	r.Private.Both(http.MethodDelete, "/studio", s.Delete)
	r.Private.Both(http.MethodGet, "/dashboard", s.Dashboard)
}

type studioQuery struct {
	Kind  string `form:"kind"`
	State string `form:"state"`
}

type studioPage struct {
	postList
	State  string          `json:"-"`
	Chosen map[string]bool `json:"-"` // what a rejected form had selected
}

// Index is GET /studio: the user's own posts including drafts, optionally of one kind or state, newest first.
func (s Studio) Index(c *gin.Context) error {
	p, err := paging(c)
	if err != nil {
		return err
	}
	page, err := s.list(c, p)
	if err != nil {
		return err
	}
	return respond.Show(c, "studio/index", page)
}

// list loads the user's own posts that the query string selects.
func (s Studio) list(c *gin.Context, p store.Paging) (out studioPage, err error) {
	var in studioQuery
	if err := input.Query(c.Request, &in); err != nil {
		return out, err
	}
	var q models.MineQuery
	if in.Kind != "" {
		if q.Kind, err = kindOf(in.Kind); err != nil {
			return out, err
		}
	}
	if q.State = models.Visibility(in.State); in.State != "" && q.State != models.Public && q.State != models.Draft {
		return out, apperr.InvalidField("state", "Use public or draft.")
	}
	page, err := s.Posts.Mine(c, middlewares.UserID(c), q, p)
	if err != nil {
		return out, err
	}
	out.State = in.State
	out.postList, err = s.postList(c, page)
	out.Kind = string(q.Kind)
	return out, err
}

// refused shows the list again with the selection and the error. It lists as many posts as can be selected.
func (s Studio) refused(c *gin.Context, in chosen, err error) error {
	page, failed := s.list(c, store.Paging{Limit: maxTogether})
	if failed != nil {
		return err
	}
	page.Chosen = map[string]bool{}
	for _, id := range in.IDs {
		page.Chosen[id] = true
	}
	return respond.Invalid(c, "studio/index", page, err)
}

// maxTogether is how many posts one request may change.
const maxTogether = store.MaxLimit

type chosen struct {
	IDs        []string `form:"ids" json:"ids"`
	Visibility string   `form:"visibility" json:"visibility"`
}

// together is the outcome for the posts of a request.
type together struct {
	Done  []string `json:"done"`
	Other []string `json:"notYours"` // owned by somebody else, or deleted
}

// chosen reads the selected posts, without duplicates.
func (s Studio) chosen(c *gin.Context) (in chosen, ids []bson.ObjectID, err error) {
	if err := input.Read(c.Request, &in, nil); err != nil {
		return in, nil, err
	}
	if len(in.IDs) == 0 {
		return in, nil, apperr.InvalidField("ids", "Choose at least one post.")
	}
	if len(in.IDs) > maxTogether {
		return in, nil, apperr.InvalidField("ids", "Choose at most %d posts.", maxTogether)
	}
	seen := map[bson.ObjectID]bool{}
	for _, text := range in.IDs {
		id, err := bson.ObjectIDFromHex(text)
		if err != nil {
			return in, nil, apperr.InvalidField("ids", "This must be a list of ids of posts.")
		}
		if !seen[id] {
			seen[id], ids = true, append(ids, id)
		}
	}
	return in, ids, nil
}

// each applies do to each post. Other users' posts and deleted ones are skipped.
func (s Studio) each(ids []bson.ObjectID, do func(id bson.ObjectID) error) (together, error) {
	out := together{Done: []string{}, Other: []string{}}
	for _, id := range ids {
		switch err := do(id); {
		case apperr.Is(err, apperr.NotFound), apperr.Is(err, apperr.Forbidden):
			out.Other = append(out.Other, id.Hex())
		case err != nil:
			return out, err
		default:
			out.Done = append(out.Done, id.Hex())
		}
	}
	return out, nil
}

// done reports the outcome in a sentence, on the page that held the form.
func (s Studio) done(c *gin.Context, out together, what string) error {
	message := fmt.Sprintf("%s: %s.", what, count(len(out.Done), "post", "posts"))
	if n := len(out.Other); n > 0 {
		message += fmt.Sprintf(" Left alone, because they are not yours or are gone: %d.", n)
	}
	return respond.Done(c, message, studioPath(c), out)
}

// studioPath is the list that held the form.
func studioPath(c *gin.Context) string {
	filters := url.Values{}
	for _, name := range []string{"kind", "state"} {
		if value := c.Query(name); value != "" {
			filters.Set(name, value)
		}
	}
	return (&url.URL{Path: "/studio", RawQuery: filters.Encode()}).String()
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}

// Update is PATCH /studio: publishes or unpublishes the selected posts.
func (s Studio) Update(c *gin.Context) error {
	in, ids, err := s.chosen(c)
	to := models.Visibility(in.Visibility)
	what, known := map[models.Visibility]string{models.Public: "Published", models.Draft: "Unpublished"}[to]
	if err == nil && !known {
		err = apperr.InvalidField("visibility", "Use public or draft.")
	}
	if err != nil {
		return s.refused(c, in, err)
	}
	user := middlewares.UserID(c)
	out, err := s.each(ids, func(id bson.ObjectID) error {
		post, err := s.Posts.Own(c, user, id)
		if err != nil || post.Visibility == to {
			return err
		}
		_, err = s.Posts.Update(c, user, id, models.PostChanges{Visibility: &to})
		return err
	})
	if err != nil {
		return err
	}
	return s.done(c, out, what)
}

// Delete is DELETE /studio: deletes the selected posts with their files, comments and likes.
func (s Studio) Delete(c *gin.Context) error {
	in, ids, err := s.chosen(c)
	if err != nil {
		return s.refused(c, in, err)
	}
	user := middlewares.UserID(c)
	out, err := s.each(ids, func(id bson.ObjectID) error { return s.Posts.Delete(c, user, id) })
	if err != nil {
		return err
	}
	return s.done(c, out, "Deleted")
}
