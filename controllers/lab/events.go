package lab

import (
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/utils/httpserver"
)

// news is what those who watch a session are told: what a run does just now. The
// zero value says only that the session may have changed.
type news struct {
	name string // step, wait
	data any
}

// progress is a step that has just happened.
type progress struct {
	Title      string `json:"title"`
	Count      int    `json:"count"`
	Status     int    `json:"status"` // 0: not a request
	StatusText string `json:"statusText"`
}

// countdown is time that a run lets pass from now on.
type countdown struct {
	Milliseconds int64  `json:"milliseconds"`
	For          string `json:"for"`
}

// watchers are the streams that are told when something happens to a session.
type watchers struct {
	mu       sync.Mutex
	sessions map[bson.ObjectID]map[chan news]bool
}

// newsKept is how much a stream may be behind before it misses something.
const newsKept = 32

// watch returns a channel that gets the news of the session; done ends it.
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

// tell tells those who watch the session, without waiting for any of them.
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

// lookAgain is how often a stream looks at its session unasked: another process
// may have ended it.
const lookAgain = 15 * time.Second

// Watch is GET /token-lab/events: the session of the lab as it changes, and what a
// run does, as server-sent events. It ends with the lab's session, with the user's
// own (middlewares.Auth.Stream), and with the server.
func (l *Lab) Watch(c *gin.Context) error {
	s, _ := l.held(c)
	if !l.alive(s) {
		c.Status(http.StatusNoContent) // tells a browser not to come back
		return nil
	}
	told, done := l.watchers.watch(s.ID)
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
