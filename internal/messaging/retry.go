package messaging

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/messaging/internal/messagingdb"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/record"
)

// Cancel stops a message that has not been on the wire. Cancelling twice is fine.
func (s *Service) Cancel(ctx context.Context, message uuid.UUID) (*Message, error) {
	m, err := s.Messages.Change(ctx, message, record.Act{Name: Cancelled}, func(ctx context.Context, tx pgx.Tx, m *Message) error {
		if m.Status == Cancelled {
			return errSettled
		}
		if !m.waits() {
			return errs.New(errs.Conflict, "too_late", "%s", tooLate[m.Status])
		}
		m.Status, m.NextAttemptAt, m.LastError = Cancelled, nil, ""
		// An undo of this makes it wait again; the dispatcher must then see it.
		return messagingdb.New(tx).EnterQueue(ctx, messagingdb.EnterQueueParams{TenantID: tenantOf(ctx), ID: m.ID, DueSince: s.micros()})
	})
	return s.orAsItIs(ctx, message, m, err)
}

var tooLate = map[string]string{
	Sending:    "The message is being sent right now and can no longer be cancelled.",
	Sent:       "The message was sent already.",
	Delivered:  "The message was delivered already.",
	Bounced:    "The message came back already.",
	Failed:     "The message has failed already; there is nothing to cancel.",
	Suppressed: "The message is not being sent: its address is suppressed.",
	InDoubt:    "The message was handed over and may have arrived; it cannot be cancelled.",
}

// Retry sends a message again that failed or is in doubt: a new round of attempts,
// with the same Message-ID. Of one in doubt the recipient may see a second copy.
func (s *Service) Retry(ctx context.Context, message uuid.UUID) (*Message, error) {
	m, err := s.Messages.Change(ctx, message, record.Act{Name: "retried"}, func(ctx context.Context, tx pgx.Tx, m *Message) error {
		if m.waits() || m.Status == Sending {
			return errSettled
		}
		if m.Status != Failed && m.Status != InDoubt {
			return errs.New(errs.Conflict, "not_retryable", "Only messages that failed or are in doubt can be sent again; this one is %s.", m.Status)
		}
		// A provider replays its answer to a key it knows. That is wanted for one in
		// doubt, and would repeat the refusal of one that failed.
		var key *uuid.UUID
		if m.Status == Failed {
			fresh := id.New()
			key = &fresh
		}
		now := s.micros()
		m.Status, m.NextAttemptAt, m.LastError = Queued, &now, ""
		return s.enqueue(ctx, tx, m, key)
	})
	return s.orAsItIs(ctx, message, m, err)
}

// errSettled ends an act on a message that is where the act would bring it.
var errSettled = errs.New(errs.Conflict, "nothing_to_do", "There is nothing to do.")

// orAsItIs turns "nothing to do" into the message itself.
func (s *Service) orAsItIs(ctx context.Context, message uuid.UUID, m *Message, err error) (*Message, error) {
	if err != nil && errs.As(err) == errSettled {
		return s.Messages.Get(ctx, message)
	}
	return m, err
}
