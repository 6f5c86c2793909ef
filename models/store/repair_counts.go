package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	suspectsAtOnce = 5000 // counts that are rechecked together
	checks         = 12   // spread over the settling time
)

// counter is a field that counts documents, with the kinds that it counts.
type counter struct {
	field  string
	counts []counted
}

type counted struct {
	*kind
	Parent
}

// suspect is a counter and the value that it should have.
type suspect struct {
	id     bson.ObjectID
	stored bson.RawValue
	n      int64
}

func (s suspect) right() bool {
	stored, ok := s.stored.AsInt64OK()
	return ok && stored == s.n
}

func (s suspect) same(other suspect) bool { return s.n == other.n && s.stored.Equal(other.stored) }

// counters lists the counters of a kind.
func (k *kind) counters() (all []counter) {
	for _, child := range k.db.kinds {
		for _, p := range child.hangsOn(k.Name) {
			if p.Counter == "" {
				continue
			}
			i := 0
			for i < len(all) && all[i].field != p.Counter {
				i++
			}
			if i == len(all) {
				all = append(all, counter{field: p.Counter})
			}
			all[i].counts = append(all[i].counts, counted{child, p})
		}
	}
	return all
}

// recount compares every counter with what it counts. Without transactions, a change writes its document first and the
// count next, so a wrong count is checked again when any such change must be over.
func (r *repair) recount(ctx context.Context, k *kind) error {
	for _, c := range k.counters() {
		var suspects []suspect
		err := k.walk(ctx, k.live(bson.D{}), []string{c.field}, func(page []bson.Raw) error {
			for _, doc := range page {
				s, err := c.check(ctx, doc)
				if err != nil {
					return err
				}
				if !s.right() {
					suspects = append(suspects, s)
				}
			}
			if len(suspects) < suspectsAtOnce {
				return nil
			}
			batch := suspects
			suspects = nil
			return r.correct(ctx, k, c, batch)
		})
		if err != nil {
			return err
		}
		if err := r.correct(ctx, k, c, suspects); err != nil {
			return err
		}
	}
	return nil
}

func (c counter) check(ctx context.Context, doc bson.Raw) (suspect, error) {
	s := suspect{id: idOf(doc), stored: doc.Lookup(c.field)}
	for _, what := range c.counts {
		n, err := what.total(ctx, s.id)
		if err != nil {
			return s, err
		}
		s.n += n
	}
	return s, nil
}

// total counts the documents of a parent, or adds them up.
func (c counted) total(ctx context.Context, parent bson.ObjectID) (n int64, err error) {
	filter := Where(c.Field, parent)
	if c.If.Key != "" {
		filter = append(filter, c.If)
	}
	if c.Sum == nil {
		return c.CountDocuments(ctx, c.live(filter))
	}
	fields := append([]string{c.Field, c.If.Key}, c.Sum...)
	fields = slices.DeleteFunc(fields, func(name string) bool { return name == "" })
	err = c.Each(ctx, c.live(filter), func(raw bson.Raw) error { n += c.amount(raw); return nil }, options.Find().SetProjection(keys(fields...)))
	return n, err
}

// correct sets the counters whose error stays the same in every check. A post that is liked and unliked all the time
// may be caught half done twice, but not every time.
func (r *repair) correct(ctx context.Context, k *kind, c counter, suspects []suspect) error {
	times := 1
	if r.Settle > 0 {
		times = checks
	}
	for range times {
		if len(suspects) == 0 {
			return nil
		}
		if err := wait(ctx, r.Settle/time.Duration(times)); err != nil {
			return err
		}
		still := suspects[:0]
		for _, before := range suspects {
			now, err := c.checkAgain(ctx, k, before.id)
			switch {
			case errors.Is(err, mongo.ErrNoDocuments): // removed since then
			case err != nil:
				return err
			case now.right(): // a change had been half done
			case now.same(before):
				still = append(still, now)
			default:
				r.Busy++
			}
		}
		suspects = still
	}
	for _, s := range suspects {
		if err := r.set(ctx, k, c.field, s); err != nil {
			return err
		}
	}
	return nil
}

func (c counter) checkAgain(ctx context.Context, k *kind, id bson.ObjectID) (s suspect, err error) {
	err = k.one(ctx, k.live(Where("_id", id)), func(raw bson.Raw) error {
		doc := append(bson.Raw{}, raw...)
		s, err = c.check(ctx, doc)
		return err
	})
	return s, err
}

// set writes a counter if it is still as it was read.
func (r *repair) set(ctx context.Context, k *kind, field string, s suspect) error {
	var stored any = s.stored
	if s.stored.IsZero() {
		stored = nil // missing too
	}
	result, err := k.UpdateOne(ctx, k.live(Where("_id", s.id, field, stored)), bson.D{Set(field, s.n)})
	if err != nil {
		return err
	}
	if result.MatchedCount == 0 {
		r.Busy++
		return nil
	}
	r.mended("%s %s: %s is %d, and was %s", k.Name, s.id.Hex(), field, s.n, showValue(s.stored))
	return nil
}
