package record

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
)

// streamSize is how many records are in memory at a time.
const streamSize = 1000

// Stream hands every record a query matches to fn, in the order of the list and
// beyond its pages. Scope, filter and search are those of List, which writes the
// same statement; Limit and Cursor are not looked at. All batches, and what fn
// reads with its context, come from one snapshot. A batch is fn's to keep.
func (o *Object) Stream(ctx context.Context, q Query, fn func(ctx context.Context, batch []*Record) error) error {
	a, scope, err := auth.Require(ctx, o.Def.Name, auth.Read)
	if err != nil {
		return err
	}
	def, err := o.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return err
	}
	q = q.settle(def)
	keys, err := def.parseSort(q.Sort)
	if err != nil {
		return err
	}
	return o.k.DB.Snapshot(ctx, func(ctx context.Context, tx pgx.Tx) error {
		n, err := o.narrow(ctx, q)
		if err != nil {
			return err
		}
		b := &sqlBuilder{actor: a, defs: o.k.resolver(ctx)}
		where, err := o.listWhere(b, scope, q, n)
		if err != nil {
			return err
		}
		list := fmt.Sprintf("select %s from %s t where %s order by %s", o.Def.selectList(), o.Def.Table, where, orderBy(keys, "t", false))
		return def.fetchAll(ctx, tx, list, b.args, fn)
	})
}

// fetchAll walks a cursor. Its statements are never kept prepared: "fetch" has
// other columns with every object.
func (d *Definition) fetchAll(ctx context.Context, tx pgx.Tx, list string, args []any, fn func(context.Context, []*Record) error) error {
	declare := append([]any{pgx.QueryExecModeDescribeExec}, args...)
	if _, err := tx.Exec(ctx, "declare records no scroll cursor for "+list, declare...); err != nil {
		return err
	}
	fetch := fmt.Sprintf("fetch forward %d from records", streamSize)
	for {
		rows, err := tx.Query(ctx, fetch, pgx.QueryExecModeDescribeExec)
		if err != nil {
			return err
		}
		batch := collect(rows, d)
		if err := rows.Err(); err != nil {
			return err
		}
		if len(batch) > 0 {
			if err := fn(ctx, batch); err != nil {
				return err
			}
		}
		if len(batch) < streamSize {
			return nil
		}
	}
}

// CountAll counts the records a query matches.
func (o *Object) CountAll(ctx context.Context, q Query) (int64, error) {
	q.Limit, q.Cursor, q.Count = 1, "", true
	page, err := o.List(ctx, q)
	if err != nil || page.Count == nil {
		return 0, err
	}
	return *page.Count, nil
}

// Titles names the records among ids that the actor may see.
func (k *Kernel) Titles(ctx context.Context, object string, ids []uuid.UUID) (map[uuid.UUID]string, error) {
	out := make(map[uuid.UUID]string, len(ids))
	o, ok := k.ObjectFor(ctx, object)
	a := auth.From(ctx)
	if !ok || a == nil || a.Grants.Scope(object, auth.Read) == auth.None {
		return out, nil
	}
	found, err := o.GetMany(ctx, ids)
	for id, r := range found {
		out[id] = r.Title()
	}
	return out, err
}
