package mail_test

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"crm/internal/platform/mail"
)

// script is a server that the sink's library cannot be: without pipelining, impolite, or breaking the protocol. Each
// connection runs talk; what it read is collected in lines.
type script struct {
	net.Listener
	lines chan string
}

type talker struct {
	net.Conn
	r *bufio.Reader
	s *script
}

func startScript(t *testing.T, talk func(*talker)) *script {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &script{Listener: l, lines: make(chan string, 1000)}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				talk(&talker{conn, bufio.NewReader(conn), s})
			}()
		}
	}()
	return s
}

func (s *script) settings(mode mail.TLSMode) mail.Settings {
	var d net.Dialer
	return mail.Settings{Host: "127.0.0.1", Port: s.Addr().(*net.TCPAddr).Port, TLS: mode, Dial: d.DialContext, MaxConns: 1}
}

func (k *talker) say(lines ...string) {
	for _, line := range lines {
		_, _ = k.Write([]byte(line + "\r\n"))
	}
}

// hear reads one line; "EOF" at the end of the connection.
func (k *talker) hear() string {
	line, err := k.r.ReadString('\n')
	if err != nil {
		return "EOF"
	}
	line = strings.TrimRight(line, "\r\n")
	k.s.lines <- line
	return line
}

// hearMessage reads up to the final dot.
func (k *talker) hearMessage() {
	for line := k.hear(); line != "." && line != "EOF"; line = k.hear() {
		continue
	}
}

func (s *script) heard() []string {
	var all []string
	for {
		select {
		case line := <-s.lines:
			all = append(all, line)
		default:
			return all
		}
	}
}

func TestServerWithoutPipeliningGetsOneCommandAtATime(t *testing.T) {
	t.Parallel()
	s := startScript(t, func(k *talker) {
		k.say("220 old")
		for {
			switch line := k.hear(); {
			case line == "EOF":
				return
			case strings.HasPrefix(line, "EHLO"):
				k.say("502 what")
			case line == "DATA":
				k.say("354 go")
				k.hearMessage()
				k.say("250 taken")
			case strings.Contains(line, "gone@"):
				k.say("550 unknown")
			default:
				if k.r.Buffered() > 0 {
					k.say("503 one at a time")
					return
				}
				k.say("250 fine")
			}
		}
	})
	sender := newSender(t, s.settings(mail.TLSNone))
	if _, err := sender.Send(t.Context(), "a@crm.test", "r@example.test", []byte("x: y\r\n\r\nhello\r\n")); err != nil {
		t.Fatal(err)
	}
	_, err := sender.Send(t.Context(), "a@crm.test", "gone@example.test", []byte("x: y\r\n\r\nhello\r\n"))
	wantClass(t, err, mail.Permanent)
	if _, err := sender.Send(t.Context(), "", "r@example.test", []byte("x: y\r\n\r\nhello\r\n")); err != nil {
		t.Fatal(err)
	}
	want := "EHLO localhost|HELO localhost|MAIL FROM:<a@crm.test>|RCPT TO:<r@example.test>|DATA|x: y||hello|.|" +
		"MAIL FROM:<a@crm.test>|RCPT TO:<gone@example.test>|RSET|MAIL FROM:<>|RCPT TO:<r@example.test>|DATA|x: y||hello|."
	if got := strings.Join(s.heard(), "|"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// RFC 2920 lets a server answer 354 although the recipient was refused. Nothing may be delivered then.
func TestGoAheadAfterRefusalSendsNothing(t *testing.T) {
	t.Parallel()
	s := startScript(t, func(k *talker) {
		k.say("220 x")
		k.hear()
		k.say("250-x", "250 PIPELINING")
		k.hear()
		k.hear()
		k.hear()
		k.say("250 ok", "550 5.1.1 no", "354 go ahead anyway")
		k.hear()
	})
	_, err := newSender(t, s.settings(mail.TLSNone)).Send(t.Context(), "a@crm.test", "r@example.test", []byte("secret body\r\n"))
	wantClass(t, err, mail.Permanent)
	for _, line := range s.heard() {
		if strings.Contains(line, "secret") || line == "." {
			t.Errorf("sent %q", line)
		}
	}
}

func TestRefusalIsKeptWhenTheServerHangsUpAfterIt(t *testing.T) {
	t.Parallel()
	s := startScript(t, func(k *talker) {
		k.say("220 x")
		k.hear()
		k.say("250-x", "250 PIPELINING")
		k.hear()
		k.hear()
		k.hear()
		k.say("250 ok", "550 5.7.1 blocked")
	})
	_, err := newSender(t, s.settings(mail.TLSNone)).Send(t.Context(), "a@crm.test", "r@example.test", []byte("x\r\n"))
	wantClass(t, err, mail.Block)
}

func TestStartTLSRefusesEarlyBytes(t *testing.T) {
	t.Parallel()
	s := startScript(t, func(k *talker) {
		k.say("220 x")
		k.hear()
		k.say("250-x", "250 STARTTLS")
		k.hear()
		_, _ = k.Write([]byte("220 go\r\n250 injected\r\n"))
		k.hear()
	})
	err := newSender(t, s.settings(mail.TLSStart)).Test(t.Context())
	if failed := wantClass(t, err, mail.Config); failed.Step != mail.StepStartTLS {
		t.Errorf("step %s", failed.Step)
	}
}

func TestStrangeServers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		talk  func(*talker)
		step  mail.Step
		class mail.Class
	}{
		"blocked greeting": {func(k *talker) { k.say("554 5.7.1 your address is listed") }, mail.StepGreeting, mail.Block},
		"busy greeting":    {func(k *talker) { k.say("421 4.3.2 too many connections") }, mail.StepGreeting, mail.RouteBusy},
		"web server":       {func(k *talker) { k.say("HTTP/1.1 400 Bad Request") }, mail.StepGreeting, mail.Temporary},
		"silence":          {func(*talker) {}, mail.StepGreeting, mail.Temporary},
		"flood":            {func(k *talker) { k.say(strings.Repeat("220-x\r\n", 10000)) }, mail.StepGreeting, mail.Temporary},
		"one endless line": {func(k *talker) { k.say("220 " + strings.Repeat("x", 100000)) }, mail.StepGreeting, mail.Temporary},
		"answer is garbage": {func(k *talker) {
			k.say("220 x")
			k.hear()
			k.say("250 x")
			for range 2 {
				k.hear()
				k.say("250 x")
			}
			k.hear()
			k.say("354 x")
			k.hearMessage()
			k.say("what?")
		}, mail.StepAnswer, mail.InDoubt},
		"no to data": {func(k *talker) {
			k.say("220 x")
			k.hear()
			k.say("250 x")
			for range 2 {
				k.hear()
				k.say("250 x")
			}
			k.hear()
			k.say("451 4.3.0 not now")
		}, mail.StepData, mail.Temporary},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startScript(t, c.talk)
			_, err := newSender(t, s.settings(mail.TLSNone)).Send(t.Context(), "a@crm.test", "r@example.test", []byte("x\r\n"))
			if failed := wantClass(t, err, c.class); failed.Step != c.step {
				t.Errorf("step %s, want %s: %v", failed.Step, c.step, err)
			}
		})
	}
}
