// Package blob keeps files that belong to rows: uploads until they are worked off,
// exports until they expire.
//
// A Store is small enough to stand for a bucket as well as for a directory. Names are
// slash-separated and made by the program, never taken from a request. A file is whole
// and on the disk when Create's writer was closed without an error: the row that tells
// of it is committed after that, and must not outlive it in a power cut.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"
)

// Store keeps files.
type Store interface {
	// Create makes the file anew.
	Create(ctx context.Context, name string) (io.WriteCloser, error)
	// Open of an absent file is fs.ErrNotExist.
	Open(ctx context.Context, name string) (io.ReadSeekCloser, error)
	// Remove of an absent file is no error.
	Remove(ctx context.Context, name string) error
	// Each tells of every file: its folder, its name in there, and when it was written.
	Each(ctx context.Context, fn func(folder, name string, modified time.Time) error) error
}

// Dir is a Store in a local directory; nothing outside of it can be reached, not even
// over a symbolic link.
type Dir struct {
	root *os.Root
}

// OpenDir makes the directory if needed and opens it.
func OpenDir(dir string) (*Dir, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory %s: %w", dir, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the directory %s: %w", dir, err)
	}
	return &Dir{root: root}, nil
}

// Close releases the directory.
func (d *Dir) Close() error { return d.root.Close() }

// Create makes the file anew and its folder with it.
func (d *Dir) Create(_ context.Context, name string) (io.WriteCloser, error) {
	if err := d.root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of %s: %w", name, err)
	}
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	return synced{f}, nil
}

// synced reaches the disk before Close returns.
type synced struct{ *os.File }

func (s synced) Close() error { return errors.Join(s.Sync(), s.File.Close()) }

// Open opens the file for reading.
func (d *Dir) Open(_ context.Context, name string) (io.ReadSeekCloser, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return f, nil
}

// Remove deletes the file.
func (d *Dir) Remove(_ context.Context, name string) error {
	err := d.root.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Each walks the folders; a file that goes meanwhile is passed over.
func (d *Dir) Each(ctx context.Context, fn func(folder, name string, modified time.Time) error) error {
	return fs.WalkDir(d.root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case entry.IsDir():
			return nil
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return fn(path.Dir(name), path.Base(name), info.ModTime())
	})
}
