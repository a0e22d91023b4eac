package cache_test

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"crm/internal/platform/cache"
)

// server is a real Redis on a socket of its own: no port that another test could
// take between choosing and using it.
type server struct {
	url    string
	socket string
	raw    *redis.Client // patient, for set-up and assertions
	cmd    *exec.Cmd
	once   sync.Once
}

func startRedis(t *testing.T) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") // t.TempDir is too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &server{socket: filepath.Join(dir, "s")}
	s.url = "unix://" + s.socket
	s.raw = redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket})
	t.Cleanup(func() { _ = s.raw.Close() })
	s.start(t)
	return s
}

func (s *server) start(t *testing.T) {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server is needed for these tests: apt-get install redis-server")
	}
	s.once = sync.Once{}
	s.cmd = exec.Command(bin, "--port", "0", "--unixsocket", s.socket, "--save", "", "--appendonly", "no", "--dir", filepath.Dir(s.socket))
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	eventually(t, "redis answers", func() bool { return s.raw.Ping(t.Context()).Err() == nil })
}

func (s *server) kill() {
	s.once.Do(func() {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	})
}

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

// connect gives a layer whose clock runs ten seconds per look, so that a command
// that was late on a busy machine is not followed by a pause the test would see.
func connect(t *testing.T, url string) *cache.Shared {
	t.Helper()
	var looks atomic.Int64
	return connectAt(t, url, func() time.Time { return time.Unix(looks.Add(10), 0) })
}

func connectAt(t *testing.T, url string, now func() time.Time) *cache.Shared {
	t.Helper()
	s, err := cache.Connect(url, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// replica is the cache as another process has it: nothing local yet.
func replica(t *testing.T, s *cache.Shared, local time.Duration) *cache.Aside[string] {
	t.Helper()
	c, err := cache.New[string]("test", s, 100, local, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return c
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

func gives(v string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return v, nil }
}
