package record_test

import (
	"fmt"
	"testing"

	"crm/internal/record"
)

// BenchmarkBatchCreate writes batches of a thousand with journal and search.
func BenchmarkBatchCreate(b *testing.B) {
	e := setup(b)
	n := 0
	for b.Loop() {
		ops := make([]record.Operation, record.MaxBatch)
		for i := range ops {
			n++
			ops[i] = record.Operation{Kind: record.OpCreate, Patch: record.Patch{"first_name": "Ada", "last_name": fmt.Sprintf("Smith %d", n), "email": fmt.Sprintf("a%d@example.com", n)}}
		}
		if _, err := e.people.Apply(e.ctx, ops, false); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkCreate writes one record after the other, each in its transaction.
func BenchmarkCreate(b *testing.B) {
	e := setup(b)
	for b.Loop() {
		if _, err := e.people.One(e.ctx, record.Operation{Kind: record.OpCreate, Patch: record.Patch{"last_name": "Smith"}}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGet reads one record in a single round trip.
func BenchmarkGet(b *testing.B) {
	e := setup(b)
	p, err := e.people.Create(e.ctx, &person{LastName: "Smith"})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := e.people.Object.Get(e.ctx, p.ID); err != nil {
			b.Fatal(err)
		}
	}
}
