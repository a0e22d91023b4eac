package cache_test

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"crm/internal/platform/cache"
	"crm/internal/platform/cache/redistest"
)

// mute accepts connections, reads, and never answers, as a Redis does whose
// machine swaps. It counts what was sent to it.
type mute struct {
	url  string
	seen atomic.Int64
}

func startMute(t *testing.T) *mute {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	m := &mute{url: "redis://" + l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			m.seen.Add(1)
			go func() {
				defer conn.Close()
				_, _ = io.Copy(io.Discard, conn)
			}()
		}
	}()
	return m
}

// startSlow passes everything on to a real Redis, each answer after a delay.
func startSlow(t *testing.T, s *redistest.Server, delay time.Duration) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go passSlowly(conn, s.Socket, delay)
		}
	}()
	return "redis://" + l.Addr().String()
}

func passSlowly(conn net.Conn, socket string, delay time.Duration) {
	defer conn.Close()
	up, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer up.Close()
	go func() { _, _ = io.Copy(up, conn) }()
	buf := make([]byte, 64<<10)
	for {
		n, err := up.Read(buf)
		if err != nil {
			return
		}
		<-time.After(delay)
		if _, err := conn.Write(buf[:n]); err != nil {
			return
		}
	}
}

// running is a clock that goes ten seconds per look, so that a command that was late
// on a busy machine is not followed by a pause the test would see.
func running() func() time.Time {
	var looks atomic.Int64
	return func() time.Time { return time.Unix(looks.Add(10), 0) }
}

// still is a clock that stands, so that a pause never ends.
func still() time.Time { return time.Unix(1_000_000, 0) }

var testSecret = []byte("of the tests")

// process is what another process of the installation has.
func process(t *testing.T, d cache.Deps) *cache.Space {
	t.Helper()
	if d.Secret == nil {
		d.Secret = testSecret
	}
	if d.Now == nil {
		d.Now = running()
	}
	s, err := cache.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.WithoutCancel(t.Context())) })
	return s
}

// thing is a value with a version.
type thing struct {
	Version int64
	Text    string
}

// things gives a cache of things; without local it has Redis alone.
func things(t *testing.T, s *cache.Space, local bool) *cache.Aside[thing] {
	t.Helper()
	o := cache.Options[thing]{Name: "things", Shared: time.Hour, Version: func(v thing) int64 { return v.Version }}
	if local {
		o.Local, o.Entries = time.Hour, 100
	}
	c, err := cache.New(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// replica has nothing of its own, only Redis.
func replica(t *testing.T, s *redistest.Server) *cache.Aside[thing] {
	t.Helper()
	return things(t, process(t, cache.Deps{RedisURL: s.URL}), false)
}

// eventually polls until the condition holds; the limit is generous because it
// only matters when the test fails.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func gives(version int64) func(context.Context) (thing, error) {
	return func(context.Context) (thing, error) { return thing{version, "loaded"}, nil }
}

// startStopped is the address of a server that is halted until resume.
func startStopped(t *testing.T, s *redistest.Server) string {
	t.Helper()
	if err := s.Process().Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	return s.URL
}

func resume(t *testing.T, s *redistest.Server) {
	t.Helper()
	if err := s.Process().Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}
