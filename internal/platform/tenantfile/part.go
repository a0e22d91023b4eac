package tenantfile

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	"crm/internal/platform/errs"
)

// A batch of rows is sent to the database when it reaches one of these.
const (
	batchRows  = 500
	batchBytes = 4 << 20
	maxLine    = 256 << 20 // what PostgreSQL takes as one JSON value
)

func damaged(part string) error {
	return errs.New(errs.Invalid, "damaged_file", "The file is damaged: %s is not as it was written. Export again.", part)
}

// read returns a small part.
func (f *File) read(name string, limit int64) ([]byte, error) {
	r, err := f.zip.Open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, limit))
}

// lines hands the rows of a part to fn as JSON arrays, and fails when their number or
// their hash is not what the manifest says: then the caller's transaction must not
// commit.
func (f *File) lines(p Part, fn func(batch []byte) error) error {
	r, err := f.zip.Open(partName(p.Table))
	if err != nil {
		return damaged(p.Table)
	}
	defer r.Close()
	hash := sha256.New()
	in := bufio.NewReaderSize(io.TeeReader(r, hash), 256<<10)
	var rows int64
	b := batcher{send: fn}
	for {
		line, err := readLine(in)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errors.Join(damaged(p.Table), err)
		}
		rows++
		if err := b.add(line); err != nil {
			return err
		}
	}
	if rows != p.Rows || hex.EncodeToString(hash.Sum(nil)) != p.SHA256 {
		return damaged(p.Table)
	}
	return b.flush()
}

// readLine returns a line without its end.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		piece, err := in.ReadSlice('\n')
		line = append(line, piece...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case errors.Is(err, bufio.ErrBufferFull) && len(line) < maxLine:
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, io.ErrUnexpectedEOF // every line was ended
		default:
			return nil, err
		}
	}
}

// batcher gathers lines into JSON arrays.
type batcher struct {
	send func([]byte) error
	buf  []byte
	rows int
}

func (b *batcher) add(line []byte) error {
	if b.rows == 0 {
		b.buf = append(b.buf[:0], '[')
	} else {
		b.buf = append(b.buf, ',')
	}
	b.buf = append(b.buf, line...)
	b.rows++
	if b.rows < batchRows && len(b.buf) < batchBytes {
		return nil
	}
	return b.flush()
}

func (b *batcher) flush() error {
	if b.rows == 0 {
		return nil
	}
	b.rows = 0
	return b.send(append(b.buf, ']'))
}
