package models

import (
	"context"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// The visibilities that only playlists have.
const (
	Unlisted Visibility = "unlisted" // for anyone who has the link
	Private  Visibility = "private"  // only for its owner
)

// Playlist is a list of posts, in its owner's order.
type Playlist struct {
	ID          bson.ObjectID `bson:"_id"`
	Owner       bson.ObjectID `bson:"owner"`
	Name        string        `bson:"name" validate:"required,max=100,line"`
	Key         string        `bson:"key"` // the name in the form that is unique per owner
	Description string        `bson:"description" validate:"max=5000,text"`
	Visibility  Visibility    `bson:"visibility" validate:"oneof=public unlisted private"`
	ItemsCount  int64         `bson:"itemsCount"` // including posts that nobody can see at the moment: shown only to its owner
	CreatedAt   time.Time     `bson:"createdAt"`
	UpdatedAt   time.Time     `bson:"updatedAt"`
}

// Everybody has this playlist from the first time that they use it. No other playlist can have its name.
const (
	WatchLater    = "Watch later"
	watchLaterKey = "watch later"
)

// IsWatchLater reports whether it is the playlist that everybody has.
func (l *Playlist) IsWatchLater() bool { return l.Key == watchLaterKey }

// NewWatchLater is a user's Watch later before its first use.
func NewWatchLater(user bson.ObjectID, now time.Time) *Playlist {
	return &Playlist{ID: bson.NewObjectID(), Owner: user, Name: WatchLater, Key: watchLaterKey, Visibility: Private, CreatedAt: now, UpdatedAt: now}
}

// Check trims the playlist's texts and validates them.
func (l *Playlist) Check() error {
	l.Name = strings.TrimSpace(l.Name)
	l.Description = strings.TrimSpace(strings.ReplaceAll(l.Description, "\r\n", "\n"))
	l.Key = strings.Join(strings.Fields(normalName(l.Name)), " ")
	if l.Visibility == "" {
		l.Visibility = Private
	}
	if err := validate(l); err != nil {
		return err
	}
	if l.IsWatchLater() {
		return errTakenName()
	}
	return nil
}

func errTakenName() error {
	e := apperr.New(apperr.Conflict, "You already have a playlist with this name.")
	e.Fields = []apperr.Field{{Name: "name", Message: e.Message}}
	return e
}

// taken makes an error about the unique key name the field that the user typed in.
func taken(err error) error {
	if mongo.IsDuplicateKeyError(err) {
		return errTakenName()
	}
	return err
}

// Playlists are the playlists and their items.
type Playlists struct {
	db    *store.DB
	lists *store.Documents[Playlist]
	items *store.Documents[PlaylistItem]
	users *Users
	posts *Posts
}

// NewPlaylists registers the playlists.
func NewPlaylists(db *store.DB, users *Users, posts *Posts) *Playlists {
	return &Playlists{
		db: db, users: users, posts: posts,
		lists: store.Register[Playlist](db, store.Kind{
			Name:    "playlists",
			Indexes: []mongo.IndexModel{store.Unique("owner", "key"), store.Index("owner", "-_id"), store.Index("owner", "visibility", "-_id")},
			Parents: []store.Parent{{Kind: "users", Field: "owner", Counter: "playlistsCount", Max: 200, Full: "You can have at most 200 playlists."}},
			Export:  store.Export{By: "owner", Fields: []string{"name", "description", "visibility", "itemsCount", "createdAt", "updatedAt"}},
		}),
		items: store.Register[PlaylistItem](db, store.Kind{
			Name:    "playlistItems",
			Indexes: []mongo.IndexModel{store.Unique("playlist", "post"), store.Index("playlist", "position", "_id"), store.Index("owner", "post"), store.Index("owner", "-_id"), store.Index("post")},
			Loose:   map[string]string{"owner": "the playlist's, with which it goes"},
			Export:  store.Export{By: "owner", Fields: []string{"playlist", "post", "position"}},
			Parents: []store.Parent{
				{Kind: "playlists", Field: "playlist", Counter: "itemsCount", Max: 500, Full: "A playlist holds at most 500 posts."},
				{Kind: "posts", Field: "post"},
			},
		}),
	}
}

// Visible loads a playlist that the viewer may see: a private one only for its owner.
func (m *Playlists) Visible(ctx context.Context, viewer, id bson.ObjectID) (*Playlist, error) {
	l, err := m.lists.ByID(ctx, id)
	if err != nil {
		return nil, err
	}
	owner, err := m.users.Cached(ctx, l.Owner)
	if err == nil && (owner.DisabledAt != nil || l.Visibility == Private && l.Owner != viewer) {
		err = store.ErrNotFound()
	}
	return l, err
}

// Own loads a playlist that the user may change.
func (m *Playlists) Own(ctx context.Context, user, id bson.ObjectID) (*Playlist, error) {
	l, err := m.Visible(ctx, user, id)
	if err == nil && l.Owner != user {
		err = apperr.New(apperr.Forbidden, "Only the owner can change this.")
	}
	return l, err
}

// editable is Own for changes that nobody may make to their Watch later.
func (m *Playlists) editable(ctx context.Context, user, id bson.ObjectID) (*Playlist, error) {
	l, err := m.Own(ctx, user, id)
	if err == nil && l.IsWatchLater() {
		err = apperr.New(apperr.Forbidden, "“Watch later” can't be changed or deleted.")
	}
	return l, err
}

// Page lists the playlists of a user that the viewer may know about, latest first.
func (m *Playlists) Page(ctx context.Context, viewer, owner bson.ObjectID, p store.Paging) (store.Page[*Playlist], error) {
	u, err := m.users.Cached(ctx, owner)
	if err == nil && u.DisabledAt != nil {
		err = store.ErrNotFound()
	}
	if err != nil {
		return store.Page[*Playlist]{}, err
	}
	filter := store.Where("owner", owner)
	if owner != viewer {
		filter = store.Where("owner", owner, "visibility", Public)
	}
	return m.lists.Page(ctx, filter, store.Order{"-_id"}, p)
}

// All lists all playlists of a user, whose number is limited.
func (m *Playlists) All(ctx context.Context, user bson.ObjectID) ([]*Playlist, error) {
	return m.lists.List(ctx, store.Where("owner", user), store.Order{"-_id"}, 0)
}

// Create adds a playlist. Watch later is created first, so that there is always room for it.
func (m *Playlists) Create(ctx context.Context, l *Playlist) error {
	if err := l.Check(); err != nil {
		return err
	}
	if _, err := m.needWatchLater(ctx, l.Owner); err != nil {
		return err
	}
	l.ID, l.CreatedAt = bson.NewObjectID(), m.db.Now()
	l.UpdatedAt = l.CreatedAt
	return taken(m.lists.Insert(ctx, l))
}

// PlaylistChanges are the fields that an owner may edit; nil leaves one as it is.
type PlaylistChanges struct {
	Name, Description *string
	Visibility        *Visibility
}

// Update changes the given fields and returns the updated playlist.
func (m *Playlists) Update(ctx context.Context, user, id bson.ObjectID, c PlaylistChanges) (*Playlist, error) {
	l, err := m.editable(ctx, user, id)
	if err != nil {
		return nil, err
	}
	set := store.Where("updatedAt", m.db.Now())
	assign(&set, "name", &l.Name, c.Name)
	assign(&set, "description", &l.Description, c.Description)
	assign(&set, "visibility", &l.Visibility, c.Visibility)
	if err := l.Check(); err != nil {
		return nil, err
	}
	if c.Name != nil {
		set = append(set, bson.E{Key: "key", Value: l.Key})
	}
	after, err := m.lists.Update(ctx, store.Where("_id", id, "owner", user), bson.D{{Key: "$set", Value: set}})
	return after, taken(err)
}

// Delete removes a playlist with its items. Its name is free immediately.
func (m *Playlists) Delete(ctx context.Context, user, id bson.ObjectID) error {
	if _, err := m.editable(ctx, user, id); err != nil {
		return err
	}
	return m.db.Atomically(ctx, func(ctx context.Context) error {
		if _, err := m.lists.Update(ctx, store.Where("_id", id, "owner", user), bson.D{store.Set("key", id.Hex())}); err != nil {
			return err
		}
		return m.lists.Remove(ctx, id, store.Where("owner", user))
	})
}

// WatchLater loads the user's Watch later; not found until its first use.
func (m *Playlists) WatchLater(ctx context.Context, user bson.ObjectID) (*Playlist, error) {
	return m.lists.One(ctx, store.Where("owner", user, "key", watchLaterKey))
}

// needWatchLater creates the user's Watch later if it doesn't exist. Of several concurrent calls, one creates it.
func (m *Playlists) needWatchLater(ctx context.Context, user bson.ObjectID) (*Playlist, error) {
	l, err := m.WatchLater(ctx, user)
	if !apperr.Is(err, apperr.NotFound) {
		return l, err
	}
	l = NewWatchLater(user, m.db.Now())
	if err := m.lists.Insert(ctx, l); !mongo.IsDuplicateKeyError(err) {
		return l, err
	}
	return m.WatchLater(ctx, user)
}
