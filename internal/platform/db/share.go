package db

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"crm/internal/platform/errs"
)

// acquireWait is the longest anybody waits for a connection. Whoever waits longer is
// one of too many: told so, he can come back, and those who wait are not ever more.
const acquireWait = 5 * time.Second

// sharePercent is how much of the pool one tenant may hold at once. The rest is for
// the other tenants, signing in, jobs and health, however many slow lists one asks for.
const sharePercent = 60

// shares counts the connections of each tenant, so that one cannot take them all.
type shares struct {
	limit int

	mu   sync.Mutex
	gate map[uuid.UUID]*gate
}

// gate is one tenant's share. It exists as long as somebody holds or waits.
type gate struct {
	users int // those who hold and those who wait
	slots chan struct{}
}

// newShares leaves at least two: who reads a snapshot tells of its progress meanwhile.
func newShares(conns int) *shares {
	return &shares{limit: max(2, conns*sharePercent/100), gate: map[uuid.UUID]*gate{}}
}

func (s *shares) enter(tenant uuid.UUID) *gate {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.gate[tenant]
	if g == nil {
		g = &gate{slots: make(chan struct{}, s.limit)}
		s.gate[tenant] = g
	}
	g.users++
	return g
}

func (s *shares) leave(tenant uuid.UUID, g *gate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.users--; g.users == 0 {
		delete(s.gate, tenant)
	}
}

// take waits for a place in the tenant's share until ctx ends.
func (s *shares) take(ctx context.Context, tenant uuid.UUID) (*gate, error) {
	g := s.enter(tenant)
	select {
	case g.slots <- struct{}{}:
		return g, nil
	default:
	}
	select {
	case g.slots <- struct{}{}:
		return g, nil
	case <-ctx.Done():
		s.leave(tenant, g)
		return nil, ctx.Err()
	}
}

func (s *shares) give(tenant uuid.UUID, g *gate) {
	<-g.slots
	s.leave(tenant, g)
}

// with lends a connection to fn, on the tenant's share, or on nobody's for uuid.Nil.
func (d *DB) with(ctx context.Context, tenant uuid.UUID, fn func(*pgxpool.Conn) error) error {
	wait, cancel := context.WithTimeout(ctx, acquireWait)
	defer cancel()
	if tenant != uuid.Nil {
		g, err := d.shares.take(wait, tenant)
		if err != nil {
			return d.tooBusy(ctx, err, "tenant_busy", "This workspace asks for more at once than its share of the database. Wait as long as Retry-After says, and ask for less at a time.")
		}
		defer d.shares.give(tenant, g)
	}
	conn, err := d.pool.Acquire(wait)
	if err != nil {
		return d.tooBusy(ctx, err, "database_busy", "The database has more to do than it can. Try again in a few seconds.")
	}
	defer conn.Release()
	return fn(conn)
}

// tooBusy is the answer to whoever waited in vain; a caller who left and a database
// that is away are something else.
func (d *DB) tooBusy(ctx context.Context, err error, code, message string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	d.count.refused.WithLabelValues(code).Inc()
	e := errs.Wrap(err, errs.Unavailable, code, "%s", message)
	e.RetryAfter = 2 * time.Second
	return e
}
