package record

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
)

// mergeOf returns the row of the record that took others in when the batch is a
// merge, else nil. That row is written last but for what hooks add.
func (k *Kernel) mergeOf(ctx context.Context, batch uuid.UUID) (*Entry, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	last, err := k.entries(ctx, db.Query{
		SQL:  "select " + entryColumns + " from journal j where j.tenant_id = $1 and j.batch_id = $2 order by j.seq desc limit 10",
		Args: []any{a.TenantID, batch},
	})
	for i := range last {
		if last[i].Data[mergedFrom] != nil {
			return &last[i], err
		}
	}
	return nil, err
}

// unmerge takes a merge back in one transaction. Who may, is decided by the records
// that were merged; what was carried along goes back also where the actor does not
// see it, as it came.
func (k *Kernel) unmerge(ctx context.Context, batch uuid.UUID, merge *Entry) (*Undone, error) {
	o, ok := k.ObjectFor(ctx, merge.Object)
	if !ok {
		return nil, errs.Missing("batch of changes")
	}
	out := &Undone{Conflicts: []UndoConflict{}}
	err := k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		*out = Undone{Conflicts: []UndoConflict{}}
		if err := lockMerges(ctx, tx); err != nil {
			return err
		}
		from, err := o.mayUnmerge(ctx, tx, merge)
		if err != nil {
			return err
		}
		if err := k.undoBatch(allowAll(ctx), batch, out); err != nil {
			return err
		}
		return o.moveRowsBack(ctx, tx, merge, from)
	})
	return out, err
}

// mayUnmerge checks the rights that the merge itself needed.
func (o *Object) mayUnmerge(ctx context.Context, tx pgx.Tx, merge *Entry) ([]uuid.UUID, error) {
	a := auth.From(ctx)
	list, _ := merge.Data[mergedFrom].([]any)
	var from []uuid.UUID
	ops, which := []Operation{{Kind: OpUpdate, ID: merge.RecordID}}, []int{0}
	for i, v := range list {
		from = append(from, uuidOf(v))
		ops, which = append(ops, Operation{Kind: OpDelete, ID: uuidOf(v)}), append(which, i+1)
	}
	seen, err := o.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return nil, err
	}
	if names := seen.barred(merge.Changes); len(names) > 0 {
		return nil, errBarred(seen, names)
	}
	found, err := o.lockTargets(ctx, tx, a, o.Def, ops, which)
	if err != nil {
		return nil, err
	}
	purged, err := o.purgedAmong(ctx, tx, ops, found)
	if err != nil {
		return nil, err
	}
	for i, op := range ops {
		r, action := found[i], auth.Update
		if op.Kind == OpDelete {
			action = auth.Delete
		}
		switch {
		case purged[op.ID]:
			return nil, errs.New(errs.Conflict, "purged", "A record of this merge was deleted for good, so the merge cannot be taken back.")
		case r == nil:
			return nil, errs.Missing(strings.ToLower(o.Def.Label))
		}
		if scope := a.Grants.Scope(o.Def.Name, action); !Allows(a, scope, r) {
			return nil, auth.Denied(o.Def.Name, action)
		}
	}
	return from, nil
}

func (o *Object) moveRowsBack(ctx context.Context, tx pgx.Tx, merge *Entry, from []uuid.UUID) error {
	// Once only: a second undo finds the redirects gone and what was moved since as
	// it should be.
	rows, _ := merge.Data["rows"].(map[string]any)
	if len(rows) == 0 || len(from) == 0 {
		return nil
	}
	for _, m := range o.k.moversOf(o.Def.Name) {
		moved, ok := rows[m.Table+"."+m.Column]
		if !ok {
			continue
		}
		raw, err := json.Marshal(moved)
		if err != nil {
			return err
		}
		if err := m.Back(ctx, tx, raw); err != nil {
			return err
		}
	}
	return nil
}
