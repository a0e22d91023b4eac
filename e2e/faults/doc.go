// Package faults holds what the fault tests share: a ledger of what was asked and
// answered, a client that says honestly what it knows, a Redis that can be killed, and
// a proxy that can be slow.
//
// The tests run the built program against a real PostgreSQL and break something under
// it while it works. Each shows first that work was in flight and acknowledged, then
// that the fault really happened, and at the end compares the ledger with what the
// product has: every acknowledged change is there once, no refused one is, and of what
// nobody knows there is one or none. Times are bounded only where "for ever" is meant:
// what a machine does in a second says nothing about correctness.
//
// CRM_BENCH_FAULT_ROUNDS repeats the faults that strike at random moments.
package faults
