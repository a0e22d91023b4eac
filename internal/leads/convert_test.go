package leads_test

import (
	"context"
	"sync"
	"testing"

	"github.com/google/uuid"

	"crm/internal/leads"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/money"
	"crm/internal/record"
)

func TestConvertMakesWhatIsMissing(t *testing.T) {
	t.Parallel()
	w := setup(t)
	err := w.K.AddCustomFields(w.Admin, []record.CustomField{
		{Object: "lead", Name: "tier", Type: "text"},
		{Object: "lead", Name: "seats", Type: "integer"},
		{Object: "lead", Name: "colour", Type: "text"},
		{Object: "contact", Name: "tier", Type: "text"},
		{Object: "account", Name: "tier", Type: "select", Options: []string{"silver"}},
		{Object: "deal", Name: "seats", Type: "integer"},
		{Object: "contact", Name: "colour", Type: "integer"},
	})
	if err != nil {
		t.Fatal(err)
	}
	employees := int64(40)
	l := w.lead(t, w.Rep, leads.Lead{
		FirstName: "Jane", LastName: "Roe", Email: "jane@acme.com", Company: "Acme", Title: "CTO", Website: "https://acme.com", Employees: &employees, Source: "fair",
		Base: record.Base{Tags: []string{"vip"}},
	})
	if err := w.update(w.Rep, l.ID, record.Patch{"custom.tier": "gold", "custom.seats": int64(9), "custom.colour": "red"}); err != nil {
		t.Fatal(err)
	}
	amount := money.Amount{Minor: 990000, Currency: "EUR"}
	done, err := w.s.Convert(w.Rep, l.ID, leads.ConvertInput{CreateDeal: true, Deal: leads.DealInput{Amount: &amount}})
	if err != nil {
		t.Fatal(err)
	}
	acme, _ := w.companies.Get(w.Rep, *done.AccountID)
	jane, _ := w.people.Get(w.Rep, *done.ContactID)
	deal, _ := w.opportunities.Get(w.Rep, *done.DealID)
	if acme == nil || acme.Name != "Acme" || acme.Website != "https://acme.com" || *acme.Employees != 40 || acme.Custom["tier"] != nil {
		t.Errorf("company %+v", acme)
	}
	if jane == nil || jane.Email != "jane@acme.com" || jane.Title != "CTO" || *jane.AccountID != acme.ID || jane.Custom["tier"] != "gold" || jane.Custom["colour"] != nil || jane.Tags[0] != "vip" || *jane.OwnerID != w.RepID {
		t.Errorf("contact %+v", jane)
	}
	if deal == nil || deal.Name != "Acme" || *deal.ContactID != jane.ID || deal.Amount.Minor != 990000 || deal.Custom["seats"] == nil || deal.Source != "fair" {
		t.Errorf("deal %+v", deal)
	}
	got, err := w.s.Leads.Get(w.Rep, l.ID)
	if err != nil || got.Status != leads.StatusConverted || got.ConvertedAt == nil || *got.ConvertedDealID != deal.ID || got.FirstResponseAt == nil {
		t.Errorf("lead %+v, %v", got, err)
	}
	entries, err := w.K.Timeline(w.Rep, "contact", jane.ID, 0, 10)
	if err != nil || entries[0].Type() != "lead.converted" || entries[0].Data["deal_id"] != deal.ID.String() || entries[0].BatchID == nil {
		t.Fatalf("the contact's timeline: %+v, %v", entries, err)
	}
	for _, e := range entries {
		if *e.BatchID != *entries[0].BatchID {
			t.Errorf("%s is of another batch", e.Type())
		}
	}
}

func TestConvertMatches(t *testing.T) {
	t.Parallel()
	w := setup(t)
	made := func(id uuid.UUID, err error) uuid.UUID {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	acme := made(w.CreateAccount(w.Admin, record.Patch{"name": "Acme Holding", "domain": "acme.com"}))
	named := made(w.CreateAccount(w.Admin, record.Patch{"name": "Named Ltd"}))
	gmail := made(w.CreateAccount(w.Admin, record.Patch{"name": "Google", "domain": "gmail.com"}))
	joe := made(w.CreateContact(w.Admin, record.Patch{"last_name": "Joe", "email": "joe@gmail.com", "account_id": named}))
	lone := made(w.CreateContact(w.Admin, record.Patch{"last_name": "Lone", "email": "lone@acme.com"}))
	tests := []struct {
		name    string
		lead    leads.Lead
		in      leads.ConvertInput
		account *uuid.UUID
		contact *uuid.UUID
	}{
		{name: "by e-mail domain", lead: leads.Lead{LastName: "A", Email: "a@acme.com", Company: "Named Ltd"}, account: &acme},
		{name: "by exact name", lead: leads.Lead{LastName: "B", Email: "b@gmail.com", Company: "Named Ltd"}, account: &named},
		{name: "a free mailer is no company", lead: leads.Lead{LastName: "C", Email: "c@gmail.com"}},
		{name: "a known contact, with its company", lead: leads.Lead{LastName: "Joe", Email: "joe@gmail.com"}, account: &named, contact: &joe},
		{name: "a known contact joins the company", lead: leads.Lead{LastName: "Lone", Email: "lone@acme.com"}, account: &acme, contact: &lone},
		{name: "as told", lead: leads.Lead{LastName: "D", Email: "d@acme.com"}, in: leads.ConvertInput{AccountID: &gmail, ContactID: &joe}, account: &gmail, contact: &joe},
	}
	for _, tt := range tests {
		done, err := w.s.Convert(w.Admin, w.lead(t, w.Admin, tt.lead).ID, tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if !same(done.AccountID, tt.account) || done.ContactID == nil || (tt.contact != nil && *done.ContactID != *tt.contact) || done.DealID != nil {
			t.Errorf("%s: %+v", tt.name, done)
		}
	}
	if p, _ := w.people.Get(w.Admin, lone); !same(p.AccountID, &acme) {
		t.Errorf("the lone contact did not join: %v", p.AccountID)
	}
}

func same(a, b *uuid.UUID) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

func TestConvertANamelessLead(t *testing.T) {
	t.Parallel()
	w := setup(t)
	imported := auth.As(w.Admin, func(a *auth.Actor) { a.Via = auth.ViaImport })
	l := w.lead(t, imported, leads.Lead{Status: "converted", Title: "Clerk"})
	done, err := w.s.Convert(w.Admin, l.ID, leads.ConvertInput{CreateDeal: true})
	if err != nil || done.AccountID != nil || done.ContactID == nil || done.DealID == nil {
		t.Fatalf("%+v, %v", done, err)
	}
}

func TestConvertRefusals(t *testing.T) {
	t.Parallel()
	w := setup(t)
	theirs, err := w.CreateAccount(w.Other, record.Patch{"name": "Theirs"})
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := w.CreateAccount(w.Admin, record.Patch{"name": "Hidden", "domain": "acme.com"})
	if err != nil {
		t.Fatal(err)
	}
	adminLead := w.lead(t, w.Admin, leads.Lead{LastName: "A"})
	l := w.lead(t, w.Rep, leads.Lead{LastName: "B", Email: "b@acme.com"})
	readOnly := auth.As(w.Rep, func(a *auth.Actor) {
		a.Grants = auth.Grants{"*:read": auth.All, "lead:update": auth.Own, "account:create": auth.Own, "contact:create": auth.Own}
	})
	unknown := id.New()
	tests := []struct {
		name string
		ctx  context.Context
		lead uuid.UUID
		in   leads.ConvertInput
		kind errs.Kind
	}{
		{"another tenant's caller", w.Other, l.ID, leads.ConvertInput{}, errs.NotFound},
		{"a rep and somebody else's lead", w.Rep, adminLead.ID, leads.ConvertInput{}, errs.NotFound},
		{"another tenant's account", w.Rep, l.ID, leads.ConvertInput{AccountID: &theirs}, errs.Invalid},
		{"a hidden account", w.Rep, l.ID, leads.ConvertInput{AccountID: &hidden}, errs.Invalid},
		{"no such contact", w.Rep, l.ID, leads.ConvertInput{ContactID: &unknown}, errs.Invalid},
		{"no such stage", w.Rep, l.ID, leads.ConvertInput{CreateDeal: true, Deal: leads.DealInput{PipelineID: &unknown, StageID: &unknown}}, errs.Invalid},
		{"without the right to make deals", readOnly, l.ID, leads.ConvertInput{CreateDeal: true}, errs.Forbidden},
	}
	for _, tt := range tests {
		if _, err := w.s.Convert(tt.ctx, tt.lead, tt.in); errs.KindOf(err) != tt.kind {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if n := w.count(t, w.Admin, "contact") + w.count(t, w.Admin, "deal") + w.count(t, w.Admin, "account"); n != 1 {
		t.Errorf("refused conversions left %d records behind", n-1)
	}
	done, err := w.s.Convert(w.Rep, l.ID, leads.ConvertInput{})
	if err != nil || *done.AccountID == hidden {
		t.Errorf("a rep is given a hidden company: %+v, %v", done, err)
	}
}

func TestConvertOnceUnderConcurrency(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := w.lead(t, w.Rep, leads.Lead{LastName: "Roe", Email: "roe@acme.com", Company: "Acme"})
	got := make([]*leads.Conversion, 20)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			var err error
			if got[i], err = w.s.Convert(w.Rep, l.ID, leads.ConvertInput{CreateDeal: true}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for _, c := range got {
		if *c.DealID != *got[0].DealID || *c.ContactID != *got[0].ContactID || *c.AccountID != *got[0].AccountID {
			t.Fatalf("two conversions: %+v and %+v", c, got[0])
		}
	}
	for _, object := range []string{"account", "contact", "deal"} {
		if n := w.count(t, w.Admin, object); n != 1 {
			t.Errorf("%d of %s", n, object)
		}
	}
	entries, err := w.K.Timeline(w.Rep, "lead", l.ID, 0, 50)
	if err != nil || len(entries) != 2 {
		t.Errorf("%d journal rows, %v; want created and converted", len(entries), err)
	}
}

func TestColleaguesConvertedAtOnceShareACompany(t *testing.T) {
	t.Parallel()
	w := setup(t)
	var list []*leads.Lead
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		list = append(list, w.lead(t, w.Rep, leads.Lead{LastName: name, Email: name + "@acme.com", Company: "Acme"}))
	}
	var wg sync.WaitGroup
	for _, l := range list {
		wg.Go(func() {
			if _, err := w.s.Convert(w.Rep, l.ID, leads.ConvertInput{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if companies, people := w.count(t, w.Admin, "account"), w.count(t, w.Admin, "contact"); companies != 1 || people != 8 {
		t.Errorf("%d companies and %d people, want 1 and 8", companies, people)
	}
}
