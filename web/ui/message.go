package ui

import (
	"context"
	"io"
	"time"
)

// MessagePage shows outgoing messages: a queue at the left, one message with its
// live status at the right. On a phone either the list or the detail is shown.
type MessagePage struct {
	Title    string
	Tabs     []Tab // Scheduled, Sent, Failed, …
	Search   *Search
	Primary  *Action
	Messages []MessageRow
	Footer   ListFooter
	Empty    *EmptyState
	Detail   *MessageDetail // nil = nothing chosen
	BackHref string         // the list alone, on a phone
}

// MessageRow is one line of the queue.
type MessageRow struct {
	ID      string
	Href    string
	To      string
	Subject string
	Channel string // "email", "sms", "chat": decides the icon
	State   Choice
	At      time.Time // sent, or planned when in the future
	Current bool
}

// MessageDetail is one message.
type MessageDetail struct {
	ID       string
	Subject  string
	Channel  string
	To       Ref
	From     string
	State    Choice
	Class    string // "Marketing", "Transactional"
	SendAt   time.Time
	Body     string // plain text; kept line breaks
	Facts    []Fact
	Attempts []Attempt
	Events   []MessageEvent
	// Actions are Cancel, Retry, Send now: POST forms.
	Actions []Action
	Problem *Banner // failed or in doubt, with what to do
}

// Attempt is one try to hand the message to a provider.
type Attempt struct {
	At       time.Time
	Provider string
	Result   Choice
	Detail   string
}

// MessageEvent is what came back: delivered, opened, clicked, bounced.
type MessageEvent struct {
	At     time.Time
	Label  string
	Tone   Tone
	Detail string
}

// Composer writes one message. Fields are made by the caller with the names the
// API uses (channel, to, subject, body, template_id, class, send_at).
type Composer struct {
	Title    string
	Back     *Link
	To       *Ref
	Form     Form
	Preview  string // rendered text of the sample person
	Notes    []Banner
	CostLine string // "One e-mail, sent now through Postmark"
}

// CampaignStatus is the live state of a running campaign.
type CampaignStatus struct {
	Title   string
	State   Choice
	Done    int
	Total   int
	Line    string // "812 of 1,204 sent, about 6 minutes left"
	Figures []Sum
	Actions []Action // Pause, Stop: always visible while it runs
	Errors  []Sum    // error groups
}

// Render draws the page body.
func (p MessagePage) Render(ctx context.Context, w io.Writer) error {
	return messagePage(p).Render(ctx, w)
}

// Render draws the page body.
func (c Composer) Render(ctx context.Context, w io.Writer) error {
	return composerPage(c).Render(ctx, w)
}

// Render draws the panel.
func (c CampaignStatus) Render(ctx context.Context, w io.Writer) error {
	return campaignStatus(c).Render(ctx, w)
}
