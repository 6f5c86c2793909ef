package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

const (
	mongoTransient = "TransientTransactionError"
	mongoUnknown   = "UnknownTransactionCommitResult"
)

func mongoAsUsual(name string, _ int) bson.D {
	if name == "aggregate" {
		return mongoCount(bson.D{{Key: "n", Value: 1}})
	}
	return nil
}

// mongoCount is the reply to a count, which the driver asks for as an aggregate.
func mongoCount(of ...bson.D) bson.D {
	return bson.D{{Key: "ok", Value: 1}, {Key: "cursor", Value: bson.D{
		{Key: "id", Value: int64(0)}, {Key: "ns", Value: "test.parents"}, {Key: "firstBatch", Value: append([]bson.D{}, of...)},
	}}}
}

// mongoFails fails the first calls of each command with this name.
func mongoFails(command string, times int, reply bson.D) func(string, int) bson.D {
	return func(name string, n int) bson.D {
		if name == command && n <= times {
			return reply
		}
		return mongoAsUsual(name, n)
	}
}

const mongoAlways = 1 << 30

func TestMongoServersWithTransactions(t *testing.T) {
	noHello := mongoFails("hello", 1, mongoFailure(59))
	for name, c := range map[string]struct {
		is    bson.D
		reply func(string, int) bson.D
		want  bool
	}{
		"a replica set":                  {mongoReplicaSet, mongoAsUsual, true},
		"a router":                       {mongoRouter, mongoAsUsual, true},
		"a standalone server":            {mongoStandalone, mongoAsUsual, false},
		"a replica set without hello":    {mongoReplicaSet, noHello, true},
		"a standalone one without hello": {mongoStandalone, noHello, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := openMongoData(t, newMongoServer(t, c.is, c.reply))
			if d.Transactions() != c.want {
				t.Errorf("transactions: %v", d.Transactions())
			}
			d.server.forget()
			mongoCheck(t, d.children.Insert(t.Context(), newMongoChild()))
			if n := len(d.server.sent("commitTransaction")); (n == 1) != c.want {
				t.Errorf("%d commits", n)
			}
			warnings := strings.Count(d.log.String(), "level=WARN")
			if c.want && d.log.Len() > 0 {
				t.Errorf("it logs %s", d.log)
			}
			if !c.want && (warnings != 1 || !strings.Contains(d.log.String(), "mongod --replSet rs0") || !strings.Contains(d.log.String(), "rs.initiate()")) {
				t.Errorf("%d warnings, or not how to turn it into a replica set: %s", warnings, d.log)
			}
		})
	}
}

// A server that refuses hello for another reason isn't mistaken for an old one.
func TestMongoServerThatRefusesIsNotOpened(t *testing.T) {
	server := newMongoServer(t, mongoReplicaSet, mongoFails("hello", mongoAlways, mongoFailure(13)))
	_, err := store.Open(t.Context(), store.Settings{
		MongoURI: "mongodb://" + server.listener.Addr().String() + "/?directConnection=true", MongoDatabase: "test", Now: time.Now,
	})
	if err == nil || !strings.Contains(err.Error(), "MONGODB_URI") || len(server.sent("isMaster")) > 0 {
		t.Errorf("%v, after %s", err, server.names())
	}
}

func TestMongoStatementsOfATransaction(t *testing.T) {
	d := openMongoData(t, newMongoServer(t, mongoReplicaSet, mongoAsUsual))
	mongoCheck(t, d.children.Insert(t.Context(), newMongoChild()))
	if names := d.server.names(); names != "insert update commitTransaction" {
		t.Fatal(names)
	}
	all := d.server.sent("")
	session, number := all[0].Lookup("lsid", "id"), all[0].Lookup("txnNumber")
	for i, c := range all {
		if c.Lookup("lsid", "id").IsZero() || !c.Lookup("lsid", "id").Equal(session) || number.IsZero() || !c.Lookup("txnNumber").Equal(number) {
			t.Errorf("not of the one transaction: %s", c)
		}
		if auto, ok := c.Lookup("autocommit").BooleanOK(); !ok || auto {
			t.Errorf("it commits by itself: %s", c)
		}
		if starts, _ := c.Lookup("startTransaction").BooleanOK(); starts != (i == 0) {
			t.Errorf("statement %d starts a transaction: %v", i, starts)
		}
		if level, _ := c.Lookup("readConcern", "level").StringValueOK(); (level == "snapshot") != (i == 0) {
			t.Errorf("statement %d reads %q", i, level)
		}
		if w, _ := c.Lookup("writeConcern", "w").StringValueOK(); (w == "majority") != (i == 2) {
			t.Errorf("statement %d is confirmed by %q", i, w)
		}
	}
}

func TestMongoConflictRunsTheChangeAgain(t *testing.T) {
	conflict := mongoFailure(112, mongoTransient)
	for name, c := range map[string]struct {
		reply func(string, int) bson.D
		names string
	}{
		"of a statement": {mongoFails("update", 2, conflict),
			"insert update abortTransaction insert update abortTransaction insert update commitTransaction"},
		"of the commit": {mongoFails("commitTransaction", 1, conflict),
			"insert update commitTransaction insert update commitTransaction"},
		"of a statement whose connection broke": {mongoFails("update", 1, mongoHangUp),
			"insert update abortTransaction insert update commitTransaction"},
	} {
		t.Run(name, func(t *testing.T) {
			d := openMongoData(t, newMongoServer(t, mongoReplicaSet, c.reply))
			mongoCheck(t, d.children.Insert(t.Context(), newMongoChild()))
			if names := d.server.names(); names != c.names {
				t.Error(names)
			}
			inserts := d.server.sent("insert")
			if inserts[0].Lookup("txnNumber").Equal(inserts[1].Lookup("txnNumber")) {
				t.Error("the second transaction is the first one")
			}
		})
	}
}

func TestMongoErrorOfTheChangeAbortsIt(t *testing.T) {
	d := openMongoData(t, newMongoServer(t, mongoReplicaSet, mongoAsUsual))
	own := errors.New("no")
	runs := 0
	err := d.Atomically(t.Context(), func(ctx context.Context) error {
		runs++
		return errors.Join(own, d.children.Insert(ctx, newMongoChild()))
	})
	if !errors.Is(err, own) || runs != 1 || d.server.names() != "insert update abortTransaction" {
		t.Errorf("%v after %d runs: %s", err, runs, d.server.names())
	}
}

func TestMongoCommitWithoutResultIsRepeated(t *testing.T) {
	for name, reply := range map[string]bson.D{
		"it says so":                 mongoFailure(262, mongoUnknown),
		"the connection broke":       mongoHangUp,
		"too few servers confirm it": {{Key: "ok", Value: 1}, {Key: "writeConcernError", Value: bson.D{{Key: "code", Value: 64}, {Key: "errmsg", Value: "timeout"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			d := openMongoData(t, newMongoServer(t, mongoReplicaSet, mongoFails("commitTransaction", 3, reply)))
			mongoCheck(t, d.children.Insert(t.Context(), newMongoChild()))
			if names := d.server.names(); names != "insert update"+strings.Repeat(" commitTransaction", 4) {
				t.Error(names)
			}
			commits := d.server.sent("commitTransaction")
			for _, c := range commits {
				if !c.Lookup("txnNumber").Equal(commits[0].Lookup("txnNumber")) {
					t.Errorf("the commit of another transaction: %s", c)
				}
			}
		})
	}
}

// Whatever the server keeps doing, a request ends soon after its deadline, or after its client has disconnected, and
// reports whether the change may have been made.
func TestMongoChangeThatNeverSucceeds(t *testing.T) {
	conflict := mongoFailure(112, mongoTransient)
	lostThenRefused := func(name string, n int) bson.D {
		if name == "commitTransaction" {
			return map[bool]bson.D{true: mongoFailure(91, mongoUnknown), false: mongoFailure(13)}[n <= 3]
		}
		return nil
	}
	const all = mongoAlways
	for name, c := range map[string]struct {
		reply   func(string, int) bson.D
		inDoubt bool
	}{
		"a conflict of a statement":              {mongoFails("update", all, conflict), false},
		"a conflict of the commit":               {mongoFails("commitTransaction", all, conflict), false},
		"no reply to a statement":                {mongoFails("update", all, mongoSilence), false},
		"no reply to the first statement":        {mongoFails("insert", all, mongoSilence), false},
		"no connection for a statement":          {mongoFails("update", all, mongoHangUp), false},
		"no reply to the commit":                 {mongoFails("commitTransaction", all, mongoSilence), true},
		"no connection for the commit":           {mongoFails("commitTransaction", all, mongoHangUp), true},
		"a commit of unknown result":             {mongoFails("commitTransaction", all, mongoFailure(91, mongoUnknown)), true},
		"a commit of unknown result, odd code":   {mongoFails("commitTransaction", all, mongoFailure(12345, mongoUnknown)), true},
		"a lost commit that is refused later on": {lostThenRefused, true},
		"silence, and to the abort too": {func(name string, _ int) bson.D {
			return map[bool]bson.D{true: mongoSilence}[name == "update" || name == "abortTransaction"]
		}, false},
	} {
		for ending, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
			"its time is over": func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, 400*time.Millisecond)
			},
			"its client has gone": func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(400*time.Millisecond, cancel)
				return ctx, cancel
			},
		} {
			t.Run(name+", "+ending, func(t *testing.T) {
				t.Parallel()
				d := openMongoData(t, newMongoServer(t, mongoReplicaSet, c.reply))
				ctx, cancel := end(t.Context())
				defer cancel()
				start := time.Now()
				err := d.children.Insert(ctx, newMongoChild())
				took := time.Since(start)
				e := apperr.From(err)
				if e.Code != apperr.Unavailable || e.RetryAfter <= 0 {
					t.Errorf("the error is %v", err)
				}
				if store.InDoubt(err) != c.inDoubt {
					t.Errorf("in doubt: %v, %v", store.InDoubt(err), err)
				}
				if took > 4*time.Second { // 0.4 s, a second for the abort, and some time for a busy machine
					t.Errorf("it took %v: %s", took, d.server.names())
				}
			})
		}
	}
}

// A commit that the server refuses was not applied.
func TestMongoCommitThatIsRefused(t *testing.T) {
	d := openMongoData(t, newMongoServer(t, mongoReplicaSet, mongoFails("commitTransaction", mongoAlways, mongoFailure(13))))
	err := d.children.Insert(t.Context(), newMongoChild())
	if err == nil || store.InDoubt(err) || apperr.From(err).Code != apperr.Internal || len(d.server.sent("commitTransaction")) != 1 {
		t.Errorf("%v, in doubt: %v, %s", err, store.InDoubt(err), d.server.names())
	}
}

// If no server can be found, nothing was sent.
func TestMongoServerIsAway(t *testing.T) {
	d := openMongoData(t, newMongoServer(t, mongoReplicaSet, mongoAsUsual))
	d.server.leave()
	start := time.Now()
	err := d.children.Insert(t.Context(), newMongoChild())
	if apperr.From(err).Code != apperr.Unavailable || store.InDoubt(err) {
		t.Errorf("%v, in doubt: %v", err, store.InDoubt(err))
	}
	if took := time.Since(start); took > 5*time.Second { // serverSelectionTimeoutMS once, and some time for a busy machine
		t.Errorf("it took %v", took)
	}
}

// Without transactions, the first step of a change may have been applied when the server goes away before the second.
func TestMongoStandaloneLostBetweenTwoSteps(t *testing.T) {
	d := openMongoData(t, newMongoServer(t, mongoStandalone, mongoAsUsual))
	err := d.Atomically(t.Context(), func(ctx context.Context) error {
		if err := d.children.Insert(ctx, newMongoChild()); err != nil {
			return err
		}
		d.server.leave()
		_ = d.Ping(ctx)                                        // now the driver knows
		return d.children.Add(ctx, bson.NewObjectID(), "n", 1) // and this never leaves the process
	})
	if apperr.From(err).Code != apperr.Unavailable || !store.InDoubt(err) {
		t.Errorf("%v, in doubt: %v", err, store.InDoubt(err))
	}
}

// Without transactions, a document with a missing parent isn't inserted first.
func TestMongoStandaloneChecksParentsFirst(t *testing.T) {
	d := openMongoData(t, newMongoServer(t, mongoStandalone, mongoFails("aggregate", mongoAlways, mongoCount())))
	err := d.children.Insert(t.Context(), newMongoChild())
	if !apperr.Is(err, apperr.NotFound) || d.server.names() != "aggregate" {
		t.Errorf("%v: %s", err, d.server.names())
	}
}

// All continues after the last document of a page: the next page's query has one condition on the _id.
func TestMongoAllAsksForTheNextPageByOneCondition(t *testing.T) {
	pages := [][]bson.D{{{{Key: "_id", Value: bson.NewObjectID()}}}, {}}
	d := openMongoData(t, newMongoServer(t, mongoReplicaSet, func(name string, n int) bson.D {
		if name != "find" {
			return nil
		}
		return bson.D{{Key: "ok", Value: 1}, {Key: "cursor", Value: bson.D{
			{Key: "id", Value: int64(0)}, {Key: "ns", Value: "test.children"}, {Key: "firstBatch", Value: pages[n-1]},
		}}}
	}))
	visited := 0
	mongoCheck(t, d.children.All(t.Context(), bson.D{}, func(*mongoChild) error { visited++; return nil }))
	queries := d.server.sent("find")
	if visited != 1 || len(queries) != 2 {
		t.Fatalf("%d documents, %d queries", visited, len(queries))
	}
	conditions, err := queries[1].Lookup("filter").Document().Elements()
	mongoCheck(t, err)
	if len(conditions) != 1 || conditions[0].Key() != "_id" {
		t.Errorf("the second query is %s", queries[1])
	}
}

// A transaction of a caller without a deadline gets the one from the URI.
func TestMongoTimeoutOfTheAddress(t *testing.T) {
	conflicts := mongoFails("update", mongoAlways, mongoFailure(112, mongoTransient))
	d := openMongoData(t, newMongoServer(t, mongoReplicaSet, conflicts), "timeoutMS=300")
	start := time.Now()
	err := d.children.Insert(t.Context(), newMongoChild())
	if took := time.Since(start); apperr.From(err).Code != apperr.Unavailable || took > 4*time.Second {
		t.Errorf("%v after %v", err, took)
	}
}

// A request that has ended doesn't wait for a silent server to close its cursor.
func TestMongoReadThatIsNotFinished(t *testing.T) {
	d := openMongoData(t, newMongoServer(t, mongoReplicaSet, func(name string, _ int) bson.D {
		switch name {
		case "getMore", "killCursors":
			return mongoSilence
		case "hello":
			return nil
		}
		return bson.D{{Key: "ok", Value: 1}, {Key: "cursor", Value: bson.D{
			{Key: "id", Value: int64(5)}, {Key: "ns", Value: "test.children"}, {Key: "firstBatch", Value: []bson.D{{{Key: "_id", Value: bson.NewObjectID()}}}},
		}}}
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := d.children.List(ctx, bson.D{}, nil, 0)
	if took := time.Since(start); apperr.From(err).Code != apperr.Unavailable || took > 4*time.Second {
		t.Errorf("%v after %v: %s", err, took, d.server.names())
	}
}
