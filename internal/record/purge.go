package record

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
)

// purged is the journal's word for a record that is no more; its row names the id
// and nothing else of it.
const purged = "purged"

// Purge deletes records for good: rows, their parts and details, search documents
// and match keys. What pointed to them points nowhere afterwards, through the change
// path, so that the journal tells of it. It needs the purge right. The journal's
// earlier rows about the records stay, it is append-only.
func (o *Object) Purge(ctx context.Context, ids ...uuid.UUID) error {
	if o.Def.System {
		return errs.New(errs.Conflict, "not_purgeable", "%s are kept, so that what they did keeps its name.", o.Def.LabelPlural)
	}
	return o.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		a, _, err := auth.Require(ctx, o.Def.Name, auth.Purge)
		if err != nil {
			return err
		}
		ops, which := make([]Operation, len(ids)), make([]int, len(ids))
		for i, id := range ids {
			ops[i], which[i] = Operation{Kind: OpDelete, ID: id}, i
		}
		found, err := o.lockTargets(ctx, tx, a, o.Def, ops, which)
		if err != nil {
			return err
		}
		for i := range ids {
			if found[i] == nil {
				return errs.Missing(strings.ToLower(o.Def.Label))
			}
			if !Allows(a, a.Grants.Scope(o.Def.Name, auth.Purge), found[i]) {
				return auth.Denied(o.Def.Name, auth.Purge)
			}
		}
		return o.purge(ctx, tx, ids)
	})
}

func (o *Object) purge(ctx context.Context, tx pgx.Tx, ids []uuid.UUID) error {
	tenant := auth.From(ctx).TenantID
	for _, p := range o.k.parts(o.Def.Name) {
		parts, err := p.find(ctx, tx, tenant, o.Def.Name, ids)
		if err != nil {
			return err
		}
		if len(parts) > 0 {
			if err := p.o.purge(ctx, tx, parts); err != nil {
				return err
			}
		}
	}
	if _, err := o.k.repoint(ctx, tx, o.Def.Name, ids, nil); err != nil {
		return err
	}
	for _, m := range o.k.moversOf(o.Def.Name) {
		if err := m.Drop(ctx, tx, ids); err != nil {
			return err
		}
	}
	moved, err := o.leaving(ctx, tx, ids)
	if err != nil {
		return err
	}
	if err := o.erase(ctx, tx, ids); err != nil || len(moved) == 0 {
		return err
	}
	return o.rollUp(ctx, tx, auth.From(ctx), moved)
}

// erase deletes the rows themselves and leaves a tombstone for each in the journal.
func (o *Object) erase(ctx context.Context, tx pgx.Tx, ids []uuid.UUID) error {
	a := auth.From(ctx)
	b := &pgx.Batch{}
	for _, d := range o.Def.Details {
		b.Queue(fmt.Sprintf(`delete from %s where tenant_id = $1 and %s = any($2)`, d.Table, d.Column), a.TenantID, ids)
	}
	b.Queue(`delete from search_documents where tenant_id = $1 and record_id = any($2)`, a.TenantID, ids)
	for _, kept := range []string{"custom_values", "custom_uniques"} {
		b.Queue(fmt.Sprintf(`delete from %s where tenant_id = $1 and record_id = any($3) and field_id in (select id from custom_fields where tenant_id = $1 and object = $2)`, kept), a.TenantID, o.Def.Name, ids)
	}
	b.Queue(`delete from record_redirects where tenant_id = $1 and object = $2 and new_id = any($3)`, a.TenantID, o.Def.Name, ids)
	o.queueLiveKeys(b, a.TenantID, ids)
	b.Queue(fmt.Sprintf(`delete from %s where tenant_id = $1 and id = any($2)%s`, o.Def.rowTable(), o.Def.rowsOnly("")), a.TenantID, ids)
	rows := make([]journalRow, len(ids))
	for i, id := range ids {
		rows[i] = newJournalRow(a, o.k.moment(), o.Def.Name, id, purged, "{}", nil)
	}
	queueJournal(b, rows, func(int, int64) {})
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return stillNeeded(err, o.Def)
	}
	n := Notice{TenantID: a.TenantID, Object: o.Def.Name, Plural: o.Def.Plural, IDs: ids, Action: purged}
	db.AfterCommit(ctx, func() { o.k.notify(n) })
	return o.k.Touched(ctx, o.Def.Name, ids...)
}

// queueLiveKeys drops the match keys of records purged without a stay in the bin,
// where they would have lost them. The table is keyed for finding duplicates, so
// only a purge of the living looks through an object's keys.
func (o *Object) queueLiveKeys(b *pgx.Batch, tenant uuid.UUID, ids []uuid.UUID) {
	if o.Def.Match == nil {
		return
	}
	b.Queue(fmt.Sprintf(`delete from record_match_keys where tenant_id = $1 and object = $2
	  and record_id in (select t.id from %s t where t.tenant_id = $1 and t.id = any($3) and t.deleted_at is null)`, o.Def.Table), tenant, o.Def.Name, ids)
}

// stillNeeded says what holds on to a record that cannot be purged.
func stillNeeded(err error, d *Definition) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "23503" {
		return errs.Wrap(err, errs.Conflict, "in_use", "This %s is still needed by %s. Remove that first.", strings.ToLower(d.Label), strings.ReplaceAll(pg.TableName, "_", " "))
	}
	return err
}

// purgedAmong tells which of the records that were not found were deleted for good.
func (o *Object) purgedAmong(ctx context.Context, tx pgx.Tx, ops []Operation, found map[int]*Record) (map[uuid.UUID]bool, error) {
	var missing []uuid.UUID
	for i, op := range ops {
		if found[i] == nil {
			missing = append(missing, op.ID)
		}
	}
	if len(missing) == 0 {
		return nil, nil
	}
	ids, err := idsOf(tx.Query(ctx, `select distinct record_id from journal where tenant_id = $1 and object = $2 and record_id = any($3) and action = $4`,
		auth.From(ctx).TenantID, o.Def.Name, missing, purged))
	out := map[uuid.UUID]bool{}
	for _, id := range ids {
		out[id] = true
	}
	return out, err
}

// PurgeBin deletes for good what has lain in the bin since before a moment, at most
// limit records of each object, in transactions of MaxBatch. Records that something
// else still needs stay, and are logged. It returns how many went; done is false
// when there may be more.
func (k *Kernel) PurgeBin(ctx context.Context, before time.Time, limit int) (n int, done bool, err error) {
	done = true
	for _, o := range k.ObjectsFor(ctx) {
		if o.Def.System {
			continue
		}
		gone, all, err := o.purgeBin(ctx, before, limit)
		n, done = n+gone, done && all
		if err != nil {
			return n, false, fmt.Errorf("purge %s: %w", o.Def.Plural, err)
		}
	}
	return n, done, nil
}

func (o *Object) purgeBin(ctx context.Context, before time.Time, limit int) (n int, done bool, err error) {
	after := uuid.Nil
	for n < limit {
		ids, err := o.oldest(ctx, before, after)
		if err != nil || len(ids) == 0 {
			return n, err == nil, err
		}
		after = ids[len(ids)-1]
		gone, err := o.purgeSome(ctx, ids)
		n += gone
		if err != nil {
			return n, false, err
		}
	}
	return n, false, nil
}

func (o *Object) oldest(ctx context.Context, before time.Time, after uuid.UUID) (ids []uuid.UUID, err error) {
	sql := fmt.Sprintf("select id from %s t where tenant_id = app_tenant() and deleted_at is not null and deleted_at < $1 and id > $2 order by id limit %d", o.Def.Table, MaxBatch)
	err = o.k.DB.Read(ctx, db.Query{SQL: sql, Args: []any{before, after}}, func(rows pgx.Rows) (err error) {
		ids, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	return ids, err
}

// purgeSome purges what it can: records that are refused together are halved until
// the guilty one stands alone.
func (o *Object) purgeSome(ctx context.Context, ids []uuid.UUID) (int, error) {
	err := o.Purge(ctx, ids...)
	switch {
	case err == nil:
		return len(ids), nil
	case ofTheMachine(err):
		return 0, err
	case len(ids) == 1:
		o.k.Log.WarnContext(ctx, "a record stays in the bin", "object", o.Def.Name, "record_id", ids[0], "error", err)
		return 0, nil
	}
	half := len(ids) / 2
	a, err := o.purgeSome(ctx, ids[:half])
	if err != nil {
		return a, err
	}
	b, err := o.purgeSome(ctx, ids[half:])
	return a + b, err
}
