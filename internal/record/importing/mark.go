package importing

import (
	"context"
	"hash/fnv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
)

const (
	sqlMark     = `insert into import_marks (tenant_id, import_id, mark) select $1, $2, unnest($3::bigint[]) on conflict do nothing`
	sqlMarked   = `select mark from import_marks where tenant_id = $1 and import_id = $2 and mark = any($3)`
	sqlDropMark = `delete from import_marks where tenant_id = $1 and import_id = $2`
)

// unwritten stands for a record that an earlier chunk of the dry run made and took back.
var unwritten = uuid.Max

// markOf is 64 bits of a unique value: among a million rows two different ones collide
// once in thirty million dry runs.
func markOf(s string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return int64(h.Sum64())
}

// marked tells which values earlier chunks of a dry run would have written.
func (at *attempt) marked(ctx context.Context, values []string) (map[string]bool, error) {
	out := map[string]bool{}
	if !at.imp.DryRun || at.imp.Read == 0 || len(values) == 0 {
		return out, nil
	}
	marks := make([]int64, len(values))
	for i, v := range values {
		marks[i] = markOf(v)
	}
	rows, err := at.tx.Query(ctx, sqlMarked, auth.From(ctx).TenantID, at.imp.ID, marks)
	if err != nil {
		return nil, err
	}
	have := map[int64]bool{}
	var m int64
	if _, err := pgx.ForEachRow(rows, []any{&m}, func() error { have[m] = true; return nil }); err != nil {
		return nil, err
	}
	for i, v := range values {
		out[v] = have[marks[i]]
	}
	return out, nil
}

// queueMarks keeps what the chunk of a dry run would have written.
func (at *attempt) queueMarks(b *pgx.Batch, tenant uuid.UUID) {
	if !at.imp.DryRun || len(at.fresh) == 0 {
		return
	}
	marks := make([]int64, len(at.fresh))
	for i, v := range at.fresh {
		marks[i] = markOf(v)
	}
	b.Queue(sqlMark, tenant, at.imp.ID, marks)
}

// before reports whether a guest was counted as made by an earlier chunk of a dry run,
// and notes it for the later ones.
func (at *attempt) before(p *party, g *guest) bool {
	key := g.key()
	if !at.imp.DryRun || key == "" || g.above != uuid.Nil && len(g.texts) == 0 {
		return false
	}
	key = p.c.name + ":" + key
	at.fresh = append(at.fresh, key)
	return at.guestsBefore[key]
}

// recallGuests learns which companions earlier chunks of a dry run have counted.
func (at *attempt) recallGuests(ctx context.Context) error {
	if !at.imp.DryRun || len(at.parties) == 0 {
		return nil
	}
	var keys []string
	for _, p := range at.parties {
		for n := range p.rows {
			keys = append(keys, p.c.name+":"+at.guestOf(p, n).key())
		}
	}
	var err error
	at.guestsBefore, err = at.marked(ctx, keys)
	return err
}
