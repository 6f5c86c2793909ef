package models

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/ratelimit"
)

// MailType says what an email is about.
type MailType string

// The types of emails.
const (
	MailReset   MailType = "reset"         // somebody requested a new password for this address
	MailConfirm MailType = "confirm_email" // somebody says that this is their address

	// Notices to an account's owner.
	MailPassword  MailType = "password_changed"
	MailEmail     MailType = "email_changed" // to the account's previous address
	MailNewDevice MailType = "new_device"

	MailFactorAdded   MailType = "factor_added" // About says which
	MailFactorRemoved MailType = "factor_removed"
	MailFactorsLost   MailType = "factors_removed" // by an administrator
	MailPasskeyCopied MailType = "passkey_copied"
	MailCodesRenewed  MailType = "recovery_codes_renewed"
	MailCodeUsed      MailType = "recovery_code_used" // About says how many are left
)

// Asked distinguishes emails that strangers can cause from notices.
func (t MailType) Asked() bool { return t == MailReset || t == MailConfirm }

// Mail is an email that waits to be sent. It contains no working link: that is made when it is sent.
type Mail struct {
	ID        bson.ObjectID `bson:"_id"`
	Type      MailType      `bson:"type"`
	To        string        `bson:"to"`
	User      bson.ObjectID `bson:"user"`     // zero: whoever owns the address
	Username  string        `bson:"username"` //
	By        Device        `bson:"by"`       // who caused it
	About     string        `bson:"about,omitempty"`
	CreatedAt time.Time     `bson:"createdAt"`
	DueAt     time.Time     `bson:"dueAt"` // when it is sent or retried next
	Tries     int           `bson:"tries"`
	ExpiresAt time.Time     `bson:"expiresAt"`
}

const (
	mailsKept = 24 * time.Hour // for those that can't be sent
	// mailLease is how long an email that is being sent is reserved. If the process stops, another one retries after
	// that.
	mailLease = 5 * time.Minute
)

// mailLimit limits the emails to one address, so nobody's mailbox can be flooded. Everything that strangers can cause
// counts together. Each type of notice counts separately, so that no other email can suppress it.
var mailLimit = ratelimit.Limit{Name: "mail", Quota: 5, Window: time.Hour}

// Mails are the queue of emails. It is in the database, so nothing is lost when the process stops, and any process may
// send any email. If one stops between sending an email and recording that, it is sent twice.
type Mails struct {
	db       *store.DB
	mails    *store.Documents[Mail]
	attempts *Attempts
	more     chan struct{}
}

// NewMails registers the queue.
func NewMails(db *store.DB, attempts *Attempts) *Mails {
	return &Mails{db: db, attempts: attempts, more: make(chan struct{}, 1), mails: store.Register[Mail](db, store.Kind{
		Name: "mails", Essential: true,
		Indexes: []mongo.IndexModel{store.Index("dueAt"), store.Expiry("expiresAt")},
		Loose:   map[string]string{"user": "a notice is sent also if the account is gone by then"},
		Export:  store.Export{Not: "it is on its way to the person"},
	})}
}

// Add queues an email. An address gets only a few an hour (see mailLimit); more are dropped. It reports whether this
// one was queued.
func (m *Mails) Add(ctx context.Context, mail Mail) (queued bool, err error) {
	kind := string(mail.Type)
	if mail.Type.Asked() {
		kind = "asked"
	}
	if state, err := m.attempts.Take(ctx, mailLimit, kind, mail.To); err != nil || !state.OK {
		return false, err
	}
	now := m.db.Now()
	mail.ID, mail.CreatedAt, mail.DueAt, mail.ExpiresAt = bson.NewObjectID(), now, now, now.Add(mailsKept)
	if err := m.mails.Insert(ctx, &mail); err != nil {
		return false, err
	}
	select {
	case m.more <- struct{}{}:
	default: // already known
	}
	return true, nil
}

// Send tries to send every email that is due, one after the other. Failures are retried after a minute, then after
// intervals that double up to an hour, for a day, unless again reports that it is pointless. It returns how many were
// sent.
func (m *Mails) Send(ctx context.Context, send func(context.Context, *Mail) error, again func(*Mail, error) bool) (sent int, err error) {
	for {
		now := m.db.Now()
		mail, err := m.mails.Update(ctx, store.Where("dueAt", store.Where("$lte", now)), bson.D{store.Set("dueAt", now.Add(mailLease)), store.Inc("tries", 1)})
		if apperr.Is(err, apperr.NotFound) {
			return sent, nil
		}
		if err != nil {
			return sent, err
		}
		failed := send(ctx, mail)
		if ctx.Err() != nil {
			return sent, ctx.Err() // the lease expires by itself
		}
		if failed != nil && again(mail, failed) {
			_, err = m.mails.Update(ctx, store.Where("_id", mail.ID), bson.D{store.Set("dueAt", m.db.Now().Add(mailPause(mail.Tries)))})
		} else {
			_, err = m.mails.Delete(ctx, store.Where("_id", mail.ID))
		}
		if err != nil && !apperr.Is(err, apperr.NotFound) { // it has expired
			return sent, err
		}
		if failed == nil {
			sent++
		}
	}
}

// CountWaiting counts the emails that wait to be sent, up to limit.
func (m *Mails) CountWaiting(ctx context.Context, limit int) (int, error) {
	return m.mails.Count(ctx, store.Where("dueAt", store.Where("$gt", time.Time{})), limit)
}

func mailPause(tries int) time.Duration {
	return min(time.Minute<<min(tries-1, 10), time.Hour)
}

// Wait waits until an email is added, or until one of another process, or a failed one, may be due.
func (m *Mails) Wait(ctx context.Context) error {
	timer := time.NewTimer(15 * time.Second)
	defer timer.Stop()
	select {
	case <-m.more:
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}
