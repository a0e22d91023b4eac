package ui

import (
	"context"
	"io"
	"time"
)

// BoardPage is a pipeline as columns. A card moves by mouse, by touch (held
// 280 ms), by keyboard, or through its ⋯ menu, which is a plain form; all four
// POST stage_id, version and, when dropped at a place, position to Card.MoveURL,
// and the answer is 303 back to this page with a Toast that can undo.
type BoardPage struct {
	Object    string // "deals"
	Title     string
	Pipelines []Tab // the pipeline picker; fewer than two hides it
	Switch    []Tab // Board / Table / Forecast
	Primary   *Action
	Secondary []Action
	Search    *Search
	Filters   []Filter
	ClearHref string
	Builder   *FilterBuilder
	Totals    []Sum // over all open deals, computed by the server
	Columns   []BoardColumn
	Empty     *EmptyState
}

// Outcome makes a column one of the two narrow drop targets at the end.
type Outcome string

// Column outcomes.
const (
	OutcomeOpen Outcome = ""
	OutcomeWon  Outcome = "won"
	OutcomeLost Outcome = "lost"
)

// BoardColumn is one stage with the totals of all its deals, not of the loaded ones.
type BoardColumn struct {
	ID       string // stage id, sent as stage_id
	Name     string
	Tone     Tone
	Count    int
	Sum      []Money // one per currency, workspace currency first
	Weighted []Money
	Hint     string // "40 %"
	Cards    []Card
	MoreHref string // the rest of the column as a list
	More     int
	Folded   bool
	Outcome  Outcome
	// Reasons are asked in a dialog when a card is dropped on Lost (field
	// lost_reason); empty asks for a text.
	Reasons []Option
	AddHref string
}

// StepState is the state of the next step on a card; it also orders the column.
type StepState string

// Next-step states.
const (
	StepNone    StepState = ""
	StepOverdue StepState = "overdue"
	StepToday   StepState = "today"
	StepLater   StepState = "later"
)

// Card is one deal.
type Card struct {
	ID       string
	Name     string
	Href     string
	Company  string
	Amount   Money
	Close    time.Time // civil day
	Step     StepState
	StepText string // "Call overdue 2 days", "Meeting 14:00"; default by state
	Owner    Person
	Score    *Score // win probability
	Version  int64
	MoveURL  string // POST; empty locks the card
	Locked   string // why it cannot be moved
	Stale    bool   // no activity for long: dims
	Refused  string // 409/422: why the last move did not happen
}

// Render draws the page body.
func (p BoardPage) Render(ctx context.Context, w io.Writer) error { return boardPage(p).Render(ctx, w) }

func (c BoardColumn) closing() bool { return c.Outcome != OutcomeOpen }

func (p BoardPage) lost() *BoardColumn {
	for i := range p.Columns {
		if p.Columns[i].Outcome == OutcomeLost {
			return &p.Columns[i]
		}
	}
	return nil
}
