package ui

import (
	"context"
	"io"
	"net/url"
	"strings"

	"github.com/a-h/templ"
)

// ListPage is the list of one object: view tabs, search, filter chips, table,
// footer. All of its state lives in the URL, so every control is a link or a GET
// form; the handler computes the addresses.
type ListPage struct {
	Object    string // API name, "contacts": the topic of live updates
	Title     string
	Sub       string // quiet words after the title: "2,041 people"
	Primary   *Action
	Secondary []Action // at most two; more go to More
	More      []Action
	// Switch is Table / Board / Forecast; empty hides it.
	Switch []Tab
	Views  []View
	// ViewEdited says the filters differ from the saved view and offers to keep them.
	ViewEdited *ViewEdited
	Search     *Search
	Filters    []Filter
	// ClearHref removes all filters at once.
	ClearHref string
	Builder   *FilterBuilder
	// Chooser lets the reader choose and order the columns.
	Chooser *ColumnChooser
	Columns []Column
	Rows    []Row
	Footer  ListFooter
	// BulkURL receives POST with fields id (repeated), action (Action.Fields) and,
	// when the reader chose all that match, all=1. Empty BulkURL hides the row boxes.
	BulkURL  string
	Bulk     []BulkAction
	BulkKeep []Hidden // the current filter, so that all=1 means what is on screen
	// Empty stands in the table's place when Rows is empty.
	Empty *EmptyState
	// Aside is a panel at the right of the table (peek, form).
	Aside templ.Component
}

// Tab is one of a few ways to look at the same thing.
type Tab struct {
	Label   string
	Href    string
	Current bool
	Icon    string
	Count   int // shown when > 0
}

// View is a saved view shown as a tab.
type View struct {
	Label   string
	Href    string
	Current bool
	Private bool
	Edited  bool
	Count   int
}

// ViewEdited offers to keep changed filters. SaveURL is empty when the view
// belongs to somebody else.
type ViewEdited struct {
	SaveURL    string // POST: writes into this view
	SaveNewURL string // POST with fields name and sharing
	SegmentURL string // POST with field name: keeps the records instead of the look; "" hides it
	ResetHref  string
	Keep       []Hidden
}

// ColumnChooser is a GET form with choose_columns, column (repeated) and at_<name>,
// the column's place. The handler folds it into columns=a,b.
type ColumnChooser struct {
	Action  string
	Keep    []Hidden
	Columns []ChosenColumn
}

// ChosenColumn is one field of the chooser; At is its place from 1, 0 = not shown.
type ChosenColumn struct {
	Name  string
	Label string
	At    int
}

// Search is the field that narrows this list; a GET form.
type Search struct {
	Action string
	Name   string // default "q"
	Value  string
	Label  string // "Search contacts"
	Keep   []Hidden
}

// Filter is one chip: field, operator, value in words.
type Filter struct {
	Field    string // "Status"
	Operator string // "is any of"
	Value    string // "New, Working"
	// RemoveHref is the list without it.
	RemoveHref string
	// Edit opens the form of this field with its values; nil makes a plain chip.
	Edit *FilterField
}

// FilterBuilder adds a filter through plain GET forms. Each form sends
// filter_field, filter_op and filter_value (repeated for choices) beside Keep;
// the handler calls FoldFilter and redirects to the folded address.
type FilterBuilder struct {
	Action string
	Keep   []Hidden
	Fields []FilterField
}

// FilterField is a field one may filter by.
type FilterField struct {
	Name  string // API name
	Label string
	Kind  FieldKind
	Ops   []Option // value = operator of the API ("in", "gte"), label = words
	// Options are the choices of select and multi-select fields.
	Options []Option
	// Op and Values are what the chip being edited has now.
	Op     string
	Values []string
}

// SortState is the direction a column is sorted in.
type SortState string

// Values of aria-sort.
const (
	Unsorted   SortState = ""
	Ascending  SortState = "ascending"
	Descending SortState = "descending"
)

// Column is one head of the table.
type Column struct {
	Key      string
	Label    string
	SortHref string // where a click leads; empty = not sortable
	Sorted   SortState
	Right    bool // figures
	Width    Width
	// Machine marks a column a machine fills; its head says so.
	Machine bool
	Phone   PhoneSpot
}

// Width is how much room a column wants.
type Width string

// Column widths.
const (
	WidthAuto   Width = ""
	WidthNarrow Width = "narrow" // up to 7rem
	WidthWide   Width = "wide"   // from 15rem
)

// Row is one record. Cells stand in the order of Columns. The first cell should
// be a TextLink: it is the row's name and its link.
type Row struct {
	ID       string
	Href     string
	Name     string // spoken name of the row's box: "Select Ada Khan"
	Cells    []Value
	Selected bool
	Dim      bool // deleted, done
	// Actions is the row's ⋯ menu.
	Actions []Action
}

// PhoneSpot is where a column goes when a row becomes two lines on a phone.
type PhoneSpot string

// Spots of a phone row. The first column is always the title; when no column
// names a spot, the second goes below the title and the last figure aside.
const (
	PhoneHidden PhoneSpot = ""
	PhoneSub    PhoneSpot = "sub"   // second line, left
	PhoneAside  PhoneSpot = "aside" // first line, right
	PhoneBelow  PhoneSpot = "below" // second line, right
)

// ListFooter closes the table. Count is final text ("50 of 2,041", "about
// 120,000"); Sums are totals of the whole result, never of the loaded page.
type ListFooter struct {
	Count    string
	Sums     []Sum
	PrevHref string
	NextHref string
}

// Sum is one total under the table.
type Sum struct {
	Label string
	Value Value
}

// BulkAction is a button of the bar that appears with a selection. Action.Fields
// carry what to do; Choices adds a select (field name Choose) before the button.
type BulkAction struct {
	Action
	Choose  string
	Choices []Option
}

// EmptyKind tells why nothing is here; each reads differently.
type EmptyKind string

// Why a list is empty.
const (
	EmptyNew      EmptyKind = "new"
	EmptyFiltered EmptyKind = "filtered"
	EmptyDone     EmptyKind = "done"
	EmptyNoRight  EmptyKind = "no-right"
)

// EmptyState says what will be here and what to do first.
type EmptyState struct {
	Kind    EmptyKind
	Title   string
	Text    string
	Actions []Action
}

// Render draws the page body.
func (p ListPage) Render(ctx context.Context, w io.Writer) error { return listPage(p).Render(ctx, w) }

// Render draws the empty state.
func (e EmptyState) Render(ctx context.Context, w io.Writer) error {
	return emptyState(e).Render(ctx, w)
}

func (p ListPage) selectable() bool { return p.BulkURL != "" && len(p.Bulk) > 0 }

// FoldFilter turns the fields a FilterBuilder form sends into the list grammar
// field[op]=value (choices joined by commas) and drops the cursor. ok is false
// when the query holds no filter_field, and then q comes back unchanged. An empty
// value removes that filter.
func FoldFilter(q url.Values) (folded url.Values, ok bool) {
	field := q.Get("filter_field")
	if field == "" {
		return q, false
	}
	op := or(q.Get("filter_op"), "eq")
	value := joinValues(q["filter_value"])
	folded = url.Values{}
	for k, v := range q {
		if !builderKey(k) && k != "cursor" && !filtersField(k, field) {
			folded[k] = v
		}
	}
	if value != "" {
		folded.Set(filterKey(field, op), value)
	}
	return folded, true
}

func builderKey(k string) bool {
	return k == "filter_field" || k == "filter_op" || k == "filter_value"
}

func filtersField(key, field string) bool {
	return key == field || strings.HasPrefix(key, field+"[")
}

func filterKey(field, op string) string {
	if op == "eq" {
		return field
	}
	return field + "[" + op + "]"
}

func joinValues(values []string) string {
	var kept []string
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" {
			kept = append(kept, v)
		}
	}
	return strings.Join(kept, ",")
}
