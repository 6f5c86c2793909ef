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

// Samples fill an empty site for somebody trying it out. They exist only in development.
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

// offersSamples reports whether the client may add the sample content: only in development, only from this machine, and
// only while the site is empty. Whoever adds it receives the login of a channel.
func (a *App) offersSamples(c *gin.Context) (bool, error) {
	if a.Config.Env != "development" || !middlewares.Here(c.Request) {
		return false, nil
	}
	n, err := a.Posts.CountUpTo(c, models.PostQuery{}, 1)
	return n == 0, err
}

// sampleTime is generous, for slow machines.
const sampleTime = 2 * time.Minute

// Create is POST /sample-content: does what the seed command does. Concurrent requests to one process share one run and
// its login, which is never shown again; in another process, they get 409. The run continues if its client disconnects.
func (s Samples) Create(c *gin.Context) error {
	if !middlewares.Here(c.Request) {
		return store.ErrNotFound()
	}
	added, err, _ := s.filling.Do("", func() (any, error) {
		_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(sampleTime))
		wanted := func(context.Context) error {
			if offered, err := s.offersSamples(c); err != nil || !offered {
				return store.ErrNotFound().Because(err)
			}
			return nil
		}
		return sample.Filler{Site: s.Site, Files: s.Media, Hasher: s.Hasher, Wanted: wanted}.Fill(context.WithoutCancel(c.Request.Context()))
	})
	if err != nil {
		return err
	}
	return respond.Done(c, added.(sample.Added).String()+" (shown only this once)", "/", added)
}
