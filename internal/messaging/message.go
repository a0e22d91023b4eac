package messaging

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/errs"
	"crm/internal/record"
)

// Classes of messages. Marketing needs a way to unsubscribe and respects it.
const (
	Transactional = "transactional"
	Marketing     = "marketing"
)

// States of a message; see the package comment.
const (
	Scheduled  = "scheduled"
	Queued     = "queued"
	Sending    = "sending"
	Sent       = "sent"
	Delivered  = "delivered"
	Bounced    = "bounced"
	Failed     = "failed"
	Suppressed = "suppressed"
	Cancelled  = "cancelled"
	InDoubt    = "in_doubt"
)

// Message is the intent to tell one address something, and what became of it. Its
// text is final: places were filled in when it was made. MessageID is the header
// of that name, without brackets; it stays the same over all attempts.
type Message struct {
	record.Base
	Subject       string     `crm:"subject,text,readonly,title,search"`
	ToAddress     string     `crm:"to_address,text,required,readonly,title,search" label:"To"`
	Channel       string     `crm:"channel,select,readonly,options=email|sms|chat,default=email"`
	Class         string     `crm:"class,select,readonly,options=transactional|marketing,default=transactional"`
	Status        string     `crm:"status,select,readonly,options=scheduled:accent|queued:accent|sending:accent|sent:good|delivered:good|bounced:bad|failed:bad|suppressed:warn|cancelled|in_doubt:warn"`
	ContactID     *uuid.UUID `crm:"contact_id,relation,readonly,target=contact" label:"Contact"`
	LeadID        *uuid.UUID `crm:"lead_id,relation,readonly,target=lead" label:"Lead"`
	TemplateID    *uuid.UUID `crm:"template_id,relation,readonly,target=template" label:"Template"`
	BodyHTML      string     `crm:"body_html,long_text,readonly" label:"Body (HTML)"`
	BodyText      string     `crm:"body_text,long_text,readonly" label:"Body (plain text)"`
	Variables     any        `crm:"variables,json,readonly"`
	SendAt        *time.Time `crm:"send_at,datetime,readonly" label:"Send at"`
	SentAt        *time.Time `crm:"sent_at,datetime,readonly" label:"Sent"`
	Attempts      *int64     `crm:"attempts,integer,readonly,default=0"`
	LastError     string     `crm:"last_error,long_text,readonly" label:"Problem"`
	ProviderID    *uuid.UUID `crm:"provider_id,relation,readonly" label:"Provider"`
	MessageID     string     `crm:"message_id,text,readonly" label:"Message-ID"`
	NextAttemptAt *time.Time `crm:"next_attempt_at,datetime,readonly" label:"Next attempt"`
}

func (s *Service) registerMessages() (err error) {
	s.Messages, err = record.Register[Message](s.k, record.Definition{
		Name: "message", Plural: "messages", Label: "Message", LabelPlural: "Messages", Owned: true, Uncached: true,
		ListFields: []string{"subject", "to_address", "channel", "status", "class", "send_at", "sent_at", "owner_id", "created_at"},
		Details:    []record.Detail{{Table: "message_attempts", Column: "message_id"}, {Table: "unsubscribe_tokens", Column: "message_id"}},
	}, record.HooksFor[Message]{Before: beforeMessages, Refs: messageRefs})
	return err
}

// messageRefs tells a message's story on the timeline of the person.
func messageRefs(m *Message) []uuid.UUID {
	var out []uuid.UUID
	for _, id := range []*uuid.UUID{m.ContactID, m.LeadID} {
		if id != nil {
			out = append(out, *id)
		}
	}
	return out
}

// waits reports whether the message has not been on the wire.
func (m *Message) waits() bool { return m.Status == Scheduled || m.Status == Queued }

type composingKey struct{}

// beforeMessages guards what the acts rely on against every other way of writing
// a record: messages are made by Send alone, one that waits is cancelled when it
// is moved to the bin, and what was on the wire cannot be taken back by an undo.
func beforeMessages(ctx context.Context, _ pgx.Tx, changes []record.TypedChange[Message]) error {
	for _, c := range changes {
		if c.Old == nil {
			if ctx.Value(composingKey{}) == nil {
				return errs.New(errs.Conflict, "not_composed", "A message is made by sending it: POST /messages.")
			}
			continue
		}
		if err := guardMessage(c.Old, c.New, record.Undoing(ctx)); err != nil {
			return err
		}
	}
	return nil
}

func guardMessage(old, m *Message, undoing bool) error {
	binned := old.DeletedAt == nil && m.DeletedAt != nil
	switch {
	case binned && m.waits():
		m.Status, m.NextAttemptAt = Cancelled, nil
	case binned && old.Status == Sending:
		return errs.New(errs.Conflict, "sending", "This message is being sent right now. Try again in a moment.")
	case undoing && binned, undoing && old.Status != m.Status && !(old.Status == Cancelled && m.waits()):
		return errs.New(errs.Conflict, "already_gone", "This message was handed over already and cannot be taken back.")
	}
	return nil
}
