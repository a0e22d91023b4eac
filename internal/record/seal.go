package record

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/secret"
)

// The journal is sealed in batches: a subscriber hashes the rows after the last
// seal and marks the hash, together with the mark before it, with a key made of
// CRM_SECRET_KEY. Who may write to the database but does not know that key cannot
// change, remove or slip in a row below the last seal without VerifySeals telling;
// not even by sealing anew. What it cannot tell: rows younger than the last seal
// (about a minute), and a database that was put back whole to an earlier state;
// compare the heads of two reports for that.
const (
	sealer     = "seal"
	sealRows   = 1000
	sealWait   = time.Minute
	sealFor    = "journal seal v1" // purpose of the key
	digestSize = 12                // 4 bytes of seq, counted from the seal's first, 8 of the row's hash
)

// Seal adds the subscriber that seals the journal; at start-up only.
func (k *Kernel) Seal(box *secret.Box) {
	k.Subscribe(Subscriber{Name: sealer, Batch: sealRows, Wait: sealWait, Bare: true, Handle: func(ctx context.Context, entries []Entry) error {
		return k.seal(ctx, box, entries[len(entries)-1].Seq)
	}})
}

// seal is one link of the chain.
type seal struct {
	From, To int64
	Rows     int
	Digests  []byte
	Prev     []byte
	Hash     []byte
	KeyID    string
}

const sealColumns = "from_seq, to_seq, rows, digests, prev_hash, hash, key_id"

// seal covers the rows after the last seal up to a seq, which must be settled.
func (k *Kernel) seal(ctx context.Context, box *secret.Box, to int64) error {
	tenant := auth.From(ctx).TenantID
	return k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var last seal
		err := tx.QueryRow(ctx, `select to_seq, hash from journal_seals where tenant_id = app_tenant() order by to_seq desc limit 1`).Scan(&last.To, &last.Hash)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("read last seal: %w", err)
		}
		rows, err := sealedRows(ctx, tx, last.To, to)
		if err != nil || len(rows) == 0 {
			return err
		}
		s := newSeal(last.Hash, rows)
		s.KeyID, s.Hash = box.Mark(sealFor, s.body(tenant, rows))
		_, err = tx.Exec(ctx, `insert into journal_seals (tenant_id, from_seq, to_seq, rows, digests, prev_hash, hash, key_id, at) values (app_tenant(), $1, $2, $3, $4, $5, $6, $7, $8)`,
			s.From, s.To, s.Rows, s.Digests, s.Prev, s.Hash, s.KeyID, k.Now().UTC())
		if err != nil {
			return fmt.Errorf("write seal: %w", err)
		}
		return nil
	})
}

func newSeal(prev []byte, rows []sealedRow) *seal {
	s := &seal{From: rows[0].seq, To: rows[len(rows)-1].seq, Rows: len(rows), Prev: prev}
	if prev == nil {
		s.Prev = []byte{}
	}
	for _, r := range rows {
		s.Digests = append(s.Digests, r.digest(s.From)...)
	}
	return s
}

// body is what the mark vouches for: the tenant, the place in the chain, and every
// byte of every row.
func (s *seal) body(tenant uuid.UUID, rows []sealedRow) []byte {
	all := sha256.New()
	for _, r := range rows {
		all.Write(r.hash[:])
	}
	b := append([]byte(nil), tenant[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(s.From)) //nolint:gosec // seqs are positive
	b = binary.BigEndian.AppendUint64(b, uint64(s.To))   //nolint:gosec // seqs are positive
	b = binary.BigEndian.AppendUint64(b, uint64(s.Rows)) //nolint:gosec // a count
	b = appendPart(b, s.Prev)
	b = appendPart(b, s.Digests)
	return all.Sum(b)
}

// sealedRow is a journal row reduced to its hash.
type sealedRow struct {
	seq  int64
	hash [sha256.Size]byte
}

// digest is the row's short form in its seal, by which a broken seal names the row.
func (r *sealedRow) digest(from int64) []byte {
	d := binary.BigEndian.AppendUint32(nil, uint32(r.seq-from)) //nolint:gosec // a seal spans at most 1,000 rows of the tenant and what others wrote meanwhile; a wrap only blurs the name
	return append(d, r.hash[:digestSize-4]...)
}

// sealedColumns are all columns a row can be told apart by, as texts; times in
// microseconds, so that no session setting changes the bytes. xid is left out: a
// restored dump may renumber it.
const sealedColumns = `j.seq, (extract(epoch from j.at) * 1000000)::bigint::text, j.actor_kind, j.actor_id::text, j.actor_name, j.via, j.request_id, j.cause_seq::text,
  j.depth::text, j.batch_id::text, j.object, j.record_id::text, j.action, j.changes::text, j.data::text`

// querier is a transaction, for reads that belong to none of the kernel's own.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// sealedRows hashes the tenant's rows after one seq up to another.
func sealedRows(ctx context.Context, tx querier, after, to int64) ([]sealedRow, error) {
	rows, err := tx.Query(ctx, `select `+sealedColumns+` from journal j where j.tenant_id = app_tenant() and j.seq > $1 and j.seq <= $2 order by j.seq`, after, to)
	if err != nil {
		return nil, fmt.Errorf("read rows to seal: %w", err)
	}
	out, err := pgx.CollectRows(rows, scanSealed)
	if err != nil {
		return nil, fmt.Errorf("read rows to seal: %w", err)
	}
	return out, nil
}

func scanSealed(row pgx.CollectableRow) (sealedRow, error) {
	var r sealedRow
	texts := make([]*string, 14)
	dst := []any{&r.seq}
	for i := range texts {
		dst = append(dst, &texts[i])
	}
	if err := row.Scan(dst...); err != nil {
		return r, err
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(r.seq)) //nolint:gosec // seqs are positive
	for _, t := range texts {
		if t == nil {
			b = append(b, 0)
			continue
		}
		b = appendPart(append(b, 1), []byte(*t))
	}
	r.hash = sha256.Sum256(b)
	return r, nil
}

// appendPart writes a length before the bytes: without it two parts could trade
// their border unseen.
func appendPart(dst, part []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(len(part)))
	return append(dst, part...)
}
