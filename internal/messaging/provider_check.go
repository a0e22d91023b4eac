package messaging

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/messaging/internal/messagingdb"
	"crm/internal/platform/auth"
	"crm/internal/platform/db"
)

// TestProvider talks to the provider without sending a message. A success makes an
// unhealthy one active again.
func (s *Service) TestProvider(ctx context.Context, provider uuid.UUID) (*Check, error) {
	if _, _, err := auth.Require(ctx, providerObject, auth.Update); err != nil {
		return nil, err
	}
	row, err := s.providerRow(ctx, provider)
	if err != nil {
		return nil, err
	}
	check := s.probe(ctx, row)
	return check, s.noteCheck(ctx, row, check)
}

// probeTime bounds a test: somebody is waiting for it.
const probeTime = 20 * time.Second

func (s *Service) probe(ctx context.Context, row *messagingdb.Provider) *Check {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	way, err := s.routes.get(s, row)
	if err != nil {
		return &Check{Step: "settings", Message: sentenceOf(err) + "."}
	}
	return way.route.test(ctx)
}

func (s *Service) noteCheck(ctx context.Context, row *messagingdb.Provider, check *Check) error {
	return s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		q := messagingdb.New(tx)
		now := s.micros()
		if err := q.NoteCheck(ctx, messagingdb.NoteCheckParams{CheckedAt: &now, LastError: check.Message, TenantID: row.TenantID, ID: row.ID}); err != nil {
			return err
		}
		if !check.OK || row.State != Unhealthy {
			return nil
		}
		n, err := q.SetProviderState(ctx, messagingdb.SetProviderStateParams{State: Active, CheckedAt: &now, TenantID: row.TenantID, ID: row.ID, Version: row.Version})
		if err != nil || n == 0 {
			return err
		}
		row.State = Active
		return s.afterProvider(ctx, tx, row, "healthy")
	})
}

// afterProvider tells the journal and lets messages go on that waited for a way
// out. The lock is the one park takes, so that none is parked at this moment.
func (s *Service) afterProvider(ctx context.Context, tx pgx.Tx, p *messagingdb.Provider, act string) error {
	data := map[string]any{"name": p.Name, "channel": p.Channel, "type": p.Type, "priority": p.Priority, "state": p.State}
	if _, err := s.k.Emit(ctx, tx, providerObject, p.ID, act, data); err != nil {
		return err
	}
	if p.State != Active {
		return nil
	}
	q := messagingdb.New(tx)
	if err := q.Lock(ctx, waitingLock(p.TenantID)); err != nil {
		return err
	}
	db.AfterCommit(ctx, s.wake)
	return q.ReleaseWaiting(ctx, messagingdb.ReleaseWaitingParams{At: s.micros(), TenantID: p.TenantID, Channel: p.Channel})
}

func waitingLock(tenant uuid.UUID) string { return "messages without a way out " + tenant.String() }
