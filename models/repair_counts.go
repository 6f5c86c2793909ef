package models

import (
	"context"
	"reflect"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
)

const (
	suspectsAtOnce = 5000 // counts that are looked at again together
	looksAgain     = 12   // spread over the time to settle
)

// counted is a type of document that a counter counts.
type counted struct {
	*entity
	parent
}

// look is a counter beside what it should be.
type look struct {
	id    any
	value any // what stands there; nil: nothing
	n     int64
}

func (l look) right() bool {
	switch v := l.value.(type) {
	case int32:
		return int64(v) == l.n
	case int64:
		return v == l.n
	}
	return false
}

// counters lists the counters of a type with what they count.
func (db *DB) counters(e *entity) (names []string, by map[string][]counted) {
	by = map[string][]counted{}
	for _, child := range db.entities {
		for _, p := range child.hangsOn(e.name) {
			if p.counter == "" {
				continue
			}
			if by[p.counter] == nil {
				names = append(names, p.counter)
			}
			by[p.counter] = append(by[p.counter], counted{child, p})
		}
	}
	return names, by
}

// recount compares every counter with what it counts. A change writes its
// document first and the count next; so a count that is wrong is looked at again
// when any such change is over.
func (r *repair) recount(ctx context.Context, e *entity) error {
	names, by := r.db.counters(e)
	for _, name := range names {
		var suspects []look
		err := e.walk(ctx, live(), []string{name}, func(page []bson.M) error {
			for _, doc := range page {
				l := look{id: doc["_id"], value: doc[name]}
				var err error
				if l.n, err = count(ctx, by[name], l.id); err != nil {
					return err
				}
				if !l.right() {
					suspects = append(suspects, l)
				}
			}
			if len(suspects) < suspectsAtOnce {
				return nil
			}
			batch := suspects
			suspects = nil
			return r.correct(ctx, e, name, by[name], batch)
		})
		if err != nil {
			return err
		}
		if err := r.correct(ctx, e, name, by[name], suspects); err != nil {
			return err
		}
	}
	return nil
}

func count(ctx context.Context, what []counted, id any) (sum int64, err error) {
	for _, c := range what {
		filter := bson.D{{Key: c.field, Value: id}}
		if c.counts.Key != "" {
			filter = append(filter, c.counts)
		}
		n, err := c.CountDocuments(ctx, filter)
		if err != nil {
			return 0, translate(err)
		}
		sum += n
	}
	return sum, nil
}

// correct sets the counters that are as wrong as they were, however often one
// looks. A post that is liked and unliked all the time may be seen half done twice,
// but not each time.
func (r *repair) correct(ctx context.Context, e *entity, name string, what []counted, suspects []look) error {
	looks := 1
	if r.Settle > 0 {
		looks = looksAgain
	}
	for range looks {
		if len(suspects) == 0 {
			return nil
		}
		if err := wait(ctx, r.Settle/time.Duration(looks)); err != nil {
			return err
		}
		still := suspects[:0]
		for _, before := range suspects {
			now, err := r.lookAgain(ctx, e, name, what, before.id)
			switch {
			case apperr.Is(err, apperr.NotFound): // removed since
			case err != nil:
				return err
			case now.right(): // something had been half done
			case reflect.DeepEqual(now, before):
				still = append(still, now)
			default:
				r.Busy++
			}
		}
		suspects = still
	}
	for _, l := range suspects {
		if err := r.set(ctx, e, name, l); err != nil {
			return err
		}
	}
	return nil
}

func (r *repair) lookAgain(ctx context.Context, e *entity, name string, what []counted, id any) (look, error) {
	doc, err := decode[bson.M](e.FindOne(ctx, live(bson.E{Key: "_id", Value: id}), options.FindOne().SetProjection(keys("_id", name))))
	if err != nil {
		return look{}, err
	}
	n, err := count(ctx, what, id)
	return look{id, (*doc)[name], n}, err
}

// set writes a counter that is still as it was read.
func (r *repair) set(ctx context.Context, e *entity, name string, l look) error {
	as := bson.E{Key: name, Value: l.value} // nil stands for null and for what is not there
	update := bson.D{{Key: "$set", Value: bson.D{{Key: name, Value: l.n}}}}
	result, err := e.UpdateOne(ctx, live(bson.E{Key: "_id", Value: l.id}, as), update)
	if err != nil {
		return translate(err)
	}
	if result.MatchedCount == 0 {
		r.Busy++
		return nil
	}
	r.mended("%s %v: %s is %d, and was %v", e.name, hex(l.id), name, l.n, l.value)
	return nil
}

func hex(id any) any {
	if id, ok := id.(bson.ObjectID); ok {
		return id.Hex()
	}
	return id
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
