package ui

import (
	"context"
	"io"
	"time"
)

// StyleGuide is the page /styleguide: components in their states with made-up
// data. Look here before a new component is invented.
type StyleGuide struct{}

// Render draws the page body.
func (StyleGuide) Render(ctx context.Context, w io.Writer) error { return styleGuide().Render(ctx, w) }

// guideTokens are the colours with a swatch; each has a class fill-{name}.
var guideTokens = []string{
	"canvas", "surface", "raised", "sunken", "hover", "line", "line-strong", "ink", "ink-2", "ink-3",
	"accent", "accent-soft", "ai", "ai-soft", "good", "good-soft", "warn", "warn-soft", "bad", "bad-soft", "focus",
	"cat-1", "cat-2", "cat-3", "cat-4", "cat-5", "cat-6", "cat-7", "cat-8",
}

func guideReasons() []Reason {
	return []Reason{
		{Text: "Opened the price list twice this week", Effect: 14},
		{Text: "Company of 200 to 500 people", Effect: 9},
		{Text: "No reply for 9 days", Effect: -6},
	}
}

func guideProperties(now time.Time) []Property {
	p := func(name string, v Value) Property { return Property{Name: "guide-" + name, Label: name, Value: v} }
	return []Property{
		p("Text", Text("Finance director")), p("Empty", None{}), p("Link", TextLink{Text: "Ada Khan", Href: "#", Sub: "CFO", Avatar: &Avatar{Name: "Ada Khan"}}),
		p("E-mail", Email{Address: "ada@atlas.example"}), p("Bad e-mail", Email{Address: "ben@atlas.example", Bad: "Bounced 3 Nov"}),
		p("Phone", Phone{E164: "+4930901820", Text: "+49 30 901820"}), p("Web", Web{Href: "https://atlas.example/"}),
		p("Number", Number{Value: 12408}), p("Percent", Percent{Value: 0.182, Decimals: 1}),
		p("Money", Money{Minor: 124000050, Currency: "EUR"}), p("Money, compact", Money{Minor: 124000050, Currency: "EUR", Compact: true}), p("Money, negative", Money{Minor: -4200, Currency: "CHF"}),
		p("Time", Time{At: now}), p("Ago", Ago{At: now.Add(-3 * time.Minute)}), p("Date", Date{Day: now.AddDate(0, 0, 40)}),
		p("Due, late", Due{At: now.AddDate(0, 0, -2)}), p("Due, today", Due{At: now, WholeDay: true}), p("Due, later", Due{At: now.AddDate(0, 0, 9)}), p("Due, done", Due{At: now, Done: true}),
		p("Choice", Choice{Label: "Proposal", Tone: ToneCat3}), p("Tags", Tags{Items: []Choice{{Label: "Lab", Tone: ToneCat1}, {Label: "Fair"}, {Label: "Telemetry"}, {Label: "Old"}}}),
		p("Person", Person{Name: "Mia Brandt"}), p("Machine", Person{Name: "Lead model", Machine: true}), p("Relation", Ref{Name: "Atlas Freight", Href: "#", Icon: "building-2"}),
		p("Yes or no", Bool(true)), p("File", File{Name: "offer.pdf", Size: "1.2 MB", Href: "#"}),
		p("Score", Score{Value: 86, Grade: "A", Reasons: guideReasons()}), p("Score, accepted", Score{Value: 61, State: ScoreAccepted, Reasons: guideReasons()}), p("Score, unknown", Score{State: ScoreUnknown, Note: "3 of 5 signals"}),
		p("Machine text", Machine{Value: Text("Road freight"), Reasons: guideReasons()}),
	}
}

func guideTable() Table {
	return Table{
		Caption: "Example",
		Columns: []Column{{Label: "Name", SortHref: "#", Sorted: Ascending}, {Label: "State", Phone: PhoneSub}, {Label: "Amount", Right: true, Phone: PhoneAside}},
		Rows: []Row{
			{ID: "g1", Cells: []Value{TextLink{Text: "Fleet telemetry", Href: "#"}, Choice{Label: "Proposal", Tone: ToneCat3}, Money{Minor: 4800000, Currency: "EUR"}}},
			{ID: "g2", Dim: true, Cells: []Value{TextLink{Text: "Old pilot", Href: "#"}, Choice{Label: "Lost", Tone: ToneBad}, None{}}},
		},
	}
}

func guideForm() Form {
	return Form{Action: "#", Submit: "Add contact", Cancel: "#", Groups: []FieldGroup{{Fields: []Field{
		{Name: "g-name", Label: "Name", Required: true, Value: "Ada Khan"},
		{Name: "g-mail", Label: "E-mail", Kind: FieldEmail, Value: "ada@", Error: "Enter an address like name@company.com."},
		{Name: "g-money", Label: "Amount", Kind: FieldMoney, Value: "12k", Currency: "EUR", Currencies: []string{"EUR", "USD"}, Help: "Read as €12,000."},
		{Name: "g-date", Label: "Closes", Kind: FieldDate, Quick: []Option{{Value: "2026-12-31", Label: "End of quarter"}}},
		{Name: "g-owner", Label: "Owner", Value: "Mia Brandt", Off: "Only managers can give a deal to somebody else."},
		{Name: "g-stage", Label: "Stage", Kind: FieldSelect, Options: []Option{{Value: "1", Label: "Qualified"}}},
		{Name: "g-note", Label: "Note", Kind: FieldLong, Placeholder: "What should the next person know?"},
		{Name: "g-check", Label: "Do not contact", Kind: FieldCheck},
		{Name: "g-switch", Label: "Weekly digest", Kind: FieldSwitch, Value: "1"},
	}}}}
}

func guideSummary() MachineSummary {
	return MachineSummary{Title: "Score", Score: &Score{Value: 86, Grade: "A"}, Reasons: guideReasons(), Model: "Lead model 4", Actions: []Action{{Label: "Refresh", Href: "#"}}}
}

func guideTimeline(now time.Time) Timeline {
	mia := Person{Name: "Mia Brandt"}
	return Timeline{Items: []TimelineItem{
		{ID: "g1", Kind: KindChange, At: now, Actor: mia, Title: "changed a field", Changes: []FieldChange{{Field: "Title", From: "Buyer", To: "CFO"}}, UndoURL: "#"},
		{ID: "g2", Kind: KindNote, At: now, Actor: mia, Title: "wrote a note", Text: "Wants the three-year price."},
		{ID: "g3", Kind: KindMessage, At: now, Actor: mia, Title: "sent “Offer”", State: &Choice{Label: "Bounced", Tone: ToneBad}},
	}}
}

func guideChart() BarChart {
	return BarChart{Finding: "November is already ahead of October.", Bars: []Bar{{Label: "Sep", Text: "€142K", Value: 142}, {Label: "Oct", Text: "€190K", Value: 190}, {Label: "Nov", Text: "€214K", Value: 214, Partial: true}}}
}
