package messaging

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/messaging/internal/messagingdb"
	"crm/internal/platform/auth"
	"crm/internal/platform/jobs"
)

// Times of the dispatcher.
const (
	// pollEvery bounds the delay of a message that another process scheduled; this
	// process's own wake the dispatcher at once.
	pollEvery = time.Second
	// sweepEvery is how often interrupted and forgotten messages are looked for.
	sweepEvery = time.Minute
	// lease is how long a claim may stand before its worker counts as dead. It is
	// longer than the longest job.
	lease = 5 * time.Minute
	// forgottenAfter is when a job that was inserted and never ran is inserted again.
	// A second job for a message is harmless.
	forgottenAfter = 10 * time.Minute
	dueBatch       = 500
)

// wake lets the dispatcher look at once.
func (s *Service) wake() {
	select {
	case s.woken <- struct{}{}:
	default: // it will look anyway
	}
}

// Run makes jobs of messages as they become due, and takes up what dead processes
// left, until ctx ends. Several processes may run it. River's own scheduler is
// good to five seconds only, which is why this one exists.
func (s *Service) Run(ctx context.Context) error {
	if s.jobs == nil {
		return errors.New("the dispatcher of messages needs a jobs client; call SetJobs first")
	}
	s.sweep(ctx)
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		timer := time.NewTimer(s.dispatch(ctx))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-s.woken:
		case <-timer.C:
		case <-sweep.C:
			s.sweep(ctx)
		}
		timer.Stop()
	}
}

// found is one row of a function that looks across tenants.
type found struct {
	TenantID  uuid.UUID
	MessageID uuid.UUID
	DueAt     time.Time
}

const (
	findDue         = `select tenant_id, message_id, due_at from messages_due($1)`
	findForgotten   = `select tenant_id, message_id, $1::timestamptz from messages_forgotten($1, $2)`
	findInterrupted = `select tenant_id, message_id, $1::timestamptz from messages_interrupted($1, $2, $3)`
)

func (s *Service) find(ctx context.Context, sql string, args ...any) ([]found, error) {
	var out []found
	err := s.k.DB.System(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, pgx.RowToStructByPos[found])
		return err
	})
	return out, err
}

// dispatch makes jobs of everything due and returns how long to sleep.
func (s *Service) dispatch(ctx context.Context) time.Duration {
	for {
		rows, err := s.find(ctx, findDue, dueBatch)
		if err != nil {
			s.failed(ctx, "look for due messages", err)
			return pollEvery
		}
		now := s.micros()
		due := rows
		for i, r := range rows {
			if r.DueAt.After(now) {
				due = rows[:i]
				break
			}
		}
		s.metrics.oldest(due, now)
		taken := s.enqueueAll(ctx, due, now.Add(-forgottenAfter))
		if taken == 0 || len(due) < dueBatch {
			return untilNext(rows[len(due):], now)
		}
	}
}

func untilNext(ahead []found, now time.Time) time.Duration {
	if len(ahead) == 0 {
		return pollEvery
	}
	return min(ahead[0].DueAt.Sub(now), pollEvery)
}

// enqueueAll inserts jobs, one transaction per tenant, and returns how many.
func (s *Service) enqueueAll(ctx context.Context, rows []found, stale time.Time) int {
	perTenant := map[uuid.UUID][]uuid.UUID{}
	for _, r := range rows {
		perTenant[r.TenantID] = append(perTenant[r.TenantID], r.MessageID)
	}
	taken := 0
	for tenant, ids := range perTenant {
		n, err := s.enqueueFor(auth.With(ctx, auth.SystemActor(tenant)), ids, stale)
		if err != nil {
			s.failed(ctx, "queue due messages", err)
		}
		taken += n
	}
	return taken
}

func (s *Service) enqueueFor(ctx context.Context, ids []uuid.UUID, stale time.Time) (int, error) {
	taken := 0
	err := s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tenant := tenantOf(ctx)
		mine, err := messagingdb.New(tx).TakeDue(ctx, messagingdb.TakeDueParams{At: s.micros(), TenantID: tenant, Ids: ids, Stale: stale})
		if err != nil || len(mine) == 0 {
			return err
		}
		args := make([]jobs.Args, len(mine))
		for i, id := range mine {
			args[i] = sendArgs{TenantID: tenant, MessageID: id}
		}
		taken = len(mine)
		return s.jobs.InsertMany(ctx, tx, args, jobs.When{Queue: queue})
	})
	return taken, err
}

func (s *Service) failed(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		s.log.WarnContext(ctx, "messages: the database did not answer, trying again", "step", what, "error", err)
	}
}
