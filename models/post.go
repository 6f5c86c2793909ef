package models

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

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
