package localdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

const (
	likesEach  = 100  // per user
	buildChunk = 5000 // documents per transaction, while a database is being built
)

// sizes are how many posts, and as many likes, the databases of the benchmarks have. Building the largest takes a
// minute or two, and about 2 GB of disk space.
func sizes() []int {
	if testing.Short() {
		return []int{1_000, 10_000, 100_000}
	}
	return []int{1_000, 10_000, 100_000, 1_000_000}
}

// built are the databases built so far in this run, by size, in a folder that TestMain removes.
var built struct {
	dir   string
	files map[int]string
}

func dropBuilt() error {
	if built.dir == "" {
		return nil
	}
	return os.RemoveAll(built.dir)
}

// sized is an open database with that many posts.
type sized struct {
	n            int
	db           *DB
	posts, likes *Collection
	turn         int // makes each operation look somewhere else
}

func (s *sized) open(b *testing.B, path string) {
	b.Helper()
	var err error
	s.db, err = Open(path)
	ok(b, err)
	s.posts, s.likes = s.db.Collection("posts"), s.db.Collection("likes")
}

// database opens the database of n posts, and builds it the first time.
func database(b *testing.B, n int) *sized {
	b.Helper()
	s := &sized{n: n}
	path, made := built.files[n]
	if !made {
		path = s.build(b)
	}
	s.open(b, path)
	b.Cleanup(func() { _ = s.db.Close() })
	return s
}

func (s *sized) build(b *testing.B) string {
	b.Helper()
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "localdb")
		ok(b, err)
		built.dir, built.files = dir, map[int]string{}
	}
	path, start := filepath.Join(built.dir, fmt.Sprint(s.n, ".db")), time.Now()
	s.open(b, path)
	s.db.bolt.NoSync = true
	ok(b, errors.Join(
		s.posts.EnsureIndexes(ctx, []mongo.IndexModel{unique(d{{Key: "slug", Value: 1}}),
			{Keys: d{{Key: "visibility", Value: 1}, {Key: "publishedAt", Value: -1}, {Key: "_id", Value: -1}}},
			{Keys: d{{Key: "visibility", Value: 1}, {Key: "kind", Value: 1}, {Key: "publishedAt", Value: -1}, {Key: "_id", Value: -1}}},
			{Keys: d{{Key: "owner", Value: 1}, {Key: "publishedAt", Value: -1}, {Key: "_id", Value: -1}}}}),
		s.likes.EnsureIndexes(ctx, []mongo.IndexModel{unique(d{{Key: "user", Value: 1}, {Key: "target", Value: 1}}),
			{Keys: d{{Key: "target", Value: 1}, {Key: "_id", Value: 1}}}})))
	s.fill(b, s.posts, s.post)
	s.fill(b, s.likes, s.like)
	ok(b, s.db.bolt.Sync())
	ok(b, s.db.Close())
	info, err := os.Stat(path)
	ok(b, err)
	b.Logf("%d posts and as many likes: %d MB, built in %v", s.n, info.Size()>>20, time.Since(start).Round(time.Millisecond))
	built.files[s.n] = path
	return path
}

func (s *sized) fill(b *testing.B, c *Collection, document func(int) d) {
	b.Helper()
	for start := 0; start < s.n; start += buildChunk {
		ok(b, c.db.write(ctx, func(w *writeTx) error {
			for i := start; i < min(s.n, start+buildChunk); i++ {
				doc, err := accept(document(i))
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
}

func (s *sized) post(i int) d {
	return d{{Key: "_id", Value: oid(1, i)}, {Key: "slug", Value: slug(i)}, {Key: "owner", Value: oid(2, i%(s.n/likesEach))},
		{Key: "kind", Value: []string{"video", "photo", "text"}[i%3]}, {Key: "visibility", Value: "public"},
		{Key: "title", Value: "A title of some words"}, {Key: "description", Value: "Some sentences, as people write them below a video."},
		{Key: "publishedAt", Value: day.Add(time.Duration(i) * time.Second)}, {Key: "views", Value: int64(i)},
		{Key: "likesCount", Value: int64(0)}, {Key: "commentsCount", Value: int64(0)}, {Key: "trend", Value: 1.5},
		{Key: "keywords", Value: a{"title", "some", "words"}}, {Key: "media", Value: d{{Key: "name", Value: "abc"}, {Key: "type", Value: "video/mp4"}}}}
}

// like gives each user likes of posts from the whole period.
func (s *sized) like(i int) d {
	user, nth := i/likesEach, i%likesEach
	return d{{Key: "_id", Value: oid(3, i)}, {Key: "user", Value: oid(2, user)}, {Key: "target", Value: oid(1, s.liked(user, nth))},
		{Key: "targetKind", Value: "post"}, {Key: "createdAt", Value: day}}
}

func (s *sized) liked(user, nth int) int { return (user*37 + nth*97) % s.n }

func oid(kind byte, i int) (id bson.ObjectID) {
	id[0] = kind
	binary.BigEndian.PutUint64(id[4:], uint64(i))
	return id
}

// slug is unique and unordered.
func slug(i int) string { return fmt.Sprintf("post-%08x", uint32(i)*2654435761) }

// next is a different number from 0 to most at each call, unordered.
func (s *sized) next(most int) int {
	s.turn++
	return int(uint32(s.turn)*2654435761>>1) % most
}
