package embedpg

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// writeUntilBroken inserts 1, 2, 3, ... and sends each number once the server has acknowledged it.
func writeUntilBroken(ctx context.Context, url string, acknowledged chan<- int) {
	defer close(acknowledged)
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return
	}
	defer conn.Close(context.Background())
	for n := 1; ; n++ {
		if _, err := conn.Exec(ctx, "insert into ledger values ($1)", n); err != nil {
			return
		}
		acknowledged <- n
	}
}

func TestKilledServerComesBackWithEveryAcknowledgedRow(t *testing.T) {
	t.Parallel()
	c := start(t, testConfig(t, openDir(t)))
	run(t, c, ownerRole, "create table ledger (n int primary key)")
	acknowledged := make(chan int)
	go writeUntilBroken(t.Context(), c.URL(ownerRole, Database), acknowledged)
	last := 0
	for n := range acknowledged {
		if last = n; n == 50 {
			kill(t, readPidFile(c.l.pidFile()).pid)
		}
	}
	eventually(t, "server is back", func() bool {
		_, err := tryAsk(t.Context(), c, appRole, "select current_user")
		return err == nil && c.Restarts() == 1
	})
	if got := ask(t, c, ownerRole, "select count(*)::text from ledger where n <= "+strconv.Itoa(last)); got != strconv.Itoa(last) {
		t.Fatalf("%s of %d acknowledged rows are left", got, last)
	}
	select {
	case <-c.Done():
		t.Fatalf("given up: %v", c.Err())
	default:
	}
}

func TestServerThatCannotComeBackIsGivenUp(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, openDir(t))
	cfg.patience = 200 * time.Millisecond
	c := start(t, cfg)
	if err := os.WriteFile(filepath.Join(c.l.home, "postgresql.conf"), []byte("nonsense"), 0o644); err != nil {
		t.Fatal(err)
	}
	kill(t, readPidFile(c.l.pidFile()).pid)
	<-c.Done()
	wantProblem(t, c.Err(), ErrServer, "could not be restarted")
	stop(t, c)
	start(t, cfg)
}

// program is this test binary as another process that owns a cluster.
type program struct {
	cmd    *exec.Cmd
	server int // pid of its server
}

func startProgram(t *testing.T, dir string) program {
	t.Helper()
	return startCommand(t, dir, exec.Command(os.Args[0]))
}

func startCommand(t *testing.T, dir string, cmd *exec.Cmd) program {
	t.Helper()
	cmd.Env = append(os.Environ(), helperDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	word, rest, _ := strings.Cut(firstLine(t, out), " ")
	pid, err := strconv.Atoi(rest)
	if word != "ready" || err != nil {
		t.Fatalf("program says %s %s", word, rest)
	}
	return program{cmd: cmd, server: pid}
}

func firstLine(t *testing.T, r io.Reader) string {
	t.Helper()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("program ended without a word: %v", err)
	}
	return strings.TrimSpace(line)
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill %d: %v", pid, err)
	}
}

func TestServerEndsWithItsKilledParent(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, openDir(t))
	p := startProgram(t, cfg.Dir)
	guest, err := Attach(t.Context(), cfg)
	if err != nil {
		t.Fatalf("attach across processes: %v", err)
	}
	run(t, guest, ownerRole, "create table kept as select 42 as n")
	kill(t, p.cmd.Process.Pid)
	eventually(t, "server ended", func() bool { return len(serversOn(guest.l.data)) == 0 })
	if got := ask(t, start(t, cfg), ownerRole, "select n::text from kept"); got != "42" {
		t.Fatalf("row is %s", got)
	}
}

// TestStartDuringTheShutdownOfAKilledParent does not wait for the old server to end.
func TestStartDuringTheShutdownOfAKilledParent(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, openDir(t))
	p := startProgram(t, cfg.Dir)
	kill(t, p.cmd.Process.Pid)
	if got := ask(t, start(t, cfg), appRole, "select current_user"); got != appRole {
		t.Fatalf("role is %s", got)
	}
}

func TestRecoveryAfterEverythingWasKilled(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, openDir(t))
	p := startProgram(t, cfg.Dir)
	guest, err := Attach(t.Context(), cfg)
	if err != nil {
		t.Fatalf("attach: %v", err)
	}
	run(t, guest, ownerRole, "create table kept as select 42 as n")
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil { // or it would bring the server back first
		t.Fatal(err)
	}
	kill(t, p.server)
	kill(t, p.cmd.Process.Pid)
	if got := ask(t, start(t, cfg), ownerRole, "select n::text from kept"); got != "42" {
		t.Fatalf("row is %s", got)
	}
}

func TestProgramStopsInOrder(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, openDir(t))
	p := startProgram(t, cfg.Dir)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("program ended with %v", err)
	}
	data := filepath.Join(cfg.Dir, "postgres", "data")
	if pids := serversOn(data); len(pids) > 0 {
		t.Errorf("servers left: %v", pids)
	}
	if _, err := os.Stat(filepath.Join(data, "postmaster.pid")); !os.IsNotExist(err) {
		t.Errorf("pid file left: %v", err)
	}
}

func TestOrphanPostmasterIsReplaced(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, openDir(t))
	c := start(t, cfg)
	stop(t, c)
	orphan := command(t.Context(), c.bin, c.me, c.srv, c.l.home, "postgres",
		"-D", c.l.data, "-c", "config_file="+filepath.Join(c.l.home, "postgresql.conf"))
	if err := orphan.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- orphan.Wait() }()
	eventually(t, "orphan is ready", func() bool { return readPidFile(c.l.pidFile()).ready })
	next := start(t, cfg)
	if err := <-ended; err != nil {
		t.Errorf("orphan was not stopped in order: %v", err)
	}
	if got := ask(t, next, appRole, "select current_user"); got != appRole {
		t.Fatalf("role is %s", got)
	}
}

// TestStaleFilesOfADeadServer leaves the files of a crashed server whose pid now is somebody else's.
func TestStaleFilesOfADeadServer(t *testing.T) {
	t.Parallel()
	for name, program := range map[string]string{"pid of a stranger": "cat", "pid of a zombie": "true"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t, openDir(t))
			c := start(t, cfg)
			pidText := readFile(t, c.l.pidFile())
			lockPath := filepath.Join(c.socketDir, socketName()+".lock")
			lockText := readFile(t, lockPath)
			stop(t, c)
			pid := stranger(t, c, program)
			leave(t, c, c.l.pidFile(), pidText, pid)
			leave(t, c, lockPath, lockText, pid)
			if got := ask(t, start(t, cfg), appRole, "select current_user"); got != appRole {
				t.Fatalf("role is %s", got)
			}
		})
	}
}

// stranger runs a program as the server's user and returns its pid, alive or, when it ended, a zombie until cleanup.
func stranger(t *testing.T, c *Cluster, program string) int {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatal(err)
	}
	cmd := command(context.Background(), binaries{dir: filepath.Dir(path)}, c.me, c.srv, "/", program)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	return cmd.Process.Pid
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func leave(t *testing.T, c *Cluster, path string, text []byte, pid int) {
	t.Helper()
	_, rest, _ := bytes.Cut(text, []byte("\n"))
	text = append([]byte(fmt.Sprintf("%d\n", pid)), rest...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, c.srv.uid, c.srv.gid); err != nil {
		t.Fatal(err)
	}
}

func TestEmptyPidFile(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, openDir(t))
	c := start(t, cfg)
	stop(t, c)
	if err := os.WriteFile(c.l.pidFile(), nil, 0o600); err != nil { // a crash before its first write reached the disk
		t.Fatal(err)
	}
	start(t, cfg)
}

func TestStopOfAHangingServer(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, openDir(t))
	c := start(t, cfg)
	if err := syscall.Kill(readPidFile(c.l.pidFile()).pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := c.Stop(impatient); err != nil {
		t.Fatalf("stop: %v", err)
	}
	if pids := serversOn(c.l.data); len(pids) > 0 {
		t.Fatalf("servers left: %v", pids)
	}
	start(t, cfg)
}
