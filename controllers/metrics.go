package controllers

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/utils/apperr"
	"tokentube/utils/mail"
	"tokentube/utils/metrics"
)

// Measure enables the metrics. Call it before registering the routes: without it, nothing is counted, at no cost.
func (a *App) Measure(m *metrics.Metrics) {
	a.Metrics = m
	a.Hasher.OnWait(m.HashWait)
	a.DB.Observe(m.Database)
	m.Gauge("password_hash_waiting", "Passwords that wait for their turn to be hashed.", func() float64 { return float64(a.Hasher.Waiting()) })
	m.Counter("password_hashes_total", "Passwords that were hashed.", func() float64 { return float64(a.Hasher.Hashes()) })
	m.Counter("database_scans_total", "Queries that read a whole collection of the embedded database, for want of an index.", func() float64 { return float64(a.DB.Scans()) })
	m.Counter("media_received_bytes_total", "Bytes of uploaded files that were stored.", func() float64 { in, _ := a.Media.Traffic(); return float64(in) })
	m.Counter("media_sent_bytes_total", "Bytes of files that were read to be sent.", func() float64 { _, out := a.Media.Traffic(); return float64(out) })
	m.Gauge("background_jobs_running", "Work that runs and that no request waits for.", func() float64 { running, _, _ := a.DB.Work(); return float64(running) })
	m.Counter("background_jobs_total", "Work that ran without a request that waits for it.", func() float64 { _, done, _ := a.DB.Work(); return float64(done) })
	m.Counter("background_job_failures_total", "Failures of work in the background, some of which is tried again.", func() float64 { _, _, failed := a.DB.Work(); return float64(failed) })
	for _, cache := range a.DB.Caches() {
		m.Counter("cache_hits_total", "Documents that were found in the cache.", func() float64 { hits, _ := cache.Read(); return float64(hits) }, "kind", cache.Kind)
		m.Counter("cache_misses_total", "Documents that were not found in the cache.", func() float64 { _, misses := cache.Read(); return float64(misses) }, "kind", cache.Kind)
	}
	m.Gauge("sessions_live", "Logins that have not ended. At most 100000 are counted, every five minutes.", a.seldom(5*time.Minute, 100_000, a.Sessions.CountLive))
	m.Gauge("mails_waiting", "Mails that wait to be sent. At most 1000 are counted, every 15 seconds.", a.seldom(15*time.Second, 1000, a.Mails.CountWaiting))
}

// countTime is how long a scrape waits for a count.
const countTime = 5 * time.Second

// seldom counts documents when scraped, but not more often than the given interval, and only up to a limit, so the cost
// doesn't grow with the site. If counting fails, the result is NaN.
func (a *App) seldom(every time.Duration, most int, count func(ctx context.Context, limit int) (int, error)) func() float64 {
	var mu sync.Mutex
	var until time.Time
	last := math.NaN()
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		if now := a.Now(); !now.Before(until) {
			until, last = now.Add(every), math.NaN()
			ctx, cancel := context.WithTimeout(context.Background(), countTime)
			defer cancel()
			if n, err := count(ctx, most); err == nil {
				last = float64(n)
			}
		}
		return last
	}
}

// countLogin counts a login, or one of its two steps, by its outcome.
func countLogin(c *gin.Context, halfway bool, err error) {
	outcome := "failed"
	switch {
	case err == nil && halfway:
		outcome = "second_step"
	case err == nil:
		outcome = "ok"
	case apperr.Is(err, apperr.Unauthorized):
		outcome = "wrong"
	case apperr.Is(err, apperr.Invalid), apperr.Is(err, apperr.Conflict):
		outcome = "incomplete"
	case apperr.Is(err, apperr.Forbidden):
		outcome = "disabled"
	case apperr.Is(err, apperr.RateLimited):
		outcome = "limited"
	case apperr.From(err).Crowded:
		outcome = "crowded"
	}
	middlewares.Metrics(c).Login(outcome)
}

// countMail counts an email by the outcome of this attempt.
func (a *App) countMail(err error) {
	outcome := "failed"
	switch {
	case err == nil:
		outcome = "sent"
	case errors.Is(err, mail.ErrRefused):
		outcome = "refused"
	}
	a.Metrics.Mail(outcome)
}
