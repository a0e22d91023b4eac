package record

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// cell is one column of one row as PostgreSQL sent it. Decoding the wire format
// here, instead of through reflection, is what keeps a 40-column read cheap.
// raw is only valid until the next row, so every decoder copies.
type cell struct {
	raw    []byte
	binary bool
}

func (c cell) null() bool { return c.raw == nil }

func (c cell) text() string { return string(c.raw) }

func (c cell) int64() int64 {
	if !c.binary {
		n, _ := strconv.ParseInt(string(c.raw), 10, 64)
		return n
	}
	switch len(c.raw) {
	case 8:
		return int64(binary.BigEndian.Uint64(c.raw))
	case 4:
		return int64(int32(binary.BigEndian.Uint32(c.raw)))
	}
	return int64(int16(binary.BigEndian.Uint16(c.raw)))
}

func (c cell) float64() float64 {
	if !c.binary {
		f, _ := strconv.ParseFloat(string(c.raw), 64)
		return f
	}
	return math.Float64frombits(binary.BigEndian.Uint64(c.raw))
}

func (c cell) bool() bool {
	if c.binary {
		return c.raw[0] != 0
	}
	return c.raw[0] == 't'
}

func (c cell) uuid() uuid.UUID {
	if c.binary {
		return uuid.UUID(c.raw)
	}
	u, _ := uuid.Parse(string(c.raw))
	return u
}

// postgresEpoch is 2000-01-01, the zero of the binary time formats.
var postgresEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (c cell) time() time.Time {
	if !c.binary {
		t, _ := time.Parse("2006-01-02 15:04:05.999999-07", string(c.raw))
		return t.UTC()
	}
	micros := int64(binary.BigEndian.Uint64(c.raw))
	return postgresEpoch.Add(time.Duration(micros/1e6) * time.Second).Add(time.Duration(micros%1e6) * time.Microsecond)
}

func (c cell) date() time.Time {
	if !c.binary {
		t, _ := time.Parse(time.DateOnly, string(c.raw))
		return t
	}
	return postgresEpoch.AddDate(0, 0, int(int32(binary.BigEndian.Uint32(c.raw))))
}

// json returns the document; binary jsonb starts with a version byte.
func (c cell) json() []byte {
	raw := c.raw
	if c.binary && len(raw) > 0 && raw[0] == 1 {
		raw = raw[1:]
	}
	return append([]byte(nil), raw...)
}

// texts decodes a one-dimensional text[] in the binary array format.
func (c cell) texts() []string {
	b := c.raw
	if len(b) < 20 || binary.BigEndian.Uint32(b) == 0 {
		return nil
	}
	n := int(binary.BigEndian.Uint32(b[12:]))
	b = b[20:]
	out := make([]string, 0, n)
	for range n {
		size := int32(binary.BigEndian.Uint32(b))
		b = b[4:]
		if size < 0 {
			continue
		}
		out = append(out, string(b[:size]))
		b = b[size:]
	}
	return out
}

// cells views the current row of rows.
func cells(rows pgx.Rows, buf []cell) []cell {
	raw := rows.RawValues()
	fds := rows.FieldDescriptions()
	buf = buf[:0]
	for i, r := range raw {
		buf = append(buf, cell{raw: r, binary: fds[i].Format == 1})
	}
	return buf
}
