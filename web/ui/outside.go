package ui

import (
	"context"
	"io"
	"strconv"
)

// ErrorPage helps: what happened, what is safe, what to do. It works inside Page
// and inside Bare.
type ErrorPage struct {
	Status    int
	Title     string // default by Status
	Text      string // default by Status
	Safe      string // "Nothing was changed."
	RequestID string
	Actions   []Action
}

// PublicForm is a lead capture page (/f/{id}). The honeypot field is named
// Honeypot and must come back empty; Hidden carries UTM, referrer, landing page.
type PublicForm struct {
	Title    string
	Intro    string
	Form     Form
	Honeypot string // default "website_confirm"
	Consent  string // the sentence beside the box; field "consent"
	Privacy  *Link
	Thanks   *Thanks // set after a successful post
}

// Thanks replaces the form once it was sent.
type Thanks struct {
	Title string
	Text  string
	Link  *Link
}

// Unsubscribe is /u/{token}: one click stops, and the choice can be undone.
type Unsubscribe struct {
	Brand   string
	Address string // masked: "a•••@example.com"
	Action  string // POST
	Done    bool
	UndoURL string // POST, resubscribe
	// Topics lets the person keep some; the box names are "topic".
	Topics []Option
	Kept   []string
	Gone   string // token unknown or expired: the sentence to show
}

// Notice is a short page with a sentence and perhaps a button (invitation used,
// link expired, mail sent).
type Notice struct {
	Title   string
	Text    string
	Tone    Tone
	Actions []Action
}

// Render draws the body.
func (e ErrorPage) Render(ctx context.Context, w io.Writer) error { return errorPage(e).Render(ctx, w) }

// Render draws the body.
func (p PublicForm) Render(ctx context.Context, w io.Writer) error {
	return publicForm(p).Render(ctx, w)
}

// Render draws the body.
func (u Unsubscribe) Render(ctx context.Context, w io.Writer) error {
	return unsubscribe(u).Render(ctx, w)
}

// Render draws the body.
func (n Notice) Render(ctx context.Context, w io.Writer) error { return notice(n).Render(ctx, w) }

func (e ErrorPage) defaultTitle() string {
	switch e.Status {
	case 404:
		return Words.NotFoundTitle
	case 401, 403:
		return Words.ForbiddenTitle
	}
	return Words.BrokenTitle
}

func (e ErrorPage) defaultText() string {
	switch e.Status {
	case 404:
		return Words.NotFoundText
	case 401, 403:
		return Words.ForbiddenText
	}
	return Words.BrokenText
}

func statusText(status int) string {
	if status == 0 {
		return ""
	}
	return strconv.Itoa(status)
}
