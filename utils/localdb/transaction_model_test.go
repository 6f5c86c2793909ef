package localdb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"pgregory.net/rapid"
)

// inTransaction makes each call with the context of a transaction.
type inTransaction struct {
	*Collection
	inner context.Context
}

func (w inTransaction) InsertOne(_ context.Context, document any, opts ...options.Lister[options.InsertOneOptions]) (*mongo.InsertOneResult, error) {
	return w.Collection.InsertOne(w.inner, document, opts...)
}

func (w inTransaction) FindOne(_ context.Context, filter any, opts ...options.Lister[options.FindOneOptions]) *mongo.SingleResult {
	return w.Collection.FindOne(w.inner, filter, opts...)
}

func (w inTransaction) Find(_ context.Context, filter any, opts ...options.Lister[options.FindOptions]) (*mongo.Cursor, error) {
	return w.Collection.Find(w.inner, filter, opts...)
}

func (w inTransaction) UpdateOne(_ context.Context, filter, update any, opts ...options.Lister[options.UpdateOneOptions]) (*mongo.UpdateResult, error) {
	return w.Collection.UpdateOne(w.inner, filter, update, opts...)
}

func (w inTransaction) UpdateMany(_ context.Context, filter, update any, opts ...options.Lister[options.UpdateManyOptions]) (*mongo.UpdateResult, error) {
	return w.Collection.UpdateMany(w.inner, filter, update, opts...)
}

func (w inTransaction) FindOneAndUpdate(_ context.Context, filter, update any, opts ...options.Lister[options.FindOneAndUpdateOptions]) *mongo.SingleResult {
	return w.Collection.FindOneAndUpdate(w.inner, filter, update, opts...)
}

func (w inTransaction) FindOneAndDelete(_ context.Context, filter any, opts ...options.Lister[options.FindOneAndDeleteOptions]) *mongo.SingleResult {
	return w.Collection.FindOneAndDelete(w.inner, filter, opts...)
}

func (w inTransaction) DeleteOne(_ context.Context, filter any, opts ...options.Lister[options.DeleteOneOptions]) (*mongo.DeleteResult, error) {
	return w.Collection.DeleteOne(w.inner, filter, opts...)
}

func (w inTransaction) DeleteMany(_ context.Context, filter any, opts ...options.Lister[options.DeleteManyOptions]) (*mongo.DeleteResult, error) {
	return w.Collection.DeleteMany(w.inner, filter, opts...)
}

func (w inTransaction) CountDocuments(_ context.Context, filter any, opts ...options.Lister[options.CountOptions]) (int64, error) {
	return w.Collection.CountDocuments(w.inner, filter, opts...)
}

func everything(c driverMethods) string {
	return list(c, d{}, options.Find().SetSort(d{{Key: "_id", Value: 1}}))
}

// refill gives a collection the documents that another had before.
func refill(t fataler, c *Collection, docs []d) {
	_, err := c.DeleteMany(ctx, d{})
	for _, doc := range docs {
		_, more := c.InsertOne(ctx, doc)
		err = errors.Join(err, more)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// TestAtomicallyAsWithout runs random calls inside transactions, some of which are aborted at a random call, and
// compares every result, and all documents as seen inside, outside and afterwards, with those of the same calls without
// transactions on a collection that is reset manually.
func TestAtomicallyAsWithout(t *testing.T) {
	db, other := open(t), open(t)
	run, committed, failed, givenUp := 0, 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		tested, reference := db.Collection(fmt.Sprint("tested", run)), other.Collection(fmt.Sprint("reference", run))
		plain, uniques := indexes(t)
		if err := errors.Join(ensureDistinct(tested, append(uniques, plain...)), ensureDistinct(reference, uniques)); err != nil {
			t.Fatalf("%v", err)
		}
		for range rapid.IntRange(1, 6).Draw(t, "transactions") {
			var calls []call
			for range rapid.IntRange(1, 12).Draw(t, "calls") {
				draw := rapid.SampledFrom([]func(*rapid.T) call{insertion, insertion, insertion, reading, updating, updating, deleting}).Draw(t, "call")
				calls = append(calls, draw(t))
			}
			stop := len(calls)
			if rapid.IntRange(0, 2).Draw(t, "given up") == 0 {
				stop = rapid.IntRange(0, len(calls)-1).Draw(t, "at")
			}
			before, outside := documentsOf(t, reference), everything(tested)
			spoiled, stopped := "", false
			err := db.Atomically(ctx, func(inner context.Context) error {
				inside := system{c: inTransaction{tested, inner}}
				for i, c := range calls {
					if stopped = i == stop; stopped {
						return errOnPurpose
					}
					if spoiled = agree(t, c, inside, system{c: reference, scans: true}); spoiled != "" {
						return nil
					}
					if got := everything(tested); got != outside {
						t.Fatalf("after %s, outside\n%s\n\nwant\n%s", c.name, got, outside)
					}
				}
				return nil
			})
			switch {
			case stopped && err != errOnPurpose, spoiled != "" && failure(err) != spoiled, !stopped && spoiled == "" && err != nil:
				t.Fatalf("given up: %v, failed: %q: it returns %v", stopped, spoiled, err)
			case stopped:
				givenUp++
			case err != nil:
				failed++
			default:
				committed++
			}
			if err != nil {
				refill(t, reference, before)
			}
			if got, want := everything(tested), everything(reference); got != want {
				t.Fatalf("afterwards, with %v\ngot\n%s\n\nwant\n%s", err, got, want)
			}
		}
		intact(t, tested)
		refill(t, tested, nil) // the check reads the whole file
		refill(t, reference, nil)
	})
	t.Logf("%d transactions were committed, %d failed, %d were given up", committed, failed, givenUp)
	if committed == 0 || failed == 0 || givenUp == 0 {
		t.Error("that proves little")
	}
}

// agree makes a call inside and on the reference, and returns how it failed if it did. The results and the documents
// must be the same.
func agree(t *rapid.T, c call, inside, reference system) (spoiled string) {
	got, want := c.run(inside), c.run(reference)
	if got != want {
		t.Fatalf("%s\n\ngot\n%s\n\nwant\n%s", c.name, got, want)
	}
	if got == "refused" || got == "duplicate key" { // reads never return these
		if again := inside.c.FindOne(ctx, d{}).Err(); again == nil || !strings.Contains(again.Error(), "has failed") {
			t.Fatalf("after a failed write: %v", again)
		}
		return got
	}
	if got, want := everything(inside.c), everything(reference.c); got != want {
		t.Fatalf("after %s, inside\n%s\n\nwant\n%s", c.name, got, want)
	}
	return ""
}

func documentsOf(t fataler, c *Collection) (docs []d) {
	cursor, err := c.Find(ctx, d{})
	if err == nil {
		err = cursor.All(ctx, &docs)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	return docs
}
