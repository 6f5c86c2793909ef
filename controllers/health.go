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
