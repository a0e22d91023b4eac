package ui

import (
	"context"
	"io"
	"time"

	"github.com/a-h/templ"
)

// Value is what stands in a cell, a fact or a property: a component that knows
// whether it is empty (drawn as an em dash) and whether figures align right.
// Other packages may bring their own by implementing it, or wrap a component in
// Custom.
type Value interface {
	templ.Component
	Empty() bool
}

// Text is one line, cut with … when it does not fit.
type Text string

// LongText keeps its line breaks; two lines in a list, all of it on a record.
type LongText string

// TextLink is a value that leads somewhere inside the product.
type TextLink struct {
	Text string
	Href string
	Sub  string // second line in ink-2
	// Avatar draws the initials (or an icon) before the text.
	Avatar *Avatar
}

// Email, Phone and Web are values with their own link. Phone.E164 is stored,
// Phone.Text is how it reads; Web.Href must be http(s), anything else is shown
// as text.
type (
	Email struct {
		Address string
		Bad     string // why it cannot be reached: "Bounced 3 Nov"
	}
	Phone struct {
		E164 string
		Text string
	}
	Web struct {
		Href string
		Text string
	}
)

// Number aligns right. Decimals is the fixed count of fraction digits.
type Number struct {
	Value    float64
	Decimals int
	Unit     string
}

// Percent is a share, 0.42 is shown as 42 %.
type Percent struct {
	Value    float64
	Decimals int
}

// Money is minor units (cents) and an ISO 4217 code. Cents are shown only when
// they are not zero. An empty Currency makes the value empty.
type Money struct {
	Minor    int64
	Currency string
	Compact  bool // €1.24M, full amount in the title; tiles and board heads only
}

// Time is a moment, shown in the reader's zone by the rules of Format.When.
type Time struct{ At time.Time }

// Ago is a moment shown as "3 min ago"; script keeps it true. For live states,
// where age matters more than the clock.
type Ago struct{ At time.Time }

// Date is a civil day; only year, month and day of Day are used.
type Date struct{ Day time.Time }

// Due is a moment or day by which something must happen. Overdue and today get
// icon, colour and word.
type Due struct {
	At   time.Time
	Done bool
	// WholeDay means At is a civil day without a clock time.
	WholeDay bool
}

// Choice is one option: dot and word.
type Choice struct {
	Label string
	Tone  Tone
}

// Tags are several options; more than Max (default 3) fold into +n.
type Tags struct {
	Items []Choice
	Max   int
}

// Person is a user of the workspace or "nobody".
type Person struct {
	Name     string
	Initials string // default from Name
	Href     string
	Team     bool
	Machine  bool // automation, drawn violet
}

// Ref is a link to another record, drawn as a chip.
type Ref struct {
	Name string
	Href string
	Icon string
}

// Refs are several; more than three fold into +n.
type Refs []Ref

// Bool is shown as "Yes" or an em dash.
type Bool bool

// File is an attachment.
type File struct {
	Name string
	Size string // "1.2 MB"
	Href string
}

// None is the empty value.
type None struct{}

// Custom wraps any component as a Value.
type Custom struct{ Body templ.Component }

// Avatar is a photo or initials. Square is for companies, Machine for automation.
type Avatar struct {
	Name     string
	Initials string
	Photo    string // same-origin address
	Square   bool
	Machine  bool
	Size     int // 20, 24, 32 or 40; default 24
}

// Reason is one line of a machine's explanation.
type Reason struct {
	Text   string  // "Opened the price list twice this week"
	Effect float64 // signed points on the 0–100 scale, +12 or −4.5
	Field  string  // data used, shown small: "page_views"
}

// ScoreState says how far a machine value can be trusted.
type ScoreState string

// States of a machine value.
const (
	ScoreFresh      ScoreState = ""
	ScoreStale      ScoreState = "stale"      // data changed since
	ScoreUnknown    ScoreState = "unknown"    // not enough data; Note says how much is missing
	ScoreAccepted   ScoreState = "accepted"   // a person said yes: drawn in ink
	ScoreOverridden ScoreState = "overridden" // a person wrote another value
)

// Score is a machine value: violet with a dotted line, its reasons in a popover.
type Score struct {
	ID      string // unique on the page, for the popover; default from the row
	Value   int    // 0–100
	Grade   string // "A"
	State   ScoreState
	Reasons []Reason // up to five are shown
	Model   string   // "Lead model 4"
	At      time.Time
	Note    string // ScoreUnknown: "3 of 5 signals"
}

// Machine is any other value a machine wrote (text, date, choice).
type Machine struct {
	Value   Value
	Reasons []Reason
	Model   string
	At      time.Time
	ID      string
}

// Empty reports whether the em dash is drawn.
func (v Text) Empty() bool { return v == "" }

// Empty reports whether the em dash is drawn.
func (v LongText) Empty() bool { return v == "" }

// Empty reports whether the em dash is drawn.
func (v TextLink) Empty() bool { return v.Text == "" }

// Empty reports whether the em dash is drawn.
func (v Email) Empty() bool { return v.Address == "" }

// Empty reports whether the em dash is drawn.
func (v Phone) Empty() bool { return v.E164 == "" && v.Text == "" }

// Empty reports whether the em dash is drawn.
func (v Web) Empty() bool { return v.Href == "" }

// Empty is false: zero is a number. Use None for a missing one.
func (v Number) Empty() bool { return false }

// Empty is false: zero is a share. Use None for a missing one.
func (v Percent) Empty() bool { return false }

// Empty reports whether the em dash is drawn.
func (v Money) Empty() bool { return v.Currency == "" }

// Empty reports whether the em dash is drawn.
func (v Time) Empty() bool { return v.At.IsZero() }

// Empty reports whether the em dash is drawn.
func (v Ago) Empty() bool { return v.At.IsZero() }

// Empty reports whether the em dash is drawn.
func (v Date) Empty() bool { return v.Day.IsZero() }

// Empty reports whether the em dash is drawn.
func (v Due) Empty() bool { return v.At.IsZero() }

// Empty reports whether the em dash is drawn.
func (v Choice) Empty() bool { return v.Label == "" }

// Empty reports whether the em dash is drawn.
func (v Tags) Empty() bool { return len(v.Items) == 0 }

// Empty reports whether the em dash is drawn.
func (v Person) Empty() bool { return v.Name == "" }

// Empty reports whether the em dash is drawn.
func (v Ref) Empty() bool { return v.Name == "" }

// Empty reports whether the em dash is drawn.
func (v Refs) Empty() bool { return len(v) == 0 }

// Empty reports whether the em dash is drawn.
func (v Bool) Empty() bool { return !bool(v) }

// Empty reports whether the em dash is drawn.
func (v File) Empty() bool { return v.Name == "" }

// Empty is true.
func (None) Empty() bool { return true }

// Empty reports whether there is nothing to draw.
func (v Custom) Empty() bool { return v.Body == nil }

// Empty is false: an unknown score says so in words.
func (v Score) Empty() bool { return false }

// Empty reports whether the inner value is missing.
func (v Machine) Empty() bool { return v.Value == nil || v.Value.Empty() }

// show draws a value, or the em dash when it is missing.
func show(v Value) templ.Component {
	if v == nil || v.Empty() {
		return emptyValue()
	}
	return v
}

// Render methods: each value is drawn by its template.

func (v Text) Render(ctx context.Context, w io.Writer) error { return textValue(v).Render(ctx, w) }

func (v LongText) Render(ctx context.Context, w io.Writer) error {
	return longTextValue(v).Render(ctx, w)
}

func (v TextLink) Render(ctx context.Context, w io.Writer) error { return linkValue(v).Render(ctx, w) }

func (v Email) Render(ctx context.Context, w io.Writer) error { return emailValue(v).Render(ctx, w) }

func (v Phone) Render(ctx context.Context, w io.Writer) error { return phoneValue(v).Render(ctx, w) }

func (v Web) Render(ctx context.Context, w io.Writer) error { return webValue(v).Render(ctx, w) }

func (v Number) Render(ctx context.Context, w io.Writer) error { return numberValue(v).Render(ctx, w) }

func (v Percent) Render(ctx context.Context, w io.Writer) error {
	return percentValue(v).Render(ctx, w)
}

func (v Money) Render(ctx context.Context, w io.Writer) error { return moneyValue(v).Render(ctx, w) }

func (v Time) Render(ctx context.Context, w io.Writer) error { return timeValue(v).Render(ctx, w) }

func (v Date) Render(ctx context.Context, w io.Writer) error   { return dateValue(v).Render(ctx, w) }
func (v Ago) Render(ctx context.Context, w io.Writer) error    { return agoValue(v).Render(ctx, w) }
func (v Due) Render(ctx context.Context, w io.Writer) error    { return dueValue(v).Render(ctx, w) }
func (v Choice) Render(ctx context.Context, w io.Writer) error { return choiceValue(v).Render(ctx, w) }

func (v Tags) Render(ctx context.Context, w io.Writer) error { return tagsValue(v).Render(ctx, w) }

func (v Person) Render(ctx context.Context, w io.Writer) error { return personValue(v).Render(ctx, w) }
func (v Ref) Render(ctx context.Context, w io.Writer) error    { return refValue(v).Render(ctx, w) }
func (v Refs) Render(ctx context.Context, w io.Writer) error   { return refsValue(v).Render(ctx, w) }

func (v Bool) Render(ctx context.Context, w io.Writer) error { return boolValue(v).Render(ctx, w) }

func (v File) Render(ctx context.Context, w io.Writer) error { return fileValue(v).Render(ctx, w) }

func (None) Render(ctx context.Context, w io.Writer) error     { return emptyValue().Render(ctx, w) }
func (v Custom) Render(ctx context.Context, w io.Writer) error { return v.Body.Render(ctx, w) }
func (v Score) Render(ctx context.Context, w io.Writer) error  { return scoreValue(v).Render(ctx, w) }

func (v Machine) Render(ctx context.Context, w io.Writer) error {
	return machineValue(v).Render(ctx, w)
}
func (v Avatar) Render(ctx context.Context, w io.Writer) error { return avatar(v).Render(ctx, w) }
