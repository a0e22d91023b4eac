package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"crm/bench/installed"
	"crm/bench/proc"
	"crm/internal/platform/db/embedpg"
)

const mega = 1 << 20

// settle is how long a started program is left alone before its memory is read: its first collections and River's
// first looks at the queues are over by then.
const settle = 3 * time.Second

// serveTimes starts fresh installations, and starts each a second time. The peer is the embedded database alone: it
// must be created and started whatever is built on it.
func serveTimes(ctx context.Context, s *suite) ([]figure, error) {
	var first, again, dbFirst, dbAgain, rss, pss []float64
	for range min(s.opt.rounds, s.opt.size(3, 1)) {
		life, err := s.oneLife(ctx)
		if err != nil {
			return nil, err
		}
		db, err := databaseLife(ctx)
		if err != nil {
			return nil, fmt.Errorf("start the database alone: %w", err)
		}
		first, again = append(first, life.first), append(again, life.again)
		dbFirst, dbAgain = append(dbFirst, db.first), append(dbAgain, db.again)
		rss, pss = append(rss, life.rss), append(pss, life.pss)
	}
	return []figure{
		rounds("serve_ready_first", "s", first, "database", dbFirst),
		rounds("serve_ready_again", "s", again, "database", dbAgain),
		rounds("idle_rss", "MB", rss, "", nil),
		rounds("idle_rss_postgres", "MB", pss, "", nil),
	}, nil
}

// life are two starts in seconds and the memory after them in MB.
type life struct{ first, again, rss, pss float64 }

func (s *suite) oneLife(ctx context.Context) (l life, err error) {
	srv, err := installed.New(ctx, s.bin)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, srv.Close()) }()
	took, err := srv.Start(ctx)
	if err != nil {
		return l, err
	}
	l.first = took.Seconds()
	if err := srv.Stop(); err != nil {
		return l, err
	}
	if took, err = srv.Start(ctx); err != nil {
		return l, err
	}
	l.again = took.Seconds()
	time.Sleep(settle)
	l.rss, l.pss, err = memory(srv.PID())
	return l, err
}

// memory is the program's resident set and its database's proportional one.
func memory(pid int) (program, database float64, err error) {
	rss, err := proc.RSS(pid)
	if err != nil {
		return 0, 0, err
	}
	snap, err := proc.Now()
	if err != nil {
		return 0, 0, err
	}
	var sum int64
	for _, p := range snap.Tree(pid) {
		if p.PID == pid {
			continue
		}
		pss, err := proc.PSS(p.PID)
		if err != nil {
			return 0, 0, err
		}
		sum += pss
	}
	return float64(rss) / mega, float64(sum) / mega, nil
}

func databaseLife(ctx context.Context) (l life, err error) {
	dir, err := os.MkdirTemp("", "crm-bench-")
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the database runs as another user
		return l, err
	}
	for _, took := range []*float64{&l.first, &l.again} {
		start := time.Now()
		c, err := embedpg.Start(ctx, embedpg.Config{Dir: dir})
		if err != nil {
			return l, err
		}
		*took = time.Since(start).Seconds()
		if err := c.Stop(ctx); err != nil {
			return l, err
		}
	}
	return l, nil
}

// memoryAfter is what is held at the end, when all measurements before have passed through.
func memoryAfter(_ context.Context, s *suite) ([]figure, error) {
	program, database, err := memory(s.srv.PID())
	if err != nil {
		return nil, err
	}
	return []figure{single("rss_after", program, "MB"), single("rss_after_postgres", database, "MB")}, nil
}
