package models

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"tokentube/utils/apperr"
	"tokentube/utils/localdb"
	"tokentube/utils/media"
)

// translate turns the driver's errors into the program's, once for all models.
func translate(err error) error {
	var known *apperr.Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, mongo.ErrNoDocuments):
		return ErrNotFound().Because(err)
	case mongo.IsDuplicateKeyError(err):
		return errTaken(duplicateField(err)).Because(err)
	case outage(err):
		e := apperr.New(apperr.Unavailable, "The database cannot be reached at the moment. Please try again.").Because(err)
		e.RetryAfter = 5 * time.Second
		return e
	}
	return err
}

// outage tells errors that say nothing about what was asked, only that there was
// no answer: the same may work in a moment. A request whose client went away is
// one of them; the log passes over it.
func outage(err error) bool {
	var reply mongo.ServerError
	switch {
	case err == nil:
		return false
	case mongo.IsNetworkError(err), mongo.IsTimeout(err), unsent(err),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, mongo.ErrClientDisconnected),
		errors.Is(err, localdb.ErrDisk), errors.As(err, new(topology.ConnectionError)):
		return true
	case errors.As(err, &reply):
		return slices.ContainsFunc(passing, reply.HasErrorCode) ||
			reply.HasErrorLabel(driver.RetryableWriteError) || reply.HasErrorLabel(driver.TransientTransactionError)
	}
	return false
}

// passing are the codes of a server that is going, coming, or not the primary
// any more, and of a write that not enough of the others have confirmed.
// https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
var passing = []int{
	6,     // HostUnreachable
	7,     // HostNotFound
	24,    // LockTimeout
	64,    // WriteConcernTimeout
	89,    // NetworkTimeout
	91,    // ShutdownInProgress
	133,   // FailedToSatisfyReadPreference
	134,   // ReadConcernMajorityNotAvailableYet
	189,   // PrimarySteppedDown
	202,   // NetworkInterfaceExceededTimeLimit
	262,   // ExceededTimeLimit
	9001,  // SocketException
	10107, // NotWritablePrimary
	11600, // InterruptedAtShutdown
	11602, // InterruptedDueToReplStateChange
	13435, // NotPrimaryNoSecondaryOk
	13436, // NotPrimaryOrSecondary
}

// unsent tells outages in which the command never left this process: it had no
// effect, and will have none.
func unsent(err error) bool {
	var pool driver.RetryablePoolError
	return errors.As(err, new(topology.ServerSelectionError)) || errors.As(err, new(topology.WaitQueueTimeoutError)) || errors.As(err, &pool)
}

// inDoubt tells errors after which nobody knows whether a write was made.
func inDoubt(err error) bool { return outage(err) && !unsent(err) }

// eventually does in the background what has to be done after a write that the
// database had not answered, or on files that are held: again and again, until it
// is done.
func (db *DB) eventually(what string, do func(context.Context) error) {
	db.jobs.Go(func() {
		for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
			err := do(db.working)
			if err == nil || db.working.Err() != nil {
				return
			}
			switch {
			case outage(err):
				db.log.Warn("not finished; tried again soon", "work", what, "error", err)
			case !errors.Is(err, errNotThere) && !errors.Is(err, media.ErrHeld):
				db.log.Error("not finished", "work", what, "error", err)
				return
			}
			select {
			case <-time.After(wait):
			case <-db.working.Done():
				return
			}
		}
	})
}

// lateness is how long a write that was given up may still arrive: the server
// gives it up at the driver's time-out too.
const lateness = requestTimeout

var errNotThere = errors.New("the write has not arrived")

// settle looks in the background for a write that was in doubt, until it is
// there or can arrive no more.
func (db *DB) settle(what string, look func(context.Context) (found bool, err error)) {
	end := time.Now().Add(db.lateness)
	db.eventually(what, func(ctx context.Context) error {
		found, err := look(ctx)
		if err == nil && !found && time.Now().Before(end) {
			return errNotThere
		}
		return err
	})
}
