package lab

import (
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/utils/httpserver"
)

// watchers are the streams that are told when something happens to a session.
type watchers struct {
	mu       sync.Mutex
	sessions map[bson.ObjectID]map[chan struct{}]bool
}

// watch returns a channel that is sent to when the session has changed; done ends
// it.
func (w *watchers) watch(id bson.ObjectID) (changed chan struct{}, done func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sessions == nil {
		w.sessions = map[bson.ObjectID]map[chan struct{}]bool{}
	}
	if w.sessions[id] == nil {
		w.sessions[id] = map[chan struct{}]bool{}
	}
	changed = make(chan struct{}, 1)
	w.sessions[id][changed] = true
	return changed, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.sessions[id], changed)
		if len(w.sessions[id]) == 0 {
			delete(w.sessions, id)
		}
	}
}

// tell tells those who watch the session, without waiting for any of them.
func (w *watchers) tell(id bson.ObjectID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for changed := range w.sessions[id] {
		select {
		case changed <- struct{}{}:
		default: // it has been told and has not looked yet
		}
	}
}

// lookAgain is how often a stream looks at its session unasked: another process
// may have ended it.
const lookAgain = 15 * time.Second

// Watch is GET /token-lab/events: the session of the lab as it changes, as
// server-sent events. It ends with the lab's session, with the user's own
// (middlewares.Auth.Stream), and with the server.
func (l *Lab) Watch(c *gin.Context) error {
	s, _ := l.held(c)
	if !l.alive(s) {
		c.Status(http.StatusNoContent) // tells a browser not to come back
		return nil
	}
	changed, done := l.watchers.watch(s.ID)
	defer done()
	c.Header("Content-Type", "text/event-stream")
	c.Header("Cache-Control", "no-store")
	c.Header("X-Accel-Buffering", "no") // to a proxy: pass it on at once
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		now, err := l.Sessions.OfUserByID(c, s.User, s.ID)
		if err != nil {
			return nil
		}
		c.SSEvent("session", newSession(now))
		c.Writer.Flush()
		if !l.alive(now) {
			return nil
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-c.Request.Context().Done():
			return nil
		case <-httpserver.Ending(c.Request.Context()):
			return nil
		}
	}
}
