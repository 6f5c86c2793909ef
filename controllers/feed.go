package controllers

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

// Feeds are the lists of posts: everybody's, and one channel's.
type Feeds struct{ *App }

// Routes registers the feature.
func (f Feeds) Routes(r middlewares.Access) {
	r.Public.Both(http.MethodGet, "/", f.Index)
	r.Public.API(http.MethodGet, "/posts", f.Posts)
	r.Public.API(http.MethodGet, "/posts/text", f.Texts)
	r.Public.API(http.MethodGet, "/posts/text/of/:userId", f.Texts)
	r.Public.Page(http.MethodGet, "/@:username", f.Channel)
	r.Public.API(http.MethodGet, "/@:username", f.ChannelDetails)
}

type listQuery struct {
	Kind     string `form:"kind"`
	Tab      string `form:"tab"`
	UserID   string `form:"userId"`
	SortBy   string `form:"sortBy"`
	SortType string `form:"sortType"`
}

// query reads which posts are asked for.
func (f Feeds) query(c *gin.Context) (q models.PostQuery, err error) {
	var in listQuery
	if err := input.Query(c.Request, &in); err != nil {
		return q, err
	}
	if in.Tab != "" && in.Tab != "home" && in.Tab != "drafts" && in.Tab != "playlists" {
		return q, apperr.InvalidField("tab", "There's no such tab.")
	}
	if in.SortBy != "" && in.SortBy != "createdAt" {
		return q, apperr.InvalidField("sortBy", "Sort by createdAt.")
	}
	if q.Oldest, err = ascending(in.SortType); err != nil {
		return q, err
	}
	if in.Kind != "" {
		if q.Kind, err = kindOf(in.Kind); err != nil {
			return q, err
		}
	}
	if in.UserID != "" {
		q.Owner, err = store.ParseID(in.UserID)
	}
	return q, err
}

func (f Feeds) list(c *gin.Context, q models.PostQuery) (postList, error) {
	p, err := paging(c)
	if err != nil {
		return postList{}, err
	}
	page, err := f.App.Posts.Page(c, middlewares.UserID(c), q, p)
	if err != nil {
		return postList{}, err
	}
	list, err := f.postList(c, page)
	list.Kind = string(q.Kind)
	return list, err
}

// Index is GET /: everybody's posts, the latest first.
func (f Feeds) Index(c *gin.Context) error {
	q, err := f.query(c)
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

// Posts is GET /posts of the API: posts of all kinds, or of one, or of one user.
func (f Feeds) Posts(c *gin.Context) error {
	q, err := f.query(c)
	if err != nil {
		return err
	}
	out, err := f.list(c, q)
	if err != nil {
		return err
	}
	return respond.Show(c, "", out)
}

// Texts is GET /posts/text and /posts/text/of/:userId of the API: text posts.
func (f Feeds) Texts(c *gin.Context) error {
	q, err := f.query(c)
	if err != nil {
		return err
	}
	q.Kind = models.Text
	if id := c.Param("userId"); id != "" {
		if q.Owner, err = store.ParseID(id); err != nil {
			return err
		}
	}
	out, err := f.list(c, q)
	if err != nil {
		return err
	}
	return respond.Show(c, "", struct {
		Tweets []Post `json:"tweets"`
		next
	}{out.Videos, out.next})
}

type channelPage struct {
	postList
	Channel channel `json:"channel"`
	Tab     string  `json:"tab"`
	IsMine  bool    `json:"isMine"`

	Playlists []Playlist `json:"playlists,omitempty"` // of that tab
}

// Channel is GET /@:username: the channel with its posts; its owner sees the
// drafts in a tab of their own.
func (f Feeds) Channel(c *gin.Context) error {
	user, err := f.Users.ByUsername(c, c.Param("username"))
	if err != nil {
		return err
	}
	q, err := f.query(c)
	if err != nil {
		return err
	}
	shown, err := f.channel(c, user)
	if err != nil {
		return err
	}
	page := channelPage{Channel: shown, IsMine: user.ID == middlewares.UserID(c)}
	q.Owner = user.ID
	if c.Query("tab") == "drafts" {
		if !page.IsMine {
			return store.ErrNotFound()
		}
		page.Tab, q.Drafts, q.Kind = "drafts", true, ""
	}
	if c.Query("tab") == "playlists" {
		page.Tab = "playlists"
		if page.Playlists, page.next, err = f.playlists(c, user.ID); err != nil {
			return err
		}
		return respond.Show(c, "channels/show", page)
	}
	if page.postList, err = f.list(c, q); err != nil {
		return err
	}
	return respond.Show(c, "channels/show", page)
}

// ChannelDetails is GET /@:username of the API: the channel alone.
func (f Feeds) ChannelDetails(c *gin.Context) error {
	user, err := f.Users.ByUsername(c, c.Param("username"))
	if err != nil {
		return err
	}
	out, err := f.channel(c, user)
	if err != nil {
		return err
	}
	return respond.Show(c, "", out)
}
