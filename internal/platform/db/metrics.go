package db

import "github.com/prometheus/client_golang/prometheus"

// counters are what an operator may want to know of the pool.
type counters struct {
	retries *prometheus.CounterVec
	refused *prometheus.CounterVec
	conns   *prometheus.Desc
}

func newCounters() counters {
	return counters{
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "crm_db_retries_total", Help: "Transactions and reads begun again, by cause."}, []string{"cause"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "crm_db_refused_total", Help: "Callers who waited for a connection in vain: tenant_busy for a tenant over its share, database_busy for all."}, []string{"code"}),
		conns:   prometheus.NewDesc("crm_db_connections", "Connections of the pool by state; max is how many there may be.", []string{"state"}, nil),
	}
}

// Describe and Collect make the database a collector of its own figures.
func (d *DB) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(d, ch) }

// Collect sends the figures.
func (d *DB) Collect(ch chan<- prometheus.Metric) {
	d.count.retries.Collect(ch)
	d.count.refused.Collect(ch)
	s := d.pool.Stat()
	for state, n := range map[string]int32{"used": s.AcquiredConns(), "idle": s.IdleConns(), "max": s.MaxConns()} {
		ch <- prometheus.MustNewConstMetric(d.count.conns, prometheus.GaugeValue, float64(n), state)
	}
}
