package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"crm/bench/floor"
	"crm/bench/load"
)

// create is one contact per request with an idempotency key, a journal entry and a search document. The peer inserts
// bare rows into the same table, each in its transaction, from as many goroutines.
func create(ctx context.Context, s *suite) ([]figure, error) {
	shape := load.Shape{Conns: conns, Duration: s.opt.round()}
	people := s.crowd.people(4096)
	bodies := make([][]byte, len(people))
	for i := range people {
		var err error
		if bodies[i], err = json.Marshal(&people[i]); err != nil {
			return nil, err
		}
	}
	ours := side{cpu: s.ourCPU, run: func(ctx context.Context, round int) (*load.Result, error) {
		next := func(conn, n int) []byte {
			key := fmt.Sprintf("Idempotency-Key: bench-%d-%d-%d", round, conn, n)
			return load.Post("/api/v1/contacts", bodies[(conn*251+n)%len(bodies)], s.api.Bearer(), key)
		}
		return load.Run(ctx, load.Plan{Addr: s.srv.Addr, Shape: shape, Want: http.StatusCreated, Next: next})
	}}
	bare := side{cpu: s.bareCPU, run: func(ctx context.Context, _ int) (*load.Result, error) {
		return load.Do(ctx, shape, func(ctx context.Context, conn, n int) error {
			return floor.Insert(ctx, s.bare, s.other, &people[(conn*251+n)%len(people)])
		})
	}}
	d, err := fight(ctx, s.opt.rounds, ours, bare)
	if err != nil {
		return nil, err
	}
	return d.figures("create", "req/s", "req", "insert"), nil
}

const (
	batchSize  = 1000
	batchConns = 4
)

// batchCreate writes a thousand contacts per call. The peer inserts as many with one statement.
func batchCreate(ctx context.Context, s *suite) ([]figure, error) {
	shape := load.Shape{Conns: batchConns, Each: s.opt.size(2, 1)}
	var groups [][]floor.Person
	var requests [][]byte
	for range batchConns * shape.Each {
		people := s.crowd.people(batchSize)
		body, err := batch(people)
		if err != nil {
			return nil, err
		}
		groups = append(groups, people)
		requests = append(requests, load.Post("/api/v1/contacts/batch", body, s.api.Bearer()))
	}
	ours := side{cpu: s.ourCPU, per: batchSize, run: func(ctx context.Context, _ int) (*load.Result, error) {
		next := func(conn, n int) []byte { return requests[n*batchConns+conn] }
		return load.Run(ctx, load.Plan{Addr: s.srv.Addr, Shape: shape, Want: http.StatusOK, Next: next})
	}}
	bare := side{cpu: s.bareCPU, per: batchSize, run: func(ctx context.Context, _ int) (*load.Result, error) {
		return load.Do(ctx, shape, func(ctx context.Context, conn, n int) error {
			return floor.InsertMany(ctx, s.bare, s.other, groups[n*batchConns+conn])
		})
	}}
	d, err := fight(ctx, s.opt.rounds, ours, bare)
	if err != nil {
		return nil, err
	}
	return d.costs("batch_create", "records/s", "record", "unnest"), nil
}
