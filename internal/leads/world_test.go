package leads_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/leads"
	"crm/internal/platform/id"
	"crm/internal/platform/money"
	"crm/internal/record"
	"crm/internal/record/recordtest"
)

// company, person and opportunity stand in for the objects of the neighbouring
// contexts, over their real tables: contexts never import each other.
type company struct {
	record.Base
	Name      string `crm:"name,text,required,search,title"`
	Domain    string `crm:"domain,text"`
	Website   string `crm:"website,url"`
	Industry  string `crm:"industry,text"`
	Employees *int64 `crm:"employees,integer"`
}

type person struct {
	record.Base
	FirstName string     `crm:"first_name,text,title"`
	LastName  string     `crm:"last_name,text,title"`
	Email     string     `crm:"email,email"`
	Phone     string     `crm:"phone,phone"`
	Title     string     `crm:"title,text"`
	AccountID *uuid.UUID `crm:"account_id,relation,target=account"`
	Source    string     `crm:"source,text"`
}

type opportunity struct {
	record.Base
	Name       string        `crm:"name,text,required,title"`
	AccountID  *uuid.UUID    `crm:"account_id,relation,target=account"`
	ContactID  *uuid.UUID    `crm:"contact_id,relation,target=contact"`
	PipelineID *uuid.UUID    `crm:"pipeline_id,relation,target=pipeline"`
	StageID    *uuid.UUID    `crm:"stage_id,relation,target=stage"`
	Amount     *money.Amount `crm:"amount,money"`
	Expected   *time.Time    `crm:"expected_close_date,date"`
	Source     string        `crm:"source,text"`
}

// neighbours are the ports over the stand-ins.
type neighbours struct {
	companies     *record.Store[company]
	people        *record.Store[person]
	opportunities *record.Store[opportunity]
	pipeline      uuid.UUID
	stage         uuid.UUID
}

func first[T any](ctx context.Context, s *record.Store[T], field, value string) (*uuid.UUID, error) {
	page, err := s.List(ctx, record.Query{Limit: 1, Sort: "created_at", Filter: s.Where(field, record.Eq, value)})
	if err != nil || len(page.Records) == 0 {
		return nil, err
	}
	found := page.Records[0].ID()
	return &found, nil
}

func make1(ctx context.Context, o *record.Object, values record.Patch) (uuid.UUID, error) {
	res, err := o.One(ctx, record.Operation{Kind: record.OpCreate, Patch: values})
	if err != nil {
		return uuid.Nil, err
	}
	return res.Record.ID(), nil
}

func (n *neighbours) FindAccountByDomain(ctx context.Context, domain string) (*uuid.UUID, error) {
	return first(ctx, n.companies, "domain", domain)
}

func (n *neighbours) FindAccountByName(ctx context.Context, name string) (*uuid.UUID, error) {
	return first(ctx, n.companies, "name", name)
}

func (n *neighbours) CreateAccount(ctx context.Context, values record.Patch) (uuid.UUID, error) {
	return make1(ctx, n.companies.Object, values)
}

func (n *neighbours) FindContactByEmail(ctx context.Context, email string) (*uuid.UUID, error) {
	return first(ctx, n.people, "email", email)
}

func (n *neighbours) CreateContact(ctx context.Context, values record.Patch) (uuid.UUID, error) {
	return make1(ctx, n.people.Object, values)
}

func (n *neighbours) CreateDeal(ctx context.Context, values record.Patch) (uuid.UUID, error) {
	if values["stage_id"] == nil {
		values["pipeline_id"], values["stage_id"] = n.pipeline, n.stage
	}
	return make1(ctx, n.opportunities.Object, values)
}

// world is a test's world with the leads service in it.
type world struct {
	*recordtest.Env
	*neighbours
	s *leads.Service
}

func setup(t *testing.T) *world {
	t.Helper()
	e := recordtest.New(t)
	n := &neighbours{pipeline: id.New(), stage: id.New()}
	var err error
	if n.companies, err = record.Register[company](e.K, record.Definition{Name: "account", Plural: "accounts", Label: "Company", LabelPlural: "Companies", Owned: true}, record.HooksFor[company]{}); err != nil {
		t.Fatal(err)
	}
	if n.people, err = record.Register[person](e.K, record.Definition{Name: "contact", Plural: "contacts", Label: "Contact", LabelPlural: "Contacts", Owned: true},
		record.HooksFor[person]{Refs: func(p *person) []uuid.UUID { return given(p.AccountID) }}); err != nil {
		t.Fatal(err)
	}
	if n.opportunities, err = record.Register[opportunity](e.K, record.Definition{Name: "deal", Plural: "deals", Label: "Deal", LabelPlural: "Deals", Owned: true},
		record.HooksFor[opportunity]{Refs: func(o *opportunity) []uuid.UUID { return given(o.AccountID, o.ContactID) }}); err != nil {
		t.Fatal(err)
	}
	s, err := leads.New(leads.Deps{Kernel: e.K, Now: time.Now, Log: slog.New(slog.DiscardHandler), Accounts: n, Contacts: n, Deals: n})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{e, n, s}
	w.exec(t, `insert into pipelines (tenant_id, id, name, created_at, updated_at) values ($1, $2, 'Sales', now(), now())`, e.Tenant, n.pipeline)
	w.exec(t, `insert into stages (tenant_id, id, pipeline_id, name, position, probability, created_at, updated_at) values ($1, $2, $3, 'First', 1, 10, now(), now())`, e.Tenant, n.stage, n.pipeline)
	return w
}

func given(ids ...*uuid.UUID) []uuid.UUID {
	var out []uuid.UUID
	for _, u := range ids {
		if u != nil {
			out = append(out, *u)
		}
	}
	return out
}

func (w *world) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := w.SQL.Owner.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func (w *world) lead(t *testing.T, ctx context.Context, l leads.Lead) *leads.Lead {
	t.Helper()
	made, err := w.s.Leads.Create(ctx, &l)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (w *world) count(t *testing.T, ctx context.Context, object string) int64 {
	t.Helper()
	o, _ := w.K.Object(object)
	page, err := o.List(ctx, record.Query{Count: true})
	if err != nil {
		t.Fatal(err)
	}
	return *page.Count
}

func (w *world) update(ctx context.Context, lead uuid.UUID, p record.Patch) error {
	_, err := w.s.Leads.One(ctx, record.Operation{Kind: record.OpUpdate, ID: lead, Patch: p})
	return err
}
