package embedpg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// server is one running postmaster.
type server struct {
	cmd    *exec.Cmd
	out    *tail
	exited chan struct{} // closed when the postmaster is reaped
}

// startServer forks the postmaster. The caller's goroutine must be locked to its thread for as long as the server
// lives: the parent-death signal goes off when that thread ends.
func startServer(c *Cluster) (*server, error) {
	cmd := command(context.Background(), c.bin, c.me, c.srv, c.l.home, "postgres",
		"-D", c.l.data, "-c", "config_file="+filepath.Join(c.l.home, "postgresql.conf"))
	cmd.SysProcAttr.Pdeathsig = syscall.SIGINT // "fast" shutdown: roll back what runs, write all, end
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	s := &server{cmd: cmd, out: newTail(c.log), exited: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start postgres: %w", err), r.Close(), w.Close())
	}
	_ = w.Close() // the child has its own copy
	go s.out.read(r)
	go func() {
		_ = cmd.Wait() // why it ended is in its output
		close(s.exited)
	}()
	return s, nil
}

// awaitReady returns when the server takes connections. Recovery after a crash may take minutes, so there is no limit
// but ctx; a server that ends instead gives its reason.
func (s *server) awaitReady(ctx context.Context, c *Cluster) error {
	began, told := time.Now(), time.Now()
	for {
		if p := readPidFile(c.l.pidFile()); p.ready && p.pid == s.cmd.Process.Pid {
			c.log.InfoContext(ctx, "database started", "took_ms", time.Since(began).Milliseconds(), "data_dir", c.l.data)
			return nil
		}
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			c.log.InfoContext(ctx, "database still starting, likely recovering", "for_s", int(time.Since(began).Seconds()))
		}
		select {
		case <-s.exited:
			return fromOutput("postgres", c.l.data, s.out.text(), nil)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// shutdown ends the server, orderly first. hurry cuts the orderly part short; it may be nil.
func (s *server) shutdown(hurry <-chan struct{}) {
	steps := []struct {
		sig   syscall.Signal
		limit time.Duration
		hurry <-chan struct{}
	}{
		{syscall.SIGINT, 30 * time.Second, hurry}, // checkpoint and end
		{syscall.SIGQUIT, 5 * time.Second, nil},   // end now, recover at the next start
		{syscall.SIGKILL, 5 * time.Second, nil},
	}
	for _, step := range steps {
		_ = s.cmd.Process.Signal(step.sig) // ended already is what we want
		select {
		case <-s.exited:
			return
		case <-step.hurry:
		case <-time.After(step.limit):
		}
	}
}

// tail passes the server's messages to the log and remembers the latest, to explain a failed start.
type tail struct {
	log *slog.Logger
	end chan struct{}

	mu    sync.Mutex
	lines []string
}

const tailLines = 40

func newTail(log *slog.Logger) *tail { return &tail{log: log, end: make(chan struct{})} }

// read runs until every process of the server has closed its end.
func (t *tail) read(r io.ReadCloser) {
	defer close(t.end)
	defer r.Close()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		t.add(lines.Text())
	}
	// A line too long for the scanner: keep the pipe empty, or the server would block on its log.
	_, _ = io.Copy(io.Discard, r)
}

func (t *tail) add(line string) {
	t.log.Log(context.Background(), levelOf(line), "postgres", "line", line)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line)
	if len(t.lines) > tailLines {
		t.lines = t.lines[1:]
	}
}

// text waits a moment for the last words: the process may be reaped before its pipe is drained.
func (t *tail) text() string {
	select {
	case <-t.end:
	case <-time.After(500 * time.Millisecond):
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}

func levelOf(line string) slog.Level {
	switch {
	case strings.HasPrefix(line, "PANIC:"):
		return slog.LevelError
	case strings.HasPrefix(line, "FATAL:"), strings.HasPrefix(line, "WARNING:"):
		return slog.LevelWarn
	}
	return slog.LevelDebug
}
