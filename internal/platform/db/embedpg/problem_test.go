package embedpg

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestWrongMajorVersion(t *testing.T) {
	t.Parallel()
	cfg := stoppedCluster(t)
	version := filepath.Join(cfg.Dir, "postgres", "data", "PG_VERSION")
	if err := os.WriteFile(version, []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), cfg)
	wantProblem(t, err, ErrVersion, "written by PostgreSQL 9", "install postgresql-9")
}

func TestNoBinaries(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, openDir(t))
	cfg.BinDir = t.TempDir()
	_, err := Start(t.Context(), cfg)
	wantProblem(t, err, ErrNoBinaries, InstallHint, cfg.BinDir)
}

func TestTooOldBinaries(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, openDir(t))
	cfg.BinDir = t.TempDir()
	for name, text := range map[string]string{"postgres": "#!/bin/sh\necho 'postgres (PostgreSQL) 14.9'\n", "initdb": "#!/bin/sh\n"} {
		if err := os.WriteFile(filepath.Join(cfg.BinDir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Start(t.Context(), cfg)
	wantProblem(t, err, ErrVersion, "14", "15")
}

func TestParseMajor(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]int{
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n": 15,
		"postgres (PostgreSQL) 18devel\n":                        18,
		"postgres (PostgreSQL) 19beta1":                          19,
		"postgres (PostgreSQL) 16":                               16,
		"something else":                                         0,
		"odd (one) x":                                            0,
	} {
		if got := parseMajor(version); got != want {
			t.Errorf("%q: %d, want %d", version, got, want)
		}
	}
}

// TestDirectoryOfAnotherUser needs two users: root becomes nobody on root's directory, anybody else tries root's.
func TestDirectoryOfAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		_, err := Start(t.Context(), testConfig(t, "/usr/lib"))
		wantProblem(t, err, ErrOwner, "root")
		return
	}
	cfg := stoppedCluster(t)
	cmd := asNobody(t, filepath.Dir(cfg.Dir))
	cmd.Env = []string{helperDir + "=" + cfg.Dir}
	out, err := cmd.Output()
	if err == nil || !strings.HasPrefix(string(out), "error true ") {
		t.Fatalf("program as nobody: %v, %s", err, out)
	}
	for _, want := range []string{"belongs to user root", "runs as nobody", "CRM_DATA_DIR"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q does not mention %q", out, want)
		}
	}
}

const nobody = 65534

// asNobody is this binary run by another user, if we may. It goes into dir first: the go command builds it in a closed place.
func asNobody(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	path := filepath.Join(dir, "program")
	if err := os.WriteFile(path, readFile(t, os.Args[0]), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path)
	cmd.Dir = "/"
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd
}

// TestRootAndOwnerTakeTurns: a command that root runs in a user's directory must not lock the user out. Run by an ordinary
// user, both are the same.
func TestRootAndOwnerTakeTurns(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, openDir(t))
	if err := os.Mkdir(cfg.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(cfg.Dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	stop(t, start(t, cfg))
	p := startCommand(t, cfg.Dir, asNobody(t, filepath.Dir(cfg.Dir)))
	guest, err := Attach(t.Context(), cfg)
	if err != nil || guest.Owned() {
		t.Fatalf("attach to the user's server: %v", err)
	}
	run(t, guest, ownerRole, "create table kept as select 42 as n")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("the user's program ended with %v", err)
	}
	if got := ask(t, start(t, cfg), ownerRole, "select n::text from kept"); got != "42" {
		t.Fatalf("row is %s", got)
	}
}

func TestClosedDirectory(t *testing.T) {
	t.Parallel()
	closed := openDir(t)
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	want, words := ErrUnreachable, []string{"as root the database runs as user", closed, "/var/lib/crm"}
	if os.Geteuid() != 0 {
		want, words = ErrOwner, []string{closed}
		if err := os.Chmod(closed, 0o000); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Start(t.Context(), testConfig(t, filepath.Join(closed, "data")))
	wantProblem(t, err, want, words...)
}

func TestDataThatIsNoCluster(t *testing.T) {
	t.Parallel()
	cfg := stoppedCluster(t)
	if err := os.Remove(filepath.Join(cfg.Dir, "postgres", "data", "PG_VERSION")); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), cfg)
	wantProblem(t, err, ErrServer, "PG_VERSION is missing", "backup")
}

func TestSocketDirectoryOfSomebodyElse(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, filepath.Join(openDir(t), strings.Repeat("long", 25)))
	c := start(t, cfg)
	stop(t, c)
	if err := os.Mkdir(c.socketDir, 0o755); err != nil { // somebody was quicker, and can read along
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(c.socketDir) })
	_, err := Start(t.Context(), cfg)
	wantProblem(t, err, ErrSocket, c.socketDir)
}

func TestCancelledStart(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, openDir(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled start: %v", err)
	}
	start(t, cfg)
}

// TestServerMessagesInWords holds the words PostgreSQL really uses.
func TestServerMessagesInWords(t *testing.T) {
	t.Parallel()
	for output, want := range map[string]error{
		`PANIC:  could not write to file "pg_wal/xlogtemp.1": No space left on device`:                               ErrDiskFull,
		`initdb: error: could not write file "x": Disk quota exceeded`:                                               ErrDiskFull,
		"FATAL:  database files are incompatible with server\nDETAIL:  The data directory was initialized by ...":    ErrVersion,
		`FATAL:  could not create lock file "/run/x/.s.PGSQL.5432.lock": Permission denied`:                          ErrSocket,
		`FATAL:  data directory "/x" has wrong ownership`:                                                            ErrOwner,
		"LOG:  starting\nFATAL:  could not map anonymous shared memory: Cannot allocate memory\nHINT:  reduce usage": ErrServer,
		"": ErrServer,
	} {
		wantProblem(t, fromOutput("postgres", "/data", output, nil), want)
	}
	if got := lastError("LOG:  a\nFATAL:  b\nHINT:  c\n"); got != "FATAL:  b" {
		t.Errorf("picked %q", got)
	}
}
