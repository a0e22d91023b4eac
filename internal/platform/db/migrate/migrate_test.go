package migrate

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"crm/internal/platform/db/embedpg"
	"crm/migrations"
)

func TestUpFromEmptyAndAgain(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	before := must(Status(t.Context(), d.owner))(t)
	if len(before) == 0 || len(pendingOf(before)) != len(before) {
		t.Fatalf("%d of %d steps pending in an empty database", len(pendingOf(before)), len(before))
	}
	for range 2 {
		if err := Up(t.Context(), d.owner, testLog(t)); err != nil {
			t.Fatalf("up: %v", err)
		}
	}
	for _, s := range must(Status(t.Context(), d.owner))(t) {
		if !s.Applied || s.AppliedAt.IsZero() || !s.Known() {
			t.Errorf("after up: %+v", s)
		}
	}
	if n, err := Pending(t.Context(), pool(t, d.app)); n != 0 || err != nil {
		t.Errorf("pending for crm_app: %d, %v", n, err)
	}
}

func TestConcurrentUps(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if err := Up(t.Context(), d.owner, testLog(t)); err != nil {
				t.Errorf("up: %v", err)
			}
		})
	}
	all.Wait()
	var twice int
	err := pool(t, d.owner).QueryRow(t.Context(),
		"select count(*) from (select version_id from goose_db_version group by 1 having count(*) > 1) x").Scan(&twice)
	if err != nil || twice != 0 {
		t.Fatalf("%d steps applied twice, %v", twice, err)
	}
}

func TestDatabaseNewerThanTheProgramIsRefused(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	newer := source{files: with(t, "29990101000000_future_step.sql", "-- +goose Up\ncreate table future (id int);\n")}
	if err := newer.up(t.Context(), d.owner, testLog(t)); err != nil {
		t.Fatalf("up by the newer program: %v", err)
	}
	for what, err := range map[string]error{
		"up":   Up(t.Context(), d.owner, testLog(t)),
		"down": Down(t.Context(), d.owner),
	} {
		if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "29990101000000") || !strings.Contains(err.Error(), "restore the backup") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := Pending(t.Context(), pool(t, d.app)); !errors.Is(err, ErrNewer) {
		t.Errorf("pending: %v", err)
	}
	r := must(Verify(t.Context(), d.owner, ""))(t)
	if r.OK() || len(r.Pending) != 0 {
		t.Errorf("verify: %+v", r)
	}
}

func TestFailedStepLeavesTheLastWholeOne(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	const name = "29990101000000_broken_step.sql"
	broken := source{files: with(t, name, "-- +goose Up\ncreate table half (id int);\nselect 1/0;\n")}
	if err := broken.up(t.Context(), d.owner, testLog(t)); err == nil || !strings.Contains(err.Error(), name) {
		t.Fatalf("broken step: %v", err)
	}
	mended := source{files: with(t, name, "-- +goose Up\ncreate table half (id int);\n")}
	if err := mended.up(t.Context(), d.owner, testLog(t)); err != nil {
		t.Fatalf("mended step: %v", err)
	}
}

func TestStepsMergedOutOfOrder(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	if err := Up(t.Context(), d.owner, testLog(t)); err != nil {
		t.Fatal(err)
	}
	late := source{files: with(t, "20261121090001_late_merge.sql", "-- +goose Up\ncreate table late (id int);\n")}
	if err := late.up(t.Context(), d.owner, testLog(t)); err != nil {
		t.Fatalf("earlier step that came later: %v", err)
	}
}

func TestDownTakesBackOneStepAtATime(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	if err := Up(t.Context(), d.owner, testLog(t)); err != nil {
		t.Fatal(err)
	}
	own := must(embedded().ownSteps())(t)
	for want := 1; want <= len(own); want++ {
		if err := Down(t.Context(), d.owner); err != nil {
			t.Fatalf("down %d: %v", want, err)
		}
		if n := len(pendingOf(must(Status(t.Context(), d.owner))(t))); n != want {
			t.Fatalf("%d pending after %d downs", n, want)
		}
	}
	if err := Down(t.Context(), d.owner); !errors.Is(err, ErrNothing) {
		t.Errorf("down of nothing: %v", err)
	}
	if err := Up(t.Context(), d.owner, testLog(t)); err != nil {
		t.Fatalf("up after down: %v", err)
	}
}

// TestLockedTable lets the step run into the five seconds once, then frees the table.
func TestLockedTable(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	if err := Up(t.Context(), d.owner, testLog(t)); err != nil {
		t.Fatal(err)
	}
	owner := pool(t, d.owner)
	exec(t, owner, "create table busy (id int)")
	tx := must(owner.Begin(t.Context()))(t)
	defer tx.Rollback(context.Background())
	if _, err := tx.Exec(t.Context(), "lock table busy in access share mode"); err != nil {
		t.Fatal(err)
	}
	src := source{files: with(t, "29990101000000_alter.sql", "-- +goose Up\nalter table busy add column more int;\n")}
	warned := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- src.up(t.Context(), d.owner, slog.New(&signal{Handler: testLog(t).Handler(), warned: warned}))
	}()
	// Whoever comes after the waiting migration stands behind it in the queue, and is let
	// through when it gives up, although the table is still in use.
	awaitLock(t, owner)
	var n int
	if err := pool(t, d.owner).QueryRow(t.Context(), "select count(*) from busy").Scan(&n); err != nil {
		t.Fatalf("read behind a waiting migration: %v", err)
	}
	select {
	case <-warned:
	case err := <-ended:
		t.Fatalf("up on a locked table: %v", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatalf("up after the table was freed: %v", err)
	}
}

// awaitLock returns when somebody waits for the table.
func awaitLock(t *testing.T, owner *pgxpool.Pool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		var waits bool
		err := owner.QueryRow(t.Context(), "select exists (select from pg_locks where relation = 'busy'::regclass and mode = 'AccessExclusiveLock' and not granted)").Scan(&waits)
		if err != nil {
			t.Fatal(err)
		}
		if waits {
			return
		}
	}
	t.Fatal("the migration never waited for the table")
}

// signal closes a channel at the first warning.
type signal struct {
	slog.Handler
	once   sync.Once
	warned chan struct{}
}

func (s *signal) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		s.once.Do(func() { close(s.warned) })
	}
	return s.Handler.Handle(ctx, r)
}

func TestVerifySeesWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	if r := must(Verify(t.Context(), d.owner, t.TempDir()))(t); !r.OK() || len(r.Pending) == 0 {
		t.Fatalf("before up: %+v", r)
	}
	if err := Up(t.Context(), d.owner, testLog(t)); err != nil {
		t.Fatal(err)
	}
	if r := must(Verify(t.Context(), d.owner, t.TempDir()))(t); !r.OK() || len(r.Pending) != 0 {
		t.Fatalf("after up: %+v", r)
	}
	exec(t, pool(t, d.owner), "create table forgotten (tenant_id uuid); grant select on forgotten to crm_app")
	exec(t, pool(t, d.super), "drop extension unaccent cascade; alter role crm_app createdb")
	r := must(Verify(t.Context(), d.super, ""))(t)
	failed := map[string]string{}
	for _, c := range r.Checks {
		if !c.OK {
			failed[c.Name] = c.Detail + c.Next
		}
	}
	for _, name := range []string{"owner role", "application role", "extensions", "tenant isolation"} {
		if failed[name] == "" {
			t.Errorf("%s passed", name)
		}
	}
	if !strings.Contains(failed["tenant isolation"], "forgotten") {
		t.Errorf("the open table is not named: %s", failed["tenant isolation"])
	}
}

func TestFingerprintIsStable(t *testing.T) {
	t.Parallel()
	a, b := must(Fingerprint())(t), must(Fingerprint())(t)
	if a != b || len(a) != 16 {
		t.Fatalf("%s, %s", a, b)
	}
}

// with is the program's migrations and one more.
func with(t *testing.T, name, text string) fs.FS {
	t.Helper()
	files := fstest.MapFS{name: {Data: []byte(text)}}
	for _, n := range must(fs.Glob(migrations.FS, "*.sql"))(t) {
		files[n] = &fstest.MapFile{Data: must(fs.ReadFile(migrations.FS, n))(t)}
	}
	return files
}

type database struct{ owner, app, super string }

// newDatabase has a server of its own: these tests change roles and must not depend on dbtest, which depends on us.
func newDatabase(t *testing.T) database {
	t.Helper()
	c, err := embedpg.Start(t.Context(), embedpg.Config{Dir: openDir(t), FastUnsafe: true})
	if err != nil {
		t.Fatalf("start a server: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Errorf("stop the server: %v", err)
		}
	})
	return database{owner: c.URL("crm_owner", embedpg.Database), app: c.URL("crm_app", embedpg.Database), super: c.URL("postgres", embedpg.Database)}
}

func pool(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	p := must(pgxpool.New(t.Context(), url))(t)
	t.Cleanup(p.Close)
	return p
}

func exec(t *testing.T, p *pgxpool.Pool, script string) {
	t.Helper()
	if _, err := p.Exec(t.Context(), script, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatalf("%s: %v", script, err)
	}
}

func testLog(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
