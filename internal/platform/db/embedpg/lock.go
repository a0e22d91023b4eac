package embedpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	lockWait = 10 * time.Second      // how long a start waits for a short command to finish with the cluster
	lockPoll = 50 * time.Millisecond // how often it looks
)

// parentLock is held by the one process that is the server's parent. The kernel drops it with the process, so it
// needs no cleaning up after a crash.
type parentLock struct{ file *os.File }

// tryLock takes the lock if it is free; (nil, nil) means somebody else has it.
func tryLock(l layout, me account) (*parentLock, error) {
	path := l.lock()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, lockRefused(l, me, err)
	}
	if err := l.keep(path, me); err != nil {
		return nil, errors.Join(fmt.Errorf("give lock %s to its keeper: %w", path, err), f.Close())
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, f.Close()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	held := &parentLock{file: f}
	return held, held.sign()
}

// sign writes our pid for the people who read the "in use" message; nothing decides by it.
func (l *parentLock) sign() error {
	if err := l.file.Truncate(0); err != nil {
		return errors.Join(fmt.Errorf("sign lock: %w", err), l.release())
	}
	if _, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		if errors.Is(err, syscall.ENOSPC) {
			return nil // a full disk must not keep an installation from starting to be cleaned up
		}
		return errors.Join(fmt.Errorf("sign lock: %w", err), l.release())
	}
	return nil
}

func (l *parentLock) release() error { return l.file.Close() }

// waitLock polls for the lock as long as a short-lived parent may plausibly hold it.
func waitLock(ctx context.Context, l layout, me account) (*parentLock, error) {
	deadline := time.Now().Add(lockWait)
	for {
		held, err := tryLock(l, me)
		if held != nil || err != nil {
			return held, err
		}
		if time.Now().After(deadline) {
			return nil, inUse(l, nil)
		}
		if err := pause(ctx, lockPoll); err != nil {
			return nil, inUse(l, err)
		}
	}
}

func inUse(l layout, cause error) error {
	holder := "another process"
	if b, err := os.ReadFile(l.lock()); err == nil && len(b) > 0 {
		holder = "process " + strings.TrimSpace(string(b))
	}
	return &Problem{
		Kind: ErrInUse, Cause: cause,
		What: holder + " already runs the database of " + l.root,
		Next: "stop that process first, or give this one another CRM_DATA_DIR",
	}
}

func lockRefused(l layout, me account, err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return diskFull(l.root, err)
	}
	if !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("open lock %s: %w", l.lock(), err)
	}
	for _, p := range []string{l.lock(), l.root} {
		if owner, exists, err := ownerOf(p); err == nil && exists && owner != me.uid {
			return foreign(p, owner, me)
		}
	}
	return &Problem{
		Kind: ErrOwner, Cause: err,
		What: l.root + " is not writable for " + me.name,
		Next: "make it writable, or set CRM_DATA_DIR to another directory",
	}
}

// pause waits, or returns early with the context's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
