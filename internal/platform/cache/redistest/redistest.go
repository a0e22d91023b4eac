// Package redistest runs a real Redis for a test: on a socket of its own, so that no
// port can be taken between choosing and using it, and gone with the test.
package redistest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// patience is when a server that does not answer has failed rather than is slow.
const patience = 30 * time.Second

// Server is one. It can be killed and started again in its place.
type Server struct {
	URL    string
	Socket string
	Raw    *redis.Client // patient, for set-up and assertions

	cmd *exec.Cmd
}

// Start runs one until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") // t.TempDir is too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Server{Socket: filepath.Join(dir, "s")}
	s.URL = "unix://" + s.Socket
	s.Raw = redis.NewClient(&redis.Options{Network: "unix", Addr: s.Socket})
	t.Cleanup(func() { _ = s.Raw.Close() })
	t.Cleanup(s.Kill)
	s.Run(t)
	return s
}

// Run starts the server, again after a Kill; it keeps nothing over that.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server is needed for this test: apt-get install redis-server")
	}
	s.cmd = exec.Command(bin, "--port", "0", "--unixsocket", s.Socket, "--save", "", "--appendonly", "no", "--dir", filepath.Dir(s.Socket)) //nolint:gosec // ended by Kill
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); s.Raw.Ping(context.Background()).Err() != nil; {
		if time.Now().After(end) {
			t.Fatal("redis-server does not answer")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Process is the one that runs, to be stopped and resumed.
func (s *Server) Process() *os.Process { return s.cmd.Process }

// Kill ends it without a word. It may be dead already.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // how it ended is what was done to it
	s.cmd = nil
}
