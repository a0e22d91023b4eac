package dbtest

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// DB is one test's database. The pools connect on first use and are closed, and the database dropped, after the test.
type DB struct {
	AppURL, OwnerURL string        // as crm_app (row level security applies) and as crm_owner
	App, Owner       *pgxpool.Pool // 8 and 4 connections at most
}

const (
	openLimit    = 2 * time.Minute // creating a slot and its template on a busy machine
	cleanupLimit = time.Minute
	leakLimit    = 15 * time.Second // for goroutines of the test that are still on their way out
)

// New returns a fresh database with all migrations applied. A machine without PostgreSQL fails the test.
func New(t testing.TB) *DB {
	t.Helper()
	return open(t, func(ctx context.Context, s *slot, name string) error { return s.clone(ctx, name) })
}

// Empty returns a fresh database with roles and extensions but no migration, for tests of migrating itself.
func Empty(t testing.TB) *DB {
	t.Helper()
	return open(t, func(ctx context.Context, s *slot, name string) error { return s.cluster.EnsureDatabase(ctx, name) })
}

func open(t testing.TB, create func(context.Context, *slot, string) error) *DB {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), openLimit)
	defer cancel()
	s, err := shared()
	if err != nil {
		t.Fatalf("database for tests: %v", err)
	}
	name := s.nextName()
	if err := create(ctx, s, name); err != nil {
		t.Fatalf("database for this test: %v", err)
	}
	db := &DB{AppURL: s.cluster.URL("crm_app", name), OwnerURL: s.cluster.URL("crm_owner", name)}
	t.Cleanup(func() { s.drop(t, name) })
	db.App = pool(t, db.AppURL, 8)
	db.Owner = pool(t, db.OwnerURL, 4)
	return db
}

// pool opens no connection yet.
func pool(t testing.TB, url string, conns int32) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatalf("address of the test database: %v", err)
	}
	cfg.MaxConns = conns
	p, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		t.Fatalf("pool of the test database: %v", err)
	}
	t.Cleanup(func() { closePool(t, p) })
	return p
}

// closePool does not wait for ever: Close blocks while the test still has a connection of the pool in hand.
func closePool(t testing.TB, p *pgxpool.Pool) {
	t.Helper()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		p.Close()
	}()
	select {
	case <-closed:
	case <-time.After(leakLimit):
		t.Errorf("the test ended with %d database connections not given back (rows not closed, transaction not ended)", p.Stat().AcquiredConns())
	}
}
