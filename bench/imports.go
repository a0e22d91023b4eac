package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/bench/floor"
	"crm/bench/load"
)

// importing uploads a file of contacts and waits until all are in. The peer parses the same file and copies it into an
// identical table as the owner, without rules, journal and search: the database's physical limit.
func importing(ctx context.Context, s *suite) ([]figure, error) {
	rows := s.opt.size(20_000, 5_000)
	if _, err := s.owner.Exec(ctx, "create table if not exists bench_copy (like contacts including all)"); err != nil {
		return nil, fmt.Errorf("make the table to copy into: %w", err)
	}
	file := func() ([]byte, error) { return peopleCSV(s.crowd.people(rows)) }
	ours := side{cpu: s.ourCPU, per: float64(rows), run: func(ctx context.Context, _ int) (*load.Result, error) {
		body, err := file()
		if err != nil {
			return nil, err
		}
		return timed(func() error {
			imp, err := s.api.Import(ctx, body, map[string]string{"object": "contacts", "mode": "create"})
			if err == nil && imp.Created != rows {
				err = fmt.Errorf("%d contacts of %d rows", imp.Created, rows)
			}
			return err
		})
	}}
	copied := side{cpu: s.bareCPU, per: float64(rows), run: func(ctx context.Context, _ int) (*load.Result, error) {
		body, err := file()
		if err != nil {
			return nil, err
		}
		if _, err := s.owner.Exec(ctx, "truncate bench_copy"); err != nil {
			return nil, err
		}
		return timed(func() error { return s.copyIn(ctx, body) })
	}}
	d, err := fight(ctx, min(s.opt.rounds, 3), ours, copied)
	if err != nil {
		return nil, err
	}
	return d.costs("import", "rows/s", "row", "copy"), nil
}

// timed is a run of one.
func timed(fn func() error) (*load.Result, error) {
	start := time.Now()
	err := fn()
	took := time.Since(start)
	return &load.Result{Done: 1, Elapsed: took, Times: []time.Duration{took}}, err
}

func (s *suite) copyIn(ctx context.Context, file []byte) error {
	rows, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	_, err = s.owner.CopyFrom(ctx, pgx.Identifier{"bench_copy"}, floor.Written(), pgx.CopyFromSlice(len(rows)-1, func(i int) ([]any, error) {
		r := rows[i+1]
		return floor.Row(s.other, &floor.Person{FirstName: r[0], LastName: r[1], Email: r[2], Phone: r[3], Title: r[4], Lifecycle: r[5], Source: r[6]}, now)
	}))
	return err
}

// leadIDs are some leads of ours.
func (s *suite) leadIDs(ctx context.Context, n int) ([]uuid.UUID, error) {
	rows, err := s.owner.Query(ctx, "select id from leads where tenant_id = $1 order by md5(id::text) limit $2", s.tenant, n)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}
