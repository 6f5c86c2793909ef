package routes_test

import (
	"context"
	"maps"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/e2e/testsite"
	"tokentube/utils/localdb"
)

// BenchmarkFeedOfMany reads the API's feed of 20 posts, some of which the reader likes, on a site of 1,000 posts with
// 10,000 likes and on one of 100,000 posts with 1,000,000 likes, alternately. It must not become more expensive.
func BenchmarkFeedOfMany(b *testing.B) {
	few, many := likedSite(b, 1_000), likedSite(b, 100_000)
	for _, path := range []string{"/api/v1/feed?limit=20", "/api/v1/feed?limit=20&sortBy=likes", "/api/v1/likes/videos?limit=20"} {
		b.Run(path, func(b *testing.B) {
			var atFew, atMany time.Duration
			for b.Loop() {
				atFew += few(b, path)
				atMany += many(b, path)
			}
			b.ReportMetric(float64(atFew.Microseconds())/float64(b.N), "µs/1000-posts")
			b.ReportMetric(float64(atMany.Microseconds())/float64(b.N), "µs/100000-posts")
			b.ReportMetric(atMany.Seconds()/atFew.Seconds(), "100000/1000")
		})
	}
}

const likesOfPost = 10

// likedSite is a site with this many posts, each liked by ten users and by the reader. It returns how to read it.
func likedSite(b *testing.B, posts int) func(b *testing.B, path string) time.Duration {
	cfg := testsite.Config(b)
	if cfg.MongoURI != "" {
		b.Skip("the file of the embedded engine is filled")
	}
	site := testsite.Start(b, cfg)
	reader := site.User("reader")
	reader.JSON("PUT", "/api/v1/likes/v/"+publish(reader, 1), nil).Status(http.StatusOK)
	site.Close()
	multiply(b, filepath.Join(cfg.DataDir, "tokentube.db"), posts)

	site = testsite.Start(b, cfg)
	return func(b *testing.B, path string) time.Duration {
		start := time.Now()
		ask(b, site, reader, "GET", path)
		return time.Since(start)
	}
}

// multiply copies the only post and the only like in a database. The user's counters stay unchanged, because no list
// reads them.
func multiply(b *testing.B, path string, posts int) {
	ctx := context.Background()
	db, err := localdb.Open(path)
	must(b, err)
	one := func(name string) (doc bson.M) {
		must(b, db.Collection(name).FindOne(ctx, bson.M{}).Decode(&doc))
		return doc
	}
	post, like, reader := one("posts"), one("likes"), one("likes")["user"]
	const together = 500
	for n := 0; n < posts; n += together {
		must(b, db.Atomically(ctx, func(ctx context.Context) error {
			for i := range together {
				post, like := maps.Clone(post), maps.Clone(like)
				post["_id"], post["likesCount"] = bson.NewObjectID(), int64(n+i)
				if _, err := db.Collection("posts").InsertOne(ctx, post); err != nil {
					return err
				}
				for j := range likesOfPost {
					like["_id"], like["target"], like["user"] = bson.NewObjectID(), post["_id"], bson.NewObjectID()
					if j == 0 {
						like["user"] = reader
					}
					if _, err := db.Collection("likes").InsertOne(ctx, like); err != nil {
						return err
					}
				}
			}
			return nil
		}))
	}
	must(b, db.Close())
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
