package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"

	"tokentube/utils/localdb"
)

// server is a MongoDB: one pool of connections for the whole process.
type server struct {
	db           *mongo.Database
	transactions bool
	timeout      time.Duration // how long one call or transaction may take, including all retries
}

// requestTimeout is the server's timeout unless the URI sets one (timeoutMS).
const requestTimeout = 10 * time.Second

// clientOptions are our options, except those that the URI sets.
func clientOptions(uri string) (*options.ClientOptions, error) {
	o := options.Client().
		SetAppName("tokentube").
		SetConnectTimeout(5 * time.Second).
		SetServerSelectionTimeout(5 * time.Second). // a user waits this long for "try again" when the server is down
		SetTimeout(requestTimeout).
		SetMaxPoolSize(100).
		SetMaxConnIdleTime(5 * time.Minute). // before firewalls drop them
		SetReadPreference(readpref.Primary()).
		ApplyURI(uri)
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("MONGODB_URI cannot be used: %w", err)
	}
	if mode := o.ReadPreference.Mode(); mode != readpref.PrimaryMode {
		return nil, fmt.Errorf("MONGODB_URI cannot be used: readPreference=%s would read sessions from servers that may not know yet that they ended; leave it out", mode)
	}
	// Acknowledged writes must survive the loss of any one machine: a majority has them, on disk.
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

func openMongo(ctx context.Context, settings Settings) (engine, error) {
	o, err := clientOptions(settings.MongoURI)
	if err != nil {
		return nil, err
	}
	return connect(ctx, o, settings)
}

func connect(ctx context.Context, o *options.ClientOptions, settings Settings) (engine, error) {
	client, err := mongo.Connect(o)
	if err != nil {
		return nil, fmt.Errorf("MONGODB_URI cannot be used: %w", err)
	}
	s := &server{db: client.Database(settings.MongoDatabase), timeout: requestTimeout}
	if o.Timeout != nil && *o.Timeout > 0 {
		s.timeout = *o.Timeout
	}
	if s.transactions, err = hasTransactions(ctx, client); err != nil {
		_ = s.close(ctx)
		return nil, fmt.Errorf("MONGODB_URI: the MongoDB server cannot be reached: %w", err)
	}
	if !s.transactions {
		settings.Log.Warn(standalone)
	}
	return s, nil
}

const standalone = "MONGODB_URI names a standalone MongoDB, which has no transactions: if the site crashes, a count may stay wrong until " +
	"\"repair\" is run. To turn it into a replica set of one, start it with: mongod --replSet rs0, and then run once: mongosh --eval 'rs.initiate()'"

// hasTransactions reports whether the server is a member of a replica set, or a router of a sharded cluster.
func hasTransactions(ctx context.Context, client *mongo.Client) (bool, error) {
	var hello struct {
		SetName string `bson:"setName"`
		Msg     string `bson:"msg"`
	}
	err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello)
	var refused mongo.CommandError
	if errors.As(err, &refused) && refused.HasErrorCode(59) { // CommandNotFound: older than 4.4.2
		err = client.Database("admin").RunCommand(ctx, bson.D{{Key: "isMaster", Value: 1}}).Decode(&hello)
	}
	return hello.SetName != "" || hello.Msg == "isdbgrid", err
}

func (s *server) collection(name string) collection { return serverCollection{s.db.Collection(name)} }
func (s *server) transactional() bool               { return s.transactions }
func (s *server) grace() time.Duration              { return s.timeout }
func (s *server) ping(ctx context.Context) error    { return s.db.Client().Ping(ctx, nil) }
func (s *server) scans() int64                      { return 0 }
func (s *server) alone() bool                       { return false }
func (s *server) writable() error                   { return nil }
func (s *server) removeLeftovers()                  {}
func (s *server) space(context.Context) (localdb.Space, error) {
	return localdb.Space{}, nil
}
func (s *server) time(ctx context.Context) (time.Time, error) {
	var hello struct {
		Now time.Time `bson:"localTime"`
	}
	err := s.db.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello)
	return hello.Now, err
}
func (s *server) indexNames(ctx context.Context, name string) (names []string, err error) {
	indexes, err := s.db.Collection(name).Indexes().ListSpecifications(ctx)
	var refused mongo.CommandError
	if errors.As(err, &refused) && refused.HasErrorCode(26) { // NamespaceNotFound
		return nil, nil
	}
	for _, index := range indexes {
		names = append(names, index.Name)
	}
	return names, err
}
func (s *server) warnOfScans()                    {} // its own log reports slow queries
func (s *server) close(ctx context.Context) error { return s.db.Client().Disconnect(ctx) }
func (s *server) ensureIndexes(ctx context.Context, name string, indexes []mongo.IndexModel) error {
	if len(indexes) == 0 {
		return nil
	}
	_, err := s.db.Collection(name).Indexes().CreateMany(ctx, indexes)
	return err
}

const (
	shortestPause = 10 * time.Millisecond // after a conflict
	longestPause  = 500 * time.Millisecond
	endingTime    = time.Second // to abort what an ended request leaves open; otherwise the server does it later
)

// atomically runs do in a transaction that reads a snapshot and that a majority of the servers confirms, and retries it
// as long as it conflicts with others. The driver's WithTransaction continues to pause and commit after ctx has ended,
// and its errors don't distinguish a conflict from a commit with an unknown outcome.
func (s *server) atomically(ctx context.Context, do func(context.Context) error) error {
	if !s.transactions {
		return stepByStep(ctx, do)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	session, err := s.db.Client().StartSession(options.Session().SetDefaultTransactionOptions(
		options.Transaction().SetReadConcern(readconcern.Snapshot()).SetWriteConcern(writeconcern.Majority())))
	if err != nil {
		return undone{err}
	}
	defer ending(ctx, session.EndSession)
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		err := transact(ctx, session, do)
		if !hasLabel(err, driver.TransientTransactionError) || waited(err) || wait(ctx, pause/2+rand.N(pause)) != nil {
			return err
		}
	}
}

// stepByStep is all that a standalone server supports. If the server goes away half-way, the first steps may have been
// applied.
func stepByStep(ctx context.Context, do func(context.Context) error) error {
	err := do(ctx)
	if outage(err) {
		return unknown{err}
	}
	return err
}

func transact(ctx context.Context, session *mongo.Session, do func(context.Context) error) error {
	if err := session.StartTransaction(); err != nil {
		return undone{err}
	}
	err := do(mongo.NewSessionContext(ctx, session))
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		ending(ctx, func(ctx context.Context) { _ = session.AbortTransaction(ctx) })
		return undone{err}
	}
	return commit(ctx, session)
}

// commit asks until the server reports the outcome of the transaction: commits are idempotent.
func commit(ctx context.Context, session *mongo.Session) error {
	lost := false // an attempt that may have arrived
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		err := session.CommitTransaction(ctx)
		switch {
		case err == nil:
			return nil
		case hasLabel(err, driver.TransientTransactionError): // rolled back, whatever happened before
			return undone{err}
		case !lost && (unsent(err) || !outage(err)):
			return undone{err}
		case !hasLabel(err, driver.UnknownTransactionCommitResult) || wait(ctx, pause) != nil:
			return unknown{err}
		}
		lost = true
	}
}

// ending does what must be done even if ctx has ended, within a short time.
func ending(ctx context.Context, do func(context.Context)) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endingTime)
	defer cancel()
	do(ctx)
}

// serverCollection adds methods that return bytes to the driver's collection.
type serverCollection struct{ *mongo.Collection }

func (c serverCollection) Each(ctx context.Context, filter any, visit func(bson.Raw) error, opts ...options.Lister[options.FindOptions]) error {
	cursor, err := c.Find(ctx, filter, opts...)
	if err != nil {
		return err
	}
	defer ending(ctx, func(ctx context.Context) { _ = cursor.Close(ctx) })
	for cursor.Next(ctx) {
		if err := visit(cursor.Current); err != nil {
			return err
		}
	}
	return cursor.Err()
}

func (c serverCollection) FindOneAndUpdateRaw(ctx context.Context, filter, update any, opts ...options.Lister[options.FindOneAndUpdateOptions]) (bson.Raw, error) {
	return c.FindOneAndUpdate(ctx, filter, update, opts...).Raw()
}

func (c serverCollection) FindOneAndDeleteRaw(ctx context.Context, filter any, opts ...options.Lister[options.FindOneAndDeleteOptions]) (bson.Raw, error) {
	return c.FindOneAndDelete(ctx, filter, opts...).Raw()
}
