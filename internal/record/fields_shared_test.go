package record_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"crm/internal/platform/money"
	"crm/internal/record"
)

type (
	contextT = context.Context
	txT      = pgx.Tx
)

func amount(minor int64) money.Amount { return money.Amount{Minor: minor, Currency: "EUR"} }

// fillFirms makes many firms by SQL, which is how a test gets a large table quickly.
func (s *shop) fillFirms(t testing.TB, n int) {
	t.Helper()
	_, err := s.SQL.Owner.Exec(t.Context(), `insert into accounts (tenant_id, id, name, custom, created_at, updated_at)
	  select $1, gen_random_uuid(), 'firm ' || i, jsonb_build_object('tier', 't' || i % 1000, 'score', i), now() - i * interval '1 second', now() from generate_series(1, $2) i`, s.Tenant, n)
	if err == nil {
		_, err = s.SQL.Owner.Exec(t.Context(), `analyze accounts`)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestIndexedFieldsUseTheirIndex asks the planner, as the program's own role and under
// row level security.
func TestIndexedFieldsUseTheirIndex(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.fillFirms(t, 30_000)
	s.add(t, record.CustomField{Object: "account", Name: "tier", Type: "text", FieldSettings: record.FieldSettings{Indexed: true}},
		record.CustomField{Object: "account", Name: "score", Type: "integer", FieldSettings: record.FieldSettings{Indexed: true}})
	if _, err := s.SQL.Owner.Exec(t.Context(), `analyze custom_values`); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{"custom.tier=t7": 30, "custom.score[gte]=29991": 10, "custom.score[between]=5,9": 5, "custom.tier[in]=t1,t2": 60} {
		if n := len(s.list(t, s.firms.Object, query)); n != want {
			t.Errorf("%s: %d rows, want %d", query, n, want)
		}
		plan := s.plan(t, query)
		if !strings.Contains(plan, "custom_values_") || strings.Contains(plan, "Seq Scan") {
			t.Errorf("%s:\n%s", query, plan)
		}
	}
}

func (s *shop) plan(t testing.TB, query string) string {
	t.Helper()
	q, err := parseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.firms.ParseFilter(s.Admin, q)
	if err != nil {
		t.Fatal(err)
	}
	sql, args, err := record.ListSQL(s.Admin, s.firms.Object, record.Query{Filter: f, Limit: 50})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = s.DB.Tx(s.Admin, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `set local plan_cache_mode = force_custom_plan`); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "explain (analyze, costs off, timing off, summary off) "+sql, args...)
		if err != nil {
			return err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		out.WriteString(strings.Join(lines, "\n"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}
