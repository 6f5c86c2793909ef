package controllers

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/utils/respond"
)

// Health tells machines how the site is.
type Health struct{ *App }

// Routes registers the feature.
func (h Health) Routes(r middlewares.Access) {
	r.Open.Page(http.MethodGet, "/healthz", h.Live)
	r.Open.Page(http.MethodGet, "/readyz", h.Ready)
	r.Open.API(http.MethodGet, "/healthcheck", h.Ready)
	r.Admin.API(http.MethodGet, "/admin/metrics", h.Metrics)
}

// Live is GET /healthz: the process answers.
func (h Health) Live(c *gin.Context) error {
	c.String(http.StatusOK, "ok\n")
	return nil
}

// Ready is GET /readyz and /healthcheck: so does its database.
func (h Health) Ready(c *gin.Context) error {
	if err := h.DB.Ping(c); err != nil {
		return err
	}
	if respond.WantsJSON(c) {
		return respond.Show(c, "", gin.H{"status": "ok"})
	}
	return h.Live(c)
}

// Metrics is GET /api/v1/admin/metrics: what an operator watches. Scans above 0 mean that a query lacks its index; the
// log names it.
func (h Health) Metrics(c *gin.Context) error {
	return respond.Show(c, "", gin.H{"scans": h.DB.Scans()})
}
