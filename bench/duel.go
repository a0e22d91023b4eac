package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"crm/bench/load"
	"crm/bench/proc"
)

// side is one of the two that are measured against each other.
type side struct {
	run func(ctx context.Context, round int) (*load.Result, error)
	cpu func() (time.Duration, error) // of all server processes so far
	per float64                       // what one answer counts as: records in a batch; 0 = 1
}

// readings are a side's rounds.
type readings struct {
	rate, cpu     []float64 // per second; microseconds each
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
	r.cpu = append(r.cpu, float64((after-before).Microseconds())/float64(got.Done)/per)
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
	return []figure{
		rounds(name, unit, d.ours.rate, peerName, d.theirs.rate),
		rounds(name+"_cpu", "us/"+each, d.ours.cpu, peerName, d.theirs.cpu),
	}
}

// ourCPU is the program with its database.
func (s *suite) ourCPU() (time.Duration, error) { return treeCPU(s.srv.PID()) }

// floorCPU is the floor with the same database. The program's own idle work in that database counts in: a few
// milliseconds per second.
func (s *suite) floorCPU() (time.Duration, error) { return treeCPU(s.floor.PID(), s.postgres) }

// bareCPU is this process, when it is the client of the database itself, with the database.
func (s *suite) bareCPU() (time.Duration, error) {
	db, err := treeCPU(s.postgres)
	return db + selfCPU(), err
}

func treeCPU(roots ...int) (time.Duration, error) {
	snap, err := proc.Now()
	if err != nil {
		return 0, err
	}
	return snap.CPU(roots...), nil
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
func (s *suite) http(ctx context.Context, addr string, cpu func() (time.Duration, error), want, connections int, next func(conn, n int) []byte) (side, error) {
	plan := load.Plan{Addr: addr, Shape: load.Shape{Conns: connections, Duration: 300 * time.Millisecond}, Want: want, Next: next}
	if _, err := load.Run(ctx, plan); err != nil {
		return side{}, fmt.Errorf("warm up: %w", err)
	}
	plan.Duration = s.opt.round()
	return side{cpu: cpu, run: func(ctx context.Context, _ int) (*load.Result, error) { return load.Run(ctx, plan) }}, nil
}
