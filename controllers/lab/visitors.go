package lab

import (
	"context"
	"crypto/rand"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/controllers"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// mostGuests is how many visitors may play at once: some 10 MB.
const mostGuests = 2000

// guests are the throw-away identities of visitors. They live in a database of
// their own in this process, which nothing but the lab reads, and which leaves
// nothing behind. The code that runs on it is that of the site.
type guests struct {
	*models.Site
	now  func() time.Time
	mu   sync.Mutex
	here []guest // the oldest first
}

type guest struct {
	id    bson.ObjectID
	until time.Time
}

// openGuests opens the database, which is closed with the site's.
func openGuests(app *controllers.App) (*guests, error) {
	db, err := store.OpenScratch(app.Config.DataDir, app.Now, app.Log)
	if err != nil { // where there is a MongoDB, the folder may be missing or read-only
		db, err = store.OpenScratch(os.TempDir(), app.Now, app.Log)
	}
	if err != nil {
		return nil, err
	}
	users := models.NewUsers(db)
	g := &guests{now: app.Now, Site: &models.Site{DB: db, Users: users, Sessions: models.NewSessions(db, models.SessionPolicy{}), Events: models.NewEvents(db)}}
	app.DB.UntilClosed(g.attend)
	return g, db.Prepare(context.Background())
}

// attend removes those whose time is over until ctx ends, and closes the database
// then.
func (g *guests) attend(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			g.removeOld(ctx)
		case <-ctx.Done():
			_ = g.DB.Close(context.WithoutCancel(ctx))
			return
		}
	}
}

// add makes a new one.
func (g *guests) add(ctx context.Context) (*models.User, error) {
	g.removeOld(ctx)
	name := "visitor-" + strings.ToLower(rand.Text()[:12])
	user := &models.User{Username: name, Email: name + "@visitor.example", FullName: "A visitor"}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.here) >= mostGuests {
		return nil, apperr.Crowd(time.Minute, "Too many visitors are in the lab right now. Try again in a few minutes, or log in.")
	}
	if err := g.Users.Create(ctx, user); err != nil {
		return nil, err
	}
	g.here = append(g.here, guest{user.ID, g.now().Add(maxAge)})
	return user, nil
}

// removeOld removes those whose session has reached its limit.
func (g *guests) removeOld(ctx context.Context) {
	for _, id := range g.leave(func(one guest) bool { return !g.now().Before(one.until) }) {
		_ = g.Users.Delete(context.WithoutCancel(ctx), id) // who stays here goes with the process
	}
}

// remove removes one, with the session.
func (g *guests) remove(ctx context.Context, id bson.ObjectID) {
	for _, id := range g.leave(func(one guest) bool { return one.id == id }) {
		_ = g.Users.Delete(context.WithoutCancel(ctx), id)
	}
}

// leave takes guests off the list.
func (g *guests) leave(who func(guest) bool) (left []bson.ObjectID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.here = slices.DeleteFunc(g.here, func(one guest) bool {
		if who(one) {
			left = append(left, one.id)
			return true
		}
		return false
	})
	return left
}
