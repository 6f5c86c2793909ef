package models

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
)

// PostQuery says which posts a list is of.
type PostQuery struct {
	Kind      Kind            // empty: all
	Owner     bson.ObjectID   // zero: everybody's
	Among     []bson.ObjectID // only posts of these users; nil: of anybody
	Drafts    bool            // the owner's drafts, and what a moderator hid, instead of the published ones
	Sort      PostSort        // empty: ByCreated
	Ascending bool            // the oldest, or the least, first
}

// PostSort is what a list of posts is in the order of.
type PostSort string

// The orders. Each has an index, which serves both directions.
const (
	ByCreated  PostSort = "createdAt" // when it was published
	ByViews    PostSort = "views"
	ByLikes    PostSort = "likes"
	ByTrending PostSort = "trending"
)

var sortFields = map[PostSort]string{ByViews: "views", ByLikes: "likesCount", ByTrending: "trending"}

// Page lists posts that the viewer may see, the latest first.
func (m *Posts) Page(ctx context.Context, viewer bson.ObjectID, q PostQuery, p store.Paging) (store.Page[*Post], error) {
	filter, order := q.filter()
	var page store.Page[*Post]
	var err error
	if q.Among != nil {
		page, err = m.posts.PageIn(ctx, "owner", q.Among, filter, order, p)
	} else {
		page, err = m.posts.Page(ctx, filter, order, p)
	}
	if err != nil {
		return page, err
	}
	page.Items, err = m.visible(ctx, viewer, page.Items)
	return page, err
}

// CountUpTo counts the published posts of a list, up to a limit.
func (m *Posts) CountUpTo(ctx context.Context, q PostQuery, limit int) (int, error) {
	filter, _ := q.filter()
	return m.posts.Count(ctx, filter, limit)
}

// filter is served by one of the indexes.
func (q PostQuery) filter() (bson.D, store.Order) {
	filter, order := bson.D{}, store.Order{"-publishedAt", "-_id"}
	if !q.Owner.IsZero() {
		filter = store.Where("owner", q.Owner)
	}
	if q.Drafts {
		// never published, perhaps
		return append(filter, store.Where("visibility", store.In([]Visibility{Draft, Hidden}))[0], among("kind", q.Kind, Video, Photo, Text)), store.Order{"-_id"}
	}
	filter = append(filter, store.Where("visibility", Public)...)
	field, other := sortFields[q.Sort]
	if other {
		order[0] = "-" + field
	}
	switch {
	case q.Kind != "":
		filter = append(filter, store.Where("kind", q.Kind)...)
	case other: // these indexes have the kind, and are read at three places at once
		filter = append(filter, store.Where("kind", store.In([]Kind{Video, Photo, Text}))...)
	}
	if q.Ascending {
		order = order.Reversed()
	}
	return filter, order
}
