package smtptest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log" //nolint:depguard // the server library wants a *log.Logger
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// TLSMode says how the sink encrypts. The zero value is plain text.
type TLSMode string

// Modes of encryption; the certificate is made at start, see [Sink.CertPool].
const (
	Plain    TLSMode = ""
	StartTLS TLSMode = "starttls"
	Implicit TLSMode = "tls"
)

// Options configure a sink. The zero value listens on a free loopback port in plain text, needs no sign-in and keeps
// everything.
type Options struct {
	Addr       string // default 127.0.0.1:0
	TLS        TLSMode
	Users      map[string]string // name -> password; when set, sign-in is required
	Mechanisms []string          // default PLAIN and LOGIN when Users is set
	MaxBytes   int64             // announced and enforced message size; 0 = unlimited
	Delay      time.Duration     // before the answer to every final dot
	DropRaw    bool              // keep the envelopes but not the messages: for runs of 100,000 and more
}

// Envelope is one accepted message.
type Envelope struct {
	From      string    `json:"from"`
	Rcpt      []string  `json:"rcpt"`
	MessageID string    `json:"message_id"` // without angle brackets
	Subject   string    `json:"subject"`    // decoded
	Raw       []byte    `json:"-"`          // as received, dot-unstuffed; nil with DropRaw
	Size      int       `json:"size"`       // bytes
	At        time.Time `json:"at"`         // when the final dot was read
	Answered  bool      `json:"answered"`   // false: accepted, but the client was left without an answer
	Conn      int       `json:"conn"`       // number of the connection, from 1
}

// Stats sums up what a sink accepted. Duplicates counts deliveries beyond the first per recipient address.
type Stats struct {
	Messages    int       `json:"messages"`
	Recipients  int       `json:"recipients"`
	Duplicates  int       `json:"duplicates"`
	Unanswered  int       `json:"unanswered"`
	Refused     int       `json:"refused"` // commands refused by rules
	Connections int       `json:"connections"`
	First       time.Time `json:"first"`
	Last        time.Time `json:"last"`
}

// Sink is a running server. All methods are safe for concurrent use.
type Sink struct {
	opts   Options
	server *smtp.Server
	addr   string
	cert   *tls.Certificate
	closed chan struct{}
	once   sync.Once

	mu        sync.Mutex
	envelopes []Envelope
	perRcpt   map[string]int
	stats     Stats
	rules     []*activeRule
	release   chan struct{} // closed by Release to free hanging answers
	changed   chan struct{} // closed and replaced when something was accepted while somebody waits
	waiting   int
}

// TB is what [Start] needs of *testing.T or *testing.B.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Start runs a sink for the length of a test; a sink that cannot start fails the test.
func Start(t TB, opts ...Options) *Sink {
	t.Helper()
	var o Options
	if len(opts) > 0 {
		o = opts[0]
	}
	s, err := Listen(o)
	if err != nil {
		t.Fatalf("start smtp sink: %v", err)
		return nil
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Listen runs a sink until Close.
func Listen(opts Options) (*Sink, error) {
	if opts.Addr == "" {
		opts.Addr = "127.0.0.1:0"
	}
	s := &Sink{opts: opts, closed: make(chan struct{})}
	s.Reset()
	if opts.TLS != Plain {
		cert, err := selfSigned()
		if err != nil {
			return nil, err
		}
		s.cert = cert
	}
	listener, err := net.Listen("tcp", opts.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen for smtp: %w", err)
	}
	s.addr = listener.Addr().String()
	s.server = s.newServer()
	if opts.TLS == Implicit {
		listener = tls.NewListener(listener, s.tlsConfig())
	}
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

func (s *Sink) newServer() *smtp.Server {
	server := smtp.NewServer(smtp.BackendFunc(s.newSession))
	server.Domain = "sink.test"
	server.AllowInsecureAuth = true
	server.EnableSMTPUTF8 = true
	server.MaxMessageBytes = s.opts.MaxBytes
	server.ErrorLog = log.New(io.Discard, "", 0)
	if s.opts.TLS == StartTLS {
		server.TLSConfig = s.tlsConfig()
	}
	return server
}

// Addr is host:port of the listener.
func (s *Sink) Addr() string { return s.addr }

// HostPort is Addr in two parts, the way provider settings want it.
func (s *Sink) HostPort() (string, int) {
	host, port, _ := net.SplitHostPort(s.addr)
	n, _ := strconv.Atoi(port)
	return host, n
}

// CertPool trusts the sink's own certificate; nil without TLS.
func (s *Sink) CertPool() *x509.CertPool {
	if s.cert == nil {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AddCert(s.cert.Leaf)
	return pool
}

// Close stops listening and cuts all connections, hanging ones included.
func (s *Sink) Close() error {
	var err error
	s.once.Do(func() {
		close(s.closed)
		err = s.server.Close()
	})
	return err
}

// Reset forgets all envelopes, counts and rules; connections stay open.
func (s *Sink) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.envelopes, s.rules = nil, nil
	s.perRcpt = map[string]int{}
	s.stats = Stats{}
	if s.changed == nil {
		s.changed = make(chan struct{})
		s.release = make(chan struct{})
	}
}

// Envelopes returns a copy of what was accepted, in order of arrival.
func (s *Sink) Envelopes() []Envelope {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Envelope(nil), s.envelopes...)
}

// Count tells how many messages were accepted for one recipient address (compared in lower case).
func (s *Sink) Count(rcpt string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.perRcpt[fold(rcpt)]
}

// Recipients returns a copy of the count per recipient, addresses in lower case.
func (s *Sink) Recipients() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make(map[string]int, len(s.perRcpt))
	for rcpt, n := range s.perRcpt {
		counts[rcpt] = n
	}
	return counts
}

// Stats returns the sums so far.
func (s *Sink) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Wait returns once at least n messages were accepted, or with the error of ctx and how many there were.
func (s *Sink) Wait(ctx context.Context, n int) error {
	s.mu.Lock()
	s.waiting++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.waiting--
		s.mu.Unlock()
	}()
	for {
		s.mu.Lock()
		have, changed := s.stats.Messages, s.changed
		s.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-changed:
		case <-s.closed:
			return errors.New("wait for messages: the sink was closed")
		case <-ctx.Done():
			return fmt.Errorf("wait for %d messages, have %d: %w", n, have, ctx.Err())
		}
	}
}

// record counts one accepted message and wakes those who wait.
func (s *Sink) record(e Envelope) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.envelopes = append(s.envelopes, e)
	for _, rcpt := range e.Rcpt {
		key := fold(rcpt)
		if s.perRcpt[key] > 0 {
			s.stats.Duplicates++
		}
		s.perRcpt[key]++
	}
	s.stats.Messages++
	s.stats.Recipients = len(s.perRcpt)
	if !e.Answered {
		s.stats.Unanswered++
	}
	if s.stats.First.IsZero() {
		s.stats.First = e.At
	}
	s.stats.Last = e.At
	if s.waiting > 0 {
		close(s.changed)
		s.changed = make(chan struct{})
	}
}
