package messaging

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what an operator watches. Labels are the bounded words of the
// journal; no tenant, no address.
type metrics struct {
	results *prometheus.CounterVec
	waits   prometheus.Histogram
	refused prometheus.Counter
	age     prometheus.GaugeFunc
	behind  atomic.Int64 // nanoseconds
}

func newMetrics() *metrics {
	m := &metrics{
		results: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "crm_messages_total", Help: "What became of attempts: sent, deferred, bounced, failed, in_doubt."}, []string{"result"}),
		waits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "crm_message_wait_seconds", Help: "From the moment a message was due to its claim.",
			Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 15, 60, 300, 1800},
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "crm_message_stale_results_total", Help: "Results that came after the message had moved on."}),
	}
	m.age = prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "crm_message_queue_age_seconds", Help: "How long the oldest due message without a job has waited."},
		func() float64 { return time.Duration(m.behind.Load()).Seconds() })
	for _, word := range []string{Sent, "deferred", Bounced, Failed, InDoubt} {
		m.results.WithLabelValues(word)
	}
	return m
}

func (m *metrics) count(act string)     { m.results.WithLabelValues(act).Inc() }
func (m *metrics) wait(d time.Duration) { m.waits.Observe(d.Seconds()) }
func (m *metrics) stale()               { m.refused.Inc() }

// oldest notes how far the dispatcher is behind; due is in the order of time.
func (m *metrics) oldest(due []found, now time.Time) {
	if len(due) == 0 {
		m.behind.Store(0)
		return
	}
	m.behind.Store(int64(now.Sub(due[0].DueAt)))
}

// Collector is what the operator's registry scrapes.
func (s *Service) Collector() prometheus.Collector { return s.metrics }

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	m.results.Describe(ch)
	m.waits.Describe(ch)
	m.refused.Describe(ch)
	m.age.Describe(ch)
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	m.results.Collect(ch)
	m.waits.Collect(ch)
	m.refused.Collect(ch)
	m.age.Collect(ch)
}
