package models

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// tally is one change of a counter that stands on a parent: a like more, a post
// less. The change has an id of its own, as a rule that of the document that is
// counted, by which the parent knows the changes that it has taken in.
type tally struct {
	parent  string // the collection
	id      any    // the parent's _id
	counter string
	by      int64 // 1 or -1
	change  any
}

// count makes a change that belongs to a document already written. It is made
// exactly once, also when the client goes away, and when the connection is lost
// and nobody knows whether the change has arrived: then it is made in the
// background, which is no fault of the request. A parent that has gone is not
// found.
func (db *DB) count(ctx context.Context, t tally) error {
	found, err := db.countOnce(context.WithoutCancel(ctx), t, live())
	switch {
	case outage(err):
		db.eventually("a change of "+t.counter, func(ctx context.Context) error {
			_, err := db.countOnce(ctx, t, live())
			return err
		})
		return nil
	case err == nil && !found:
		return ErrNotFound()
	}
	return translate(err)
}

// remembered is how many changes of a kind a document remembers: more than others make
// while one whose answer was lost is tried again. Beyond it that one is counted
// twice, until repair counts anew.
const remembered = 100

// countOnce makes the change unless the parent remembers it, and tells whether it
// did. Parents remember the last changes in the same update as the count.
func (db *DB) countOnce(ctx context.Context, t tally, filter bson.D) (bool, error) {
	memory := "counted"
	if t.by < 0 {
		memory = "uncounted"
	}
	filter = append(filter, bson.E{Key: "_id", Value: t.id}, bson.E{Key: memory, Value: bson.D{{Key: "$ne", Value: t.change}}})
	update := bson.D{{Key: "$inc", Value: bson.D{{Key: t.counter, Value: t.by}}}, remember(memory, t.change)}
	result, err := db.entity(t.parent).UpdateOne(ctx, filter, update)
	return err == nil && result.MatchedCount > 0, err
}

// remember is the part of an update that notes its change among the last ones.
func remember(memory string, change any) bson.E {
	return bson.E{Key: "$push", Value: bson.D{{Key: memory, Value: bson.D{
		{Key: "$each", Value: bson.A{change}}, {Key: "$slice", Value: -remembered},
	}}}}
}
