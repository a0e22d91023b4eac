package home_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"crm/internal/activities"
	"crm/internal/app/home"
	"crm/internal/contacts"
	"crm/internal/deals"
	"crm/internal/platform/money"
	"crm/internal/record"
	"crm/internal/record/recordpage/pagetest"
	"crm/internal/record/recordtest"
	"crm/web/ui"
)

func TestHomeShowsWhatNeedsMe(t *testing.T) {
	t.Parallel()
	e := recordtest.New(t)
	log := slog.New(slog.DiscardHandler)
	if _, err := contacts.New(contacts.Deps{Kernel: e.K, Now: time.Now, Log: log}); err != nil {
		t.Fatal(err)
	}
	d, err := deals.New(deals.Deps{Kernel: e.K, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.EnsureDefaultPipeline(e.Admin); err != nil {
		t.Fatal(err)
	}
	if _, err := activities.New(activities.Deps{Kernel: e.K, Now: time.Now, Log: log, Next: d}); err != nil {
		t.Fatal(err)
	}
	w := pagetest.New(t, e)
	month := func(context.Context, time.Time, time.Time) (won, weighted ui.Money, err error) {
		return ui.Money{Minor: 8412000, Currency: "EUR"}, ui.Money{Minor: 12000000, Currency: "EUR"}, nil
	}
	w.Inside = append(w.Inside, home.New(home.Deps{Pages: w.Pages, Kernel: e.K, Now: time.Now, Month: month}).Mount)
	w.Serve(t)
	rep := w.As(t, w.Rep)
	rep.Get("/alpha/home").Is(200, "Nothing needs you right now.", "€84.1K")

	deal := w.Make(t, w.Rep, "deal", record.Patch{"name": "Fleet telemetry", "amount": money.Amount{Minor: 4800000, Currency: "EUR"}})
	w.Make(t, w.Admin, "deal", record.Patch{"name": "Somebody else's"})
	rep.Get("/alpha/home").Is(200, "Deals without a next step", "Fleet telemetry", "Prospecting", "€48,000").Lacks("Somebody else's")

	late := time.Now().UTC().AddDate(0, 0, -3).Truncate(time.Second)
	task := w.Make(t, w.Rep, "activity", record.Patch{"type": "call", "subject": "Call about the offer", "due_at": late, "related": []any{map[string]any{"object": "deal", "id": deal.ID().String()}}})
	w.Make(t, w.Admin, "activity", record.Patch{"type": "task", "subject": "Not mine", "due_at": late})
	page := rep.Get("/alpha/home").Is(200, "Overdue 1", "Call about the offer", "Fleet telemetry · Call, 3 days overdue").Lacks("Not mine", "Deals without a next step")
	counts, err := home.Counts(e.K, time.Now)(e.Rep)
	if err != nil || counts["activities"] != 1 {
		t.Errorf("counts %v, %v", counts, err)
	}
	rep.Follow(rep.Post("/alpha/activities/"+task.ID().String()+"/done", "back", page.Hidden("back"))).Is(200, "Done: Call about the offer", "Undo", "Deals without a next step").Lacks("Overdue 1")
	w.As(t, w.Other).Get("/alpha/home").Is(404)
}
