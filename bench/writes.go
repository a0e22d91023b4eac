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
	ours := side{cpu: s.ourCPU, run: func(ctx context.Context, round int) (*load.Result, error) {
		requests, err := s.creates(round)
		if err != nil {
			return nil, err
		}
		next := func(conn, n int) []byte { return requests[conn][n] }
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

// creates are requests for one round, more than it can use, each for a person that nobody sent before: a second one
// like it would be refused as a duplicate.
func (s *suite) creates(round int) ([][][]byte, error) {
	const perSecond = 8000 / conns
	each := int(s.opt.round().Seconds()*perSecond) + 1000
	out := make([][][]byte, conns)
	for conn := range out {
		for n, p := range s.crowd.people(each) {
			body, err := json.Marshal(&p)
			if err != nil {
				return nil, err
			}
			key := fmt.Sprintf("Idempotency-Key: bench-%d-%d-%d", round, conn, n)
			out[conn] = append(out[conn], load.Post("/api/v1/contacts", body, s.api.Bearer(), key))
		}
	}
	return out, nil
}

const (
	batchSize  = 1000
	batchConns = 4
)

// batchCreate writes a thousand contacts per call. The peer inserts as many with one statement.
func batchCreate(ctx context.Context, s *suite) ([]figure, error) {
	shape := load.Shape{Conns: batchConns, Each: s.opt.size(2, 1)}
	var groups [][]floor.Person
	for range batchConns * shape.Each {
		groups = append(groups, s.crowd.people(batchSize))
	}
	ours := side{cpu: s.ourCPU, per: batchSize, run: func(ctx context.Context, _ int) (*load.Result, error) {
		requests := make([][]byte, len(groups))
		for i := range requests {
			body, err := batch(s.crowd.people(batchSize))
			if err != nil {
				return nil, err
			}
			requests[i] = load.Post("/api/v1/contacts/batch", body, s.api.Bearer())
		}
		before, err := s.contacts(ctx)
		if err != nil {
			return nil, err
		}
		next := func(conn, n int) []byte { return requests[n*batchConns+conn] }
		r, err := load.Run(ctx, load.Plan{Addr: s.srv.Addr, Shape: shape, Want: http.StatusOK, Next: next})
		if err != nil {
			return nil, err
		}
		// A batch answers 200 whatever became of its operations.
		if after, err := s.contacts(ctx); err != nil || after-before != batchSize*len(requests) {
			return nil, fmt.Errorf("%d contacts came of %d: %w", after-before, batchSize*len(requests), err)
		}
		return r, nil
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

// contacts counts ours.
func (s *suite) contacts(ctx context.Context) (n int, err error) {
	err = s.owner.QueryRow(ctx, "select count(*) from contacts where tenant_id = $1", s.tenant).Scan(&n)
	return n, err
}
