package models

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// PlaylistItem is a post in a playlist.
type PlaylistItem struct {
	ID       bson.ObjectID `bson:"_id"`
	Playlist bson.ObjectID `bson:"playlist"`
	Owner    bson.ObjectID `bson:"owner"` // the playlist's
	Post     bson.ObjectID `bson:"post"`
	Later    bool          `bson:"later"`    // whether it is in the owner's Watch later
	Position int64         `bson:"position"` // the lowest is first
}

var itemOrder = store.Order{"position", "_id"}

// Items lists the posts of a playlist that was found visible. Posts that the viewer can't see at the moment are left
// out.
func (m *Playlists) Items(ctx context.Context, viewer bson.ObjectID, l *Playlist, p store.Paging) (store.Page[*Post], error) {
	page, err := m.items.Page(ctx, store.Where("playlist", l.ID), itemOrder, p)
	if err != nil {
		return store.Page[*Post]{}, err
	}
	posts, err := m.posts.VisibleAll(ctx, viewer, postsOf(page.Items))
	return store.Page[*Post]{Items: posts, Next: page.Next}, err
}

func postsOf(items []*PlaylistItem) []bson.ObjectID {
	ids := make([]bson.ObjectID, len(items))
	for i, item := range items {
		ids[i] = item.Post
	}
	return ids
}

// Saved returns which of the user's playlists contain the posts.
func (m *Playlists) Saved(ctx context.Context, user bson.ObjectID, posts []bson.ObjectID) ([]*PlaylistItem, error) {
	if user.IsZero() || len(posts) == 0 {
		return nil, nil
	}
	return m.items.List(ctx, store.Where("owner", user, "post", store.In(posts)), nil, 0)
}

// Add puts a post that the user can see at the end of their playlist. It is idempotent.
func (m *Playlists) Add(ctx context.Context, user, id, post bson.ObjectID) error {
	l, err := m.Own(ctx, user, id)
	if err != nil {
		return err
	}
	if _, err := m.posts.Visible(ctx, user, post); err != nil {
		return err
	}
	return m.add(ctx, l, post)
}

// AddLater is Add for the user's Watch later, which is created if it doesn't exist.
func (m *Playlists) AddLater(ctx context.Context, user, post bson.ObjectID) error {
	if _, err := m.posts.Visible(ctx, user, post); err != nil {
		return err
	}
	l, err := m.needWatchLater(ctx, user)
	if err != nil {
		return err
	}
	return m.add(ctx, l, post)
}

func (m *Playlists) add(ctx context.Context, l *Playlist, post bson.ObjectID) error {
	there, err := m.items.Count(ctx, store.Where("playlist", l.ID, "post", post), 1)
	if err != nil || there > 0 {
		return err
	}
	err = m.items.Insert(ctx, &PlaylistItem{
		ID: bson.NewObjectID(), Playlist: l.ID, Owner: l.Owner, Post: post, Later: l.IsWatchLater(), Position: m.db.Now().UnixMicro(),
	})
	if mongo.IsDuplicateKeyError(err) { // another request came first
		return nil
	}
	return err
}

// Remove takes a post out of the user's playlist. It is idempotent.
func (m *Playlists) Remove(ctx context.Context, user, id, post bson.ObjectID) error {
	l, err := m.Own(ctx, user, id)
	if err != nil {
		return err
	}
	removed, err := m.items.Delete(ctx, store.Where("playlist", l.ID, "post", post))
	if err == nil && !removed {
		_, err = m.posts.Visible(ctx, user, post)
	}
	return err
}

// RemoveLater is Remove for the user's Watch later.
func (m *Playlists) RemoveLater(ctx context.Context, user, post bson.ObjectID) error {
	l, err := m.WatchLater(ctx, user)
	if apperr.Is(err, apperr.NotFound) {
		_, err = m.posts.Visible(ctx, user, post)
		return err
	}
	if err != nil {
		return err
	}
	return m.Remove(ctx, user, l.ID, post)
}

// Reorder puts the named posts of the user's playlist into this order. They share the positions that they had; all
// others stay where they are.
func (m *Playlists) Reorder(ctx context.Context, user, id bson.ObjectID, order []bson.ObjectID) error {
	l, err := m.Own(ctx, user, id)
	if err != nil {
		return err
	}
	err = m.db.Atomically(ctx, func(ctx context.Context) error {
		items, err := m.items.List(ctx, store.Where("playlist", l.ID), itemOrder, 0)
		if err != nil {
			return err
		}
		sorted, err := reordered(items, order)
		if err != nil {
			return err
		}
		last := int64(-1)
		for i, item := range sorted {
			last = max(items[i].Position, last+1)
			if item.Position == last {
				continue
			}
			if _, err := m.items.Update(ctx, store.Where("_id", item.ID), bson.D{store.Set("position", last)}); err != nil {
				return err
			}
		}
		return nil
	})
	if apperr.Is(err, apperr.NotFound) { // removed in another tab in the meantime
		return apperr.New(apperr.Conflict, "This playlist was just changed somewhere else. Try again.").Because(err)
	}
	return err
}

func reordered(items []*PlaylistItem, order []bson.ObjectID) ([]*PlaylistItem, error) {
	posts, sorted := postsOf(items), slices.Clone(items)
	slots := make([]int, len(order))
	for i, post := range order {
		slots[i] = slices.Index(posts, post)
		if slots[i] < 0 {
			return nil, apperr.InvalidField("order", "List only posts that are in the playlist.")
		}
	}
	places := slices.Sorted(slices.Values(slots))
	if len(slices.Compact(slices.Clone(places))) < len(places) {
		return nil, apperr.InvalidField("order", "List each post only once.")
	}
	for i, place := range places {
		sorted[place] = items[slots[i]]
	}
	return sorted, nil
}

// Move moves a post of the user's playlist up or down, past the next one that they can see.
func (m *Playlists) Move(ctx context.Context, user, id, post bson.ObjectID, up bool) error {
	l, err := m.Own(ctx, user, id)
	if err != nil {
		return err
	}
	items, err := m.items.List(ctx, store.Where("playlist", l.ID), itemOrder, 0)
	if err != nil {
		return err
	}
	seen, err := m.posts.VisibleAll(ctx, user, postsOf(items))
	if err != nil {
		return err
	}
	at := slices.IndexFunc(seen, func(p *Post) bool { return p.ID == post })
	switch {
	case at < 0:
		return store.ErrNotFound()
	case up && at > 0:
		return m.Reorder(ctx, user, id, []bson.ObjectID{post, seen[at-1].ID})
	case !up && at < len(seen)-1:
		return m.Reorder(ctx, user, id, []bson.ObjectID{seen[at+1].ID, post})
	}
	return nil
}
