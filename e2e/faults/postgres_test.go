package faults_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"crm/e2e"
	"crm/e2e/faults"
	"crm/internal/platform/db/embedpg"
)

// startCluster runs a durable PostgreSQL of the test's own in dir.
func startCluster(t *testing.T, dir string) *embedpg.Cluster {
	t.Helper()
	c, err := embedpg.Start(t.Context(), embedpg.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop(context.Background()) })
	return c
}

// killPostmaster ends the server as a power cut would, and keeps it away.
func killPostmaster(t *testing.T, dir string, c *embedpg.Cluster) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "postgres", "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if syscall.Kill(pid, 0) == nil {
		t.Fatal("the postmaster lives")
	}
}

// TestDatabaseKilled (F7): nothing acknowledged is lost, nothing refused is there, the
// outage is told properly, and the program works again without being restarted.
func TestDatabaseKilled(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "crm-f7-") // not t.TempDir: the database's own user must enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // as above
		t.Fatal(err)
	}
	c := startCluster(t, dir)
	w := &world{Server: onDatabase(t, c.URL("crm_app", embedpg.Database), c.URL("crm_owner", embedpg.Database))}
	w.Start(t)
	w.api = w.tenant(t, "alpha")
	var away, odd atomic.Int64
	l := &load{api: func() *faults.Client { return w.api }, seen: func(r *faults.Reply) {
		switch {
		case r.IsAway():
			away.Add(1)
		case r.Err != nil || r.Status != 201:
			odd.Add(1)
			t.Errorf("in the outage: %v %d %.300s", r.Err, r.Status, r.Raw)
		}
	}}
	l.start(t, 8)
	for range rounds {
		l.atWork(t)
		before := away.Load()
		killPostmaster(t, dir, c)
		e2e.Until(t, time.Minute, "the outage is seen", func() bool { return away.Load() > before+20 })
		if w.Ready() {
			t.Error("ready without a database")
		}
		if r := w.api.Do("GET", "/healthz", nil); r.Status != 200 {
			t.Errorf("healthz in the outage: %v %d", r.Err, r.Status)
		}
		c = startCluster(t, dir)
		e2e.Until(t, time.Minute, "the program is ready again by itself", w.Ready)
		l.moves(t, 20)
	}
	l.stop()
	l.ledger.Compare(t, w.api.Stored(t, "leads", "last_name"))
	w.Stop(t) // before its database ends
	t.Logf("%d times told to come back", away.Load())
}

// TestBackendsTerminated (F8): connections die one by one, and whoever repeats under
// his key, or only reads, sees nothing of it.
func TestBackendsTerminated(t *testing.T) {
	t.Parallel()
	w, db := start(t, "CRM_CACHE_MB=0") // every read asks the database
	fixed := w.api.Must(t, 201, "POST", "/api/v1/leads", map[string]any{"last_name": "fixed", "email": "fixed@firm-fixed.test"}).Text("id")
	l := &load{keyed: true, api: func() *faults.Client { return w.api }, seen: func(r *faults.Reply) {
		if r.Err != nil || r.Status != 201 && !r.IsAway() {
			t.Errorf("a keyed create: %v %d %.300s", r.Err, r.Status, r.Raw)
		}
	}}
	l.start(t, 8)
	l.ledger.Begin("fixed")
	l.ledger.End("fixed", faults.OK)
	readers := reading(t, l, w.api, "/api/v1/leads/"+fixed+"?expand=owner", "fixed")
	l.atWork(t)
	killed := 0
	for range 15 * rounds {
		var n int
		err := db.App.QueryRow(t.Context(), `select count(*) filter (where pg_terminate_backend(pid)) from
		  (select pid from pg_stat_activity where datname = current_database() and application_name = 'crm' order by random() limit 2) as chosen`).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		killed += n
		l.moves(t, 10)
	}
	l.stop()
	if killed < 15 {
		t.Errorf("only %d connections were killed", killed)
	}
	if readers.bad.Load() > 0 || readers.good.Load() == 0 {
		t.Errorf("%d reads failed of %d", readers.bad.Load(), readers.bad.Load()+readers.good.Load())
	}
	l.ledger.Compare(t, w.api.Stored(t, "leads", "last_name"))
	t.Logf("%d connections killed, %d reads, %v begun again", killed, readers.good.Load(), metric(t, w.Server, "crm_db_retries_total", "connection"))
}

// readers counts reads that were right and others.
type readers struct{ good, bad atomic.Int64 }

// reading reads one record as long as the load runs; every answer must be it.
func reading(t *testing.T, l *load, api *faults.Client, path, name string) *readers {
	t.Helper()
	out := &readers{}
	for range 2 {
		l.wg.Go(func() {
			for !l.over() {
				r := api.Do("GET", path, nil)
				if r.Err == nil && r.Status == 200 && r.Text("last_name") == name {
					out.good.Add(1)
					continue
				}
				out.bad.Add(1)
				t.Errorf("read %s: %v %d %.300s", path, r.Err, r.Status, r.Raw)
			}
		})
	}
	return out
}
