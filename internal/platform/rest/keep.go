package rest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"crm/internal/platform/errs"
)

// kept is the body of a keyed request: it is fingerprinted before the request is
// done, and read again when its transaction is tried again.
type kept struct {
	print []byte
	raw   []byte
	file  *os.File // of an upload; its name is gone already, so a crash leaves nothing
}

// keep reads the body: into memory, or an upload into a file.
func keep(r *http.Request, route Route) (*kept, error) {
	limit := route.MaxBody
	if limit == 0 {
		limit = MaxBody
	}
	h := sha256.New()
	_, _ = io.WriteString(h, r.Method+"\n"+r.URL.RequestURI()+"\n")
	k := &kept{}
	if route.Upload {
		if err := k.spool(io.TeeReader(http.MaxBytesReader(nil, r.Body, limit), h)); err != nil {
			return nil, refusedBody(err, limit)
		}
	} else {
		raw, err := readUpTo(r, limit)
		if err != nil {
			return nil, err
		}
		_, _ = h.Write(raw)
		k.raw = raw
	}
	k.print = h.Sum(nil)
	return k, nil
}

func refusedBody(err error, limit int64) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return tooLarge(limit)
	}
	return errs.OfDisk(err)
}

func (k *kept) spool(body io.Reader) error {
	f, err := os.CreateTemp("", "crm-upload-*")
	if err != nil {
		return fmt.Errorf("keep an upload: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return errors.Join(fmt.Errorf("keep an upload: %w", err), f.Close())
	}
	if _, err := io.Copy(f, body); err != nil {
		return errors.Join(err, f.Close())
	}
	k.file = f
	return nil
}

// open gives the body from its beginning.
func (k *kept) open() (io.ReadCloser, error) {
	if k.file == nil {
		return io.NopCloser(bytes.NewReader(k.raw)), nil
	}
	_, err := k.file.Seek(0, io.SeekStart)
	return io.NopCloser(k.file), err
}

func (k *kept) close() {
	if k.file != nil {
		_ = k.file.Close()
	}
}
