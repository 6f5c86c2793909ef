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

// mostGuests is how many visitors may play at once; they take about 10 MB.
const mostGuests = 2000

// guests are the throwaway identities of visitors. They live in their own database in this process, which only the lab
// reads and which leaves nothing behind. The code that runs on it is the site's.
type guests struct {
	*models.Site
	now  func() time.Time
	mu   sync.Mutex
	here []guest // oldest first
}

type guest struct {
	id    bson.ObjectID
	until time.Time
}

// openGuests opens the database. It is closed together with the site's.
func openGuests(app *controllers.App) (*guests, error) {
	db, err := store.OpenScratch(app.Config.DataDir, app.Now, app.Log)
	if err != nil { // with MongoDB, the folder may be missing or read-only
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

// attend removes expired guests until ctx ends, and then closes the database.
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

// add creates a new guest.
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

// removeOld removes the guests whose session has reached its limit.
func (g *guests) removeOld(ctx context.Context) {
	for _, id := range g.leave(func(one guest) bool { return !g.now().Before(one.until) }) {
		_ = g.Users.Delete(context.WithoutCancel(ctx), id) // on failure, they disappear when the process ends
	}
}

// remove removes a guest and their session.
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
