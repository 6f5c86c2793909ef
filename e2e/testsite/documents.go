package testsite

import (
	"context"
	"os"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/localdb"
)

// Document is a document as stored in the database.
type Document struct {
	Collection string
	bson.Raw
}

// ID is the document's _id as it appears in URLs. For ids that can't appear in a URL it is "".
func (d Document) ID() string {
	id, _ := d.Lookup("_id").ObjectIDOK()
	if id.IsZero() {
		return ""
	}
	return id.Hex()
}

// Key identifies the document in the whole database.
func (d Document) Key() string { return d.Collection + " " + d.Lookup("_id").String() }

// Documents reads the whole database, whatever collections it has, after pending removals are complete.
func (s *Site) Documents() []Document {
	s.t.Helper()
	s.DB.WaitRemovals()
	if s.Config.MongoURI != "" {
		return s.mongoDocuments()
	}
	ctx := context.Background()
	path, err := s.DB.Snapshot(ctx, s.Config.DataDir)
	check(s.t, err)
	defer func() { _ = os.Remove(path) }()
	copied, err := localdb.OpenStill(path)
	check(s.t, err)
	defer func() { _ = copied.Close() }()
	names, err := copied.Names(ctx)
	check(s.t, err)
	var all []Document
	for _, name := range names {
		check(s.t, copied.Collection(name).Batches(ctx, 1000, func(batch []bson.Raw) error {
			for _, raw := range batch {
				all = append(all, Document{name, append(bson.Raw{}, raw...)})
			}
			return nil
		}))
	}
	return all
}

func (s *Site) mongoDocuments() []Document {
	s.t.Helper()
	ctx := context.Background()
	client, err := mongo.Connect(options.Client().ApplyURI(s.Config.MongoURI))
	check(s.t, err)
	defer func() { _ = client.Disconnect(ctx) }()
	database := client.Database(s.Config.MongoDatabase)
	names, err := database.ListCollectionNames(ctx, bson.D{})
	check(s.t, err)
	var all []Document
	for _, name := range names {
		if strings.HasPrefix(name, "system.") {
			continue
		}
		cursor, err := database.Collection(name).Find(ctx, bson.D{})
		check(s.t, err)
		for cursor.Next(ctx) {
			all = append(all, Document{name, append(bson.Raw{}, cursor.Current...)})
		}
		check(s.t, cursor.Err())
	}
	return all
}
