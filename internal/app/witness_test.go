package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/app/apptest"
)

// witness sees every row that a request leaves changed, in any table of a tenant and in
// the queue. It is a trigger on each table the catalogue lists, writing in the
// transaction of the change: what was rolled back left no word, and one cheap query
// tells after every single call whether anything happened.
type witness struct {
	env  *apptest.Env
	seen int64
}

// stamps are columns that a call may move without changing anything, and tables that
// remember calls rather than data.
const (
	stamps        = `'{last_used_at,seen_at}'::text[]`
	remembersCall = `'idempotency_keys'`
)

const witnesses = `
create table witnessed (at bigint generated always as identity, tenant_id uuid, what text);
grant insert, select on witnessed to crm_app;
create function witness() returns trigger language plpgsql as $$
begin
	insert into witnessed (tenant_id, what) values ((coalesce(to_jsonb(new), to_jsonb(old)) ->> 'tenant_id')::uuid, tg_op || ' ' || tg_table_name);
	return null;
end $$;
do $$
declare t regclass;
begin
	for t in select c.oid from pg_class c where c.relkind in ('r', 'p') and not c.relispartition and c.oid <> 'witnessed'::regclass and c.relname <> ` + remembersCall + `
		and (c.oid in ('river.river_job'::regclass, 'tenants'::regclass) or c.relnamespace = 'public'::regnamespace
		and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped))
	loop
		execute format('create trigger witness_rows after insert or delete on %s for each row execute function witness()', t);
		execute format('create trigger witness_updates after update on %s for each row when (to_jsonb(old) - ` + "%L::text[]" + ` is distinct from to_jsonb(new) - ` + "%L::text[]" + `) execute function witness()', t, ` + stamps + `, ` + stamps + `);
	end loop;
end $$`

func newWitness(t *testing.T, env *apptest.Env) *witness {
	t.Helper()
	if _, err := env.SQL.Owner.Exec(t.Context(), witnesses); err != nil {
		t.Fatal(err)
	}
	return &witness{env: env}
}

// news tells what changed since it was last asked, as "INSERT leads", once each.
func (w *witness) news(t *testing.T) string {
	t.Helper()
	var what string
	err := w.env.SQL.Owner.QueryRow(t.Context(), `select coalesce(string_agg(distinct what, ', '), ''), coalesce(max(at), $1) from witnessed where at > $1`, w.seen).Scan(&what, &w.seen)
	if err != nil {
		t.Fatal(err)
	}
	return what
}

// everyRow is a digest of all that is kept for a tenant: by table the number of rows
// and the md5 over them, without stamps. It asks the tables themselves, so it sees what
// no trigger would.
func everyRow(t *testing.T, env *apptest.Env, tenant uuid.UUID) map[string]string {
	t.Helper()
	rows, err := env.SQL.Owner.Query(t.Context(), `select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
		where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and c.relname not in ('witnessed', `+remembersCall+`)`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 40 {
		t.Fatalf("%d tenant tables, %v", len(tables), err)
	}
	var parts []string
	for _, table := range tables {
		parts = append(parts, fmt.Sprintf(`select '%[1]s', count(*) || ' rows ' || coalesce(md5(string_agg(r, ',' order by r)), '')
			from (select (to_jsonb(t) - %[2]s)::text r from %[1]s t where tenant_id = $1) x`, table, stamps))
	}
	rows, err = env.SQL.Owner.Query(t.Context(), strings.Join(parts, " union all "), tenant)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	var table, digest string
	if _, err := pgx.ForEachRow(rows, []any{&table, &digest}, func() error { out[table] = digest; return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// sameRows compares two digests of a tenant.
func sameRows(t *testing.T, whose string, before, after map[string]string) {
	t.Helper()
	for table, digest := range after {
		if before[table] != digest {
			t.Errorf("%s of %s changed: %s, was %s", table, whose, digest, before[table])
		}
	}
}

// TestTheWitnessSees: a test that finds nothing must be able to find something.
func TestTheWitnessSees(t *testing.T) {
	t.Parallel()
	env := apptest.New(t)
	tn := env.Tenant(t, "alpha")
	w := newWitness(t, env)
	before := everyRow(t, env, tn.ID)
	if a := tn.Call(t, "GET", "/contacts", nil); a.Status != 200 || w.news(t) != "" {
		t.Errorf("reading changes: %d %s", a.Status, a.Raw)
	}
	made := tn.Call(t, "POST", "/contacts", map[string]any{"last_name": "Ada"})
	if what := w.news(t); made.Status != 201 || !strings.Contains(what, "INSERT contacts") || !strings.Contains(what, "INSERT journal") {
		t.Errorf("%d: %s", made.Status, what)
	}
	after := everyRow(t, env, tn.ID)
	if before["contacts"] == after["contacts"] || before["roles"] != after["roles"] {
		t.Errorf("%v\n%v", before, after)
	}
	path := "/contacts/" + fmt.Sprint(made.JSON["id"])
	tn.Call(t, "PATCH", path, map[string]any{"last_name": "Lovelace"})
	if what := w.news(t); !strings.Contains(what, "UPDATE contacts") {
		t.Error(what)
	}
	tn.Call(t, "DELETE", path+"?purge=true", nil)
	if what := w.news(t); !strings.Contains(what, "contacts") {
		t.Error(what)
	}
}
