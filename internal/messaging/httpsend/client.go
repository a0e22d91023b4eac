package httpsend

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"crm/internal/platform/egress"
	"crm/internal/platform/mail"
)

// Settings describe the endpoint. Header is the name of the header that carries
// Secret; empty means Authorization with Bearer.
type Settings struct {
	URL        string
	Header     string
	Secret     string
	Idempotent bool
	Timeout    time.Duration // whole exchange; 0 = that of egress
}

// Message is the body of the call.
type Message struct {
	Type      string            `json:"type"`
	ID        string            `json:"id,omitempty"`
	Channel   string            `json:"channel,omitempty"`
	Class     string            `json:"class,omitempty"`
	To        string            `json:"to,omitempty"`
	From      string            `json:"from,omitempty"`
	Subject   string            `json:"subject,omitempty"`
	Text      string            `json:"text,omitempty"`
	HTML      string            `json:"html,omitempty"`
	MessageID string            `json:"message_id,omitempty"`
	Headers   map[string]string `json:"headers,omitempty"`
}

// Error is every failure of a call. Status is 0 when nothing was answered.
type Error struct {
	Class      mail.Class
	Step       mail.Step
	Status     int
	RetryAfter time.Duration
	Err        error
}

func (e *Error) Error() string {
	if e.Status != 0 {
		return fmt.Sprintf("the endpoint answered %d %s", e.Status, http.StatusText(e.Status))
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Client calls one endpoint. Safe for concurrent use.
type Client struct {
	set  Settings
	http *http.Client
}

// New makes a client under the guard of egress; it does not connect.
func New(set Settings, guard *egress.Egress) (*Client, error) {
	if _, err := guard.CheckURL(set.URL); err != nil {
		return nil, err
	}
	c := &Client{set: set, http: guard.HTTPClient()}
	if set.Timeout > 0 {
		c.http.Timeout = set.Timeout
	}
	return c, nil
}

// Send hands the message over under the key and returns what the endpoint calls
// it. Every error is an *Error.
func (c *Client) Send(ctx context.Context, m Message, key string) (string, error) {
	m.Type = "message"
	return c.call(ctx, m, key)
}

// Test asks whether the endpoint is there and knows the secret.
func (c *Client) Test(ctx context.Context) error {
	_, err := c.call(ctx, Message{Type: "test"}, "")
	return err
}

func (c *Client) call(ctx context.Context, m Message, key string) (string, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return "", &Error{Class: mail.Block, Step: mail.StepBody, Err: err}
	}
	var connected, written atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { connected.Store(true) },
		WroteHeaders: func() { written.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.set.URL, bytes.NewReader(body))
	if err != nil {
		return "", &Error{Class: mail.Config, Step: mail.StepConnect, Err: err}
	}
	c.dress(req, key)
	resp, err := c.http.Do(req) //nolint:bodyclose // ReadBody closes it
	if err != nil {
		return "", c.broken(err, connected.Load(), written.Load())
	}
	raw, _ := egress.ReadBody(resp, egress.MaxBody) // a status says enough
	if resp.StatusCode >= 300 {
		return "", refusal(resp, raw)
	}
	var answer struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(raw, &answer) // an answer without an id is fine
	return answer.ID, nil
}

func (c *Client) dress(req *http.Request, key string) {
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "crm")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	switch {
	case c.set.Secret == "":
	case c.set.Header == "" || strings.EqualFold(c.set.Header, "Authorization"):
		req.Header.Set("Authorization", "Bearer "+c.set.Secret)
	default:
		req.Header.Set(c.set.Header, c.set.Secret)
	}
}

// broken judges a call without an answer. The URL in a url.Error is cut off: it
// may hold a token.
func (c *Client) broken(err error, connected, written bool) *Error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	out := &Error{Class: mail.Temporary, Step: mail.StepConnect, Err: err}
	if connected {
		out.Step = mail.StepAnswer
	}
	var refused *egress.Refused
	var cert *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &refused):
		out.Class = mail.Config
	case errors.As(err, &cert), errors.As(err, &authority):
		out.Class, out.Step = mail.Config, mail.StepTLS
	case written && !c.set.Idempotent:
		out.Class = mail.InDoubt
	}
	return out
}

// refusal judges an answer; the table stands in the package comment.
func refusal(resp *http.Response, raw []byte) *Error {
	out := &Error{Class: mail.Block, Step: mail.StepAnswer, Status: resp.StatusCode, RetryAfter: retryAfter(resp)}
	switch code := resp.StatusCode; {
	case code == 429, code == 503 && out.RetryAfter > 0:
		out.Class = mail.RouteBusy
	case code == 408, code == 409, code == 425, code >= 500:
		out.Class = mail.Temporary
	case code == 401, code == 403:
		out.Class, out.Step = mail.Config, mail.StepAuth
	case code < 400, code == 404, code == 405, code == 410:
		out.Class = mail.Config
	case (code == 400 || code == 422) && badRecipient(raw):
		out.Class, out.Step = mail.Permanent, mail.StepRcpt
	}
	return out
}

func badRecipient(raw []byte) bool {
	var answer struct {
		Code string `json:"code"`
	}
	return json.Unmarshal(raw, &answer) == nil && answer.Code == "invalid_recipient"
}

// longestPause keeps a server from parking a message for ever.
const longestPause = time.Hour

// retryAfter reads the header as seconds; a date, which few send, counts as a minute.
func retryAfter(resp *http.Response) time.Duration {
	h := resp.Header.Get("Retry-After")
	if h == "" {
		return 0
	}
	n, err := strconv.Atoi(h)
	if err != nil {
		return time.Minute
	}
	return min(max(time.Duration(n)*time.Second, time.Second), longestPause)
}
