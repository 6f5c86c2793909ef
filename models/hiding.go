package models

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// This file is how moderation takes accounts, posts and comments out of sight, and puts them back.

// setDisabled disables or enables an account. It reports whether that changed anything.
func (m *Users) setDisabled(ctx context.Context, id bson.ObjectID, disabled bool) (u *User, changed bool, err error) {
	if disabled {
		u, err = m.users.Update(ctx, store.Where("_id", id, "disabledAt", store.Absent), bson.D{store.Set("disabledAt", m.db.Now())})
	} else {
		u, err = m.users.Update(ctx, store.Where("_id", id, "disabledAt", store.Where("$exists", true)), bson.D{store.Unset("disabledAt")})
	}
	if !apperr.Is(err, apperr.NotFound) {
		return u, err == nil, err
	}
	u, err = m.users.ByID(ctx, id) // deleted, or already in that state
	return u, false, err
}

// while fails with not found unless the account is still disabled, or enabled. It is a write, so it and a concurrent
// change of that state wait for each other.
func (m *Users) while(ctx context.Context, id bson.ObjectID, disabled bool) error {
	as := store.Where("_id", id, "disabledAt", store.Where("$exists", disabled))
	_, err := m.users.Update(ctx, as, bson.D{store.Set("followedAt", m.db.Now())})
	return err
}

// hide hides a post from everybody but its owner, published or not. It reports whether that changed anything.
func (m *Posts) hide(ctx context.Context, id bson.ObjectID) (p *Post, changed bool, err error) {
	if p, err = m.posts.ByID(ctx, id); err != nil || p.Visibility == Hidden {
		return p, false, err
	}
	from := p.Visibility
	if p.Published() {
		from = Public
	}
	p, err = m.posts.Update(ctx, store.Where("_id", id, "visibility", p.Visibility), bson.D{store.Set("visibility", Hidden, "hiddenFrom", from)})
	return p, true, err
}

// restore gives a hidden post its previous visibility.
func (m *Posts) restore(ctx context.Context, id bson.ObjectID) (p *Post, changed bool, err error) {
	if p, err = m.posts.ByID(ctx, id); err != nil || p.Visibility != Hidden {
		return p, false, err
	}
	owner, err := m.users.ByID(ctx, p.Owner)
	if err != nil {
		return p, false, err
	}
	to := p.HiddenFrom
	if to == Public && owner.DisabledAt != nil {
		to = Suspended
	}
	p, err = m.posts.Update(ctx, store.Where("_id", id, "visibility", Hidden), bson.D{store.Set("visibility", to), store.Unset("hiddenFrom")})
	return p, true, err
}

// suspend takes up to limit published posts of a disabled account out of the lists and counts, or puts them back. It
// returns how many there were.
func (m *Posts) suspend(ctx context.Context, owner bson.ObjectID, disabled bool, limit int) (int, error) {
	return suspend(ctx, m.posts, owner, "visibility", Public, Suspended, disabled, limit, idOfPost)
}

// hide hides a comment from everybody but its author. It reports whether that changed anything.
func (m *Comments) hide(ctx context.Context, id bson.ObjectID) (c *Comment, changed bool, err error) {
	c, err = m.comments.ByID(ctx, id)
	if err == nil && c.State == CommentDeleted {
		err = store.ErrNotFound()
	}
	if err != nil || c.State == CommentHidden {
		return c, false, err
	}
	c, err = m.setState(ctx, c, CommentHidden)
	return c, true, err
}

// restore shows a hidden comment again.
func (m *Comments) restore(ctx context.Context, id bson.ObjectID) (c *Comment, changed bool, err error) {
	c, err = m.comments.ByID(ctx, id)
	if err == nil && c.State == CommentDeleted {
		err = store.ErrNotFound()
	}
	if err != nil || c.State != CommentHidden {
		return c, false, err
	}
	owner, err := m.users.ByID(ctx, c.Owner)
	if err != nil {
		return c, false, err
	}
	to := CommentShown
	if owner.DisabledAt != nil {
		to = CommentSuspended
	}
	c, err = m.setState(ctx, c, to)
	return c, true, err
}

func (m *Comments) setState(ctx context.Context, c *Comment, to CommentState) (*Comment, error) {
	return m.comments.Update(ctx, store.Where("_id", c.ID, "state", c.State), bson.D{store.Set("state", to)})
}

// suspend takes up to limit comments of a disabled account out of the counts, or puts them back. It returns how many
// there were.
func (m *Comments) suspend(ctx context.Context, owner bson.ObjectID, disabled bool, limit int) (int, error) {
	return suspend(ctx, m.comments, owner, "state", CommentShown, CommentSuspended, disabled, limit, func(c *Comment) bson.ObjectID { return c.ID })
}

// suspend sets a field of the owner's documents from shown to suspended if the account is disabled, and back if it is
// enabled again.
func suspend[T any, S ~string](ctx context.Context, docs *store.Documents[T], owner bson.ObjectID, field string, shown, suspended S,
	disabled bool, limit int, id func(*T) bson.ObjectID) (int, error) {
	from, to := shown, suspended
	if !disabled {
		from, to = to, from
	}
	found, err := docs.List(ctx, store.Where("owner", owner, field, from), nil, limit)
	for _, doc := range found {
		if err == nil {
			_, err = docs.Update(ctx, store.Where("_id", id(doc), field, from), bson.D{store.Set(field, to)})
		}
		if apperr.Is(err, apperr.NotFound) {
			err = nil // changed or removed since then
		}
	}
	return len(found), err
}
