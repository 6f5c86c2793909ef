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

// MailType says what a mail is about.
type MailType string

// The types of mails.
const (
	MailReset   MailType = "reset"         // somebody asks for a new password for this address
	MailConfirm MailType = "confirm_email" // somebody says that this is their address

	// Notices to an account's owner.
	MailPassword  MailType = "password_changed"
	MailEmail     MailType = "email_changed" // to the address that was the account's before
	MailNewDevice MailType = "new_device"

	MailFactorAdded   MailType = "factor_added" // About says which
	MailFactorRemoved MailType = "factor_removed"
	MailFactorsLost   MailType = "factors_removed" // by an administrator
	MailPasskeyCopied MailType = "passkey_copied"
	MailCodesRenewed  MailType = "recovery_codes_renewed"
	MailCodeUsed      MailType = "recovery_code_used" // About says how many are left
)

// Asked tells mails that a stranger can cause from notices.
func (t MailType) Asked() bool { return t == MailReset || t == MailConfirm }

// Mail is one that waits to be sent. It holds no link that opens anything: that is made when it is sent.
type Mail struct {
	ID        bson.ObjectID `bson:"_id"`
	Type      MailType      `bson:"type"`
	To        string        `bson:"to"`
	User      bson.ObjectID `bson:"user"`     // zero: whoever has the address
	Username  string        `bson:"username"` //
	By        Device        `bson:"by"`       // who caused it
	About     string        `bson:"about,omitempty"`
	CreatedAt time.Time     `bson:"createdAt"`
	DueAt     time.Time     `bson:"dueAt"` // when it is tried next
	Tries     int           `bson:"tries"`
	ExpiresAt time.Time     `bson:"expiresAt"`
}

const (
	mailsKept = 24 * time.Hour // those that can't be sent
	// mailLease is how long one that is being sent is nobody else's. If the process stops, another one tries again then.
	mailLease = 5 * time.Minute
)

// mailLimit bounds the mails to one address: nobody's mailbox can be flooded. All that strangers can cause count together;
// of notices each type counts for itself, so that no other mail keeps one from its reader.
var mailLimit = ratelimit.Limit{Name: "mail", Quota: 5, Window: time.Hour}

// Mails are the queue of what is to be sent. It is in the database, so that nothing is lost when the process stops; any
// process may send any. One that stops between sending and noting it sends twice.
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

// Add queues a mail. An address gets only a few an hour (see mailLimit): more are dropped, which it tells.
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
	default: // it is known already
	}
	return true, nil
}

// Send tries every mail that is due, one after the other. What fails is tried again: after a minute, then after twice as
// long each time, at most an hour, for a day; unless again says that there is no use. It returns how many were sent.
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
			return sent, ctx.Err() // the lease ends by itself
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

// CountWaiting counts the mails that wait to be sent, up to limit.
func (m *Mails) CountWaiting(ctx context.Context, limit int) (int, error) {
	return m.mails.Count(ctx, store.Where("dueAt", store.Where("$gt", time.Time{})), limit)
}

func mailPause(tries int) time.Duration {
	return min(time.Minute<<min(tries-1, 10), time.Hour)
}

// Wait waits until a mail is added, or for as long as a mail of another process, or one that failed, may wait.
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
