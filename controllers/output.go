package controllers

import (
	"fmt"
	"net/url"
	"time"

	"tokentube/utils/media"
	"tokentube/utils/words"
)

// Address is the URL of a file. Pages use the bare path, so they work under any host name; API responses have the full
// URL.
type Address struct {
	base string
	Path string // empty: there is no file
}

// String is the bare path, as templates print it.
func (a Address) String() string { return a.Path }

// Absolute is the full URL, or empty if there is no file.
func (a Address) Absolute() string {
	if a.Path == "" {
		return ""
	}
	return a.base + a.Path
}

// MarshalText writes the full URL, for JSON.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.Absolute()), nil }

// User is a channel as everybody may see it; what follows UpdatedAt is only for the user themselves.
type User struct {
	ID                 string    `json:"_id"`
	Username           string    `json:"username"`
	FullName           string    `json:"fullName"`
	Bio                string    `json:"bio"`
	Avatar             Address   `json:"avatar"`
	CoverImage         Address   `json:"coverImage"`
	SubscribersCount   int64     `json:"subscribersCount"`
	SubscriptionsCount int64     `json:"subscriptionsCount"`
	PostsCount         int64     `json:"postsCount"`
	CreatedAt          time.Time `json:"createdAt"`
	UpdatedAt          time.Time `json:"updatedAt"`
	Email              string    `json:"email,omitempty"`
	EmailConfirmed     *bool     `json:"emailConfirmed,omitempty"`
	NewEmail           string    `json:"newEmail,omitempty"` // not confirmed yet
	Roles              []string  `json:"roles,omitzero"`
}

// Path is the address of the channel's page.
func (u User) Path() string { return "/@" + u.Username }

// FeedPath is the address of the channel's feed.
func (u User) FeedPath() string { return u.Path() + "/feed.atom" }

// Owner is a user as shown inside other objects.
type Owner struct {
	ID       string  `json:"_id"`
	Username string  `json:"username"`
	FullName string  `json:"fullName"`
	Avatar   Address `json:"avatar"`

	SubscribersCount int64 `json:"-"` // for the page: next to the Subscribe button
}

// Path is the address of the owner's channel.
func (o Owner) Path() string { return "/@" + o.Username }

// Post is a video, a photo or a text post. The last groups of fields exist only for their kind.
type Post struct {
	ID            string     `json:"_id"`
	Kind          string     `json:"kind"`
	Title         string     `json:"title"`
	Description   string     `json:"description"`
	Tags          []string   `json:"tags"`
	Owner         Owner      `json:"owner"`
	IsPublished   bool       `json:"isPublished"`
	IsHidden      bool       `json:"isHidden"` // by a moderator: only its owner sees it
	PublishedAt   *time.Time `json:"publishedAt"`
	Views         int64      `json:"views"`
	LikesCount    int64      `json:"likesCount"`
	IsLiked       bool       `json:"isLiked"`
	CommentsCount int64      `json:"commentsCount"`
	CommentsOff   bool       `json:"commentsOff"`
	CreatedAt     time.Time  `json:"createdAt"`
	UpdatedAt     time.Time  `json:"updatedAt"`
	EditedAt      *time.Time `json:"editedAt"`
	IsSubscribed  bool       `json:"isSubscribed"` // the viewer is, to its owner
	Position      float64    `json:"position"`     // seconds, how far the viewer got
	IsSaved       bool       `json:"isSaved"`      // in any playlist of the viewer
	IsWatchLater  bool       `json:"isWatchLater"` // in their Watch later
	IsMine        bool       `json:"-"`            // for the page: show the owner's buttons

	VideoFile *Address `json:"videoFile,omitempty"`
	Photo     *Address `json:"photo,omitempty"`
	Preview   *Address `json:"preview,omitempty"` // only of a photo that is wider
	Thumbnail *Address `json:"thumbnail,omitempty"`
	Duration  *float64 `json:"duration,omitempty"` // seconds; missing if the file doesn't say
	Alt       string   `json:"alt,omitempty"`
	Width     int      `json:"width,omitempty"` // pixels
	Height    int      `json:"height,omitempty"`
	Content   string   `json:"content,omitempty"`
}

// Path is the address of the post's page.
func (p Post) Path() string { return postPaths[p.Kind] + "/" + p.ID }

// Sources are the available widths of a photo, in the format of srcset; empty if there is only one.
func (p Post) Sources() string {
	if p.Preview == nil {
		return ""
	}
	return fmt.Sprintf("%s %dw, %s %dw", p.Preview, media.PreviewWidth, p.Photo, p.Width)
}

// TagPath is the address of the posts with a tag.
func (p Post) TagPath(tag string) string {
	return "/search?q=" + url.QueryEscape(words.Tag(tag))
}

// postPaths are the pages of each kind of post.
var postPaths = map[string]string{"video": "/watch", "photo": "/photos", "text": "/posts"}

// Comment is a comment on a post. A placeholder has neither owner nor content.
type Comment struct {
	ID           string     `json:"_id"`
	Video        string     `json:"video"`  // the post's id
	Parent       *string    `json:"parent"` // the comment that it replies to
	Content      string     `json:"content"`
	Owner        *Owner     `json:"owner"`
	LikesCount   int64      `json:"likesCount"`
	IsLiked      bool       `json:"isLiked"`
	RepliesCount int64      `json:"repliesCount"`
	IsDeleted    bool       `json:"isDeleted"`
	IsBlocked    bool       `json:"isBlocked"` // its owner is blocked by the viewer; text and owner aren't shown
	IsHidden     bool       `json:"isHidden"`  // by a moderator: only its author sees it
	CreatedAt    time.Time  `json:"createdAt"`
	UpdatedAt    time.Time  `json:"updatedAt"`
	EditedAt     *time.Time `json:"editedAt"`
	IsMine       bool       `json:"-"` // for the page: what the viewer may do
	CanDelete    bool       `json:"-"`
	ByPoster     bool       `json:"-"` // written by the post's owner
}

// Gone reports whether only the comment's place is shown.
func (c Comment) Gone() bool { return c.Owner == nil }

// Path is the address of the thread, at this comment.
func (c Comment) Path() string {
	thread := c.ID
	if c.Parent != nil {
		thread = *c.Parent
	}
	return commentPath(thread, c.ID)
}

func commentPath(thread, id string) string { return "/comments/c/" + thread + "#comment-" + id }
