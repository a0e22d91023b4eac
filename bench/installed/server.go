// Package installed runs an installation of the built program for measuring: a data directory of its own, free ports,
// and no settings from the caller's environment that could change what is measured.
//
// Its processes end with Close, and PostgreSQL with them. It has no retries and no tolerance: a benchmark over a server
// that failed is worthless, so every surprise is an error that quotes the server's last words.
package installed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// startLimit and stopLimit are when a start or an end has failed rather than is slow.
const (
	startLimit = 2 * time.Minute
	stopLimit  = 45 * time.Second
)

// Server is one installation.
type Server struct {
	Addr    string // host:port of the REST API
	DataDir string

	bin, dir string
	serve    []string // program and arguments
	env      []string
	cmd      *exec.Cmd
	log      *os.File
}

// New prepares an installation in a new temporary directory; extra are more settings, such as CRM_EGRESS_ALLOW=127.0.0.1.
func New(ctx context.Context, bin string, extra ...string) (*Server, error) {
	dir, err := os.MkdirTemp("", "crm-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for the installation: %w", err)
	}
	s := &Server{bin: bin, serve: []string{bin, "serve"}, dir: dir, DataDir: filepath.Join(dir, "data")}
	if err := s.prepare(ctx, extra); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func (s *Server) prepare(ctx context.Context, extra []string) error {
	// The database runs as another user, who must be able to pass through.
	err := os.Chmod(s.dir, 0o755) //nolint:gosec // see above; secrets inside are 0600
	if err != nil {
		return fmt.Errorf("open the directory to the database: %w", err)
	}
	metrics := ""
	for _, addr := range []*string{&s.Addr, &metrics} {
		if *addr, err = freeAddr(ctx); err != nil {
			return err
		}
	}
	if s.log, err = os.Create(filepath.Join(s.dir, "crm.log")); err != nil {
		return fmt.Errorf("make the log: %w", err)
	}
	s.env = append(neutral(os.Environ()), "CRM_DATA_DIR="+s.DataDir, "CRM_ADDR="+s.Addr, "CRM_METRICS_ADDR="+metrics, "CRM_LOG_FORMAT=text")
	s.env = append(s.env, extra...)
	return nil
}

// kept are settings that say where programs and libraries lie on this machine.
var kept = []string{"CRM_ONNXRUNTIME_LIB=", "CRM_POSTGRES_BIN="}

// neutral drops the caller's own CRM_ settings.
func neutral(environ []string) []string {
	var out []string
	for _, e := range environ {
		keep := !strings.HasPrefix(e, "CRM_")
		for _, k := range kept {
			keep = keep || strings.HasPrefix(e, k)
		}
		if keep {
			out = append(out, e)
		}
	}
	return out
}

func freeAddr(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// ServeWithSelf makes later starts run this very program in another role instead of the built one.
func (s *Server) ServeWithSelf(args ...string) error {
	self, err := os.Executable()
	s.serve = append([]string{self}, args...)
	return err
}

// Role makes later starts run one half of the program.
func (s *Server) Role(role string) { s.serve = append(s.serve, "--role", role) }

// PID of the running server.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Start runs crm serve and returns how long it took from the start of the process until it said it was ready.
func (s *Server) Start(ctx context.Context) (time.Duration, error) {
	s.cmd = exec.Command(s.serve[0], s.serve[1:]...) //nolint:noctx,gosec // our own binary, ended by Stop, which lets it drain
	// Not the caller's directory: there may be a crm.toml in it.
	s.cmd.Env, s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.env, s.dir, s.log, s.log
	start := time.Now()
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return 0, fmt.Errorf("start the server: %w", err)
	}
	for !s.ready(ctx) {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if time.Since(start) > startLimit || s.gone() {
			return 0, fmt.Errorf("the server did not become ready; its last words:\n%s", s.LastWords())
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(start), nil
}

// gone tells whether the process ended by itself; it stays to be waited for by Stop.
func (s *Server) gone() bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.PID()))
	return err != nil || bytes.Contains(line, []byte(") Z "))
}

func (s *Server) ready(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Addr+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // only the status counts
	return resp.StatusCode == http.StatusOK
}

// Stop asks the server to end and waits until it has.
func (s *Server) Stop() error {
	if s.cmd == nil {
		return nil
	}
	cmd := s.cmd
	s.cmd = nil
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself; Wait tells
	kill := time.AfterFunc(stopLimit, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("the server did not end well: %w; its last words:\n%s", err, s.LastWords())
	}
	return nil
}

// Close stops the server and removes everything.
func (s *Server) Close() error {
	return errors.Join(s.Stop(), s.log.Close(), os.RemoveAll(s.dir))
}

// LastWords are the last lines of the log.
func (s *Server) LastWords() string {
	raw, err := os.ReadFile(s.log.Name())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// CLI runs an admin command of the program and returns its standard output.
func (s *Server) CLI(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.bin, args...) //nolint:gosec // our own binary
	var out, errOut bytes.Buffer
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = s.env, s.dir, &out, &errOut
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("crm %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errOut.String()))
	}
	return strings.TrimSpace(out.String()), nil
}
