package middlewares

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/budget"
	"tokentube/utils/respond"
)

const (
	streamsEach = 6 // a few tabs on a few devices
	streams     = 1000
	sessionLook = time.Second // how often a stream checks whether its session has ended, mostly in the cache
)

// NewStreams makes the budget for event streams in this process, per Viewer.
func NewStreams() *budget.Budget[string] {
	return budget.New[string](streamsEach, streams)
}

// Stream lets a viewer open a few event streams at once. A user's stream ends with their session: otherwise an access
// token that was valid at the start would grant access for as long as the connection lasts.
func (a *Auth) Stream(c *gin.Context) {
	ctx, end := context.WithCancel(c.Request.Context())
	defer end()
	giveBack, err := a.Streams.Take(Viewer(c), end)
	if err != nil {
		respond.Error(c, full(err, "event streams"))
		return
	}
	defer giveBack()
	c.Request = c.Request.WithContext(ctx)
	if session := Current(c).Session; session != nil {
		go func() {
			defer end()
			a.whileLive(ctx, session)
		}()
	}
	c.Next()
}

// WhileLive aborts an upload when its session ends: an upload that a user began must not complete after they are logged
// out. Without a login, it does nothing.
func (a *Auth) WhileLive(c *gin.Context) {
	session := Current(c).Session
	if session == nil || c.Request.Body == nil {
		return
	}
	ctx, end := context.WithCancel(c.Request.Context())
	defer end()
	var over atomic.Bool
	deadline := http.NewResponseController(c.Writer)
	body := c.Request.Body
	c.Request.Body = liveBody{body, &over}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if a.whileLive(ctx, session); ctx.Err() == nil {
			over.Store(true)
			_ = deadline.SetReadDeadline(time.Now()) // unblocks a pending read
		}
	}()
	c.Next()
	end()
	<-watched // the connection may carry another request after this
}

// liveBody is a body that can be read while its session lasts.
type liveBody struct {
	io.ReadCloser
	over *atomic.Bool
}

func (b liveBody) Read(p []byte) (int, error) {
	if !b.over.Load() {
		n, err := b.ReadCloser.Read(p)
		if !b.over.Load() {
			return n, err
		}
	}
	return 0, apperr.New(apperr.Unauthorized, "You were logged out during the upload.")
}

// whileLive returns when the session or ctx ends.
func (a *Auth) whileLive(ctx context.Context, s *models.Session) {
	tick := time.NewTicker(sessionLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := a.Sessions.Cached(ctx, s.ID); errors.Is(err, models.ErrSessionOver) {
			return
		}
	}
}
