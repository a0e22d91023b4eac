package leads_test

import (
	"testing"
	"time"

	"crm/internal/leads"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

func TestImportedOutcomesKeepTheirDates(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := auth.As(w.Admin, func(a *auth.Actor) { a.Via = auth.ViaImport })
	def, err := w.K.Definition(ctx, "lead")
	if err != nil {
		t.Fatal(err)
	}
	var ops []record.Operation
	for i := range 1000 {
		values, err := def.ParseText(map[string]string{"status": []string{"yes", "no"}[i%2], "created_at": "2019-05-01", "converted_at": []string{"2019-06-01", ""}[i%2]}, record.FromImport, "EUR")
		if err != nil {
			t.Fatal(err)
		}
		ops = append(ops, record.Operation{Kind: record.OpCreate, Patch: values})
	}
	res, err := w.s.Leads.Apply(ctx, ops, false)
	if err != nil {
		t.Fatal(err)
	}
	won, lost := record.To[leads.Lead](res[0].Record), record.To[leads.Lead](res[1].Record)
	day := time.Date(2019, 5, 1, 0, 0, 0, 0, time.UTC)
	if won.Status != leads.StatusConverted || !won.CreatedAt.Equal(day) || won.ConvertedAt.Month() != time.June || won.ConvertedContactID != nil {
		t.Errorf("won: %+v", won)
	}
	if lost.Status != leads.StatusDisqualified || lost.DisqualifyReason != "imported" || lost.ConvertedAt != nil {
		t.Errorf("lost: %+v", lost)
	}
	if res[0].Record.Title() == "" {
		t.Error("a nameless lead has no title")
	}
	// Worked on by hand without being named, and given the right state again.
	if err := w.update(w.Admin, lost.ID, record.Patch{"title": "CEO"}); err != nil {
		t.Errorf("a nameless lead: %v", err)
	}
	if _, err := w.s.Unconvert(w.Admin, won.ID); errs.KindOf(err) != errs.Conflict {
		t.Errorf("unconvert of an imported outcome: %v", err)
	}
	if err := w.update(w.Admin, won.ID, record.Patch{"status": "working"}); err != nil {
		t.Errorf("correct an imported outcome: %v", err)
	}
}

func TestStatusByAPI(t *testing.T) {
	t.Parallel()
	w := setup(t)
	def, err := w.K.Definition(w.Admin, "lead")
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []map[string]any{{"status": "yes"}, {"score": 5}, {"converted_at": "2020-01-01T00:00:00Z"}, {"score_reasons": []any{}}, {"form_id": "x"}} {
		if _, err := def.ParseJSON(body); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%v is taken: %v", body, err)
		}
	}
	l := w.lead(t, w.Admin, leads.Lead{LastName: "Smith"})
	if err := w.update(w.Admin, l.ID, record.Patch{"status": "converted"}); errs.KindOf(err) != errs.Invalid {
		t.Errorf("converted by hand: %v", err)
	}
	if err := w.update(w.Admin, l.ID, record.Patch{"status": "working"}); err != nil {
		t.Fatal(err)
	}
	got, err := w.s.Leads.Get(w.Admin, l.ID)
	if err != nil || got.FirstResponseAt == nil {
		t.Errorf("first response: %+v, %v", got, err)
	}
	if _, err := w.s.Leads.Create(w.Admin, &leads.Lead{Title: "nobody"}); errs.KindOf(err) != errs.Invalid {
		t.Errorf("a nameless lead: %v", err)
	}
	if err := w.update(w.Admin, l.ID, record.Patch{"utm": []any{"x"}}); errs.KindOf(err) != errs.Invalid {
		t.Errorf("odd utm: %v", err)
	}
}

func TestDisqualify(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := w.lead(t, w.Rep, leads.Lead{LastName: "Smith"})
	if _, err := w.s.Disqualify(w.Rep, l.ID, "  "); errs.KindOf(err) != errs.Invalid {
		t.Errorf("no reason: %v", err)
	}
	got, err := w.s.Disqualify(w.Rep, l.ID, "No budget")
	if err != nil || got.Status != leads.StatusDisqualified || got.FirstResponseAt == nil {
		t.Fatalf("%+v, %v", got, err)
	}
	entries, err := w.K.Timeline(w.Rep, "lead", l.ID, 0, 10)
	if err != nil || entries[0].Type() != "lead.disqualified" || entries[0].Changes["disqualify_reason"][1] != "No budget" {
		t.Fatalf("journal %+v, %v", entries, err)
	}
	if _, err := w.K.Undo(w.Admin, entries[0].Seq); err != nil {
		t.Fatal(err)
	}
	if got, _ = w.s.Leads.Get(w.Rep, l.ID); got.Status != leads.StatusNew || got.DisqualifyReason != "" || got.FirstResponseAt != nil {
		t.Errorf("after undo: %+v", got)
	}
	if _, err := w.s.Disqualify(w.Other, l.ID, "x"); errs.KindOf(err) != errs.NotFound {
		t.Errorf("another tenant: %v", err)
	}
}
