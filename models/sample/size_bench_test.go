package sample_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/e2e/testsite"
	"tokentube/utils/localdb"
)

const (
	sizeCopies   = 4000 // documents of a kind per file, so that its trees are several pages high
	sizeTogether = 500  // documents per transaction
	browser      = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)

// BenchmarkDocumentSize reports the size of a document of each kind: as BSON, in index entries, and in the file of the
// embedded engine, including indexes. The documents are those of the sample content, and of a user who logs in; each
// kind is measured in a separate file, created by the program and filled with copies of them.
func BenchmarkDocumentSize(b *testing.B) {
	if testsite.Config(b).MongoURI != "" {
		b.Skip("the file of the embedded engine is measured")
	}
	documents := sampleDocuments(b)
	for _, kind := range slices.Sorted(maps.Keys(documents)) {
		b.Run(kind, func(b *testing.B) {
			docs := documents[kind]
			var size measured
			for b.Loop() {
				size = measure(b, docs[0].Collection, fileOf(b, docs))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(size.of(size.bson), "BSON-B/document")
			b.ReportMetric(size.of(size.entries), "entries/document")
			b.ReportMetric(size.of(size.docPages), "documents-file-B/document")
			b.ReportMetric(size.of(size.indexPages), "indexes-file-B/document")
		})
	}
}

// sampleDocuments are the documents by collection, and posts by kind, too.
func sampleDocuments(b *testing.B) map[string][]testsite.Document {
	s := testsite.New(b)
	_, err := fill(b.Context(), s)
	must(b, err)
	s.User("member")
	member := s.Client()
	member.Header.Set("User-Agent", browser)
	member.JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "member", "password": testsite.Password}).Status(200)
	documents := map[string][]testsite.Document{}
	for _, d := range s.Documents() {
		kind := d.Collection
		if kind == "posts" {
			kind += "-" + d.Lookup("kind").StringValue()
		}
		documents[kind] = append(documents[kind], d)
	}
	return documents
}

// fileOf fills a new site's file with copies of the documents, and returns its path.
func fileOf(b *testing.B, docs []testsite.Document) string {
	cfg := testsite.Config(b)
	testsite.Start(b, cfg).Close()
	path := filepath.Join(cfg.DataDir, "tokentube.db")
	db, err := localdb.Open(path)
	must(b, err)
	defer func() { must(b, db.Close()) }()
	for n := 0; n < sizeCopies; n += sizeTogether {
		must(b, db.Atomically(b.Context(), func(ctx context.Context) error {
			for i := range sizeTogether {
				doc := docs[(n+i)%len(docs)]
				if _, err := db.Collection(doc.Collection).InsertOne(ctx, another(b, doc.Raw, n+i)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	return path
}

// another is a document of the same size that belongs to others: its ids and hashes are new, and so are unique names.
func another(b *testing.B, raw bson.Raw, n int) bson.D {
	var doc bson.D
	must(b, bson.Unmarshal(raw, &doc))
	for i, e := range doc {
		switch name, isText := e.Value.(string); {
		case e.Key == "_id" && !isText:
			doc[i].Value = bson.NewObjectID() // in ascending order, as in practice
		case isText && slices.Contains([]string{"_id", "username", "email"}, e.Key):
			doc[i].Value = fmt.Sprintf("%05d", n) + name[min(5, len(name)):]
		default:
			doc[i].Value = renewed(e.Value)
		}
	}
	return doc
}

func renewed(value any) any {
	switch v := value.(type) {
	case bson.ObjectID:
		if !v.IsZero() {
			_, _ = rand.Read(v[:])
		}
		return v
	case bson.Binary:
		_, _ = rand.Read(v.Data)
	case bson.A:
		for i := range v {
			v[i] = renewed(v[i])
		}
	case bson.D:
		for i := range v {
			v[i].Value = renewed(v[i].Value)
		}
	}
	return value
}

// measured are the totals over all documents of a collection.
type measured struct{ documents, bson, entries, docPages, indexPages int }

func (m measured) of(sum int) float64 { return float64(sum) / float64(cmp.Or(m.documents, 1)) }

func measure(b *testing.B, collection, path string) (m measured) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	must(b, err)
	defer func() { must(b, db.Close()) }()
	must(b, db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
			stats := bucket.Stats()
			pages := stats.LeafAlloc + stats.BranchAlloc
			switch {
			case string(name) == "docs/"+collection:
				m.documents, m.docPages = m.documents+stats.KeyN, m.docPages+pages
				return bucket.ForEach(func(_, doc []byte) error { m.bson += len(doc); return nil })
			case strings.HasPrefix(string(name), "index/"+collection+"/"):
				m.entries, m.indexPages = m.entries+stats.KeyN, m.indexPages+pages
			}
			return nil
		})
	}))
	return m
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
