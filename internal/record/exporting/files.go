package exporting

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// Files keeps what was exported until it expires. Names are slash-separated and made
// by this package, never taken from a request.
type Files interface {
	Create(ctx context.Context, name string) (io.WriteCloser, error)
	// Open of an absent file is fs.ErrNotExist.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// Remove of an absent file is no error.
	Remove(ctx context.Context, name string) error
}

// Dir is Files in a local directory; nothing outside of it can be reached, not even
// over a symbolic link.
type Dir struct {
	root *os.Root
}

// OpenDir makes the directory if needed and opens it.
func OpenDir(dir string) (*Dir, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory for exports: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the directory for exports: %w", err)
	}
	return &Dir{root: root}, nil
}

// Close releases the directory.
func (d *Dir) Close() error { return d.root.Close() }

// Create makes the file anew and its folder with it.
func (d *Dir) Create(_ context.Context, name string) (io.WriteCloser, error) {
	if err := d.root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for the export: %w", err)
	}
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create the file of the export: %w", err)
	}
	return f, nil
}

// Open opens the file for reading.
func (d *Dir) Open(_ context.Context, name string) (io.ReadCloser, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open the file of the export: %w", err)
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
