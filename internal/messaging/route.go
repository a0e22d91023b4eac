package messaging

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"crm/internal/messaging/httpsend"
	"crm/internal/messaging/internal/messagingdb"
	"crm/internal/platform/mail"
)

// outgoing is a claimed message in the form routes take it. Key is its
// idempotency key, the same in every attempt of a round.
type outgoing struct {
	id, key     uuid.UUID
	channel     string
	class       string
	to          string
	subject     string
	html, text  string
	messageID   string
	unsubscribe string // address of the link; "" without one
	at          time.Time
}

// result is what is known after a try. Class "" means accepted. Text is a sentence
// for people; Unreachable means that the provider never heard of the message.
type result struct {
	class       mail.Class
	step        mail.Step
	code        int
	text        string
	unreachable bool
	retryAfter  time.Duration
	interrupted bool // our own shutdown, not a failure
}

// route is an open way to a provider.
type route interface {
	send(ctx context.Context, o *outgoing) result
	test(ctx context.Context) *Check
	close()
}

// routes keeps one open route per provider and version of its settings.
type routes struct {
	mu   sync.Mutex
	open map[uuid.UUID]openRoute
}

type openRoute struct {
	version int64
	route   route
	lane    *lane
}

func newRoutes() *routes { return &routes{open: map[uuid.UUID]openRoute{}} }

// replacedAfter is how long a replaced route stays open for sends that took it
// just before.
const replacedAfter = time.Minute

// get returns the provider's route, opening it when its settings are new.
func (r *routes) get(s *Service, p *messagingdb.Provider) (openRoute, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, ok := r.open[p.ID]
	if ok && old.version == p.Version {
		return old, nil
	}
	way, err := s.openRoute(p)
	if err != nil {
		return openRoute{}, err
	}
	fresh := openRoute{version: p.Version, route: way, lane: newLane()}
	r.open[p.ID] = fresh
	if ok {
		time.AfterFunc(replacedAfter, old.route.close)
	}
	return fresh, nil
}

func (r *routes) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, o := range r.open {
		o.route.close()
		delete(r.open, id)
	}
}

func (s *Service) openRoute(p *messagingdb.Provider) (route, error) {
	secrets, err := s.unseal(p)
	if err != nil {
		return nil, err
	}
	plain := plainSettings(p)
	if p.Type == TypeHTTP {
		return s.openHTTP(plain, secrets)
	}
	set, from, err := smtpSettings(plain, secrets)
	if err != nil {
		return nil, err
	}
	set.Dial, set.Now = s.egress.DialContext, s.now
	set.ConnectTimeout, set.StepTimeout, set.AnswerTimeout = s.limits.Connect, s.limits.Step, s.limits.Answer
	sender, err := mail.NewSender(set)
	if err != nil {
		return nil, err
	}
	return &smtpRoute{sender: sender, from: from, host: set.Host, password: set.Password}, nil
}

// smtpRoute sends over a pool of connections to one server.
type smtpRoute struct {
	sender   *mail.Sender
	from     mail.Address
	host     string
	password string
}

func (r *smtpRoute) close() { _ = r.sender.Close() }

func (r *smtpRoute) send(ctx context.Context, o *outgoing) result {
	m := mail.Message{From: r.from, To: []mail.Address{{Email: o.to}}, Subject: o.subject, Text: o.text, HTML: o.html, MessageID: o.messageID, Date: o.at, Headers: map[string]string{}}
	if o.unsubscribe != "" && o.class == Marketing {
		m.Headers = mail.OneClickUnsubscribe(o.unsubscribe)
	}
	raw, err := m.Bytes()
	if err != nil {
		var address *mail.AddressError
		if errors.As(err, &address) {
			return result{class: mail.Permanent, step: mail.StepAddress, text: sentenceOf(err) + "."}
		}
		return result{class: mail.Block, step: mail.StepAddress, text: "The message cannot be written as e-mail: " + err.Error() + "."}
	}
	receipt, err := r.sender.Send(ctx, r.from.Email, o.to, raw)
	if err == nil {
		return result{step: mail.StepAnswer, code: receipt.Code, text: r.safe(receipt.Text)}
	}
	return r.judge(ctx, err)
}

// judge turns the sender's error into what is done and shown.
func (r *smtpRoute) judge(ctx context.Context, err error) result {
	var failed *mail.SendError
	if !errors.As(err, &failed) {
		return result{class: mail.Temporary, text: r.safe(err.Error())}
	}
	out := result{class: failed.Class, step: failed.Step, code: failed.Code, text: r.safe(r.sentence(failed))}
	if failed.Class == mail.Temporary && failed.Code == 0 {
		switch failed.Step {
		case mail.StepConnect, mail.StepTLS, mail.StepGreeting, mail.StepHello:
			out.unreachable = true
		}
	}
	out.interrupted = failed.Class == mail.Temporary && failed.Code == 0 && errors.Is(ctx.Err(), context.Canceled)
	return out
}

func (r *smtpRoute) sentence(e *mail.SendError) string {
	answer := strings.TrimSpace(fmt.Sprintf("%d %s %s", e.Code, e.Enhanced, e.Text))
	switch {
	case e.Class == mail.InDoubt:
		return "The message was handed over completely, but the connection was lost before the answer. It may or may not have arrived."
	case e.Code == 0 && e.Err != nil:
		return fmt.Sprintf("%s could not take the message (%s): %v.", r.host, e.Step, e.Err)
	case e.Code == 0:
		return fmt.Sprintf("%s could not take the message (%s): %s.", r.host, e.Step, e.Text)
	case e.Step == mail.StepRcpt:
		return fmt.Sprintf("%s refused the address: %s", r.host, answer)
	}
	return fmt.Sprintf("%s answered at %s: %s", r.host, e.Step, answer)
}

// safe keeps a server that repeats what it was told from spreading the password.
func (r *smtpRoute) safe(text string) string {
	if r.password == "" {
		return text
	}
	return strings.ReplaceAll(text, r.password, "***")
}

func (r *smtpRoute) test(ctx context.Context) *Check {
	err := r.sender.Test(ctx)
	if err == nil {
		return &Check{OK: true}
	}
	out := r.judge(ctx, err)
	return &Check{Step: string(out.step), Message: out.text}
}

func (s *Service) openHTTP(plain map[string]any, secrets map[string]string) (route, error) {
	text := func(key string) string { v, _ := plain[key].(string); return v }
	client, err := httpsend.New(httpsend.Settings{
		URL: text("url"), Header: text("header"), Secret: secrets["secret"], Idempotent: honoursKeys(plain), Timeout: s.limits.Answer,
	}, s.egress)
	if err != nil {
		return nil, err
	}
	return &httpRoute{client: client, from: text("from")}, nil
}

// httpRoute calls an endpoint of the tenant's own.
type httpRoute struct {
	client *httpsend.Client
	from   string
}

func (r *httpRoute) close() {}

func (r *httpRoute) send(ctx context.Context, o *outgoing) result {
	m := httpsend.Message{
		ID: o.id.String(), Channel: o.channel, Class: o.class, To: o.to, From: r.from, Subject: o.subject, Text: o.text, HTML: o.html, MessageID: o.messageID,
	}
	if o.unsubscribe != "" && o.class == Marketing && o.channel == Email {
		m.Headers = mail.OneClickUnsubscribe(o.unsubscribe)
	}
	reference, err := r.client.Send(ctx, m, o.key.String())
	if err == nil {
		return result{step: mail.StepAnswer, code: 200, text: reference}
	}
	return judgeHTTP(ctx, err)
}

func judgeHTTP(ctx context.Context, err error) result {
	var failed *httpsend.Error
	if !errors.As(err, &failed) {
		return result{class: mail.Temporary, text: "The provider could not be called."}
	}
	out := result{class: failed.Class, step: failed.Step, code: failed.Status, retryAfter: failed.RetryAfter, text: sentenceOf(failed) + "."}
	switch {
	case failed.Class == mail.InDoubt:
		out.text = "The message was handed over, but the connection was lost before the answer. It may or may not have arrived."
	case failed.Status == 0 && failed.Class != mail.Config:
		out.text = "The provider could not be reached (" + string(failed.Step) + ")."
	}
	out.unreachable = failed.Class == mail.Temporary && failed.Step == mail.StepConnect
	out.interrupted = failed.Class == mail.Temporary && failed.Status == 0 && errors.Is(ctx.Err(), context.Canceled)
	return out
}

func (r *httpRoute) test(ctx context.Context) *Check {
	err := r.client.Test(ctx)
	if err == nil {
		return &Check{OK: true}
	}
	out := judgeHTTP(ctx, err)
	return &Check{Step: string(out.step), Message: out.text}
}
