package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// minServer is server_version_num of the oldest PostgreSQL the program works with.
const minServer = 150000

// minFree is what an upgrade may need on top of the size of the database's largest table.
const minFree = 256 << 20

// Report is what a dry check found. It changes nothing in the database.
type Report struct {
	Server  string  `json:"server"` // PostgreSQL's own version text
	Checks  []Check `json:"checks"`
	Pending []Step  `json:"pending"` // what Up would apply, in order
}

// Check is one condition for a safe upgrade.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`         // what was found
	Next   string `json:"next,omitempty"` // what to do when not OK
}

// OK tells whether Up may be run.
func (r Report) OK() bool {
	for _, c := range r.Checks {
		if !c.OK {
			return false
		}
	}
	return true
}

// Verify looks whether Up can succeed: server version, roles, extensions, history, tables open to other tenants, free
// space. dataDir is where the database's files lie if they lie on this machine, else "". The error is for checks that could
// not be made; a check that failed is in the report.
func Verify(ctx context.Context, ownerURL, dataDir string) (Report, error) {
	return embedded().verify(ctx, ownerURL, dataDir)
}

func (src source) verify(ctx context.Context, ownerURL, dataDir string) (Report, error) {
	conn, err := connect(ctx, ownerURL)
	if err != nil {
		return Report{}, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var r Report
	if err := conn.QueryRow(ctx, "show server_version").Scan(&r.Server); err != nil {
		return r, fmt.Errorf("ask for the server's version: %w", err)
	}
	steps, err := src.status(ctx, conn)
	if err != nil {
		return r, err
	}
	r.Pending = pendingOf(steps)
	r.Checks = append(r.Checks, checkHistory(steps))
	for _, check := range []func(context.Context, *pgx.Conn) (Check, error){
		checkServer, checkOwner, checkApp, checkSearch, checkExtensions, checkTenants,
	} {
		c, err := check(ctx, conn)
		if err != nil {
			return r, fmt.Errorf("check before migration: %w", err)
		}
		r.Checks = append(r.Checks, c)
	}
	if dataDir == "" {
		return r, nil
	}
	c, err := checkSpace(ctx, conn, dataDir)
	r.Checks = append(r.Checks, c)
	return r, err
}

func checkHistory(steps []Step) Check {
	pending := len(pendingOf(steps))
	if err := refuseUnknown(steps); err != nil {
		return Check{Name: "history", Detail: err.Error(), Next: "run the newer program, or restore the backup made before its upgrade"}
	}
	return Check{Name: "history", OK: true, Detail: fmt.Sprintf("%d of %d migrations applied", len(steps)-pending, len(steps))}
}

func checkServer(ctx context.Context, conn *pgx.Conn) (Check, error) {
	var num int
	err := conn.QueryRow(ctx, "select current_setting('server_version_num')::int").Scan(&num)
	return Check{
		Name: "server version", OK: num >= minServer,
		Detail: fmt.Sprintf("PostgreSQL %d", num/10000), Next: "upgrade the server to PostgreSQL 15 or newer",
	}, err
}

// checkOwner: migrations must run as crm_owner itself, because policies and default privileges name it.
func checkOwner(ctx context.Context, conn *pgx.Conn) (Check, error) {
	var user string
	var super, create bool
	err := conn.QueryRow(ctx, `select current_user, rolsuper or rolbypassrls, has_database_privilege(current_database(), 'create')
		from pg_roles where rolname = current_user`).Scan(&user, &super, &create)
	return Check{
		Name: "owner role", OK: user == "crm_owner" && !super && create,
		Detail: fmt.Sprintf("connected as %s, superuser or bypassing row security: %t, may create schemas: %t", user, super, create),
		Next:   "connect as crm_owner, an ordinary role that owns the database",
	}, err
}

func checkApp(ctx context.Context, conn *pgx.Conn) (Check, error) {
	c := Check{
		Name: "application role",
		Next: "create role crm_app login nosuperuser nobypassrls nocreatedb nocreaterole, and grant it no other role",
	}
	var login, power bool
	var member []string
	err := conn.QueryRow(ctx, `select rolcanlogin, rolsuper or rolbypassrls or rolcreatedb or rolcreaterole,
		array(select g.rolname::text from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid)
		from pg_roles r where rolname = 'crm_app'`).Scan(&login, &power, &member)
	if errors.Is(err, pgx.ErrNoRows) {
		c.Detail = "crm_app does not exist"
		return c, nil
	}
	c.OK = login && !power && len(member) == 0
	c.Detail = fmt.Sprintf("crm_app may log in: %t, has powers of an administrator: %t, is member of: [%s]", login, power, strings.Join(member, " "))
	return c, err
}

func checkSearch(ctx context.Context, conn *pgx.Conn) (Check, error) {
	c := Check{
		Name: "search role", Detail: "crm_search does not log in, bypasses row security, and is granted to crm_owner",
		Next: "create role crm_search nologin bypassrls; grant crm_search to crm_owner; grant usage, create on schema public to crm_search",
	}
	err := conn.QueryRow(ctx, `select not rolcanlogin and rolbypassrls and pg_has_role('crm_owner', oid, 'member')
		and has_schema_privilege(oid, 'public', 'create') from pg_roles where rolname = 'crm_search'`).Scan(&c.OK)
	if errors.Is(err, pgx.ErrNoRows) {
		c.Detail = "crm_search does not exist"
		return c, nil
	}
	if !c.OK {
		c.Detail = "crm_search is not set up as needed"
	}
	return c, err
}

func checkExtensions(ctx context.Context, conn *pgx.Conn) (Check, error) {
	rows, err := conn.Query(ctx, `select x from unnest(array['pg_trgm', 'unaccent']) x
		where not exists (select from pg_extension where extname = x)`)
	if err != nil {
		return Check{}, err
	}
	missing, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return listCheck("extensions", missing, "pg_trgm and unaccent are there", "missing: ",
		"as superuser in this database: create extension pg_trgm; create extension unaccent"), err
}

func checkTenants(ctx context.Context, conn *pgx.Conn) (Check, error) {
	open, err := OpenTables(ctx, conn)
	return listCheck("tenant isolation", open, "every table with a tenant_id has forced row security", "open to other tenants: ",
		"call app_protect_tenant_table on them in a migration"), err
}

func listCheck(name string, bad []string, fine, wrong, next string) Check {
	if len(bad) == 0 {
		return Check{Name: name, OK: true, Detail: fine}
	}
	return Check{Name: name, Detail: wrong + strings.Join(bad, ", "), Next: next}
}

// OpenTables lists the tables of schema public that crm_app can reach, have a column tenant_id, and lack forced row level
// security or a policy for crm_app. It is empty in a sound database.
func OpenTables(ctx context.Context, db Querier) ([]string, error) {
	rows, err := db.Query(ctx, `
		select c.oid::regclass::text
		from pg_class c
		join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
		where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
		  and has_table_privilege('crm_app', c.oid, 'select, insert, update, delete')
		  and not (c.relrowsecurity and c.relforcerowsecurity and exists (
		    select from pg_policy p where p.polrelid = c.oid and p.polroles @> array['crm_app'::regrole::oid]))
		order by 1`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// checkSpace: rewriting a table or building an index writes about as much again.
func checkSpace(ctx context.Context, conn *pgx.Conn, dataDir string) (Check, error) {
	var largest int64
	err := conn.QueryRow(ctx, `select coalesce(max(pg_total_relation_size(oid)), 0) from pg_class where relkind in ('r', 'm')`).Scan(&largest)
	if err != nil {
		return Check{}, fmt.Errorf("measure the database: %w", err)
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(dataDir, &st); err != nil {
		return Check{}, fmt.Errorf("measure free space of %s: %w", dataDir, err)
	}
	free, need := int64(st.Bavail)*st.Bsize, largest+minFree
	return Check{
		Name: "free space", OK: free >= need,
		Detail: fmt.Sprintf("%d MB free, %d MB wanted", free>>20, need>>20), Next: "free some space on the disk of " + dataDir,
	}, nil
}
