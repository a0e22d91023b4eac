package leads_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/activities"
	"crm/internal/contacts"
	"crm/internal/deals"
	"crm/internal/leads"
	"crm/internal/record"
	"crm/internal/record/recordtest"
)

type dealMaker struct{ *deals.Service }

func (d dealMaker) CreateDeal(ctx context.Context, v record.Patch) (uuid.UUID, error) {
	res, err := d.Deals.One(ctx, record.Operation{Kind: record.OpCreate, Patch: v})
	if err != nil {
		return uuid.Nil, err
	}
	return res.Record.ID(), nil
}

func TestReal(t *testing.T) {
	e := recordtest.New(t)
	c, err := contacts.New(contacts.Deps{Kernel: e.K, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	d, err := deals.New(deals.Deps{Kernel: e.K, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	s, err := leads.New(leads.Deps{Kernel: e.K, Now: time.Now, Log: slog.Default(), Accounts: c, Contacts: c, Deals: dealMaker{d}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := activities.New(activities.Deps{Kernel: e.K, Now: time.Now, Next: d})
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Leads.Create(e.Rep, &leads.Lead{FirstName: "J", LastName: "Roe", Email: "j@acme.com", Phone: "+49301234567", Company: "Acme", Website: "https://www.acme.com/x"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Convert(e.Rep, l.ID, leads.ConvertInput{CreateDeal: true})
	if err != nil {
		t.Fatal(err)
	}
	acc, _ := c.Accounts.Get(e.Rep, *got.AccountID)
	con, _ := c.Contacts.Get(e.Rep, *got.ContactID)
	deal, _ := d.Deals.Get(e.Rep, *got.DealID)
	t.Logf("%+v\n%+v\n%+v", acc, con, deal)
	l2, _ := s.Leads.Create(e.Rep, &leads.Lead{LastName: "Two", Email: "two@acme.com", Company: "Other name"})
	got2, err := s.Convert(e.Rep, l2.ID, leads.ConvertInput{CreateDeal: false})
	if err != nil || *got2.AccountID != *got.AccountID {
		t.Fatal(got2, err)
	}
	back, err := s.Unconvert(e.Rep, l2.ID)
	t.Logf("%+v %v", back, err)
	act, err := a.Activities.Create(e.Rep, &activities.Activity{Type: "task", Subject: "x", DueAt: ptr(time.Now().Add(time.Hour)), Related: []any{map[string]any{"object": "deals", "id": got.DealID.String()}}})
	if err != nil {
		t.Fatal(err)
	}
	deal, _ = d.Deals.Get(e.Rep, *got.DealID)
	if deal.NextActivityAt == nil {
		t.Fatal("no next")
	}
	back, err = s.Unconvert(e.Rep, l.ID)
	t.Logf("%+v %v", back, err)
	if len(back.Conflicts) == 0 {
		t.Error("deal with a task removed")
	}
	if _, err := a.Complete(e.Rep, act.ID, ""); err != nil {
		t.Fatal(err)
	}
	deal, _ = d.Deals.Get(e.Rep, *got.DealID)
	if deal.NextActivityAt != nil {
		t.Fatal("next")
	}
	l3, _ := s.Leads.Create(e.Rep, &leads.Lead{LastName: "Three", Company: "Third"})
	got3, err := s.Convert(e.Rep, l3.ID, leads.ConvertInput{CreateDeal: true})
	if err != nil {
		t.Fatal(err)
	}
	back, err = s.Unconvert(e.Rep, l3.ID)
	t.Logf("%+v %v", back, err)
	deal, _ = d.Deals.Get(e.Rep, *got3.DealID)
	if deal.DeletedAt == nil {
		t.Fatal("deal kept")
	}
	n := time.Now()
	for range 200 {
		l, _ := s.Leads.Create(e.Rep, &leads.Lead{LastName: "Three", Email: uuid.NewString() + "@x.io", Company: uuid.NewString()})
		if _, err := s.Convert(e.Rep, l.ID, leads.ConvertInput{CreateDeal: true}); err != nil {
			t.Fatal(err)
		}
	}
	t.Log("create+convert", time.Since(n)/200)
}

func ptr[T any](v T) *T { return &v }
