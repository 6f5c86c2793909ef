package localdb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

var errOnPurpose = errors.New("on purpose")

// add inserts a document with that _id.
func add(ctx context.Context, c *Collection, id any, fields ...bson.E) error {
	_, err := c.InsertOne(ctx, append(d{{Key: "_id", Value: id}}, fields...))
	return err
}

// increase adds one to the document's n, and creates the document if needed.
func increase(ctx context.Context, c *Collection, id any) error {
	_, err := c.UpdateOne(ctx, d{{Key: "_id", Value: id}}, d{{Key: "$inc", Value: d{{Key: "n", Value: 1}}},
		{Key: "$setOnInsert", Value: d{{Key: "u", Value: id}}}}, options.UpdateOne().SetUpsert(true))
	return err
}

func counted(t testing.TB, ctx context.Context, c *Collection) int {
	t.Helper()
	n, err := c.CountDocuments(ctx, d{})
	ok(t, err)
	return int(n)
}

// numberOf is n of the document with that _id.
func numberOf(t testing.TB, c *Collection, id any) (n int32) {
	t.Helper()
	raw, err := c.FindOneRaw(ctx, d{{Key: "_id", Value: id}})
	ok(t, err)
	return raw.Lookup("n").Int32()
}

func TestAtomicallyAllOrNothing(t *testing.T) {
	db := open(t)
	likes, posts := db.Collection("likes"), db.Collection("posts")
	ensure(t, likes, d{{Key: "n", Value: 1}})
	for _, end := range []error{nil, errOnPurpose} {
		before := [2]int{counted(t, ctx, likes), counted(t, ctx, posts)}
		err := db.Atomically(ctx, func(inner context.Context) error {
			ok(t, add(inner, likes, fmt.Sprint("like", end), bson.E{Key: "n", Value: 7}))
			ok(t, increase(inner, posts, fmt.Sprint("post", end)))
			equal(t, "inside", [2]int{counted(t, inner, likes), counted(t, inner, posts)}, [2]int{before[0] + 1, before[1] + 1})
			n, err := likes.CountDocuments(inner, d{{Key: "n", Value: 7}})
			ok(t, err)
			equal(t, "inside, by index", int(n), before[0]+1)
			equal(t, "outside", [2]int{counted(t, ctx, likes), counted(t, ctx, posts)}, before)
			return end
		})
		if err != end {
			t.Fatalf("it returns %v", err)
		}
		want := before
		if end == nil {
			want[0]++
			want[1]++
		}
		equal(t, "after", [2]int{counted(t, ctx, likes), counted(t, ctx, posts)}, want)
	}
	equal(t, "scans", db.Scans(), 0)
	intact(t, likes)
}

// TestAtomicallyCounts: a value read inside doesn't change before the write that depends on it.
func TestAtomicallyCounts(t *testing.T) {
	db := open(t)
	things, counters := db.Collection("things"), db.Collection("counters")
	insert(t, counters, d{{Key: "_id", Value: 1}, {Key: "n", Value: int32(0)}})
	together(8, func(i int) {
		for j := range 20 {
			err := db.Atomically(ctx, func(inner context.Context) error {
				raw, err := counters.FindOneRaw(inner, d{{Key: "_id", Value: 1}})
				if err != nil {
					return err
				}
				next := raw.Lookup("n").Int32() + 1
				if _, err := counters.UpdateOne(inner, d{{Key: "_id", Value: 1}}, d{{Key: "$set", Value: d{{Key: "n", Value: next}}}}); err != nil {
					return err
				}
				if err := add(inner, things, next); err != nil || j%4 > 0 {
					return err
				}
				return errOnPurpose
			})
			if (j%4 == 0) != errors.Is(err, errOnPurpose) || j%4 > 0 && err != nil {
				t.Error(err)
			}
		}
	})
	equal(t, "counter", numberOf(t, counters, 1), 120)
	equal(t, "things", counted(t, ctx, things), 120)
	intact(t, things)
}

// TestAtomicallyAndNeighbours: a failure in one operation doesn't affect others in the same transaction.
func TestAtomicallyAndNeighbours(t *testing.T) {
	for name, bad := range map[string]func(inner context.Context, c *Collection) error{
		"fails first": func(context.Context, *Collection) error { return errOnPurpose },
		"fails": func(inner context.Context, c *Collection) error {
			return errors.Join(add(inner, c, "bad"), errOnPurpose)
		},
		"panics first": func(context.Context, *Collection) error { panic(errOnPurpose) },
		"panics":       func(inner context.Context, c *Collection) error { _ = add(inner, c, "bad"); panic(errOnPurpose) },
		"swallows": func(inner context.Context, c *Collection) error {
			_ = add(inner, c, "bad")
			_ = add(inner, c, 0)
			return nil
		},
		"swallows half": func(inner context.Context, c *Collection) error { _ = halfMade(inner, c); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			c := db.Collection("things")
			ok(t, c.EnsureIndexes(ctx, []mongo.IndexModel{unique(d{{Key: "u", Value: 1}})}))
			insert(t, c, d{{Key: "_id", Value: 0}, {Key: "u", Value: 0}})
			good := func(id int) func() {
				return func() {
					err := db.Atomically(ctx, func(inner context.Context) error {
						return errors.Join(add(inner, c, id, bson.E{Key: "u", Value: id}), increase(inner, c, -id-1))
					})
					if (id == 0) != mongo.IsDuplicateKeyError(err) || id > 0 && err != nil {
						t.Error(id, err)
					}
				}
			}
			fails := func() {
				defer func() {
					if r := recover(); (r == errOnPurpose) != strings.HasPrefix(name, "panics") {
						t.Error("it panics with", r)
					}
				}()
				err := db.Atomically(ctx, func(inner context.Context) error { return bad(inner, c) })
				if !errors.Is(err, errOnPurpose) && !mongo.IsDuplicateKeyError(err) {
					t.Error(err)
				}
			}
			plain := func() { insert(t, c, d{{Key: "_id", Value: 9}, {Key: "u", Value: 9}}) }
			shared(db, good(1), fails, good(2), good(0), plain, good(3))
			same(t, "documents", ids(find(t, c, d{})), []int32{-4, -3, -2, 0, 1, 2, 3, 9})
			for _, id := range []int{-4, -3, -2} {
				equal(t, "increments", numberOf(t, c, id), 1)
			}
			intact(t, c)
		})
	}
}

// halfMade is an update that fails at the second of two documents.
func halfMade(inner context.Context, c *Collection) error {
	if err := errors.Join(add(inner, c, "x", bson.E{Key: "u", Value: "x"}), add(inner, c, "y", bson.E{Key: "u", Value: "y"})); err != nil {
		return err
	}
	_, err := c.UpdateMany(inner, d{{Key: "_id", Value: d{{Key: "$in", Value: a{"x", "y"}}}}}, d{{Key: "$set", Value: d{{Key: "u", Value: "z"}}}})
	return err
}

// TestAtomicallyRunsAloneOnce: an operation that fails before it wrote doesn't make its neighbours run again.
func TestAtomicallyRunsAloneOnce(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	insert(t, c, d{{Key: "_id", Value: 0}})
	runs := 0
	count := func() {
		ok(t, db.Atomically(ctx, func(inner context.Context) error {
			runs++
			return increase(inner, c, 1)
		}))
	}
	duplicate := func() {
		if err := db.Atomically(ctx, func(inner context.Context) error { return add(inner, c, 0) }); !mongo.IsDuplicateKeyError(err) {
			t.Error(err)
		}
	}
	shared(db, count, duplicate, duplicate)
	equal(t, "runs", runs, 1)
	shared(db, count, spoils(t, c))
	equal(t, "runs beside one that fails after it wrote", runs, 3)
	equal(t, "n", numberOf(t, c, 1), 2)
}

// TestAtomicallySpoiled: after a failed write nothing inside continues, and its error is returned unchanged for the
// whole.
func TestAtomicallySpoiled(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	ok(t, c.EnsureIndexes(ctx, []mongo.IndexModel{unique(d{{Key: "u", Value: 1}})}))
	insert(t, c, d{{Key: "_id", Value: 1}, {Key: "u", Value: 1}}, d{{Key: "_id", Value: 2}, {Key: "u", Value: 2}})
	set := func(v any) d { return d{{Key: "$set", Value: d{{Key: "u", Value: v}}}} }
	one := d{{Key: "_id", Value: 2}}
	for name, write := range map[string]func(inner context.Context) error{
		"insert":          func(inner context.Context) error { return add(inner, c, 1) },
		"update":          func(inner context.Context) error { _, err := c.UpdateOne(inner, one, set(1)); return err },
		"update many":     func(inner context.Context) error { _, err := c.UpdateMany(inner, one, set(1)); return err },
		"find and update": func(inner context.Context) error { return c.FindOneAndUpdate(inner, one, set(1)).Err() },
		"bad insert":      func(inner context.Context) error { return add(inner, c, 3, bson.E{Key: "$x", Value: 1}) },
		"bad filter": func(inner context.Context) error {
			_, err := c.DeleteOne(inner, d{{Key: "$where", Value: 1}})
			return err
		},
		"bad filter of many": func(inner context.Context) error {
			_, err := c.DeleteMany(inner, d{{Key: "$where", Value: 1}})
			return err
		},
		"bad update":        func(inner context.Context) error { _, err := c.UpdateOne(inner, one, d{}); return err },
		"bad update of all": func(inner context.Context) error { _, err := c.UpdateMany(inner, one, d{}); return err },
		"bad find and delete": func(inner context.Context) error {
			return c.FindOneAndDelete(inner, d{{Key: "$where", Value: 1}}).Err()
		},
		"immutable": func(inner context.Context) error {
			_, err := c.UpdateOne(inner, one, d{{Key: "$set", Value: d{{Key: "_id", Value: 5}}}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var first error
			err := db.Atomically(ctx, func(inner context.Context) error {
				ok(t, add(inner, c, 100, bson.E{Key: "u", Value: 100}))
				first = write(inner)
				for _, later := range []error{add(inner, c, 101), c.FindOne(inner, d{}).Err(), db.Atomically(inner, func(context.Context) error { return nil })} {
					if later == nil || !strings.HasSuffix(later.Error(), "a write of this transaction has failed: "+first.Error()) {
						t.Errorf("a later call: %v", later)
					}
				}
				return nil
			})
			if first == nil || fmt.Sprintf("%T %v", err, err) != fmt.Sprintf("%T %v", first, first) {
				t.Fatalf("it returns %v, the write %v", err, first)
			}
			typed := errors.As(err, new(mongo.WriteException)) || errors.As(err, new(mongo.CommandError))
			equal(t, "the driver's type", typed, !strings.HasPrefix(name, "bad"))
			same(t, "documents", ids(find(t, c, d{})), []int32{1, 2})
		})
	}
	// As when a goroutine that was left behind has not returned from its call yet.
	err := db.Atomically(ctx, func(inner context.Context) error {
		_ = db.write(inner, func(*writeTx) error { return errOnPurpose })
		return nil
	})
	equal(t, "a failed operation", err, errOnPurpose)
	own := db.Atomically(ctx, func(inner context.Context) error {
		_ = add(inner, c, 1)
		return errOnPurpose
	})
	equal(t, "its own error", own, errOnPurpose)
}

// TestAtomicallyNothingFound: it is not a failure if a read, a find-and-update or a delete finds nothing.
func TestAtomicallyNothingFound(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	ok(t, db.Atomically(ctx, func(inner context.Context) error {
		nothing := d{{Key: "_id", Value: 7}}
		for _, err := range []error{c.FindOne(inner, nothing).Err(), c.FindOneAndDelete(inner, nothing).Err(),
			c.FindOneAndUpdate(inner, nothing, d{{Key: "$set", Value: d{{Key: "n", Value: 1}}}}).Err()} {
			equal(t, "error", err, mongo.ErrNoDocuments)
		}
		if _, err := c.Find(inner, d{{Key: "$where", Value: 1}}); err == nil {
			t.Error("a bad filter is taken")
		}
		return add(inner, c, 1)
	}))
	equal(t, "documents", counted(t, ctx, c), 1)
}

func TestAtomicallyNested(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	nested := func(do func(inner context.Context) error, swallow bool) error {
		return db.Atomically(ctx, func(outer context.Context) error {
			ok(t, add(outer, c, "outer"))
			err := db.Atomically(outer, func(inner context.Context) error {
				equal(t, "outer seen inside", counted(t, inner, c), 1)
				return do(inner)
			})
			if swallow {
				return nil
			}
			return err
		})
	}
	fails := func(inner context.Context) error { return errors.Join(add(inner, c, "inner"), errOnPurpose) }
	for _, swallow := range []bool{false, true} {
		if err := nested(fails, swallow); !errors.Is(err, errOnPurpose) {
			t.Fatalf("a nested one that fails: %v", err)
		}
		equal(t, "documents", counted(t, ctx, c), 0)
	}
	err := nested(func(inner context.Context) (err error) {
		defer func() { _ = recover() }()
		return db.Atomically(inner, func(inner context.Context) error {
			ok(t, add(inner, c, "inner"))
			panic(errOnPurpose)
		})
	}, false)
	equal(t, "a panic that is caught outside", err, errDied)
	equal(t, "documents", counted(t, ctx, c), 0)
	ok(t, nested(func(context.Context) error { return errOnPurpose }, true)) // it wrote nothing: the outer one decides
	equal(t, "documents", counted(t, ctx, c), 1)
	_, err = c.DeleteMany(ctx, d{})
	ok(t, err)
	ok(t, nested(func(inner context.Context) error { return add(inner, c, "inner") }, false))
	equal(t, "documents", counted(t, ctx, c), 2)

	other := open(t) // which has separate transactions
	ok(t, db.Atomically(ctx, func(inner context.Context) error {
		ok(t, other.Atomically(inner, func(both context.Context) error {
			return errors.Join(add(both, other.Collection("things"), 1), add(both, c, 1))
		}))
		equal(t, "committed there", counted(t, ctx, other.Collection("things")), 1)
		equal(t, "not here", counted(t, ctx, c), 2)
		return nil
	}))
	equal(t, "documents", counted(t, ctx, c), 3)
}

// TestAtomicallyEnded: a context that outlives its transaction is rejected, and one in use delays the end.
func TestAtomicallyEnded(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	for _, end := range []error{nil, errOnPurpose} {
		var kept context.Context
		equal(t, "outcome", db.Atomically(ctx, func(inner context.Context) error { kept = inner; return end }), end)
		_, read := c.Find(kept, d{})
		_, batches := c.CountDocuments(kept, d{})
		for _, err := range []error{add(kept, c, 1), read, batches, c.FindOne(kept, d{}).Err(), c.Each(kept, d{}, func(bson.Raw) error { return nil }),
			db.Atomically(kept, func(context.Context) error { return nil })} {
			equal(t, "after the end", err, errEnded)
		}
	}
	var left sync.WaitGroup
	err := db.Atomically(ctx, func(inner context.Context) error {
		for i := range 8 {
			left.Go(func() {
				if err := add(inner, c, i); err != nil && err != errEnded {
					t.Error(err)
				}
			})
		}
		return nil
	})
	left.Wait()
	ok(t, err)
	intact(t, c)
}

// TestAtomicallyGoexit is a test that ends inside, through t.Fatal: the database continues to work.
func TestAtomicallyGoexit(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	var all sync.WaitGroup
	all.Go(func() {
		_ = db.Atomically(ctx, func(inner context.Context) error {
			ok(t, add(inner, c, 1))
			(&testing.T{}).SkipNow() // the way Fatal ends a goroutine
			return nil
		})
	})
	all.Wait()
	insert(t, c, d{{Key: "_id", Value: 2}})
	same(t, "documents", ids(find(t, c, d{})), []int32{2})
}

func TestAtomicallyContext(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	cancelled, cancel := context.WithCancel(ctx)
	for _, swallow := range []bool{false, true} {
		err := db.Atomically(cancelled, func(inner context.Context) error {
			ok(t, add(inner, c, 1))
			cancel()
			err := add(inner, c, 2)
			if !errors.Is(err, context.Canceled) || !errors.Is(c.FindOne(inner, d{}).Err(), context.Canceled) {
				t.Errorf("inside: %v", err)
			}
			if swallow {
				return nil
			}
			return err
		})
		equal(t, "error", err, context.Canceled)
		equal(t, "documents", counted(t, ctx, c), 0)
		cancelled, cancel = context.WithCancel(ctx)
	}
	ok(t, db.Atomically(cancelled, func(inner context.Context) error { // too late: everything is done
		defer cancel()
		return add(inner, c, 1)
	}))
	equal(t, "documents", counted(t, ctx, c), 1)
	err := db.Atomically(cancelled, func(context.Context) error { t.Error("it runs"); return nil })
	equal(t, "error", err, context.Canceled)
}

func TestAtomicallyRefuses(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	ok(t, db.Atomically(ctx, func(inner context.Context) error {
		_, snapshot := db.Snapshot(inner, t.TempDir())
		for _, err := range []error{snapshot, db.Check(inner), db.Sweep(inner), c.EnsureIndexes(inner, nil),
			c.Batches(inner, 10, func([]bson.Raw) error { return nil })} {
			if !errors.Is(err, errInside) {
				t.Errorf("it says %v", err)
			}
		}
		return db.Ping(inner)
	}))
}

// TestAtomicallyDeletesMany: in more than one chunk, and still all or nothing; and reads work in both directions over
// the pages that it emptied.
func TestAtomicallyDeletesMany(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	ensure(t, c, d{{Key: "n", Value: 1}})
	const n = 3 * deleteChunk
	ok(t, db.Atomically(ctx, func(inner context.Context) error {
		for i := range n {
			ok(t, add(inner, c, i, bson.E{Key: "n", Value: i}, bson.E{Key: "text", Value: strings.Repeat("x", 300)}))
		}
		return nil
	}))
	for _, kept := range [][2]int{{0, 50}, {n - 50, n}, {n / 2, n/2 + 1}, {0, 0}} {
		err := db.Atomically(ctx, func(inner context.Context) error {
			outside := d{{Key: "$or", Value: a{d{{Key: "n", Value: d{{Key: "$lt", Value: kept[0]}}}}, d{{Key: "n", Value: d{{Key: "$gte", Value: kept[1]}}}}}}}
			r, err := c.DeleteMany(inner, outside)
			ok(t, err)
			equal(t, "deleted", int(r.DeletedCount), n-(kept[1]-kept[0]))
			for _, by := range []string{"_id", "n"} {
				for _, direction := range []int{1, -1} {
					for _, filter := range []d{{}, {{Key: by, Value: d{{Key: "$lt", Value: n - 10}}}}} {
						var got []int32
						ok(t, c.Each(inner, filter, func(raw bson.Raw) error {
							got = append(got, raw.Lookup("n").Int32())
							return nil
						}, options.Find().SetSort(d{{Key: by, Value: direction}})))
						var want []int32
						for i := kept[0]; i < kept[1] && (len(filter) == 0 || i < n-10); i++ {
							want = append(want, int32(i))
						}
						if direction < 0 {
							for i, j := 0, len(want)-1; i < j; i, j = i+1, j-1 {
								want[i], want[j] = want[j], want[i]
							}
						}
						same(t, fmt.Sprintf("%v kept, by %s %d, %v", kept, by, direction, filter), got, want)
					}
				}
			}
			return errOnPurpose
		})
		equal(t, "error", err, errOnPurpose)
		equal(t, "documents", counted(t, ctx, c), n)
	}
	intact(t, c)
}

// TestAtomicallyWithoutRoom: what could not be committed doesn't exist, and the caller gets an error.
func TestAtomicallyWithoutRoom(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	insert(t, c, d{{Key: "_id", Value: 1}})
	db.bolt.MaxSize = 1 // the next commit that needs space fails
	large := bson.E{Key: "text", Value: strings.Repeat("x", 1_000_000)}
	for range 2 {
		err := db.Atomically(ctx, func(inner context.Context) error {
			return errors.Join(add(inner, c, 2, large), add(inner, c, 3))
		})
		if !errors.Is(err, ErrDisk) {
			t.Fatal(err)
		}
	}
	same(t, "documents", ids(find(t, c, d{})), []int32{1})
}

// TestAtomicallyOneFlush: two writes that belong together cost a single commit.
func TestAtomicallyOneFlush(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	commits := func() (n int) {
		ok(t, db.bolt.View(func(tx *bbolt.Tx) error { n = tx.ID(); return nil }))
		return n
	}
	before := commits()
	ok(t, db.Atomically(ctx, func(inner context.Context) error {
		return errors.Join(add(inner, c, 1), increase(inner, c, 2))
	}))
	equal(t, "commits", commits()-before, 1)
	ok(t, db.Atomically(ctx, func(inner context.Context) error { return c.FindOne(inner, d{}).Err() }))
	equal(t, "commits after one that only read", commits()-before, 1)
}

// TestEachInsideMayWrite: what visit is given doesn't change while visit modifies the same documents.
func TestEachInsideMayWrite(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	for i := range 200 {
		insert(t, c, d{{Key: "_id", Value: i}, {Key: "n", Value: 0}, {Key: "text", Value: strings.Repeat("x", i)}})
	}
	each := func(ctx context.Context) error {
		next := int32(0)
		return c.Each(ctx, d{}, func(raw bson.Raw) error {
			_, err := c.UpdateMany(ctx, d{}, d{{Key: "$inc", Value: d{{Key: "n", Value: 1}}}})
			if err == nil && next%2 == 0 {
				_, err = c.DeleteOne(ctx, d{{Key: "_id", Value: next}})
			}
			equal(t, "_id", raw.Lookup("_id").Int32(), next)
			equal(t, "n", raw.Lookup("n").Int32(), 0)
			equal(t, "text", raw.Lookup("text").StringValue(), strings.Repeat("x", int(next)))
			next++
			return err
		}, options.Find().SetSort(d{{Key: "_id", Value: 1}}))
	}
	ok(t, db.Atomically(ctx, func(inner context.Context) error {
		ok(t, each(inner))
		equal(t, "inside", counted(t, inner, c), 100)
		return nil
	}))
	equal(t, "n", numberOf(t, c, 1), 200)
	_, err := c.UpdateMany(ctx, d{}, d{{Key: "$set", Value: d{{Key: "n", Value: 0}}}})
	ok(t, err)
	intact(t, c)
}

// TestRawInside: the caller owns the bytes, even while the transaction continues.
func TestRawInside(t *testing.T) {
	db := open(t)
	c := db.Collection("things")
	after := options.FindOneAndUpdate().SetReturnDocument(options.After)
	ok(t, db.Atomically(ctx, func(inner context.Context) error {
		for _, opts := range []*options.FindOneAndUpdateOptionsBuilder{after.SetUpsert(true), after, options.FindOneAndUpdate()} {
			raw, err := c.FindOneAndUpdateRaw(inner, d{{Key: "_id", Value: 1}}, d{{Key: "$inc", Value: d{{Key: "n", Value: 1}}}}, opts)
			ok(t, err)
			clear(raw)
		}
		raw, err := c.FindOneRaw(inner, d{})
		ok(t, err)
		clear(raw)
		return nil
	}))
	equal(t, "n", numberOf(t, c, 1), 3)
	intact(t, c)
}
