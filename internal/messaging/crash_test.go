package messaging_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/messaging"
	"crm/internal/platform/mail/smtptest"
)

// TestCrashBetweenClaimAndResult kills a process at both sides of the wire. A new
// one must find the message in doubt, at once, and must not send it by itself.
func TestCrashBetweenClaimAndResult(t *testing.T) {
	t.Parallel()
	for name, afterWire := range map[string]bool{"before the wire": false, "after the wire": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			dead := w.build(t)
			w.smtp(t, dead, w.sink, 10)
			m := dead.send(t, w.Admin, plain("one@example.com"))
			delivered := 0
			if afterWire {
				_, err := dead.s.DieAfterWire(w.system(), m.ID)
				must(t, err)
				delivered = 1
			} else if ok, err := dead.s.DieAfterClaim(w.system(), m.ID); !ok || err != nil {
				t.Fatal(ok, err)
			}
			fresh := w.build(t).start(t)
			m = fresh.become(t, w.Admin, m.ID, messaging.InDoubt)
			id := m.MessageID
			probe := fresh.send(t, w.Admin, plain("two@example.com"))
			fresh.become(t, w.Admin, probe.ID, messaging.Sent)
			if n := w.sink.Count("one@example.com"); n != delivered {
				t.Fatalf("delivered %d times, want %d", n, delivered)
			}
			_, err := fresh.s.Retry(w.Admin, m.ID)
			must(t, err)
			m = fresh.become(t, w.Admin, m.ID, messaging.Sent)
			if n := w.sink.Count("one@example.com"); n != delivered+1 || m.MessageID != id || *m.Attempts != 2 {
				t.Errorf("after retry: delivered %d times, %+v", n, m)
			}
			for _, e := range w.sink.Envelopes() {
				if e.Rcpt[0] == "one@example.com" && e.MessageID != id {
					t.Errorf("another Message-ID: %s, first %s", e.MessageID, id)
				}
			}
		})
	}
}

// TestLateTruth lets a process wake up after its message was declared in doubt: it
// knows the answer and may say so, unless somebody decided meanwhile.
func TestLateTruth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asleep := w.build(t)
	w.smtp(t, asleep, w.sink, 10)
	told, retried := asleep.send(t, w.Admin, plain("told@example.com")), asleep.send(t, w.Admin, plain("retried@example.com"))
	wakeTold, err := asleep.s.DieAfterWire(w.system(), told.ID)
	must(t, err)
	wakeRetried, err := asleep.s.DieAfterWire(w.system(), retried.ID)
	must(t, err)
	fresh := w.build(t).start(t)
	fresh.become(t, w.Admin, told.ID, messaging.InDoubt)
	fresh.become(t, w.Admin, retried.ID, messaging.InDoubt)
	_, err = fresh.s.Retry(w.Admin, retried.ID)
	must(t, err)
	fresh.become(t, w.Admin, retried.ID, messaging.Sent)
	must(t, wakeTold(w.system()))
	must(t, wakeRetried(w.system()))
	fresh.become(t, w.Admin, told.ID, messaging.Sent)
	m := fresh.become(t, w.Admin, retried.ID, messaging.Sent)
	if *m.Attempts != 2 {
		t.Errorf("the late result changed the retried one: %+v", m)
	}
	story, err := fresh.s.Story(w.Admin, retried.ID)
	must(t, err)
	if got := words(story); !slices.Equal(got, []string{"queued", "in_doubt", "retried", "sent"}) {
		t.Errorf("events: %v", got)
	}
}

// TestOthersClaimsAreLeftAlone: with several processes a young claim belongs to a
// living one; only its lease decides.
func TestOthersClaimsAreLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shared := func(d *messaging.Deps) { d.Alone = false }
	first := w.build(t, shared)
	w.smtp(t, first, w.sink, 10)
	m := first.send(t, w.Admin, plain("slow@example.com"))
	wakeUp, err := first.s.DieAfterWire(w.system(), m.ID)
	must(t, err)
	second := w.build(t, shared).start(t)
	probe := second.send(t, w.Admin, plain("probe@example.com"))
	second.become(t, w.Admin, probe.ID, messaging.Sent)
	second.become(t, w.Admin, m.ID, messaging.Sending)
	second.stop()
	later := w.build(t, shared, func(d *messaging.Deps) { d.Now = func() time.Time { return time.Now().Add(10 * time.Minute) } }).start(t)
	later.become(t, w.Admin, m.ID, messaging.InDoubt)
	must(t, wakeUp(w.system()))
	later.become(t, w.Admin, m.ID, messaging.Sent)
}

func TestLostAnswersLeaveDoubt(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]smtptest.Rule{
		"hang":  {At: smtptest.AtDot, Times: 1, Hang: true},
		"reset": {At: smtptest.AtDot, Times: 1, Reset: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.build(t, func(d *messaging.Deps) { d.Limits.Answer = 200 * time.Millisecond })
			w.smtp(t, p, w.sink, 10)
			p.start(t)
			w.sink.Script(rule)
			m := p.send(t, w.Admin, plain("doubt@example.com"))
			p.become(t, w.Admin, m.ID, messaging.InDoubt)
			_, err := p.s.Retry(w.Admin, m.ID)
			must(t, err)
			p.become(t, w.Admin, m.ID, messaging.Sent)
			if n := w.sink.Count("doubt@example.com"); n != 2 {
				t.Errorf("taken %d times by the sink, want 2: once unanswered, once on demand", n)
			}
		})
	}
}

// TestRace lets many workers of two processes run the same message.
func TestRace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.build(t), w.build(t)
	w.smtp(t, a, w.sink, 10)
	for n := range 5 {
		m := a.send(t, w.Admin, plain(fmt.Sprintf("r%d@example.com", n)))
		var all sync.WaitGroup
		for _, p := range []*process{a, b, a, b, a, b} {
			all.Go(func() {
				if err := p.s.Deliver(w.system(), m.ID); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		a.become(t, w.Admin, m.ID, messaging.Sent)
	}
	if st := w.sink.Stats(); st.Messages != 5 || st.Duplicates != 0 {
		t.Errorf("sink: %+v", st)
	}
}

// TestGracefulStopLeavesNoDoubt stops a process in the middle of its work.
func TestGracefulStopLeavesNoDoubt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, smtptest.Options{Delay: 20 * time.Millisecond})
	p := w.build(t)
	w.smtp(t, p, w.sink, 10)
	var ids []uuid.UUID
	for n := range 40 {
		ids = append(ids, p.send(t, w.Admin, plain(fmt.Sprintf("g%d@example.com", n))).ID)
	}
	p.start(t)
	must(t, w.sink.Wait(t.Context(), 10))
	p.stop()
	if n := w.count(t, `select count(*) from messages where status in ('sending', 'in_doubt')`); n != 0 {
		t.Errorf("%d messages hang in the air", n)
	}
	fresh := w.build(t).start(t)
	for _, id := range ids {
		fresh.become(t, w.Admin, id, messaging.Sent)
	}
	if st := w.sink.Stats(); st.Messages != 40 || st.Duplicates != 0 {
		t.Errorf("sink: %+v", st)
	}
}

// TestForgottenJobsAreMadeAgain loses a job that was inserted.
func TestForgottenJobsAreMadeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.build(t)
	w.smtp(t, p, w.sink, 10)
	m := p.send(t, w.Admin, plain("lost@example.com"))
	if _, err := w.SQL.Owner.Exec(context.WithoutCancel(t.Context()), `delete from river.river_job`); err != nil {
		t.Fatal(err)
	}
	later := w.build(t, func(d *messaging.Deps) { d.Now = func() time.Time { return time.Now().Add(time.Hour) } }).start(t)
	later.become(t, w.Admin, m.ID, messaging.Sent)
}
