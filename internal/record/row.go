package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"sync/atomic"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
)

// row is a record as the cache keeps it: its columns as PostgreSQL sent them, one
// after the other, and what it takes to say who may see it. Every reader decodes a
// Record of his own, so nobody can change what others read. It is immutable.
type row struct {
	packed      []byte
	version     int64
	owner, team uuid.UUID // zero when empty
	shown       atomic.Pointer[Shown]
}

// Shown is a record as the API shows it whole, to be written as it is.
type Shown struct {
	ETag    string
	Deleted bool
	Moves   bool   // some of its values move without a new version, so the ETag says little
	JSON    []byte // with a line feed; not to be changed

	def *Definition // with the tenant's own fields, which say what is shown
}

// Flags in the low bits of a column's length.
const (
	cellPresent = 1 << iota
	cellBinary
	cellFlags = iota
)

// pack copies the current cells, which live until the next row only.
func (d *Definition) pack(cells []cell) *row {
	size := 0
	for _, c := range cells {
		size += 3 + len(c.raw)
	}
	packed := make([]byte, 0, size)
	for _, c := range cells {
		head := uint64(len(c.raw)) << cellFlags
		if c.raw != nil {
			head |= cellPresent
		}
		if c.binary {
			head |= cellBinary
		}
		packed = append(binary.AppendUvarint(packed, head), c.raw...)
	}
	return d.describe(packed, cells)
}

// describe reads what the row tells about itself.
func (d *Definition) describe(packed []byte, cells []cell) *row {
	r := &row{packed: packed, version: cells[d.at("version")].int64()}
	if c := cells[d.at("owner_id")]; !c.null() {
		r.owner = c.uuid()
	}
	if c := cells[d.at("team_id")]; !c.null() {
		r.team = c.uuid()
	}
	return r
}

// at is the first column of a field that every object has.
func (d *Definition) at(field string) int {
	if d.whole != nil {
		d = d.whole
	}
	return d.offsets[d.byName[field].pos]
}

var errRow = errors.New("not a row of this object")

// unpack views the columns of a packed row. It trusts nothing: the bytes may come
// from Redis.
func (d *Definition) unpack(packed []byte, buf []cell) ([]cell, error) {
	buf = buf[:0]
	for range d.columns {
		head, n := binary.Uvarint(packed)
		size := head >> cellFlags
		if n <= 0 || uint64(len(packed)-n) < size {
			return nil, errRow
		}
		c := cell{binary: head&cellBinary != 0}
		if head&cellPresent != 0 {
			c.raw = packed[n : n+int(size) : n+int(size)] //nolint:gosec // not more than there is
		}
		buf, packed = append(buf, c), packed[n+int(size):] //nolint:gosec // as above
	}
	if len(packed) > 0 {
		return nil, errRow
	}
	return buf, nil
}

// readRow is the row of bytes that were packed by any process of this layout.
func (d *Definition) readRow(packed []byte) (*row, error) {
	cells, err := d.unpack(packed, make([]cell, 0, len(d.columns)))
	if err != nil {
		return nil, err
	}
	if v := cells[d.at("version")]; v.null() || cells[d.at("id")].null() {
		return nil, errRow
	}
	return d.describe(packed, cells), nil
}

// record decodes the row.
func (r *row) record(d *Definition) (*Record, error) {
	cells, err := d.unpack(r.packed, make([]cell, 0, len(d.columns)))
	if err != nil {
		return nil, fmt.Errorf("decode a cached %s: %w", d.Name, err)
	}
	return d.scan(cells), nil
}

// show writes the row for the API, once for as long as the fields stay as they are.
func (r *row) show(d *Definition) (*Shown, error) {
	if s := r.shown.Load(); s != nil && s.def == d {
		return s, nil
	}
	rec, err := r.record(d)
	if err != nil {
		return nil, err
	}
	s := rec.show()
	if !d.Narrowed() { // most see it whole: roles with limits would push that out
		r.shown.Store(s)
	}
	return s, nil
}

func (r *Record) show() *Shown {
	return &Shown{
		ETag: `"` + strconv.FormatInt(r.Version(), 10) + `"`, Deleted: r.Deleted(), Moves: r.Def.RollsUp(), def: r.Def,
		JSON: append(r.AppendJSON(make([]byte, 0, 1024), nil, nil), '\n'),
	}
}

func (r *row) visible(a *auth.Actor, scope auth.Scope, d *Definition) bool {
	if d.Shared && a.Kind != auth.System {
		rec, err := r.record(d)
		return err == nil && sharedWith(a, rec)
	}
	return !d.Owned || reaches(a, scope, r.owner, r.team)
}

// weight is what a row costs in memory: packed, as JSON, and the bookkeeping.
func (r *row) weight() uint32 { return uint32(len(r.packed))*3 + 400 } //nolint:gosec // rows are far below 1 GB

// fingerprint tells the columns of an object apart from those of another release, which
// may share the Redis with this one for as long as an upgrade takes.
func (d *Definition) fingerprint() string {
	h := fnv.New64a()
	for _, f := range d.Fields {
		fmt.Fprint(h, f.columns(), f.Type.Columns())
	}
	return fmt.Sprintf("%x", h.Sum64())
}
