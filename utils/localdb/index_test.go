package localdb

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func TestUnique(t *testing.T) {
	c := open(t).Collection("users")
	ok(t, c.EnsureIndexes(ctx, []mongo.IndexModel{unique(d{{Key: "username", Value: 1}}), unique(d{{Key: "a", Value: 1}, {Key: "b", Value: -1}})}))
	insert(t, c, d{{Key: "_id", Value: 1}, {Key: "username", Value: "x"}, {Key: "a", Value: 1}, {Key: "b", Value: 1}},
		d{{Key: "_id", Value: 2}, {Key: "username", Value: "y"}, {Key: "a", Value: 1}, {Key: "b", Value: 2}})
	clash := func(what string, err error, message string) {
		t.Helper()
		if !mongo.IsDuplicateKeyError(err) || !strings.Contains(err.Error(), message) {
			t.Fatalf("%s: got %v, want %s", what, err, message)
		}
	}
	name := `E11000 duplicate key error collection: users index: username_1 dup key: { username: "x" }`
	pair := `index: a_1_b_-1 dup key: { a: {"$numberInt":"1"}, b: {"$numberInt":"1"} }`
	_, err := c.InsertOne(ctx, d{{Key: "username", Value: "x"}, {Key: "a", Value: 3}})
	clash("insert", err, name)
	_, err = c.InsertOne(ctx, d{{Key: "username", Value: "z"}, {Key: "a", Value: 1.0}, {Key: "b", Value: int64(1)}})
	clash("compound insert", err, `index: a_1_b_-1 dup key`)
	_, err = c.UpdateOne(ctx, d{{Key: "_id", Value: 2}}, d{{Key: "$set", Value: d{{Key: "username", Value: "x"}}}})
	clash("update", err, name)
	_, err = c.UpdateOne(ctx, d{{Key: "_id", Value: 2}}, d{{Key: "$set", Value: d{{Key: "b", Value: 1}}}})
	clash("compound update", err, pair)
	_, err = c.UpdateOne(ctx, d{{Key: "_id", Value: 9}}, d{{Key: "$set", Value: d{{Key: "username", Value: "x"}}}}, options.UpdateOne().SetUpsert(true))
	clash("upsert", err, name)
	_, err = c.UpdateMany(ctx, d{}, d{{Key: "$set", Value: d{{Key: "username", Value: "same"}}}})
	clash("update of many", err, `username: "same"`)
	equal(t, "left as they were", len(find(t, c, d{{Key: "username", Value: d{{Key: "$in", Value: a{"x", "y"}}}}})), 2)
	_, err = c.UpdateOne(ctx, d{{Key: "_id", Value: 1}}, d{{Key: "$set", Value: d{{Key: "username", Value: "x"}, {Key: "c", Value: 1}}}})
	ok(t, err)
	intact(t, c)
}

func TestConcurrentUnique(t *testing.T) {
	c := open(t).Collection("users")
	ok(t, c.EnsureIndexes(ctx, []mongo.IndexModel{unique(d{{Key: "username", Value: 1}})}))
	var won, lost atomic.Int32
	together(8, func(i int) {
		_, err := c.InsertOne(ctx, d{{Key: "_id", Value: i}, {Key: "username", Value: "x"}})
		switch {
		case err == nil:
			won.Add(1)
		case mongo.IsDuplicateKeyError(err):
			lost.Add(1)
		}
	})
	same(t, "won and lost", []int32{won.Load(), lost.Load()}, []int32{1, 7})
	intact(t, c)
}

// together starts n goroutines at the same moment and waits for them.
func together(n int, do func(i int)) {
	var ready, all sync.WaitGroup
	ready.Add(n)
	for i := range n {
		all.Go(func() {
			ready.Done()
			ready.Wait()
			do(i)
		})
	}
	all.Wait()
}

func TestEnsureIndexes(t *testing.T) {
	c := open(t).Collection("users")
	insert(t, c, d{{Key: "_id", Value: 1}, {Key: "n", Value: "x"}}, d{{Key: "_id", Value: 2}, {Key: "n", Value: "x"}}, d{{Key: "_id", Value: 3}, {Key: "tags", Value: a{1, 2}}})
	err := c.EnsureIndexes(ctx, []mongo.IndexModel{{Keys: d{{Key: "tags", Value: 1}}}, unique(d{{Key: "n", Value: 1}})})
	if !mongo.IsDuplicateKeyError(err) && !strings.Contains(fmt.Sprint(err), `n: "x"`) {
		t.Fatalf("a unique index over duplicates: %v", err)
	}
	equal(t, "indexes after a failure", indexesOf(t, c), 0)
	ensure(t, c, d{{Key: "n", Value: 1}}, d{{Key: "tags", Value: -1}, {Key: "_id", Value: 1}})
	ensure(t, c, d{{Key: "n", Value: 1}}, d{{Key: "tags", Value: -1}, {Key: "_id", Value: 1}})
	equal(t, "indexes", indexesOf(t, c), 2)
	intact(t, c)
	before := c.db.Scans()
	same(t, "by tag", ids(find(t, c, d{{Key: "tags", Value: 2}})), []int32{3})
	same(t, "by name", ids(find(t, c, d{{Key: "n", Value: "x"}})), []int32{1, 2})
	equal(t, "scans", c.db.Scans(), before)
	refused(t, c.EnsureIndexes(ctx, []mongo.IndexModel{unique(d{{Key: "n", Value: 1}})}), "n_1")
	_, err = c.InsertOne(ctx, d{{Key: "n", Value: strings.Repeat("x", 40000)}})
	refused(t, err, "too long for index n_1")
	ensure(t, c, d{{Key: "tags", Value: 1}, {Key: "more", Value: 1}})
	_, err = c.InsertOne(ctx, d{{Key: "tags", Value: a{1}}, {Key: "more", Value: a{1}}})
	refused(t, err, "two arrays")
}

func indexesOf(t *testing.T, c *Collection) (n int) {
	t.Helper()
	ok(t, c.db.view(ctx, func(tx *bbolt.Tx) error {
		n = len(c.indexesIn(tx))
		return nil
	}))
	return n
}

// used returns the plan that a query would choose.
func used(t *testing.T, c *Collection, filter, sort d) (p *plan) {
	t.Helper()
	q, err := newQuery(filter, []options.Lister[options.FindOptions]{options.Find().SetSort(sort)})
	ok(t, err)
	ok(t, c.db.view(ctx, func(tx *bbolt.Tx) error {
		p = c.choose(tx, q)
		return nil
	}))
	return p
}

func TestPlans(t *testing.T) {
	c := open(t).Collection("posts")
	newest := d{{Key: "publishedAt", Value: -1}, {Key: "_id", Value: -1}}
	oldest := d{{Key: "publishedAt", Value: 1}, {Key: "_id", Value: 1}}
	ensure(t, c, append(d{{Key: "visibility", Value: 1}}, newest...), append(d{{Key: "visibility", Value: 1}, {Key: "kind", Value: 1}}, newest...),
		d{{Key: "visibility", Value: 1}, {Key: "trend", Value: -1}, {Key: "_id", Value: -1}}, append(d{{Key: "owner", Value: 1}}, newest...),
		d{{Key: "visibility", Value: 1}, {Key: "keywords", Value: 1}, {Key: "_id", Value: -1}})
	for i := range 200 {
		insert(t, c, d{{Key: "_id", Value: i}, {Key: "visibility", Value: "public"}, {Key: "kind", Value: "video"}, {Key: "trend", Value: i % 7},
			{Key: "owner", Value: i % 50}, {Key: "publishedAt", Value: day.Add(time.Duration(i/2) * time.Hour)}, {Key: "keywords", Value: a{"a", fmt.Sprint("w", i%60)}}})
	}
	public, video := bson.E{Key: "visibility", Value: "public"}, bson.E{Key: "kind", Value: "video"}
	before := bson.E{Key: "publishedAt", Value: d{{Key: "$lt", Value: day.Add(50 * time.Hour)}}}
	ties := bson.E{Key: "$or", Value: a{d{before}, d{{Key: "publishedAt", Value: day.Add(50 * time.Hour)}, {Key: "_id", Value: d{{Key: "$lt", Value: 101}}}}}}
	for _, q := range []struct {
		filter, sort d
		index        string
		ordered      bool
	}{
		{d{public}, newest, "visibility_1_publishedAt_-1__id_-1", true},
		{d{public, before}, newest, "visibility_1_publishedAt_-1__id_-1", true},
		{d{public, before}, oldest, "visibility_1_publishedAt_-1__id_-1", true},
		{d{public, ties}, newest, "visibility_1_publishedAt_-1__id_-1", true},
		{d{public, video, before}, newest, "visibility_1_kind_1_publishedAt_-1__id_-1", true},
		{d{public, video}, d{{Key: "trend", Value: -1}, {Key: "_id", Value: -1}}, "visibility_1_trend_-1__id_-1", true},
		{d{public, {Key: "owner", Value: 3}}, newest, "owner_1_publishedAt_-1__id_-1", true},
		{d{{Key: "owner", Value: d{{Key: "$in", Value: a{1, 2, 3}}}}, before}, newest, "owner_1_publishedAt_-1__id_-1", true},
		{d{public, {Key: "keywords", Value: "w3"}}, d{{Key: "_id", Value: -1}}, "visibility_1_keywords_1__id_-1", true},
		{d{public, {Key: "keywords", Value: "w3"}}, newest, "visibility_1_keywords_1__id_-1", false},
		{d{public, {Key: "_id", Value: 5}}, d{}, "_id_", true},
		{d{}, d{{Key: "_id", Value: -1}}, "_id_", true},
		{d{{Key: "_id", Value: d{{Key: "$gt", Value: 5}}}}, d{{Key: "_id", Value: 1}}, "_id_", true},
	} {
		p := used(t, c, q.filter, q.sort)
		if p.index.Name != q.index || p.ordered != q.ordered {
			t.Errorf("%v by %v: index %s, ordered %v; want %s, %v", q.filter, q.sort, p.index.Name, p.ordered, q.index, q.ordered)
		}
	}
	scans := c.db.Scans()
	find(t, c, d{public, before}, options.Find().SetSort(newest).SetLimit(20))
	find(t, c, d{})
	equal(t, "scans", c.db.Scans(), scans)
	find(t, c, d{video})
	find(t, c, d{}, options.Find().SetSort(d{{Key: "kind", Value: 1}}))
	equal(t, "scans", c.db.Scans(), scans+2)
}

// TestPages walks a feed by cursor, in both directions, with ties.
func TestPages(t *testing.T) {
	c := open(t).Collection("posts")
	ensure(t, c, d{{Key: "owner", Value: 1}, {Key: "publishedAt", Value: -1}, {Key: "_id", Value: -1}})
	for i := range 90 {
		insert(t, c, d{{Key: "_id", Value: i}, {Key: "owner", Value: i % 3}, {Key: "publishedAt", Value: i / 10}})
	}
	for _, direction := range []int{1, -1} {
		beyond, filter := "$gt", d{{Key: "owner", Value: d{{Key: "$in", Value: a{0, 2}}}}}
		if direction < 0 {
			beyond = "$lt"
		}
		opts := options.Find().SetSort(d{{Key: "publishedAt", Value: direction}, {Key: "_id", Value: direction}}).SetLimit(7)
		var got []int32
		for page := find(t, c, filter, opts); len(page) > 0; {
			got = append(got, ids(page)...)
			last := page[len(page)-1]
			page = find(t, c, append(filter[:1:1], bson.E{Key: "$or", Value: a{
				d{{Key: "publishedAt", Value: d{{Key: beyond, Value: last[2].Value}}}},
				d{{Key: "publishedAt", Value: last[2].Value}, {Key: "_id", Value: d{{Key: beyond, Value: last[0].Value}}}}}}), opts)
		}
		want := []int32{}
		for i := range int32(90) {
			if id := i; id%3 != 1 {
				want = append(want, id)
			}
		}
		if direction < 0 {
			for i, j := 0, len(want)-1; i < j; i, j = i+1, j-1 {
				want[i], want[j] = want[j], want[i]
			}
		}
		same(t, "pages", got, want)
	}
}

func TestMultikey(t *testing.T) {
	c := open(t).Collection("lists")
	insert(t, c, d{{Key: "_id", Value: 1}, {Key: "n", Value: a{1, 9}}, {Key: "items", Value: a{d{{Key: "post", Value: "a"}, {Key: "at", Value: 1}}, d{{Key: "post", Value: "b"}, {Key: "at", Value: 2}}}}},
		d{{Key: "_id", Value: 2}, {Key: "n", Value: a{5}}}, d{{Key: "_id", Value: 3}, {Key: "n", Value: 5}}, d{{Key: "_id", Value: 4}, {Key: "n", Value: a{}}},
		d{{Key: "_id", Value: 5}, {Key: "n", Value: a{10, 11}}}, d{{Key: "_id", Value: 6}, {Key: "n", Value: a{0}}})
	ensure(t, c, d{{Key: "n", Value: 1}}, d{{Key: "items.post", Value: 1}})
	scans := c.db.Scans()
	between := d{{Key: "$gt", Value: 2}, {Key: "$lt", Value: 8}}
	for _, q := range []struct {
		filter d
		want   []int32
	}{
		{d{{Key: "n", Value: between}}, []int32{1, 2, 3}},
		{d{{Key: "n", Value: d{{Key: "$elemMatch", Value: between}}}}, []int32{2}},
		{d{{Key: "n", Value: d{{Key: "$elemMatch", Value: d{{Key: "$lt", Value: 8}}}}}, {Key: "n", Value: d{{Key: "$gt", Value: 8}}}}, []int32{1}},
		{d{{Key: "n", Value: d{{Key: "$lt", Value: 8}}}, {Key: "n", Value: d{{Key: "$gt", Value: 9}}}}, []int32{}},
		{d{{Key: "n", Value: d{{Key: "$gt", Value: 8}}}, {Key: "n", Value: d{{Key: "$elemMatch", Value: d{{Key: "$lt", Value: 8}}}}}}, []int32{1}},
		{d{{Key: "n", Value: d{{Key: "$gte", Value: 1}}}}, []int32{1, 2, 3, 5}},
		{d{{Key: "n", Value: d{{Key: "$in", Value: a{1, 9, 5}}}}}, []int32{1, 2, 3}},
		{d{{Key: "items.post", Value: "b"}}, []int32{1}},
		{d{{Key: "items", Value: d{{Key: "$elemMatch", Value: d{{Key: "post", Value: "b"}, {Key: "at", Value: 1}}}}}}, []int32{}},
		{d{{Key: "items", Value: d{{Key: "$elemMatch", Value: d{{Key: "post", Value: "b"}, {Key: "at", Value: 2}}}}}}, []int32{1}},
	} {
		same(t, fmt.Sprint(q.filter), ids(find(t, c, q.filter, options.Find().SetSort(d{{Key: "_id", Value: 1}}))), q.want)
		n, err := c.CountDocuments(ctx, q.filter)
		ok(t, err)
		equal(t, fmt.Sprint(q.filter), int(n), len(q.want))
	}
	equal(t, "scans", c.db.Scans(), scans)
	same(t, "a whole array", ids(find(t, c, d{{Key: "n", Value: a{1, 9}}})), []int32{1})
	same(t, "an empty array", ids(find(t, c, d{{Key: "n", Value: a{}}})), []int32{4})
}

func TestTTL(t *testing.T) {
	var now atomic.Pointer[time.Time]
	now.Store(&day)
	db := open(t, WithClock(func() time.Time { return *now.Load() }))
	c := db.Collection("sessions")
	ok(t, c.EnsureIndexes(ctx, []mongo.IndexModel{{Keys: d{{Key: "expiresAt", Value: 1}}, Options: options.Index().SetExpireAfterSeconds(60)}}))
	for i := range deleteChunk + 50 {
		insert(t, c, d{{Key: "_id", Value: i}, {Key: "expiresAt", Value: day}})
	}
	insert(t, c, d{{Key: "_id", Value: -1}, {Key: "expiresAt", Value: day.Add(time.Second)}}, d{{Key: "_id", Value: -2}, {Key: "expiresAt", Value: "never"}}, d{{Key: "_id", Value: -3}})
	ok(t, db.Sweep(ctx))
	equal(t, "before the time", len(find(t, c, d{})), deleteChunk+53)
	later := day.Add(time.Minute)
	now.Store(&later)
	ok(t, db.Sweep(ctx))
	same(t, "after it", ids(find(t, c, d{})), []int32{-3, -2, -1})
	intact(t, c)
}

// TestSortWithoutIndex sorts more documents in memory than a limit keeps.
func TestSortWithoutIndex(t *testing.T) {
	c := open(t).Collection("things")
	for i := range 2500 {
		insert(t, c, d{{Key: "_id", Value: i}, {Key: "n", Value: i * 7919 % 2500}})
	}
	got := find(t, c, d{}, options.Find().SetSort(d{{Key: "n", Value: -1}}).SetLimit(3))
	for i, doc := range got {
		equal(t, "n", doc[1].Value.(int32), int32(2499-i))
	}
	equal(t, "documents", len(got), 3)
}
