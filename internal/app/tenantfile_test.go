package app_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/app"
	"crm/internal/app/apptest"
	"crm/internal/contacts"
	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/money"
	"crm/internal/platform/tenantfile"
	"crm/internal/record"
)

// lived is a tenant with one of everything, some history, and circles of references.
func lived(t *testing.T, env *apptest.Env, name string) *apptest.Tenant {
	t.Helper()
	w := &world{env: env, caller: env.Tenant(t, name+"-caller"), foreign: env.Tenant(t, name)}
	w.samples = apptest.NewSamples(w.foreign)
	w.makeOthers(t)
	for _, o := range env.App.Kernel.Objects() {
		w.samples.ID(t, o.Def.Name)
	}
	tn := w.foreign
	boss, member := tn.User(t, "boss@example.com", "sales_manager", "four quiet words here"), tn.User(t, "member@example.com", "sales_rep", "four quiet words here")
	team := w.samples.ID(t, "team")
	for object, patch := range map[string]map[string]any{
		"/users/" + member.String(): {"manager_id": boss, "team_id": team}, "/teams/" + team.String(): {"owner_id": boss},
		"/accounts/" + w.samples.ID(t, "account").String(): {"name": "=1+1\n\"ü\" \\ 漢字 'x'"},
	} {
		if a := tn.Call(t, "PATCH", object, patch); a.Status != 200 {
			t.Fatalf("%s: %d %s", object, a.Status, a.Raw)
		}
	}
	var chain []*contacts.Account // more than a batch, each pointing to the one before
	for i := range 700 {
		c := &contacts.Account{Name: fmt.Sprintf("%s %d", apptest.Canary, i), AnnualRevenue: &money.Amount{Minor: 10, Currency: "EUR"}}
		if c.ID = id.New(); i > 0 {
			c.ParentID = &chain[i-1].ID
		}
		chain = append(chain, c)
	}
	if _, err := env.App.Contacts.Accounts.CreateMany(tn.Ctx, chain); err != nil {
		t.Fatal(err)
	}
	return tn
}

func exportTenant(t *testing.T, env *apptest.Env, ctx context.Context) ([]byte, *tenantfile.Manifest) {
	t.Helper()
	var file bytes.Buffer
	m, err := env.App.ExportTenant(ctx, &file)
	if err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), m
}

func importTenant(env *apptest.Env, t *testing.T, raw []byte, slug string) (context.Context, error) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	made, _, err := env.App.ImportTenant(t.Context(), z, slug)
	if err != nil {
		return nil, err
	}
	actor := auth.SystemActor(made.ID)
	actor.Currency = "EUR"
	return auth.With(t.Context(), actor), nil
}

// fingerprints hash the rows of every table that travels, as far as they are to be the
// same: places in the journal count from its first row.
func fingerprints(t *testing.T, env *apptest.Env, ctx context.Context) map[string]string {
	t.Helper()
	d, err := db.Open(t.Context(), env.SQL.AppURL, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	tenant := auth.From(ctx).TenantID
	out := map[string]string{}
	err = d.Snapshot(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tables, err := tenantfile.Catalogue(ctx, tx)
		if err != nil {
			return err
		}
		var first int64
		if err := tx.QueryRow(ctx, `select min(seq) from journal where tenant_id = $1`, tenant).Scan(&first); err != nil {
			return err
		}
		skip := app.TenantPolicy().Skip
		for _, table := range tables {
			if _, skipped := skip[table.Name]; skipped {
				continue
			}
			var columns []string
			for _, c := range table.Columns {
				if _, skipped := skip[table.Name+"."+c.Name]; skipped || c.Name == "tenant_id" || settled[table.Name+"."+c.Name] {
					continue
				}
				ref := pgx.Identifier{c.Name}.Sanitize()
				if c.Type == "bigint" && (c.Name == "seq" || strings.HasSuffix(c.Name, "_seq")) {
					ref = fmt.Sprintf("case when %s > 0 then %s - %d end", ref, ref, first)
				}
				columns = append(columns, ref)
			}
			// What is written about the move itself is not part of it.
			only := ""
			if table.Name == "journal" {
				only = " and object <> 'tenant'"
			}
			sql := fmt.Sprintf(`select count(*) || ' ' || coalesce(md5(string_agg(replace(row(%s)::text, $1::text, 'T'), E'\n' order by replace(row(%s)::text, $1::text, 'T'))), '') from %s where tenant_id = $1::uuid%s`,
				strings.Join(columns, ", "), strings.Join(columns, ", "), table.Name, only)
			var hash string
			if err := tx.QueryRow(ctx, sql, tenant).Scan(&hash); err != nil {
				return fmt.Errorf("%s: %w", table.Name, err)
			}
			out[table.Name] = hash
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// settled are columns that loading changes on purpose.
var settled = map[string]bool{
	"providers.state": true, "providers.last_error": true, "lead_forms.public_id": true, "scoring_models.status": true, "scoring_models.error": true,
	"messages.status": true, "messages.last_error": true, "messages.next_attempt_at": true, "messages.dispatched_at": true, "messages.claimed_at": true, "messages.claimed_by": true,
}

func same(t *testing.T, what string, a, b map[string]string) {
	t.Helper()
	for table, hash := range a {
		if b[table] != hash {
			t.Errorf("%s: %s differs: %s and %s", what, table, hash, b[table])
		}
	}
}

func TestATenantMovesToAnotherInstallation(t *testing.T) {
	t.Parallel()
	old := apptest.New(t)
	tn := lived(t, old, "acme")
	raw, m := exportTenant(t, old, tn.Ctx)
	if m.Rows() < 1500 || m.LastSeq <= m.FirstSeq || m.Schema == 0 {
		t.Fatalf("manifest: %+v", m)
	}
	before := fingerprints(t, old, tn.Ctx)

	elsewhere := apptest.New(t)
	elsewhere.Tenant(t, "neighbour")
	ctx, err := importTenant(elsewhere, t, raw, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := auth.From(ctx).TenantID; got != tn.ID {
		t.Errorf("the id was free, yet became %s", got)
	}
	same(t, "elsewhere", before, fingerprints(t, elsewhere, ctx))
	sameAnswers(t, old, tn.Ctx, elsewhere, ctx)
	if _, err := importTenant(elsewhere, t, raw, ""); errs.As(err) == nil || errs.As(err).Code != "slug_taken" {
		t.Errorf("the same address twice: %v", err)
	}
	// What is written next comes after what was loaded.
	k, err := elsewhere.App.Identity.CreateAPIKey(ctx, "new", "tenant_admin")
	if err != nil {
		t.Fatal(err)
	}
	made := elsewhere.Do(t, k.Token, "POST", "/api/v1/accounts", map[string]any{"name": "New"}, nil)
	if made.Status != 201 {
		t.Fatalf("%d %s", made.Status, made.Raw)
	}
	entries, err := elsewhere.App.Kernel.Timeline(ctx, "account", uuid.MustParse(made.JSON["id"].(string)), 0, 10)
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	var newest int64
	if err := elsewhere.SQL.Owner.QueryRow(t.Context(), `select max(seq) from journal where tenant_id = $1`, tn.ID).Scan(&newest); err != nil || newest != entries[0].Seq {
		t.Errorf("the newest place is %d, the new record's %d (%v)", newest, entries[0].Seq, err)
	}
}

// sameAnswers compares what the kernel shows of every object.
func sameAnswers(t *testing.T, a *apptest.Env, actx context.Context, b *apptest.Env, bctx context.Context) {
	t.Helper()
	for _, o := range a.App.Kernel.Objects() {
		read := func(env *apptest.Env, ctx context.Context) string {
			var out []byte
			obj, _ := env.App.Kernel.Object(o.Def.Name)
			err := obj.Stream(ctx, record.Query{Sort: "id"}, func(_ context.Context, batch []*record.Record) error {
				for _, r := range batch {
					only := map[string]bool{}
					for _, f := range r.Def.Fields {
						only[f.Name] = !settled[r.Def.Table+"."+f.Name]
					}
					out = append(r.AppendJSON(out, only, nil), '\n')
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return string(out)
		}
		if x, y := read(a, actx), read(b, bctx); x != y || x == "" {
			t.Errorf("%s: answers differ:\n%.600s\n%.600s", o.Def.Plural, x, y)
		}
	}
}

func TestACopyBesideTheOriginal(t *testing.T) {
	t.Parallel()
	env := apptest.New(t)
	tn := lived(t, env, "acme")
	raw, _ := exportTenant(t, env, tn.Ctx)
	before := fingerprints(t, env, tn.Ctx)
	ctx, err := importTenant(env, t, raw, "acme-copy")
	if err != nil {
		t.Fatal(err)
	}
	if auth.From(ctx).TenantID == tn.ID {
		t.Fatal("the copy has the id of the original")
	}
	same(t, "the original", before, fingerprints(t, env, tn.Ctx))
	same(t, "the copy", before, fingerprints(t, env, ctx))
	// A change of the copy stays with the copy.
	accounts, _ := env.App.Kernel.Object("account")
	page, err := accounts.List(ctx, record.Query{Limit: 1})
	if err != nil || len(page.Records) != 1 {
		t.Fatal(err)
	}
	if _, err := accounts.One(ctx, record.Operation{Kind: record.OpUpdate, ID: page.Records[0].ID(), Patch: record.Patch{"name": "Only here"}}); err != nil {
		t.Fatal(err)
	}
	same(t, "the original after a change of the copy", before, fingerprints(t, env, tn.Ctx))
	if _, err := importTenant(env, t, raw, "acme-copy-2"); err != nil {
		t.Errorf("a second copy: %v", err)
	}
}

func TestADamagedFileLeavesNothing(t *testing.T) {
	t.Parallel()
	env := apptest.New(t)
	tn := lived(t, env, "acme")
	raw, m := exportTenant(t, env, tn.Ctx)
	for name, change := range map[string]func(part string, body []byte) []byte{
		"a row is changed":  replaceIn("data/accounts.ndjson", []byte("canary"), []byte("Canary")),
		"a row is missing":  cutLine("data/journal.ndjson"),
		"a part is missing": func(part string, body []byte) []byte { return dropIf(part == "data/contacts.ndjson", body) },
		"a newer schema":    editManifest(func(m map[string]any) { m["schema"] = float64(99999999999999) }),
		"a newer format":    editManifest(func(m map[string]any) { m["format"] = float64(2) }),
		"another's rows":    replaceIn("data/contacts.ndjson", []byte(tn.ID.String()), []byte(uuid.NewString())),
	} {
		if _, err := importTenant(env, t, rewrite(t, raw, change), "acme-copy"); err == nil {
			t.Errorf("%s: it was loaded", name)
		}
	}
	var tenants, rows int64
	err := env.SQL.Owner.QueryRow(t.Context(), `select (select count(*) from tenants), (select count(*) from accounts)`).Scan(&tenants, &rows)
	if err != nil || tenants != 2 || rows >= 2*m.Rows() {
		t.Errorf("%d tenants, %d accounts, %v", tenants, rows, err)
	}
}

func dropIf(drop bool, body []byte) []byte {
	if drop {
		return nil
	}
	return body
}

func replaceIn(name string, from, to []byte) func(string, []byte) []byte {
	return func(part string, body []byte) []byte {
		if part != name {
			return body
		}
		return bytes.Replace(body, from, to, 1)
	}
}

func cutLine(name string) func(string, []byte) []byte {
	return func(part string, body []byte) []byte {
		if part != name {
			return body
		}
		return body[bytes.IndexByte(body, '\n')+1:]
	}
}

func editManifest(edit func(map[string]any)) func(string, []byte) []byte {
	return func(part string, body []byte) []byte {
		if part != "manifest.json" {
			return body
		}
		var m map[string]any
		if json.Unmarshal(body, &m) != nil {
			return body
		}
		edit(m)
		out, _ := json.Marshal(m)
		return out
	}
}

// rewrite copies a ZIP, changing the bodies of its parts; nil leaves one out.
func rewrite(t *testing.T, raw []byte, change func(part string, body []byte) []byte) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if body = change(f.Name, body); body == nil {
			continue
		}
		part, err := w.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

var secretLooking = regexp.MustCompile(`hash|secret|sealed|token|password|credential|private|_key$`)

// notSecret are columns somebody looked at.
var notSecret = map[string]bool{"messages.send_key": true}

// TestEveryTableTravelsOrSaysWhy fails when a new table cannot be moved as it is: it
// must be readable and writable by the program's role, its secrets must be named, and
// values unique among all tenants need a way to be made anew.
func TestEveryTableTravelsOrSaysWhy(t *testing.T) {
	t.Parallel()
	env := apptest.New(t)
	policy := app.TenantPolicy()
	tx, err := env.SQL.Owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context()))
	tables, err := tenantfile.Catalogue(t.Context(), tx)
	if err != nil || len(tables) < 20 {
		t.Fatal(len(tables), err)
	}
	travels := func(name string) bool { _, skipped := policy.Skip[name]; return !skipped }
	for _, table := range tables {
		if !travels(table.Name) {
			continue
		}
		var may bool
		if err := tx.QueryRow(t.Context(), `select has_table_privilege('crm_app', $1, 'select') and has_table_privilege('crm_app', $1, 'insert')`, table.Name).Scan(&may); err != nil || !may {
			t.Errorf("crm_app cannot read and write %s, so it cannot travel: give app.TenantPolicy a reason to leave it out (%v)", table.Name, err)
		}
		if len(table.Key) == 0 {
			t.Errorf("%s has no primary key to order its rows by", table.Name)
		}
		for _, c := range table.Columns {
			name := table.Name + "." + c.Name
			if secretLooking.MatchString(c.Name) && travels(name) && !notSecret[name] {
				t.Errorf("%s looks like a secret: leave it out in app.TenantPolicy, or list it here as none", name)
			}
		}
		for _, l := range table.Links {
			if !travels(l.To) {
				t.Errorf("%s travels and points to %s, which does not", table.Name, l.To)
			}
		}
	}
	rows, err := tx.Query(t.Context(), `select i.indrelid::regclass::text || '.' || (select attname from pg_attribute where attrelid = i.indrelid and attnum = i.indkey[0])
	  from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attname = 'tenant_id'
	  where i.indisunique and not a.attnum = any(i.indkey) and not exists (select from pg_inherits where inhrelid = i.indrelid)`)
	if err != nil {
		t.Fatal(err)
	}
	unique, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range unique {
		table, _, _ := strings.Cut(name, ".")
		if travels(table) && !slices.Contains(policy.Fresh, name) {
			t.Errorf("%s is unique among all tenants: name it in app.TenantPolicy's Fresh", name)
		}
	}
}
