package messaginghttp

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"crm/internal/messaging"
	"crm/internal/platform/auth"
	"crm/internal/platform/page"
	"crm/internal/platform/rest"
	"crm/internal/record"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

// neighbours is how many messages stand beside the open one.
const neighbours = 30

// message shows one message with its story beside the newest others.
func (p *Pages) message(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	m, err := p.s.Messages.Get(r.Context(), id)
	if err != nil {
		return err
	}
	story, err := p.s.Story(r.Context(), id)
	if err != nil {
		return err
	}
	others, err := p.s.Messages.Find(r.Context(), record.Query{Limit: neighbours})
	if err != nil {
		return err
	}
	to, err := p.addressee(r, m)
	if err != nil {
		return err
	}
	body := ui.MessagePage{
		Title: "Messages", BackHref: recordpage.Path(r, "messages"), Detail: p.detail(r, m, story, to), Messages: p.queue(r, others, id),
		Footer: ui.ListFooter{Count: "The newest; the list has all."},
	}
	if may(r, auth.Create) {
		body.Primary = &ui.Action{Label: "New message", Weight: ui.Primary, Icon: "plus", Href: recordpage.Path(r, "messages", "new"), Key: "c"}
	}
	return p.pages.Page(w, r, http.StatusOK, recordpage.Head{Title: titleOf(m) + " · Messages", Section: "messages"}, body)
}

func may(r *http.Request, action auth.Action) bool {
	return auth.From(r.Context()).Grants.Scope("message", action) != auth.None
}

func titleOf(m *messaging.Message) string {
	if m.Subject != "" {
		return m.Subject
	}
	return "Message to " + m.ToAddress
}

// addressee is the person, as far as the reader may see them, else the address.
func (p *Pages) addressee(r *http.Request, m *messaging.Message) (ui.Ref, error) {
	out := ui.Ref{Name: m.ToAddress, Icon: "mail"}
	for object, ref := range map[string]*uuid.UUID{"contact": m.ContactID, "lead": m.LeadID} {
		if ref == nil {
			continue
		}
		names, err := p.pages.Titles(r.Context(), object, []uuid.UUID{*ref})
		if err != nil {
			return out, err
		}
		if name := names[*ref]; name != "" {
			out.Name, out.Href = name+" ("+m.ToAddress+")", recordpage.Path(r, object+"s", ref.String())
		}
	}
	return out, nil
}

func (p *Pages) queue(r *http.Request, list []*messaging.Message, current uuid.UUID) []ui.MessageRow {
	out := make([]ui.MessageRow, len(list))
	for i, m := range list {
		out[i] = ui.MessageRow{
			ID: m.ID.String(), Href: recordpage.Path(r, "messages", m.ID.String()), To: m.ToAddress, Subject: m.Subject, Channel: m.Channel,
			State: p.state(m.Status), At: momentOf(m), Current: m.ID == current,
		}
	}
	return out
}

// momentOf is the time that matters about a message now.
func momentOf(m *messaging.Message) time.Time {
	switch {
	case m.SentAt != nil:
		return *m.SentAt
	case m.SendAt != nil:
		return *m.SendAt
	}
	return m.CreatedAt
}

func (p *Pages) detail(r *http.Request, m *messaging.Message, story *messaging.Story, to ui.Ref) *ui.MessageDetail {
	out := &ui.MessageDetail{
		ID: m.ID.String(), Subject: titleOf(m), Channel: m.Channel, To: to, State: p.state(m.Status), Class: classWords[m.Class], Body: m.BodyText,
		Attempts: attempts(story), Events: events(story), Problem: problem(m),
	}
	if m.SendAt != nil {
		out.SendAt = *m.SendAt
	}
	if m.SentAt != nil {
		out.Facts = append(out.Facts, ui.Fact{Label: "Sent", Value: ui.Time{At: *m.SentAt}})
	}
	if m.NextAttemptAt != nil && m.Status == messaging.Queued && m.LastError != "" {
		out.Facts = append(out.Facts, ui.Fact{Label: "Next attempt", Value: ui.Time{At: *m.NextAttemptAt}})
	}
	if may(r, auth.Update) {
		out.Actions = acts(r, m)
	}
	return out
}

var classWords = map[string]string{messaging.Transactional: "Transactional", messaging.Marketing: "Marketing"}

// acts are what can be done in this state.
func acts(r *http.Request, m *messaging.Message) []ui.Action {
	path := func(act string) string { return recordpage.Path(r, "messages", m.ID.String(), act) }
	switch m.Status {
	case messaging.Scheduled, messaging.Queued:
		return []ui.Action{{Label: "Cancel", Post: path("cancel"), Busy: "Cancelling…"}}
	case messaging.Failed:
		return []ui.Action{{Label: "Try again", Weight: ui.Primary, Post: path("retry"), Busy: "Queueing…"}}
	case messaging.InDoubt:
		return []ui.Action{{Label: "Resend", Post: path("retry"), Busy: "Queueing…", Ask: "Send it again? If the first one did arrive, the recipient gets it twice."}}
	}
	return nil
}

// problem says what is wrong and what to do.
func problem(m *messaging.Message) *ui.Banner {
	if m.LastError == "" {
		return nil
	}
	out := &ui.Banner{Tone: ui.ToneBad, Text: m.LastError}
	switch m.Status {
	case messaging.Queued, messaging.Scheduled:
		out.Tone = ui.ToneWarn
		out.Detail = "It goes out by itself as soon as possible."
	case messaging.InDoubt:
		out.Tone = ui.ToneWarn
		out.Detail = "Ask the recipient, or look into the log of your mail server for the Message-ID " + m.MessageID + " before you resend."
	case messaging.Bounced:
		out.Detail = "The address is on the suppression list now, so that nobody writes to it in vain."
	case messaging.Suppressed:
		out.Tone = ui.ToneWarn
	}
	return out
}

var attemptStates = map[string]ui.Choice{
	"sending": {Label: "On its way", Tone: ui.ToneAccent}, "sent": {Label: "Taken over", Tone: ui.ToneGood}, "temporary": {Label: "Not now", Tone: ui.ToneWarn},
	"route_busy": {Label: "Provider busy", Tone: ui.ToneWarn}, "permanent": {Label: "Bad address", Tone: ui.ToneBad}, "block": {Label: "Refused", Tone: ui.ToneBad},
	"config": {Label: "Wrong settings", Tone: ui.ToneBad}, "in_doubt": {Label: "No answer", Tone: ui.ToneWarn}, "interrupted": {Label: "Interrupted"},
}

func attempts(s *messaging.Story) []ui.Attempt {
	var out []ui.Attempt
	for _, a := range slices.Backward(s.Attempts) {
		out = append(out, ui.Attempt{At: a.At, Provider: a.Provider, Result: attemptStates[a.Result], Detail: a.Detail})
	}
	return out
}

var eventWords = map[string]struct {
	label string
	tone  ui.Tone
}{
	"scheduled": {"Scheduled", ui.ToneAccent}, "queued": {"Queued", ui.ToneAccent}, "suppressed": {"Held back: the address is suppressed", ui.ToneWarn},
	"sent": {"Sent", ui.ToneGood}, "delivered": {"Delivered", ui.ToneGood}, "deferred": {"Put off", ui.ToneWarn}, "waiting": {"Waits for a provider", ui.ToneWarn},
	"bounced": {"Bounced", ui.ToneBad}, "failed": {"Failed", ui.ToneBad}, "in_doubt": {"In doubt", ui.ToneWarn}, "cancelled": {"Cancelled", ""},
	"retried": {"Sent again on demand", ui.ToneAccent}, "unsubscribed": {"The recipient unsubscribed", ui.ToneWarn}, "resubscribed": {"The recipient subscribed again", ui.ToneGood},
}

func events(s *messaging.Story) []ui.MessageEvent {
	var out []ui.MessageEvent
	for _, e := range slices.Backward(s.Events) {
		known, ok := eventWords[e.Type]
		if !ok {
			known.label = strings.ToUpper(e.Type[:1]) + strings.ReplaceAll(e.Type[1:], "_", " ")
		}
		event := ui.MessageEvent{At: e.At, Label: known.label, Tone: known.tone}
		if e.Actor != "system" && e.Actor != "recipient" {
			event.Detail = e.Actor
		}
		out = append(out, event)
	}
	return out
}

func (p *Pages) cancel(w http.ResponseWriter, r *http.Request) error {
	return p.act(w, r, "Message cancelled.", p.s.Cancel)
}

func (p *Pages) retry(w http.ResponseWriter, r *http.Request) error {
	return p.act(w, r, "It is on its way again.", p.s.Retry)
}

// act runs an act on the message of the path and leads back to it.
func (p *Pages) act(w http.ResponseWriter, r *http.Request, done string, act messageAct) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	if _, err := act(r.Context(), id); err != nil {
		return err
	}
	p.pages.Site.SetFlash(w, page.Flash{Text: done})
	return page.SeeOther(w, r, recordpage.Path(r, "messages", id.String()))
}
