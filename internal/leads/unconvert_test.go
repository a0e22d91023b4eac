package leads_test

import (
	"context"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/leads"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

func TestUnconvert(t *testing.T) {
	t.Parallel()
	w := setup(t)
	noDelete := auth.As(w.Rep, func(a *auth.Actor) {
		g := auth.Grants{}
		for k, v := range a.Grants {
			g[k] = v
		}
		for _, o := range []string{"account", "contact", "deal", "lead"} {
			g[o+":delete"] = auth.None
		}
		a.Grants = g
	})
	lone, err := w.CreateContact(w.Rep, record.Patch{"last_name": "Lone", "email": "lone@acme.com"})
	if err != nil {
		t.Fatal(err)
	}
	l := w.lead(t, w.Rep, leads.Lead{LastName: "Lone", Email: "lone@acme.com", Company: "Acme"})
	if _, err := w.s.Unconvert(w.Rep, l.ID); errs.KindOf(err) != errs.Conflict {
		t.Errorf("not converted yet: %v", err)
	}
	if err := w.update(w.Rep, l.ID, record.Patch{"status": "nurturing"}); err != nil {
		t.Fatal(err)
	}
	done, err := w.s.Convert(w.Rep, l.ID, leads.ConvertInput{CreateDeal: true})
	if err != nil {
		t.Fatal(err)
	}
	for who, ctx := range map[string]context.Context{"another tenant": w.Other, "nobody": t.Context()} {
		if _, err := w.s.Unconvert(ctx, l.ID); err == nil {
			t.Errorf("%s unconverts", who)
		}
	}
	back, err := w.s.Unconvert(noDelete, l.ID)
	if err != nil || back.Status != leads.StatusNurturing || len(back.Conflicts) != 0 || back.Reversed != 4 {
		t.Fatalf("%+v, %v", back, err)
	}
	got, _ := w.s.Leads.Get(w.Rep, l.ID)
	if got.ConvertedContactID != nil || got.ConvertedAt != nil || got.Status != leads.StatusNurturing {
		t.Errorf("lead %+v", got)
	}
	acme, _ := w.companies.Get(w.Rep, *done.AccountID)
	deal, _ := w.opportunities.Get(w.Rep, *done.DealID)
	who, _ := w.people.Get(w.Rep, lone)
	if acme.DeletedAt == nil || deal.DeletedAt == nil || who.DeletedAt != nil || who.AccountID != nil {
		t.Errorf("company %v, deal %v, contact %v with company %v", acme.DeletedAt, deal.DeletedAt, who.DeletedAt, who.AccountID)
	}
	entries, err := w.K.Timeline(w.Rep, "lead", l.ID, 0, 50)
	if err != nil || entries[0].Type() != "lead.unconverted" || entries[1].Action != "undone" {
		t.Errorf("journal %+v, %v", entries, err)
	}
	if again, err := w.s.Convert(w.Rep, l.ID, leads.ConvertInput{CreateDeal: true}); err != nil || *again.AccountID == *done.AccountID {
		t.Errorf("convert again: %+v, %v", again, err)
	}
}

func TestUnconvertKeepsWhatWasWorkedOn(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := w.lead(t, w.Admin, leads.Lead{LastName: "Roe", Email: "roe@acme.com", Company: "Acme"})
	done, err := w.s.Convert(w.Admin, l.ID, leads.ConvertInput{CreateDeal: true})
	if err != nil {
		t.Fatal(err)
	}
	// What the product does by itself is no work, and neither is a change of the lead.
	system := auth.With(t.Context(), auth.SystemActor(w.Tenant))
	if _, err := w.opportunities.One(system, record.Operation{Kind: record.OpUpdate, ID: *done.DealID, Patch: record.Patch{"source": "guess"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.update(w.Admin, l.ID, record.Patch{"tags": []string{"seen"}}); err != nil {
		t.Fatal(err)
	}
	// A new field on the contact and a second contact at the company are.
	if _, err := w.people.One(w.Rep2(), record.Operation{Kind: record.OpUpdate, ID: *done.ContactID, Patch: record.Patch{"title": "CTO"}}); err != nil {
		t.Fatal(err)
	}
	back, err := w.s.Unconvert(w.Admin, l.ID)
	if err != nil {
		t.Fatal(err)
	}
	kept := map[uuid.UUID]bool{}
	for _, c := range back.Conflicts {
		kept[c.RecordID] = true
	}
	if back.Status != leads.StatusNew || len(kept) != 2 || !kept[*done.ContactID] || !kept[*done.AccountID] {
		t.Errorf("%+v", back)
	}
	if d, _ := w.opportunities.Get(w.Admin, *done.DealID); d.DeletedAt == nil {
		t.Error("the deal nobody touched is still there")
	}
	if p, _ := w.people.Get(w.Admin, *done.ContactID); p.DeletedAt != nil {
		t.Error("the contact somebody worked on is in the bin")
	}
}

func TestUnconvertKeepsWhatAKeptDealNeeds(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := w.lead(t, w.Rep, leads.Lead{LastName: "Roe", Company: "Acme"})
	done, err := w.s.Convert(w.Rep, l.ID, leads.ConvertInput{CreateDeal: true})
	if err != nil {
		t.Fatal(err)
	}
	err = w.DB.Tx(w.Rep, func(ctx context.Context, tx pgx.Tx) error {
		_, err := w.K.Emit(ctx, tx, "deal", *done.DealID, "called", nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	back, err := w.s.Unconvert(w.Rep, l.ID)
	if err != nil || len(back.Conflicts) != 3 || back.Reversed != 1 || back.Status != leads.StatusNew {
		t.Fatalf("%+v, %v", back, err)
	}
	if n := w.count(t, w.Rep, "account") + w.count(t, w.Rep, "contact") + w.count(t, w.Rep, "deal"); n != 3 {
		t.Errorf("%d records are left, want 3", n)
	}
}

// Rep2 is a colleague with the rights of an admin.
func (w *world) Rep2() context.Context {
	return auth.As(w.Manager, func(a *auth.Actor) { a.Grants = auth.AllGrants() })
}

func TestUnconvertOnceUnderConcurrency(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := w.lead(t, w.Rep, leads.Lead{LastName: "Roe", Company: "Acme"})
	if _, err := w.s.Convert(w.Rep, l.ID, leads.ConvertInput{CreateDeal: true}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	winners := 0
	for range 10 {
		wg.Go(func() {
			_, err := w.s.Unconvert(w.Rep, l.ID)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				winners++
			} else if errs.KindOf(err) != errs.Conflict {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if winners != 1 {
		t.Errorf("%d took it back, want 1", winners)
	}
}

func TestConversionIsOneBatchOfTheGeneralUndo(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := w.lead(t, w.Admin, leads.Lead{LastName: "Roe", Company: "Acme"})
	if _, err := w.s.Convert(w.Admin, l.ID, leads.ConvertInput{CreateDeal: true}); err != nil {
		t.Fatal(err)
	}
	entries, err := w.K.Timeline(w.Admin, "lead", l.ID, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	undone, err := w.K.UndoBatch(w.Admin, *entries[0].BatchID)
	if err != nil || undone.Reversed != 4 || len(undone.Conflicts) != 0 {
		t.Fatalf("%+v, %v", undone, err)
	}
	if got, _ := w.s.Leads.Get(w.Admin, l.ID); got.Status != leads.StatusNew || got.ConvertedDealID != nil {
		t.Errorf("lead %+v", got)
	}
}
