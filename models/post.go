package models

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
)

// Kind is what a post shows.
type Kind string

const (
	Video Kind = "video"
	Photo Kind = "photo"
	Text  Kind = "text"
)

// Visibility is who sees a post.
type Visibility string

const (
	Draft  Visibility = "draft" // its owner
	Public Visibility = "public"
)

// Post is a video, a photo or a text. The text of a text post is its
// description.
type Post struct {
	ID            bson.ObjectID `bson:"_id"`
	Owner         bson.ObjectID `bson:"owner"`
	Kind          Kind          `bson:"kind"`
	Title         string        `bson:"title"`
	Description   string        `bson:"description"`
	Tags          []string      `bson:"tags"`
	Media         string        `bson:"media"`     // names of stored files
	Thumbnail     string        `bson:"thumbnail"` //
	Alt           string        `bson:"alt"`
	Width         int           `bson:"width"` // pixels
	Height        int           `bson:"height"`
	Duration      float64       `bson:"duration"` // seconds
	Size          int64         `bson:"size"`     // bytes
	Visibility    Visibility    `bson:"visibility"`
	PublishedAt   *time.Time    `bson:"publishedAt,omitempty"` // the first time
	Views         int64         `bson:"views"`
	LikesCount    int64         `bson:"likesCount"`
	CommentsCount int64         `bson:"commentsCount"`
	EditedAt      *time.Time    `bson:"editedAt,omitempty"`
	CreatedAt     time.Time     `bson:"createdAt"`
	UpdatedAt     time.Time     `bson:"updatedAt"`
}

// The rules of a post depend on its kind. The fields are named as they are sent.
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

// Check trims the post's texts and says what is wrong with them.
func (p *Post) Check() error {
	for _, text := range []*string{&p.Title, &p.Description, &p.Alt} {
		*text = strings.TrimSpace(strings.ReplaceAll(*text, "\r\n", "\n"))
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

// ParseTags reads tags as they are typed, separated by commas.
func ParseTags(text string) []string { return strings.Split(text, ",") }

// normalTags lower-cases the tags, and drops empty and repeated ones.
func normalTags(tags []string) []string {
	normal := []string{}
	for _, tag := range tags {
		tag = normalName(strings.TrimPrefix(strings.TrimSpace(tag), "#"))
		if tag != "" && !slices.Contains(normal, tag) {
			normal = append(normal, tag)
		}
	}
	return normal
}

// Posts are the posts.
type Posts struct {
	db    *DB
	posts Collection
	users *Users
}

// NewPosts registers the posts.
func NewPosts(db *DB, users *Users) *Posts {
	return &Posts{db: db, users: users, posts: db.register(entity{
		name: "posts",
		indexes: indexes(
			index("visibility", "-publishedAt", "-_id"),
			index("visibility", "kind", "-publishedAt", "-_id"),
			index("owner", "visibility", "-publishedAt", "-_id"),
			index("owner", "visibility", "kind", "-publishedAt", "-_id"),
			index("owner", "visibility", "-_id"),
		),
		parents: []parent{{name: "users", field: "owner", counter: "postsCount", counts: bson.E{Key: "visibility", Value: string(Public)}}},
		files:   []string{"media", "thumbnail"},
	})}
}

// Create adds a post of its owner.
func (m *Posts) Create(ctx context.Context, p *Post) error {
	if err := p.Check(); err != nil {
		return err
	}
	p.ID, p.CreatedAt = bson.NewObjectID(), m.db.now()
	p.UpdatedAt = p.CreatedAt
	if p.Visibility == Public && p.PublishedAt == nil {
		p.PublishedAt = &p.CreatedAt
	}
	if _, err := m.posts.InsertOne(ctx, p); err != nil {
		return translate(err)
	}
	if p.Visibility != Public {
		return nil
	}
	err := m.users.count(ctx, p.Owner, "postsCount", 1)
	if err != nil { // the account went away in between
		_, _ = m.posts.DeleteOne(context.WithoutCancel(ctx), bson.D{{Key: "_id", Value: p.ID}})
	}
	return err
}

// Visible loads a post that the user (zero: nobody) may see: a draft is its
// owner's alone, and for everybody else not there.
func (m *Posts) Visible(ctx context.Context, user, id bson.ObjectID) (*Post, error) {
	p, err := decode[Post](m.posts.FindOne(ctx, live(bson.E{Key: "_id", Value: id})))
	if err != nil {
		return nil, err
	}
	if p.Visibility != Public && p.Owner != user {
		return nil, ErrNotFound()
	}
	// A post goes out of sight with its owner's account, before it is removed.
	if _, err := m.users.Cached(ctx, p.Owner); err != nil {
		return nil, err
	}
	return p, nil
}

// Own loads a post that the user may change.
func (m *Posts) Own(ctx context.Context, user, id bson.ObjectID) (*Post, error) {
	p, err := m.Visible(ctx, user, id)
	if err != nil {
		return nil, err
	}
	if p.Owner != user {
		return nil, apperr.New(apperr.Forbidden, "Only its owner may change this.")
	}
	return p, nil
}

// PostChanges are the fields that an owner may edit; nil leaves one as it is.
type PostChanges struct {
	Title, Description, Alt *string
	Tags                    *[]string
	Visibility              *Visibility
	Thumbnail               *string
}

// Update changes the fields that are given and returns the post as it is then.
func (m *Posts) Update(ctx context.Context, user, id bson.ObjectID, c PostChanges) (*Post, error) {
	p, err := m.Own(ctx, user, id)
	if err != nil {
		return nil, err
	}
	changed := *p
	set := bson.D{}
	assign(&set, "title", &changed.Title, c.Title)
	assign(&set, "description", &changed.Description, c.Description)
	assign(&set, "alt", &changed.Alt, c.Alt)
	assign(&set, "tags", &changed.Tags, c.Tags)
	assign(&set, "thumbnail", &changed.Thumbnail, c.Thumbnail)
	assign(&set, "visibility", &changed.Visibility, c.Visibility)
	if err := changed.Check(); err != nil {
		return nil, err
	}
	return m.write(ctx, p, changed, set)
}

// assign notes that a field is to be set, if there is something to set it to.
// The value is looked up when it is written, after it was trimmed.
func assign[T any](set *bson.D, name string, field, value *T) {
	if value == nil {
		return
	}
	*field = *value
	*set = append(*set, bson.E{Key: name, Value: field})
}

// write stores the changed fields of p. A change of visibility is counted by the
// one write that really makes it.
func (m *Posts) write(ctx context.Context, p *Post, changed Post, set bson.D) (*Post, error) {
	now := m.db.now()
	set = append(set, bson.E{Key: "updatedAt", Value: now})
	if changed.Visibility == p.Visibility {
		set = append(set, bson.E{Key: "editedAt", Value: now})
	} else if p.PublishedAt == nil {
		set = append(set, bson.E{Key: "publishedAt", Value: now})
	}
	filter := live(bson.E{Key: "_id", Value: p.ID}, bson.E{Key: "owner", Value: p.Owner}, bson.E{Key: "visibility", Value: p.Visibility})
	after, err := decode[Post](m.posts.FindOneAndUpdate(ctx, filter, bson.D{{Key: "$set", Value: set}},
		options.FindOneAndUpdate().SetReturnDocument(options.After)))
	if apperr.Is(err, apperr.NotFound) { // published, unpublished or deleted by another tab meanwhile
		return nil, apperr.New(apperr.Conflict, "This post was changed at the same time. Please look at it again.").Because(err)
	}
	if err != nil || changed.Visibility == p.Visibility {
		return after, err
	}
	by := int64(1)
	if changed.Visibility != Public {
		by = -1
	}
	return after, m.users.count(ctx, p.Owner, "postsCount", by)
}

// Delete removes a post with its files, likes and views.
func (m *Posts) Delete(ctx context.Context, user, id bson.ObjectID) error {
	if _, err := m.Own(ctx, user, id); err != nil {
		return err
	}
	return m.db.beginRemoval(ctx, "posts", id, bson.D{{Key: "owner", Value: user}})
}

// count adds to a counter of a post that is there.
func (m *Posts) count(ctx context.Context, id bson.ObjectID, counter string, by int64) error {
	return add(ctx, m.posts, id, counter, by)
}

func (m *Users) count(ctx context.Context, id bson.ObjectID, counter string, by int64) error {
	defer m.cache.Drop(id)
	return add(ctx, m.users, id, counter, by)
}

func add(ctx context.Context, c Collection, id bson.ObjectID, counter string, by int64) error {
	update := bson.D{{Key: "$inc", Value: bson.D{{Key: counter, Value: by}}}}
	result, err := c.UpdateOne(ctx, live(bson.E{Key: "_id", Value: id}), update)
	if err == nil && result.MatchedCount == 0 {
		return ErrNotFound()
	}
	return translate(err)
}
