package models

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/words"
)

// Kind is the type of a post.
type Kind string

// The kinds of posts.
const (
	Video Kind = "video"
	Photo Kind = "photo"
	Text  Kind = "text"
)

// Visibility is who can see a post.
type Visibility string

// The visibilities.
const (
	Draft  Visibility = "draft" // only for its owner
	Public Visibility = "public"

	// Users can't choose these. See Moderation.
	Hidden    Visibility = "hidden"    // by a moderator: only for its owner, who can't publish it
	Suspended Visibility = "suspended" // public, but left out of every list and count while its owner's account is disabled
)

// Post is a video, a photo or a text. The text of a text post is its description.
type Post struct {
	ID            bson.ObjectID `bson:"_id"`
	Owner         bson.ObjectID `bson:"owner"`
	Kind          Kind          `bson:"kind"`
	Title         string        `bson:"title"`
	Description   string        `bson:"description"`
	Tags          []string      `bson:"tags"`
	Media         string        `bson:"media"`             // names of stored files
	Thumbnail     string        `bson:"thumbnail"`         //
	Preview       string        `bson:"preview,omitempty"` // of a wide photo; older ones have none
	Alt           string        `bson:"alt"`
	Width         int           `bson:"width"` // pixels
	Height        int           `bson:"height"`
	Duration      float64       `bson:"duration"`      // seconds
	Size          int64         `bson:"size"`          // bytes of the media
	ThumbnailSize int64         `bson:"thumbnailSize"` // and of the thumbnail
	PreviewSize   int64         `bson:"previewSize,omitempty"`
	Visibility    Visibility    `bson:"visibility"`
	HiddenFrom    Visibility    `bson:"hiddenFrom,omitempty"`  // the previous visibility of a hidden post
	PublishedAt   *time.Time    `bson:"publishedAt,omitempty"` // the first time
	Views         int64         `bson:"views"`
	LikesCount    int64         `bson:"likesCount"`
	CommentsCount int64         `bson:"commentsCount"`
	CommentsOff   bool          `bson:"commentsOff"`        // nobody can add any, and existing ones are hidden
	Trending      float64       `bson:"trending"`           // see trend
	EditedAt      *time.Time    `bson:"editedAt,omitempty"` // when its words last changed after it was first published
	CreatedAt     time.Time     `bson:"createdAt"`
	UpdatedAt     time.Time     `bson:"updatedAt"`
}

// The rules of a post depend on its kind. Fields have the names that are used in requests.
type (
	textRules struct {
		Content    string     `bson:"content" validate:"required,max=2000,text"`
		Tags       []string   `bson:"tags" validate:"max=10,dive,max=30,line"`
		Visibility Visibility `bson:"visibility" validate:"oneof=draft public"`
	}
	fileRules struct {
		Title       string     `bson:"title" validate:"required,max=120,line"`
		Description string     `bson:"description" validate:"max=5000,text"`
		Alt         string     `bson:"alt" validate:"max=300,line"`
		Tags        []string   `bson:"tags" validate:"max=10,dive,max=30,line"`
		Visibility  Visibility `bson:"visibility" validate:"oneof=draft public"`
	}
)

// Check trims the post's texts and validates them.
func (p *Post) Check() error {
	for _, text := range []*string{&p.Title, &p.Description, &p.Alt} {
		*text = normalText(*text)
	}
	p.Tags = normalTags(p.Tags)
	if p.Visibility == "" {
		p.Visibility = Public
	}
	if p.Kind == Text {
		return validate(textRules{p.Description, p.Tags, p.Visibility})
	}
	return validate(fileRules{p.Title, p.Description, p.Alt, p.Tags, p.Visibility})
}

// ParseTags parses tags that are separated by commas.
func ParseTags(text string) []string { return strings.Split(text, ",") }

// normalTags converts tags to lower case, and drops duplicates and those that a search couldn't find: "" and "!".
func normalTags(tags []string) []string {
	normal := []string{}
	for _, tag := range tags {
		tag = normalName(strings.TrimPrefix(strings.TrimSpace(tag), "#"))
		if words.Tag(tag) != "" && !slices.Contains(normal, tag) {
			normal = append(normal, tag)
		}
	}
	return normal
}

// Posts are the posts.
type Posts struct {
	db    *store.DB
	posts *store.Documents[Post]
	users *Users
	quota int64

	notifications *Notifications // which notify mentioned people and need to know who may see the post
}

// NewPosts registers the posts. The files of a user's posts may take quota bytes (0: unlimited).
func NewPosts(db *store.DB, users *Users, quota int64) *Posts {
	return &Posts{db: db, users: users, quota: quota, posts: store.Register[Post](db, store.Kind{
		Name: "posts",
		Indexes: []mongo.IndexModel{
			store.Index("visibility", "-publishedAt", "-_id"),
			store.Index("visibility", "kind", "-publishedAt", "-_id"),
			store.Index("owner", "visibility", "-publishedAt", "-_id"),
			store.Index("owner", "visibility", "kind", "-publishedAt", "-_id"),
			store.Index("owner", "visibility", "kind", "-_id"),
			store.Index("owner", "-_id"),
			store.Index("visibility", "kind", "-views", "-_id"),
			store.Index("visibility", "kind", "-likesCount", "-_id"),
			store.Index("visibility", "kind", "-trending", "-_id"),
			store.Index("owner", "visibility", "kind", "-views", "-_id"),
			store.Index("owner", "visibility", "kind", "-likesCount", "-_id"),
			store.Index("owner", "visibility", "kind", "-trending", "-_id"),
			store.Index("thumbnail"),
			store.Index("keywords", "-publishedAt", "-_id"),
		},
		Parents: []store.Parent{
			{Kind: "users", Field: "owner", Counter: "postsCount", If: bson.E{Key: "visibility", Value: Public}},
			{Kind: "users", Field: "owner", Counter: "storedBytes", Sum: []string{"size", "thumbnailSize", "previewSize"}, Max: quota},
		},
		Files: []string{"media", "preview", "thumbnail"},
		Export: store.Export{By: "owner", Fields: []string{
			"kind", "title", "description", "tags", "media", "preview", "thumbnail", "alt", "width", "height", "duration", "size", "visibility",
			"publishedAt", "views", "likesCount", "commentsCount", "commentsOff", "createdAt", "updatedAt", "editedAt",
		}},
		Derived: derivedKeywords((*Post).keywords, "title", "description", "tags", "visibility"),

		Obsolete: []string{"counted", "uncounted", "visibilityChanges"},
	})}
}

// Published reports whether everybody may see the post, as long as its owner's account isn't disabled.
func (p *Post) Published() bool { return p.Visibility == Public || p.Visibility == Suspended }

// visible is the one place that decides who may see a post: it returns the posts that the viewer (zero: anonymous) may
// see, in their order. Drafts and posts hidden by a moderator are visible only to their owner. Posts of a disabled
// account are not visible.
func (m *Posts) visible(ctx context.Context, viewer bson.ObjectID, posts []*Post) ([]*Post, error) {
	owners := make([]bson.ObjectID, len(posts))
	for i, p := range posts {
		owners[i] = p.Owner
	}
	users, err := m.users.CachedByIDs(ctx, owners)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(posts, func(p *Post) bool {
		owner := users[p.Owner]
		return owner == nil || owner.DisabledAt != nil || !p.Published() && p.Owner != viewer
	}), nil
}

// Visible loads a post that the viewer may see. Others are not found.
func (m *Posts) Visible(ctx context.Context, viewer, id bson.ObjectID) (*Post, error) {
	p, err := m.posts.ByID(ctx, id)
	if err != nil {
		return nil, err
	}
	seen, err := m.visible(ctx, viewer, []*Post{p})
	if err == nil && len(seen) == 0 {
		err = store.ErrNotFound()
	}
	return p, err
}

// VisibleAll loads the posts that the viewer may see, in the order of the ids.
func (m *Posts) VisibleAll(ctx context.Context, viewer bson.ObjectID, ids []bson.ObjectID) ([]*Post, error) {
	found, err := m.posts.ByIDs(ctx, ids)
	if err != nil {
		return nil, err
	}
	posts := make([]*Post, 0, len(ids))
	for _, id := range ids {
		if p := found[id]; p != nil {
			posts = append(posts, p)
		}
	}
	return m.visible(ctx, viewer, posts)
}

// visibleByID is VisibleAll for ids that may be zero.
func (m *Posts) visibleByID(ctx context.Context, viewer bson.ObjectID, ids []bson.ObjectID) (map[bson.ObjectID]*Post, error) {
	posts, err := m.VisibleAll(ctx, viewer, distinct(ids))
	return byID(posts, func(p *Post) bson.ObjectID { return p.ID }), err
}

// likeable loads a post that the user may see, and returns the notice for its owner if they like it.
func (m *Posts) likeable(ctx context.Context, user, id bson.ObjectID) (Notice, error) {
	p, err := m.Visible(ctx, user, id)
	if err != nil {
		return Notice{}, err
	}
	return Notice{Type: NoticeLike, To: p.Owner, Post: p.ID}, nil
}

// Own loads a post that the user may change.
func (m *Posts) Own(ctx context.Context, user, id bson.ObjectID) (*Post, error) {
	p, err := m.Visible(ctx, user, id)
	if err != nil {
		return nil, err
	}
	if p.Owner != user {
		return nil, apperr.New(apperr.Forbidden, "Only the owner can change this.")
	}
	return p, nil
}

// HaveThumbnail reports whether a stored file is a post's thumbnail.
func (m *Posts) HaveThumbnail(ctx context.Context, file string) (bool, error) {
	return m.posts.Taken(ctx, "thumbnail", file)
}

// Create adds a post if its files fit into the owner's quota. Of several concurrent ones, those that fit are added.
func (m *Posts) Create(ctx context.Context, p *Post) error {
	if err := p.Check(); err != nil {
		return err
	}
	p.ID, p.CreatedAt = bson.NewObjectID(), m.db.Now()
	p.UpdatedAt = p.CreatedAt
	if p.Visibility == Public {
		p.PublishedAt = &p.CreatedAt
	}
	err := m.withinQuota(ctx, p.Owner, m.posts.Insert(ctx, p))
	if err == nil {
		m.tellMentioned(p, &Post{})
	}
	return err
}

// tellMentioned notifies the people whom a published post mentions and its previously published version didn't.
func (m *Posts) tellMentioned(p, before *Post) {
	if p.Visibility != Public {
		return
	}
	had := ""
	if before.Visibility == Public {
		had = before.words()
	}
	m.notifications.TellMentioned(p.Owner, Notice{Post: p.ID}, p.words(), had)
}

func (p *Post) words() string { return p.Title + "\n" + p.Description }

func (p *Post) sameWords(as *Post) bool {
	return p.Title == as.Title && p.Description == as.Description && p.Alt == as.Alt && slices.Equal(p.Tags, as.Tags)
}

// PostChanges are the fields that an owner may edit; nil leaves one as it is.
type PostChanges struct {
	Title, Description, Alt *string
	Tags                    *[]string
	Visibility              *Visibility
	Thumbnail               *string
	CommentsOff             *bool
	ThumbnailSize           *int64 // bytes; goes with it
}

// Update changes the given fields and returns the updated post.
func (m *Posts) Update(ctx context.Context, user, id bson.ObjectID, c PostChanges) (*Post, error) {
	p, err := m.Own(ctx, user, id)
	if err != nil {
		return nil, err
	}
	changed, now := *p, m.db.Now()
	set, err := c.apply(&changed)
	if err != nil {
		return nil, err
	}
	set = append(set, bson.E{Key: "updatedAt", Value: now})
	if p.PublishedAt != nil && !changed.sameWords(p) {
		set = append(set, bson.E{Key: "editedAt", Value: now})
	} else if p.PublishedAt == nil && changed.Visibility == Public {
		set = append(set, bson.E{Key: "publishedAt", Value: now})
	}
	asRead := store.Where("_id", p.ID, "owner", user, "visibility", p.Visibility)
	after, err := m.posts.Update(ctx, asRead, bson.D{{Key: "$set", Value: set}})
	if apperr.Is(err, apperr.NotFound) { // published, unpublished or deleted in another tab in the meantime
		return nil, apperr.New(apperr.Conflict, "This post was just changed somewhere else. Check it and try again.").Because(err)
	}
	if err = m.withinQuota(ctx, user, err); err == nil {
		m.tellMentioned(after, p)
	}
	return after, err
}

// Check validates the post as it would be after the changes.
func (c PostChanges) Check(p Post) error {
	_, err := c.apply(&p)
	return err
}

// apply changes the given fields of a post, and returns which fields of the document are to be set.
func (c PostChanges) apply(p *Post) (set bson.D, err error) {
	if c.Visibility != nil && p.Visibility == Hidden {
		return nil, apperr.New(apperr.Forbidden, "A moderator has hidden this post, so it can't be published. You can still edit or delete it.")
	}
	kept := p.Visibility
	assign(&set, "title", &p.Title, c.Title)
	assign(&set, "description", &p.Description, c.Description)
	assign(&set, "alt", &p.Alt, c.Alt)
	assign(&set, "tags", &p.Tags, c.Tags)
	assign(&set, "thumbnail", &p.Thumbnail, c.Thumbnail)
	assign(&set, "thumbnailSize", &p.ThumbnailSize, c.ThumbnailSize)
	assign(&set, "visibility", &p.Visibility, c.Visibility)
	assign(&set, "commentsOff", &p.CommentsOff, c.CommentsOff)
	if c.Visibility != nil {
		return set, p.Check()
	}
	p.Visibility = Public // whatever isn't being chosen is valid here
	err = p.Check()
	p.Visibility = kept
	return set, err
}

// assign marks a field to be set, if there is a value for it. The value is read when it is written, after trimming.
func assign[T any](set *bson.D, name string, field, value *T) {
	if value == nil {
		return
	}
	*field = *value
	*set = append(*set, bson.E{Key: name, Value: field})
}

// Delete removes a post with its files, comments, likes and views.
func (m *Posts) Delete(ctx context.Context, user, id bson.ObjectID) error {
	if _, err := m.Own(ctx, user, id); err != nil {
		return err
	}
	return m.posts.Remove(ctx, id, store.Where("owner", user))
}

// addView counts a view of a post, best effort.
func (m *Posts) addView(ctx context.Context, id bson.ObjectID) error {
	return m.posts.Add(ctx, id, "views", 1, "trending", heat(viewHeat, m.db.Now()))
}
