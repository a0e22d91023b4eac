package mail

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errClosed is the cause when a closed Sender is used.
var errClosed = errors.New("the sender was closed")

// Receipt is the server's word that it took over responsibility for a message.
type Receipt struct {
	Code     int       // 250
	Enhanced string    // "2.0.0" or empty
	Text     string    // often holds the server's queue id; printable, at most 500 bytes
	At       time.Time // UTC
}

// Sender sends over a pool of open connections to one server. It is safe for concurrent use; one per route and
// configuration, closed when the configuration changes.
type Sender struct {
	cfg   Settings
	slots chan struct{} // one token per connection in use

	mu     sync.Mutex
	idle   []*conn // most recently used last
	reaper *time.Timer
	closed bool
}

// NewSender checks the settings; errors are sentences for the person who entered them. It does not connect.
func NewSender(cfg Settings) (*Sender, error) {
	cfg, err := cfg.completed()
	if err != nil {
		return nil, err
	}
	return &Sender{cfg: cfg, slots: make(chan struct{}, cfg.MaxConns)}, nil
}

// Send hands raw (RFC 5322, see [Message.Bytes]) to the server for one recipient. from may be empty for a bounce.
// It waits for a free connection when MaxConns are busy. A nil error means accepted; every other is a [*SendError].
//
// A pooled connection that turns out to be closed is replaced once within the call; nothing had been handed over.
func (s *Sender) Send(ctx context.Context, from, rcpt string, raw []byte) (Receipt, error) {
	from, rcpt, err := envelope(from, rcpt)
	if err != nil {
		return Receipt{}, err
	}
	if err := s.take(ctx); err != nil {
		return Receipt{}, err
	}
	defer func() { <-s.slots }()
	c, err := s.connection(ctx)
	if err != nil {
		return Receipt{}, err
	}
	reused := c.sent > 0
	receipt, heard, err := c.transact(ctx, from, rcpt, raw)
	if reused && ctx.Err() == nil && hungUp(err, heard) {
		c.close()
		if c, err = open(ctx, &s.cfg); err != nil {
			return Receipt{}, err
		}
		receipt, _, err = c.transact(ctx, from, rcpt, raw)
	}
	s.put(c)
	return receipt, err
}

// Test connects afresh, secures, signs in and, when Settings.From is set, asks whether that sender is accepted. No
// message is sent. The Step of the error is the one that failed.
func (s *Sender) Test(ctx context.Context) error {
	c, err := open(ctx, &s.cfg)
	if err != nil {
		return err
	}
	defer c.close()
	stop := c.watch(ctx)
	defer stop()
	if s.cfg.From == "" {
		return nil
	}
	r, err := c.command(StepMail, "MAIL FROM:<"+s.cfg.From+">")
	if err != nil {
		return withCause(ctx, err)
	}
	if !r.ok() {
		return refusal(StepMail, r)
	}
	return nil
}

// Stats tells how many connections are in use and how many wait for use.
func (s *Sender) Stats() (busy, idle int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.slots), len(s.idle)
}

// Close ends idle connections now and busy ones after their message. Sends that begin later fail.
func (s *Sender) Close() error {
	s.mu.Lock()
	idle := s.idle
	s.idle, s.closed = nil, true
	if s.reaper != nil {
		s.reaper.Stop()
	}
	s.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
	return nil
}

// envelope checks both addresses before anything is sent. A bad recipient is the recipient's fault, a bad sender ours.
func envelope(from, rcpt string) (string, string, error) {
	to, err := NormalAddress(rcpt)
	if err != nil {
		return "", "", &SendError{Step: StepAddress, Class: Permanent, Err: err}
	}
	if from == "" {
		return "", to, nil
	}
	sender, err := NormalAddress(from)
	if err != nil {
		return "", "", &SendError{Step: StepAddress, Class: Config, Err: err}
	}
	return sender, to, nil
}

// hungUp tells whether the server had closed a pooled connection before or while this message was announced.
func hungUp(err error, heard bool) bool {
	var failed *SendError
	if err == nil || !errors.As(err, &failed) {
		return false
	}
	switch failed.Step {
	case StepReset:
		return true
	case StepMail, StepRcpt, StepData:
		return !heard || failed.Code == 421
	}
	return false
}

func (s *Sender) take(ctx context.Context) error {
	select {
	case s.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case s.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return broken(StepPool, context.Cause(ctx))
	}
}

// connection takes the most recently used idle connection that still lives, or opens one.
func (s *Sender) connection(ctx context.Context) (*conn, error) {
	for {
		c, err := s.pop()
		if err != nil {
			return nil, err
		}
		if c == nil {
			return open(ctx, &s.cfg)
		}
		rested := s.cfg.Now().Sub(c.used)
		if rested < s.cfg.HealthAfter || rested < s.cfg.IdleTimeout && c.alive(ctx) {
			return c, nil
		}
		c.close()
	}
}

func (s *Sender) pop() (*conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, broken(StepPool, errClosed)
	}
	if len(s.idle) == 0 {
		return nil, nil
	}
	c := s.idle[len(s.idle)-1]
	s.idle = s.idle[:len(s.idle)-1]
	return c, nil
}

// put gives a connection back or ends it.
func (s *Sender) put(c *conn) {
	if c.broken || c.sent >= s.cfg.MaxMessages || !s.keep(c) {
		c.close()
	}
}

func (s *Sender) keep(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	c.used = s.cfg.Now()
	s.idle = append(s.idle, c)
	if s.reaper == nil {
		s.reaper = time.AfterFunc(s.cfg.IdleTimeout, s.reap)
	}
	return true
}

// reap closes what rested too long, so that a quiet route holds no sockets, and runs again while any are left.
func (s *Sender) reap() {
	limit := s.cfg.Now().Add(-s.cfg.IdleTimeout)
	s.mu.Lock()
	n := 0
	for n < len(s.idle) && !s.idle[n].used.After(limit) {
		n++
	}
	old := append([]*conn(nil), s.idle[:n]...)
	s.idle = append(s.idle[:0], s.idle[n:]...)
	s.reaper = nil
	if len(s.idle) > 0 && !s.closed {
		s.reaper = time.AfterFunc(s.cfg.IdleTimeout, s.reap)
	}
	s.mu.Unlock()
	for _, c := range old {
		c.close()
	}
}
