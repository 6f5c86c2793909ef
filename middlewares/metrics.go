package middlewares

import (
	"github.com/gin-gonic/gin"

	"tokentube/utils/logs"
	"tokentube/utils/metrics"
)

const metricsKey = "metrics"

// Measure counts requests, and lets what comes after it count what it does (Metrics).
func Measure(m *metrics.Metrics) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Set(metricsKey, m)
		end := m.Request()
		defer func() { end(logs.Method(c.Request), logs.Route(c.FullPath()), c.Writer.Status()) }() // also of a response that is cut off
		c.Next()
	}
}

// Metrics is where the request is counted: nil, which counts nothing, where nobody wants to know.
func Metrics(c *gin.Context) *metrics.Metrics {
	m, _ := c.Value(metricsKey).(*metrics.Metrics)
	return m
}

// The outcomes of renewals.
const (
	rotated   = "rotated"
	successor = "successor" // another request was first, and this one got the same tokens
	theft     = "theft"
	refused   = "refused" // expired, ended or not ours
	failed    = "failed"  // by the database
)
