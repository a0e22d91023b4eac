package ui

import (
	"context"
	"io"
	"time"

	"github.com/a-h/templ"
)

// Home opens with work: what needs the reader, in order, with the reason.
type Home struct {
	Greeting string // "Good morning, Mia"
	Sub      string // "Friday 21 November"
	Actions  []Action
	Needs    []NeedGroup
	Clear    string // shown when nothing needs the reader: "All clear. 14 handled today."
	Month    *Month
	Meetings []Meeting
	Panels   []Panel // charts below the fold, with their finding as a sentence
	Setup    *Checklist
}

// NeedGroup is Overdue, Today, Hot leads, Replies, Stalled deals.
type NeedGroup struct {
	Title string
	Tone  Tone
	Count int // may exceed len(Items)
	Items []Need
	More  string // href to all of them
}

// Need is one thing to do: what, why, when, one button.
type Need struct {
	Icon   string
	Name   string
	Href   string
	Reason string
	When   Value
	Score  *Score
	Action *Action
}

// Month is the result so far against the target.
type Month struct {
	Title    string // "November"
	Won      Money
	Target   Money  // zero currency = no target
	Gap      string // in words: "€18,400 to go, 9 days left"
	Weighted Money
	Lines    []Fact
}

// Meeting is one of the next meetings.
type Meeting struct {
	At   time.Time
	Name string
	Href string
	With string
	Join string // https address
}

// Checklist is what is left of onboarding; it stays until done or dismissed.
type Checklist struct {
	Title   string
	Steps   []ChecklistStep
	Dismiss *Action
}

// ChecklistStep is one thing to try.
type ChecklistStep struct {
	Label string
	Href  string
	Done  bool
}

// Render draws the page body.
func (h Home) Render(ctx context.Context, w io.Writer) error { return home(h).Render(ctx, w) }

// Render draws the panel, so that other pages can use the same box.
func (p Panel) Render(ctx context.Context, w io.Writer) error { return panel(p).Render(ctx, w) }

var _ templ.Component = Home{}
