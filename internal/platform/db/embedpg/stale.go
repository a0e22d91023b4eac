package embedpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pidFile is what a postmaster writes about itself: pid, data directory, start time, port, socket directory, listen
// address, shared memory key, status; one line each.
type pidFile struct {
	pid       int
	socketDir string
	ready     bool
}

// readPidFile returns the zero value when there is none or it makes no sense.
func readPidFile(path string) pidFile {
	b, err := os.ReadFile(path)
	if err != nil {
		return pidFile{}
	}
	lines := strings.Split(string(b), "\n")
	var p pidFile
	p.pid, _ = strconv.Atoi(strings.TrimSpace(lines[0])) // nonsense counts as no pid
	if len(lines) > 4 {
		p.socketDir = strings.TrimSpace(lines[4])
	}
	p.ready = len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready"
	return p
}

// clearStale leaves the data directory without a server and without the traces that would keep the next one from
// starting. Call it only as the parent (lock held): every server process on the directory is then nobody's.
func clearStale(ctx context.Context, l layout, socketDir string) error {
	if err := endOrphans(ctx, l); err != nil {
		return err
	}
	if err := disarmPidFile(l.pidFile()); err != nil {
		return err
	}
	for _, name := range []string{socketName(), socketName() + ".lock"} {
		if err := os.Remove(filepath.Join(socketDir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove stale socket: %w", err)
		}
	}
	return nil
}

// endOrphans stops servers whose parent died: a postmaster in order, its left-over children at once.
func endOrphans(ctx context.Context, l layout) error {
	steps := []struct {
		toPostmaster, toOthers syscall.Signal
		wait                   time.Duration
	}{
		{syscall.SIGINT, 0, 15 * time.Second}, // a clean stop; the children go with it
		{syscall.SIGQUIT, syscall.SIGQUIT, 5 * time.Second},
		{syscall.SIGKILL, syscall.SIGKILL, 5 * time.Second},
	}
	for _, step := range steps {
		pids := serversOn(l.data)
		if len(pids) == 0 {
			return nil
		}
		postmaster := readPidFile(l.pidFile()).pid
		others := step.toOthers
		if !slices.Contains(pids, postmaster) {
			others = max(others, syscall.SIGQUIT) // without a postmaster nothing is left to be orderly about
		}
		for _, pid := range pids {
			sig := others
			if pid == postmaster {
				sig = step.toPostmaster
			}
			if sig != 0 {
				_ = syscall.Kill(pid, sig) // gone already is what we want
			}
		}
		if err := awaitGone(ctx, l.data, step.wait); err != nil {
			return err
		}
	}
	if pids := serversOn(l.data); len(pids) > 0 {
		return &Problem{
			Kind: ErrServer,
			What: fmt.Sprintf("a left-over database process (%d) on %s does not end", pids[0], l.data),
			Next: "its disk may hang; check it, or restart the machine",
		}
	}
	return nil
}

func awaitGone(ctx context.Context, data string, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for len(serversOn(data)) > 0 && time.Now().Before(deadline) {
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// serversOn lists living processes of PostgreSQL that work in the data directory. A postmaster and all its children do; a
// zombie or an unrelated process that inherited the pid does not, which is why the pid file alone proves nothing.
func serversOn(data string) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err == nil && isServer(pid, data) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func isServer(pid int, data string) bool {
	proc := "/proc/" + strconv.Itoa(pid)
	if cwd, err := os.Readlink(proc + "/cwd"); err != nil || cwd != data {
		return false
	}
	exe, err := os.Readlink(proc + "/exe")
	if err != nil {
		return false
	}
	return filepath.Base(strings.TrimSuffix(exe, " (deleted)")) == "postgres" // deleted: upgraded underneath
}

// disarmPidFile makes a left-over postmaster.pid harmless. PostgreSQL would refuse to start while the pid in it exists,
// even as a zombie or as somebody else's; but it never minds the pid of its own parent. So we put ours there and leave the
// shared memory key, by which PostgreSQL still finds a server that we could not see.
func disarmPidFile(path string) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read stale pid file: %w", err)
	}
	_, rest, ok := bytes.Cut(b, []byte("\n"))
	if !ok || readPidFile(path).pid == 0 {
		return os.Remove(path) // cut off by a crash: PostgreSQL would not read it either
	}
	text := append([]byte(strconv.Itoa(os.Getpid())+"\n"), rest...)
	if err := overwrite(path, text); err != nil {
		return os.Remove(path) // a full disk, likely
	}
	return nil
}

// overwrite does not follow a link: the file lies in a directory that belongs to the server's user.
func overwrite(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
