package models

import (
	"context"
	"crypto/sha256"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

const (
	devicesKept    = 180 * 24 * time.Hour // since the last login
	devicesPerUser = 50
)

// KnownDevice is a device from which a user has logged in. Only a hash of what identifies it is stored.
type KnownDevice struct {
	ID        bson.ObjectID `bson:"_id"`
	User      bson.ObjectID `bson:"user"`
	Hash      []byte        `bson:"hash"`
	ExpiresAt time.Time     `bson:"expiresAt"`
}

// Devices are the known devices of all users.
type Devices struct {
	db      *store.DB
	devices *store.Documents[KnownDevice]
}

// NewDevices registers the devices.
func NewDevices(db *store.DB) *Devices {
	return &Devices{db: db, devices: store.Register[KnownDevice](db, store.Kind{
		Name: "knownDevices", Essential: true,
		Indexes: []mongo.IndexModel{store.Unique("hash"), store.Index("user", "expiresAt"), store.Expiry("expiresAt")},
		Parents: []store.Parent{{Kind: "users", Field: "user"}},
		Export:  store.Export{Not: "hashes of cookies; the security log tells of the devices"},
	})}
}

// Meet records a device that logs in, by what identifies it. It reports whether the device is new and the user has
// others: an account's very first device needs no notice.
func (m *Devices) Meet(ctx context.Context, user bson.ObjectID, recognised string) (isNew bool, err error) {
	sum := sha256.Sum256([]byte(user.Hex() + recognised))
	until := m.db.Now().Add(devicesKept)
	_, err = m.devices.Update(ctx, store.Where("hash", sum[:]), bson.D{store.Set("expiresAt", until)})
	if !apperr.Is(err, apperr.NotFound) {
		return false, err
	}
	err = m.db.Atomically(ctx, func(ctx context.Context) error {
		others, err := m.devices.List(ctx, store.Where("user", user), store.Order{"expiresAt"}, 0)
		if err != nil {
			return err
		}
		isNew = len(others) > 0
		for _, d := range others[:max(0, len(others)+1-devicesPerUser)] {
			if _, err := m.devices.Delete(ctx, store.Where("_id", d.ID)); err != nil {
				return err
			}
		}
		return m.devices.Insert(ctx, &KnownDevice{ID: bson.NewObjectID(), User: user, Hash: sum[:], ExpiresAt: until})
	})
	if apperr.Is(err, apperr.Conflict) { // the same device logged in at the same moment, and that login sent the notice
		return false, nil
	}
	return isNew, err
}

// Forget forgets all devices of a user, so that a thief's device counts as new too.
func (m *Devices) Forget(ctx context.Context, user bson.ObjectID) error {
	return m.devices.DeleteAll(ctx, store.Where("user", user))
}
