package messaginghttp

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"

	"crm/internal/messaging"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/rest"
	"crm/internal/record"
)

// draft is the body of send and preview. Ids and times are read as texts, so that
// a wrong one is reported at its field.
type draft struct {
	Channel    string         `json:"channel"`
	Class      string         `json:"class"`
	To         string         `json:"to"`
	ContactID  *string        `json:"contact_id"`
	LeadID     *string        `json:"lead_id"`
	TemplateID *string        `json:"template_id"`
	Subject    string         `json:"subject"`
	Body       string         `json:"body"`
	BodyText   string         `json:"body_text"`
	Variables  map[string]any `json:"variables"`
	SendAt     *string        `json:"send_at"`
}

func readDraft(r *http.Request) (messaging.Draft, error) {
	var in draft
	if err := rest.Decode(r, &in); err != nil {
		return messaging.Draft{}, err
	}
	var refused errs.Fields
	out := messaging.Draft{
		Channel: in.Channel, Class: in.Class, To: in.To, Subject: in.Subject, Body: in.Body, BodyText: in.BodyText, Variables: in.Variables,
		ContactID: readID("contact_id", in.ContactID, &refused), LeadID: readID("lead_id", in.LeadID, &refused), TemplateID: readID("template_id", in.TemplateID, &refused),
	}
	if in.SendAt != nil {
		at, err := time.Parse(time.RFC3339Nano, *in.SendAt)
		if err != nil || at.Year() > 9999 {
			refused.Add("send_at", "not_a_time", "send_at must be a time like 2026-11-21T09:00:00Z.")
		}
		out.SendAt = &at
	}
	return out, refused.Err()
}

func readID(field string, s *string, refused *errs.Fields) *uuid.UUID {
	if s == nil {
		return nil
	}
	u, ok := id.Parse(*s)
	if !ok {
		refused.Add(field, "not_an_id", "%s must be an id (a UUID).", field)
	}
	return &u
}

func (h *HTTP) send(w http.ResponseWriter, r *http.Request) error {
	d, err := readDraft(r)
	if err != nil {
		return err
	}
	rec, err := h.messaging.AsOf(r.Context(), func(ctx context.Context) (*messaging.Message, error) { return h.messaging.Send(ctx, d) })
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/messages/"+rec.ID().String())
	return writeRecord(w, http.StatusAccepted, rec, rec.AppendJSON(nil, nil, nil))
}

func (h *HTTP) preview(w http.ResponseWriter, r *http.Request) error {
	d, err := readDraft(r)
	if err != nil {
		return err
	}
	m, err := h.messaging.Preview(r.Context(), d)
	if err != nil {
		return err
	}
	return rest.JSON(w, http.StatusOK, map[string]any{"to_address": m.ToAddress, "subject": m.Subject, "body_html": m.BodyHTML, "body_text": m.BodyText})
}

// writeRecord answers the way every other record is answered.
func writeRecord(w http.ResponseWriter, status int, rec *record.Record, raw []byte) error {
	w.Header().Set("ETag", rest.ETag(rec.Version()))
	w.Header().Set("Cache-Control", "private, no-cache")
	return rest.Raw(w, status, raw)
}

// story is the JSON form of messaging.Story.
type story struct {
	Attempts []attempt `json:"attempt_log"`
	Events   []event   `json:"events"`
}

type attempt struct {
	Number     int64      `json:"number"`
	At         time.Time  `json:"at"`
	FinishedAt *time.Time `json:"finished_at"`
	ProviderID uuid.UUID  `json:"provider_id"`
	Provider   string     `json:"provider"`
	Result     string     `json:"result"`
	Step       string     `json:"step"`
	Code       int        `json:"code"`
	Detail     string     `json:"detail"`
}

type event struct {
	Seq   int64          `json:"seq"`
	At    time.Time      `json:"at"`
	Type  string         `json:"type"`
	Actor string         `json:"actor"`
	Data  map[string]any `json:"data"`
}

func (h *HTTP) story(r *http.Request, message uuid.UUID) (*story, error) {
	s, err := h.messaging.Story(r.Context(), message)
	if err != nil {
		return nil, err
	}
	out := &story{Attempts: make([]attempt, len(s.Attempts)), Events: make([]event, len(s.Events))}
	for i, a := range s.Attempts {
		out.Attempts[i] = attempt(a)
	}
	for i, e := range s.Events {
		out.Events[i] = event(e)
	}
	return out, nil
}

// get writes the story behind the record's fields. The record is read first, so
// that a status is never ahead of the attempts that explain it.
func (h *HTTP) get(w http.ResponseWriter, r *http.Request) error {
	message, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	rec, err := h.messaging.Messages.Object.Get(r.Context(), message)
	if err != nil {
		return err
	}
	more, err := h.story(r, message)
	if err != nil {
		return err
	}
	tail, err := json.Marshal(more)
	if err != nil {
		return err
	}
	raw := rec.AppendJSON(nil, nil, nil)
	return writeRecord(w, http.StatusOK, rec, append(append(raw[:len(raw)-1], ','), tail[1:]...))
}

func (h *HTTP) events(w http.ResponseWriter, r *http.Request) error {
	message, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	more, err := h.story(r, message)
	if err != nil {
		return err
	}
	return rest.JSON(w, http.StatusOK, more)
}

func (h *HTTP) cancel(w http.ResponseWriter, r *http.Request) error {
	return h.act(w, r, h.messaging.Cancel)
}

func (h *HTTP) retry(w http.ResponseWriter, r *http.Request) error {
	return h.act(w, r, h.messaging.Retry)
}

// act runs an act on the message of the path.
func (h *HTTP) act(w http.ResponseWriter, r *http.Request, act messageAct) error {
	message, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	rec, err := h.messaging.AsOf(r.Context(), func(ctx context.Context) (*messaging.Message, error) { return act(ctx, message) })
	if err != nil {
		return err
	}
	return writeRecord(w, http.StatusOK, rec, rec.AppendJSON(nil, nil, nil))
}
