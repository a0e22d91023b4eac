package messaging

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"crm/internal/messaging/internal/messagingdb"
	"crm/internal/platform/db"
	"crm/internal/record"
)

// queue is the one transactional mail has for itself.
const queue = "messages"

// sendArgs name the message; everything else is read when the job runs.
type sendArgs struct {
	TenantID  uuid.UUID `json:"tenant_id"`
	MessageID uuid.UUID `json:"message_id"`
}

func (sendArgs) Kind() string        { return "messaging.send" }
func (a sendArgs) Tenant() uuid.UUID { return a.TenantID }

// work is one run of a job. What becomes of the message is in its row; an error
// means that this could not be read or written, and River tries again.
func (s *Service) work(ctx context.Context, job *river.Job[sendArgs]) error {
	return s.deliver(ctx, job.Args.MessageID)
}

// deliver claims, sends and settles; more than once only when a provider could not
// be reached and there is another.
func (s *Service) deliver(ctx context.Context, message uuid.UUID) error {
	c, err := s.claim(ctx, message)
	for c != nil && err == nil {
		c, err = s.settle(ctx, c, s.hand(ctx, c))
	}
	return err
}

// hand puts the message on the wire and gives its place on the lane back.
func (s *Service) hand(ctx context.Context, c *claim) result {
	defer c.way.lane.leave()
	r := c.way.route.send(ctx, &c.out)
	c.way.lane.heard(r, s.now())
	return r
}

// settleFor is how long a result is held when the database does not take it: a
// result that is lost here makes a message in doubt although its fate was known.
const settleFor = 20 * time.Second

// settle writes the result. It outlives the job's context, because what happened
// on the wire is true whether or not the program is being stopped.
func (s *Service) settle(ctx context.Context, c *claim, r result) (*claim, error) {
	ctx = context.WithoutCancel(ctx)
	for pause := 100 * time.Millisecond; ; pause *= 2 {
		next, err := s.settleOnce(ctx, c, r)
		if errors.Is(err, errStale) {
			s.metrics.stale()
			s.log.WarnContext(ctx, "result of a stale attempt refused", "message_id", c.out.id, "attempt", c.number)
			return nil, nil
		}
		if err == nil || pause > settleFor/2 {
			return next, err
		}
		s.log.WarnContext(ctx, "write the result of a message, trying again", "message_id", c.out.id, "error", err)
		<-time.After(pause)
	}
}

// errStale means that the message is no longer this attempt's.
var errStale = errors.New("the message has moved on")

func (s *Service) settleOnce(ctx context.Context, c *claim, r result) (*claim, error) {
	if r.unreachable && !r.interrupted {
		next, err := s.fallBack(ctx, c, r)
		if next != nil || err != nil {
			return next, err
		}
	}
	v := s.policy.decide(r, standing{
		class: c.out.class, strikes: c.strikes, attempts: int(c.number), age: s.now().Sub(c.dueSince), luck: rand.Float64(), //nolint:gosec // jitter
	})
	return nil, s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := s.finish(ctx, c.out.id, c.number, r, v); err != nil {
			return err
		}
		if v.unhealthy {
			if err := s.mistrust(ctx, messagingdb.New(tx), c.provider, r.text); err != nil {
				return err
			}
		}
		if !v.suppress {
			return nil
		}
		return s.suppress(ctx, tx, &Suppression{
			Address: c.out.to, Channel: c.out.channel, Reason: HardBounce, Source: "message " + c.out.id.String(), Note: r.text,
		})
	})
}

// fallBack closes the attempt and claims the next provider in the same transaction;
// nil when there is none.
func (s *Service) fallBack(ctx context.Context, c *claim, r result) (*claim, error) {
	var next *claim
	err := s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		next = next.drop() // of a transaction that is run again
		q := messagingdb.New(tx)
		m, err := q.LockMessage(ctx, messagingdb.LockMessageParams{TenantID: tenantOf(ctx), ID: c.out.id})
		if err != nil {
			return err
		}
		if !ownsResult(m.Status, m.Attempts, c.number) {
			return errStale
		}
		next, err = s.take(ctx, q, m, c.tried)
		var full *fullError
		if isLater(err) || errors.As(err, &full) {
			return nil // the next one has no place: back into the queue
		}
		if err != nil || next == nil {
			return err
		}
		// After the claim, whose columns must stay: only the old attempt's row is closed.
		return q.CloseAttempt(ctx, messagingdb.CloseAttemptParams{
			At: new(s.micros()), Result: string(r.class), Step: string(r.step), Code: int32(r.code), Detail: shorten(r.text),
			TenantID: tenantOf(ctx), MessageID: c.out.id, Number: c.number,
		})
	})
	if err != nil {
		return next.drop(), err
	}
	return next, nil
}

// ownsResult is the fence. A message declared in doubt meanwhile still takes the
// truth from the attempt that knows it; one that was retried does not.
func ownsResult(status string, attempts, number int64) bool {
	return attempts == number && (status == Sending || status == InDoubt)
}

// finish writes the verdict on an attempt into the ledger and the record.
func (s *Service) finish(ctx context.Context, message uuid.UUID, number int64, r result, v verdict) error {
	now := s.micros()
	act := record.Act{Name: v.act, Data: map[string]any{"attempt": number}}
	_, err := s.Messages.Change(ctx, message, act, func(ctx context.Context, tx pgx.Tx, m *Message) error {
		if !ownsResult(m.Status, *m.Attempts, number) {
			return errStale
		}
		m.conclude(r, v, now)
		return messagingdb.New(tx).FinishAttempt(ctx, messagingdb.FinishAttemptParams{
			Strikes: int32(v.strikes), TenantID: tenantOf(ctx), ID: message, At: now, Result: v.attempt, Step: string(r.step), Code: int32(r.code),
			Detail: shorten(r.text), Number: number,
		})
	})
	if err != nil {
		return err
	}
	db.AfterCommit(ctx, func() { s.metrics.count(v.act) })
	if v.status == Queued {
		db.AfterCommit(ctx, s.wake)
	}
	return nil
}

// conclude is what people see of the verdict.
func (m *Message) conclude(r result, v verdict, now time.Time) {
	m.Status, m.NextAttemptAt, m.LastError = v.status, nil, ""
	switch v.status {
	case Sent:
		m.SentAt = &now
	case Queued:
		next := now.Add(v.wait)
		m.NextAttemptAt, m.LastError = &next, shorten(r.text)
	default:
		m.LastError = shorten(r.text)
	}
}

// shorten keeps what a server says from filling the page.
func shorten(s string) string {
	runes := []rune(record.CleanText(s))
	if len(runes) > 700 {
		runes = append(runes[:699], '…')
	}
	return string(runes)
}
