package controllers

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

// Feeds are the lists of posts: everybody's, and one channel's.
type Feeds struct{ *App }

// Routes registers the feature.
func (f Feeds) Routes(r middlewares.Access) {
	r.Public.Page(http.MethodGet, "/", f.Index)
	r.Public.API(http.MethodGet, "/feed", f.Index)
	r.Public.API(http.MethodGet, "/videos", f.Videos)
	r.Public.API(http.MethodGet, "/tweets", f.Tweets)
	r.Public.API(http.MethodGet, "/tweets/user/:userId", f.Tweets)
	r.Public.Page(http.MethodGet, "/@:username", f.Channel)
	r.Public.API(http.MethodGet, "/users/channel/:username", f.ChannelDetails)
}

type listQuery struct {
	Kind     string `form:"kind"`
	Tab      string `form:"tab"`
	UserID   string `form:"userId"`
	SortBy   string `form:"sortBy"`
	SortType string `form:"sortType"`
	After    string `form:"after"`
	Limit    *int   `form:"limit"`
}

// list is a page of posts and the cursor of the next.
type list struct {
	Videos []Post  `json:"videos"`
	Next   *string `json:"next"`
	Kind   string  `json:"-"`
	More   string  `json:"-"` // the address of the next page
}

const (
	pageSize    = 20
	largestPage = 100
)

// query reads what a list is asked for.
func (q listQuery) query() (models.PostQuery, error) {
	out := models.PostQuery{After: q.After, Limit: pageSize}
	if q.Limit != nil {
		out.Limit = min(*q.Limit, largestPage)
	}
	if out.Limit < 1 {
		return out, apperr.InvalidField("limit", "This must be 1 to %d.", largestPage)
	}
	if q.SortBy != "" && q.SortBy != "createdAt" {
		return out, apperr.InvalidField("sortBy", "This must be createdAt.")
	}
	switch q.SortType {
	case "", "desc", "des":
	case "asc":
		out.Oldest = true
	default:
		return out, apperr.InvalidField("sortType", "This must be asc or desc.")
	}
	var err error
	if q.Kind != "" {
		out.Kind, err = kindOf(q.Kind)
	}
	if q.UserID != "" && err == nil {
		out.Owner, err = models.ParseID(q.UserID)
	}
	return out, err
}

func (f Feeds) read(c *gin.Context) (models.PostQuery, error) {
	var in listQuery
	if err := input.Query(c.Request, &in); err != nil {
		return models.PostQuery{}, err
	}
	if in.Tab != "" && in.Tab != "home" && in.Tab != "drafts" {
		return models.PostQuery{}, apperr.InvalidField("tab", "There is no such tab.")
	}
	return in.query()
}

func (f Feeds) list(c *gin.Context, q models.PostQuery) (list, error) {
	found, next, err := f.Posts.List(c, q)
	if err != nil {
		return list{}, err
	}
	posts, err := f.posts(c, middlewares.UserID(c), found)
	if err != nil {
		return list{}, err
	}
	out := list{Videos: posts, Kind: string(q.Kind)}
	if next != "" {
		out.Next, out.More = &next, nextPage(c.Request.URL, next)
	}
	return out, nil
}

// nextPage is the address of this list's next page.
func nextPage(u *url.URL, cursor string) string {
	query := u.Query()
	query.Set("after", cursor)
	return u.Path + "?" + query.Encode()
}

// Index is GET / and /feed: everybody's posts, the newest first.
func (f Feeds) Index(c *gin.Context) error {
	q, err := f.read(c)
	if err != nil {
		return err
	}
	q.Owner = bson.ObjectID{}
	out, err := f.list(c, q)
	if err != nil {
		return err
	}
	return respond.Show(c, "home/index", out)
}

// Videos is GET /videos: posts of all kinds, or of one, or of one user.
func (f Feeds) Videos(c *gin.Context) error {
	q, err := f.read(c)
	if err != nil {
		return err
	}
	out, err := f.list(c, q)
	if err != nil {
		return err
	}
	return respond.Show(c, "", out)
}

// Tweets is GET /tweets and /tweets/user/:userId: text posts.
func (f Feeds) Tweets(c *gin.Context) error {
	q, err := f.read(c)
	if err != nil {
		return err
	}
	q.Kind = models.Text
	if id := c.Param("userId"); id != "" {
		if q.Owner, err = models.ParseID(id); err != nil {
			return err
		}
	}
	out, err := f.list(c, q)
	if err != nil {
		return err
	}
	return respond.Show(c, "", struct {
		Tweets []Post  `json:"tweets"`
		Next   *string `json:"next"`
	}{out.Videos, out.Next})
}

type channelPage struct {
	list
	Channel User   `json:"channel"`
	Tab     string `json:"tab"`
	IsMine  bool   `json:"isMine"`
}

// Channel is GET /@:username: the channel with its posts; its owner sees the
// drafts in a tab of their own.
func (f Feeds) Channel(c *gin.Context) error {
	user, err := f.Users.ByUsername(c, c.Param("username"))
	if err != nil {
		return err
	}
	q, err := f.read(c)
	if err != nil {
		return err
	}
	page := channelPage{Channel: f.user(user, false), IsMine: user.ID == middlewares.UserID(c)}
	q.Owner = user.ID
	if c.Query("tab") == "drafts" {
		if !page.IsMine {
			return models.ErrNotFound()
		}
		page.Tab, q.Drafts, q.Kind = "drafts", true, ""
	}
	if page.list, err = f.list(c, q); err != nil {
		return err
	}
	return respond.Show(c, "channels/show", page)
}

// ChannelDetails is GET /users/channel/:channelName: the channel alone.
func (f Feeds) ChannelDetails(c *gin.Context) error {
	user, err := f.Users.ByUsername(c, c.Param("username"))
	if err != nil {
		return err
	}
	return respond.Show(c, "", f.user(user, user.ID == middlewares.UserID(c)))
}
