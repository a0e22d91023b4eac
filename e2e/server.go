// Package e2e drives the built binary as its users do: through the command line,
// the REST API, a real browser and a real SMTP server, with a PostgreSQL of its
// own, and kills it in between.
//
// Each test has its own data directory, ports and processes. A test that proves
// what a crash keeps must first show that work was in flight when it happened.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Server is one installation: a data directory, and a process when it runs.
type Server struct {
	URL     string
	Metrics string // address of the metrics
	Dir     string

	bin string
	env []string
	cmd *exec.Cmd
	log *tail
}

// tail keeps the last output of the process for a failing test.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (l *tail) follow(r io.Reader) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		l.mu.Lock()
		l.lines = append(l.lines, s.Text())
		if len(l.lines) > 200 {
			l.lines = l.lines[1:]
		}
		l.mu.Unlock()
	}
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// New prepares an installation without starting it. extra are more environment
// settings such as CRM_EGRESS_ALLOW=127.0.0.1.
func New(t testing.TB, bin string, extra ...string) *Server {
	t.Helper()
	// Not t.TempDir: it is closed to the user the database runs as.
	dir, err := os.MkdirTemp("", "crm-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the database's own user must enter
		t.Fatal(err)
	}
	addr, metrics := freeAddr(t), freeAddr(t)
	s := &Server{URL: "http://" + addr, Metrics: "http://" + metrics + "/metrics", Dir: dir, bin: bin, log: &tail{}}
	s.env = append(os.Environ(), "CRM_DATA_DIR="+filepath.Join(dir, "data"), "CRM_ADDR="+addr, "CRM_METRICS_ADDR="+metrics, "CRM_LOG_FORMAT=text")
	s.env = append(s.env, extra...)
	t.Cleanup(func() {
		s.Stop(t)
		if t.Failed() {
			t.Logf("the server's last words:\n%s", s.log)
		}
		_ = os.RemoveAll(dir)
	})
	return s
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Start runs crm serve and waits until it is ready.
func (s *Server) Start(t testing.TB, args ...string) {
	t.Helper()
	s.Launch(t, args...)
	Until(t, 90*time.Second, "the server is ready", s.Ready)
}

// Ready asks /readyz.
func (s *Server) Ready() bool {
	resp, err := http.Get(s.URL + "/readyz") //nolint:noctx // polled with a deadline of the caller's
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Pid is the process that runs.
func (s *Server) Pid() int { return s.cmd.Process.Pid }

// Log is what the process said last.
func (s *Server) Log() string { return s.log.String() }

// Launch runs crm serve without waiting for it.
func (s *Server) Launch(t testing.TB, args ...string) {
	t.Helper()
	s.cmd = exec.Command(s.bin, append([]string{"serve"}, args...)...) //nolint:noctx,gosec // ended by Stop or Kill, which tests choose
	s.cmd.Env = s.env
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stdout, s.cmd.Stderr = w, w
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	go func() { s.log.follow(r); _ = r.Close() }()
}

// Kill ends the process as a power cut would: no handler runs.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if s.cmd == nil {
		t.Fatal("kill: the server does not run")
	}
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Stop asks the process to end and waits for it.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		_ = s.cmd.Wait() // how it ended is the test's business, not ours
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(40 * time.Second):
		t.Error("the server did not end within 40 s of SIGTERM")
		if err := s.cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		<-done
	}
	s.cmd = nil
}

// CLI runs an admin command and returns its standard output.
func (s *Server) CLI(t testing.TB, args ...string) string {
	t.Helper()
	out, err := s.TryCLI(args...)
	if err != nil {
		t.Fatalf("crm %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// TryCLI is CLI for commands that may fail; the error holds standard error.
func (s *Server) TryCLI(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.bin, args...) //nolint:gosec // our own binary
	cmd.Env = s.env
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%w: %s", err, errOut.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// Until polls until cond holds, and fails the test when it never does.
func Until(t testing.TB, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s and still not: %s", limit, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
