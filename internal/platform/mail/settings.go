package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"
)

// TLSMode is how the connection is protected.
type TLSMode string

// The modes, named as in provider settings.
const (
	TLSNone     TLSMode = "none"
	TLSStart    TLSMode = "starttls" // usual on port 587; refused when the server does not offer it
	TLSImplicit TLSMode = "tls"      // usual on port 465
)

// Settings describes one SMTP route. Host, Port and Dial are required; zero values of the rest mean the default.
type Settings struct {
	Host     string
	Port     int
	TLS      TLSMode // default starttls
	Username string  // empty = no sign-in
	Password string
	From     string // sender address that Test tries; empty = Test stops after sign-in
	Hello    string // name in EHLO; default localhost

	MaxConns    int           // connections at the same time; default 10
	MaxMessages int           // messages per connection, many servers hang up after some hundred; default 500
	IdleTimeout time.Duration // close connections unused for so long; default 30 s
	HealthAfter time.Duration // check connections unused for so long before use; default 5 s

	ConnectTimeout time.Duration // name resolution and TCP; default 10 s
	StepTimeout    time.Duration // each command and its answer; default 30 s
	BodyTimeout    time.Duration // writing the message; default 3 min
	AnswerTimeout  time.Duration // answer to the final dot; default 2 min: each one given up is a message in doubt
	AnswerGrace    time.Duration // wait for that answer after the context was cancelled; default 5 s

	Dial      func(ctx context.Context, network, addr string) (net.Conn, error) // in production Egress.DialContext
	TLSConfig *tls.Config                                                       // base for tests; default verifies Host against the system's roots
	Now       func() time.Time                                                  // default time.Now
}

// String leaves the password out, also from %v.
func (c Settings) String() string {
	return fmt.Sprintf("smtp %s tls=%s user=%t", c.addr(), c.TLS, c.Username != "")
}

// LogValue leaves the password and user name out of structured logs.
func (c Settings) LogValue() slog.Value {
	return slog.GroupValue(slog.String("host", c.Host), slog.Int("port", c.Port), slog.String("tls", string(c.TLS)))
}

func (c Settings) addr() string { return net.JoinHostPort(c.Host, strconv.Itoa(c.Port)) }

// completed checks what a person may have typed wrong and fills in defaults.
func (c Settings) completed() (Settings, error) {
	if c.Dial == nil {
		return c, errors.New("smtp settings: no dial function")
	}
	if c.Host == "" || strings.ContainsAny(c.Host, " \t\r\n/@") {
		return c, errors.New("smtp settings: the host must be a name such as smtp.example.com, without scheme and path")
	}
	if c.Port < 1 || c.Port > 65535 {
		return c, errors.New("smtp settings: the port must be from 1 to 65535, usually 587 or 465")
	}
	c.TLS = or(c.TLS, TLSStart)
	if c.TLS != TLSNone && c.TLS != TLSStart && c.TLS != TLSImplicit {
		return c, fmt.Errorf("smtp settings: tls is %q; choose none, starttls or tls", c.TLS)
	}
	c.Hello = or(c.Hello, "localhost")
	if _, err := asciiDomain(c.Hello); err != nil {
		return c, errors.New("smtp settings: the name for the greeting must be a host name")
	}
	if c.From != "" {
		from, err := NormalAddress(c.From)
		if err != nil {
			return c, fmt.Errorf("smtp settings: from: %w", err)
		}
		c.From = from
	}
	c.MaxConns = or(c.MaxConns, 10)
	c.MaxMessages = or(c.MaxMessages, 500)
	c.IdleTimeout = or(c.IdleTimeout, 30*time.Second)
	c.HealthAfter = or(c.HealthAfter, 5*time.Second)
	c.ConnectTimeout = or(c.ConnectTimeout, 10*time.Second)
	c.StepTimeout = or(c.StepTimeout, 30*time.Second)
	c.BodyTimeout = or(c.BodyTimeout, 3*time.Minute)
	c.AnswerTimeout = or(c.AnswerTimeout, 2*time.Minute)
	c.AnswerGrace = or(c.AnswerGrace, 5*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

func (c Settings) tlsConfig() *tls.Config {
	out := &tls.Config{}
	if c.TLSConfig != nil {
		out = c.TLSConfig.Clone()
	}
	out.MinVersion = max(out.MinVersion, tls.VersionTLS12)
	if out.ServerName == "" {
		out.ServerName = c.Host
	}
	return out
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
