package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"tokentube/utils/apperr"
	"tokentube/utils/localdb"
)

func TestErrorsOfTheDriverAreTranslated(t *testing.T) {
	answer := func(code int32, labels ...string) error {
		return mongo.CommandError{Code: code, Message: "from the server", Labels: labels}
	}
	unconfirmed := func(code int) error {
		return mongo.WriteException{WriteConcernError: &mongo.WriteConcernError{Code: code, Message: "not confirmed"}}
	}
	for name, c := range map[string]struct {
		err     error
		code    apperr.Code
		inDoubt bool
	}{
		"the connection broke":          {mongo.CommandError{Labels: []string{"NetworkError"}, Wrapped: io.EOF}, apperr.Unavailable, true},
		"the connection broke, bare":    {topology.ConnectionError{Wrapped: io.ErrUnexpectedEOF}, apperr.Unavailable, true},
		"the connection timed out":      {&net.OpError{Op: "read", Err: timeout{}}, apperr.Unavailable, true},
		"the time-out passed":           {fmt.Errorf("find: %w", context.DeadlineExceeded), apperr.Unavailable, true},
		"the server gave up in time":    {answer(50), apperr.Unavailable, true},
		"no server was found":           {topology.ServerSelectionError{Wrapped: errors.New("server selection timeout")}, apperr.Unavailable, false},
		"no server was found in time":   {topology.ServerSelectionError{Wrapped: context.DeadlineExceeded}, apperr.Unavailable, false},
		"no connection was free":        {topology.WaitQueueTimeoutError{Wrapped: context.DeadlineExceeded}, apperr.Unavailable, false},
		"not the primary":               {answer(10107), apperr.Unavailable, true},
		"not the primary, a write":      {mongo.WriteException{WriteErrors: mongo.WriteErrors{{Code: 10107}}}, apperr.Unavailable, true},
		"no primary, and no other":      {answer(13435), apperr.Unavailable, true},
		"stepped down":                  {answer(189), apperr.Unavailable, true},
		"an election":                   {answer(11602), apperr.Unavailable, true},
		"shutting down":                 {answer(11600), apperr.Unavailable, true},
		"worth trying again, it says":   {answer(12345, "RetryableWriteError"), apperr.Unavailable, true},
		"not confirmed by the majority": {unconfirmed(64), apperr.Unavailable, true},
		"not confirmed, shutting down":  {unconfirmed(91), apperr.Unavailable, true},
		"the client went away":          {fmt.Errorf("find: %w", context.Canceled), apperr.Unavailable, true},
		"the program stops":             {mongo.ErrClientDisconnected, apperr.Unavailable, true},
		"the disk failed":               {fmt.Errorf("writing: %w", localdb.ErrDisk), apperr.Unavailable, true},
		"no document":                   {mongo.ErrNoDocuments, apperr.NotFound, false},
		"a duplicate":                   {mongo.WriteException{WriteErrors: mongo.WriteErrors{{Code: 11000, Message: "index: email_1 dup key"}}}, apperr.Conflict, false},
		"a duplicate, found and set":    {mongo.CommandError{Code: 11000, Message: "index: email_1 dup key"}, apperr.Conflict, false},
		"no right to it":                {answer(13), apperr.Internal, false},
		"a faulty query":                {answer(2), apperr.Internal, false},
		"an unknown error":              {errors.New("?"), apperr.Internal, false},
		"it met another transaction":    {answer(112, "TransientTransactionError"), apperr.Unavailable, true},
		"the transaction is unknown":    {answer(251), apperr.Unavailable, true},
		"a transaction, undone":         {undone{answer(112, "TransientTransactionError")}, apperr.Unavailable, false},
		"a broken connection, undone":   {undone{mongo.CommandError{Labels: []string{"NetworkError"}, Wrapped: io.EOF}}, apperr.Unavailable, false},
		"a lost commit":                 {answer(50, "UnknownTransactionCommitResult"), apperr.Unavailable, true},
	} {
		t.Run(name, func(t *testing.T) {
			got := translate(c.err)
			e := apperr.From(got)
			if e.Code != c.code || !strings.Contains(got.Error(), c.err.Error()) { // with its cause, for the log
				t.Errorf("%v becomes %v", c.err, got)
			}
			if e.Code == apperr.Unavailable && e.RetryAfter <= 0 {
				t.Error("it does not say when to try again")
			}
			if InDoubt(c.err) != c.inDoubt || outage(c.err) != (c.code == apperr.Unavailable) {
				t.Errorf("in doubt: %v, outage: %v", InDoubt(c.err), outage(c.err))
			}
			if InDoubt(got) != c.inDoubt {
				t.Error("translated, its doubt is another")
			}
			if again := translate(got); apperr.From(again).Code != c.code {
				t.Errorf("the second time it becomes %v", again)
			}
		})
	}
	if translate(nil) != nil || outage(nil) || InDoubt(nil) {
		t.Error("no error became one")
	}
}

func TestDuplicatesNameTheirField(t *testing.T) {
	for message, want := range map[string]string{
		"E11000 duplicate key error collection: site.users index: email_1 dup key: { email: \"a\" }": "email",
		"index: site.users.$username_1 dup key":                                                      "username",
		"index: user_1_target_1 dup key":                                                             "user",
		"a duplicate of which nobody says any more":                                                  "value",
	} {
		err := translate(mongo.CommandError{Code: 11000, Message: message})
		wantCode(t, err, apperr.Conflict, want)
	}
}

func TestPingAsksTheEmbeddedEngine(t *testing.T) {
	db, err := Open(t.Context(), Settings{File: filepath.Join(t.TempDir(), "site.db"), Now: time.Now})
	fatal(t, err)
	fatal(t, db.Ping(t.Context()))
	fatal(t, db.Close(t.Context()))
	if err := db.Ping(t.Context()); !errors.Is(err, localdb.ErrClosed) {
		t.Errorf("a closed database returns %v", err)
	}
}

type timeout struct{}

func (timeout) Error() string   { return "i/o timeout" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

func TestOptionsOfTheConnection(t *testing.T) {
	o, err := clientOptions("mongodb://db.example.com/")
	fatal(t, err)
	if o.WriteConcern.W != "majority" || !*o.WriteConcern.Journal || *o.Timeout != 10*time.Second ||
		*o.ServerSelectionTimeout != 5*time.Second || *o.ConnectTimeout != 5*time.Second || *o.MaxPoolSize != 100 {
		t.Errorf("%+v, %+v", o, o.WriteConcern)
	}
	o, err = clientOptions("mongodb://db.example.com/?w=1&timeoutMS=3000&serverSelectionTimeoutMS=2000&connectTimeoutMS=1000&maxPoolSize=7&appName=mine")
	fatal(t, err)
	if o.WriteConcern.W != 1 || o.WriteConcern.Journal != nil || *o.Timeout != 3*time.Second || *o.AppName != "mine" ||
		*o.ServerSelectionTimeout != 2*time.Second || *o.ConnectTimeout != time.Second || *o.MaxPoolSize != 7 {
		t.Errorf("the address has no say: %+v, %+v", o, o.WriteConcern)
	}
	o, err = clientOptions("mongodb://db.example.com/?journal=false")
	fatal(t, err)
	if o.WriteConcern.W != "majority" || *o.WriteConcern.Journal {
		t.Errorf("%+v", o.WriteConcern)
	}
	for _, uri := range []string{"http://db.example.com", "mongodb://db.example.com/?w=0", "mongodb://db.example.com/?readPreference=nearest", "mongodb://db.example.com/?maxPoolSize=x"} {
		if _, err := clientOptions(uri); err == nil {
			t.Errorf("%s is taken", uri)
		} else {
			t.Log(err)
		}
	}
}
