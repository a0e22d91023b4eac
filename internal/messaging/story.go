package messaging

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/messaging/internal/messagingdb"
	"crm/internal/record"
)

// Attempt is one try to hand a message to a provider. Result is sending, sent, a
// class of failure, or interrupted.
type Attempt struct {
	Number     int64
	At         time.Time
	FinishedAt *time.Time
	ProviderID uuid.UUID
	Provider   string
	Result     string
	Step       string
	Code       int
	Detail     string
}

// Event is a happening in the life of a message, by its word in the journal.
type Event struct {
	Seq   int64
	At    time.Time
	Type  string
	Actor string
	Data  map[string]any
}

// Story is everything that is known of a message beyond its record, oldest first.
type Story struct {
	Attempts []Attempt
	Events   []Event
}

// AsOf runs an act and reads the message in the same transaction, so that the answer
// shows what the act made and not what a quick worker has made of it since.
func (s *Service) AsOf(ctx context.Context, act func(ctx context.Context) (*Message, error)) (*record.Record, error) {
	var rec *record.Record
	err := s.k.DB.Tx(ctx, func(ctx context.Context, _ pgx.Tx) error {
		m, err := act(ctx)
		if err != nil {
			return err
		}
		rec, err = s.Messages.Object.Get(ctx, m.ID)
		return err
	})
	return rec, err
}

// storyLength is more than the life of any message has.
const storyLength = 200

// Story tells what was tried and what happened; only to whoever may see the
// message.
func (s *Service) Story(ctx context.Context, message uuid.UUID) (*Story, error) {
	if _, err := s.Messages.Get(ctx, message); err != nil {
		return nil, err
	}
	out := &Story{Attempts: []Attempt{}, Events: []Event{}}
	err := s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := messagingdb.New(tx).Attempts(ctx, messagingdb.AttemptsParams{TenantID: tenantOf(ctx), MessageID: message})
		for _, r := range rows {
			out.Attempts = append(out.Attempts, Attempt{
				Number: r.Number, At: r.At, FinishedAt: r.FinishedAt, ProviderID: r.ProviderID, Provider: r.ProviderName,
				Result: r.Result, Step: r.Step, Code: int(r.Code), Detail: r.Detail,
			})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	entries, err := s.k.Timeline(ctx, "message", message, 0, storyLength)
	for _, e := range slices.Backward(entries) {
		out.Events = append(out.Events, Event{Seq: e.Seq, At: e.At, Type: e.Action, Actor: e.ActorName, Data: e.Data})
	}
	return out, err
}
