package record

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
)

// UndoConflict is a field that was changed again after the change to undo; it is
// listed and left alone.
type UndoConflict struct {
	Object   string    `json:"object"`
	RecordID uuid.UUID `json:"record_id"`
	Field    string    `json:"field"`
	Expected any       `json:"expected"`
	Current  any       `json:"current"`
}

// Undone reports what an undo did.
type Undone struct {
	Reversed  int            `json:"reversed"`
	Conflicts []UndoConflict `json:"conflicts"`
}

type undoKey struct{}

// Undoing reports whether the change under way takes an earlier one back, or only
// carries pointers to a merged record along; hooks then skip rules about how a
// state may be entered, since it was held before.
func Undoing(ctx context.Context) bool { return ctx.Value(undoKey{}) != nil }

// undoChunk is how many journal rows one transaction of an undo takes back.
const undoChunk = 500

// Undo reverses one journal row.
func (k *Kernel) Undo(ctx context.Context, seq int64) (*Undone, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	entries, err := k.entries(ctx, db.Query{SQL: "select " + entryColumns + " from journal j where j.tenant_id = $1 and j.seq = $2", Args: []any{a.TenantID, seq}})
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, errs.Missing("change")
	}
	if e := entries[0]; e.BatchID != nil && (e.Action == merged || e.Data[mergedFrom] != nil) {
		return k.UndoBatch(ctx, *e.BatchID) // half a merge would be neither
	}
	out := &Undone{Conflicts: []UndoConflict{}}
	return out, k.undoEntries(ctx, entries, out)
}

// UndoBatch reverses every row of a batch (an import, a bulk edit, a
// conversion), newest first.
func (k *Kernel) UndoBatch(ctx context.Context, batch uuid.UUID) (*Undone, error) {
	if _, err := auth.Must(ctx); err != nil {
		return nil, err
	}
	if merge, err := k.mergeOf(ctx, batch); err != nil {
		return nil, err
	} else if merge != nil {
		return k.unmerge(ctx, batch, merge)
	}
	out := &Undone{Conflicts: []UndoConflict{}}
	return out, k.undoBatch(ctx, batch, out)
}

// undoBatch takes the rows of a batch back in pieces.
func (k *Kernel) undoBatch(ctx context.Context, batch uuid.UUID, out *Undone) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	before := int64(1<<63 - 1)
	for {
		entries, err := k.entries(ctx, db.Query{
			SQL: "select " + entryColumns + ` from journal j
		  where j.tenant_id = $1 and j.batch_id = $2 and j.seq < $3 and j.action <> 'undone' order by j.seq desc limit $4`,
			Args: []any{a.TenantID, batch, before, undoChunk},
		})
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			break
		}
		before = entries[len(entries)-1].Seq
		if err := k.undoEntries(ctx, entries, out); err != nil {
			return err
		}
	}
	if out.Reversed == 0 && len(out.Conflicts) == 0 {
		return errs.Missing("batch of changes")
	}
	return nil
}

// undoEntries takes rows back in one transaction, grouped by object so that each
// group is one save; within an object the order newest first is kept.
func (k *Kernel) undoEntries(ctx context.Context, entries []Entry, out *Undone) error {
	ctx = context.WithValue(ctx, undoKey{}, true)
	ctx = auth.As(ctx, func(a *auth.Actor) { a.BatchID = uuid.Nil })
	return k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		for len(entries) > 0 {
			n := runOf(entries)
			o, ok := k.objects[entries[0].Object]
			if ok {
				if err := o.undoRun(ctx, tx, entries[:n], out); err != nil {
					return err
				}
			}
			entries = entries[n:]
		}
		return nil
	})
}

// runOf counts the leading entries of one object without a repeated record.
func runOf(entries []Entry) int {
	seen := map[uuid.UUID]bool{}
	for i, e := range entries {
		if e.Object != entries[0].Object || seen[e.RecordID] {
			return i
		}
		seen[e.RecordID] = true
	}
	return len(entries)
}

func (o *Object) undoRun(ctx context.Context, tx pgx.Tx, entries []Entry, out *Undone) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	ops := make([]Operation, len(entries))
	which := make([]int, len(entries))
	for i, e := range entries {
		ops[i], which[i] = Operation{Kind: OpUpdate, ID: e.RecordID}, i
	}
	def, err := o.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return err
	}
	found, err := o.lockTargets(ctx, tx, a, def, ops, which)
	if err != nil {
		return err
	}
	purged, err := o.purgedAmong(ctx, tx, ops, found)
	if err != nil {
		return err
	}
	var changes []*Change
	for i, e := range entries {
		if purged[e.RecordID] { // nothing is left to give its values back to
			out.Conflicts = append(out.Conflicts, UndoConflict{e.Object, e.RecordID, "id", e.RecordID, nil})
			continue
		}
		c, err := o.reverse(a, def, &entries[i], found[i], out)
		if err != nil {
			return err
		}
		if c != nil {
			changes = append(changes, c)
		}
	}
	out.Reversed += len(changes)
	return o.save(ctx, tx, changes)
}

// reverse makes the change that takes e back; nil when nothing is left to do.
func (o *Object) reverse(a *auth.Actor, def *Definition, e *Entry, current *Record, out *Undone) (*Change, error) {
	if current == nil {
		return nil, errs.Missing(strings.ToLower(def.Label))
	}
	need := auth.Update
	if e.Action == "created" || e.Changes["deleted_at"][1] != nil {
		need = auth.Delete
	}
	scope := a.Grants.Scope(def.Name, need)
	if !Allows(a, scope, current) {
		return nil, auth.Denied(def.Name, need)
	}
	c := &Change{Old: current, Action: "undone", Data: map[string]any{"undoes": e.Seq, "was": e.Action}}
	if isCreate(e) {
		if current.Deleted() {
			return nil, nil
		}
		return o.undoCreate(c, e, out)
	}
	patch := Patch{}
	for _, name := range slices.Sorted(maps.Keys(e.Changes)) {
		o.revertField(def, e, name, current, patch, out)
	}
	if len(patch) == 0 {
		return nil, nil
	}
	c.New = patch.apply(current)
	return c, nil
}

// isCreate tells a row that made its record, whatever word the act used.
func isCreate(e *Entry) bool {
	if e.Action == "created" {
		return true
	}
	made, _ := e.Data["created"].(bool)
	return made
}

// undoCreate moves the record to the bin, unless somebody worked on it since.
func (o *Object) undoCreate(c *Change, e *Entry, out *Undone) (*Change, error) {
	if c.Old.Version() > 1 {
		for name, v := range e.Changes {
			if f, ok := c.Old.Def.Field(name); ok && !f.ReadOnly && !sameJSON(f, v[1], c.Old.Get(name)) {
				out.Conflicts = append(out.Conflicts, UndoConflict{e.Object, e.RecordID, name, v[1], jsonValue(f, c.Old.Get(name))})
				return nil, nil
			}
		}
	}
	c.New = c.Old.Clone()
	c.New.Set("deleted_at", o.k.Now().UTC())
	return c, nil
}

func (o *Object) revertField(def *Definition, e *Entry, name string, current *Record, patch Patch, out *Undone) {
	f, ok := def.Field(name)
	if !ok {
		return
	}
	if f.Custom && f.ReadOnly {
		return // computed again by the save
	}
	was, became := e.Changes[name][0], e.Changes[name][1]
	now := current.Get(name)
	if name == "deleted_at" {
		if (became != nil) != current.Deleted() {
			return
		}
	} else if !sameJSON(f, became, now) {
		if sameJSON(f, was, now) { // taken back already
			return
		}
		out.Conflicts = append(out.Conflicts, UndoConflict{e.Object, e.RecordID, name, became, jsonValue(f, now)})
		return
	}
	v, err := fromJournal(f, was)
	if err != nil {
		out.Conflicts = append(out.Conflicts, UndoConflict{e.Object, e.RecordID, name, became, jsonValue(f, now)})
		return
	}
	patch[name] = v
}

func fromJournal(f *Field, raw any) (any, error) {
	if raw == nil {
		return nil, nil
	}
	return f.Type.Parse(f, raw)
}

// sameJSON compares a journal value with a current canonical one.
func sameJSON(f *Field, journal, current any) bool {
	if f.Custom {
		return Same(journal, current)
	}
	v, err := fromJournal(f, journal)
	return err == nil && Same(v, current)
}

func jsonValue(f *Field, v any) any {
	if v == nil || f.Custom {
		return v
	}
	return storable(f, v)
}
