package smtptest

import (
	"path"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
)

// Point is the moment of a transaction at which a rule acts.
type Point int

// Points in the order of a transaction. AtBody is after the go-ahead for DATA and before the body is read; AtDot is
// after the final dot and before its answer.
const (
	AtRcpt Point = iota
	AtMail
	AtBody
	AtDot
)

// Rule makes the sink misbehave. Of several rules for the same point the first that matches and is not used up acts.
// Exactly one of Code, Hang and Reset is usual; Delay may stand alone (late but normal) or before any of them.
type Rule struct {
	Rcpt     string // shell pattern such as "*@busy.test", compared in lower case; empty = every recipient
	At       Point
	Times    int // how often it acts; 0 = always
	Delay    time.Duration
	Code     int    // answer, such as 451 or 550
	Enhanced [3]int // such as {4, 7, 1}; zero = none is sent
	Text     string
	Hang     bool // never answer, until Release or Close
	Reset    bool // cut the connection with a TCP reset
}

type activeRule struct {
	Rule
	used int
}

// Script adds rules behind those already there.
func (s *Sink) Script(rules ...Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rules {
		s.rules = append(s.rules, &activeRule{Rule: r})
	}
}

// Release lets all answers that hang now go out as normal ones; rules stay.
func (s *Sink) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.release)
	s.release = make(chan struct{})
}

// match finds and uses up the rule for this moment; ok is false when there is none.
func (s *Sink) match(at Point, rcpts ...string) (rule Rule, release chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rules {
		if r.At != at || (r.Times > 0 && r.used >= r.Times) || !r.matches(rcpts) {
			continue
		}
		r.used++
		if r.Code >= 400 {
			s.stats.Refused++
		}
		return r.Rule, s.release, true
	}
	return Rule{}, nil, false
}

func (r *activeRule) matches(rcpts []string) bool {
	if r.Rcpt == "" {
		return true
	}
	for _, rcpt := range rcpts {
		if ok, err := path.Match(strings.ToLower(r.Rcpt), fold(rcpt)); ok && err == nil {
			return true
		}
	}
	return false
}

// answer is the reply of a rule as the server library wants it; nil means the normal one.
func (r Rule) answer() error {
	if r.Code == 0 {
		return nil
	}
	enhanced := smtp.EnhancedCode(r.Enhanced)
	if r.Enhanced == [3]int{} {
		enhanced = smtp.NoEnhancedCode
	}
	text := r.Text
	if text == "" {
		text = "scripted answer"
	}
	return &smtp.SMTPError{Code: r.Code, EnhancedCode: enhanced, Message: text}
}

func fold(address string) string { return strings.ToLower(address) }
