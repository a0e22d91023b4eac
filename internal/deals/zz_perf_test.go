package deals_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"net/url"

	"crm/internal/deals"
	"crm/internal/record"
)

func TestZZPerf(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ex := func(sql string, args ...any) {
		if _, err := w.SQL.Owner.Exec(ctx, sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	t0 := time.Now()
	ex(`insert into deals (tenant_id, id, name, owner_id, team_id, pipeline_id, stage_id, position, amount, amount_currency, probability, weighted_amount, weighted_amount_currency, expected_close_date, status, closed_at, stage_entered_at, lost_reason, forecast_category, source, created_at, updated_at)
	select $1, gen_random_uuid(), 'Deal number '||i||' with a company of some length', case when i%20=0 then $2::uuid else $3::uuid end, null, s.pipeline_id, s.id, -1024.0*i, (random()*1e7)::bigint, case when i%10=0 then 'USD' else 'EUR' end, s.probability, (random()*1e6)::bigint, case when i%10=0 then 'USD' else 'EUR' end,
	 date '2024-01-01' + (random()*1200)::int, s.kind, case when s.kind='open' then null else timestamptz '2023-01-01' + random()*interval '1200 days' end, now(), case when s.kind='lost' then 'x' end,
	 case when s.kind='won' then 'closed' when s.kind='lost' then 'omitted' when s.probability>=80 then 'commit' when s.probability>=50 then 'best_case' else 'pipeline' end, (array['web','fair','call'])[1+i%3], now() - random()*interval '1000 days', now()
	from generate_series(1,200000) i join lateral (select * from stages where tenant_id=$1 order by position offset (case when i%10<4 then 4 when i%10<7 then 5 else i%4 end) limit 1) s on true`, w.Tenant, w.RepID, w.AdminID)
	cfg := must(pgx.ParseConfig(w.SQL.OwnerURL))(t)
	cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { fmt.Println(n.Message, n.Detail) }
	conn := must(pgx.ConnectConfig(ctx, cfg))(t)
	for range 20 {
		if _, err := conn.Exec(ctx, "vacuum (analyze) deals"); err != nil { t.Fatal(err) }
		var n int
		_ = conn.QueryRow(ctx, "select relallvisible from pg_class where relname='deals'").Scan(&n)
		fmt.Println("visible", n)
		if n > 7000 { break }
		time.Sleep(time.Second)
	}
	conn.Close(ctx)
	rows := must(w.SQL.Owner.Query(ctx, "select relname, relpages, relallvisible from pg_class where relname like 'deals%'"))(t)
	for rows.Next() { v, _ := rows.Values(); fmt.Println(v...) }
	rows = must(w.SQL.Owner.Query(ctx, "select datname, pid, state, backend_xmin::text, query from pg_stat_activity where backend_xmin is not null"))(t)
	for rows.Next() { v, _ := rows.Values(); fmt.Println(v...) }
	fmt.Println("loaded", time.Since(t0))
	explain := func(title, sql string, args ...any) {
		err := w.DB.Tx(w.Admin, func(ctx context.Context, tx pgx.Tx) error {
			for range 2 {
				rows, err := tx.Query(ctx, "explain (analyze, buffers, costs off) "+sql, args...)
				if err != nil {
					return err
				}
				lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
				if err != nil {
					return err
				}
				fmt.Println("==", title)
				fmt.Println(strings.Join(lines, "\n"))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var stages []any
	_ = stages
	ids := []string{}
	for _, s := range w.stages {
		ids = append(ids, s.String())
	}
	explain("forecast owner", fcSQL, "quarter", "owner", w.Tenant, ids, nil, nil, true, false, w.RepID, false, nil, nil, nil)
	explain("forecast none", fcSQL, "quarter", "none", w.Tenant, ids, nil, nil, true, false, w.RepID, false, nil, nil, nil)
	f0 := must(w.s.Deals.ParseFilter(w.Admin, url.Values{"amount[gt]":{"90000"}}))(t)
	found := must(w.s.Deals.IDs(w.Admin, record.Query{Filter: f0}, 1000000))(t)
	fmt.Println("ids", len(found))
	explain("filtered totals", `select d.stage_id, coalesce(d.amount_currency, '') as currency, count(*) as deals,
  coalesce(sum(d.amount), 0)::bigint as amount, coalesce(sum(d.weighted_amount), 0)::bigint as weighted
from deals d
where d.tenant_id = $1 and d.stage_id = any($2::uuid[]) and d.deleted_at is null
  and ($3::uuid[] is null or d.id in (select unnest($3::uuid[])))
group by d.stage_id, d.amount_currency`, w.Tenant, ids, found)
	measure := func(title string, f func() error) {
		var ds []time.Duration
		for range 40 {
			t1 := time.Now()
			if err := f(); err != nil {
				t.Fatal(title, err)
			}
			ds = append(ds, time.Since(t1))
		}
		slices.Sort(ds)
		fmt.Println("##", title, "p50", ds[20], "p95", ds[37])
	}
	for _, q := range []string{"source=web", "amount[gt]=90000"} {
		v, _ := url.ParseQuery(q)
		f := must(w.s.Deals.ParseFilter(w.Admin, v))(t)
		measure("IDs "+q, func() error { x, err := w.s.Deals.IDs(w.Admin, record.Query{Filter: f}, 1000000); if len(x) == 0 { return nil}; return err })
		measure("list "+q, func() error { _, err := w.s.Deals.List(w.Admin, record.Query{Filter: record.Filter{All: []record.Filter{f, w.s.Deals.Where("stage_id", record.Eq, w.stages["Won"])}}, Sort: "position", Limit: 50}); return err })
	}
	measure("board admin", func() error { _, err := w.s.Board(w.Admin, deals.BoardInput{}); return err })
	measure("board manager", func() error { _, err := w.s.Board(w.Manager, deals.BoardInput{}); return err })
	measure("board rep", func() error { _, err := w.s.Board(w.Rep, deals.BoardInput{}); return err })
	for _, q := range []string{"source=web", "amount[gt]=90000", "status=open"} {
		v, _ := url.ParseQuery(q)
		f := must(w.s.Deals.ParseFilter(w.Admin, v))(t)
		measure("board filter "+q, func() error { _, err := w.s.Board(w.Admin, deals.BoardInput{Query: record.Query{Filter: f}}); return err })
	}
	measure("forecast quarter owner", func() error { _, err := w.s.Forecast(w.Admin, deals.ForecastInput{Period: "quarter", GroupBy: "owner"}); return err })
	measure("forecast quarter", func() error { _, err := w.s.Forecast(w.Admin, deals.ForecastInput{Period: "quarter"}); return err })
	since := time.Date(2026,1,1,0,0,0,0,time.UTC)
	measure("forecast since 2026", func() error { _, err := w.s.Forecast(w.Admin, deals.ForecastInput{Period: "quarter", Since: &since}); return err })
	d := w.deal(t, w.Admin, "d", "Engaging")
	i := 0
	measure("move", func() error { i++; _, err := w.s.Move(w.Admin, d.ID, deals.MoveInput{StageID: w.stages[[]string{"Proposal","Engaging"}[i%2]]}); return err })
	t1 := time.Now()
	for b := range 9 {
		ops := make([]record.Operation, 1000)
		for i := range ops {
			ops[i] = record.Operation{Kind: record.OpUpsert, Key: "external_id", Patch: record.Patch{"external_id": fmt.Sprint(b, "-", i), "stage_id": w.stages["Won"], "amount": *eur(int64(i)), "closed_at": since, "created_at": since}}
		}
		must(w.s.Deals.Apply(importing(w.Admin), ops, true))(t)
	}
	fmt.Println("## import 9000 rows", time.Since(t1))
}

const fcSQL = `-- name: Forecast :many
with daily as (
  select case when d.status = 'won' then (d.closed_at at time zone 'utc')::date else d.expected_close_date end as day,
    case $2::text when 'owner' then d.owner_id when 'stage' then d.stage_id end as key,
    d.amount_currency as currency, d.forecast_category as category,
    count(*) as deals, sum(d.amount)::bigint as amount, sum(d.weighted_amount)::bigint as weighted
  from deals d
  where d.tenant_id = $3 and d.stage_id = any($4::uuid[]) and d.deleted_at is null
    and d.status <> 'lost' and d.forecast_category <> 'omitted'
    and ($5::timestamptz is null or case when d.status = 'won' then (d.closed_at at time zone 'utc')::date else d.expected_close_date end >= ($5::timestamptz at time zone 'utc')::date)
    and ($6::timestamptz is null or case when d.status = 'won' then (d.closed_at at time zone 'utc')::date else d.expected_close_date end < ($6::timestamptz at time zone 'utc')::date)
    and ($7::boolean or ($8::boolean and d.owner_id = $9::uuid)
    or ($10::boolean and (d.owner_id = any($11::uuid[]) or d.team_id = any($12::uuid[]))))
    and ($13::uuid[] is null or d.id in (select unnest($13::uuid[])))
  group by 1, 2, 3, 4
)
select
  (coalesce(date_trunc($1::text, y.day::timestamp), '0001-01-01') at time zone 'utc')::timestamptz as start,
  coalesce(y.key, '00000000-0000-0000-0000-000000000000')::uuid as key,
  coalesce(y.currency, '') as currency, sum(y.deals)::bigint as deals,
  coalesce(sum(y.amount) filter (where y.category = 'closed'), 0)::bigint as closed,
  coalesce(sum(y.amount) filter (where y.category = 'commit'), 0)::bigint as commit,
  coalesce(sum(y.amount) filter (where y.category = 'best_case'), 0)::bigint as best_case,
  coalesce(sum(y.amount) filter (where y.category = 'pipeline'), 0)::bigint as pipeline,
  coalesce(sum(y.weighted), 0)::bigint as weighted
from daily y
group by 1, 2, 3
order by 1, 2, 3
`
