package embedpg

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

const (
	maxPause    = 16 * time.Second // the last of the doubling pauses in revive, which add up to half a minute
	crashWindow = time.Minute      // restarts within it are counted together
	crashLimit  = 10               // more of them than this is a loop, not bad luck
)

// supervise starts the server, reports once on started, and keeps the server alive until Stop or until it is hopeless.
// It owns the thread the server is forked from: never unlocking it makes the thread end with this goroutine, after the
// server did.
func (c *Cluster) supervise(ctx context.Context, started chan<- error) {
	runtime.LockOSThread()
	defer close(c.done)
	s, err := c.launch(ctx)
	started <- err
	if err == nil {
		c.setErr(c.keep(s))
	}
}

// keep returns nil after Stop, or why the server could not be kept.
func (c *Cluster) keep(s *server) error {
	var crashes []time.Time
	for {
		select {
		case <-c.running.Done():
			s.shutdown(c.hurry)
			return nil
		case <-s.exited:
		}
		now := time.Now()
		crashes = append(recent(crashes, now), now)
		c.log.Error("database server ended unexpectedly, restarting it", "last_message", lastError(s.out.text()), "crashes", len(crashes))
		if len(crashes) > crashLimit {
			return fromOutput("postgres", c.l.data, s.out.text(), errors.New("it keeps crashing"))
		}
		next, err := c.revive()
		if err != nil || next == nil {
			return err
		}
		c.restarts.Add(1)
		s = next
	}
}

// revive tries for about half a minute; (nil, nil) when Stop came in between.
func (c *Cluster) revive() (*server, error) {
	var last error
	for delay := 125 * time.Millisecond; delay <= c.patience; delay *= 2 {
		s, err := c.launch(c.running)
		if err == nil {
			return s, nil
		}
		if c.running.Err() != nil {
			return nil, nil
		}
		last = err
		c.log.Error("database restart failed", "err", err)
		if pause(c.running, delay) != nil {
			return nil, nil
		}
	}
	return nil, fmt.Errorf("the database server ended and could not be restarted: %w", last)
}

// launch starts one server and waits until it is ready. On failure nothing is left running.
func (c *Cluster) launch(ctx context.Context) (*server, error) {
	if err := clearStale(ctx, c.l, c.socketDir); err != nil {
		return nil, err
	}
	s, err := startServer(c)
	if err != nil {
		return nil, err
	}
	if err := s.awaitReady(ctx, c); err != nil {
		s.shutdown(c.hurry)
		return nil, err
	}
	return s, nil
}

func recent(times []time.Time, now time.Time) []time.Time {
	for len(times) > 0 && now.Sub(times[0]) > crashWindow {
		times = times[1:]
	}
	return times
}
