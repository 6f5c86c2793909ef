package models

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
)

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
		if inDoubt(err) { // its files are taken back, so the post must be too
			post := *p
			m.db.settle("a post taken back", func(ctx context.Context) (bool, error) { return m.takeBack(ctx, post) })
		}
		return translate(err)
	}
	if p.Visibility != Public {
		return nil
	}
	err := m.count(ctx, p.counts(1, p.ID))
	if err != nil { // the account went away in between
		_, _ = m.posts.DeleteOne(context.WithoutCancel(ctx), bson.D{{Key: "_id", Value: p.ID}})
	}
	return err
}

// takeBack removes a post that may or may not have arrived. It was not counted
// yet, which the removal takes for granted.
func (m *Posts) takeBack(ctx context.Context, p Post) (found bool, err error) {
	mark := bson.D{{Key: "$set", Value: bson.D{{Key: "deletedAt", Value: m.db.now()}}}}
	_, err = decode[Post](m.posts.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: p.ID}}, mark))
	if apperr.Is(err, apperr.NotFound) {
		return false, nil
	}
	if err == nil && p.Visibility == Public {
		_, err = m.db.countOnce(ctx, p.counts(1, p.ID), bson.D{})
	}
	if err != nil {
		return false, err
	}
	return true, m.db.remove(ctx, m.db.entity("posts"), p.ID)
}

// counts is how a change alters the number of its owner's published posts.
func (p *Post) counts(by int64, change bson.ObjectID) tally {
	return tally{parent: "users", id: p.Owner, counter: "postsCount", by: by, change: change}
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
	now, change := m.db.now(), bson.NewObjectID()
	counts := p.counts(1, change)
	if changed.Visibility != Public {
		counts = p.counts(-1, change)
	}
	set = append(set, bson.E{Key: "updatedAt", Value: now})
	update := bson.D{}
	if changed.Visibility == p.Visibility {
		set = append(set, bson.E{Key: "editedAt", Value: now})
	} else {
		update = append(update, remember("visibilityChanges", change))
		if p.PublishedAt == nil {
			set = append(set, bson.E{Key: "publishedAt", Value: now})
		}
	}
	filter := live(bson.E{Key: "_id", Value: p.ID}, bson.E{Key: "owner", Value: p.Owner}, bson.E{Key: "visibility", Value: p.Visibility})
	after, err := decode[Post](m.posts.FindOneAndUpdate(ctx, filter, append(update, bson.E{Key: "$set", Value: set}),
		options.FindOneAndUpdate().SetReturnDocument(options.After)))
	if inDoubt(err) && changed.Visibility != p.Visibility {
		m.db.settle("a change of visibility", func(ctx context.Context) (bool, error) {
			n, err := m.posts.CountDocuments(ctx, bson.D{{Key: "_id", Value: p.ID}, {Key: "visibilityChanges", Value: change}})
			if err == nil && n > 0 {
				_, err = m.db.countOnce(ctx, counts, bson.D{})
			}
			return n > 0, err
		})
	}
	if apperr.Is(err, apperr.NotFound) { // published, unpublished or deleted by another tab meanwhile
		return nil, apperr.New(apperr.Conflict, "This post was changed at the same time. Please look at it again.").Because(err)
	}
	if err != nil || changed.Visibility == p.Visibility {
		return after, err
	}
	return after, m.count(ctx, counts)
}

// Delete removes a post with its files, likes and views.
func (m *Posts) Delete(ctx context.Context, user, id bson.ObjectID) error {
	if _, err := m.Own(ctx, user, id); err != nil {
		return err
	}
	return m.db.beginRemoval(ctx, "posts", id, bson.D{{Key: "owner", Value: user}})
}

func (m *Posts) count(ctx context.Context, t tally) error {
	defer m.users.cache.Drop(t.id.(bson.ObjectID))
	return m.db.count(ctx, t)
}
