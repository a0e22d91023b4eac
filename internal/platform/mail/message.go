package mail

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-message"
	gomail "github.com/emersion/go-message/mail"
)

// maxToken is the longest run without white space a header may carry: a line must stay under 998 bytes and can only be
// folded at white space.
const maxToken = 900

// Address is a mailbox with an optional display name.
type Address struct {
	Name  string
	Email string
}

// Message is what the builder needs. MessageID and Date are given by the caller and not made here, because the ledger
// stores them before anything is sent.
type Message struct {
	From      Address
	To        []Address
	Cc        []Address
	ReplyTo   []Address
	Subject   string
	Text      string // plain part; at least one of Text and HTML
	HTML      string
	Headers   map[string]string // further headers, such as List-Unsubscribe; not those built from the other fields
	MessageID string            // without angle brackets, see NewMessageID
	Date      time.Time
}

// HeaderError tells which header cannot be written and why. It is permanent: the same message fails again.
type HeaderError struct {
	Field  string
	Reason string
}

func (e *HeaderError) Error() string {
	return fmt.Sprintf("mail header %s: %s", e.Field, e.Reason)
}

// NewMessageID makes a unique id under the given domain, which should be the one of the sender address: 130 random
// bits, not guessable, since bounces are matched by it.
func NewMessageID(domain string) string {
	return rand.Text() + "@" + domain
}

// OneClickUnsubscribe returns the two headers of RFC 8058 for an https URL that unsubscribes on POST.
func OneClickUnsubscribe(url string) map[string]string {
	return map[string]string{
		"List-Unsubscribe":      "<" + url + ">",
		"List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
	}
}

// Bytes builds the wire form: CRLF line ends, 7-bit only, no line over 998 bytes. Text and HTML together become
// multipart/alternative. Errors are [*HeaderError] or [*AddressError] for what the caller passed in.
func (m *Message) Bytes() ([]byte, error) {
	if m.Text == "" && m.HTML == "" {
		return nil, errors.New("build mail: the message has neither a text nor an html body")
	}
	header, err := m.header()
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	buf.Grow(1024 + len(m.Text) + len(m.HTML)*5/4)
	if m.Text == "" || m.HTML == "" {
		err = writeSingle(&buf, header, m.Text, m.HTML)
	} else {
		err = writeAlternative(&buf, header, m.Text, m.HTML)
	}
	if err != nil {
		return nil, fmt.Errorf("build mail: %w", err)
	}
	return buf.Bytes(), nil
}

// header sets fields from last to first: the library puts each new one on top.
func (m *Message) header() (gomail.Header, error) {
	var h gomail.Header
	if err := setCustom(&h, m.Headers); err != nil {
		return h, err
	}
	if m.Date.IsZero() {
		return h, &HeaderError{"Date", "is missing"}
	}
	if err := checkMessageID(m.MessageID); err != nil {
		return h, err
	}
	if err := clean("Subject", m.Subject); err != nil {
		return h, err
	}
	h.Set("Mime-Version", "1.0")
	h.Set("Message-Id", "<"+m.MessageID+">")
	h.SetDate(m.Date.UTC())
	h.SetSubject(m.Subject)
	if len(m.To) == 0 {
		return h, &HeaderError{"To", "is missing"}
	}
	for _, list := range []struct {
		field     string
		addresses []Address
	}{{"Reply-To", m.ReplyTo}, {"Cc", m.Cc}, {"To", m.To}, {"From", []Address{m.From}}} {
		if err := setAddresses(&h, list.field, list.addresses); err != nil {
			return h, err
		}
	}
	return h, nil
}

func setAddresses(h *gomail.Header, field string, addresses []Address) error {
	if len(addresses) == 0 {
		return nil
	}
	list := make([]*gomail.Address, len(addresses))
	for i, a := range addresses {
		if err := clean(field, a.Name); err != nil {
			return err
		}
		email, err := NormalAddress(a.Email)
		if err != nil {
			return fmt.Errorf("mail header %s: %w", field, err)
		}
		list[i] = &gomail.Address{Name: a.Name, Address: email}
	}
	h.SetAddressList(field, list)
	return nil
}

// built lists the fields that come from Message itself; a second copy in Headers would make two of them, and mail
// programs disagree on which one counts.
var built = map[string]bool{
	"from": true, "sender": true, "to": true, "cc": true, "bcc": true, "reply-to": true, "subject": true, "date": true,
	"message-id": true, "mime-version": true, "return-path": true, "received": true, "dkim-signature": true,
}

func setCustom(h *gomail.Header, headers map[string]string) error {
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(headers))) {
		value := headers[name]
		lower := strings.ToLower(name)
		if !validName(name) {
			return &HeaderError{strings.ToValidUTF8(name, "?"), "is not a valid header name"}
		}
		if built[lower] || strings.HasPrefix(lower, "content-") {
			return &HeaderError{name, "is set from the message itself and cannot be given as an extra header"}
		}
		if err := clean(name, value); err != nil {
			return err
		}
		h.Set(name, mime.QEncoding.Encode("utf-8", value))
	}
	return nil
}

func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return name != "" && len(name) <= 76
}

// clean refuses what could end a header line early and what cannot be represented.
func clean(field, value string) error {
	if strings.ContainsAny(value, "\r\n\x00") {
		return &HeaderError{field, "contains a line break or NUL; remove it"}
	}
	if strings.ToValidUTF8(value, "") != value {
		return &HeaderError{field, "is not valid UTF-8"}
	}
	for token := range strings.FieldsSeq(value) {
		if len(token) > maxToken && isASCII(token) {
			return &HeaderError{field, fmt.Sprintf("has %d characters without a space; at most %d fit on a line", len(token), maxToken)}
		}
	}
	return nil
}

func checkMessageID(id string) error {
	local, domain, ok := strings.Cut(id, "@")
	if !ok || local == "" || domain == "" || len(id) > 250 || strings.ContainsAny(id, " \t\r\n\x00<>()\",;") || !isASCII(id) {
		return &HeaderError{"Message-ID", "must look like id@domain"}
	}
	return nil
}

func writeSingle(w io.Writer, h gomail.Header, text, html string) error {
	kind, body := "text/plain", text
	if text == "" {
		kind, body = "text/html", html
	}
	setPart(&h.Header, kind)
	part, err := message.CreateWriter(w, h.Header)
	if err != nil {
		return err
	}
	return writeBody(part, body)
}

// writeAlternative puts the plain part first: readers show the last form they understand.
func writeAlternative(w io.Writer, h gomail.Header, text, html string) error {
	h.SetContentType("multipart/alternative", nil)
	outer, err := message.CreateWriter(w, h.Header)
	if err != nil {
		return err
	}
	for _, p := range []struct{ kind, body string }{{"text/plain", text}, {"text/html", html}} {
		var ph message.Header
		setPart(&ph, p.kind)
		part, err := outer.CreatePart(ph)
		if err != nil {
			return err
		}
		if err := writeBody(part, p.body); err != nil {
			return err
		}
	}
	return outer.Close()
}

func setPart(h *message.Header, kind string) {
	h.Set("Content-Transfer-Encoding", "quoted-printable")
	h.SetContentType(kind, map[string]string{"charset": "utf-8"})
}

func writeBody(part io.WriteCloser, body string) error {
	body = strings.ToValidUTF8(body, "\uFFFD")
	if _, err := io.WriteString(part, body); err != nil {
		return err
	}
	return part.Close()
}
