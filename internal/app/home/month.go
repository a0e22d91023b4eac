package home

import (
	"strconv"
	"time"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/money"
	"crm/internal/record"
	"crm/web/ui"
)

func amount(rec *record.Record) ui.Value {
	a, ok := rec.Get("amount").(money.Amount)
	if !ok {
		return ui.None{}
	}
	return ui.Money{Minor: a.Minor, Currency: a.Currency}
}

// result is how the month stands: won so far, and what the open deals that close
// in it are worth by their chances.
func (v *visit) result() (*ui.Month, error) {
	if v.month == nil || v.actor.Grants.Scope("deal", auth.Read) == auth.None {
		return nil, nil
	}
	from := time.Date(v.now.Year(), v.now.Month(), 1, 0, 0, 0, 0, time.UTC)
	won, weighted, err := v.month(v.ctx, from, from.AddDate(0, 1, 0))
	if errs.KindOf(err) == errs.Forbidden { // made of fields that the reader's role does not have
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	left := int(from.AddDate(0, 1, 0).Sub(midnight(v.now)).Hours()) / 24
	word := " days left"
	if left == 1 {
		word = " day left"
	}
	return &ui.Month{Title: v.now.Format("January"), Won: won, Weighted: weighted, Gap: strconv.Itoa(left) + word}, nil
}

// meetings are the reader's next three.
func (v *visit) meetings() ([]ui.Meeting, error) {
	o, ok := v.object("activity")
	if !ok {
		return nil, nil
	}
	page, err := v.list(o, "due_at", 3, all(v.mine(o), where(o, "type", record.Eq, "meeting"), where(o, "done_at", record.IsNull, true), where(o, "due_at", record.Gte, v.now.UTC())))
	if err != nil {
		return nil, err
	}
	var out []ui.Meeting
	for _, rec := range page.Records {
		at, _ := rec.Get("due_at").(time.Time)
		out = append(out, ui.Meeting{At: at, Name: rec.Title(), Href: v.href(rec)})
	}
	return out, nil
}
