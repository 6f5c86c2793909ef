package store

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"tokentube/utils/apperr"
	"tokentube/utils/localdb"
)

// ErrNotFound is the error for something that doesn't exist, or not for this user.
func ErrNotFound() *apperr.Error { return apperr.New(apperr.NotFound, "Not found.") }

// ErrTaken is the error for a value that must be unique but isn't.
func ErrTaken(field string) *apperr.Error {
	e := apperr.New(apperr.Conflict, "This %s is already in use.", field)
	e.Fields = []apperr.Field{{Name: field, Message: e.Message}}
	return e
}

// ParseID parses an id from a URL. A malformed one is not found.
func ParseID(hex string) (bson.ObjectID, error) {
	id, err := bson.ObjectIDFromHex(hex)
	if err != nil {
		return id, ErrNotFound().Because(err)
	}
	return id, nil
}

// translate converts the driver's errors to ours, for all models.
func translate(err error) error {
	var known *apperr.Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, mongo.ErrNoDocuments):
		return ErrNotFound().Because(err)
	case mongo.IsDuplicateKeyError(err):
		return ErrTaken(duplicateField(err)).Because(err)
	case errors.Is(err, localdb.ErrFull), full(err):
		return apperr.Full().Because(err)
	case outage(err):
		e := apperr.New(apperr.Unavailable, "The database can't be reached right now. Try again in a moment.").Because(err)
		e.RetryAfter = 5 * time.Second
		return e
	}
	return err
}

var duplicateIndex = regexp.MustCompile(`index: (\S+)`)

// duplicateField extracts from a duplicate-key error which field clashed: both engines name the index, and an index is
// named after its fields.
func duplicateField(err error) string {
	match := duplicateIndex.FindStringSubmatch(err.Error())
	if match == nil {
		return "value"
	}
	name := match[1]
	if dot := strings.LastIndex(name, ".$"); dot >= 0 {
		name = name[dot+2:]
	}
	field, _, _ := strings.Cut(name, "_")
	return field
}

// full reports whether the server's disk is full: OutOfDiskSpace.
func full(err error) bool {
	var reply mongo.ServerError
	return errors.As(err, &reply) && reply.HasErrorCode(14031)
}

// outage recognises errors that say nothing about the request itself, only that it failed or that its outcome is
// unknown: a retry may work in a moment. They include requests whose client disconnected, which the log ignores.
func outage(err error) bool {
	var reply mongo.ServerError
	switch {
	case err == nil:
		return false
	case errors.As(err, new(unknown)), mongo.IsNetworkError(err), mongo.IsTimeout(err), unsent(err),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, mongo.ErrClientDisconnected),
		errors.Is(err, localdb.ErrDisk), errors.As(err, new(topology.ConnectionError)):
		return true
	case errors.As(err, &reply):
		return slices.ContainsFunc(passing, reply.HasErrorCode) ||
			reply.HasErrorLabel(driver.RetryableWriteError) || reply.HasErrorLabel(driver.TransientTransactionError) ||
			reply.HasErrorLabel(driver.UnknownTransactionCommitResult)
	}
	return false
}

// passing are the codes of a server that is shutting down, starting or no longer the primary, of a write that too few
// members confirmed, and of a transaction that conflicted with another one.
// https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
var passing = []int{
	6,     // HostUnreachable
	7,     // HostNotFound
	24,    // LockTimeout
	64,    // WriteConcernTimeout
	89,    // NetworkTimeout
	91,    // ShutdownInProgress
	112,   // WriteConflict
	133,   // FailedToSatisfyReadPreference
	134,   // ReadConcernMajorityNotAvailableYet
	189,   // PrimarySteppedDown
	202,   // NetworkInterfaceExceededTimeLimit
	251,   // NoSuchTransaction
	262,   // ExceededTimeLimit
	9001,  // SocketException
	10107, // NotWritablePrimary
	11600, // InterruptedAtShutdown
	11602, // InterruptedDueToReplStateChange
	13435, // NotPrimaryNoSecondaryOk
	13436, // NotPrimaryOrSecondary
}

// unsent reports outages in which the command never left this process, so it has no effect.
func unsent(err error) bool {
	var pool driver.RetryablePoolError
	return waited(err) || errors.As(err, &pool)
}

// waited reports that the driver waited for a server or a connection for as long as a person would.
func waited(err error) bool {
	return errors.As(err, new(topology.ServerSelectionError)) || errors.As(err, new(topology.WaitQueueTimeoutError))
}

// undone marks the error of a transaction that certainly changed nothing.
type undone struct{ error }

func (u undone) Unwrap() error { return u.error }

// unknown marks the error of a change that may have been made (on a server without transactions, perhaps in part).
type unknown struct{ error }

func (u unknown) Unwrap() error { return u.error }

// InDoubt reports whether an error leaves it unknown if the change was made: what belongs to the change, such as its
// files, must then be kept until that is known.
func InDoubt(err error) bool {
	if errors.As(err, new(unknown)) {
		return true
	}
	return outage(err) && !unsent(err) && !errors.As(err, new(undone))
}

func hasLabel(err error, label string) bool {
	var labeled mongo.LabeledError
	return errors.As(err, &labeled) && labeled.HasErrorLabel(label)
}
