package messaging

import (
	"testing"
	"time"

	"crm/internal/platform/mail"
)

func TestLane(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	l := newLane()
	for range laneWidth {
		if g, _ := l.enter(now); g != gateOpen {
			t.Fatalf("a free lane: %v", g)
		}
	}
	if g, _ := l.enter(now); g != gateFull {
		t.Errorf("a full lane: %v", g)
	}
	l.rest(now)
	if g, wait := l.enter(now); g != gatePaused || wait != laneRest {
		t.Errorf("after resting: %v %v", g, wait)
	}
	l.leave()
	if g, _ := l.enter(now); g != gateOpen {
		t.Errorf("a place was given back: %v", g)
	}
	l.leave()
	down := result{class: mail.Temporary, unreachable: true}
	var waits []time.Duration
	for range 12 {
		l.heard(down, now)
		g, wait := l.enter(now)
		if g != gateDown {
			t.Fatalf("a provider that is down: %v", g)
		}
		waits = append(waits, wait)
	}
	if waits[0] != firstRest || waits[1] != 2*firstRest || waits[11] != longestRest {
		t.Errorf("rests: %v", waits)
	}
	now = now.Add(longestRest)
	l.heard(result{}, now)
	l.heard(result{class: mail.RouteBusy, retryAfter: time.Minute}, now)
	if g, wait := l.enter(now); g != gatePaused || wait != time.Minute {
		t.Errorf("asked for a pause: %v %v", g, wait)
	}
	l.heard(down, now.Add(time.Hour))
	if _, wait := l.enter(now.Add(time.Hour)); wait != firstRest {
		t.Errorf("an answer did not reset the rest: %v", wait)
	}
}
