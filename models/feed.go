package models

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
)

// PostQuery asks for a page of posts.
type PostQuery struct {
	Kind   Kind          // empty: all
	Owner  bson.ObjectID // zero: everybody's
	Drafts bool          // the owner's drafts instead of the published ones
	Oldest bool          // the oldest first
	After  string        // the cursor that came with the page before; empty: from the start
	Limit  int
}

// List answers a page of posts, the newest first, and the cursor of the next
// page, empty where there is none. Each page is one or two reads of an index,
// however far it is from the start.
func (m *Posts) List(ctx context.Context, q PostQuery) ([]*Post, string, error) {
	after, err := parseCursor(q.After)
	if err != nil {
		return nil, "", err
	}
	posts, err := m.page(ctx, q, after)
	if err != nil || len(posts) <= q.Limit {
		return posts, "", err
	}
	posts = posts[:q.Limit]
	last := posts[len(posts)-1]
	return posts, q.cursor(last).String(), nil
}

// page reads one post more than the page holds, which tells whether it is the
// last one.
func (m *Posts) page(ctx context.Context, q PostQuery, after *cursor) ([]*Post, error) {
	past, filter, limit := "$lt", q.filter(), q.Limit+1
	if q.Oldest {
		past = "$gt"
	}
	if after == nil {
		return m.find(ctx, q, filter, limit)
	}
	if q.Drafts { // ordered by _id alone
		return m.find(ctx, q, with(filter, "_id", bson.D{{Key: past, Value: after.id}}), limit)
	}
	// First what shares the last one's moment, then what comes after it.
	same := with(with(filter, "publishedAt", after.time), "_id", bson.D{{Key: past, Value: after.id}})
	posts, err := m.find(ctx, q, same, limit)
	if err != nil || len(posts) == limit {
		return posts, err
	}
	rest, err := m.find(ctx, q, with(filter, "publishedAt", bson.D{{Key: past, Value: after.time}}), limit-len(posts))
	return append(posts, rest...), err
}

func (m *Posts) find(ctx context.Context, q PostQuery, filter bson.D, limit int) ([]*Post, error) {
	cursor, err := m.posts.Find(ctx, filter, options.Find().SetSort(q.order()).SetLimit(int64(limit)))
	return collect[*Post](ctx, cursor, err)
}

func (q PostQuery) filter() bson.D {
	f := bson.D{}
	if !q.Owner.IsZero() {
		f = append(f, bson.E{Key: "owner", Value: q.Owner})
	}
	if q.Drafts {
		return append(f, bson.E{Key: "visibility", Value: Draft}, bson.E{Key: "deletedAt", Value: absent})
	}
	f = append(f, bson.E{Key: "visibility", Value: Public})
	if q.Kind != "" {
		f = append(f, bson.E{Key: "kind", Value: q.Kind})
	}
	return append(f, bson.E{Key: "deletedAt", Value: absent})
}

func (q PostQuery) order() bson.D {
	switch {
	case q.Drafts:
		return keys("-_id")
	case q.Oldest:
		return keys("publishedAt", "_id")
	}
	return keys("-publishedAt", "-_id")
}

// with is the filter with one condition more.
func with(filter bson.D, name string, value any) bson.D {
	return append(filter[:len(filter):len(filter)], bson.E{Key: name, Value: value})
}

// cursor is a place between two posts of a list.
type cursor struct {
	time time.Time
	id   bson.ObjectID
}

func (q PostQuery) cursor(p *Post) cursor {
	if p.PublishedAt == nil {
		return cursor{id: p.ID}
	}
	return cursor{*p.PublishedAt, p.ID}
}

func (c cursor) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", c.time.UnixMilli(), c.id.Hex()))
}

func parseCursor(text string) (*cursor, error) {
	if text == "" {
		return nil, nil
	}
	var millis int64
	var hex string
	plain, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		_, err = fmt.Sscanf(string(plain), "%d %24x", &millis, &hex)
	}
	c := cursor{time: time.UnixMilli(millis).UTC()}
	if err == nil {
		copy(c.id[:], hex)
	}
	if err != nil || c.String() != text {
		return nil, apperr.InvalidField("after", "This is not a cursor of this list.")
	}
	return &c, nil
}
