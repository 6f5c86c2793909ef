package store

import (
	"context"
	"encoding/base64"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
)

// Order is the order of a list, by the fields of an index: "-publishedAt", "-_id". The last one is the _id, so that no two
// documents are in the same place.
type Order []string

// Reversed is the opposite order.
func (o Order) Reversed() Order {
	r := make(Order, len(o))
	for i, field := range o {
		if name, descending := strings.CutPrefix(field, "-"); descending {
			r[i] = name
		} else {
			r[i] = "-" + field
		}
	}
	return r
}

// The sizes of a page.
const (
	DefaultLimit = 20
	MaxLimit     = 100
)

// Paging says which part of a list is wanted.
type Paging struct {
	After string // the cursor that came with the page before; empty: from the start
	Limit int    // 0: DefaultLimit
}

// NewPaging reads what a request asks for. More than MaxLimit is MaxLimit.
func NewPaging(after string, limit *int) (Paging, error) {
	p := Paging{After: after, Limit: DefaultLimit}
	if limit != nil {
		p.Limit = min(*limit, MaxLimit)
	}
	if p.Limit < 1 {
		return p, apperr.InvalidField("limit", "Use a limit from 1 to %d.", MaxLimit)
	}
	return p, nil
}

// Page is a part of a list, and the cursor of the next part, empty where there is none.
type Page[T any] struct {
	Items []T
	Next  string
}

// Page returns a part of the documents that match. However far it is from the start, it costs one or two reads of an
// index that begins with the fields of the filter and goes on with those of the order.
func (d *Documents[T]) Page(ctx context.Context, filter bson.D, by Order, p Paging) (Page[*T], error) {
	if p.Limit == 0 {
		p.Limit = DefaultLimit
	}
	page := Page[*T]{Items: make([]*T, 0, p.Limit)}
	var last cursor
	read := func(raw bson.Raw) error {
		if len(page.Items) == p.Limit { // one more than the page holds: there is a next one
			page.Next = last.String()
			return nil
		}
		doc := new(T)
		page.Items = append(page.Items, doc)
		if len(page.Items) == p.Limit {
			last = cursorAt(raw, by)
		}
		return d.decoder.decode(raw, doc)
	}
	ranges, err := p.ranges(d.kind.live(filter), by)
	if err != nil {
		return page, err
	}
	for _, filter := range ranges {
		if page.Next != "" {
			break
		}
		missing := p.Limit + 1 - len(page.Items)
		if err := d.kind.Each(ctx, filter, read, options.Find().SetSort(keys(by...)).SetLimit(int64(missing))); err != nil {
			return page, translate(err)
		}
	}
	return page, nil
}

// ranges are the filters of what comes after the cursor, each one range of an index: first what is like the last
// document in all fields but the _id, then what is like it in fewer.
func (p Paging) ranges(filter bson.D, by Order) ([]bson.D, error) {
	if p.After == "" {
		return []bson.D{filter}, nil
	}
	at, err := parseCursor(p.After, by)
	if err != nil {
		return nil, err
	}
	ranges := make([]bson.D, 0, len(by))
	for i := len(by) - 1; i >= 0; i-- {
		past := "$gt"
		if by[i][0] == '-' {
			past = "$lt"
		}
		ranges = append(ranges, append(append(filter[:len(filter):len(filter)], at[:i]...), bson.E{Key: at[i].Key, Value: Where(past, at[i].Value)}))
	}
	return ranges, nil
}

// cursor is a place in a list: what the document before it has in the fields of the order.
type cursor bson.D

func cursorAt(raw bson.Raw, by Order) cursor {
	c := make(cursor, len(by))
	for i, key := range keys(by...) {
		v := raw.Lookup(strings.Split(key.Key, ".")...)
		c[i] = bson.E{Key: key.Key, Value: bson.RawValue{Type: v.Type, Value: append([]byte{}, v.Value...)}}
	}
	return c
}

func (c cursor) String() string {
	raw, err := bson.Marshal(bson.D(c))
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// parseCursor accepts a cursor of this order alone, and in it values that cannot be read as operators.
func parseCursor(text string, by Order) (cursor, error) {
	var c cursor
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = bson.Raw(raw).Validate()
	}
	if err == nil {
		elements, _ := bson.Raw(raw).Elements() // valid
		for _, e := range elements {
			c = append(c, bson.E{Key: e.Key(), Value: e.Value()})
		}
	}
	if err != nil || len(c) != len(by) || c.String() != text || !c.fits(by) {
		return nil, apperr.InvalidField("after", "This isn't a cursor of this list.")
	}
	return c, nil
}

func (c cursor) fits(by Order) bool {
	for i, key := range keys(by...) {
		switch t := c[i].Value.(bson.RawValue).Type; {
		case c[i].Key != key.Key, key.Key == "_id" && t != bson.TypeObjectID:
			return false
		case t != bson.TypeObjectID && t != bson.TypeDateTime && t != bson.TypeInt32 && t != bson.TypeInt64 && t != bson.TypeDouble:
			return false
		}
	}
	return true
}
