package middlewares

import (
	"context"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/models"
	"tokentube/utils/budget"
	"tokentube/utils/respond"
)

const (
	streamsEach = 6 // a few tabs on a few devices
	streams     = 1000
	sessionLook = time.Second // so often a stream looks whether its session is over, mostly in the cache
)

// NewStreams makes the budget of the event streams that are open in this process, by Viewer.
func NewStreams() *budget.Budget[string] {
	return budget.New[string](streamsEach, streams)
}

// Stream lets a viewer open an event stream, a few at once. That of a user ends when their session does: an access token that was
// valid at the beginning would otherwise open the door for as long as the connection holds.
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

// whileLive returns when the session or ctx is over.
func (a *Auth) whileLive(ctx context.Context, s *models.Session) {
	tick := time.NewTicker(sessionLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := a.Sessions.Cached(ctx, s.ID); err != nil {
			return
		}
	}
}
