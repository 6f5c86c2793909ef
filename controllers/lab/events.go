package lab

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models"
	"tokentube/utils/httpserver"
)

// news is sent to the streams that watch a session: what a run is doing right now. The zero value only means that the
// session may have changed.
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

// watchers are the event streams to notify when something happens to a session. Those of other processes on the same
// database are notified through it.
type watchers struct {
	shared *models.Broadcasts // nil: no other process shares the database
	log    *slog.Logger

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

// tell notifies the streams of the session, without waiting for any of them. If processes share the database, the news
// goes there, and the streams of this process only learn that they should read it: so no stream gets anything twice.
func (w *watchers) tell(ctx context.Context, id bson.ObjectID, n news) {
	if w.shared != nil {
		if err := w.send(ctx, id, n); err != nil {
			w.log.DebugContext(ctx, "a step of the lab reaches no event stream", "error", err)
		}
		n = news{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for told := range w.sessions[id] {
		select {
		case told <- n:
		default:
		}
	}
}

func (w *watchers) send(ctx context.Context, id bson.ObjectID, n news) error {
	data, err := json.Marshal(n.data)
	if err != nil {
		return err
	}
	return w.shared.Send(ctx, id, models.News{Name: n.name, Data: string(data)})
}

const (
	// lookAgain is how often a stream checks its session without news: something other than the lab may have ended it.
	lookAgain = 15 * time.Second
	// lookElsewhere is how often it checks what other processes did, if any share the database.
	lookElsewhere = time.Second
)

// listener is the receiving end of a stream.
type listener struct {
	*watchers
	session bson.ObjectID
	told    chan news
	heard   models.Heard
	again   *time.Ticker
	poll    <-chan time.Time // nil: no other process shares the database
}

// listen subscribes to the session's news; done ends that.
func (w *watchers) listen(ctx context.Context, id bson.ObjectID) (l *listener, done func(), err error) {
	told, leave := w.watch(id)
	l = &listener{watchers: w, session: id, told: told, again: time.NewTicker(lookAgain)}
	done = func() { leave(); l.again.Stop() }
	if w.shared != nil {
		poll := time.NewTicker(lookElsewhere)
		l.poll, done = poll.C, func() { leave(); l.again.Stop(); poll.Stop() }
		_, _, err = w.shared.Since(ctx, id, &l.heard) // what happened before isn't news
	}
	return l, done, err
}

// turn is why a stream stopped waiting.
type turn int

const (
	heard turn = iota
	quiet      // for lookAgain: the stream ends if its session has
	ended
)

// next waits until there is news, or it is time to check the session again.
func (l *listener) next(ctx context.Context) (all []news, why turn) {
	for {
		var n news
		select {
		case n = <-l.told:
			if l.shared == nil {
				return []news{n}, heard
			}
		case <-l.poll:
		case <-l.again.C:
			return nil, quiet
		case <-ctx.Done():
			return nil, ended
		case <-httpserver.Ending(ctx):
			return nil, ended
		}
		items, changed, err := l.shared.Since(ctx, l.session, &l.heard)
		if err != nil {
			return nil, ended // the browser reconnects
		}
		if !changed {
			continue
		}
		for _, item := range items {
			all = append(all, news{item.Name, json.RawMessage(item.Data)})
		}
		return all, heard
	}
}

// Watch is GET /token-lab/events: the lab's session as it changes and the progress of a run, as server-sent events. It
// ends with the lab's session, with the user's own (middlewares.Auth.Stream), or with the server.
func (l *Lab) Watch(c *gin.Context) error {
	s, _ := l.held(c)
	if !l.alive(s) {
		c.Status(http.StatusNoContent) // tells the browser not to reconnect
		return nil
	}
	ear, done, err := l.watchers.listen(c, s.ID)
	defer done()
	if err != nil {
		return err
	}
	c.Header("Content-Type", "text/event-stream")
	c.Header("Cache-Control", "no-store")
	c.Header("X-Accel-Buffering", "no") // asks proxies to pass it on immediately
	for {
		now, err := l.Sessions.OfUserByID(c, s.User, s.ID)
		if err != nil {
			return nil
		}
		c.SSEvent("session", l.newSession(now))
		c.Writer.Flush()
		all, why := ear.next(c.Request.Context())
		if why == ended || why == quiet && !l.alive(now) {
			return nil
		}
		for _, n := range all {
			if n.name != "" {
				c.SSEvent(n.name, n.data)
			}
		}
	}
}
