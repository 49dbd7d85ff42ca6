package caddymodule

import (
	"cmp"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/qqauth/qqauth/authcore"
)

// The counters belong to the process, so that a reload does not set them back;
// each configuration registers them in its own registry. No label's values can
// be chosen by a caller.
var (
	loginsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "qqauth_logins_total", Help: "Logins by what they ended in, or why they were refused.",
	}, []string{"result"})
	eventsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "qqauth_events_total", Help: "Audit events by name.",
	}, []string{"event"})
	guardTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "qqauth_guard_requests_total", Help: "Requests at guards by verdict.",
	}, []string{"verdict"})
	qqSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "qqauth_qq_call_seconds", Help: "Calls to QQ by call and result.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"call", "result"})
)

// Verdicts of a guard, counted without a look-up by label.
var (
	guardAdmitted        = guardTotal.WithLabelValues("admitted")
	guardPublic          = guardTotal.WithLabelValues("public")
	guardUnauthenticated = guardTotal.WithLabelValues("unauthenticated")
	guardForbidden       = guardTotal.WithLabelValues("forbidden")
	guardUnavailable     = guardTotal.WithLabelValues("unavailable")
)

// metrics is one configuration's part in them. The registry is Caddy's, made
// anew for each configuration; what it shows is that of the one in force.
type metrics struct {
	mu sync.Mutex
	qq map[authcore.AppID]string // how the last call to each application ended
}

func newMetrics(registry *prometheus.Registry) (*metrics, error) {
	m := &metrics{qq: make(map[authcore.AppID]string)}
	if registry == nil {
		return m, nil // as in tests without a configuration
	}
	for _, c := range []prometheus.Collector{
		loginsTotal, eventsTotal, guardTotal, qqSeconds,
		gauge("qqauth_store_up", "Whether the store is open and takes logins.", func() float64 {
			if app := activeApp(); app != nil && app.health().Store == storeUp {
				return 1
			}
			return 0
		}),
		nodeGauge("qqauth_feed_age_seconds", "How long ago the node last heard from its store.",
			func(n *authcore.Node) float64 { return n.FeedAge().Seconds() }),
		nodeGauge("qqauth_live_requests", "Guarded requests in flight.",
			func(n *authcore.Node) float64 { return float64(n.LiveRequests()) }),
		nodeGauge("qqauth_cached_sessions", "Sessions in the cache.",
			func(n *authcore.Node) float64 { return float64(n.CachedSessions()) }),
		gauge("qqauth_websockets", "GameSparks connections open.", func() float64 { return float64(sockets.Count()) }),
	} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	return m, nil
}

func gauge(name, help string, value func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
}

// nodeGauge is a gauge of the node of the configuration in force; not a number
// while its store is not open.
func nodeGauge(name, help string, value func(*authcore.Node) float64) prometheus.Collector {
	return gauge(name, help, func() float64 {
		if app := activeApp(); app != nil {
			if r := app.running.Load(); r != nil {
				return value(r.node)
			}
		}
		return math.NaN()
	})
}

// observeQQ returns the observer of one application's calls to QQ.
func (m *metrics) observeQQ(app authcore.AppID) func(call, result string, took time.Duration) {
	return func(call, result string, took time.Duration) {
		qqSeconds.WithLabelValues(call, result).Observe(took.Seconds())
		state := "up"
		if result == "unavailable" {
			state = "down"
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.qq[app] = state
	}
}

// qqState tells how the last call to an application ended.
func (m *metrics) qqState(app authcore.AppID) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return cmp.Or(m.qq[app], "unknown")
}

// count counts an audit event.
func (m *metrics) count(e authcore.AuditEvent) {
	eventsTotal.WithLabelValues(e.Name).Inc()
	if e.Name == authcore.AuditLogin || e.Name == authcore.AuditLoginRefused {
		loginsTotal.WithLabelValues(e.Status).Inc()
	}
}
