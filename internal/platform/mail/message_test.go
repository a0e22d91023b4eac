package mail_test

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"crm/internal/platform/mail"
)

func sample() *mail.Message {
	return &mail.Message{
		From:      mail.Address{Name: "Zoë & Söhne", Email: "hello@crm.test"},
		To:        []mail.Address{{Name: "Иван Петров", Email: "ivan@example.com"}},
		Subject:   "Grüße: 你好, and a rather long subject line that has to be folded somewhere on its way",
		Text:      "Hello,\nthis is plain.\n.\n..dots\nFrom here\n" + strings.Repeat("long ", 300),
		HTML:      "<p>Grüße = 100%</p>\r\n" + strings.Repeat("<b>x</b>", 500),
		Headers:   mail.OneClickUnsubscribe("https://crm.test/u/" + strings.Repeat("t", 300)),
		MessageID: "0192-abc@crm.test",
		Date:      time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC),
	}
}

func build(t *testing.T, m *mail.Message) []byte {
	t.Helper()
	raw, err := m.Bytes()
	if err != nil {
		t.Fatalf("build: %v", err)
	}
	return raw
}

func parse(t *testing.T, raw []byte) *netmail.Message {
	t.Helper()
	msg, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("parse: %v\n%s", err, raw)
	}
	return msg
}

func TestMessageReadsBackAsWritten(t *testing.T) {
	t.Parallel()
	m := sample()
	msg := parse(t, build(t, m))
	decode := func(s string) string {
		out, err := new(mime.WordDecoder).DecodeHeader(s)
		if err != nil {
			t.Fatalf("decode %q: %v", s, err)
		}
		return out
	}
	if got := decode(msg.Header.Get("Subject")); got != m.Subject {
		t.Errorf("subject %q", got)
	}
	for field, want := range map[string]mail.Address{"From": m.From, "To": m.To[0]} {
		list, err := msg.Header.AddressList(field)
		if err != nil || len(list) != 1 || list[0].Name != want.Name || list[0].Address != want.Email {
			t.Errorf("%s: %v, %v", field, list, err)
		}
	}
	if date, err := msg.Header.Date(); err != nil || !date.Equal(m.Date) {
		t.Errorf("date %v, %v", date, err)
	}
	if got := msg.Header.Get("Message-Id"); got != "<0192-abc@crm.test>" {
		t.Errorf("message id %q", got)
	}
	if got := msg.Header.Get("List-Unsubscribe"); got != m.Headers["List-Unsubscribe"] {
		t.Errorf("list-unsubscribe %q", got)
	}
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %s, %v", kind, err)
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for _, want := range []struct{ kind, body string }{{"text/plain", m.Text}, {"text/html", m.HTML}} {
		part, err := parts.NextRawPart()
		if err != nil {
			t.Fatalf("next part: %v", err)
		}
		if got := part.Header.Get("Content-Type"); got != want.kind+"; charset=utf-8" {
			t.Errorf("part type %q", got)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatalf("read part: %v", err)
		}
		if got := strings.ReplaceAll(string(body), "\r\n", "\n"); got != strings.ReplaceAll(want.body, "\r\n", "\n") {
			t.Errorf("%s differs:\n%q", want.kind, got)
		}
	}
}

func TestWireFormIsStrict(t *testing.T) {
	t.Parallel()
	m := sample()
	for _, m := range []*mail.Message{m, withBody(m, "only text", ""), withBody(m, "", "<p>only html</p>")} {
		raw := build(t, m)
		for i, line := range bytes.Split(raw, []byte("\r\n")) {
			if len(line) > 998 || bytes.ContainsAny(line, "\r\n") {
				t.Errorf("line %d: %d bytes or a bare line break", i, len(line))
			}
			for _, b := range line {
				if b >= 0x80 || b == 0 {
					t.Fatalf("line %d has byte %#x", i, b)
				}
			}
		}
	}
}

func withBody(m *mail.Message, text, html string) *mail.Message {
	out := *m
	out.Text, out.HTML = text, html
	return &out
}

func TestHeaderInjectionIsRefused(t *testing.T) {
	t.Parallel()
	for _, evil := range []string{"a\r\nBcc: x@evil.test", "a\nBcc: x@evil.test", "a\rb", "a\x00b", "\r\n\r\nbody"} {
		for name, spoil := range map[string]func(*mail.Message){
			"subject":      func(m *mail.Message) { m.Subject = evil },
			"from name":    func(m *mail.Message) { m.From.Name = evil },
			"from":         func(m *mail.Message) { m.From.Email = "a@b.test" + evil },
			"to name":      func(m *mail.Message) { m.To[0].Name = evil },
			"to":           func(m *mail.Message) { m.To[0].Email = evil + "@b.test" },
			"cc":           func(m *mail.Message) { m.Cc = []mail.Address{{Name: evil, Email: "a@b.test"}} },
			"reply-to":     func(m *mail.Message) { m.ReplyTo = []mail.Address{{Name: evil, Email: "a@b.test"}} },
			"message id":   func(m *mail.Message) { m.MessageID = "x@y" + evil },
			"header value": func(m *mail.Message) { m.Headers = map[string]string{"X-Tag": evil} },
			"header name":  func(m *mail.Message) { m.Headers = map[string]string{"X-Tag" + evil: "v"} },
		} {
			m := sample()
			spoil(m)
			raw, err := m.Bytes()
			var header *mail.HeaderError
			var address *mail.AddressError
			if !errors.As(err, &header) && !errors.As(err, &address) {
				t.Errorf("%s with %q: got %v", name, evil, err)
			}
			if bytes.Contains(raw, []byte("evil.test")) {
				t.Errorf("%s with %q: bytes were returned", name, evil)
			}
		}
	}
}

func TestStructuralHeadersCannotBeGivenTwice(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"From", "to", "BCC", "Subject", "Content-Type", "content-transfer-encoding", "MIME-Version", "Message-ID", "Bad Name", "Bad:", "", "Ünı"} {
		m := sample()
		m.Headers = map[string]string{name: "x"}
		var header *mail.HeaderError
		if _, err := m.Bytes(); !errors.As(err, &header) {
			t.Errorf("%q: got %v, want HeaderError", name, err)
		}
	}
}

func TestIncompleteMessagesAreRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*mail.Message){
		"no body":       func(m *mail.Message) { m.Text, m.HTML = "", "" },
		"no recipient":  func(m *mail.Message) { m.To = nil },
		"no sender":     func(m *mail.Message) { m.From = mail.Address{} },
		"no date":       func(m *mail.Message) { m.Date = time.Time{} },
		"no message id": func(m *mail.Message) { m.MessageID = "" },
		"bad utf-8":     func(m *mail.Message) { m.Subject = "a\xff" },
		"endless token": func(m *mail.Message) { m.Headers = map[string]string{"X-Long": strings.Repeat("x", 2000)} },
	} {
		m := sample()
		spoil(m)
		if _, err := m.Bytes(); err == nil {
			t.Errorf("%s: built", name)
		}
	}
}

func TestNormalAddress(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Ann.B@Example.COM":     "Ann.B@example.com",
		"a@bücher.example":      "a@xn--bcher-kva.example",
		"two..dots@docomo.test": "two..dots@docomo.test",
		"x+tag@localhost":       "x+tag@localhost",
		"":                      "", "a": "", "@b": "", "a@": "", "a b@c": "", "a@b c": "", "a@b..c": "", "<a@b.test>": "",
		"a@b.test>": "", "a\r\n@b.test": "", "a@b.test\r\nRCPT": "", "ü@b.test": "", `"q"@b.test`: "", "a@[127.0.0.1]": "", "a,b@c.test": "",
	} {
		got, err := mail.NormalAddress(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add("Subject", "Name", "a@b.test", "X-A", "v", "text", "<p>")
	f.Add("a\r\nb", "n\x00", "é@ü", "Bcc", "\r\n", ".\r\n.\r\n", "\x80")
	f.Fuzz(func(t *testing.T, subject, name, to, header, value, text, html string) {
		m := &mail.Message{
			From: mail.Address{Name: name, Email: "f@crm.test"}, To: []mail.Address{{Name: name, Email: to}},
			Subject: subject, Text: text, HTML: html, Headers: map[string]string{header: value}, MessageID: "i@crm.test", Date: time.Unix(1, 0),
		}
		raw, err := m.Bytes()
		if err != nil {
			return
		}
		msg, err := netmail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatalf("cannot be parsed: %v", err)
		}
		for _, once := range []string{"From", "To", "Subject", "Date", "Message-Id", "Mime-Version", "Content-Type"} {
			if len(msg.Header[once]) != 1 {
				t.Fatalf("%s occurs %d times", once, len(msg.Header[once]))
			}
		}
		if len(msg.Header) > 9 || len(msg.Header["Bcc"]) > 0 && header != "Bcc" {
			t.Fatalf("headers appeared: %v", msg.Header)
		}
		for line := range bytes.SplitSeq(raw, []byte("\r\n")) {
			if len(line) > 998 || bytes.ContainsAny(line, "\r\n\x00") {
				t.Fatalf("bad line %q", line)
			}
		}
	})
}

func BenchmarkMessageBytes(b *testing.B) {
	m := sample()
	m.Text = strings.Repeat("A paragraph of plain text for the reader.\n", 20)
	m.HTML = "<html><body>" + strings.Repeat("<p>A paragraph of <b>text</b> for the reader, with a <a href=\"https://crm.test/c/x\">link</a>.</p>\n", 40) + "</body></html>"
	for b.Loop() {
		raw, err := m.Bytes()
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(raw)))
	}
}
