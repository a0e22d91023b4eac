package cache

import "github.com/prometheus/client_golang/prometheus"

// metrics count what was asked of which tier with which result:
//
//	local  hit, miss
//	redis  hit, miss, foreign (another tenant's), broken (not ours or unreadable), away (gone, slow or being left alone)
type metrics struct {
	space    *Space
	requests *prometheus.CounterVec
	bytes    *prometheus.Desc
}

func newMetrics(s *Space) *metrics {
	return &metrics{
		space: s,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "crm_cache_requests_total", Help: "Values asked for, by cache, tier and result.",
		}, []string{"cache", "tier", "result"}),
		bytes: prometheus.NewDesc("crm_cache_bytes", "What a cache holds in this process: bytes, or entries where it is bounded by entries.", []string{"cache"}, nil),
	}
}

// tally is the counters of one cache, looked up once.
type tally struct {
	localHit, localMiss, redisHit, redisMiss, foreign, broken, away prometheus.Counter
}

func (m *metrics) tally(cache string) tally {
	of := func(tier, result string) prometheus.Counter { return m.requests.WithLabelValues(cache, tier, result) }
	return tally{
		localHit: of("local", "hit"), localMiss: of("local", "miss"), redisHit: of("redis", "hit"), redisMiss: of("redis", "miss"),
		foreign: of("redis", "foreign"), broken: of("redis", "broken"), away: of("redis", "away"),
	}
}

// Describe and Collect make a space a prometheus.Collector.
func (s *Space) Describe(ch chan<- *prometheus.Desc) {
	s.metrics.requests.Describe(ch)
	ch <- s.metrics.bytes
}

// Collect reads the counters and the sizes of now.
func (s *Space) Collect(ch chan<- prometheus.Metric) {
	s.metrics.requests.Collect(ch)
	s.mu.RLock()
	defer s.mu.RUnlock()
	for name, list := range s.caches {
		var sum uint64
		for _, c := range list {
			sum += c.bytes()
		}
		ch <- prometheus.MustNewConstMetric(s.metrics.bytes, prometheus.GaugeValue, float64(sum), name)
	}
}
