package record_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/record"
)

// seen collects what a subscriber was shown.
type seen struct {
	mu   sync.Mutex
	seqs []int64
	fail map[string]bool // record titles to fail on, by last name in the journal
}

func (s *seen) handle(_ context.Context, entries []record.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		if name, _ := e.Changes["last_name"][1].(string); s.fail[name] {
			return errors.New("cannot digest " + name)
		}
	}
	for _, e := range entries {
		s.seqs = append(s.seqs, e.Seq)
	}
	return nil
}

func (s *seen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seqs)
}

func TestSubscriberReadsEverythingOnceAndSetsPoisonAside(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := &seen{fail: map[string]bool{"Poison": true}}
	b.k.Subscribe(record.Subscriber{Name: "test", Handle: s.handle})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- b.k.RunSubscribers(ctx, func(context.Context) ([]uuid.UUID, error) { return []uuid.UUID{b.tenant}, nil })
	}()
	for _, name := range []string{"One", "Poison", "Two", "Three"} {
		if _, err := b.people.Create(b.ctx, &person{LastName: name}); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(60 * time.Second)
	for s.count() < 3 {
		if time.Now().After(deadline) {
			t.Fatalf("saw %d rows", s.count())
		}
		// Nudge: each commit wakes the readers, as a busy system would.
		if _, err := b.people.Create(b.ctx, &person{LastName: "Poison"}); err != nil {
			t.Fatal(err)
		}
		<-time.After(300 * time.Millisecond)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	dup := map[int64]bool{}
	for _, seq := range s.seqs {
		if dup[seq] {
			t.Errorf("row %d was shown twice", seq)
		}
		dup[seq] = true
	}
}
