package messaging

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/messaging/internal/messagingdb"
	"crm/internal/platform/mail"
	"crm/internal/record"
)

// claim is a message that this worker may put on the wire once.
type claim struct {
	out      outgoing
	number   int64 // of the attempt: the fence for its result
	provider *messagingdb.Provider
	way      openRoute
	strikes  int
	dueSince time.Time
	tried    []uuid.UUID // providers that could not be reached in this run
}

// claim takes a due message, or returns nil when there is nothing to do: it went
// out meanwhile, was cancelled, is suppressed, or has no way out. While the way to
// the provider is full it waits a moment; an error that isLater puts the job off.
func (s *Service) claim(ctx context.Context, message uuid.UUID) (*claim, error) {
	patience := time.NewTimer(laneWait)
	defer patience.Stop()
	for {
		c, err := s.tryClaim(ctx, message)
		var full *fullError
		if !errors.As(err, &full) {
			return c, err
		}
		select {
		case <-full.lane.freed:
		case <-ctx.Done():
			return nil, laterError(0)
		case <-patience.C:
			full.lane.rest(s.now())
			return nil, laterError(laneRest)
		}
	}
}

func (s *Service) tryClaim(ctx context.Context, message uuid.UUID) (*claim, error) {
	var c *claim
	err := s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		c = c.drop() // of a transaction that is run again
		q := messagingdb.New(tx)
		m, err := q.LockMessage(ctx, messagingdb.LockMessageParams{TenantID: tenantOf(ctx), ID: message})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		now := s.micros()
		if !isDue(m, now) {
			return tooEarly(m, now)
		}
		held, err := s.heldBack(ctx, m)
		if err != nil {
			return err
		}
		if held != "" {
			return s.end(ctx, m.ID, Suppressed, held)
		}
		c, err = s.take(ctx, q, m, nil)
		if err == nil && c == nil {
			c, err = s.park(ctx, q, m)
		}
		if c != nil {
			s.metrics.wait(now.Sub(*m.NextAttemptAt))
		}
		return err
	})
	if err != nil {
		return c.drop(), err
	}
	return c, nil
}

// drop gives the place on the lane back when the claim did not come about.
func (c *claim) drop() *claim {
	if c != nil {
		c.way.lane.leave()
	}
	return nil
}

// tooEarly puts off a job whose message is not due by this machine's clock, though
// it was by the clock of the machine that made the job.
func tooEarly(m *messagingdb.LockMessageRow, now time.Time) error {
	waits := (m.Status == Queued || m.Status == Scheduled) && m.DeletedAt == nil && m.NextAttemptAt != nil
	if !waits || m.DispatchedAt == nil {
		return nil
	}
	return laterError(m.NextAttemptAt.Sub(now))
}

func isDue(m *messagingdb.LockMessageRow, now time.Time) bool {
	return (m.Status == Queued || m.Status == Scheduled) && m.DeletedAt == nil && m.NextAttemptAt != nil && !m.NextAttemptAt.After(now)
}

// heldBack looks once more, right before the wire, whether the recipient wants no
// mail.
func (s *Service) heldBack(ctx context.Context, m *messagingdb.LockMessageRow) (string, error) {
	if holdsBack(m.Suppressed, m.Class) {
		return suppressedBecause[m.Suppressed], nil
	}
	contacts, known := s.k.Object("contact")
	if m.Class != Marketing || m.ContactID == nil || !known {
		return "", nil
	}
	rec, err := contacts.Get(record.Whole(ctx), *m.ContactID)
	if hidden(err) {
		return "", nil
	}
	if err == nil && leaveAlone(rec) {
		return "This person asked not to be contacted.", nil
	}
	return "", err
}

// end closes a message that will not go out.
func (s *Service) end(ctx context.Context, message uuid.UUID, status, why string) error {
	_, err := s.Messages.Change(ctx, message, record.Act{Name: status}, func(_ context.Context, _ pgx.Tx, m *Message) error {
		m.Status, m.LastError, m.NextAttemptAt = status, why, nil
		return nil
	})
	return err
}

// take claims the message for the first provider that was not tried and can be
// reached, as far as is known; nil when there is none left. A provider that is busy
// is waited for: going on to the next is for those that are down.
func (s *Service) take(ctx context.Context, q *messagingdb.Queries, m *messagingdb.LockMessageRow, tried []uuid.UUID) (*claim, error) {
	ways, err := q.Routes(ctx, messagingdb.RoutesParams{TenantID: tenantOf(ctx), Channel: m.Channel})
	if err != nil {
		return nil, err
	}
	var down time.Duration
	for _, p := range ways {
		if slices.Contains(tried, p.ID) {
			continue
		}
		way, err := s.routes.get(s, p)
		if err != nil {
			if err := s.mistrust(ctx, q, p, sentenceOf(err)+"."); err != nil {
				return nil, err
			}
			continue
		}
		switch gate, wait := way.lane.enter(s.now()); gate {
		case gateOpen:
			return s.claimFor(ctx, q, m, p, way, tried)
		case gateFull:
			return nil, &fullError{way.lane}
		case gatePaused:
			return nil, laterError(wait)
		case gateDown:
			if down == 0 || wait < down {
				down = wait
			}
		}
	}
	if down > 0 {
		return nil, laterError(down)
	}
	return nil, nil
}

// claimFor writes the claim; the place on the lane is taken already.
func (s *Service) claimFor(ctx context.Context, q *messagingdb.Queries, m *messagingdb.LockMessageRow, p *messagingdb.Provider, way openRoute, tried []uuid.UUID) (*claim, error) {
	now := s.micros()
	c := &claim{provider: p, way: way, strikes: int(m.Strikes), dueSince: m.DueSince, tried: append(slices.Clone(tried), p.ID)}
	row, err := q.Claim(ctx, messagingdb.ClaimParams{
		ProviderID: p.ID, NewMessageID: mail.NewMessageID(s.idDomain(p)), At: now, Worker: s.worker, TenantID: tenantOf(ctx), ID: m.ID,
	})
	if err != nil {
		return c.drop(), err
	}
	c.number = row.Attempts
	c.out = outgoing{
		id: m.ID, key: m.SendKey, channel: m.Channel, class: m.Class, to: m.ToAddress, subject: deref(m.Subject),
		html: deref(m.BodyHtml), text: deref(m.BodyText), messageID: row.MessageID, at: now,
	}
	if err := s.fillLink(ctx, q, &c.out); err != nil {
		return c.drop(), err
	}
	return c, nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// idDomain is the domain of the Message-ID: the sender's, else the installation's.
func (s *Service) idDomain(p *messagingdb.Provider) string {
	from, _ := plainSettings(p)["from"].(string)
	if a, err := fromAddress(from); err == nil {
		return a.Email[strings.LastIndexByte(a.Email, '@')+1:]
	}
	_, rest, _ := strings.Cut(s.baseURL, "://")
	host, _, _ := strings.Cut(rest, "/")
	host, _, _ = strings.Cut(host, ":")
	if host == "" {
		host = "localhost"
	}
	return host
}

// park lets a message wait for a provider. The lock is taken by whoever adds one,
// so a provider added at this moment is either seen here or sees the message.
func (s *Service) park(ctx context.Context, q *messagingdb.Queries, m *messagingdb.LockMessageRow) (*claim, error) {
	if err := q.Lock(ctx, waitingLock(tenantOf(ctx))); err != nil {
		return nil, err
	}
	if c, err := s.take(ctx, q, m, nil); c != nil || err != nil {
		return c, err
	}
	all, err := q.Providers(ctx, tenantOf(ctx))
	if err != nil {
		return nil, err
	}
	why := fmt.Sprintf("No provider for %s. Add one in Settings → Providers.", m.Channel)
	if slices.ContainsFunc(all, func(p *messagingdb.Provider) bool { return p.Channel == m.Channel }) {
		why = fmt.Sprintf("No provider for %s works. Repair or test one in Settings → Providers.", m.Channel)
	}
	_, err = s.Messages.Change(ctx, m.ID, record.Act{Name: "waiting"}, func(_ context.Context, _ pgx.Tx, m *Message) error {
		m.Status, m.LastError, m.NextAttemptAt = Queued, why, nil
		return nil
	})
	return nil, err
}

// mistrust takes a provider out until a person has looked at it.
func (s *Service) mistrust(ctx context.Context, q *messagingdb.Queries, p *messagingdb.Provider, why string) error {
	now := s.micros()
	n, err := q.SetProviderState(ctx, messagingdb.SetProviderStateParams{
		State: Unhealthy, LastError: why, CheckedAt: &now, TenantID: p.TenantID, ID: p.ID, Version: p.Version,
	})
	if err != nil || n == 0 {
		return err
	}
	s.log.WarnContext(ctx, "message provider taken out", "tenant_id", p.TenantID, "provider_id", p.ID)
	return s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := s.k.Emit(ctx, tx, providerObject, p.ID, Unhealthy, map[string]any{"name": p.Name, "reason": why})
		return err
	})
}
