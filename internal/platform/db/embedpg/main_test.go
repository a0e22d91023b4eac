package embedpg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// helperDir makes this binary, run again, be a program that owns the cluster in that directory.
const helperDir = "EMBEDPG_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperDir); dir != "" {
		os.Exit(beParent(dir))
	}
	os.Exit(m.Run())
}

// beParent says "ready" and the server's pid, or the error, on stdout; SIGTERM ends it in order.
func beParent(dir string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c, err := Start(ctx, Config{Dir: dir, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		fmt.Println("error", errors.Is(err, ErrOwner), err)
		return 1
	}
	fmt.Println("ready", readPidFile(c.l.pidFile()).pid)
	<-ctx.Done()
	if err := c.Stop(context.Background()); err != nil {
		fmt.Println("error", err)
		return 1
	}
	return 0
}

// openDir is a data directory the server's user can reach; t.TempDir's parents are closed to it.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "embedpg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "data")
}

func testConfig(t *testing.T, dir string) Config {
	return Config{Dir: dir, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))}
}

func start(t *testing.T, cfg Config) *Cluster {
	t.Helper()
	c, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() { stop(t, c) })
	return c
}

func stop(t *testing.T, c *Cluster) {
	t.Helper()
	if err := c.Stop(context.Background()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// stoppedCluster gives a directory whose cluster exists and is not running.
func stoppedCluster(t *testing.T) Config {
	t.Helper()
	cfg := testConfig(t, openDir(t))
	stop(t, start(t, cfg))
	return cfg
}

func run(t *testing.T, c *Cluster, role, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.URL(role, Database))
	if err != nil {
		t.Fatalf("connect as %s: %v", role, err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func ask(t *testing.T, c *Cluster, role, query string) string {
	t.Helper()
	answer, err := tryAsk(t.Context(), c, role, query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer
}

func tryAsk(ctx context.Context, c *Cluster, role, query string) (string, error) {
	conn, err := pgx.Connect(ctx, c.URL(role, Database))
	if err != nil {
		return "", err
	}
	defer conn.Close(context.Background())
	var answer string
	err = conn.QueryRow(ctx, query).Scan(&answer)
	return answer, err
}

// eventually polls until the condition holds; the limit is generous because it only matters when the test fails.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func wantProblem(t *testing.T, err, kind error, words ...string) {
	t.Helper()
	var p *Problem
	if !errors.As(err, &p) || !errors.Is(err, kind) {
		t.Fatalf("error is %v, want a problem of kind %q", err, kind)
	}
	if p.Next == "" {
		t.Errorf("%q names no next step", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not mention %q", err, w)
		}
	}
}
