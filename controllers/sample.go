package controllers

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/singleflight"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/sample"
	"tokentube/models/store"
	"tokentube/utils/respond"
)

// Samples fill an empty site that somebody tries out. They are there in development alone.
type Samples struct {
	*App
	filling *singleflight.Group
}

// NewSamples makes the feature.
func NewSamples(app *App) Samples { return Samples{app, &singleflight.Group{}} }

// Routes registers the feature.
func (s Samples) Routes(r middlewares.Access) {
	if s.Config.Env == "development" {
		r.Public.NoRenew().Page(http.MethodPost, "/sample-content", s.Create)
	}
}

// offersSamples tells whether who asks may add the sample content: somebody at this machine, in development, while there is
// nothing on the site. Whoever it is gets the login of a channel.
func (a *App) offersSamples(c *gin.Context) (bool, error) {
	if a.Config.Env != "development" || !middlewares.Here(c.Request) {
		return false, nil
	}
	n, err := a.Posts.CountUpTo(c, models.PostQuery{}, 1)
	return n == 0, err
}

// sampleTime is for slow machines.
const sampleTime = 2 * time.Minute

// Create is POST /sample-content: does what the seed command does. Two at once do it once, and are told the same login, which
// is told nobody later. It goes on when its client is gone.
func (s Samples) Create(c *gin.Context) error {
	if !middlewares.Here(c.Request) {
		return store.ErrNotFound()
	}
	added, err, _ := s.filling.Do("", func() (any, error) {
		if offered, err := s.offersSamples(c); err != nil || !offered {
			return nil, store.ErrNotFound().Because(err)
		}
		_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(sampleTime))
		return sample.Filler{Site: s.Site, Files: s.Media, Hasher: s.Hasher}.Fill(context.WithoutCancel(c.Request.Context()))
	})
	if err != nil {
		return err
	}
	return respond.Done(c, added.(sample.Added).String()+" (shown only this once)", "/", added)
}
