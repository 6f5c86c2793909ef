package models

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// server is a MongoDB: one pool of connections for the whole process.
type server struct{ db *mongo.Database }

// requestTimeout is how long any one answer may take, all tries together.
const requestTimeout = 10 * time.Second

// clientOptions are ours, except where the address has its own word.
func clientOptions(uri string) (*options.ClientOptions, error) {
	o := options.Client().
		SetAppName("tokentube").
		SetConnectTimeout(5 * time.Second).
		SetServerSelectionTimeout(5 * time.Second). // a person waits this long for "try again" when the server is away
		SetTimeout(requestTimeout).
		SetMaxPoolSize(100).
		SetMaxConnIdleTime(5 * time.Minute). // before firewalls forget them
		SetReadPreference(readpref.Primary()).
		ApplyURI(uri)
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("MONGODB_URI cannot be used: %w", err)
	}
	if mode := o.ReadPreference.Mode(); mode != readpref.PrimaryMode {
		return nil, fmt.Errorf("MONGODB_URI cannot be used: readPreference=%s would read sessions from servers that may not know yet that they ended; leave it out", mode)
	}
	// What is acknowledged must outlive any one machine: most of them have it, on disk.
	wc := writeconcern.WriteConcern{}
	if o.WriteConcern != nil {
		wc = *o.WriteConcern
	}
	if wc.W == nil {
		wc.W = "majority"
	}
	if journal := true; wc.Journal == nil && wc.W == "majority" {
		wc.Journal = &journal
	}
	if !wc.Acknowledged() {
		return nil, errors.New("MONGODB_URI cannot be used: with w=0 nobody would know whether a write was made; leave it out")
	}
	return o.SetWriteConcern(&wc), nil
}

func openMongo(ctx context.Context, uri, name string) (engine, error) {
	o, err := clientOptions(uri)
	if err != nil {
		return nil, err
	}
	client, err := mongo.Connect(o)
	if err != nil {
		return nil, fmt.Errorf("MONGODB_URI cannot be used: %w", err)
	}
	s := server{client.Database(name)}
	if err := s.ping(ctx); err != nil {
		_ = s.close(ctx)
		return nil, fmt.Errorf("MONGODB_URI: the MongoDB server cannot be reached: %w", err)
	}
	return s, nil
}

func (s server) collection(name string) Collection { return s.db.Collection(name) }
func (s server) ping(ctx context.Context) error    { return s.db.Client().Ping(ctx, nil) }
func (s server) scans() int64                      { return 0 }
func (s server) warnOfScans()                      {} // its own log tells of slow queries
func (s server) close(ctx context.Context) error   { return s.db.Client().Disconnect(ctx) }
func (s server) ensureIndexes(ctx context.Context, name string, indexes []mongo.IndexModel) error {
	if len(indexes) == 0 {
		return nil
	}
	_, err := s.db.Collection(name).Indexes().CreateMany(ctx, indexes)
	return err
}
