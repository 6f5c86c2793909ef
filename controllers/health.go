package controllers

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/utils/apperr"
	"tokentube/utils/httpserver"
	"tokentube/utils/respond"
)

// Health tells machines about the state of the site.
type Health struct {
	*App
	probe *probe
}

// NewHealth makes the feature.
func NewHealth(app *App) Health { return Health{app, &probe{now: app.Now}} }

// probe caches for a moment whether the disk can be written to: anybody may ask.
type probe struct {
	now func() time.Time

	mu    sync.Mutex
	until time.Time
	err   error
}

const probeEvery = 5 * time.Second

func (p *probe) ask(look func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); !now.Before(p.until) {
		p.err, p.until = look(), now.Add(probeEvery)
	}
	return p.err
}

// writable writes small files where the site stores its data.
func (h Health) writable() error {
	return errors.Join(h.DB.Writable(), h.Media.Writable())
}

// Routes registers the feature.
func (h Health) Routes(r middlewares.Access) {
	r.Open.Page(http.MethodGet, "/healthz", h.Live)
	r.Open.Page(http.MethodGet, "/readyz", h.Ready)
	r.Open.API(http.MethodGet, "/healthcheck", h.Ready)
	r.Admin.API(http.MethodGet, "/admin/metrics", h.Metrics)
}

// Live is GET /healthz: the process responds.
func (h Health) Live(c *gin.Context) error {
	c.String(http.StatusOK, "ok\n")
	return nil
}

// Ready is GET /readyz and /healthcheck: the database responds too, and both it and the media folder can be written to.
// If not, or if the process is shutting down, the response reports that, although pages are served and people can log
// in and delete.
func (h Health) Ready(c *gin.Context) error {
	select {
	case <-httpserver.Draining(c.Request.Context()):
		return apperr.New(apperr.Unavailable, "This process is about to stop.")
	default:
	}
	if err := errors.Join(h.DB.Ping(c), h.probe.ask(h.writable)); err != nil {
		return err
	}
	if respond.WantsJSON(c) {
		return respond.Show(c, "", gin.H{"status": "ok"})
	}
	return h.Live(c)
}

// Metrics is GET /api/v1/admin/metrics: figures for operators. Scans above 0 mean that a query lacks an index; the log
// names it. Queries are the database calls. If much of the data file is free, the command "compact" shrinks it.
func (h Health) Metrics(c *gin.Context) error {
	out := gin.H{"scans": h.DB.Scans(), "queries": h.DB.Queries()}
	if h.Config.MongoURI == "" {
		space, err := h.DB.Space(c)
		if err != nil {
			return err
		}
		out["database"] = gin.H{"bytes": space.Bytes, "freeBytes": space.Free}
	}
	return respond.Show(c, "", out)
}
