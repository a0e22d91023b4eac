package faults_test

import (
	"errors"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"crm/e2e"
	"crm/e2e/faults"
	"crm/internal/platform/db/dbtest"
)

// catalogue describes a database line by line: columns, constraints, indexes with their
// validity, functions, triggers, policies, rights, and the migrations it has.
const catalogue = `
with rels as (
  select c.oid, n.nspname || '.' || c.relname as name, c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.relacl
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('public', 'river') and c.relkind in ('r', 'p', 'v', 'S', 'i', 'I', 'm'))
select 'relation ' || name || ' ' || relkind::text || ' ' || relrowsecurity || relforcerowsecurity || ' ' ||
  coalesce((select string_agg(a::text, ',' order by a::text) from unnest(relacl) as a), '') from rels
union all select 'column ' || r.name || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull || ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
  from rels r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
union all select 'constraint ' || r.name || ' ' || k.conname || ' ' || pg_get_constraintdef(k.oid) || ' ' || k.convalidated from rels r join pg_constraint k on k.conrelid = r.oid
union all select 'index ' || pg_get_indexdef(i.indexrelid) || ' ' || i.indisvalid || i.indisready from rels r join pg_index i on i.indexrelid = r.oid
union all select 'function ' || p.oid::regprocedure || ' ' || md5(pg_get_functiondef(p.oid)) || ' ' || coalesce((select string_agg(a::text, ',' order by a::text) from unnest(p.proacl) as a), '')
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('public', 'river') and p.prokind in ('f', 'p')
union all select 'trigger ' || r.name || ' ' || pg_get_triggerdef(t.oid) from rels r join pg_trigger t on t.tgrelid = r.oid and not t.tgisinternal
union all select 'policy ' || schemaname || '.' || tablename || ' ' || policyname || ' ' || cmd || ' ' || roles::text || ' ' || coalesce(qual, '') || ' ' || coalesce(with_check, '') from pg_policies
union all select 'migration ' || version_id from public.goose_db_version where is_applied
union all select 'river migration ' || line || version from river.river_migration
order by 1`

func describe(t *testing.T, db *dbtest.DB) []string {
	t.Helper()
	rows, err := db.Owner.Query(t.Context(), catalogue)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) < 500 {
		t.Fatalf("a catalogue of %d lines", len(lines))
	}
	return lines
}

// TestMigrationKilled (F31): a migration that is killed again and again ends, at the next
// start, where one that was left in peace ends.
func TestMigrationKilled(t *testing.T) {
	t.Parallel()
	db := dbtest.Empty(t)
	s := onDatabase(t, db.AppURL, db.OwnerURL)
	applied := func() int {
		var ours, queue int // 0 before there are tables
		_ = db.Owner.QueryRow(t.Context(), `select count(*) from public.goose_db_version where is_applied`).Scan(&ours)
		_ = db.Owner.QueryRow(t.Context(), `select count(*) from river.river_migration`).Scan(&queue)
		return ours + queue
	}
	kills := 0
	for range 6 * rounds {
		until := applied() + 1 + rand.IntN(8)
		s.Launch(t)
		e2e.Until(t, time.Minute, "the migration is under way", func() bool {
			for range 50 { // Until looks too seldom for this
				if applied() >= until || s.Ready() {
					return true
				}
			}
			return false
		})
		if !s.Ready() {
			kills++
		}
		s.Kill(t)
	}
	if kills == 0 {
		t.Error("every migration was over before it could be killed")
	}
	s.Start(t)
	s.Stop(t)
	if d := cmp.Diff(describe(t, dbtest.New(t)), describe(t, db)); d != "" {
		t.Errorf("after %d kills (- clean, + killed):\n%s", kills, d)
	}
	t.Logf("%d kills within a migration", kills)
}

// TestTwoStartTogether (F32): of two replicas on an empty database one migrates and the
// other waits, and both serve.
func TestTwoStartTogether(t *testing.T) {
	t.Parallel()
	clean := describe(t, dbtest.New(t))
	for range 2 * rounds {
		db := dbtest.Empty(t)
		pair := []*e2e.Server{onDatabase(t, db.AppURL, db.OwnerURL), onDatabase(t, db.AppURL, db.OwnerURL)}
		for _, s := range pair {
			s.Launch(t)
		}
		for _, s := range pair {
			e2e.Until(t, time.Minute, "both replicas are ready", s.Ready)
		}
		w := &world{Server: pair[0]}
		api := w.tenant(t, "alpha")
		id := api.Must(t, 201, "POST", "/api/v1/leads", map[string]any{"last_name": "One"}).Text("id")
		other := faults.NewClient(pair[1].URL, api.Key)
		if got := other.Must(t, 200, "GET", "/api/v1/leads/"+id, nil).Text("last_name"); got != "One" {
			t.Errorf("the other replica reads %q", got)
		}
		for _, s := range pair {
			s.Stop(t)
		}
		if d := cmp.Diff(clean, describe(t, db)); d != "" {
			t.Errorf("(- clean, + started by two):\n%s", d)
		}
	}
}

// balancer sends to a replica that is ready, as a load balancer does: it looks at
// readiness, and goes on to the next when nobody takes the connection.
type balancer struct {
	replicas []*e2e.Server
	ready    []atomic.Bool
}

func (b *balancer) watch(stop <-chan struct{}) {
	for {
		for i, s := range b.replicas {
			b.ready[i].Store(s.Ready())
		}
		select {
		case <-stop:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (b *balancer) pick() int {
	first := rand.IntN(len(b.replicas))
	for n := range b.replicas {
		if i := (first + n) % len(b.replicas); b.ready[i].Load() {
			return i
		}
	}
	return first
}

// TestRollingRestart (F33): two replicas, of which one is restarted again and again under
// load: no request that was accepted fails. That an older release works on a newer
// schema is not shown here: there is no older release to test with.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	w, db := start(t, "CRM_DRAIN=1s")
	second := onDatabase(t, db.AppURL, db.OwnerURL, "CRM_DRAIN=1s")
	second.Start(t)
	b := &balancer{replicas: []*e2e.Server{w.Server, second}, ready: make([]atomic.Bool, 2)}
	clients := []*faults.Client{w.api, faults.NewClient(second.URL, w.api.Key)}
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { b.watch(stop) })
	defer watching.Wait()
	defer close(stop)
	e2e.Until(t, time.Minute, "both are ready", func() bool { return b.ready[0].Load() && b.ready[1].Load() })
	ledger := faults.NewLedger()
	var wg sync.WaitGroup
	over := make(chan struct{})
	for n := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-over:
					return
				default:
				}
				rolling(t, b, clients, ledger, strings.Join([]string{"r", string(rune('a' + n)), time.Duration(i).String()}, "-"))
			}
		})
	}
	moves := func(more int) {
		before := ledger.Count(faults.OK)
		e2e.Until(t, time.Minute, "work goes on", func() bool { return ledger.Count(faults.OK) >= before+more })
	}
	moves(100)
	for range 2 * rounds {
		pid := second.Pid()
		second.Stop(t)
		moves(30)
		second.Start(t)
		if second.Pid() == pid {
			t.Error("it was not restarted")
		}
		moves(30)
	}
	close(over)
	wg.Wait()
	ledger.Compare(t, w.api.Stored(t, "leads", "last_name"))
}

// rolling makes one lead through the balancer; only a connection nobody took is repeated.
func rolling(t *testing.T, b *balancer, clients []*faults.Client, ledger *faults.Ledger, name string) {
	ledger.Begin(name)
	for {
		r := clients[b.pick()].Do("POST", "/api/v1/leads", map[string]any{"last_name": name, "email": name + "@firm-" + name + ".test"})
		var op *net.OpError
		if errors.As(r.Err, &op) && op.Op == "dial" {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if r.Err != nil || r.Status != 201 {
			t.Errorf("an accepted request: %v %d %.300s", r.Err, r.Status, r.Raw)
		}
		ledger.End(name, r.Outcome())
		return
	}
}
