package mail

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// conn is one signed-in SMTP connection. One goroutine uses it at a time; only interrupt may come from another.
type conn struct {
	cfg  *Settings
	net  net.Conn
	r    *bufio.Reader
	ext  map[string]string // extension in upper case -> parameters
	tls  bool
	used time.Time // last successful use
	sent int       // transactions so far

	dirty  bool // a transaction was begun and not finished: needs RSET
	broken bool // must not be used again

	mu         sync.Mutex // guards the fields below and setting deadlines
	use        int        // number of the use in progress
	cancelled  bool
	terminated bool // the final dot was handed to the kernel
	graceUntil time.Time
}

// open dials, greets, secures and signs in. The connection is closed when any of it fails.
func open(ctx context.Context, cfg *Settings) (*conn, error) {
	dialCtx, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout)
	defer cancel()
	nc, err := cfg.Dial(dialCtx, "tcp", cfg.addr())
	if err != nil {
		return nil, broken(StepConnect, err)
	}
	c := &conn{cfg: cfg, net: nc, r: bufio.NewReaderSize(nc, readBuffer)}
	stop := c.watch(ctx)
	defer stop()
	if err := c.establish(ctx); err != nil {
		nc.Close()
		return nil, withCause(ctx, err)
	}
	c.used = cfg.Now()
	return c, nil
}

func (c *conn) establish(ctx context.Context) error {
	if c.cfg.TLS == TLSImplicit {
		if err := c.secure(ctx); err != nil {
			return err
		}
	}
	if _, err := c.expect(StepGreeting, 220); err != nil {
		return err
	}
	if err := c.hello(); err != nil {
		return err
	}
	if c.cfg.TLS == TLSStart {
		if err := c.startTLS(ctx); err != nil {
			return err
		}
	}
	if c.cfg.Username == "" {
		return nil
	}
	return c.auth()
}

// hello learns the extensions; servers that know only HELO get along without any.
func (c *conn) hello() error {
	r, err := c.command(StepHello, "EHLO "+c.cfg.Hello)
	if err != nil {
		return err
	}
	c.ext = map[string]string{}
	if r.code == 500 || r.code == 502 {
		r, err = c.command(StepHello, "HELO "+c.cfg.Hello)
		if err != nil {
			return err
		}
	}
	if !r.ok() {
		return refusal(StepHello, r)
	}
	for _, line := range r.lines {
		// "AUTH=PLAIN" is how some servers before RFC 2554 wrote it.
		line = strings.Replace(strings.ToUpper(line), "AUTH=", "AUTH ", 1)
		name, params, _ := strings.Cut(strings.TrimSpace(line), " ")
		c.ext[name] = strings.TrimSpace(c.ext[name] + " " + params)
	}
	return nil
}

func (c *conn) startTLS(ctx context.Context) error {
	if _, offered := c.ext["STARTTLS"]; !offered {
		return misconfigured(StepStartTLS, "the server does not offer STARTTLS; choose tls or none, or another port (587, 465)")
	}
	r, err := c.command(StepStartTLS, "STARTTLS")
	if err != nil {
		return err
	}
	if !r.ok() {
		return refusal(StepStartTLS, r)
	}
	// Bytes that came along before the handshake were not protected by it; taking them for answers later is the known
	// command injection.
	if c.r.Buffered() > 0 {
		return misconfigured(StepStartTLS, "the server sent data before encryption began; somebody may be tampering with the connection")
	}
	if err := c.secure(ctx); err != nil {
		return err
	}
	return c.hello()
}

func (c *conn) secure(ctx context.Context) error {
	c.deadline(c.cfg.StepTimeout)
	client := tls.Client(c.net, c.cfg.tlsConfig())
	if err := client.HandshakeContext(ctx); err != nil {
		return broken(StepTLS, err)
	}
	c.mu.Lock()
	c.net, c.tls = client, true
	c.mu.Unlock()
	c.r.Reset(client)
	return nil
}

// command writes one line and reads its answer.
func (c *conn) command(step Step, line string) (reply, error) {
	if err := c.write(step, []byte(line+"\r\n")); err != nil {
		return reply{}, err
	}
	return c.read(step, c.cfg.StepTimeout)
}

func (c *conn) write(step Step, p []byte) error {
	c.deadline(c.cfg.StepTimeout)
	if _, err := c.net.Write(p); err != nil {
		c.broken = true
		return broken(step, err)
	}
	return nil
}

func (c *conn) read(step Step, timeout time.Duration) (reply, error) {
	c.deadline(timeout)
	r, err := readReply(c.r)
	if err != nil {
		c.broken = true
		return reply{}, broken(step, err)
	}
	if r.code == 421 {
		c.broken = true // the server is about to hang up
	}
	return r, nil
}

func (c *conn) expect(step Step, code int) (reply, error) {
	r, err := c.read(step, c.cfg.StepTimeout)
	if err != nil {
		return r, err
	}
	if r.code != code {
		return r, refusal(step, r)
	}
	return r, nil
}

// alive checks a connection that rested: servers hang up on idle clients, often without a word.
func (c *conn) alive(ctx context.Context) bool {
	stop := c.watch(ctx)
	defer stop()
	r, err := c.command(StepReset, "NOOP")
	return err == nil && r.ok() && !c.broken
}

// close says goodbye when the line is still good, without waiting long for the answer.
func (c *conn) close() {
	if !c.broken {
		_ = c.net.SetDeadline(time.Now().Add(time.Second))
		_, _ = c.net.Write([]byte("QUIT\r\n"))
	}
	_ = c.net.Close()
}

// watch begins a new use of the connection and makes ctx end whatever read or write is in progress. A cancellation that
// arrives after stop belongs to a finished use and is ignored: the connection may already serve somebody else.
func (c *conn) watch(ctx context.Context) (stop func()) {
	c.mu.Lock()
	c.use++
	use := c.use
	c.cancelled, c.terminated = false, false
	c.mu.Unlock()
	cancel := context.AfterFunc(ctx, func() { c.interrupt(use) })
	return func() {
		cancel()
		c.mu.Lock()
		c.use++
		c.mu.Unlock()
	}
}

// interrupt ends the use at once before the final dot; after it the answer still gets a grace period.
func (c *conn) interrupt(use int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if use != c.use {
		return
	}
	c.cancelled = true
	c.graceUntil = time.Now().Add(c.cfg.AnswerGrace)
	if c.terminated {
		_ = c.net.SetDeadline(c.graceUntil)
		return
	}
	_ = c.net.SetDeadline(time.Unix(1, 0))
}

// deadline bounds the next read or write, never beyond what a cancellation allows.
func (c *conn) deadline(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := time.Now().Add(d)
	if c.cancelled && !c.terminated {
		at = time.Unix(1, 0)
	}
	if c.cancelled && c.terminated && c.graceUntil.Before(at) {
		at = c.graceUntil
	}
	_ = c.net.SetDeadline(at)
}

func (c *conn) markTerminated() {
	c.mu.Lock()
	c.terminated = true
	c.mu.Unlock()
}

// maxSize is the largest message the server announced, 0 when it announced none.
func (c *conn) maxSize() int {
	n, err := strconv.Atoi(c.ext["SIZE"])
	if err != nil {
		return 0
	}
	return n
}

func (c *conn) has(extension string) bool {
	_, ok := c.ext[extension]
	return ok
}

// withCause names the context when it was what ended a step, since "i/o timeout" would mislead.
func withCause(ctx context.Context, err error) error {
	var failed *SendError
	if ctx.Err() != nil && errors.As(err, &failed) && failed.Code == 0 {
		failed.Err = context.Cause(ctx)
	}
	return err
}
