package leadshttp_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/leads"
	"crm/internal/leads/leadshttp"
	"crm/internal/platform/id"
	"crm/internal/platform/money"
	"crm/internal/record"
	"crm/internal/record/recordpage/pagetest"
	"crm/internal/record/recordtest"
)

// company, person and opportunity stand in for the objects of the neighbouring
// contexts, over their real tables: contexts never import each other.
type company struct {
	record.Base
	Name   string `crm:"name,text,required,title"`
	Domain string `crm:"domain,text"`
}

type person struct {
	record.Base
	FirstName string     `crm:"first_name,text,title"`
	LastName  string     `crm:"last_name,text,title"`
	Email     string     `crm:"email,email"`
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

// neighbours are the ports of leads over the stand-ins.
type neighbours struct{ companies, people, opportunities *record.Object }

func (n *neighbours) FindAccountByDomain(context.Context, string) (*uuid.UUID, error) {
	return nil, nil
}

func (n *neighbours) FindAccountByName(context.Context, string) (*uuid.UUID, error) { return nil, nil }

func (n *neighbours) FindContactByEmail(context.Context, string) (*uuid.UUID, error) { return nil, nil }

func (n *neighbours) CreateAccount(ctx context.Context, values record.Patch) (uuid.UUID, error) {
	return create(ctx, n.companies, values)
}

func (n *neighbours) CreateContact(ctx context.Context, values record.Patch) (uuid.UUID, error) {
	return create(ctx, n.people, values)
}

func (n *neighbours) CreateDeal(ctx context.Context, values record.Patch) (uuid.UUID, error) {
	values["pipeline_id"], values["stage_id"] = pipeline, stage
	return create(ctx, n.opportunities, values)
}

var pipeline, stage = id.New(), id.New()

func create(ctx context.Context, o *record.Object, values record.Patch) (uuid.UUID, error) {
	known := record.Patch{}
	for name, v := range values {
		if _, ok := o.Def.Field(name); ok {
			known[name] = v
		}
	}
	res, err := o.One(ctx, record.Operation{Kind: record.OpCreate, Patch: known})
	if err != nil {
		return uuid.Nil, err
	}
	return res.Record.ID(), nil
}

// pages is a site with leads and their stand-in neighbours.
func pages(t *testing.T) (*pagetest.World, *leads.Service) {
	t.Helper()
	e := recordtest.New(t)
	n := &neighbours{companies: stand[company](t, e, "account", "accounts"), people: stand[person](t, e, "contact", "contacts"), opportunities: stand[opportunity](t, e, "deal", "deals")}
	s, err := leads.New(leads.Deps{Kernel: e.K, Now: time.Now, Log: slog.New(slog.DiscardHandler), Accounts: n, Contacts: n, Deals: n})
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.SQL.Owner.Exec(t.Context(), `insert into pipelines (tenant_id, id, name, created_at, updated_at) values ($1, $2, 'Sales', now(), now())`, e.Tenant, pipeline)
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.SQL.Owner.Exec(t.Context(), `insert into stages (tenant_id, id, pipeline_id, name, position, probability, created_at, updated_at) values ($1, $2, $3, 'First', 1, 10, now(), now())`, e.Tenant, stage, pipeline)
	if err != nil {
		t.Fatal(err)
	}
	w := pagetest.New(t, e)
	w.Outside = append(w.Outside, leadshttp.NewFormPages(w.Shell, s).Mount)
	w.Inside = append(w.Inside, leadshttp.NewPages(w.Pages, s).Mount)
	w.Serve(t)
	return w, s
}

func stand[T any](t *testing.T, e *recordtest.Env, name, plural string) *record.Object {
	t.Helper()
	s, err := record.Register[T](e.K, record.Definition{Name: name, Plural: plural, Label: name, LabelPlural: plural, Owned: true}, record.HooksFor[T]{})
	if err != nil {
		t.Fatal(err)
	}
	return s.Object
}
