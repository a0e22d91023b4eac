package messaging

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/messaging/internal/messagingdb"
	"crm/internal/platform/auth"
	"crm/internal/platform/mail"
)

// repeatWindow is how long a provider is trusted to remember an idempotency key.
const repeatWindow = 20 * time.Hour

// sweep takes up what dead processes left and inserts lost jobs again.
func (s *Service) sweep(ctx context.Context) {
	now := s.micros()
	s.recoverAll(ctx, now)
	rows, err := s.find(ctx, findForgotten, now.Add(-forgottenAfter), dueBatch)
	if err != nil {
		s.failed(ctx, "look for forgotten messages", err)
		return
	}
	s.enqueueAll(ctx, rows, now.Add(-forgottenAfter))
}

// recoverAll resolves claims whose worker is gone: by its lease, or, when this
// process is alone with the database, because it is not this one.
func (s *Service) recoverAll(ctx context.Context, now time.Time) {
	before := now.Add(-lease)
	var alive *uuid.UUID
	if s.alone {
		alive = &s.worker
	}
	for {
		rows, err := s.find(ctx, findInterrupted, before, alive, dueBatch)
		if err != nil {
			s.failed(ctx, "look for interrupted messages", err)
			return
		}
		done := 0
		for _, r := range rows {
			if err := s.recoverOne(auth.With(ctx, auth.SystemActor(r.TenantID)), r.MessageID, before); err != nil {
				s.failed(ctx, "take up an interrupted message", err)
				continue
			}
			done++
		}
		if done == 0 || len(rows) < dueBatch {
			return
		}
	}
}

// recoverOne says of a claim without a result what can honestly be said.
func (s *Service) recoverOne(ctx context.Context, message uuid.UUID, before time.Time) error {
	err := s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		q := messagingdb.New(tx)
		m, err := q.LockMessage(ctx, messagingdb.LockMessageParams{TenantID: tenantOf(ctx), ID: message})
		if err != nil {
			return err
		}
		if !s.abandoned(m, before) {
			return nil
		}
		p, err := q.UsedProvider(ctx, messagingdb.UsedProviderParams{TenantID: tenantOf(ctx), ID: *m.ProviderID})
		if err != nil {
			return err
		}
		r, v := s.afterCrash(m, p)
		return s.finish(ctx, m.ID, m.Attempts, r, v)
	})
	if errors.Is(err, errStale) {
		return nil
	}
	return err
}

func (s *Service) abandoned(m *messagingdb.LockMessageRow, before time.Time) bool {
	if m.Status != Sending || m.ClaimedAt == nil || m.ClaimedBy == nil || m.ProviderID == nil {
		return false
	}
	return m.ClaimedAt.Before(before) || s.alone && *m.ClaimedBy != s.worker
}

// afterCrash: an endpoint that knows the key is asked again, everything else is in
// doubt. The attempt counts, or a message that kills the process would do so for
// ever.
func (s *Service) afterCrash(m *messagingdb.LockMessageRow, p *messagingdb.Provider) (result, verdict) {
	at := standing{class: m.Class, strikes: int(m.Strikes), attempts: int(m.Attempts), age: s.now().Sub(m.DueSince)}
	if repeatable(p) && s.now().Sub(*m.ClaimedAt) < repeatWindow {
		r := result{class: mail.Temporary, text: "The program was stopped while the message was being handed over; it is repeated with the same key."}
		v := s.policy.decide(r, at)
		v.attempt, v.wait = "interrupted", 0
		return r, v
	}
	r := result{class: mail.InDoubt, text: "The program was stopped while the message was being handed over. It may or may not have arrived."}
	return r, s.policy.decide(r, at)
}

// repeatable reports whether the provider takes a message twice as one.
func repeatable(p *messagingdb.Provider) bool {
	return p.Type == TypeHTTP && honoursKeys(plainSettings(p))
}

// honoursKeys is true unless the tenant says that the endpoint does not.
func honoursKeys(plain map[string]any) bool {
	v, said := plain["idempotent"].(bool)
	return v || !said
}
