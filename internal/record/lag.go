package record

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
)

// Lag says how far a reader is behind in the actor's tenant. Behind is counted up
// to maxLag rows; Oldest is when the first unread one was written, zero for none.
type Lag struct {
	Subscriber string
	Behind     int64
	Oldest     time.Time
	Failures   int    // of the next row, in a row
	Error      string // the last failure, "" when it works
}

// maxLag bounds what a lag counts: beyond it the exact number helps nobody.
const maxLag = 10_000

// Lags lists the readers in the order they were added. It needs the right to
// look after the journal.
func (k *Kernel) Lags(ctx context.Context) ([]Lag, error) {
	a, _, err := auth.Require(ctx, journalAdmin, auth.Execute)
	if err != nil {
		return nil, err
	}
	queries := make([]db.Query, len(k.subscribers))
	out := make([]Lag, len(k.subscribers))
	for i, s := range k.subscribers {
		out[i].Subscriber = s.Name
		queries[i] = db.Query{
			SQL: `select count(w.at), min(w.at), coalesce(max(s.failures), 0), coalesce(max(s.last_error), '')
		  from (select 1) one left join journal_subscribers s on s.tenant_id = $1 and s.name = $2
		  left join lateral (select j.at from journal j where j.tenant_id = $1 and j.seq > coalesce(s.after_seq, 0) order by j.seq limit $3) w on true`,
			Args: []any{a.TenantID, s.Name, maxLag},
		}
	}
	err = k.DB.ReadMany(ctx, queries, func(i int, rows pgx.Rows) error {
		for rows.Next() {
			var oldest *time.Time
			if err := rows.Scan(&out[i].Behind, &oldest, &out[i].Failures, &out[i].Error); err != nil {
				return err
			}
			if oldest != nil {
				out[i].Oldest = oldest.UTC()
			}
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("measure the journal's readers: %w", err)
	}
	return out, nil
}

// lagCollector tells the metrics of all tenants together: the largest lag of each
// reader, and its dead letters.
type lagCollector struct {
	k      *Kernel
	behind *prometheus.Desc
	age    *prometheus.Desc
	dead   *prometheus.Desc

	mu   sync.Mutex
	at   time.Time
	last []subscriberLag
}

type subscriberLag struct {
	name    string
	behind  int64
	seconds float64
	dead    int64
}

const (
	// lagFor is how long a measurement is good: scrapes by several Prometheus
	// servers cost one.
	lagFor = 10 * time.Second
	// lagLimit is how long a scrape may wait for the database.
	lagLimit = 5 * time.Second
)

// Collector is what the operator's registry scrapes. It is complete once all
// subscribers are added.
func (k *Kernel) Collector() prometheus.Collector {
	name := []string{"subscriber"}
	return &lagCollector{
		k:      k,
		behind: prometheus.NewDesc("crm_journal_lag_rows", "Journal rows a reader has yet to read in the tenant where it is furthest behind, counted up to 5000.", name, nil),
		age:    prometheus.NewDesc("crm_journal_lag_seconds", "Age of the oldest journal row a reader has yet to read, over all tenants.", name, nil),
		dead:   prometheus.NewDesc("crm_journal_dead_letters", "Journal rows a reader gave up on, over all tenants.", name, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *lagCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.behind, c.age, c.dead} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. With the database away it tells nothing
// rather than an old figure.
func (c *lagCollector) Collect(ch chan<- prometheus.Metric) {
	lags, err := c.measure()
	if err != nil {
		c.k.Log.Warn("measure the journal's readers", "error", err)
		return
	}
	for _, l := range lags {
		ch <- prometheus.MustNewConstMetric(c.behind, prometheus.GaugeValue, float64(l.behind), l.name)
		ch <- prometheus.MustNewConstMetric(c.age, prometheus.GaugeValue, max(l.seconds, 0), l.name)
		ch <- prometheus.MustNewConstMetric(c.dead, prometheus.GaugeValue, float64(l.dead), l.name)
	}
}

func (c *lagCollector) measure() ([]subscriberLag, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.at) < lagFor {
		return c.last, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lagLimit)
	defer cancel()
	names := make([]string, len(c.k.subscribers))
	for i, s := range c.k.subscribers {
		names[i] = s.Name
	}
	var out []subscriberLag
	err := c.k.DB.System(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `select name, behind, seconds, dead from journal_lags($1) order by name`, names)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l subscriberLag, err error) {
			return l, row.Scan(&l.name, &l.behind, &l.seconds, &l.dead)
		})
		return err
	})
	if err == nil {
		c.at, c.last = time.Now(), out
	}
	return out, err
}
