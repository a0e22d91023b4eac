package smtptest

import (
	"bufio"
	"bytes"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"net"
	"net/textproto"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

var errCut = errors.New("connection cut by script")

// session is one client connection; the server library calls it from one goroutine.
type session struct {
	sink   *Sink
	conn   *smtp.Conn
	number int
	signed bool
	from   string
	rcpt   []string
}

func (s *Sink) newSession(c *smtp.Conn) (smtp.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Connections++
	return &session{sink: s, conn: c, number: s.stats.Connections, signed: len(s.opts.Users) == 0}, nil
}

func (c *session) Reset()        { c.from, c.rcpt = "", nil }
func (c *session) Logout() error { return nil }

func (c *session) Mail(from string, _ *smtp.MailOptions) error {
	if !c.signed {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	}
	c.from = from
	return c.play(AtMail)
}

func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := c.play(AtRcpt, to); err != nil {
		return err
	}
	c.rcpt = append(c.rcpt, to)
	return nil
}

func (c *session) Data(r io.Reader) error {
	if err := c.play(AtBody, c.rcpt...); err != nil {
		return err
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	e := c.envelope(raw)
	if c.sink.opts.Delay > 0 {
		c.sink.pause(c.sink.opts.Delay)
	}
	rule, release, ok := c.sink.match(AtDot, c.rcpt...)
	if !ok {
		c.sink.record(e)
		return nil
	}
	e.Answered = !rule.Reset && !rule.Hang
	if rule.Code < 400 {
		c.sink.record(e)
	}
	return c.act(rule, release)
}

// play runs the rule for a moment, if there is one.
func (c *session) play(at Point, rcpts ...string) error {
	rule, release, ok := c.sink.match(at, rcpts...)
	if !ok {
		return nil
	}
	return c.act(rule, release)
}

func (c *session) act(rule Rule, release chan struct{}) error {
	c.sink.pause(rule.Delay)
	if rule.Hang {
		select {
		case <-release:
		case <-c.sink.closed:
			return errCut
		}
	}
	if rule.Reset {
		c.cut()
		return errCut
	}
	return rule.answer()
}

// cut ends the connection with RST instead of FIN, the way a crashed host does.
func (c *session) cut() {
	conn := c.conn.Conn()
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	if t, ok := conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = conn.Close()
}

// pause waits, but not beyond the life of the sink.
func (s *Sink) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.closed:
	}
}

func (c *session) envelope(raw []byte) Envelope {
	e := Envelope{From: c.from, Rcpt: append([]string(nil), c.rcpt...), Size: len(raw), At: time.Now(), Answered: true, Conn: c.number}
	if !c.sink.opts.DropRaw {
		e.Raw = raw
	}
	head := raw
	if end := bytes.Index(raw, []byte("\r\n\r\n")); end >= 0 {
		head = raw[:end+4]
	}
	// A message that cannot be parsed is still an accepted message: its fields just stay empty.
	header, _ := textproto.NewReader(bufio.NewReader(bytes.NewReader(head))).ReadMIMEHeader()
	e.MessageID = strings.Trim(header.Get("Message-Id"), "<> ")
	e.Subject = header.Get("Subject")
	if decoded, err := new(mime.WordDecoder).DecodeHeader(e.Subject); err == nil {
		e.Subject = decoded
	}
	return e
}

// AuthMechanisms and Auth make the library announce AUTH when users are configured.
func (c *session) AuthMechanisms() []string {
	if len(c.sink.opts.Users) == 0 {
		return nil
	}
	if len(c.sink.opts.Mechanisms) > 0 {
		return c.sink.opts.Mechanisms
	}
	return []string{sasl.Plain, sasl.Login}
}

func (c *session) Auth(mech string) (sasl.Server, error) {
	switch mech {
	case sasl.Plain:
		return sasl.NewPlainServer(func(_, user, password string) error { return c.signIn(user, password) }), nil
	case sasl.Login:
		return &loginServer{signIn: c.signIn}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

func (c *session) signIn(user, password string) error {
	want, known := c.sink.opts.Users[user]
	if !known || subtle.ConstantTimeCompare([]byte(want), []byte(password)) != 1 {
		return smtp.ErrAuthFailed
	}
	c.signed = true
	return nil
}

// loginServer is the server side of AUTH LOGIN, which the sasl library only has for clients.
type loginServer struct {
	signIn func(user, password string) error
	user   *string
	asked  bool
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if response == nil || !l.asked && len(response) == 0 {
		l.asked = true
		return []byte("Username:"), false, nil
	}
	if l.user == nil {
		user := string(response)
		l.user, l.asked = &user, true
		return []byte("Password:"), false, nil
	}
	return nil, true, l.signIn(*l.user, string(response))
}
