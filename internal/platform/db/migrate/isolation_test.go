package migrate

import (
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// as runs statements of one transaction as crm_app, of a tenant unless it is nil, and returns the last one's row count.
func as(t *testing.T, app *pgxpool.Pool, tenant uuid.UUID, statement string) (int64, error) {
	t.Helper()
	var n int64
	err := pgx.BeginFunc(t.Context(), app, func(tx pgx.Tx) error {
		if tenant != uuid.Nil {
			if _, err := tx.Exec(t.Context(), "select set_config('app.tenant_id', $1, true)", tenant.String()); err != nil {
				return err
			}
		}
		tag, err := tx.Exec(t.Context(), statement)
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

func wantRows(t *testing.T, app *pgxpool.Pool, tenant uuid.UUID, statement string, want int64) {
	t.Helper()
	if n, err := as(t, app, tenant, statement); n != want || err != nil {
		t.Errorf("%s: %d rows, %v; want %d", statement, n, err, want)
	}
}

func wantDenied(t *testing.T, app *pgxpool.Pool, tenant uuid.UUID, statement string) {
	t.Helper()
	_, err := as(t, app, tenant, statement)
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "42501" {
		t.Errorf("%s: %v, want permission denied", statement, err)
	}
}

func TestProtectedTables(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	if err := Up(t.Context(), d.owner, testLog(t)); err != nil {
		t.Fatal(err)
	}
	owner, app := pool(t, d.owner), pool(t, d.app)
	exec(t, owner, `create table item (tenant_id uuid not null default app_tenant(), n int);
		create table entry (tenant_id uuid not null default app_tenant(), n int);
		select app_protect_tenant_table('item'); select app_append_only('entry'); select app_append_only('entry')`)
	a, b := uuid.New(), uuid.New()
	for _, table := range []string{"item", "entry"} {
		wantRows(t, app, a, "insert into "+table+" (n) values (1), (2)", 2)
		wantRows(t, app, b, "insert into "+table+" (n) values (3)", 1)
		wantRows(t, app, a, "select * from "+table, 2)
		wantRows(t, app, uuid.Nil, "select * from "+table, 0)
		wantDenied(t, app, a, "insert into "+table+" values ('"+b.String()+"', 4)")
		wantDenied(t, app, uuid.Nil, "insert into "+table+" values ('"+b.String()+"', 4)")
		wantDenied(t, app, a, "truncate "+table)
		wantDenied(t, app, a, "alter table "+table+" disable row level security")
		if tag, err := owner.Exec(t.Context(), "update "+table+" set n = n + 10"); err != nil || tag.RowsAffected() != 3 {
			t.Errorf("backfill by the owner: %v, %v", tag, err)
		}
	}
	wantRows(t, app, a, "update item set n = 0", 2)
	wantRows(t, app, a, "delete from item", 2)
	wantDenied(t, app, a, "update item set tenant_id = '"+b.String()+"' where false; insert into item values ('"+b.String()+"', 1)")
	wantDenied(t, app, a, "update entry set n = 0")
	wantDenied(t, app, a, "delete from entry")
	wantDenied(t, app, a, "set role crm_owner")
	wantDenied(t, app, a, "create table mine ()")
	wantDenied(t, app, a, "select app_protect_tenant_table('item')")
	wantDenied(t, app, a, "delete from goose_db_version")
}

// TestQueueIsUsable proves the grants on River's schema by what River does: insert, take, notify, delete.
func TestQueueIsUsable(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	if err := Up(t.Context(), d.owner, testLog(t)); err != nil {
		t.Fatal(err)
	}
	app := pool(t, d.app)
	wantRows(t, app, uuid.Nil, "insert into river.river_job (kind, args, max_attempts) values ('x', '{}', 3)", 1)
	wantRows(t, app, uuid.Nil, "update river.river_job set priority = 2", 1)
	wantRows(t, app, uuid.Nil, "delete from river.river_job", 1)
	wantDenied(t, app, uuid.Nil, "create table river.mine ()")
}

// TestSearchFunctions proves the one way around row security: a function of crm_search that asks for the tenant itself.
func TestSearchFunctions(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	if err := Up(t.Context(), d.owner, testLog(t)); err != nil {
		t.Fatal(err)
	}
	owner, app := pool(t, d.owner), pool(t, d.app)
	exec(t, owner, `create table doc (tenant_id uuid not null default app_tenant(), body text);
		select app_protect_tenant_table('doc');
		grant select on doc to crm_search;
		create function find_doc(q text) returns setof text language sql stable security definer set search_path = public, pg_temp
		  return (select body from doc where tenant_id = app_tenant() and body ilike '%' || q || '%');
		alter function find_doc(text) owner to crm_search`)
	a := uuid.New()
	wantRows(t, app, a, "insert into doc (body) values ('needle in hay')", 1)
	wantRows(t, app, a, "select from find_doc('needle') f where f is not null", 1)
	wantRows(t, app, uuid.New(), "select from find_doc('needle') f where f is not null", 0)
	wantRows(t, app, uuid.Nil, "select from find_doc('needle') f where f is not null", 0)
	wantDenied(t, app, a, "set role crm_search")
}
