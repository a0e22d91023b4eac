package faults

import (
	"maps"
	"slices"
	"sync"
	"testing"
)

// Outcome is what a client knows of a change it asked for.
type Outcome int

// A change is OK when it was acknowledged, Failed when it was refused, and Unknown when
// the answer was lost or says so itself.
const (
	Invoked Outcome = iota
	OK
	Failed
	Unknown
)

// Ledger remembers every change that was asked for, by a name that is also stored.
type Ledger struct {
	mu       sync.Mutex
	outcomes map[string]Outcome
	why      map[string]string // what a refusal said
	count    map[Outcome]int
}

// NewLedger is empty.
func NewLedger() *Ledger {
	return &Ledger{outcomes: map[string]Outcome{}, why: map[string]string{}, count: map[Outcome]int{}}
}

// Begin notes that a change is about to be asked for.
func (l *Ledger) Begin(name string) { l.set(name, Invoked) }

// End notes what became of it.
func (l *Ledger) End(name string, o Outcome) { l.set(name, o) }

// Refused notes that it was refused, and in which words.
func (l *Ledger) Refused(name, words string) {
	l.set(name, Failed)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.why[name] = words
}

func (l *Ledger) set(name string, o Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old, ok := l.outcomes[name]; ok {
		l.count[old]--
	}
	l.outcomes[name] = o
	l.count[o]++
}

// Count tells how many changes have this outcome now; Invoked are those in flight.
func (l *Ledger) Count(o Outcome) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count[o]
}

// Compare holds the ledger against what is stored: how often each name is there.
func (l *Ledger) Compare(t testing.TB, stored map[string]int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(l.outcomes)) {
		n := stored[name]
		switch o := l.outcomes[name]; {
		case o == Invoked:
			t.Errorf("%s was never answered", name)
		case o == OK && n != 1:
			t.Errorf("%s was acknowledged and is there %d times", name, n)
		case o == Failed && n != 0:
			t.Errorf("%s was refused and is there %d times; it was told: %s", name, n, l.why[name])
		case n > 1:
			t.Errorf("%s is there %d times", name, n)
		}
	}
	for name, n := range stored {
		if _, ok := l.outcomes[name]; !ok {
			t.Errorf("%s is there %d times and was never asked for", name, n)
		}
	}
	t.Logf("ledger: %d acknowledged, %d refused, %d unknown", l.count[OK], l.count[Failed], l.count[Unknown])
}
