package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"slices"
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
	MaxNumber    = 10 // the last page that has a number: what is further on, a cursor leads to
)

// Paging says which part of a list is wanted.
type Paging struct {
	After  string // the cursor that came with the page before; empty: from the start
	Limit  int    // 0: DefaultLimit
	Number int    // of the page, counted from 1, instead of a cursor; 0: the first
}

// NewPaging reads what a request asks for. More than MaxLimit is MaxLimit.
func NewPaging(after string, limit, number *int) (Paging, error) {
	p := Paging{After: after, Limit: DefaultLimit}
	if limit != nil {
		p.Limit = min(*limit, MaxLimit)
	}
	if p.Limit < 1 {
		return p, apperr.InvalidField("limit", "Use a limit from 1 to %d.", MaxLimit)
	}
	if number == nil {
		return p, nil
	}
	if p.Number = *number; p.Number < 1 || p.Number > MaxNumber {
		return p, apperr.InvalidField("page", "Use a page from 1 to %d. The cursor “after” leads further.", MaxNumber)
	}
	if after != "" {
		return p, apperr.InvalidField("page", "Use either “page” or “after”.")
	}
	return p, nil
}

// skipped is how many documents come before a page with a number.
func (p Paging) skipped() int { return max(p.Number-1, 0) * p.Limit }

// Reach is how many documents the pages with numbers hold.
func (p Paging) Reach() int { return MaxNumber * p.Limit }

// Page is a part of a list, and the cursor of the next part, empty where there is none.
type Page[T any] struct {
	Items []T
	Next  string
	Total int // how many there are in all, where the whole list is known (see Rank)
}

// Page returns a part of the documents that match. However far it is from the start, it costs one or two reads of an
// index that begins with the fields of the filter and goes on with those of the order.
func (d *Documents[T]) Page(ctx context.Context, filter bson.D, by Order, p Paging) (Page[*T], error) {
	if p.Limit == 0 {
		p.Limit = DefaultLimit
	}
	page := Page[*T]{Items: make([]*T, 0, p.Limit)}
	skip := p.skipped()
	var last cursor
	read := func(raw bson.Raw) error {
		if skip > 0 {
			skip--
			return nil
		}
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
		missing := skip + p.Limit + 1 - len(page.Items)
		if err := d.kind.Each(ctx, filter, read, options.Find().SetSort(keys(by...)).SetLimit(int64(missing))); err != nil {
			return page, translate(err)
		}
	}
	return page, nil
}

// spansAtOnce is how many values of $in a MongoDB reads side by side in the order of an index. With more it would read and
// sort all there is (internalQueryMaxScansToExplode).
const spansAtOnce = 200

// PageIn is Page for documents of which a field has one of many values: one or two reads of an index for each 200 of them,
// which begins with that field and the fields of the filter and goes on with those of the order.
func (d *Documents[T]) PageIn(ctx context.Context, field string, values []bson.ObjectID, filter bson.D, by Order, p Paging) (Page[*T], error) {
	if p.Limit == 0 {
		p.Limit = DefaultLimit
	}
	if len(values) <= spansAtOnce {
		return d.Page(ctx, append(Where(field, In(values)), filter...), by, p)
	}
	part, more := Paging{After: p.After, Limit: p.skipped() + p.Limit}, false
	var all []*T
	for some := range slices.Chunk(values, spansAtOnce) {
		page, err := d.Page(ctx, append(Where(field, In(some)), filter...), by, part)
		if err != nil {
			return Page[*T]{}, err
		}
		all, more = append(all, page.Items...), more || page.Next != ""
	}
	p.After = "" // they all are after it
	page, err := Rank(all, by, func(doc *T) bson.D { return fieldsOf(doc, by) }, p)
	if page.Next == "" && more {
		page.Next = cursor(fieldsOf(page.Items[len(page.Items)-1], by)).String()
	}
	return page, err
}

// fieldsOf are the values that a document has in the fields of an order.
func fieldsOf(doc any, by Order) bson.D {
	raw, err := bson.Marshal(doc)
	if err != nil {
		return nil
	}
	return bson.D(cursorAt(raw, by))
}

// Rank puts items in order by what key says they have in the fields of the order, and returns a part of them: a list that
// is worked out in memory has the same pages as one of the database.
func Rank[T any](items []T, by Order, key func(T) bson.D, p Paging) (Page[T], error) {
	if p.Limit == 0 {
		p.Limit = DefaultLimit
	}
	var at cursor
	if p.After != "" {
		var err error
		if at, err = parseCursor(p.After, by); err != nil {
			return Page[T]{}, err
		}
	}
	type placed struct {
		item T
		at   cursor
	}
	all := make([]placed, 0, len(items))
	for _, item := range items {
		place := placed{item, cursorOf(key(item))}
		if at == nil || place.at.compare(at, by) > 0 {
			all = append(all, place)
		}
	}
	slices.SortFunc(all, func(a, b placed) int { return a.at.compare(b.at, by) })
	all = all[min(p.skipped(), len(all)):]
	page := Page[T]{Items: make([]T, 0, p.Limit), Total: len(items)}
	for _, place := range all[:min(p.Limit, len(all))] {
		page.Items = append(page.Items, place.item)
	}
	if len(all) > p.Limit {
		page.Next = all[p.Limit-1].at.String()
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

// cursorOf is the cursor with these values.
func cursorOf(fields bson.D) cursor {
	c := make(cursor, len(fields))
	for i, field := range fields {
		v, is := field.Value.(bson.RawValue)
		if !is {
			v = rawValue(field.Value)
		}
		c[i] = bson.E{Key: field.Key, Value: v}
	}
	return c
}

func rawValue(v any) bson.RawValue {
	t, data, _ := bson.MarshalValue(v) // a value of a cursor
	return bson.RawValue{Type: t, Value: data}
}

// compare tells which of two places comes first in a list of this order.
func (c cursor) compare(other cursor, by Order) int {
	for i := range by {
		n := compareValues(c[i].Value.(bson.RawValue), other[i].Value.(bson.RawValue))
		if by[i][0] == '-' {
			n = -n
		}
		if n != 0 {
			return n
		}
	}
	return 0
}

// compareValues compares two values of one of the types that a cursor has. Of different types, it compares those.
func compareValues(a, b bson.RawValue) int {
	if x, ok := number(a); ok {
		if y, ok := number(b); ok {
			return cmp.Compare(x, y)
		}
	}
	if a.Type != b.Type {
		return cmp.Compare(a.Type, b.Type)
	}
	if at, ok := a.DateTimeOK(); ok {
		return cmp.Compare(at, b.DateTime())
	}
	return bytes.Compare(a.Value, b.Value)
}

func number(v bson.RawValue) (float64, bool) {
	if f, ok := v.DoubleOK(); ok {
		return f, true
	}
	n, ok := v.AsInt64OK()
	return float64(n), ok
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
