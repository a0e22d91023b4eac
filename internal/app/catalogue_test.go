package app_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"crm/internal/platform/db/dbtest"
)

// catalogue asks PostgreSQL what is there, so that a table, an index or a function is
// judged on the day a migration makes it.
type catalogue struct {
	t     *testing.T
	owner *pgxpool.Pool
}

func newCatalogue(t *testing.T) *catalogue {
	t.Helper()
	return &catalogue{t, dbtest.New(t).Owner}
}

// lines runs a query of one text column.
func (c *catalogue) lines(sql string, args ...any) []string {
	c.t.Helper()
	rows, err := c.owner.Query(c.t.Context(), sql, args...)
	if err != nil {
		c.t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// none fails for every line that is no exception, and for every exception that is
// needed no more.
func (c *catalogue) none(what string, found []string, exceptions map[string]string) {
	c.t.Helper()
	for _, line := range found {
		if exceptions[line] == "" {
			c.t.Errorf("%s: %s", what, line)
		}
	}
	for line := range exceptions {
		if !slices.Contains(found, line) {
			c.t.Errorf("%s: the exception %q is needed no more", what, line)
		}
	}
}

// tenantTables are all relations with a tenant_id, partitions included.
const tenantTables = `with tenant_table as (
	select c.oid, c.relname, c.relrowsecurity, c.relforcerowsecurity, c.relispartition, a.attnum
	from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
	where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')) `

// TestEveryTenantTableHasItsPolicy: row level security is on, binds the owner too, and
// the one policy of crm_app holds for reading and for writing.
func TestEveryTenantTableHasItsPolicy(t *testing.T) {
	t.Parallel()
	c := newCatalogue(t)
	if n := len(c.lines(tenantTables + `select relname from tenant_table`)); n < 40 {
		t.Fatalf("only %d tenant tables", n)
	}
	c.none("no forced row level security", c.lines(tenantTables+`select relname from tenant_table where not (relrowsecurity and relforcerowsecurity)`), nil)
	c.none("tenant_id may be null", c.lines(tenantTables+`select relname from tenant_table t join pg_attribute a on a.attrelid = t.oid and a.attnum = t.attnum where not a.attnotnull`), nil)
	c.none("not exactly one policy of crm_app, for all commands, with using and with check by tenant", c.lines(tenantTables+`
		select t.relname from tenant_table t left join pg_policy p on p.polrelid = t.oid and p.polroles <> array['crm_owner'::regrole::oid, 0]
		  and not p.polroles <@ array['crm_owner'::regrole::oid]
		group by t.oid, t.relname
		having count(p.oid) filter (where p.polcmd = '*' and p.polpermissive
		    and pg_get_expr(p.polqual, p.polrelid) = '(tenant_id = app_tenant())' and pg_get_expr(p.polwithcheck, p.polrelid) = '(tenant_id = app_tenant())') <> 1
		  or count(p.oid) filter (where p.polroles && array['crm_app'::regrole::oid, 0]) <> 1`), nil)
	c.none("a table that crm_app reaches without a tenant", c.lines(`select c.relname from pg_class c
		where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'm', 'f') and has_table_privilege('crm_app', c.oid, 'select')
		  and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)`), map[string]string{
		"tenants":          "the registry itself; its policy compares id",
		"goose_db_version": "which migrations ran, read at start",
	})
	c.none("a view that would look past row level security", c.lines(`select c.relname from pg_class c
		where c.relnamespace = 'public'::regnamespace and (c.relkind = 'm' or c.relkind = 'v' and not coalesce(c.reloptions @> array['security_invoker=true'], false))`), nil)
}

// keyExceptions are asked before a tenant is known, by a function that ARCHITECTURE.md
// lists, or by the owner alone.
var keyExceptions = map[string]string{
	"api_keys_token_hash_key":        "who calls is found by the hash of the key (auth_api_key)",
	"sign_in_tickets_token_hash_key": "whose step of signing in it is is found by the hash of the ticket (auth_ticket)",
	"sessions_token_hash_key":        "who calls is found by the hash of the cookie (auth_session)",
	"unsubscribe_tokens_hash_key":    "whose link it is is found by its hash (unsubscribe_target)",
	"users_sign_in_idx":              "whose address it is at sign-in (auth_user)",
	"lead_forms_public_id_key":       "whose form an address shows (lead_form_tenant)",
	"messages_due_idx":               "sending serves all tenants in order of time (messages_due)",
	"messages_dispatched_idx":        "the same for what was forgotten (messages_forgotten)",
	"messages_sending_idx":           "the same for what was interrupted (messages_interrupted)",
	"search_documents_body_idx":      "trigrams cannot be led by an id; the search functions add the tenant (search_records)",
}

// TestTenantIsFirstInEveryKey: a key that begins with something else can tell one
// tenant that another has a value, or serve a lookup that forgot the tenant.
func TestTenantIsFirstInEveryKey(t *testing.T) {
	t.Parallel()
	c := newCatalogue(t)
	c.none("an index that does not begin with tenant_id", c.lines(tenantTables+`
		select i.relname from tenant_table t join pg_index x on x.indrelid = t.oid join pg_class i on i.oid = x.indexrelid
		where x.indkey[0] <> t.attnum and not t.relispartition`), keyExceptions)
	c.none("a foreign key that does not begin with tenant_id on both sides", c.lines(tenantTables+`
		select f.conname::text from pg_constraint f join tenant_table t on t.oid = f.conrelid
		join pg_class r on r.oid = f.confrelid left join tenant_table o on o.oid = f.confrelid
		where f.contype = 'f' and (o.oid is null or f.conkey[1] <> t.attnum or f.confkey[1] <> o.attnum)`), nil)
	c.none("a tenant table without a primary key", c.lines(tenantTables+`
		select relname from tenant_table t where not exists (select from pg_index x where x.indrelid = t.oid and x.indisprimary)`), nil)
}

// TestFunctionsThatLeaveTheTenant: whatever runs with the rights of another role is
// listed in ARCHITECTURE.md, and nobody can slip a table of their own under its names.
func TestFunctionsThatLeaveTheTenant(t *testing.T) {
	t.Parallel()
	c := newCatalogue(t)
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "SECURITY DEFINER functions, all of them:")
	list, _, _ = strings.Cut(list, ".")
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(list, -1) {
		listed[m[1]] = true
	}
	const definers = `select distinct p.proname::text from pg_proc p where p.prosecdef and p.pronamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)`
	there := c.lines(definers)
	if want := slices.Sorted(maps.Keys(listed)); !slices.Equal(slices.Sorted(slices.Values(there)), want) {
		t.Errorf("SECURITY DEFINER functions are\n%v, ARCHITECTURE.md lists\n%v", slices.Sorted(slices.Values(there)), want)
	}
	c.none("no fixed search_path that ends in pg_temp", c.lines(definers+` and not exists (
		select from unnest(p.proconfig) s where s ~ '^search_path=.*pg_temp$')`), nil)
	c.none("everybody may call it", c.lines(definers+` and (p.proacl is null or exists (select from aclexplode(p.proacl) a where a.grantee = 0))`), nil)
	c.none("runs as a superuser", c.lines(definers+` and exists (select from pg_roles r where r.oid = p.proowner and r.rolsuper)`), nil)
}

// TestTheProgramsRoleIsSmall: what an injected statement could do at most.
func TestTheProgramsRoleIsSmall(t *testing.T) {
	t.Parallel()
	c := newCatalogue(t)
	c.none("a right of crm_app", c.lines(`select x from pg_roles, unnest(array[
		case when rolsuper then 'superuser' end, case when rolbypassrls then 'bypassrls' end, case when rolcreaterole then 'createrole' end,
		case when rolcreatedb then 'createdb' end, case when rolreplication then 'replication' end]) x where rolname = 'crm_app' and x is not null`), nil)
	c.none("crm_app is a member of", c.lines(`select roleid::regrole::text from pg_auth_members where member = 'crm_app'::regrole`), nil)
	c.none("crm_app owns", c.lines(`select relname::text from pg_class where relowner = 'crm_app'::regrole
		union all select proname from pg_proc where proowner = 'crm_app'::regrole union all select nspname from pg_namespace where nspowner = 'crm_app'::regrole
		union all select datname from pg_database where datdba = 'crm_app'::regrole`), nil)
	c.none("crm_app may create in", c.lines(`select nspname::text from pg_namespace where nspname not like 'pg_temp%' and nspname not like 'pg_toast%' and has_schema_privilege('crm_app', oid, 'create')`), nil)
	c.none("crm_app may truncate, or hang triggers on", c.lines(`select c.relname::text from pg_class c where c.relkind in ('r', 'p')
		and c.relnamespace in ('public'::regnamespace, 'river'::regnamespace) and has_table_privilege('crm_app', c.oid, 'truncate, trigger')`), nil)
	c.none("crm_app may change what is written once", c.lines(`select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace
		and c.relkind in ('r', 'p') and c.relname ~ '^journal' and c.relname <> all($1) and has_any_column_privilege('crm_app', c.oid, 'update')
		union select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname ~ '^journal'
		and c.relname <> all($1) and has_table_privilege('crm_app', c.oid, 'delete')`, notTheJournal), nil)
	if n := len(c.lines(`select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and relname ~ '^journal'`)); n < 4 {
		t.Errorf("only %d tables of the journal", n)
	}
}

// notTheJournal are tables that begin with the word and are written more than once.
var notTheJournal = []string{"journal_subscribers", "journal_dead_letters"}

// TestTheCatalogueTestSees plants what the tests above look for.
func TestTheCatalogueTestSees(t *testing.T) {
	t.Parallel()
	c := newCatalogue(t)
	for _, sql := range []string{
		`create table planted (tenant_id uuid not null, id uuid not null unique, constraint planted_pkey primary key (tenant_id, id))`,
		`grant select on planted to crm_app`,
		`create view planted_view as select * from planted`,
		`create function planted_function() returns int language sql security definer as 'select 1'`,
	} {
		if _, err := c.owner.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, sql := range []string{
		tenantTables + `select relname from tenant_table where not relforcerowsecurity`,
		tenantTables + `select i.relname from tenant_table t join pg_index x on x.indrelid = t.oid join pg_class i on i.oid = x.indexrelid where x.indkey[0] <> t.attnum and t.relname like 'planted%'`,
	} {
		if got := fmt.Sprint(c.lines(sql)); !strings.Contains(got, "planted") {
			t.Errorf("not seen: %s", got)
		}
	}
}
