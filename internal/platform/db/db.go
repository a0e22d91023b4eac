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
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"crm/internal/platform/auth"
)

// DB wraps the pool of the application role.
type DB struct {
	pool   *pgxpool.Pool
	shares *shares
	count  counters
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
	d := &DB{pool: pool, shares: newShares(maxConns), count: newCounters()}
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

// Tx runs fn in a transaction of the actor's tenant and joins one that is already
// open in ctx. It begins again, a few times, after a deadlock, a serialisation
// failure and a connection that broke before the commit was sent, so fn must not
// have effects outside the database. A commit whose answer was lost is Unsure.
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
	return MapError(d.again(ctx, func() error { return d.runTx(ctx, a.TenantID, fn) }))
}

func (d *DB) runTx(ctx context.Context, tenant uuid.UUID, fn func(context.Context, pgx.Tx) error) error {
	st := &txState{tenant: tenant}
	if err := d.with(ctx, tenant, func(conn *pgxpool.Conn) error { return st.run(ctx, conn, fn) }); err != nil {
		return err
	}
	if note, ok := ctx.Value(committedKey{}).(*atomic.Bool); ok {
		note.Store(true)
	}
	for _, f := range st.after {
		f()
	}
	return nil
}

type committedKey struct{}

// Committed returns a context in which the second value tells whether a transaction
// was committed: a failure after that is not "nothing was changed".
func Committed(ctx context.Context) (context.Context, func() bool) {
	note := &atomic.Bool{}
	return context.WithValue(ctx, committedKey{}, note), note.Load
}

func (st *txState) run(ctx context.Context, conn *pgxpool.Conn, fn func(context.Context, pgx.Tx) error) error {
	// The tenant travels with BEGIN in one round trip; the value is a UUID we
	// formatted, so it needs no quoting.
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: "begin; set local app.tenant_id = '" + st.tenant.String() + "'"})
	if err != nil {
		return err
	}
	st.tx = tx
	defer tx.Rollback(context.WithoutCancel(ctx)) // a no-op after commit
	if err := fn(context.WithValue(ctx, txKey{}, st), tx); err != nil {
		return err
	}
	err = commit(ctx, tx)
	for _, f := range st.ended {
		f()
	}
	return err
}

// errClosed is a connection that was seen to break before the commit was sent.
var errClosed = fmt.Errorf("commit: %w", net.ErrClosed)

// commit marks the one failure after which nobody knows whether the change stands: the
// word was sent, and the connection broke before the answer. pgconn.SafeToRetry is no
// help here: after the server's last words it says "conn closed" and means the next try.
func commit(ctx context.Context, tx pgx.Tx) error {
	if tx.Conn().IsClosed() {
		return errClosed
	}
	err := tx.Commit(ctx)
	if err != nil && (lost(err) || ctx.Err() != nil) {
		return unsure{err}
	}
	return err
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

// ReadMany runs several queries in one round trip; fn gets the index of each. It asks
// again after a broken connection, unless fn has seen rows already.
func (d *DB) ReadMany(ctx context.Context, queries []Query, fn func(i int, rows pgx.Rows) error) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	if st, ok := ctx.Value(txKey{}).(*txState); ok {
		return MapError(readBatch(st.tx.SendBatch(ctx, batch(queries, "")), true, len(queries), fn))
	}
	var late error // once rows were seen, a second look would show them twice
	err = d.again(ctx, func() error {
		shown := false
		err := d.readOnce(ctx, a.TenantID, queries, func(i int, rows pgx.Rows) error {
			shown = true
			return fn(i, rows)
		})
		if shown {
			late = err
			return nil
		}
		return err
	})
	if late != nil {
		err = late
	}
	return MapError(err)
}

func (d *DB) readOnce(ctx context.Context, tenant uuid.UUID, queries []Query, fn func(int, pgx.Rows) error) error {
	return d.with(ctx, tenant, func(conn *pgxpool.Conn) error {
		return readBatch(conn.SendBatch(ctx, batch(queries, tenant.String())), false, len(queries), fn)
	})
}

// batch puts the setting of the tenant before the queries, unless it is set already.
func batch(queries []Query, tenant string) *pgx.Batch {
	b := &pgx.Batch{}
	if tenant != "" {
		set := setTenant
		if slices.ContainsFunc(queries, func(q Query) bool { return q.Varied }) {
			set = setTenantAndPlan
		}
		b.Queue(set, tenant)
	}
	for _, q := range queries {
		b.Queue(q.SQL, q.Args...)
	}
	return b
}

func readBatch(res pgx.BatchResults, joined bool, n int, fn func(int, pgx.Rows) error) error {
	err := drain(res, joined, n, fn)
	if cerr := res.Close(); err == nil {
		err = cerr
	}
	return err
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
// what needs no tenant. It begins again as Tx does. Callers are listed in arch_test.go.
func (d *DB) System(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return MapError(d.again(ctx, func() error {
		return d.with(ctx, uuid.Nil, func(conn *pgxpool.Conn) error {
			tx, err := conn.Begin(ctx)
			if err != nil {
				return err
			}
			defer tx.Rollback(context.WithoutCancel(ctx)) // a no-op after commit
			if err := fn(ctx, tx); err != nil {
				return err
			}
			return commit(ctx, tx)
		})
	}))
}
