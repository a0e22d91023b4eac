package scoring_test

import (
	"testing"
	"time"

	"crm/internal/record"
)

func TestZZMeasure(t *testing.T) {
	w := newWorld(t)
	fields, list := bank(t, 1)
	w.K.AddCustomFields(w.Admin, fields)
	w.create(t, list)
	w.SQL.Owner.Exec(t.Context(), "analyze leads")
	f, _ := w.leads.Def.Field("status")
	for range 2 {
		q := record.Query{Limit: 200, Sort: "-id", Filter: record.Filter{Cond: &record.Cond{Field: f, Op: record.In, Values: []any{"converted", "disqualified"}}}}
		t0 := time.Now()
		n := 0
		for {
			p, err := w.leads.List(w.Admin, q)
			if err != nil {
				t.Fatal(err)
			}
			n += len(p.Records)
			if q.Cursor = p.Next; q.Cursor == "" {
				break
			}
		}
		t.Logf("load %d: %v", n, time.Since(t0))
	}
	rows, _ := w.SQL.Owner.Query(t.Context(), "explain analyze select t.* from leads t where tenant_id = $1 and deleted_at is null and status = any($2) and (id <= $3 and (id < $3 or id < $3)) order by id desc, id desc limit 201", w.Tenant, []string{"converted", "disqualified"}, "ffffffff-0000-0000-0000-000000000000")
	for rows.Next() {
		var s string
		rows.Scan(&s)
		t.Log(s)
	}
}
