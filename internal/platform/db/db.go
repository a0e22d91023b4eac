// Package db is the only door to PostgreSQL.
//
// Tx is the one way to write and Read the one way to read. Both take the tenant
// from the Actor in the context and set app.tenant_id for exactly one
// transaction, where row level security picks it up; without an actor they
// refuse. Read sends the setting and the query in one round trip, because four
// statements cost more than twice one. System is for the few queries that are
// about no tenant or all of them (sign-in look-ups, River).
//
// Not for: network calls inside Tx (they would hold locks while waiting), nor
// for settings that outlive the transaction.
package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"crm/internal/platform/auth"
)

// DB wraps the pool of the application role.
type DB struct {
	pool *pgxpool.Pool
}

// defaultConns is more than cores: a connection mostly waits for the other end. An
// embedded cluster allows about a hundred.
const defaultConns = 24

// Open connects as the application role. The role must not own tables or bypass
// row level security; Open refuses such a role, because then tenants would leak.
func Open(ctx context.Context, url string, maxConns int) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read database url: %w", err)
	}
	if maxConns == 0 {
		maxConns = defaultConns
	}
	cfg.MaxConns = int32(maxConns) //nolint:gosec // small numbers of our own
	cfg.MaxConnIdleTime = 5 * time.Minute
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	cfg.ConnConfig.RuntimeParams["application_name"] = "crm"
	cfg.AfterConnect = useUUIDs
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open database pool: %w", err)
	}
	d := &DB{pool: pool}
	if err := d.checkRole(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return d, nil
}

// checkRole fails closed on a connection that row level security would not bind.
func (d *DB) checkRole(ctx context.Context) error {
	var name string
	var super, bypass bool
	err := d.pool.QueryRow(ctx, `select rolname, rolsuper, rolbypassrls from pg_roles where rolname = current_user`).
		Scan(&name, &super, &bypass)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	if super || bypass {
		return fmt.Errorf("the database role %q bypasses row level security; connect as crm_app instead (CRM_DATABASE_URL)", name)
	}
	return nil
}

// Pool is for River and health checks only.
func (d *DB) Pool() *pgxpool.Pool { return d.pool }

// Close waits for connections to come back and closes them.
func (d *DB) Close() { d.pool.Close() }

type txKey struct{}

type txState struct {
	tx     pgx.Tx
	tenant uuid.UUID
	after  []func()
	ended  []func()
	marks  map[any]bool
}

const setTenant = `select set_config('app.tenant_id', $1, true)`

// setTenantAndPlan also has the planner look at the very values: the filters of
// lists differ from request to request, and a generic plan walks the wrong index.
// Point reads keep their generic plan, which costs half.
const setTenantAndPlan = `select set_config('app.tenant_id', $1, true), set_config('plan_cache_mode', 'force_custom_plan', true)`

// Tx runs fn in a transaction of the actor's tenant and joins one that is
// already open in ctx. It retries once on deadlock and serialisation failure,
// so fn must not have effects outside the database.
func (d *DB) Tx(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	if st, ok := ctx.Value(txKey{}).(*txState); ok {
		if st.tenant != a.TenantID {
			return fmt.Errorf("join transaction: it belongs to another tenant")
		}
		return MapError(fn(ctx, st.tx))
	}
	for attempt := 0; ; attempt++ {
		err := d.runTx(ctx, a.TenantID, fn)
		if err == nil || attempt == 2 || !retryable(err) {
			return MapError(err)
		}
	}
}

func (d *DB) runTx(ctx context.Context, tenant uuid.UUID, fn func(context.Context, pgx.Tx) error) error {
	// The tenant travels with BEGIN in one round trip; the value is a UUID we
	// formatted, so it needs no quoting.
	tx, err := d.pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: "begin; set local app.tenant_id = '" + tenant.String() + "'"})
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) // a no-op after commit
	st := &txState{tx: tx, tenant: tenant}
	if err := fn(context.WithValue(ctx, txKey{}, st), tx); err != nil {
		return err
	}
	err = tx.Commit(ctx)
	for _, f := range st.ended {
		f()
	}
	if err != nil {
		return err
	}
	for _, f := range st.after {
		f()
	}
	return nil
}

// InTx reports whether ctx belongs to an open transaction, which sees what nobody
// else does yet.
func InTx(ctx context.Context) bool {
	_, ok := ctx.Value(txKey{}).(*txState)
	return ok
}

// TxOf tells one transaction from another, and from the same one tried again; nil
// outside of any.
func TxOf(ctx context.Context) any {
	if st, ok := ctx.Value(txKey{}).(*txState); ok {
		return st
	}
	return nil
}

// Mark notes something about the surrounding transaction for what comes later in it;
// outside of one it does nothing. A mark outlives a savepoint that is rolled back.
func Mark(ctx context.Context, key any) {
	if st, ok := ctx.Value(txKey{}).(*txState); ok {
		if st.marks == nil {
			st.marks = map[any]bool{}
		}
		st.marks[key] = true
	}
}

// Marked reports whether the surrounding transaction carries the mark.
func Marked(ctx context.Context, key any) bool {
	st, ok := ctx.Value(txKey{}).(*txState)
	return ok && st.marks[key]
}

// AfterCommit runs f once the surrounding transaction has committed; outside of
// one it runs f at once. For cache invalidation and wake-ups, never for work
// that must not be lost.
func AfterCommit(ctx context.Context, f func()) {
	if st, ok := ctx.Value(txKey{}).(*txState); ok {
		st.after = append(st.after, f)
		return
	}
	f()
}

// AfterCommitTried runs f when the surrounding transaction has tried to commit,
// before anything of AfterCommit and also when the answer was lost on the way:
// the change may stand all the same, so what is kept of the old must go.
func AfterCommitTried(ctx context.Context, f func()) {
	if st, ok := ctx.Value(txKey{}).(*txState); ok {
		st.ended = append(st.ended, f)
		return
	}
	f()
}

// Query is a statement with its arguments.
type Query struct {
	SQL  string
	Args []any
	// Varied marks a query whose best plan depends on its values, such as a list.
	Varied bool
}

// Read runs one query for the actor's tenant in a single round trip and hands
// its rows to fn. Inside an open Tx it uses that transaction.
func (d *DB) Read(ctx context.Context, q Query, fn func(pgx.Rows) error) error {
	return d.ReadMany(ctx, []Query{q}, func(_ int, rows pgx.Rows) error { return fn(rows) })
}

// ReadMany runs several queries in one round trip; fn gets the index of each.
func (d *DB) ReadMany(ctx context.Context, queries []Query, fn func(i int, rows pgx.Rows) error) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	b := &pgx.Batch{}
	st, joined := ctx.Value(txKey{}).(*txState)
	if !joined {
		set := setTenant
		if slices.ContainsFunc(queries, func(q Query) bool { return q.Varied }) {
			set = setTenantAndPlan
		}
		b.Queue(set, a.TenantID.String())
	}
	for _, q := range queries {
		b.Queue(q.SQL, q.Args...)
	}
	var res pgx.BatchResults
	if joined {
		res = st.tx.SendBatch(ctx, b)
	} else {
		res = d.pool.SendBatch(ctx, b)
	}
	err = drain(res, joined, len(queries), fn)
	if cerr := res.Close(); err == nil {
		err = cerr
	}
	return MapError(err)
}

func drain(res pgx.BatchResults, joined bool, n int, fn func(int, pgx.Rows) error) error {
	if !joined {
		if _, err := res.Exec(); err != nil {
			return err
		}
	}
	for i := range n {
		rows, err := res.Query()
		if err != nil {
			return err
		}
		err = fn(i, rows)
		rows.Close()
		if err == nil {
			err = rows.Err()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// System runs fn outside of any tenant, as the application role: it sees only
// what needs no tenant. Callers are listed in arch_test.go.
func (d *DB) System(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return MapError(pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error { return fn(ctx, tx) }))
}

// ErrRetry, inside an error that fn returns, makes Tx begin anew: what the
// transaction was planned with turned out to be out of date.
var ErrRetry = errors.New("begin the transaction again")

func retryable(err error) bool {
	if errors.Is(err, ErrRetry) {
		return true
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40P01" || pg.Code == "40001")
}
