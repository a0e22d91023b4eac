package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"crm/bench/load"
	"crm/bench/proc"
	"crm/bench/stats"
)

// side is one of the two that are measured against each other.
type side struct {
	run func(ctx context.Context, round int) (*load.Result, error)
	cpu func() (cost, error) // of all server processes so far
	per float64              // what one answer counts as: records in a batch; 0 = 1
}

// readings are a side's rounds.
type readings struct {
	rate          []float64 // per second
	cpu, db       []float64 // microseconds each; db is the database's part of cpu
	p50, p95, p99 []float64 // milliseconds per answer
}

// duel is both sides' rounds.
type duel struct{ ours, theirs readings }

// fight runs the rounds, the sides taking turns to begin so that neither always finds the warmer machine.
func fight(ctx context.Context, n int, ours, theirs side) (*duel, error) {
	d := &duel{}
	for i := range n {
		turns := []func() error{
			func() error { return d.ours.take(ctx, ours, i) },
			func() error { return d.theirs.take(ctx, theirs, i) },
		}
		if i%2 == 1 {
			turns[0], turns[1] = turns[1], turns[0]
		}
		for _, turn := range turns {
			if err := turn(); err != nil {
				return nil, err
			}
		}
	}
	return d, nil
}

func (r *readings) take(ctx context.Context, s side, round int) error {
	before, err := s.cpu()
	if err != nil {
		return err
	}
	got, err := s.run(ctx, round)
	if err != nil {
		return err
	}
	if got.Done == 0 {
		return errors.New("no request was answered in a whole round")
	}
	after, err := s.cpu()
	if err != nil {
		return err
	}
	per := max(s.per, 1)
	r.rate = append(r.rate, got.Rate()*per)
	r.cpu = append(r.cpu, float64((after.all-before.all).Microseconds())/float64(got.Done)/per)
	r.db = append(r.db, float64((after.db-before.db).Microseconds())/float64(got.Done)/per)
	r.p50 = append(r.p50, got.P(0.50))
	r.p95 = append(r.p95, got.P(0.95))
	r.p99 = append(r.p99, got.P(0.99))
	return nil
}

// figures are the rate, the cost and the waiting times of a duel.
func (d *duel) figures(name, unit, each, peerName string) []figure {
	out := d.costs(name, unit, each, peerName)
	for _, p := range []struct {
		name         string
		ours, theirs []float64
	}{{"p50", d.ours.p50, d.theirs.p50}, {"p95", d.ours.p95, d.theirs.p95}, {"p99", d.ours.p99, d.theirs.p99}} {
		out = append(out, rounds(name+"_"+p.name, "ms", p.ours, peerName, p.theirs))
	}
	return out
}

// costs are the rate and the CPU alone, where waiting times mean nothing.
func (d *duel) costs(name, unit, each, peerName string) []figure {
	out := []figure{
		rounds(name, unit, d.ours.rate, peerName, d.theirs.rate),
		rounds(name+"_cpu", "us/"+each, d.ours.cpu, peerName, d.theirs.cpu),
	}
	if stats.Median(d.ours.db) == 0 {
		return out
	}
	db := rounds(name+"_cpu_db", "us/"+each, d.ours.db, peerName, d.theirs.db)
	if stats.Median(d.theirs.db) == 0 {
		db.Peers = nil // a peer without a database
	}
	return append(out, db)
}

// cost is CPU time since the processes began.
type cost struct{ all, db time.Duration }

// ourCPU is the program with its database.
func (s *suite) ourCPU() (cost, error) { return s.treeCPU(s.srv.PID()) }

// floorCPU is the floor with the same database. The program's own idle work in that database counts in: a few
// milliseconds per second.
func (s *suite) floorCPU() (cost, error) { return s.treeCPU(s.floor.PID(), s.postgres) }

// bareCPU is this process, when it is the client of the database itself, with the database.
func (s *suite) bareCPU() (cost, error) {
	c, err := s.treeCPU(s.postgres)
	c.all += selfCPU()
	return c, err
}

// loneCPU is this process, when it needs no database.
func loneCPU() (cost, error) { return cost{all: selfCPU()}, nil }

func (s *suite) treeCPU(roots ...int) (cost, error) {
	snap, err := proc.Now()
	if err != nil {
		return cost{}, err
	}
	return cost{all: snap.CPU(roots...), db: snap.CPU(s.postgres)}, nil
}

// selfCPU is this process without its children.
func selfCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// http is a side that answers requests. A first short run, not measured, fills caches on the way.
func (s *suite) http(ctx context.Context, addr string, cpu func() (cost, error), want, connections int, next func(conn, n int) []byte) (side, error) {
	plan := load.Plan{Addr: addr, Shape: load.Shape{Conns: connections, Duration: 300 * time.Millisecond}, Want: want, Next: next}
	if _, err := load.Run(ctx, plan); err != nil {
		return side{}, fmt.Errorf("warm up: %w", err)
	}
	plan.Duration = s.opt.round()
	return side{cpu: cpu, run: func(ctx context.Context, _ int) (*load.Result, error) { return load.Run(ctx, plan) }}, nil
}
