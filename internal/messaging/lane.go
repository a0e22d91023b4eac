package messaging

import (
	"sync"
	"time"

	"crm/internal/platform/errs"
	"crm/internal/platform/mail"
)

// Limits of the way to one provider, per process.
const (
	// laneWidth leaves some of the queue's workers to other providers, however slow
	// this one is.
	laneWidth = 6
	// laneWait is how long a worker waits for a place before it turns to other work.
	laneWait = 200 * time.Millisecond
	// laneRest is how long such work is put off.
	laneRest = 2 * time.Second
	// A provider that cannot be reached is left alone for firstRest, doubled with each
	// failure up to longestRest; then some messages try again.
	firstRest   = 200 * time.Millisecond
	longestRest = 30 * time.Second
)

// lane is what this process knows of the way to one provider: how many are on it,
// and until when it is better left alone. It is a courtesy and a bulkhead, not a
// promise; the ledger holds those.
type lane struct {
	mu       sync.Mutex
	on       int
	failures int
	closed   time.Time // cannot be reached
	paused   time.Time // asked for a pause
	stuck    time.Time // stayed full: do not wait for a place
	freed    chan struct{}
}

func newLane() *lane { return &lane{freed: make(chan struct{}, 1)} }

// gate says whether a message may take the lane now, and if not why.
type gate int

const (
	gateOpen gate = iota
	gateDown
	gatePaused
	gateFull
)

// enter takes a place, which leave gives back.
func (l *lane) enter(now time.Time) (gate, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case now.Before(l.closed):
		return gateDown, l.closed.Sub(now)
	case now.Before(l.paused):
		return gatePaused, l.paused.Sub(now)
	case l.on >= laneWidth && now.Before(l.stuck):
		return gatePaused, l.stuck.Sub(now)
	case l.on >= laneWidth:
		return gateFull, 0
	}
	l.on++
	return gateOpen, 0
}

func (l *lane) leave() {
	l.mu.Lock()
	l.on--
	l.mu.Unlock()
	select {
	case l.freed <- struct{}{}:
	default: // a place is announced already
	}
}

// heard learns from a result. Anything but silence means that it can be reached.
func (l *lane) heard(r result, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.unreachable && !r.interrupted {
		l.closed = now.Add(min(firstRest<<min(l.failures, 10), longestRest))
		l.failures++
		return
	}
	l.failures = 0
	if r.class == mail.RouteBusy && r.retryAfter > 0 {
		l.paused = now.Add(r.retryAfter)
	}
}

// rest notes that the lane stayed full, so that others need not wait in vain. Whoever
// finds a place may still take it.
func (l *lane) rest(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stuck = now.Add(laneRest)
}

// fullError sends a worker to wait at the lane.
type fullError struct{ lane *lane }

func (*fullError) Error() string { return "the way to the provider is full" }

// laterError makes the job come back; the message is as it was.
func laterError(wait time.Duration) error {
	e := errs.New(errs.Limited, "provider_resting", "The provider is left alone for a moment.")
	e.RetryAfter = wait
	return e
}

func isLater(err error) bool {
	e := errs.As(err)
	return e != nil && e.Code == "provider_resting"
}
