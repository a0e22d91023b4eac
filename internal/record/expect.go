package record

import (
	"context"
	"slices"
	"sync"

	"github.com/google/uuid"

	"crm/internal/platform/db"
	"crm/internal/platform/errs"
)

// Expectation is what a caller believes about one record before it changes it.
type Expectation struct {
	Object   string
	ID       uuid.UUID // zero = the record an upsert finds
	Versions []int64   // one of these; empty = any, but the record must exist
	Absent   bool      // the record must not exist yet
}

type expectKey struct{}

// expecting remembers in which transaction the belief was checked: the first
// change of the record is compared, those after it are the caller's own. A
// transaction that is tried again is compared again.
type expecting struct {
	Expectation
	mu   sync.Mutex
	seen any
	done bool
}

// Expect makes the first change of a record, by whatever act, fail with Stale
// when the record is not as expected.
func Expect(ctx context.Context, e Expectation) context.Context {
	return context.WithValue(ctx, expectKey{}, &expecting{Expectation: e})
}

// asExpected compares inside the transaction, after the record was locked.
func (o *Object) asExpected(ctx context.Context, op *Operation, old *Record) error {
	e, ok := ctx.Value(expectKey{}).(*expecting)
	if !ok || e.Object != o.Def.Name || (e.ID != uuid.Nil && e.ID != op.ID) || !e.due(ctx) {
		return nil
	}
	return e.Compare(old)
}

// Compare says whether a record is as expected; nil stands for a missing one.
func (e *Expectation) Compare(r *Record) error {
	switch {
	case r == nil && e.Absent:
		return nil
	case r == nil:
		return errs.New(errs.Stale, "stale_version", "There is no such record yet, so it has no version to match.")
	case e.Absent:
		return errs.New(errs.Stale, "already_exists", "This record exists already.")
	case len(e.Versions) > 0 && !slices.Contains(e.Versions, r.Version()):
		return staleVersion(r)
	}
	return nil
}

func (e *expecting) due(ctx context.Context) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	tx := db.TxOf(ctx)
	if e.done || (tx != nil && e.seen == tx) {
		return false
	}
	e.seen = tx
	db.AfterCommit(ctx, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.done = true
	})
	return true
}
