package models

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// Guests are the throwaway users of people without an account. They are kept in a database of their own
// (store.DB.Scratch), which only the Token lab reads, so nobody can log in as one or find one. Only Users, Sessions,
// Events and Broadcasts exist in it, and they are the same code as the site's.
type Guests struct {
	*Site
	stay time.Duration
}

const (
	mostGuests  = 2000        // at once, in all processes; they take about 10 MB
	guestsCheck = time.Minute // how often expired ones are removed
	guestsBatch = 100
)

// OpenGuests opens their database, which is closed together with the site's. Each guest is removed after the given
// time, with their sessions.
func OpenGuests(ctx context.Context, site *store.DB, stay time.Duration) (*Guests, error) {
	db, err := site.Scratch("guests")
	if err != nil {
		return nil, err
	}
	g := &Guests{&Site{DB: db, Users: NewUsers(db), Sessions: NewSessions(db, SessionPolicy{}), Events: NewEvents(db), Broadcasts: NewBroadcasts(db)}, stay}
	site.UntilClosed(g.attend)
	return g, db.Prepare(ctx)
}

// attend removes expired guests until ctx ends, and then closes the database.
func (g *Guests) attend(ctx context.Context) {
	tick := time.NewTicker(guestsCheck)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			g.DB.Later("removal of the lab's guests", g.RemoveExpired)
		case <-ctx.Done():
			_ = g.DB.Close(context.WithoutCancel(ctx))
			return
		}
	}
}

// Add creates a new guest. Too many at once are refused with Unavailable; those that arrive at the same moment may
// exceed the limit.
func (g *Guests) Add(ctx context.Context) (*User, error) {
	n, err := g.count(ctx, mostGuests)
	if err != nil {
		return nil, err
	}
	if n >= mostGuests {
		return nil, apperr.Crowd(guestsCheck, "Too many visitors are in the lab right now. Try again in a few minutes, or log in.")
	}
	name := "visitor-" + strings.ToLower(rand.Text()[:12])
	u := &User{Username: name, Email: name + "@visitor.example", FullName: "A visitor"}
	return u, g.Users.Create(ctx, u)
}

// everyID is a condition that lets a query use the index of the ids.
var everyID = store.Where("$gt", bson.NilObjectID)

// count counts the guests up to limit, including those that are being removed.
func (g *Guests) count(ctx context.Context, limit int) (int, error) {
	return g.Users.users.Frequency(ctx, "_id", everyID, limit)
}

// Remove removes a guest, if they are still there.
func (g *Guests) Remove(ctx context.Context, id bson.ObjectID) error {
	err := g.Users.Delete(ctx, id)
	if apperr.Is(err, apperr.NotFound) { // another process removed them
		return nil
	}
	return err
}

// RemoveExpired removes the guests whose time is over. Each process does so once a minute.
func (g *Guests) RemoveExpired(ctx context.Context) error {
	for {
		oldest, err := g.Users.users.List(ctx, store.Where("_id", everyID), store.Order{"_id"}, guestsBatch)
		if err != nil || len(oldest) == 0 {
			return err
		}
		for _, u := range oldest {
			if g.DB.Now().Before(u.CreatedAt.Add(g.stay)) {
				return nil
			}
			if err := g.Remove(ctx, u.ID); err != nil {
				return err
			}
		}
	}
}
