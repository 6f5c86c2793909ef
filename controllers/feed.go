package controllers

import (
	"cmp"
	"net/http"
	"slices"

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
	r.Public.Both(http.MethodGet, "/search", f.Search)
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

// query reads which posts are requested, and from which tab, if the list has any.
func (f Feeds) query(c *gin.Context, tabs ...string) (q models.PostQuery, tab string, err error) {
	var in listQuery
	if err := input.Query(c.Request, &in); err != nil {
		return q, "", err
	}
	if in.Tab != "" && !slices.Contains(tabs, in.Tab) {
		return q, "", apperr.InvalidField("tab", "There's no such tab.")
	}
	switch q.Sort = models.PostSort(in.SortBy); q.Sort {
	case "", models.ByCreated, models.ByViews, models.ByLikes, models.ByTrending:
	default:
		return q, "", apperr.InvalidField("sortBy", "Sort by createdAt, views, likes or trending.")
	}
	if q.Ascending, err = ascending(in.SortType); err != nil {
		return q, "", err
	}
	if in.Kind != "" {
		if q.Kind, err = kindOf(in.Kind); err != nil {
			return q, "", err
		}
	}
	if in.UserID != "" {
		q.Owner, err = store.ParseID(in.UserID)
	}
	return q, in.Tab, err
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

// The tabs of the home page.
const (
	tabHome          = "home"
	tabSubscriptions = "subscriptions"
	tabTrending      = "trending"
)

type homePage struct {
	postList
	Tab    string `json:"-"`
	Sample bool   `json:"-"` // the viewer may add the sample content
}

// Index is GET /: everybody's posts, latest first, those of the channels that the user follows, or trending ones.
func (f Feeds) Index(c *gin.Context) error {
	q, tab, err := f.query(c, tabHome, tabSubscriptions, tabTrending)
	if err != nil {
		return err
	}
	q.Owner = bson.ObjectID{}
	switch tab {
	case tabTrending:
		q.Sort, q.Ascending = models.ByTrending, false
	case tabSubscriptions:
		if middlewares.RequireUser(c); c.IsAborted() {
			return nil
		}
		q.Sort, q.Ascending = models.ByCreated, false
		if q.Among, err = f.Subscriptions.All(c, middlewares.UserID(c)); err != nil {
			return err
		}
	default:
		tab = tabHome
	}
	out, err := f.list(c, q)
	if err != nil {
		return err
	}
	page := homePage{postList: out, Tab: tab}
	if len(out.Videos) == 0 {
		if page.Sample, err = f.offersSamples(c); err != nil {
			return err
		}
	}
	return respond.Show(c, "home/index", page)
}

// numberedList is a list with the article's page fields.
type numberedList struct {
	postList
	Paginate *paginate `json:"paginate"` // null after a cursor, which has no number
}

// Posts is GET /posts of the API: posts of all kinds, of one kind or of one user; with query, the search results.
func (f Feeds) Posts(c *gin.Context) error {
	q, _, err := f.query(c)
	if err != nil {
		return err
	}
	if text := c.Query("query"); text != "" {
		return f.showFound(c, text, q)
	}
	out := numberedList{}
	if out.postList, err = f.list(c, q); err != nil {
		return err
	}
	out.Paginate, err = numbered(c, func(limit int) (int, error) { return f.App.Posts.CountUpTo(c, q, limit) })
	if err != nil {
		return err
	}
	return respond.Show(c, "", out)
}

// Texts is GET /posts/text and /posts/text/of/:userId of the API: text posts.
func (f Feeds) Texts(c *gin.Context) error {
	q, _, err := f.query(c)
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

// The tabs of a channel.
const (
	tabDrafts    = "drafts"
	tabPlaylists = "playlists"
)

type channelPage struct {
	postList
	Channel channel `json:"channel"`
	Tab     string  `json:"tab"`
	Sort    string  `json:"-"`
	IsMine  bool    `json:"isMine"`

	Playlists []Playlist `json:"playlists,omitempty"` // of that tab
}

// Channel is GET /@:username: the channel with its posts; its owner has a tab with the drafts.
func (f Feeds) Channel(c *gin.Context) error {
	user, err := f.Users.ByUsername(c, c.Param("username"))
	if err != nil {
		return err
	}
	q, tab, err := f.query(c, tabHome, tabDrafts, tabPlaylists)
	if err != nil {
		return err
	}
	shown, err := f.channel(c, user)
	if err != nil {
		return err
	}
	page := channelPage{Channel: shown, IsMine: user.ID == middlewares.UserID(c)}
	q.Owner, page.Sort = user.ID, string(cmp.Or(q.Sort, models.ByCreated))
	if tab == tabDrafts {
		if !page.IsMine {
			return store.ErrNotFound()
		}
		page.Tab, q.Drafts, q.Kind, q.Sort = tabDrafts, true, "", ""
	}
	if tab == tabPlaylists {
		page.Tab = tab
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
