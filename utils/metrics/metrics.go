// Package metrics counts what the site does, for a Prometheus server to scrape. It is the only package that knows
// Prometheus: others call its methods, or register functions that are read on each scrape (Counter, Gauge).
//
// A nil *Metrics counts nothing. Labels have few values, none of which a client can choose: a route's pattern, never
// its path.
//
// Does not belong here: what is worth counting (controllers/metrics.go).
package metrics

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"
)

const namespace = "tokentube_"

// Metrics are the metrics of one site.
type Metrics struct {
	registry *prometheus.Registry
	scrape   sync.Mutex

	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
	logins   *prometheus.CounterVec
	renewals *prometheus.CounterVec
	refusals *prometheus.CounterVec
	mails    *prometheus.CounterVec
	hashWait prometheus.Histogram
	database *prometheus.HistogramVec
	faults   *prometheus.CounterVec
}

// New makes the metrics, all zero, including those of the Go runtime and the process.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: counters("http_requests_total", "Requests that were answered.", "method", "route", "status"),
		duration: histograms("http_request_duration_seconds", "How long requests took, from the head to the last byte. Uploads, downloads and event streams take long.",
			[]float64{.005, .025, .1, .25, 1, 5, 30}, "method", "route"),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: namespace + "http_requests_in_flight", Help: "Requests under way."}),
		logins:   counters("logins_total", "Logins that were tried.", "outcome"),
		renewals: counters("renewals_total", "Refresh tokens that were exchanged, or refused.", "outcome"),
		refusals: counters("rate_limit_refusals_total", "Requests that a rate limit refused.", "limit"),
		mails:    counters("mails_total", "Mails that were tried to send.", "outcome"),
		hashWait: prometheus.NewHistogram(prometheus.HistogramOpts{Name: namespace + "password_hash_wait_seconds",
			Help: "How long passwords waited for their turn to be hashed, also those that gave up.", Buckets: []float64{.001, .01, .1, .5, 1, 2.5, 5}}),
		database: histograms("database_operation_duration_seconds", "How long the database took, with what was done with each document that it returned.",
			[]float64{.0001, .001, .005, .025, .1, .5, 2.5}, "kind", "operation"),
		faults: counters("database_errors_total", "Calls of the database that failed. What isn't found, or not unique, is no failure.", "kind", "operation", "reason"),
	}
	m.registry.MustRegister(m.requests, m.duration, m.inFlight, m.logins, m.renewals, m.refusals, m.mails, m.hashWait, m.database, m.faults,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: namespace + name, Help: help}, labels)
}

func histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: namespace + name, Help: help, Buckets: buckets}, labels)
}

// Counter registers a number that only grows and that the caller maintains. Labels are alternating names and values.
func (m *Metrics) Counter(name, help string, read func() float64, labels ...string) {
	m.registry.MustRegister(prometheus.NewCounterFunc(
		prometheus.CounterOpts{Name: namespace + name, Help: help, ConstLabels: pairs(labels)}, read))
}

// Gauge registers a number that goes up and down and that the caller maintains.
func (m *Metrics) Gauge(name, help string, read func() float64, labels ...string) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(
		prometheus.GaugeOpts{Name: namespace + name, Help: help, ConstLabels: pairs(labels)}, read))
}

func pairs(list []string) prometheus.Labels {
	labels := prometheus.Labels{}
	for pair := range slices.Chunk(list, 2) {
		labels[pair[0]] = pair[1]
	}
	return labels
}

// Request counts a request that begins. Call the returned function when it ends, with its method and route as returned
// by logs.Method and logs.Route.
func (m *Metrics) Request() (end func(method, route string, status int)) {
	start := time.Now()
	m.inFlight.Inc()
	return func(method, route string, status int) {
		m.inFlight.Dec()
		m.requests.WithLabelValues(method, route, class(status)).Inc()
		m.duration.WithLabelValues(method, route).Observe(time.Since(start).Seconds())
	}
}

func class(status int) string {
	if status < 100 || status > 599 {
		return "other"
	}
	return strconv.Itoa(status/100) + "xx"
}

// Login counts a login attempt. The outcomes are constants, here and in the methods that follow.
func (m *Metrics) Login(outcome string) {
	if m != nil {
		m.logins.WithLabelValues(outcome).Inc()
	}
}

// Renewal counts an attempt to exchange a refresh token.
func (m *Metrics) Renewal(outcome string) {
	if m != nil {
		m.renewals.WithLabelValues(outcome).Inc()
	}
}

// Refusal counts a request that exceeded a limit.
func (m *Metrics) Refusal(limit string) {
	if m != nil {
		m.refusals.WithLabelValues(limit).Inc()
	}
}

// Mail counts an attempt to send a mail.
func (m *Metrics) Mail(outcome string) {
	if m != nil {
		m.mails.WithLabelValues(outcome).Inc()
	}
}

// HashWait records how long a password waited for its turn.
func (m *Metrics) HashWait(d time.Duration) { m.hashWait.Observe(d.Seconds()) }

// Database records a database call. Reason is why it failed, and empty if it succeeded.
func (m *Metrics) Database(kind, operation, reason string, took time.Duration) {
	m.database.WithLabelValues(kind, operation).Observe(took.Seconds())
	if reason != "" {
		m.faults.WithLabelValues(kind, operation, reason).Inc()
	}
}

// ServeHTTP serves GET /metrics in Prometheus's text format, one request at a time: collecting the metrics takes work.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != "/metrics":
		http.Error(w, "The metrics are at /metrics.", http.StatusNotFound)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "The metrics can only be read.", http.StatusMethodNotAllowed)
		return
	}
	m.scrape.Lock()
	families, err := m.registry.Gather()
	m.scrape.Unlock()
	if err != nil {
		http.Error(w, "The metrics can't be read: "+err.Error(), http.StatusInternalServerError)
		return
	}
	format := expfmt.NewFormat(expfmt.TypeTextPlain)
	w.Header().Set("Content-Type", string(format))
	w.Header().Set("Cache-Control", "no-store")
	encoder := expfmt.NewEncoder(w, format)
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return // the client disconnected
		}
	}
}
