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

// Order is the order of a list, by the fields of an index: "-publishedAt", "-_id". The last field is the _id, which
// makes positions unique.
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
	MaxNumber    = 10 // the last page that can be requested by number; after that, use a cursor
)

// Paging selects a part of a list.
type Paging struct {
	After  string // the cursor from the previous page; empty: from the start
	Limit  int    // 0: DefaultLimit
	Number int    // page number, starting with 1, instead of a cursor; 0: the first page
}

// NewPaging reads a request's parameters. Limits above MaxLimit become MaxLimit.
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

// skipped is how many documents precede a numbered page.
func (p Paging) skipped() int { return max(p.Number-1, 0) * p.Limit }

// Reach is how many documents the numbered pages hold.
func (p Paging) Reach() int { return MaxNumber * p.Limit }

// Page is a part of a list, and the cursor of the next part; empty if there is none.
type Page[T any] struct {
	Items []T
	Next  string
	Total int // the total number, if the whole list is known (see Rank)
}

// Page returns a part of the documents that match. However far it is from the start, it costs one or two reads of an
// index that consists of the fields of the filter followed by those of the order.
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
		if len(page.Items) == p.Limit { // one more than the page holds, so there is a next page
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

// spansAtOnce is how many values of $in a MongoDB can merge in the order of an index. With more, it would read and sort
// everything (internalQueryMaxScansToExplode).
const spansAtOnce = 200

// PageIn is Page for documents that have one of many values in a field: one or two reads of an index for each 200 of
// them. The index consists of that field, the fields of the filter and those of the order.
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
	p.After = "" // all of them come after it
	page, err := Rank(all, by, func(doc *T) bson.D { return fieldsOf(doc, by) }, p)
	if page.Next == "" && more {
		page.Next = cursor(fieldsOf(page.Items[len(page.Items)-1], by)).String()
	}
	return page, err
}

// fieldsOf are a document's values of the fields of an order.
func fieldsOf(doc any, by Order) bson.D {
	raw, err := bson.Marshal(doc)
	if err != nil {
		return nil
	}
	return bson.D(cursorAt(raw, by))
}

// Rank sorts items by the order's fields, which key returns, and returns a part of them: a list that is computed in
// memory has the same kind of pages as one from the database.
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

// ranges are the filters for what comes after the cursor, each a single range of an index: first the documents that
// equal the last one in all fields except the _id, then those that equal it in fewer.
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

// cursor is a position in a list: the preceding document's values of the order's fields.
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
	t, data, _ := bson.MarshalValue(v) // a value of a cursor can always be marshalled
	return bson.RawValue{Type: t, Value: data}
}

// compare says which of two positions comes first in a list with this order.
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

// compareValues compares two values of types that a cursor may have. If the types differ, it compares the types.
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

// parseCursor accepts only a cursor for this order, and only values that can't be read as operators.
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
