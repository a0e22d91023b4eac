package messaging

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/messaging/internal/messagingdb"
	"crm/internal/platform/db"
	"crm/internal/platform/jobs"
	"crm/internal/record"
)

// insert writes the message with all it needs to go out, in one transaction.
func (s *Service) insert(ctx context.Context, tx pgx.Tx, c *composition) (*Message, error) {
	tenant, m, now := tenantOf(ctx), c.m, s.micros()
	q := messagingdb.New(tx)
	if c.heldBack == "" {
		reason, err := q.Suppressed(ctx, messagingdb.SuppressedParams{TenantID: tenant, Address: m.ToAddress, Channel: m.Channel})
		if err != nil {
			return nil, err
		}
		if holdsBack(reason, m.Class) {
			c.heldBack = suppressedBecause[reason]
		}
	}
	m.place(c.heldBack, now)
	res, err := s.Messages.One(context.WithValue(ctx, composingKey{}, true), record.Operation{
		Kind: record.OpCreate, ID: m.ID, Patch: m.patch(), Action: m.Status, Data: map[string]any{"created": true},
	})
	if err != nil {
		return nil, err
	}
	out := record.To[Message](res.Record)
	if out.Status == Suppressed {
		return out, nil
	}
	if c.link {
		if _, err := s.mintLink(ctx, q, m.ID, now); err != nil {
			return nil, err
		}
	}
	return out, s.enqueue(ctx, tx, out, nil)
}

// place decides how a message begins.
func (m *Message) place(heldBack string, now time.Time) {
	switch {
	case heldBack != "":
		m.Status, m.LastError = Suppressed, heldBack
	case m.SendAt != nil && m.SendAt.After(now):
		m.Status, m.NextAttemptAt = Scheduled, m.SendAt
	default:
		m.Status, m.NextAttemptAt = Queued, &now
	}
}

// patch lists the values of a new message; empty ones are left out.
func (m *Message) patch() record.Patch {
	p := record.Patch{"channel": m.Channel, "class": m.Class, "status": m.Status, "to_address": m.ToAddress}
	for name, v := range map[string]string{"subject": m.Subject, "body_html": m.BodyHTML, "body_text": m.BodyText, "last_error": m.LastError} {
		if v != "" {
			p[name] = v
		}
	}
	for name, v := range map[string]*uuid.UUID{"contact_id": m.ContactID, "lead_id": m.LeadID, "template_id": m.TemplateID, "owner_id": m.OwnerID, "team_id": m.TeamID} {
		if v != nil {
			p[name] = *v
		}
	}
	for name, v := range map[string]*time.Time{"send_at": m.SendAt, "next_attempt_at": m.NextAttemptAt} {
		if v != nil {
			p[name] = *v
		}
	}
	if m.Variables != nil {
		p["variables"] = m.Variables
	}
	return p
}

// enqueue begins a round of delivery: a job in this transaction when the message
// is due and there is a client, else the dispatcher will make one. key is a new
// idempotency key, nil keeps the one it has.
func (s *Service) enqueue(ctx context.Context, tx pgx.Tx, m *Message, key *uuid.UUID) error {
	now := s.micros()
	round := messagingdb.EnterQueueParams{TenantID: tenantOf(ctx), ID: m.ID, DueSince: *m.NextAttemptAt, SendKey: key}
	if m.Status == Queued && s.jobs != nil {
		round.DispatchedAt = &now
	}
	if err := messagingdb.New(tx).EnterQueue(ctx, round); err != nil {
		return err
	}
	db.AfterCommit(ctx, s.wake)
	if round.DispatchedAt == nil {
		return nil
	}
	_, err := s.jobs.Insert(ctx, tx, sendArgs{TenantID: round.TenantID, MessageID: m.ID}, jobs.When{Queue: queue})
	return err
}
