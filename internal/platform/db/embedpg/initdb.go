package embedpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// command prepares a server program to run as srv with a clean environment: no PG* variable of ours may steer it, and
// LC_ALL=C keeps its messages in the words fromOutput knows.
func command(ctx context.Context, bin binaries, me, srv account, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, bin.path(program), args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	// Its own process group: Ctrl-C in a terminal is for us, and we stop the server in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if me.uid == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(srv.uid), Gid: uint32(srv.gid)}
	}
	return cmd
}

// checkReach tries what the server will do first: become its user and enter our directory. As root only, others run
// the server as themselves.
func checkReach(ctx context.Context, bin binaries, l layout, me, srv account) error {
	if me.uid != 0 {
		return nil
	}
	err := command(ctx, bin, me, srv, l.home, "postgres", "--version").Run()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EPERM):
		return &Problem{
			Kind: ErrNoUser, Cause: err,
			What: "PostgreSQL does not run as root, and this root may not become user " + srv.name,
			Next: "start the program as an ordinary user",
		}
	case errors.Is(err, fs.ErrPermission):
		return unreachable(bin, l, srv, err)
	}
	return fmt.Errorf("try the server as user %s: %w", srv.name, err)
}

func unreachable(bin binaries, l layout, srv account, err error) error {
	for _, dir := range []string{l.home, bin.dir} {
		if at := blockedBy(dir, srv); at != "" {
			return &Problem{
				Kind: ErrUnreachable, Cause: err,
				What: fmt.Sprintf("as root the database runs as user %s, who may not pass through %s", srv.name, at),
				Next: "set CRM_DATA_DIR to a directory outside it, for example /var/lib/crm",
			}
		}
	}
	return &Problem{
		Kind: ErrUnreachable, Cause: err,
		What: fmt.Sprintf("as root the database runs as user %s, who may not enter %s", srv.name, l.home),
		Next: "set CRM_DATA_DIR to a directory open to that user, for example /var/lib/crm",
	}
}

// ensureCluster creates the cluster if there is none. It is made aside and renamed when whole, so a half-made one is
// never mistaken for data.
func ensureCluster(ctx context.Context, bin binaries, l layout, me, srv account, unsafe bool) error {
	if major, err := l.dataMajor(); major != 0 || err != nil {
		return err
	}
	if err := refuseStrangeData(l); err != nil {
		return err
	}
	if err := checkRoom(l.home); err != nil {
		return err
	}
	fresh := l.data + ".init"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("remove unfinished cluster: %w", err)
	}
	if err := ownedDir(fresh, me, srv); err != nil {
		return err
	}
	if err := initdb(ctx, bin, fresh, me, srv, unsafe); err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	return adopt(fresh, l.data)
}

// refuseStrangeData keeps us from creating a cluster in the place of something that is there but is not one: it may be
// what is left of somebody's data.
func refuseStrangeData(l layout) error {
	entries, err := os.ReadDir(l.data)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look into %s: %w", l.data, err)
	}
	if len(entries) == 0 {
		return os.Remove(l.data)
	}
	return &Problem{
		Kind: ErrServer,
		What: l.data + " has files in it but is not a database (PG_VERSION is missing)",
		Next: "restore it from a backup, or move it away to begin with an empty one",
	}
}

func initdb(ctx context.Context, bin binaries, dir string, me, srv account, unsafe bool) error {
	args := []string{
		"-D", dir, "-U", superuser, "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums",
		"--auth-local=peer", "--auth-host=reject", "--no-instructions",
	}
	if unsafe {
		args = append(args, "--no-sync")
	}
	// The parent-death signal follows the thread that forked, so this goroutine keeps its thread meanwhile.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := command(ctx, bin, me, srv, filepath.Dir(dir), "initdb", args...)
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("create the database cluster: %w", ctx.Err())
	}
	return fromOutput("initdb", dir, string(out), err)
}

// adopt renames the finished cluster into place and makes the rename itself durable.
func adopt(fresh, data string) error {
	if err := os.Rename(fresh, data); err != nil {
		return fmt.Errorf("put the new cluster in place: %w", err)
	}
	dir, err := os.Open(filepath.Dir(data))
	if err != nil {
		return fmt.Errorf("put the new cluster in place: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}
