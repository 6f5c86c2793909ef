package lab

import (
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/utils/httpserver"
)

// news is sent to the watchers of a session: what a run is doing right now. The zero value only means that the session
// may have changed.
type news struct {
	name string // step, wait
	data any
}

// progress is a step that just happened.
type progress struct {
	Title      string `json:"title"`
	Count      int    `json:"count"`
	Status     int    `json:"status"` // 0: not a request
	StatusText string `json:"statusText"`
}

// countdown is how long a run waits from now.
type countdown struct {
	Milliseconds int64  `json:"milliseconds"`
	For          string `json:"for"`
}

// watchers are the streams to notify when something happens to a session.
type watchers struct {
	mu       sync.Mutex
	sessions map[bson.ObjectID]map[chan news]bool
}

// newsKept is how far a stream may fall behind before it misses news.
const newsKept = 32

// watch returns a channel that receives the session's news, until done is called.
func (w *watchers) watch(id bson.ObjectID) (told chan news, done func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sessions == nil {
		w.sessions = map[bson.ObjectID]map[chan news]bool{}
	}
	if w.sessions[id] == nil {
		w.sessions[id] = map[chan news]bool{}
	}
	told = make(chan news, newsKept)
	w.sessions[id][told] = true
	return told, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.sessions[id], told)
		if len(w.sessions[id]) == 0 {
			delete(w.sessions, id)
		}
	}
}

// tell notifies the session's watchers without blocking on any of them.
func (w *watchers) tell(id bson.ObjectID, n news) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for told := range w.sessions[id] {
		select {
		case told <- n:
		default:
		}
	}
}

// lookAgain is how often a stream checks its session without being notified: another process may have ended it.
const lookAgain = 15 * time.Second

// Watch is GET /token-lab/events: the lab's session as it changes and the progress of a run, as server-sent events. It
// ends with the lab's session, with the user's own (middlewares.Auth.Stream), or with the server.
func (l *Lab) Watch(c *gin.Context) error {
	s, _ := l.held(c)
	if !l.alive(s) {
		c.Status(http.StatusNoContent) // tells the browser not to reconnect
		return nil
	}
	told, done := l.watchers.watch(s.ID)
	defer done()
	c.Header("Content-Type", "text/event-stream")
	c.Header("Cache-Control", "no-store")
	c.Header("X-Accel-Buffering", "no") // asks proxies to pass it on immediately
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		now, err := l.Sessions.OfUserByID(c, s.User, s.ID)
		if err != nil {
			return nil
		}
		c.SSEvent("session", l.newSession(now))
		c.Writer.Flush()
		select {
		case n := <-told:
			if n.name != "" {
				c.SSEvent(n.name, n.data)
			}
		case <-tick.C:
			if !l.alive(now) {
				return nil
			}
		case <-c.Request.Context().Done():
			return nil
		case <-httpserver.Ending(c.Request.Context()):
			return nil
		}
	}
}
