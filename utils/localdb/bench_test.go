package localdb

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// turns runs the same operation at every size, alternately, and reports the median of each and the ratio of the largest
// to the smallest: so other load on the machine affects all alike.
func turns(b *testing.B, all []*sized, do func(b *testing.B, s *sized)) {
	b.Helper()
	times := make([][]float64, len(all)) // µs
	for b.Loop() {
		for i, s := range all {
			start := time.Now()
			do(b, s)
			times[i] = append(times[i], time.Since(start).Seconds()*1e6)
		}
	}
	for i, s := range all {
		b.ReportMetric(median(times[i]), fmt.Sprint("µs-at-", s.n))
	}
	b.ReportMetric(median(times[len(all)-1])/median(times[0]), "largest/smallest")
	b.ReportMetric(0, "ns/op") // of all sizes together: meaningless
}

func databases(b *testing.B) (all []*sized) {
	b.Helper()
	for _, n := range sizes() {
		all = append(all, database(b, n))
	}
	return all
}

func BenchmarkRead(b *testing.B) {
	all := databases(b)
	newest := d{{Key: "publishedAt", Value: -1}, {Key: "_id", Value: -1}}
	page := func(b *testing.B, s *sized, filter d) {
		cursor, err := s.posts.Find(ctx, filter, options.Find().SetSort(newest).SetLimit(20))
		ok(b, err)
		equal(b, "posts", cursor.RemainingBatchLength(), 20)
	}
	before := func(s *sized) d { // somewhere in the middle of the feed
		return d{{Key: "$lt", Value: day.Add(time.Duration(20+s.next(s.n-20)) * time.Second)}}
	}
	for name, do := range map[string]func(b *testing.B, s *sized){
		"id": func(b *testing.B, s *sized) {
			ok(b, s.posts.FindOne(ctx, d{{Key: "_id", Value: oid(1, s.next(s.n))}}).Err())
		},
		"unique": func(b *testing.B, s *sized) {
			ok(b, s.posts.FindOne(ctx, d{{Key: "slug", Value: slug(s.next(s.n))}}).Err())
		},
		"feed": func(b *testing.B, s *sized) {
			page(b, s, d{{Key: "visibility", Value: "public"}, {Key: "publishedAt", Value: before(s)}})
		},
		"following": func(b *testing.B, s *sized) { // the newest of 10 channels
			owners := a{}
			for range 10 {
				owners = append(owners, oid(2, s.next(s.n/likesEach)))
			}
			page(b, s, d{{Key: "owner", Value: d{{Key: "$in", Value: owners}}}})
		},
		"likes": func(b *testing.B, s *sized) { // which of these 20 posts does this user like?
			user, posts := s.next(s.n/likesEach), a{}
			for i := range 20 {
				posts = append(posts, oid(1, s.liked(user, 0)+i))
			}
			cursor, err := s.likes.Find(ctx, d{{Key: "user", Value: oid(2, user)}, {Key: "target", Value: d{{Key: "$in", Value: posts}}}})
			ok(b, err)
			if cursor.RemainingBatchLength() == 0 {
				b.Fatal("the user likes none")
			}
		},
		"count": func(b *testing.B, s *sized) {
			n, err := s.posts.CountDocuments(ctx, d{{Key: "owner", Value: oid(2, s.next(s.n/likesEach))}})
			ok(b, err)
			if n < likesEach {
				b.Fatalf("%d posts of an owner", n)
			}
		},
	} {
		b.Run(name, func(b *testing.B) { turns(b, all, do) })
	}
}

func increment(b *testing.B, s *sized, i int) {
	r, err := s.posts.UpdateOne(ctx, d{{Key: "_id", Value: oid(1, i)}}, d{{Key: "$inc", Value: d{{Key: "views", Value: int64(1)}}}})
	ok(b, err)
	equal(b, "posts", r.MatchedCount, 1)
}

func BenchmarkWrite(b *testing.B) {
	all := databases(b)
	var made atomic.Int64
	for name, do := range map[string]func(b *testing.B, s *sized){
		"insert": func(b *testing.B, s *sized) {
			doc := s.post(s.next(s.n))
			doc[0].Value, doc[1].Value = bson.NewObjectID(), fmt.Sprint("new-", time.Now().UnixNano(), made.Add(1))
			insert(b, s.posts, doc)
		},
		"inc": func(b *testing.B, s *sized) { increment(b, s, s.next(s.n)) },
		"find-and-update": func(b *testing.B, s *sized) {
			ok(b, s.posts.FindOneAndUpdate(ctx, d{{Key: "slug", Value: slug(s.next(s.n))}},
				d{{Key: "$set", Value: d{{Key: "title", Value: fmt.Sprint("title ", s.turn)}}}}).Err())
		},
	} {
		b.Run(name, func(b *testing.B) { turns(b, all, do) })
	}
}

// BenchmarkWriters lets one writer and 16 concurrent ones do updates, alternately, and reports the updates per second
// of each, the ratio, and how many updates of the 16 shared a flush.
func BenchmarkWriters(b *testing.B) {
	const each = 25
	for _, s := range databases(b) {
		b.Run(fmt.Sprint(s.n), func(b *testing.B) {
			rate := func(writers int) float64 {
				start, first := time.Now(), s.next(s.n)
				together(writers, func(w int) {
					for i := range each {
						increment(b, s, (first+(w*each+i)*7919)%s.n)
					}
				})
				return float64(writers*each) / time.Since(start).Seconds()
			}
			var one, sixteen, ratio []float64
			flushes := 0
			for b.Loop() {
				one = append(one, rate(1))
				before := s.commits(b)
				sixteen = append(sixteen, rate(16))
				flushes += s.commits(b) - before
				ratio = append(ratio, sixteen[len(sixteen)-1]/one[len(one)-1])
			}
			b.ReportMetric(median(one), "updates/s-by-1")
			b.ReportMetric(median(sixteen), "updates/s-by-16")
			b.ReportMetric(median(ratio), "16/1")
			b.ReportMetric(float64(16*each*b.N)/float64(flushes), "updates/flush")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkAtomically does two updates that belong together, and the same two one after another, alternately.
func BenchmarkAtomically(b *testing.B) {
	db := open(b)
	c := db.Collection("things")
	twice := func(ctx context.Context) {
		ok(b, increase(ctx, c, 1))
		ok(b, increase(ctx, c, 2))
	}
	var together, apart []float64 // µs
	for b.Loop() {
		start := time.Now()
		ok(b, db.Atomically(ctx, func(inner context.Context) error { twice(inner); return nil }))
		middle := time.Now()
		twice(ctx)
		together, apart = append(together, middle.Sub(start).Seconds()*1e6), append(apart, time.Since(middle).Seconds()*1e6)
	}
	b.ReportMetric(median(together), "µs-together")
	b.ReportMetric(median(apart), "µs-apart")
	b.ReportMetric(median(together)/median(apart), "together/apart")
	b.ReportMetric(0, "ns/op")
}

// commits is how many transactions the file has seen.
func (s *sized) commits(b *testing.B) (n int) {
	ok(b, s.db.bolt.View(func(tx *bbolt.Tx) error {
		n = tx.ID()
		return nil
	}))
	return n
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

func BenchmarkOpen(b *testing.B) {
	turns(b, databases(b), func(b *testing.B, s *sized) {
		path := s.db.bolt.Path()
		ok(b, s.db.Close())
		s.open(b, path)
	})
}

// BenchmarkMemory reports the heap that an open database adds: after opening, and after pages of a feed.
func BenchmarkMemory(b *testing.B) {
	heap := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapInuse) / 1024
	}
	for _, n := range sizes() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ok(b, database(b, n).db.Close()) // builds it if necessary
			var opened, read float64
			for b.Loop() {
				before := heap()
				s := database(b, n)
				opened = heap() - before
				for i := range 100 {
					half := day.Add(time.Duration(n/2+i) * time.Second)
					cursor, err := s.posts.Find(ctx, d{{Key: "visibility", Value: "public"}, {Key: "publishedAt", Value: d{{Key: "$lt", Value: half}}}},
						options.Find().SetSort(d{{Key: "publishedAt", Value: -1}, {Key: "_id", Value: -1}}).SetLimit(20))
					ok(b, err)
					equal(b, "posts", cursor.RemainingBatchLength(), 20)
				}
				read = heap() - before
				ok(b, s.db.Close())
			}
			b.ReportMetric(opened, "KB-open")
			b.ReportMetric(read, "KB-after-feeds")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkFlush is the lower bound for every single write: one commit of the file.
func BenchmarkFlush(b *testing.B) {
	db := open(b)
	for range b.N {
		ok(b, db.bolt.Update(func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put([]byte("x"), []byte("y")) }))
	}
}
