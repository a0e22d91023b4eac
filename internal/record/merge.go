package record

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
)

// Words of the journal: what a merge does to the records that go, and to the one
// that takes them in; and the fact that names the former in the row of the latter.
const (
	merged     = "merged"
	absorbed   = "absorbed"
	mergedFrom = "merged_from"
)

// MaxMerge is how many records one merge takes in.
const MaxMerge = 20

// Merge says which records become part of which. Values are the fields of the
// result that somebody decided, canonical; Chosen are those to be taken from one
// of the records. Other fields keep the value of Into, or take the first value of
// From when it has none; lists are united.
type Merge struct {
	Into   uuid.UUID
	From   []uuid.UUID
	Values Patch
	Chosen map[string]uuid.UUID
}

// Merged is what a merge made. Moved counts the records that were carried along,
// by the plural of their object.
type Merged struct {
	Record  *Record
	BatchID uuid.UUID
	From    []uuid.UUID
	Moved   map[string]int
}

// Merge makes one record of several: everything that pointed to one of From points
// to Into afterwards, From lie in the bin and lead to Into by their old ids. All of
// it is one transaction and one batch of the journal, which an undo takes back as a
// whole. It needs the update right on Into and the delete right on From. Merging
// again what was merged already gives the same answer.
func (o *Object) Merge(ctx context.Context, m Merge) (*Merged, error) {
	if err := o.checkMerge(m); err != nil {
		return nil, err
	}
	// A batch of its own, also within a larger one: an undo takes back this merge.
	ctx = auth.As(ctx, func(a *auth.Actor) { a.BatchID = id.New() })
	var out *Merged
	err := o.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		out, err = o.mergeTx(ctx, tx, m)
		return err
	})
	if err != nil {
		return nil, err
	}
	out.Record, err = o.shown(ctx, out.Record)
	return out, err
}

func (o *Object) checkMerge(m Merge) error {
	switch {
	case !o.Def.Mergeable():
		return errs.New(errs.Conflict, "not_mergeable", "%s cannot be merged.", o.Def.LabelPlural)
	case m.Into == uuid.Nil:
		return errs.Field("into", "required", "Name the record to keep.")
	case len(m.From) == 0 || len(m.From) > MaxMerge:
		return errs.Field("from", "out_of_range", "Name 1 to %d records to merge into it.", MaxMerge)
	case slices.Contains(m.From, m.Into):
		return errs.Field("from", "merge_into_itself", "A record cannot be merged into itself.")
	}
	return nil
}

// lockMerges holds back other merges of the tenant: two of them may share any
// number of related records, and one after the other cannot deadlock.
func lockMerges(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('merge:' || app_tenant()::text, 11))`)
	return err
}

// fence locks records against new pointers to them, which the lock of an ordinary
// change lets through: whoever hangs something on one waits, and then sees what
// became of it (queueStale).
func (o *Object) fence(ctx context.Context, tx pgx.Tx, ids []uuid.UUID) error {
	sql := fmt.Sprintf(`select 1 from %s t where t.tenant_id = $1 and t.id = any($2) order by t.id for update`, o.Def.Table)
	_, err := tx.Exec(ctx, sql, auth.From(ctx).TenantID, ids)
	return err
}

func (o *Object) mergeTx(ctx context.Context, tx pgx.Tx, m Merge) (*Merged, error) {
	if err := lockMerges(ctx, tx); err != nil {
		return nil, err
	}
	if err := o.fence(ctx, tx, append([]uuid.UUID{m.Into}, m.From...)); err != nil {
		return nil, err
	}
	into, from, err := o.lockMerge(ctx, tx, m)
	if err != nil {
		return nil, err
	}
	done, from, err := o.mergedBefore(ctx, tx, into, from)
	if err != nil {
		return nil, err
	}
	if len(from) == 0 {
		return o.sameMerge(ctx, into, m.From, done)
	}
	return o.absorb(ctx, tx, m, into, from)
}

// lockMerge locks the records in id order and checks that the actor may merge them.
// from is in the caller's order, each once.
func (o *Object) lockMerge(ctx context.Context, tx pgx.Tx, m Merge) (into *Record, from []*Record, err error) {
	a := auth.From(ctx)
	def, err := o.k.wholeDefinition(ctx, o.Def.Name)
	if err != nil {
		return nil, nil, err
	}
	ops, which := []Operation{{Kind: OpUpdate, ID: m.Into}}, []int{0}
	for i, id := range m.From {
		ops, which = append(ops, Operation{Kind: OpDelete, ID: id}), append(which, i+1)
	}
	found, err := o.lockTargets(ctx, tx, a, def, ops, which)
	if err != nil {
		return nil, nil, err
	}
	seen := map[uuid.UUID]bool{}
	for i, op := range ops {
		r, action := found[i], auth.Update
		if op.Kind == OpDelete {
			action = auth.Delete
		}
		if r == nil {
			return nil, nil, errs.Missing(strings.ToLower(def.Label))
		}
		if scope := a.Grants.Scope(def.Name, action); !Allows(a, scope, r) {
			return nil, nil, auth.Denied(def.Name, action)
		}
		if op.Kind == OpDelete && !seen[op.ID] {
			from = append(from, r)
		}
		seen[op.ID] = true
	}
	return found[0], from, nil
}

// mergedBefore sets aside what is part of into already and refuses other records of
// the bin. done is the batch of the last such merge.
func (o *Object) mergedBefore(ctx context.Context, tx pgx.Tx, into *Record, from []*Record) (done uuid.UUID, rest []*Record, err error) {
	var binned []uuid.UUID
	for _, r := range append([]*Record{into}, from...) {
		if r.Deleted() {
			binned = append(binned, r.ID())
		}
	}
	if len(binned) == 0 {
		return uuid.Nil, from, nil
	}
	gone, err := o.redirects(ctx, tx, binned)
	if err != nil {
		return uuid.Nil, nil, err
	}
	if into.Deleted() {
		return uuid.Nil, nil, o.errInBin(into, gone)
	}
	for _, r := range from {
		g, ok := gone[r.ID()]
		switch {
		case !r.Deleted():
			rest = append(rest, r)
		case ok && g.new == into.ID():
			done = g.batch
		default:
			return uuid.Nil, nil, o.errInBin(r, gone)
		}
	}
	return done, rest, nil
}

func (o *Object) errInBin(r *Record, gone map[uuid.UUID]redirect) error {
	label := strings.ToLower(o.Def.Label)
	if g, ok := gone[r.ID()]; ok {
		e := errs.New(errs.Conflict, merged, "The %s %s was merged into another one already. Merge that one.", label, r.ID())
		e.Data = map[string]any{"id": r.ID(), "batch_id": g.batch}
		return e
	}
	return errs.New(errs.Conflict, "deleted", "The %s %s is in the bin. Restore it first.", label, r.ID())
}

// sameMerge answers a call that was made before.
func (o *Object) sameMerge(ctx context.Context, into *Record, from []uuid.UUID, batch uuid.UUID) (*Merged, error) {
	out := &Merged{Record: into, BatchID: batch, From: from, Moved: map[string]int{}}
	e, err := o.k.mergeOf(ctx, batch)
	if err != nil || e == nil {
		return out, err
	}
	raw, err := json.Marshal(e.Data["moved"])
	if err != nil {
		return nil, err
	}
	return out, json.Unmarshal(raw, &out.Moved)
}

// absorb merges locked living records. The records that go are saved first, so that
// their unique values are free for the one that stays, and that one last, so that
// an undo, which runs the other way round, meets the same order.
func (o *Object) absorb(ctx context.Context, tx pgx.Tx, m Merge, into *Record, from []*Record) (*Merged, error) {
	seen, err := o.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return nil, err
	}
	result, err := o.united(seen, m, into, from)
	if err != nil {
		return nil, err
	}
	out := &Merged{BatchID: auth.From(ctx).BatchID}
	for _, r := range from {
		out.From = append(out.From, r.ID())
	}
	if err := o.retire(ctx, tx, into.ID(), from); err != nil {
		return nil, err
	}
	target := into.ID()
	if out.Moved, err = o.k.repoint(ctx, tx, o.Def.Name, out.From, &target); err != nil {
		return nil, err
	}
	rows, err := o.moveRows(ctx, tx, out.From, target)
	if err != nil {
		return nil, err
	}
	c, err := o.catchUp(ctx, tx, into, result)
	if err != nil {
		return nil, err
	}
	// A hook may have a better word for the change; this is what an undo knows a merge by.
	c.Action, c.Data = absorbed, map[string]any{mergedFrom: out.From, "moved": out.Moved}
	if len(rows) > 0 {
		c.Data["rows"] = rows
	}
	if err := o.save(ctx, tx, []*Change{c}); err != nil {
		return nil, err
	}
	out.Record = c.New
	return out, nil
}

// retire puts the records into the bin and notes where they went.
func (o *Object) retire(ctx context.Context, tx pgx.Tx, into uuid.UUID, from []*Record) error {
	now := o.k.moment()
	var changes []*Change
	b := &pgx.Batch{}
	for _, r := range from {
		c := &Change{Old: r, New: r.Clone(), Action: merged, Data: map[string]any{"into": into}}
		c.New.Set("deleted_at", now)
		changes = append(changes, c)
		b.Queue(`insert into record_redirects (tenant_id, object, old_id, new_id, batch_id, at) values ($1, $2, $3, $4, $5, $6)
		  on conflict on constraint record_redirects_pkey do update set new_id = excluded.new_id, batch_id = excluded.batch_id, at = excluded.at`,
			auth.From(ctx).TenantID, o.Def.Name, r.ID(), into, auth.From(ctx).BatchID, now)
	}
	if err := o.save(allowAll(context.WithValue(ctx, undoKey{}, true)), tx, changes); err != nil {
		return err
	}
	return tx.SendBatch(ctx, b).Close()
}

// catchUp is the change from into as it is now, which pointers to the merged records
// may have changed meanwhile (a company whose parent was one of them).
func (o *Object) catchUp(ctx context.Context, tx pgx.Tx, before, result *Record) (*Change, error) {
	def, err := o.k.wholeDefinition(ctx, o.Def.Name)
	if err != nil {
		return nil, err
	}
	now, err := o.lockAll(ctx, tx, def, []uuid.UUID{before.ID()})
	if err != nil || len(now) == 0 {
		return nil, err
	}
	c := &Change{Old: now[0], New: now[0].Clone()}
	for i := range result.Values {
		if !Same(before.Values[i], result.Values[i]) {
			c.New.Values[i] = result.Values[i]
		}
	}
	return c, nil
}

// moveRows has the movers carry their rows along.
func (o *Object) moveRows(ctx context.Context, tx pgx.Tx, from []uuid.UUID, into uuid.UUID) (map[string]any, error) {
	out := map[string]any{}
	for _, m := range o.k.moversOf(o.Def.Name) {
		moved, err := m.Move(ctx, tx, from, into)
		if err != nil {
			return nil, err
		}
		if moved != nil {
			out[m.Table+"."+m.Column] = moved
		}
	}
	return out, nil
}
