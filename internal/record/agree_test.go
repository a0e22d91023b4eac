package record_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/money"
	"crm/internal/record"
	"crm/internal/record/recordtest"
)

// specimen has a field of every kind a column can be.
type specimen struct {
	record.Base
	Name      string        `crm:"name,text,title"`
	Body      string        `crm:"body,long_text"`
	Email     string        `crm:"email,email"`
	Phone     string        `crm:"phone,phone"`
	Site      string        `crm:"site,url"`
	Count     *int64        `crm:"count,integer"`
	Size      *float64      `crm:"size,decimal"`
	Share     *float64      `crm:"share,percent"`
	Alive     *bool         `crm:"alive,boolean"`
	Day       *time.Time    `crm:"day,date"`
	Moment    *time.Time    `crm:"moment,datetime"`
	Amount    *money.Amount `crm:"amount,money"`
	State     string        `crm:"state,select,options=new|old|odd"`
	Doc       any           `crm:"doc,json"`
	Place     any           `crm:"place,address"`
	AccountID *uuid.UUID    `crm:"account_id,relation,target=account"`
}

const specimenTable = `create table specimens (
  tenant_id uuid not null, id uuid not null, external_id text, owner_id uuid, team_id uuid, tags text[] not null default '{}',
  custom jsonb not null default '{}', created_at timestamptz not null, created_by uuid, updated_at timestamptz not null, updated_by uuid,
  deleted_at timestamptz, version bigint not null default 1,
  name text, body text, email text, phone text, site text, count bigint, size double precision, share double precision, alive boolean, day date,
  moment timestamptz, amount bigint, amount_currency text, state text, doc jsonb, place jsonb, account_id uuid, primary key (tenant_id, id));
select app_protect_tenant_table('specimens')`

// zoo is a kernel with specimens, companies and people's teams.
type zoo struct {
	*recordtest.Env
	specimens *record.Store[specimen]
	companies *record.Store[company]
	users     *record.Store[human]
	rng       *rand.Rand
	all       []*record.Record
	accounts  []*record.Record
	related   map[uuid.UUID]*record.Record
}

type human struct {
	record.Base
	Name  string `crm:"name,text,title"`
	Email string `crm:"email,email"`
}

var allTypes = []string{"text", "long_text", "integer", "decimal", "percent", "boolean", "date", "datetime", "money", "select", "list", "url", "email", "phone"}

func newZoo(t *testing.T) *zoo {
	t.Helper()
	z := &zoo{Env: recordtest.New(t), rng: rand.New(rand.NewPCG(7, 11)), related: map[uuid.UUID]*record.Record{}} //nolint:gosec // a fixed seed on purpose
	if _, err := z.SQL.Owner.Exec(t.Context(), specimenTable); err != nil {
		t.Fatal(err)
	}
	var err error
	must := func() {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	z.specimens, err = record.Register[specimen](z.K, record.Definition{Name: "specimen", Plural: "specimens", Label: "Specimen", LabelPlural: "Specimens", Owned: true}, record.HooksFor[specimen]{})
	must()
	z.companies, err = record.Register[company](z.K, record.Definition{Name: "account", Plural: "accounts", Label: "Company", LabelPlural: "Companies", Owned: true}, record.HooksFor[company]{})
	must()
	z.users, err = record.Register[human](z.K, record.Definition{Name: "user", Plural: "users", Label: "User", LabelPlural: "Users", System: true}, record.HooksFor[human]{})
	must()
	var custom []record.CustomField
	for _, typ := range allTypes {
		f := record.CustomField{Object: "specimen", Name: "c_" + typ, Type: typ}
		if typ == "select" {
			f.Options = []string{"new", "old", "odd"}
		}
		custom = append(custom, f)
		f.Object = "account"
		custom = append(custom, f)
	}
	err = z.K.AddCustomFields(z.Admin, custom)
	must()
	return z
}

// berlin is the admin in a zone with daylight saving.
func (z *zoo) berlin() context.Context {
	return auth.As(z.Admin, func(a *auth.Actor) { a.TimeZone = "Europe/Berlin" })
}

// pools are few values on purpose: they meet each other, and their neighbours.
var pools = map[string][]any{
	"text":   {"Acme", "acme", "ACME Größe", "100%", "a_b", `a\b`, "ÄÖÜ", "Z", "zoo", "new", "O'Neil", "true", "7"},
	"int":    {json.Number("0"), json.Number("-3"), json.Number("7"), json.Number("9007199254740993"), json.Number("9007199254740992"), json.Number("9223372036854775807")},
	"float":  {json.Number("0"), json.Number("-1.5"), json.Number("0.1"), json.Number("0.30000000000000004"), json.Number("1e15"), json.Number("7")},
	"bool":   {true, false},
	"date":   {"2026-03-28", "2026-03-29", "2026-03-30", "2026-10-25", "2026-11-21", "1999-12-31"},
	"time":   {"2026-03-28T22:59:59.999999Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-29T21:59:59.5Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "2026-11-21T09:00:00Z", "2026-11-21T09:00:00.25Z", "2026-11-21T09:00:00.3Z"},
	"money":  {priced("10.00", "EUR"), priced("10.00", "USD"), priced("10", "JPY"), priced("10.000", "KWD"), priced("-0.01", "EUR"), priced("92233720368547758.06", "EUR"), priced("1000", "JPY"), priced("10.005", "KWD")},
	"state":  {"new", "old", "odd"},
	"list":   {[]any{"vip"}, []any{"vip", "lab"}, []any{"VIP"}, []any{"a,b", "lab"}, []any{}},
	"email":  {"ada@acme.test", "bob@acme.test", "ada@zoo.test"},
	"phone":  {"+4930123456", "+12025550123"},
	"url":    {"https://acme.test", "https://zoo.test/a_b"},
	"doc":    {map[string]any{}, []any{}, map[string]any{"a": json.Number("1")}},
	"place":  {map[string]any{"city": "Gent"}},
	"typed":  {"soon", "0", "today", "last_days:3000", "this_year", "last_month", "2026-03-29", "2026-03-29T00:30"},
	"figure": {"10", "10.005", "-0.01", "1000", json.Number("10.00"), "10 EUR", "10 JPY", "0"},
}

func priced(n, currency string) any { return map[string]any{"amount": n, "currency": currency} }

// poolOf names the pool a field's stored values come from, and the one for what it
// is compared with.
func poolOf(typ string) (stored, asked string) {
	switch typ {
	case "text", "long_text":
		return "text", "text"
	case "integer":
		return "int", "int"
	case "decimal", "percent":
		return "float", "float"
	case "boolean":
		return "bool", "bool"
	case "date":
		return "date", "date"
	case "datetime":
		return "time", "time"
	case "money":
		return "money", "figure"
	case "select":
		return "state", "state"
	case "list":
		return "list", "text"
	case "json":
		return "doc", "text"
	case "address":
		return "place", "text"
	}
	return typ, typ
}

func (z *zoo) pick(pool string) any { return pools[pool][z.rng.IntN(len(pools[pool]))] }

// body is random input for an object's writable fields and custom fields; a third
// of the values is missing.
func (z *zoo) body(def *record.Definition) map[string]any {
	out, custom := map[string]any{}, map[string]any{}
	for _, f := range def.Fields {
		stored, _ := poolOf(f.Type.Name())
		if f.ReadOnly || pools[stored] == nil || f.Unique || z.rng.IntN(3) == 0 {
			continue
		}
		out[f.Name] = z.pick(stored)
	}
	for _, f := range def.CustomFields() {
		if stored, _ := poolOf(f.Type.Name()); z.rng.IntN(3) > 0 {
			custom[f.Name] = z.pick(stored)
		}
	}
	out["custom"] = custom
	return out
}

func (z *zoo) fill(t *testing.T, n int) {
	t.Helper()
	z.accounts = z.create(t, z.companies.Object, 12, func(b map[string]any, i int) {
		b["name"] = fmt.Sprint(z.pick("text"))
		if i%4 == 0 {
			b["owner_id"] = z.RepID.String()
		}
	})
	if _, err := z.companies.One(z.Admin, record.Operation{Kind: record.OpDelete, ID: z.accounts[1].ID()}); err != nil {
		t.Fatal(err)
	}
	z.all = z.create(t, z.specimens.Object, n, func(b map[string]any, _ int) {
		if i := z.rng.IntN(len(z.accounts) + 3); i < len(z.accounts) {
			b["account_id"] = z.accounts[i].ID().String()
		}
		b["owner_id"] = []any{z.RepID.String(), z.ManagerID.String(), nil}[z.rng.IntN(3)]
	})
	for _, o := range []*record.Object{z.companies.Object, z.users.Object} {
		page, err := o.List(z.Admin, record.Query{Limit: record.MaxLimit})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			z.related[r.ID()] = r
		}
	}
}

func (z *zoo) create(t *testing.T, o *record.Object, n int, change func(map[string]any, int)) []*record.Record {
	t.Helper()
	def, err := z.K.Definition(z.Admin, o.Def.Name)
	if err != nil {
		t.Fatal(err)
	}
	ops := make([]record.Operation, n)
	for i := range ops {
		b := z.body(def)
		change(b, i)
		if ops[i].Patch, err = def.ParseJSON(b); err != nil {
			t.Fatal(err, b)
		}
		ops[i].Kind = record.OpCreate
	}
	res, err := o.Apply(z.Admin, ops, true)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]uuid.UUID, n)
	for i, r := range res {
		ids[i] = r.Record.ID()
	}
	read, err := o.GetMany(z.Admin, ids) // as a list reads them
	if err != nil {
		t.Fatal(err)
	}
	out := make([]*record.Record, n)
	for i, id := range ids {
		out[i] = read[id]
	}
	return out
}

// agree compares the ids a list gives with the ids Matches gives.
func (z *zoo) agree(t *testing.T, ctx context.Context, f record.Filter, say string) int {
	t.Helper()
	listed, err := z.specimens.IDs(ctx, record.Query{Filter: f}, 10_000)
	if err != nil {
		t.Errorf("%s: %v", say, err)
		return 0
	}
	a := auth.From(ctx)
	env := record.Env{Related: func(object string, id uuid.UUID) *record.Record {
		r := z.related[id]
		if r == nil || r.Def.Name != object || !record.Allows(a, a.Grants.Scope(object, auth.Read), r) {
			return nil
		}
		return r
	}}
	in := map[uuid.UUID]bool{}
	for _, id := range listed {
		in[id] = true
	}
	n := 0
	for _, r := range z.all {
		want := f.Matches(r, env) && record.Allows(a, a.Grants.Scope("specimen", auth.Read), r)
		if want {
			n++
		}
		if in[r.ID()] != want {
			t.Errorf("%s: memory says %v, the list %v for %s", say, want, in[r.ID()], r.AppendJSON(nil, nil, nil))
			return n
		}
	}
	return n
}

// node is one condition as JSON, with values that fit the operator.
func (z *zoo) node(name string, f *record.Field, op record.Op) map[string]any {
	_, asked := poolOf(f.Type.Name())
	value := func() any {
		switch f.Type.Name() {
		case "relation":
			return z.accounts[z.rng.IntN(len(z.accounts))].ID().String()
		case "user", "team", "id":
			return []any{z.RepID.String(), z.ManagerID.String(), z.AdminID.String()}[z.rng.IntN(3)]
		case "version":
			return json.Number("1")
		case "date", "datetime":
			if op != record.Contains && z.rng.IntN(3) == 0 {
				return pools["typed"][2+z.rng.IntN(4)]
			}
			if f.Type.Name() == "datetime" && z.rng.IntN(2) == 0 {
				return pools["typed"][6+z.rng.IntN(2)]
			}
		case "text", "long_text", "email", "phone", "url":
			if op == record.Contains || op == record.StartsWith {
				return []any{"a", "%", "_", `\`, "größe", "ä", "acme", "+49", "://"}[z.rng.IntN(9)]
			}
		}
		return z.pick(asked)
	}
	var v any
	switch {
	case op == record.IsNull:
		v = z.rng.IntN(2) == 0
	case op == record.Between:
		v = []any{value(), value()}
	case op.ManyValued():
		v = []any{value(), value(), value()}[:1+z.rng.IntN(3)]
	default:
		v = value()
	}
	return map[string]any{"field": name, "op": op, "value": v}
}

func (z *zoo) parse(t *testing.T, ctx context.Context, node any) record.Filter {
	t.Helper()
	raw, err := json.Marshal(node)
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.specimens.ParseFilterJSON(ctx, string(raw))
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	again, err := z.specimens.ParseFilterJSON(ctx, f.JSON())
	if err != nil || again.JSON() != f.JSON() {
		t.Errorf("%s is stored as %s and read again as %s (%v)", raw, f.JSON(), again.JSON(), err)
	}
	viaURL, err := z.specimens.ParseFilter(ctx, f.Values())
	if err != nil || len(viaURL.JSON()) != len(record.And(f).JSON()) {
		t.Errorf("%s becomes the address %s and is read as %s (%v)", f.JSON(), f.Values().Encode(), viaURL.JSON(), err)
	}
	return f
}

// names are the fields one may filter by, with their names in the grammar: own,
// custom, and those of the company and the owner.
func (z *zoo) names(t *testing.T) map[string]*record.Field {
	t.Helper()
	out := map[string]*record.Field{}
	for object, prefix := range map[string]string{"specimen": "", "account": "account.", "user": "owner."} {
		def, err := z.K.Definition(z.Admin, object)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range def.Fields {
			out[prefix+f.Name] = f
		}
		for _, f := range def.CustomFields() {
			out[prefix+"custom."+f.Name] = f
		}
	}
	return out
}

func sortedNames(m map[string]*record.Field) []string {
	var out []string
	for n := range m {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// TestSQLAndMemoryAgree tries every operator on every type, stored in a column, in
// the custom document, and one relation away, for people who see everything and
// people who do not.
func TestSQLAndMemoryAgree(t *testing.T) {
	t.Parallel()
	z := newZoo(t)
	z.fill(t, 120)
	berlin := z.berlin()
	rep := auth.As(z.Rep, func(a *auth.Actor) {
		a.Grants = auth.Grants{"specimen:read": auth.All, "account:read": auth.Own, "user:read": auth.All}
	})
	fields := z.names(t)
	hits, conds := 0, 0
	for _, name := range sortedNames(fields) {
		for _, op := range fields[name].Type.Ops() {
			for range 4 {
				node := z.node(name, fields[name], op)
				f := z.parse(t, berlin, node)
				say := f.JSON()
				hits += z.agree(t, berlin, f, say)
				if strings.HasPrefix(name, "account.") {
					z.agree(t, rep, z.parse(t, rep, node), "as rep "+say)
				}
				conds++
			}
		}
	}
	if conds < 1000 || hits == 0 {
		t.Errorf("only %d conditions tried, %d matches", conds, hits)
	}
}

// TestSQLAndMemoryAgreeOnGroups nests conditions at random.
func TestSQLAndMemoryAgreeOnGroups(t *testing.T) {
	t.Parallel()
	z := newZoo(t)
	z.fill(t, 80)
	fields := z.names(t)
	list := sortedNames(fields)
	var group func(depth int) any
	group = func(depth int) any {
		if depth == 0 || z.rng.IntN(3) == 0 {
			name := list[z.rng.IntN(len(list))]
			ops := fields[name].Type.Ops()
			return z.node(name, fields[name], ops[z.rng.IntN(len(ops))])
		}
		out := map[string]any{}
		for _, glue := range [][]string{{"and"}, {"or"}, {"and", "or"}}[z.rng.IntN(3)] {
			var subs []any
			for range 1 + z.rng.IntN(3) {
				subs = append(subs, group(depth-1))
			}
			out[glue] = subs
		}
		return out
	}
	for range 400 {
		f := z.parse(t, z.Admin, group(3))
		z.agree(t, z.Admin, f, f.JSON())
	}
}
