package ui

import (
	"context"
	"io"

	"github.com/a-h/templ"
)

// SettingsPage is any page of settings: its own menu at the left, sections of
// tables and forms at the right.
type SettingsPage struct {
	Title    string
	Intro    string
	Menu     []NavGroup // Key of the current item = Current
	Current  string
	Primary  *Action
	Sections []Section
}

// Section is one titled block; the filled parts are drawn in this order.
type Section struct {
	ID      string
	Title   string
	Text    string
	Banner  *Banner
	Secret  *Secret
	Table   *Table
	Form    *Form
	Model   *ModelCard
	Body    templ.Component
	Actions []Action
	Danger  bool
}

// Table is a plain table of typed cells, without selection.
type Table struct {
	Caption string // spoken, and shown when Show is set
	Columns []Column
	Rows    []Row
	Empty   string
}

// Secret is shown exactly once after it was made (API key, signing secret).
type Secret struct {
	Label string
	Value string
	Note  string // "It is not shown again. Keep it in your password store."
}

// ModelCard is what is known about a scoring model, in words first.
type ModelCard struct {
	Name    string
	State   Choice
	Finding string // "Of 100 leads it calls hot, 61 became deals."
	Facts   []Fact
	Metrics []Metric
	// Calibration: predicted against observed share, 0–1, with the count.
	Calibration []CalibrationBin
	// Lift per tenth of the list: how many times better than chance.
	Lift       []LiftBin
	Importance []Importance
	Actions    []Action
}

// Metric is one figure with what it means.
type Metric struct {
	Label string
	Value string
	Help  string
}

// CalibrationBin is one bin of the calibration table.
type CalibrationBin struct {
	Predicted float64
	Observed  float64
	Count     int
}

// LiftBin is one slice of the ranked list; Decile 1 is the best tenth.
type LiftBin struct {
	Decile int
	Lift   float64
	Rate   float64
	Count  int
}

// Importance is the share a field has in the model's decisions, 0–1.
type Importance struct {
	Field string
	Share float64
}

// Render draws the page body.
func (p SettingsPage) Render(ctx context.Context, w io.Writer) error {
	return settingsPage(p).Render(ctx, w)
}

// Render draws the table.
func (t Table) Render(ctx context.Context, w io.Writer) error { return table(t).Render(ctx, w) }

// Render draws the card.
func (m ModelCard) Render(ctx context.Context, w io.Writer) error { return modelCard(m).Render(ctx, w) }
