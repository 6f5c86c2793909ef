package localdb

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// seeded has n posts, written at once to save flushes.
func seeded(b *testing.B, n int) (*Collection, []bson.ObjectID) {
	b.Helper()
	db := open(b)
	c := db.Collection("posts")
	ok(b, c.EnsureIndexes(ctx, []mongo.IndexModel{unique(d{{Key: "slug", Value: 1}})}))
	ensure(b, c, d{{Key: "visibility", Value: 1}, {Key: "publishedAt", Value: -1}, {Key: "_id", Value: -1}},
		d{{Key: "visibility", Value: 1}, {Key: "kind", Value: 1}, {Key: "publishedAt", Value: -1}, {Key: "_id", Value: -1}},
		d{{Key: "owner", Value: 1}, {Key: "publishedAt", Value: -1}, {Key: "_id", Value: -1}})
	made := make([]bson.ObjectID, n)
	for start := 0; start < n; start += 5000 {
		ok(b, c.run(ctx, func(w *writeTx) error {
			for i := start; i < min(n, start+5000); i++ {
				made[i] = bson.NewObjectID()
				doc, err := accept(post(made[i], i))
				if err != nil {
					return err
				}
				if _, err := c.insert(w, doc); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	return c, made
}

func post(id bson.ObjectID, i int) d {
	return d{{Key: "_id", Value: id}, {Key: "slug", Value: fmt.Sprint("post-", i)}, {Key: "owner", Value: bson.ObjectID{byte(i), byte(i >> 8 & 3)}},
		{Key: "kind", Value: []string{"video", "photo", "text"}[i%3]}, {Key: "visibility", Value: "public"},
		{Key: "title", Value: "A title of some words"}, {Key: "description", Value: "Some sentences, as people write them below a video."},
		{Key: "publishedAt", Value: day.Add(time.Duration(i) * time.Second)}, {Key: "views", Value: int64(i)},
		{Key: "likesCount", Value: int64(0)}, {Key: "commentsCount", Value: int64(0)}, {Key: "trend", Value: 1.5},
		{Key: "keywords", Value: a{"title", "some", "words"}}, {Key: "media", Value: d{{Key: "name", Value: "abc"}, {Key: "type", Value: "video/mp4"}}}}
}

func BenchmarkRead(b *testing.B) {
	for _, n := range []int{1000, 50000} {
		c, made := seeded(b, n)
		one := func(name string, filter func(i int) d) {
			b.Run(fmt.Sprint(name, "/", n), func(b *testing.B) {
				for i := range b.N {
					ok(b, c.FindOne(ctx, filter(i)).Err())
				}
			})
		}
		one("id", func(i int) d { return d{{Key: "_id", Value: made[i%n]}} })
		one("unique", func(i int) d { return d{{Key: "slug", Value: fmt.Sprint("post-", i%n)}} })
		many := func(name string, filter d, sort d) {
			b.Run(fmt.Sprint(name, "/", n), func(b *testing.B) {
				for range b.N {
					cursor, err := c.Find(ctx, filter, options.Find().SetSort(sort).SetLimit(20))
					ok(b, err)
					equal(b, "posts", cursor.RemainingBatchLength(), 20)
				}
			})
		}
		newest := d{{Key: "publishedAt", Value: -1}, {Key: "_id", Value: -1}}
		half := day.Add(time.Duration(n/2) * time.Second)
		many("feed", d{{Key: "visibility", Value: "public"}, {Key: "publishedAt", Value: d{{Key: "$lt", Value: half}}}}, newest)
		many("cursor", d{{Key: "visibility", Value: "public"}, {Key: "$or", Value: a{d{{Key: "publishedAt", Value: d{{Key: "$lt", Value: day.Add(time.Hour * 999)}}}}, d{{Key: "kind", Value: "none"}}}}}, newest)
		owners := a{}
		for i := range 50 {
			owners = append(owners, bson.ObjectID{byte(i), 0})
		}
		many("following", d{{Key: "owner", Value: d{{Key: "$in", Value: owners}}}, {Key: "publishedAt", Value: d{{Key: "$lt", Value: day.Add(time.Hour * 999)}}}}, newest)
		b.Run(fmt.Sprint("count/", n), func(b *testing.B) {
			for range b.N {
				_, err := c.CountDocuments(ctx, d{{Key: "owner", Value: bson.ObjectID{1}}})
				ok(b, err)
			}
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	c, made := seeded(b, 10000)
	b.Run("insert", func(b *testing.B) {
		for i := range b.N {
			insert(b, c, post(bson.NewObjectID(), int(time.Now().UnixNano()>>8)+i))
		}
	})
	increment := func(b *testing.B, i int) {
		_, err := c.UpdateOne(ctx, d{{Key: "_id", Value: made[i%len(made)]}}, d{{Key: "$inc", Value: d{{Key: "views", Value: int64(1)}}}})
		ok(b, err)
	}
	b.Run("inc", func(b *testing.B) {
		for i := range b.N {
			increment(b, i)
		}
	})
	b.Run("inc by 16 writers", func(b *testing.B) {
		var next atomic.Int64
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				increment(b, int(next.Add(1)*7919))
			}
		})
	})
}

// BenchmarkFlush is the floor under every lone write: one commit of the file.
func BenchmarkFlush(b *testing.B) {
	db := open(b)
	for range b.N {
		ok(b, db.bolt.Update(func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put([]byte("x"), []byte("y")) }))
	}
}
