package exporting_test

import (
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"crm/internal/record/exporting"
)

// BenchmarkRows exports contacts in each format; rows/s and the peak of the heap are
// the figures. EXPORT_ROWS sets how many there are.
func BenchmarkRows(b *testing.B) {
	rows := 20_000
	if n, err := strconv.Atoi(os.Getenv("EXPORT_ROWS")); err == nil {
		rows = n
	}
	w := newWorld(b)
	fill(w, rows)
	for _, format := range exporting.Formats {
		b.Run(string(format), func(b *testing.B) { w.measure(b, exporting.Options{Object: "contact", Format: format}, int64(rows)) })
	}
	b.Run("csv-by-name", func(b *testing.B) {
		w.measure(b, exporting.Options{Object: "contact", Query: query("sort=last_name,first_name")}, int64(rows))
	})
}

// fill makes contacts as the owner of the tables: a million by the kernel would take
// longer than all of the measuring.
func fill(w *world, rows int) {
	w.t.Helper()
	for _, sql := range []string{
		`insert into accounts (tenant_id, id, name, created_at, updated_at) select $1, gen_random_uuid(), 'Company ' || n, now(), now() from generate_series(1, $2::int / 100 + 1) n`,
		`with a as (select array_agg(id) ids from accounts where tenant_id = $1)
		 insert into contacts (tenant_id, id, first_name, last_name, email, emails, phone, phones, title, account_id, source, address, owner_id, tags, created_at, updated_at)
		 select $1, gen_random_uuid(), 'Ann', 'Smith ' || n, 'ann' || n || '@example.com', jsonb_build_array(jsonb_build_object('value', 'ann' || n || '@example.com', 'label', 'work', 'primary', true)),
		   '+4930' || (1000000 + n), jsonb_build_array(jsonb_build_object('value', '+4930' || (1000000 + n), 'label', 'work', 'primary', true)), 'Head of Sales', a.ids[1 + n % cardinality(a.ids)],
		   'web', '{"street": "Main Street 1", "city": "Berlin", "country": "DE"}', (select id from users where tenant_id = $1 limit 1), '{new,vip}', now() - n * interval '1 second', now()
		 from a, generate_series(1, $2::int) n`,
	} {
		if _, err := w.SQL.Owner.Exec(w.t.Context(), sql, w.Tenant, rows); err != nil {
			w.t.Fatal(err)
		}
	}
	if _, err := w.SQL.Owner.Exec(w.t.Context(), `analyze contacts`); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) measure(b *testing.B, opts exporting.Options, rows int64) {
	var peak atomic.Uint64
	stop := make(chan struct{})
	defer close(stop)
	go watchHeap(&peak, stop)
	var size int64
	for b.Loop() {
		e, err := w.s.Create(w.Admin, opts)
		if err != nil {
			b.Fatal(err)
		}
		if e, err = w.s.Run(w.Admin, e.ID); err != nil || e.Rows != rows {
			b.Fatal(e, err)
		}
		size = e.Bytes
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(peak.Load())/(1<<20), "heap-MiB")
	b.ReportMetric(float64(size)/(1<<20), "file-MiB")
}

func watchHeap(peak *atomic.Uint64, stop <-chan struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapInuse))
		}
	}
}
