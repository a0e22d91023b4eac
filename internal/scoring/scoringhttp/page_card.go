package scoringhttp

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"crm/internal/platform/rest"
	"crm/internal/scoring"
	"crm/web/ui"
)

// telling is how many fields of the importance list are shown; the rest hardly matter.
const telling = 12

// one shows a single model's card.
func (p *Pages) one(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	m, err := p.s.Model(r.Context(), id)
	if err != nil {
		return err
	}
	body := ui.SettingsPage{Title: "Scoring model version " + strconv.Itoa(m.Version), Sections: p.cardSections(r, m)}
	switch m.Status {
	case scoring.Training:
		body.Sections = []ui.Section{progress(r, m)}
	case scoring.Failed:
		body.Sections = []ui.Section{{ID: "failed", Title: "This training failed", Banner: &ui.Banner{Tone: ui.ToneBad, Text: m.Error}}}
	}
	return p.show(w, r, body)
}

// cardSections are a trained model's card: words and figures, what to gain, and what to look at.
func (p *Pages) cardSections(r *http.Request, m *scoring.Model) []ui.Section {
	if m.Metrics == nil {
		return nil
	}
	out := []ui.Section{
		{ID: "card", Title: "Version " + strconv.Itoa(m.Version), Text: m.Decision, Model: card(r, m)},
		{ID: "lift", Title: "What it gains", Text: "Measured on " + strconv.Itoa(m.Holdout.Rows) + " later leads that the model had not seen.", Table: liftTable(m)},
	}
	for i, warning := range m.Warnings {
		out = append(out, ui.Section{ID: "warning-" + strconv.Itoa(i), Title: warningTitle(warning.Code), Banner: &ui.Banner{Tone: ui.ToneWarn, Text: upper(renamed(m, warning.Field, warning.Text))}})
	}
	if t := droppedTable(m); len(t.Rows) > 0 {
		out = append(out, ui.Section{ID: "dropped", Title: "Fields left out", Text: "They take no part in the score.", Table: t})
	}
	return out
}

func card(r *http.Request, m *scoring.Model) *ui.ModelCard {
	out := &ui.ModelCard{
		Name: "Lead model " + strconv.Itoa(m.Version), State: stateOf(m), Finding: finding(m), Actions: activateAction(r, m),
		Facts: []ui.Fact{
			{Label: "Learned from", Value: ui.Number{Value: float64(m.Rows), Unit: "leads"}},
			{Label: "Of them converted", Value: ui.Number{Value: float64(m.Positives)}},
			{Label: "Grade", Value: ui.Text(m.Grade)},
		},
		Metrics: metrics(m),
	}
	if m.Period != nil {
		out.Facts = append(out.Facts, ui.Fact{Label: "From", Value: ui.Time{At: m.Period.From}}, ui.Fact{Label: "To", Value: ui.Time{At: m.Period.To}})
	}
	if m.TrainedAt != nil {
		out.Facts = append(out.Facts, ui.Fact{Label: "Trained", Value: ui.Time{At: *m.TrainedAt}})
	}
	for _, b := range m.Bins {
		out.Calibration = append(out.Calibration, ui.CalibrationBin{Predicted: b.Predicted, Observed: b.Observed, Count: b.Count})
	}
	for _, i := range m.Important[:min(telling, len(m.Important))] {
		out.Importance = append(out.Importance, ui.Importance{Field: i.Label, Share: i.Share})
	}
	return out
}

// finding is the card in one sentence.
func finding(m *scoring.Model) string {
	if len(m.Lift) == 0 {
		return ""
	}
	top := m.Lift[0]
	return fmt.Sprintf("Of the %.0f %% of leads it ranks highest, %.0f in 100 converted: %.1f times as many as on average.", 100*top.Share, 100*top.Rate, top.Lift)
}

func metrics(m *scoring.Model) []ui.Metric {
	x := m.Metrics
	return []ui.Metric{
		{Label: "Ranking (AUC)", Value: fmt.Sprintf("%.2f", x.AUC), Help: fmt.Sprintf("Chance that a lead that converted ranks above one that did not; 0.5 is guessing. Surely between %.2f and %.2f.", x.AUCLow, x.AUCHigh)},
		{Label: "Average precision", Value: fmt.Sprintf("%.2f", x.AveragePrecision), Help: "How pure the top of the list is; 1 is perfect."},
		{Label: "Log-loss", Value: fmt.Sprintf("%.3f", x.LogLoss), Help: fmt.Sprintf("Error of the probabilities, less is better; saying the average for everybody gives %.3f.", x.BaseLogLoss)},
		{Label: "Brier", Value: fmt.Sprintf("%.3f", x.Brier), Help: "Mean squared error of the probabilities, less is better."},
		{Label: "Calibration error", Value: fmt.Sprintf("%.1f %%", 100*x.ECE), Help: "How far predicted and real shares lie apart on average."},
	}
}

func liftTable(m *scoring.Model) *ui.Table {
	out := &ui.Table{Caption: "Lift", Columns: []ui.Column{{Label: "If you work only", Width: ui.WidthWide}, {Label: "Leads", Right: true}, {Label: "Convert", Right: true, Phone: ui.PhoneSub}, {Label: "Times average", Right: true, Phone: ui.PhoneAside}, {Label: "Of all conversions", Right: true, Phone: ui.PhoneBelow}}}
	for _, l := range m.Lift {
		out.Rows = append(out.Rows, ui.Row{ID: fmt.Sprintf("top-%.0f", 100*l.Share), Cells: []ui.Value{
			ui.Text(fmt.Sprintf("the best %.0f %%", 100*l.Share)),
			ui.Number{Value: float64(l.Count)},
			ui.Percent{Value: l.Rate},
			ui.Number{Value: l.Lift, Decimals: 1},
			ui.Percent{Value: l.Captured},
		}})
	}
	return out
}

// droppedTable leaves out fields that nobody fills in: there are many, and nothing to do about them.
func droppedTable(m *scoring.Model) *ui.Table {
	out := &ui.Table{Caption: "Fields left out", Columns: []ui.Column{{Label: "Field", Width: ui.WidthWide}, {Label: "Why", Phone: ui.PhoneSub}}}
	for _, d := range m.Dropped {
		if d.Code != "constant" {
			out.Rows = append(out.Rows, ui.Row{ID: d.Field, Cells: []ui.Value{ui.Text(m.Label(d.Field)), ui.LongText(upper(renamed(m, d.Field, d.Reason)))}})
		}
	}
	return out
}

// renamed puts a field's label where a text from the learner has its internal name.
func renamed(m *scoring.Model, field, text string) string {
	if field == "" {
		return text
	}
	return strings.ReplaceAll(text, field, m.Label(field))
}

func warningTitle(code string) string {
	switch code {
	case "possible_leak":
		return "Possible leak"
	case "drifting_field":
		return "A field that changes with time"
	case "random_holdout", "one_class_holdout":
		return "About the test"
	}
	return "Worth knowing"
}

// upper begins a sentence.
func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
