package mail

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"crm/internal/platform/egress"
)

// Class is what a caller has to decide on; see the package comment.
type Class string

// The classes of failure.
const (
	Temporary Class = "temporary"
	RouteBusy Class = "route_busy"
	Permanent Class = "permanent"
	Block     Class = "block"
	Config    Class = "config"
	InDoubt   Class = "in_doubt"
)

// Step is the part of a conversation at which something failed.
type Step string

// The steps in their order.
const (
	StepAddress  Step = "address"  // checking the arguments, nothing was sent
	StepPool     Step = "pool"     // waiting for a free connection
	StepConnect  Step = "connect"  // name resolution and TCP
	StepTLS      Step = "tls"      // handshake, immediate or after STARTTLS
	StepGreeting Step = "greeting" // first line of the server
	StepHello    Step = "hello"
	StepStartTLS Step = "starttls"
	StepAuth     Step = "auth"
	StepReset    Step = "reset" // clearing a connection for its next use
	StepMail     Step = "mail"  // the sender address
	StepRcpt     Step = "rcpt"  // the recipient address
	StepData     Step = "data"  // leave to send the message
	StepBody     Step = "body"  // the message up to the final dot
	StepAnswer   Step = "answer"
)

// SendError is every failure of a [Sender]. Code is 0 when the server said nothing.
type SendError struct {
	Step     Step
	Code     int    // such as 451
	Enhanced string // such as "4.7.1"; empty when the server sent none
	Text     string // what the server said, one line, at most 500 bytes, printable
	Class    Class
	Err      error // the cause when it was not an answer: network, TLS, context
}

func (e *SendError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "smtp %s: ", e.Step)
	switch {
	case e.Code != 0:
		fmt.Fprintf(&b, "%d %s", e.Code, strings.TrimSpace(e.Enhanced+" "+e.Text))
	case e.Text != "":
		b.WriteString(e.Text)
	}
	if e.Err != nil {
		if e.Code != 0 || e.Text != "" {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	fmt.Fprintf(&b, " (%s)", e.Class)
	return b.String()
}

func (e *SendError) Unwrap() error { return e.Err }

// refusal turns an answer of 400 and above into an error.
func refusal(step Step, r reply) *SendError {
	return &SendError{Step: step, Code: r.code, Enhanced: r.enhanced, Text: r.text, Class: classify(step, r.code, r.enhanced)}
}

// broken is a failure without an answer before the final dot.
func broken(step Step, err error) *SendError {
	return &SendError{Step: step, Class: classOfCause(err), Err: err}
}

// misconfigured is for what no retry can heal.
func misconfigured(step Step, text string) *SendError {
	return &SendError{Step: step, Text: text, Class: Config}
}

// classOfCause separates what time may heal from what only a person can: a certificate that does not fit and a target
// the guard forbids stay wrong.
func classOfCause(err error) Class {
	var refused *egress.Refused
	var cert *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var plain tls.RecordHeaderError
	if errors.As(err, &refused) || errors.As(err, &cert) || errors.As(err, &authority) || errors.As(err, &plain) {
		return Config
	}
	return Temporary
}

// classify reads the basic code and the enhanced one (RFC 3463). Where they disagree the first digit of the basic code
// decides about trying again, the enhanced code about the reason.
func classify(step Step, code int, enhanced string) Class {
	if code < 400 {
		return Temporary // an answer that makes no sense at this step
	}
	if code < 500 {
		return classifyTransient(code, enhanced)
	}
	switch step {
	case StepReset:
		return Temporary // the connection is out of step, a new one will do
	case StepAuth, StepStartTLS:
		return Config
	case StepGreeting, StepHello:
		if strings.HasPrefix(enhanced, "5.7.") {
			return Block
		}
		return Config
	case StepMail:
		return classifySender(code, enhanced)
	}
	return classifyRecipient(step, code, enhanced)
}

// classifyTransient finds the answers that are about our rate or standing and not about this message. SES says
// "454 Throttling failure" and Gmail "421 4.7.28" or "450 4.7.x" for that.
func classifyTransient(code int, enhanced string) Class {
	if code == 421 || code == 454 || strings.HasPrefix(enhanced, "4.7.") {
		return RouteBusy
	}
	return Temporary
}

// classifySender judges the answer to MAIL: everything about addresses there is about ours, and must never be booked
// as a bounce of the recipient.
func classifySender(code int, enhanced string) Class {
	if needsSignIn(code, enhanced) {
		return Config
	}
	if strings.HasPrefix(enhanced, "5.7.") || tooBig(code, enhanced) {
		return Block
	}
	return Config
}

// classifyRecipient judges answers to RCPT, DATA and the final dot.
func classifyRecipient(step Step, code int, enhanced string) Class {
	if needsSignIn(code, enhanced) {
		return Config
	}
	switch {
	case enhanced == "5.1.7" || enhanced == "5.1.8": // bad sender address, told late
		return Config
	case enhanced == "5.2.3": // longer than this mailbox allows, the mailbox itself is fine
		return Block
	case strings.HasPrefix(enhanced, "5.1.") || strings.HasPrefix(enhanced, "5.2."):
		return Permanent
	case specific(enhanced):
		return Block
	}
	// Old servers without enhanced codes, or with a bare 5.0.0: only at RCPT is the address what is being talked about.
	if step == StepRcpt && (code == 550 || code == 551 || code == 552 || code == 553) {
		return Permanent
	}
	return Block
}

// specific tells whether an enhanced code says more than "something": 5.0.0 and 5.5.0 do not.
func specific(enhanced string) bool {
	return enhanced != "" && enhanced != "5.0.0" && enhanced != "5.5.0"
}

func needsSignIn(code int, enhanced string) bool {
	return code == 530 || code == 534 || code == 535 || code == 538 || enhanced == "5.7.8" || enhanced == "5.7.9"
}

func tooBig(code int, enhanced string) bool {
	return enhanced == "5.3.4" || code == 552 && enhanced == ""
}
