package messaging

import (
	"time"

	"crm/internal/platform/mail"
)

// Policy says how long a message is tried. Attempts that count are those of class
// temporary; a busy provider does not count but has GiveUpAfter in all.
type Policy struct {
	MaxAttempts int
	FirstPause  time.Duration // doubled after each attempt that counts
	LongestWait time.Duration
	GiveUpAfter time.Duration // since the message became due
}

// DefaultPolicy tries eight times within about half an hour.
var DefaultPolicy = Policy{MaxAttempts: 8, FirstPause: 15 * time.Second, LongestWait: 15 * time.Minute, GiveUpAfter: 48 * time.Hour}

func (p Policy) completed() Policy {
	if p.MaxAttempts <= 0 {
		p.MaxAttempts = DefaultPolicy.MaxAttempts
	}
	p.FirstPause = orDefault(p.FirstPause, DefaultPolicy.FirstPause)
	p.LongestWait = orDefault(p.LongestWait, DefaultPolicy.LongestWait)
	p.GiveUpAfter = orDefault(p.GiveUpAfter, DefaultPolicy.GiveUpAfter)
	return p
}

// pause is the wait after the n-th failure, n from 1. luck in [0,1) spreads it by a
// fifth to both sides, so that a thousand messages do not come back as one.
func (p Policy) pause(n int, luck float64) time.Duration {
	d := p.FirstPause
	for i := 1; i < n && d < p.LongestWait; i++ {
		d *= 2
	}
	d = min(d, p.LongestWait)
	return time.Duration(float64(d) * (0.8 + 0.4*luck))
}

// InDoubtResends says, per class, whether a message in doubt is sent again without
// asking. A second copy of a newsletter annoys, a second copy of an offer
// confuses; both hold until somebody presses Retry.
const (
	transactionalInDoubtResends = false
	marketingInDoubtResends     = false
)

func resends(class string) bool {
	if class == Marketing {
		return marketingInDoubtResends
	}
	return transactionalInDoubtResends
}

// standing is what a decision looks at beside the result.
type standing struct {
	class    string
	strikes  int           // attempts of this round that counted, this one excluded
	attempts int           // all claims, this one included
	age      time.Duration // since the message became due
	luck     float64
}

// verdict is what becomes of a message after a try. With status queued, wait says
// how long until the next one.
type verdict struct {
	act       string // word for the journal
	status    string
	attempt   string // result in the attempt's row
	wait      time.Duration
	strikes   int
	suppress  bool
	unhealthy bool
}

// decide applies the table of the package comment. It is pure.
func (p Policy) decide(r result, at standing) verdict {
	if r.interrupted {
		return verdict{act: "deferred", status: Queued, attempt: "interrupted"}
	}
	attempt := string(r.class)
	switch r.class {
	case "":
		return verdict{act: Sent, status: Sent, attempt: Sent}
	case mail.Temporary:
		return p.later(verdict{attempt: attempt, strikes: 1}, p.pause(at.strikes+1, at.luck), at)
	case mail.RouteBusy:
		return p.later(verdict{attempt: attempt}, max(r.retryAfter, p.pause(at.attempts, at.luck)), at)
	case mail.Permanent:
		return verdict{act: Bounced, status: Bounced, attempt: attempt, suppress: true}
	case mail.InDoubt:
		if resends(at.class) {
			return p.later(verdict{attempt: attempt, strikes: 1}, p.pause(at.strikes+1, at.luck), at)
		}
		return verdict{act: InDoubt, status: InDoubt, attempt: attempt}
	case mail.Config:
		return verdict{act: Failed, status: Failed, attempt: attempt, unhealthy: true}
	}
	return verdict{act: Failed, status: Failed, attempt: attempt}
}

// later puts off, or gives up when it was tried often or long enough.
func (p Policy) later(v verdict, wait time.Duration, at standing) verdict {
	if at.strikes+v.strikes >= p.MaxAttempts || at.age+wait > p.GiveUpAfter {
		v.act, v.status = Failed, Failed
		return v
	}
	v.act, v.status, v.wait = "deferred", Queued, wait
	return v
}
