package ui

import (
	"context"
	"io"
	"time"

	"github.com/a-h/templ"
)

// RecordPage is one record: who it is, what happened, what is known. Left the
// composer and the timeline, right what a machine says, the fields, what belongs
// to it, and the panels other contexts put into slots.
type RecordPage struct {
	Object  string // API name, plural: "contacts"
	ID      string
	Version int64
	Back    Link // the list it came from
	Avatar  Avatar
	Name    string
	// Sub is the line under the name: "CFO at Atlas Freight".
	Sub     string
	SubHref string
	// Facts stand after the name: owner, amount, close date.
	Facts   []Fact
	Score   *Score
	Stage   *StagePath
	Primary *Action
	Actions []Action // with a word each: Email, Call, Task
	More    []Action // behind ⋯
	// State is a banner for deleted, merged into, read-only, changed by somebody.
	State *Banner
	Tabs  []Tab
	// Composer is the row of plain forms on top; empty hides it.
	Composer []ComposerForm
	Timeline Timeline
	// Lead is drawn before the composer: reply editor, qualification bar.
	Lead []Panel
	// Body replaces composer and timeline on the other tabs.
	Body    templ.Component
	Summary *MachineSummary
	Details []PropertyGroup
	Related []RelatedList
	Panels  []Panel // slots, after the related lists
}

// Fact is a labelled value in the header.
type Fact struct {
	Label string
	Value Value
}

// StagePath shows where a record stands in its pipeline; each step is a small
// POST form (fields stage_id, version).
type StagePath struct {
	Label   string
	MoveURL string
	Version int64
	Steps   []StageStep
}

// StageStep is one stage.
type StageStep struct {
	ID      string
	Label   string
	Tone    Tone
	Done    bool
	Current bool
}

// ComposerForm is one tab of the composer: Note, Log call, Task, Email.
type ComposerForm struct {
	Key    string // "note", opened by URL #compose-note and the letters n, l, t
	Label  string
	Icon   string
	Letter string
	Form   Form
}

// TimelineKind decides the icon and the weight of an item.
type TimelineKind string

// Kinds of happenings.
const (
	KindChange   TimelineKind = "change"
	KindNote     TimelineKind = "note"
	KindCall     TimelineKind = "call"
	KindTask     TimelineKind = "task"
	KindMeeting  TimelineKind = "meeting"
	KindMessage  TimelineKind = "message"
	KindCampaign TimelineKind = "campaign"
	KindMachine  TimelineKind = "machine"
	KindSystem   TimelineKind = "system"
)

// Timeline is the story of a record, newest first. Items must be sorted; they are
// grouped by day in the reader's zone here.
type Timeline struct {
	Filters   []Tab // All, Changes, Notes, …
	Items     []TimelineItem
	OlderHref string
	// Planned are things ahead (open tasks, meetings), drawn on top, nearest first.
	Planned []TimelineItem
	Empty   string // default a sentence from words.go
}

// TimelineItem is one happening.
type TimelineItem struct {
	ID    string
	Kind  TimelineKind
	At    time.Time
	Actor Person
	// Title is the sentence after the actor: "moved this to Proposal".
	Title string
	Href  string
	// Text is what was written; kept line breaks, folded after eight lines.
	Text    string
	Changes []FieldChange
	// Due and State belong to tasks, calls and messages: "Done", "Bounced".
	Due   *Due
	State *Choice
	// UndoURL makes a quiet Undo form.
	UndoURL    string
	UndoFields []Hidden
	Actions    []Action // "Done", "Retry"
	Pinned     bool
	Via        string // "import contacts.csv", "API key Zapier"
	Body       templ.Component
}

// FieldChange is one from → to line.
type FieldChange struct {
	Field string
	From  string
	To    string
}

// MachineSummary is the violet panel: a score or a summary with its reasons.
type MachineSummary struct {
	Title   string // "Score", "Summary"
	Score   *Score
	Text    string
	Reasons []Reason
	Model   string
	At      time.Time
	// Waiting draws the still box with the words of what is going on.
	Waiting string
	// Off says in words why there is nothing (switched off, not enough data).
	Off     string
	Actions []Action // Refresh, Accept, Dismiss
}

// PropertyGroup is a titled list of properties.
type PropertyGroup struct {
	Title      string
	Properties []Property
	Folded     bool
}

// Property is a field of the record with its value and, where the reader may
// change it, the inline form.
type Property struct {
	Name  string // API name
	Label string
	Value Value
	// Edit is the control; nil makes the value read-only. The form posts Edit.Name
	// and version to EditURL.
	Edit    *Field
	EditURL string
	Version int64
	// Source says where the value came from, on hover: "Import, 3 Nov".
	Source string
	// Locked says why it cannot be edited.
	Locked string
	// Error and open keep a refused edit on screen (422).
	Error string
	Open  bool
}

// RelatedList shows up to five records that belong to this one.
type RelatedList struct {
	Title   string
	Count   int
	AllHref string
	Items   []RelatedItem
	Add     *Action
	Empty   string
}

// RelatedItem is one line of a related list.
type RelatedItem struct {
	Name   string
	Href   string
	Sub    Value
	Aside  Value
	Avatar *Avatar
	Icon   string
}

// Panel is a titled slot filled by another context. A failed panel gets Note
// instead of Body, never a broken page.
type Panel struct {
	ID    string
	Title string
	Body  templ.Component
	Note  string
	Links []Link
}

// Render draws the page body.
func (p RecordPage) Render(ctx context.Context, w io.Writer) error {
	return recordPage(p).Render(ctx, w)
}

// Render draws the timeline alone.
func (t Timeline) Render(ctx context.Context, w io.Writer) error { return timeline(t).Render(ctx, w) }

type timelineDay struct {
	Label string
	Items []TimelineItem
}

// byDay groups items that are already sorted.
func (t Timeline) byDay(f Format) []timelineDay {
	var days []timelineDay
	for _, it := range t.Items {
		label := f.DayName(it.At)
		if n := len(days); n > 0 && days[n-1].Label == label {
			days[n-1].Items = append(days[n-1].Items, it)
			continue
		}
		days = append(days, timelineDay{Label: label, Items: []TimelineItem{it}})
	}
	return days
}
