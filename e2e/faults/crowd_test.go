package faults_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"crm/e2e"
	"crm/e2e/faults"
	"crm/internal/platform/db/dbtest"
)

// TestDeadlockStorm (F26): many clients change overlapping records in random order, in
// ways whose locks meet crosswise. None of them hears of a deadlock, and every change is
// in the journal once.
func TestDeadlockStorm(t *testing.T) {
	t.Parallel()
	const clients, records, size = 64, 24, 6
	w, db := start(t)
	ids := make([]string, records)
	for i := range ids {
		ids[i] = w.api.Must(t, 201, "POST", "/api/v1/accounts", map[string]any{"name": fmt.Sprintf("firm %d", i), "external_id": fmt.Sprintf("x%d", i)}).Text("id")
	}
	var done, inFlight atomic.Int64
	var wg sync.WaitGroup
	for n := range clients {
		wg.Go(func() {
			for round := range 4 * rounds {
				var ops []map[string]any
				for _, i := range rand.Perm(records)[:size] {
					ops = append(ops, map[string]any{"op": "update", "id": ids[i], "data": map[string]any{"industry": fmt.Sprintf("%d %d", n, round)}})
				}
				inFlight.Add(1)
				r := w.api.Do("POST", "/api/v1/accounts/batch", map[string]any{"operations": ops, "atomic": round%2 == 0})
				inFlight.Add(-1)
				if r.Err != nil || r.Status/100 != 2 {
					t.Errorf("a batch: %v %d %.300s", r.Err, r.Status, r.Raw)
					continue
				}
				done.Add(size)
			}
		})
	}
	// Somebody outside locks in the other order: a deadlock no order of ours can avoid.
	e2e.Until(t, time.Minute, "changes are acknowledged and more are in flight", func() bool { return done.Load() >= 100 && inFlight.Load() > 2 })
	slices.Sort(ids)
	crossed := false
	for range 5 {
		if crossed = crosswise(t, w, db, ids[0], ids[1]); crossed {
			done.Add(2)
			break
		}
		done.Add(2) // the rival was the one to give way
	}
	if n := metric(t, w.Server, "crm_db_retries_total", "deadlock"); !crossed || n < 1 {
		t.Errorf("no deadlock was met: %v", n)
	}
	wg.Wait()
	versions := 0.0
	for _, row := range w.api.All(t, "accounts", "fields=id,version") {
		versions += row["version"].(float64)
	}
	if want, kept := float64(done.Load()+records), journaled(t, db, "account"); versions != want || float64(kept) != want {
		t.Errorf("versions add up to %v and the journal has %d rows, of %v changes", versions, kept, want)
	}
}

// journaled counts the journal's rows about an object of the only tenant.
func journaled(t *testing.T, db *dbtest.DB, object string) (n int) {
	t.Helper()
	tx, err := db.App.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), asTheTenant); err != nil {
		t.Fatal(err)
	}
	if err := tx.QueryRow(t.Context(), `select count(*) from journal where tenant_id = app_tenant() and object = $1`, object).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// asTheTenant lets a transaction of the test see what the only tenant has.
const asTheTenant = `select set_config('app.tenant_id', (select t::text from tenant_ids() as t), true)`

// crosswise meets one batch of the product in a deadlock and reports whether it was the
// product that had to begin again. The batch succeeds in any case.
func crosswise(t *testing.T, w *world, db *dbtest.DB, low, high string) bool {
	t.Helper()
	before := metric(t, w.Server, "crm_db_retries_total", "deadlock")
	tx, err := db.App.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	lock := func(id string) error {
		var got string
		return tx.QueryRow(t.Context(), `select id from accounts where tenant_id = app_tenant() and id = $1 for update`, id).Scan(&got)
	}
	if _, err := tx.Exec(t.Context(), asTheTenant); err != nil {
		t.Fatal(err)
	}
	if err := lock(high); err != nil {
		t.Fatal(err)
	}
	answered := make(chan *faults.Reply, 1)
	go func() {
		ops := []map[string]any{{"op": "update", "id": high, "data": map[string]any{"website": "https://" + high[:8] + ".test/" + fmt.Sprint(before, time.Now().UnixNano())}}, {"op": "update", "id": low, "data": map[string]any{"website": "https://low.test/" + fmt.Sprint(time.Now().UnixNano())}}}
		answered <- w.api.Do("POST", "/api/v1/accounts/batch", map[string]any{"operations": ops, "atomic": true})
	}()
	e2e.Until(t, time.Minute, "a batch holds the low record and waits for the high one", func() bool {
		var held bool
		err := db.App.QueryRow(t.Context(), `select exists (select from pg_stat_activity where datname = current_database() and application_name = 'crm' and wait_event_type = 'Lock')`).Scan(&held)
		return err == nil && held
	})
	_ = lock(low) // one of the two is refused, and PostgreSQL chooses
	if err := tx.Rollback(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	if r := <-answered; r.Err != nil || r.Status != 200 {
		t.Errorf("a batch that met a deadlock: %v %d %.300s", r.Err, r.Status, r.Raw)
	}
	return metric(t, w.Server, "crm_db_retries_total", "deadlock") > before
}

// TestOneTenantAsksTooMuch (F27): a tenant whose queries stand still holds its share of
// the connections and no more; the others, and health, do not notice.
func TestOneTenantAsksTooMuch(t *testing.T) {
	t.Parallel()
	w, db := start(t, "CRM_CACHE_MB=0")
	quiet := w.tenant(t, "beta")
	id := w.api.Must(t, 201, "POST", "/api/v1/accounts", map[string]any{"name": "wanted"}).Text("id")
	l := &load{api: func() *faults.Client { return quiet }, seen: func(r *faults.Reply) {
		if r.Err != nil || r.Status != 201 {
			t.Errorf("another tenant: %v %d %.300s", r.Err, r.Status, r.Raw)
		}
	}}
	l.start(t, 2)
	l.atWork(t)
	// Held by the test, the record makes every change of it wait: the slowest report
	// there is.
	tx, err := db.Owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), `lock table accounts in share row exclusive mode`); err != nil {
		t.Fatal(err)
	}
	var busy, waited atomic.Int64
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() {
			r := w.api.Do(http.MethodPatch, "/api/v1/accounts/"+id, map[string]any{"industry": "mine"})
			switch {
			case r.IsAway() && r.Text("code") == "tenant_busy":
				busy.Add(1)
			case r.Err == nil && r.Status == 200:
				waited.Add(1)
			default:
				t.Errorf("the one who asks too much: %v %d %.300s", r.Err, r.Status, r.Raw)
			}
		})
	}
	e2e.Until(t, time.Minute, "the busy tenant is told to come back", func() bool { return busy.Load() > 20 })
	l.moves(t, 50)
	if !w.Ready() {
		t.Error("not ready because of one tenant")
	}
	if r := w.api.Do("GET", "/healthz", nil); r.Status != 200 {
		t.Errorf("healthz: %v %d", r.Err, r.Status)
	}
	if n := metric(t, w.Server, "crm_db_refused_total", "tenant_busy"); n == 0 {
		t.Error("no figure tells of it")
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if waited.Load() == 0 {
		t.Error("those who held a connection got no answer")
	}
	w.api.Must(t, 200, http.MethodPatch, "/api/v1/accounts/"+id, map[string]any{"industry": "again"})
	l.stop()
	l.ledger.Compare(t, quiet.Stored(t, "leads", "last_name"))
	t.Logf("%d told to come back, %d waited", busy.Load(), waited.Load())
}
