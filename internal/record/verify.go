package record

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/secret"
)

// SealReport is what checking a tenant's journal against its seals found. The
// first break counts: what stands behind it can no longer be vouched for by the
// chain, though each seal is still checked by itself.
type SealReport struct {
	Rows     int64  `json:"rows"`     // rows that are as they were sealed
	Seals    int64  `json:"seals"`    // seals that hold
	Unsealed int64  `json:"unsealed"` // rows after the last seal
	HeadSeq  int64  `json:"head_seq"` // where the chain ends
	Head     string `json:"head"`     // the last seal's hash: compare it with an older report's
	Broken   int64  `json:"broken"`   // seals that do not hold
	BreakSeq int64  `json:"break_seq,omitempty"`
	Break    string `json:"break,omitempty"` // what is wrong at BreakSeq, for people
}

func (r *SealReport) fail(seq int64, format string, args ...any) {
	r.Broken++
	if r.Break == "" {
		r.BreakSeq, r.Break = seq, fmt.Sprintf(format, args...)
	}
}

// sealsAtOnce is how many seals are held in memory: a megabyte or so.
const sealsAtOnce = 50

// VerifySeals checks the whole journal of the actor's tenant. It reads all of it,
// some hundred thousand rows a second, in many short reads.
func (k *Kernel) VerifySeals(ctx context.Context, box *secret.Box) (*SealReport, error) {
	r := &SealReport{}
	var last seal
	for {
		seals, err := k.sealsAfter(ctx, last.To)
		if err != nil {
			return nil, err
		}
		for i := range seals {
			if err := k.verifySeal(ctx, box, &last, &seals[i], r); err != nil {
				return nil, err
			}
			last = seals[i]
		}
		if len(seals) < sealsAtOnce {
			break
		}
	}
	r.HeadSeq, r.Head = last.To, hex.EncodeToString(last.Hash)
	return r, k.verifyEnd(ctx, last.To, r)
}

func (k *Kernel) sealsAfter(ctx context.Context, to int64) ([]seal, error) {
	var out []seal
	err := k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `select `+sealColumns+` from journal_seals where tenant_id = app_tenant() and to_seq > $1 order by to_seq limit $2`, to, sealsAtOnce)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, pgx.RowToStructByPos[seal])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read seals: %w", err)
	}
	return out, nil
}

// verifySeal compares one seal with the rows it covers and the seal before it.
func (k *Kernel) verifySeal(ctx context.Context, box *secret.Box, last, s *seal, r *SealReport) error {
	var rows []sealedRow
	err := k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		rows, err = sealedRows(ctx, tx, last.To, s.To)
		return err
	})
	if err != nil {
		return err
	}
	if !bytes.Equal(s.Prev, last.Hash) {
		r.fail(s.From, "seals before this row are missing or were replaced")
		return nil
	}
	if seq, what := s.difference(rows); what != "" {
		r.fail(seq, "%s", what)
		return nil
	}
	switch err := box.CheckMark(sealFor, s.KeyID, s.body(auth.From(ctx).TenantID, rows), s.Hash); {
	case errors.Is(err, secret.ErrUnknownKey):
		r.fail(s.From, "sealed with key %s, which is not in CRM_SECRET_KEY; put the old key back at the end of the list", s.KeyID)
		return nil
	case err != nil:
		r.fail(s.From, "the seal over rows %d to %d is not ours", s.From, s.To)
		return nil
	}
	r.Seals++
	r.Rows += int64(len(rows))
	return nil
}

// difference names the first row that is not as the seal remembers it; "" when all
// are.
func (s *seal) difference(rows []sealedRow) (int64, string) {
	kept := slices.Collect(slices.Chunk(s.Digests, digestSize))
	for i, r := range rows {
		d := r.digest(s.From)
		switch {
		case r.seq < s.From || i >= len(kept) || bytes.Compare(d[:4], kept[i][:4]) < 0:
			return r.seq, "the row was added afterwards"
		case !bytes.Equal(d[:4], kept[i][:4]):
			return s.seqOf(kept[i]), "the row was removed"
		case !bytes.Equal(d, kept[i]):
			return r.seq, "the row was changed"
		}
	}
	if len(rows) < len(kept) {
		return s.seqOf(kept[len(rows)]), "the row was removed"
	}
	return 0, ""
}

func (s *seal) seqOf(digest []byte) int64 {
	return s.From + int64(digest[0])<<24 + int64(digest[1])<<16 + int64(digest[2])<<8 + int64(digest[3])
}

// verifyEnd looks behind the last seal: rows that wait for one, and whether the
// sealer has come further than the seals that are left.
func (k *Kernel) verifyEnd(ctx context.Context, to int64, r *SealReport) error {
	var sealed int64
	err := k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select (select count(*) from journal j where j.tenant_id = app_tenant() and j.seq > $1),
		  coalesce((select s.after_seq from journal_subscribers s where s.tenant_id = app_tenant() and s.name = $2), 0)`, to, sealer).Scan(&r.Unsealed, &sealed)
	})
	if err != nil {
		return fmt.Errorf("look behind the last seal: %w", err)
	}
	if sealed > to {
		r.fail(to+1, "seals up to row %d were removed", sealed)
	}
	return nil
}
