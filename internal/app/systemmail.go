package app

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"crm/internal/identity"
	"crm/internal/platform/config"
	"crm/internal/platform/egress"
	"crm/internal/platform/mail"
)

// systemMailer sends the product's own mail over CRM_SMTP_URL, past the tenants'
// ledgers: what it carries is for one person's eyes.
type systemMailer struct {
	sender *mail.Sender
	from   string
	now    func() time.Time
}

// systemMail returns nil when no server is set.
func (a *App) systemMail() (identity.Mailer, error) {
	if a.Cfg.SMTPURL == "" {
		return nil, nil
	}
	out, err := egress.New(config.List(a.Cfg.EgressAllow))
	if err != nil {
		return nil, fmt.Errorf("read CRM_EGRESS_ALLOW: %w", err)
	}
	set, err := smtpSettings(a.Cfg.SMTPURL)
	if err != nil {
		return nil, err
	}
	set.Dial, set.MaxConns = out.DialContext, 2
	sender, err := mail.NewSender(set)
	if err != nil {
		return nil, fmt.Errorf("read CRM_SMTP_URL: %w", err)
	}
	a.post = &systemMailer{sender: sender, from: set.From, now: a.now}
	return a.post, nil
}

// smtpSettings reads an address like smtp://user:password@host:587?from=crm@company.com.
// smtp is STARTTLS, smtps TLS from the start, and tls=none plain text, for a relay on
// the same machine. The error does not repeat the address: it holds a password.
func smtpSettings(text string) (mail.Settings, error) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "smtp" && u.Scheme != "smtps") || u.Query().Get("from") == "" {
		return mail.Settings{}, fmt.Errorf("CRM_SMTP_URL is an address like smtp://user:password@mail.company.com:587?from=crm@company.com")
	}
	set := mail.Settings{Host: u.Hostname(), Port: 587, TLS: mail.TLSStart, Username: u.User.Username(), From: u.Query().Get("from")}
	set.Password, _ = u.User.Password()
	if u.Scheme == "smtps" {
		set.Port, set.TLS = 465, mail.TLSImplicit
	}
	if mode := u.Query().Get("tls"); mode != "" {
		set.TLS = mail.TLSMode(mode)
	}
	if u.Port() != "" {
		if set.Port, err = strconv.Atoi(u.Port()); err != nil {
			return set, fmt.Errorf("the port of CRM_SMTP_URL is no number")
		}
	}
	return set, nil
}

// SendSystem sends a plain text mail to one person.
func (m *systemMailer) SendSystem(ctx context.Context, to, subject, text string) error {
	msg := mail.Message{
		From: mail.Address{Email: m.from}, To: []mail.Address{{Email: to}}, Subject: subject, Text: text,
		Headers: map[string]string{"Auto-Submitted": "auto-generated"}, MessageID: mail.NewMessageID(m.from[strings.LastIndexByte(m.from, '@')+1:]), Date: m.now(),
	}
	raw, err := msg.Bytes()
	if err != nil {
		return err
	}
	_, err = m.sender.Send(ctx, m.from, to, raw)
	return err
}
