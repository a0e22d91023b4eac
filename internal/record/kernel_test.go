package record_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/db/dbtest"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/money"
	"crm/internal/record"
)

// company and person exercise the kernel over two real tables.
type company struct {
	record.Base
	Name          string        `crm:"name,text,required,search,title"`
	Industry      string        `crm:"industry,text"`
	Employees     *int64        `crm:"employees,integer"`
	AnnualRevenue *money.Amount `crm:"annual_revenue,money"`
}

type person struct {
	record.Base
	FirstName string     `crm:"first_name,text,search,title"`
	LastName  string     `crm:"last_name,text,required,search,title"`
	Email     string     `crm:"email,email,search"`
	AccountID *uuid.UUID `crm:"account_id,relation,target=account"`
	DoNot     bool       `crm:"do_not_contact,boolean"`
}

type bundle struct {
	k         *record.Kernel
	db        *db.DB
	sql       *dbtest.DB
	companies *record.Store[company]
	people    *record.Store[person]
	ctx       context.Context // an admin of tenant a
	other     context.Context // an admin of tenant b
	tenant    uuid.UUID
	rep       *auth.Actor
}

func setup(t testing.TB) *bundle {
	t.Helper()
	tdb := dbtest.New(t)
	d, err := db.Open(t.Context(), tdb.AppURL, 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	k, err := record.NewKernel(record.Deps{DB: d, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{k: k, db: d, sql: tdb}
	if b.companies, err = record.Register[company](k, record.Definition{Name: "account", Plural: "accounts", Label: "Company", LabelPlural: "Companies", Owned: true}, record.HooksFor[company]{}); err != nil {
		t.Fatal(err)
	}
	b.people, err = record.Register[person](k, record.Definition{Name: "contact", Plural: "contacts", Label: "Contact", LabelPlural: "Contacts", Owned: true}, record.HooksFor[person]{
		Before: func(_ context.Context, _ pgx.Tx, changes []record.TypedChange[person]) error {
			for _, c := range changes {
				if c.New.LastName == "Forbidden" {
					return errs.Field("last_name", "forbidden_name", "Not that name.")
				}
			}
			return nil
		},
		Refs: func(p *person) []uuid.UUID {
			if p.AccountID == nil {
				return nil
			}
			return []uuid.UUID{*p.AccountID}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.tenant = newTenant(t, tdb, "a")
	b.ctx = auth.With(t.Context(), admin(b.tenant))
	b.other = auth.With(t.Context(), admin(newTenant(t, tdb, "b")))
	b.rep = newRep(t, tdb, b.tenant)
	return b
}

func admin(tenant uuid.UUID) *auth.Actor {
	a := auth.SystemActor(tenant)
	a.Via = auth.ViaAPI
	return a
}

func newTenant(t testing.TB, tdb *dbtest.DB, slug string) uuid.UUID {
	t.Helper()
	tenant := id.New()
	if _, err := tdb.Owner.Exec(t.Context(), `insert into tenants (id, slug, name, created_at) values ($1, $2, $2, now())`, tenant, slug); err != nil {
		t.Fatal(err)
	}
	return tenant
}

// newRep makes a user whose grants reach only what they own.
func newRep(t testing.TB, tdb *dbtest.DB, tenant uuid.UUID) *auth.Actor {
	t.Helper()
	role, user := id.New(), id.New()
	_, err := tdb.Owner.Exec(t.Context(), `insert into roles (tenant_id, id, key, name, created_at, updated_at) values ($1, $2, 'rep', 'Rep', now(), now())`, tenant, role)
	if err == nil {
		_, err = tdb.Owner.Exec(t.Context(), `insert into users (tenant_id, id, name, role_id, created_at, updated_at) values ($1, $2, 'Rep', $3, now(), now())`, tenant, user, role)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &auth.Actor{
		Kind: auth.User, TenantID: tenant, ID: user, Name: "Rep", Via: auth.ViaAPI,
		Grants: auth.Grants{"contact:read": auth.Own, "contact:update": auth.Own, "contact:create": auth.Own},
	}
}

func TestCreateGetPatchJournal(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c, err := b.companies.Create(b.ctx, &company{Name: "Acme Größe", AnnualRevenue: &money.Amount{Minor: 123450, Currency: "EUR"}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Version != 1 || c.AnnualRevenue.Minor != 123450 {
		t.Fatalf("created %+v", c)
	}
	def, _ := b.k.Definition(b.ctx, "contact")
	patch, err := def.ParseJSON(map[string]any{"first_name": "Ada", "last_name": "Smith", "email": "Ada@Example.com", "account_id": c.ID.String(), "tags": []any{"vip", "vip", "x"}})
	if err != nil {
		t.Fatal(err)
	}
	res, err := b.people.One(b.ctx, record.Operation{Kind: record.OpCreate, Patch: patch})
	if err != nil {
		t.Fatal(err)
	}
	p := record.To[person](res.Record)
	if p.Email != "ada@example.com" || len(p.Tags) != 2 {
		t.Fatalf("canonical values: %+v", p)
	}
	got, err := b.people.Get(b.ctx, p.ID)
	if err != nil || got.Email != p.Email || !got.CreatedAt.Equal(p.CreatedAt) {
		t.Fatalf("read back %+v, %v", got, err)
	}
	res2, err := b.people.One(b.ctx, record.Operation{Kind: record.OpUpdate, ID: p.ID, Patch: record.Patch{"first_name": "Grace"}})
	if err != nil || res2.Record.Version() != 2 {
		t.Fatalf("patch: %v %v", res2.Record, err)
	}
	entries, err := b.k.Timeline(b.ctx, "contact", p.ID, 0, 10)
	if err != nil || len(entries) != 2 {
		t.Fatalf("timeline %v %v", entries, err)
	}
	if ch := entries[0].Changes["first_name"]; ch[0] != "Ada" || ch[1] != "Grace" {
		t.Fatalf("journal tells %v", entries[0].Changes)
	}
	account, err := b.k.Timeline(b.ctx, "account", c.ID, 0, 10)
	if err != nil || len(account) != 3 {
		t.Fatalf("the company's timeline has %d entries, %v", len(account), err)
	}
	undone, err := b.k.Undo(b.ctx, entries[0].Seq)
	if err != nil || undone.Reversed != 1 {
		t.Fatalf("undo: %+v %v", undone, err)
	}
	if got, _ := b.people.Get(b.ctx, p.ID); got.FirstName != "Ada" || got.Version != 3 {
		t.Fatalf("after undo %+v", got)
	}
	if _, err := b.people.Get(b.other, p.ID); errs.KindOf(err) != errs.NotFound {
		t.Fatalf("another tenant reads: %v", err)
	}
	hits, err := b.k.Search(b.ctx, "grosse", 5)
	if err != nil || len(hits) != 1 {
		t.Fatalf("search: %v %v", hits, err)
	}
}

func TestBatchKeepsTheGoodRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ops := []record.Operation{
		{Kind: record.OpCreate, Patch: record.Patch{"last_name": "One", "external_id": "1"}},
		{Kind: record.OpCreate, Patch: record.Patch{"last_name": "Dup", "external_id": "1"}},
		{Kind: record.OpCreate, Patch: record.Patch{"first_name": "no last name"}},
		{Kind: record.OpCreate, Patch: record.Patch{"last_name": "Forbidden"}},
		{Kind: record.OpCreate, Patch: record.Patch{"last_name": "Two"}},
	}
	res, err := b.people.Apply(b.ctx, ops, false)
	if err != nil {
		t.Fatal(err)
	}
	want := []bool{true, false, false, false, true}
	for i, r := range res {
		if (r.Err == nil) != want[i] {
			t.Errorf("operation %d: %v", i, r.Err)
		}
	}
	page, err := b.people.List(b.ctx, record.Query{Count: true})
	if err != nil || *page.Count != 2 {
		t.Fatalf("kept %v, %v", page, err)
	}
	if _, err := b.people.Apply(b.ctx, ops[4:], true); err != nil {
		t.Fatal(err)
	}
}

func TestListFiltersSortsAndPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	names := []string{"Adams", "Baker", "Clark", "Davis", "Evans"}
	for i, n := range names {
		p := &person{LastName: n, DoNot: i%2 == 0}
		if i == 4 {
			p.Email = "e@example.com"
		}
		if _, err := b.people.Create(b.ctx, p); err != nil {
			t.Fatal(err)
		}
	}
	for _, sort := range []string{"last_name", "-last_name", "email,-last_name", "-email", "-created_at"} {
		seen := map[uuid.UUID]bool{}
		cursor := ""
		for {
			page, err := b.people.List(b.ctx, record.Query{Limit: 2, Sort: sort, Cursor: cursor})
			if err != nil {
				t.Fatal(sort, err)
			}
			for _, r := range page.Records {
				if seen[r.ID()] {
					t.Fatalf("%s shows a row twice", sort)
				}
				seen[r.ID()] = true
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if len(seen) != len(names) {
			t.Errorf("%s walked %d of %d rows", sort, len(seen), len(names))
		}
	}
	page, err := b.people.List(b.ctx, record.Query{Sort: "email"})
	if err != nil || page.Records[0].Title() != "Evans" {
		t.Fatalf("empty values come last: %v %v", page.Records[0].Title(), err)
	}
	for query, want := range map[string]int{
		"last_name=Adams": 1, "last_name[contains]=ar": 1, "last_name[in]=Adams,Baker": 2, "do_not_contact=true": 3,
		"email[is_null]=true": 4, "created_at=today": 5, "created_at[last_days]=1": 5, "created_at[gt]=2099-01-01": 0,
		`filter={"or":[{"field":"last_name","value":"Adams"},{"field":"email","op":"contains","value":"@"}]}`: 2,
		"account.name=Nobody": 0, "last_name[not_in]=Adams": 4, "last_name[between]=A": -1, "nope=1": -1, "last_name[frob]=1": -1,
	} {
		q, _ := parseQuery(query)
		f, err := b.people.ParseFilter(b.ctx, q)
		if (want < 0) != (err != nil) {
			t.Errorf("%s: %v", query, err)
		}
		if err != nil {
			continue
		}
		page, err := b.people.List(b.ctx, record.Query{Filter: f})
		if err != nil || len(page.Records) != want {
			t.Errorf("%s gives %d rows, want %d (%v)", query, len(page.Records), want, err)
		}
	}
}

func TestScopeHidesOthersRecords(t *testing.T) {
	t.Parallel()
	b := setup(t)
	theirs, err := b.people.Create(b.ctx, &person{LastName: "Theirs"})
	if err != nil {
		t.Fatal(err)
	}
	rep := auth.With(t.Context(), b.rep)
	mine, err := b.people.Create(rep, &person{LastName: "Mine"})
	if err != nil || mine.OwnerID == nil || *mine.OwnerID != b.rep.ID {
		t.Fatalf("the maker owns it: %+v %v", mine, err)
	}
	if _, err := b.people.Get(rep, theirs.ID); errs.KindOf(err) != errs.NotFound {
		t.Errorf("get: %v", err)
	}
	_, err = b.people.One(rep, record.Operation{Kind: record.OpUpdate, ID: theirs.ID, Patch: record.Patch{"first_name": "x"}})
	if errs.KindOf(err) != errs.NotFound {
		t.Errorf("update: %v", err)
	}
	if page, err := b.people.List(rep, record.Query{}); err != nil || len(page.Records) != 1 {
		t.Errorf("list: %v %v", page, err)
	}
	if _, err := b.people.One(rep, record.Operation{Kind: record.OpDelete, ID: mine.ID}); errs.KindOf(err) != errs.Forbidden {
		t.Errorf("delete without the right: %v", err)
	}
	if _, err := b.companies.List(rep, record.Query{}); errs.KindOf(err) != errs.Forbidden {
		t.Errorf("an object without a grant: %v", err)
	}
}

func TestCustomFieldsAndUndoBatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.k.AddCustomFields(b.ctx, []record.CustomField{{Object: "contact", Name: "tier", Type: "select", Options: []string{"gold", "silver"}}, {Object: "contact", Name: "age", Type: "integer"}}); err != nil {
		t.Fatal(err)
	}
	def, err := b.k.Definition(b.ctx, "contact")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := def.ParseJSON(map[string]any{"last_name": "x", "custom": map[string]any{"tier": "tin"}}); errs.KindOf(err) != errs.Invalid {
		t.Fatalf("a wrong option: %v", err)
	}
	batch := id.New()
	ctx := auth.As(b.ctx, func(a *auth.Actor) { a.BatchID = batch })
	var ops []record.Operation
	for i := range 30 {
		p, err := def.ParseText(map[string]string{"last_name": "N", "custom.tier": "gold", "custom.age": []string{"20", "40", "60"}[i%3]}, record.FromText, "EUR")
		if err != nil {
			t.Fatal(err)
		}
		ops = append(ops, record.Operation{Kind: record.OpCreate, Patch: p})
	}
	if _, err := b.people.Apply(ctx, ops, true); err != nil {
		t.Fatal(err)
	}
	q, _ := parseQuery("custom.tier=gold&custom.age[gte]=40")
	f, err := b.people.ParseFilter(b.ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	page, err := b.people.List(b.ctx, record.Query{Filter: f})
	if err != nil || len(page.Records) != 20 {
		t.Fatalf("custom filter: %d %v", len(page.Records), err)
	}
	edited := page.Records[0].ID()
	if _, err := b.people.One(b.ctx, record.Operation{Kind: record.OpUpdate, ID: edited, Patch: record.Patch{"custom.age": int64(41)}}); err != nil {
		t.Fatal(err)
	}
	undone, err := b.k.UndoBatch(b.ctx, batch)
	if err != nil || undone.Reversed != 29 || len(undone.Conflicts) != 1 || undone.Conflicts[0].RecordID != edited {
		t.Fatalf("undo of the batch: %+v %v", undone, err)
	}
}

func TestSameRecordTwiceInOneBatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p, err := b.people.Create(b.ctx, &person{LastName: "Smith"})
	if err != nil {
		t.Fatal(err)
	}
	res, err := b.people.Apply(b.ctx, []record.Operation{
		{Kind: record.OpUpdate, ID: p.ID, Patch: record.Patch{"first_name": "Ada"}},
		{Kind: record.OpUpdate, ID: p.ID, Patch: record.Patch{"first_name": "Grace"}},
		{Kind: record.OpUpsert, Key: "external_id", Patch: record.Patch{"external_id": "7", "last_name": "One"}},
		{Kind: record.OpUpsert, Key: "external_id", Patch: record.Patch{"external_id": "7", "last_name": "Two"}},
	}, false)
	if err != nil || res[1].Err != nil || res[1].Record.Version() != 3 || res[3].Err != nil || res[3].Created {
		t.Fatalf("%+v %v", res, err)
	}
	if got, _ := b.people.Get(b.ctx, p.ID); got.FirstName != "Grace" {
		t.Errorf("the later change wins: %+v", got)
	}
}
