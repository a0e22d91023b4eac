package embedpg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is an operating-system user as peer authentication and setuid need it.
type account struct {
	name     string
	uid, gid int
}

// currentAccount is who runs this process.
func currentAccount() (account, error) { return accountOf(os.Geteuid()) }

// accountOf looks a uid up. Peer authentication and initdb both need its name, so a uid without one (some container
// platforms) cannot run a cluster.
func accountOf(uid int) (account, error) {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return account{}, &Problem{
			Kind: ErrNoUser, Cause: err,
			What: fmt.Sprintf("user id %d has no name in /etc/passwd, and PostgreSQL needs one", uid),
			Next: "run as a named user, or set CRM_DATABASE_URL to a server you run yourself",
		}
	}
	return parseAccount(u)
}

func parseAccount(u *user.User) (account, error) {
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return account{}, fmt.Errorf("read uid of %s: %w", u.Username, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return account{}, fmt.Errorf("read gid of %s: %w", u.Username, err)
	}
	return account{name: u.Username, uid: uid, gid: gid}, nil
}

// serverAccount decides who the server runs as. PostgreSQL refuses root, and refuses a data directory that is not
// its own; so root becomes the owner of existing data, else of the directory around it, else postgres, else nobody.
// Everybody else stays who they are.
func serverAccount(me, keeper account, dataDir string) (account, error) {
	owner, exists, err := ownerOf(dataDir)
	if err != nil {
		return account{}, err
	}
	if me.uid != 0 {
		if exists && owner != me.uid {
			return account{}, foreign(dataDir, owner, me)
		}
		return me, nil
	}
	if exists && owner != 0 {
		return accountOf(owner)
	}
	if keeper.uid != 0 {
		if a, err := accountOf(keeper.uid); err == nil {
			return a, nil
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			return parseAccount(u)
		}
	}
	return account{}, &Problem{
		Kind: ErrNoUser,
		What: "PostgreSQL does not run as root, and there is neither a user postgres nor nobody",
		Next: "start the program as an ordinary user",
	}
}

// keeperOf is whom our own files in the data directory belong to. Root may work in somebody else's directory, a command now
// and then; what it creates there goes to that user, who could not start the program any more otherwise.
func keeperOf(root string, me account) (account, error) {
	if me.uid != 0 {
		return me, nil
	}
	info, err := os.Stat(root)
	if err != nil {
		return account{}, fmt.Errorf("look at %s: %w", root, err)
	}
	o := statOf(info)
	return account{uid: o.uid, gid: o.gid}, nil
}

// ownerOf tells whose a path is. A path hidden behind a directory we may not enter counts as not existing: whoever
// creates it next gets the clear error.
func ownerOf(path string) (uid int, exists bool, err error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("look at %s: %w", path, err)
	}
	return statOf(info).uid, true, nil
}

type owner struct{ uid, gid int }

func statOf(info fs.FileInfo) owner {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return owner{uid: int(st.Uid), gid: int(st.Gid)}
	}
	return owner{uid: -1, gid: -1}
}

func foreign(path string, owner int, me account) error {
	name := strconv.Itoa(owner)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	return &Problem{
		Kind: ErrOwner,
		What: fmt.Sprintf("%s belongs to user %s, and this program runs as %s", path, name, me.name),
		Next: fmt.Sprintf("run it as %s or as root, or set CRM_DATA_DIR to a directory of your own", name),
	}
}

// blockedBy finds the first ancestor of dir that the account may not pass through, "" if the mode bits allow all. It
// only words an error that was met already, so it need not know about access control lists.
func blockedBy(dir string, who account) string {
	blocked := ""
	for p := dir; ; p = filepath.Dir(p) {
		if info, err := os.Stat(p); err == nil && !mayEnter(info, who) {
			blocked = p
		}
		if p == filepath.Dir(p) {
			return blocked
		}
	}
}

func mayEnter(info fs.FileInfo, who account) bool {
	o, mode := statOf(info), info.Mode().Perm()
	switch {
	case o.uid == who.uid:
		return mode&0o100 != 0
	case o.gid == who.gid:
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}
