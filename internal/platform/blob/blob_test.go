package blob_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"crm/internal/platform/blob"
)

func TestDir(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	d, err := blob.OpenDir(filepath.Join(at, "files"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	ctx := t.Context()
	w, err := d.Create(ctx, "tenant/one.csv")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "a,b\n"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := d.Open(ctx, "tenant/one.csv")
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := io.ReadAll(r); err != nil || string(raw) != "a,b\n" || r.Close() != nil {
		t.Errorf("read %q, %v", raw, err)
	}
	seen := ""
	err = d.Each(ctx, func(folder, name string, modified time.Time) error {
		seen += folder + "|" + name
		if modified.IsZero() {
			t.Error("no time")
		}
		return nil
	})
	if err != nil || seen != "tenant|one.csv" {
		t.Errorf("saw %q, %v", seen, err)
	}
	for range 2 {
		if err := d.Remove(ctx, "tenant/one.csv"); err != nil {
			t.Error(err)
		}
	}
	if _, err := d.Open(ctx, "tenant/one.csv"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
}

// TestNothingOutsideIsReached, by no name and over no link.
func TestNothingOutsideIsReached(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	if err := os.WriteFile(filepath.Join(at, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := blob.OpenDir(filepath.Join(at, "files"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := os.Symlink(filepath.Join(at, "secret"), filepath.Join(at, "files", "link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../secret", "link", filepath.Join(at, "secret")} {
		if _, err := d.Open(context.Background(), name); err == nil {
			t.Errorf("%s was opened", name)
		}
		if w, err := d.Create(context.Background(), name); err == nil {
			_ = w.Close()
			t.Errorf("%s was written", name)
		}
	}
}
