package middlewares

import (
	"github.com/gin-gonic/gin"

	"tokentube/utils/logs"
	"tokentube/utils/metrics"
)

const metricsKey = "metrics"

// Measure counts requests, and makes the metrics available to later handlers (Metrics).
func Measure(m *metrics.Metrics) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Set(metricsKey, m)
		end := m.Request()
		defer func() { end(logs.Method(c.Request), logs.Route(c.FullPath()), c.Writer.Status()) }() // also for an aborted response
		c.Next()
	}
}

// Metrics is where the request is counted: nil, which counts nothing, if metrics are off.
func Metrics(c *gin.Context) *metrics.Metrics {
	m, _ := c.Value(metricsKey).(*metrics.Metrics)
	return m
}

// The outcomes of renewals.
const (
	rotated   = "rotated"
	successor = "successor" // another request came first, and this one got the same tokens
	theft     = "theft"
	refused   = "refused" // expired, ended or not ours
	failed    = "failed"  // because of the database
)
