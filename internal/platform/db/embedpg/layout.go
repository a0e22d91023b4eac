package embedpg

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const (
	lockName   = "postgres.lock"
	socketPort = 5432 // names the socket file only, no TCP port is opened
	// maxSocketPath is what fits into sockaddr_un with its final NUL.
	maxSocketPath = 107
	// roomForInit is what a new cluster takes (about 40 MB) plus its first log segments.
	roomForInit = 128 << 20
)

// layout is where the parts of one cluster lie. All paths are absolute and free of symbolic links.
type layout struct {
	root string // Config.Dir
	home string // root/postgres, ours: server configuration, entered but not written by the server
	data string // home/data, PGDATA

	keeper account // owner of root, and of what we create beside the server's own; has no name
}

// newLayout creates the data directory if need be and resolves it.
func newLayout(dir string, me account) (layout, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return layout{}, fmt.Errorf("resolve data directory %s: %w", dir, err)
	}
	if err := makePassable(abs); err != nil {
		return layout{}, refusedDir(abs, me, err)
	}
	root, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return layout{}, refusedDir(abs, me, err)
	}
	keeper, err := keeperOf(root, me)
	if err != nil {
		return layout{}, err
	}
	home := filepath.Join(root, "postgres")
	return layout{root: root, home: home, data: filepath.Join(home, "data"), keeper: keeper}, nil
}

// makePassable creates a directory that the server's user can pass through on its way to its own, without listing
// ours. An existing one keeps the mode its owner chose.
func makePassable(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return err
	}
	return os.Chmod(dir, 0o711) // whatever the umask took away
}

func (l layout) lock() string    { return filepath.Join(l.root, lockName) }
func (l layout) pidFile() string { return filepath.Join(l.data, "postmaster.pid") }

// dataMajor reads which PostgreSQL wrote the cluster, 0 when there is none yet.
func (l layout) dataMajor() (int, error) {
	b, err := os.ReadFile(filepath.Join(l.data, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read version of the cluster: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0, fmt.Errorf("read version of the cluster in %s: %w", l.data, err)
	}
	return major, nil
}

// prepareHome makes the directory that holds configuration and data. It stays ours even when the server runs as
// somebody else, so that a compromised server cannot lead root's writes astray through a symbolic link.
func (l layout) prepareHome(me account) error {
	if err := makePassable(l.home); err != nil {
		return refusedDir(l.home, me, err)
	}
	info, err := os.Lstat(l.home)
	if err != nil {
		return refusedDir(l.home, me, err)
	}
	if uid := statOf(info).uid; !info.IsDir() || (uid != me.uid && me.uid != 0) {
		return foreign(l.home, uid, me)
	}
	return l.keep(l.home, me)
}

// keep gives a path we made as root to the keeper of the directory.
func (l layout) keep(path string, me account) error {
	if me.uid != 0 {
		return nil
	}
	return os.Lchown(path, l.keeper.uid, l.keeper.gid)
}

// adoptData gives a cluster that root copied here (a restored backup, say) to the server's user.
func (l layout) adoptData(srv account) error {
	uid, exists, err := ownerOf(l.data)
	if err != nil || !exists || uid == srv.uid {
		return err
	}
	return filepath.WalkDir(l.data, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("give %s to %s: %w", l.data, srv.name, err)
		}
		return os.Lchown(path, srv.uid, srv.gid)
	})
}

// ownedDir makes dir, mode 0700, belonging to the server's user. An existing one must already be that, and be no link.
func ownedDir(dir string, me, srv account) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		return os.Lchown(dir, srv.uid, srv.gid)
	}
	if !errors.Is(err, fs.ErrExist) {
		return refusedDir(dir, me, err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("look at %s: %w", dir, err)
	}
	if !info.IsDir() || info.Mode().Perm() != 0o700 {
		return &Problem{Kind: ErrSocket, What: dir + " is not a private directory", Next: "remove it and start again"}
	}
	if uid := statOf(info).uid; uid != srv.uid {
		return foreign(dir, uid, srv)
	}
	return nil
}

// socketDir chooses where the socket lies: beside the data, or, when that path would not do as a socket's address, in a
// short private directory named after the data directory.
func (l layout) socketDir(me, srv account) (string, error) {
	dir := filepath.Join(l.home, "run")
	if fitsSocket(dir) {
		return dir, ownedDir(dir, me, srv)
	}
	sum := sha256.Sum256([]byte(l.home))
	name := fmt.Sprintf("crm-pg-%d-%s", srv.uid, hex.EncodeToString(sum[:6]))
	dir = filepath.Join(shortBase(me, len(name)), name)
	return dir, ownedDir(dir, me, srv)
}

// shortBase prefers the user's own runtime directory. Root's is closed to the server's user, so root takes /tmp, whose
// sticky bit keeps others from replacing what ownedDir has checked.
func shortBase(me account, nameLen int) string {
	base := os.Getenv("XDG_RUNTIME_DIR")
	if me.uid == 0 || !filepath.IsAbs(base) || !fitsSocket(filepath.Join(base, strings.Repeat("x", nameLen))) {
		return "/tmp"
	}
	if info, err := os.Stat(base); err != nil || !info.IsDir() || statOf(info).uid != me.uid {
		return "/tmp"
	}
	return base
}

// fitsSocket also refuses a comma, which separates hosts in a connection string.
func fitsSocket(dir string) bool {
	return len(filepath.Join(dir, socketName())) <= maxSocketPath && !strings.Contains(dir, ",")
}

func socketName() string { return ".s.PGSQL." + strconv.Itoa(socketPort) }

// checkRoom refuses to create a cluster where it could not even be written.
func checkRoom(dir string) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return fmt.Errorf("measure free space of %s: %w", dir, err)
	}
	if free := st.Bavail * uint64(st.Bsize); free < roomForInit {
		return &Problem{
			Kind: ErrDiskFull,
			What: fmt.Sprintf("a new database needs %d MB, and the disk that holds %s has %d MB left", roomForInit>>20, dir, free>>20),
			Next: "free some space there, or set CRM_DATA_DIR to another disk",
		}
	}
	return nil
}

func refusedDir(dir string, me account, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return diskFull(dir, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return &Problem{
			Kind: ErrOwner, Cause: err,
			What: me.name + " may not create " + dir,
			Next: "create it for that user, or set CRM_DATA_DIR to a directory of your own",
		}
	}
	return fmt.Errorf("create %s: %w", dir, err)
}

// dropSocketDir removes the short directory a long path made necessary; the one beside the data may stay.
func (l layout) dropSocketDir(dir string) error {
	if filepath.Dir(dir) == l.home {
		return nil
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove socket directory: %w", err)
	}
	return nil
}
