package record

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
)

// Why something was left as it is.
const (
	// ConflictChanged: the field was changed again since.
	ConflictChanged = "changed"
	// ConflictNeeded: a record that was made and is kept needs this one.
	ConflictNeeded = "needed"
	// ConflictForbidden: the actor's role does not allow it.
	ConflictForbidden = "forbidden"
	// ConflictPurged: the record was deleted for good.
	ConflictPurged = "purged"
	// ConflictRefused: a rule or a unique value stands against it.
	ConflictRefused = "refused"
)

// UndoConflict is a field, or a whole record when Field is "", that could not be
// taken back; it is listed and left alone.
type UndoConflict struct {
	Object   string    `json:"object"`
	RecordID uuid.UUID `json:"record_id"`
	Field    string    `json:"field"`
	Expected any       `json:"expected"`
	Current  any       `json:"current"`
	Reason   string    `json:"reason,omitempty"`
	Message  string    `json:"message,omitempty"` // of a rule that refused
}

// Undone reports what an undo did. An undo is itself a change: Seq (of a single
// one) or BatchID can be undone to do it again.
type Undone struct {
	Reversed  int            `json:"reversed"`
	Conflicts []UndoConflict `json:"conflicts"`
	LeftOut   int            `json:"left_out,omitempty"` // changes of a batch to records the actor may not see
	Seq       int64          `json:"seq,omitempty"`
	BatchID   *uuid.UUID     `json:"batch_id,omitempty"`
}

// actUndone is the journal's word for what was taken back.
const actUndone = "undone"

// errMergeAgain refuses to redo a merge: pointers and redirects would have to be
// found anew, which is what merging does.
var errMergeAgain = errs.New(errs.Conflict, "merge_again", "A merge that was taken back cannot be brought back this way. Merge the records again.")

type undoKey struct{}

// Undoing reports whether the change under way takes an earlier one back, or only
// carries pointers to a merged record along; hooks then skip rules about how a
// state may be entered, since it was held before.
func Undoing(ctx context.Context) bool { return ctx.Value(undoKey{}) != nil }

// undoing marks the context. The rows of an undo belong to a batch of their own,
// never to the one they take back.
func undoing(ctx context.Context, batch uuid.UUID) context.Context {
	ctx = context.WithValue(ctx, undoKey{}, true)
	return auth.As(ctx, func(a *auth.Actor) { a.BatchID = batch })
}

// Undo reverses one journal row. A row that was taken back before is left alone.
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
	e := entries[0]
	if e.BatchID != nil && (e.Action == merged || e.Data[mergedFrom] != nil) {
		return k.UndoBatch(ctx, *e.BatchID) // half a merge would be neither
	}
	if e.Action == actUndone && e.Data["was"] == merged {
		return nil, errMergeAgain
	}
	u := &undoer{k: k}
	err = k.DB.Tx(undoing(ctx, uuid.Nil), func(ctx context.Context, tx pgx.Tx) error {
		u.out = &Undone{Conflicts: []UndoConflict{}}
		if u.undone, err = k.takenBack(ctx, entries); err != nil {
			return err
		}
		return u.takeBack(ctx, tx, entries)
	})
	if err != nil {
		return nil, err
	}
	u.out.Conflicts, err = k.shownConflicts(ctx, u.out.Conflicts)
	return u.out, err
}

// undoer takes journal rows back.
type undoer struct {
	k   *Kernel
	out *Undone
	// batch: what is refused is listed, instead of ending the undo.
	batch bool
	// kept are made records that must stay because others that stay refer to them.
	kept map[uuid.UUID]bool
	// undone are rows that an earlier undo has taken back.
	undone map[int64]bool
}

// takeBack reverses rows, newest first, within the transaction of ctx. Rows of one
// object are saved together.
func (u *undoer) takeBack(ctx context.Context, tx pgx.Tx, entries []Entry) error {
	for len(entries) > 0 {
		n := runOf(entries)
		if o, ok := u.k.ObjectFor(ctx, entries[0].Object); ok {
			if err := u.run(ctx, tx, o, entries[:n]); err != nil {
				return err
			}
		}
		entries = entries[n:]
	}
	return nil
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

// run saves one run. In a batch, rows that fail together are halved until the
// guilty one stands alone and is listed.
func (u *undoer) run(ctx context.Context, tx pgx.Tx, o *Object, entries []Entry) error {
	if !u.batch {
		return db.MapError(u.attempt(ctx, tx, o, entries))
	}
	before, kept := *u.out, maps.Clone(u.kept)
	err := db.MapError(pgx.BeginFunc(ctx, tx, func(sp pgx.Tx) error { return u.attempt(ctx, sp, o, entries) }))
	if err == nil || ofTheMachine(err) {
		return err
	}
	*u.out, u.kept = before, kept
	if len(entries) == 1 {
		u.conflict(UndoConflict{Object: o.Def.Name, RecordID: entries[0].RecordID, Reason: ConflictRefused, Message: errs.As(err).Message})
		return nil
	}
	half := len(entries) / 2
	if err := u.run(ctx, tx, o, entries[:half]); err != nil {
		return err
	}
	return u.run(ctx, tx, o, entries[half:])
}

func (u *undoer) conflict(c UndoConflict) { u.out.Conflicts = append(u.out.Conflicts, c) }

func (u *undoer) attempt(ctx context.Context, tx pgx.Tx, o *Object, entries []Entry) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	if u.batch && a.Grants.Scope(o.Def.Name, auth.Read) == auth.None {
		u.out.LeftOut += len(entries)
		return nil
	}
	ops := make([]Operation, len(entries))
	which := make([]int, len(entries))
	for i, e := range entries {
		ops[i], which[i] = Operation{Kind: OpUpdate, ID: e.RecordID}, i
	}
	def, err := u.k.wholeDefinition(ctx, o.Def.Name)
	if err != nil {
		return err
	}
	seen, err := u.k.Definition(ctx, o.Def.Name)
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
			u.conflict(UndoConflict{Object: e.Object, RecordID: e.RecordID, Field: "id", Expected: e.RecordID, Reason: ConflictPurged})
			continue
		}
		c, err := u.reverse(a, def, seen, &entries[i], found[i])
		if err != nil {
			return err
		}
		if c != nil {
			changes = append(changes, c)
		}
	}
	u.out.Reversed += len(changes)
	if err := o.save(ctx, tx, changes); err != nil {
		return err
	}
	if !u.batch && len(changes) == 1 {
		u.out.Seq = changes[0].Seq
	}
	return nil
}

// reverse makes the change that takes e back; nil when nothing is left to do. What
// touched fields that the actor, who has seen of def, may not set itself is refused:
// an undo would set them.
func (u *undoer) reverse(a *auth.Actor, def, seen *Definition, e *Entry, current *Record) (*Change, error) {
	if u.undone[e.Seq] {
		return nil, nil
	}
	if current == nil {
		if u.batch {
			u.out.LeftOut++
			return nil, nil
		}
		return nil, errs.Missing(strings.ToLower(def.Label))
	}
	need := auth.Update
	if _, moved := e.Changes["deleted_at"]; moved || isCreate(e) {
		need = auth.Delete
	}
	refusal := error(nil)
	if !Allows(a, a.Grants.Scope(def.Name, need), current) {
		refusal = auth.Denied(def.Name, need)
	} else if names := seen.barred(e.Changes); len(names) > 0 && !isCreate(e) {
		refusal = errBarred(seen, names)
	}
	if refusal != nil {
		if !u.batch {
			return nil, refusal
		}
		u.conflict(UndoConflict{Object: e.Object, RecordID: e.RecordID, Reason: ConflictForbidden})
		u.keep(current)
		return nil, nil
	}
	c := &Change{Old: current, Action: actUndone, Data: map[string]any{"undoes": e.Seq, "was": e.Action}}
	if isCreate(e) {
		return u.undoCreate(def, c, e)
	}
	patch, before := Patch{}, len(u.out.Conflicts)
	for _, name := range slices.Sorted(maps.Keys(e.Changes)) {
		u.revertField(def, e, name, current, patch)
	}
	if len(patch) == 0 {
		return nil, nil
	}
	if len(u.out.Conflicts) > before {
		c.Data["partial"] = true
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

// undoCreate moves the record to the bin, unless somebody worked on it since or
// one that stays needs it.
func (u *undoer) undoCreate(def *Definition, c *Change, e *Entry) (*Change, error) {
	if c.Old.Deleted() {
		return nil, nil
	}
	if u.kept[e.RecordID] {
		u.conflict(UndoConflict{Object: e.Object, RecordID: e.RecordID, Reason: ConflictNeeded})
		u.keep(c.Old)
		return nil, nil
	}
	if c.Old.Version() > 1 {
		if edited := editedSince(def, e, c.Old, u.batch); edited != nil {
			u.conflict(*edited)
			u.keep(c.Old)
			return nil, nil
		}
	}
	c.New = c.Old.Clone()
	c.New.Set("deleted_at", u.k.Now().UTC().Truncate(time.Microsecond))
	return c, nil
}

// editedSince finds the first field people can change that is not as the row that
// made the record left it. Who takes back a single record means that record: then
// only the fields it was made with count, in a batch also those filled since.
func editedSince(def *Definition, e *Entry, current *Record, all bool) *UndoConflict {
	for _, f := range slices.Concat(def.Fields, def.CustomFields()) {
		name := f.Name
		if f.Custom {
			name = "custom." + f.Name
		}
		_, set := e.Changes[name]
		if f.ReadOnly || f.Hidden || f.Type.Name() == "custom" || (!set && !all) {
			continue
		}
		if made, now := e.Changes[name][1], current.Get(name); !sameJSON(f, made, now) {
			return &UndoConflict{Object: e.Object, RecordID: e.RecordID, Field: name, Expected: made, Current: jsonValue(f, now), Reason: ConflictChanged}
		}
	}
	return nil
}

// keep notes what a record that stays refers to. What was made later refers to
// what was made before it, and rows come newest first: so one look is enough.
func (u *undoer) keep(r *Record) {
	if u.kept == nil {
		u.kept = map[uuid.UUID]bool{}
	}
	for i, f := range r.Def.Fields {
		if id, ok := r.Values[i].(uuid.UUID); ok && f.Target != "" && f.Type.Name() == "relation" {
			u.kept[id] = true
		}
	}
}

func (u *undoer) revertField(def *Definition, e *Entry, name string, current *Record, patch Patch) {
	f, ok := def.Field(name)
	if !ok {
		return
	}
	if f.Custom && f.ReadOnly {
		return // computed again by the save
	}
	was, became := e.Changes[name][0], e.Changes[name][1]
	now := current.Get(name)
	v, err := fromJournal(f, was)
	switch {
	case name == "deleted_at":
		if (became != nil) != current.Deleted() {
			return // out of the bin, or back in it, already
		}
	case sameJSON(f, was, now):
		return // it has its old value already
	case !sameJSON(f, became, now):
		err = errChangedSince
	}
	if err != nil {
		u.conflict(UndoConflict{Object: e.Object, RecordID: e.RecordID, Field: name, Expected: became, Current: jsonValue(f, now), Reason: ConflictChanged})
		return
	}
	patch[name] = v
}

var errChangedSince = errs.New(errs.Conflict, "changed", "The field was changed again since.")

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

// takenBack finds which rows are undone as things stand: an undo counts unless it
// was itself taken back, and not when it had to leave a part.
func (k *Kernel) takenBack(ctx context.Context, entries []Entry) (map[int64]bool, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	ids := map[string][]uuid.UUID{}
	for _, e := range entries {
		ids[e.Object] = append(ids[e.Object], e.RecordID)
	}
	type undo struct {
		Seq, Undoes int64
		Partial     bool
	}
	var undos []undo
	for object, records := range ids {
		q := db.Query{SQL: `select j.seq, (j.data->>'undoes')::bigint, coalesce((j.data->>'partial')::boolean, false) from journal j
		  where j.tenant_id = $1 and j.object = $2 and j.record_id = any($3) and j.action = 'undone' and j.seq > $4`, Args: []any{a.TenantID, object, records, entries[len(entries)-1].Seq}}
		err := k.DB.Read(ctx, q, func(rows pgx.Rows) error {
			found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[undo])
			undos = append(undos, found...)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("look for earlier undos: %w", err)
		}
	}
	slices.SortFunc(undos, func(x, y undo) int { return int(y.Seq - x.Seq) }) // newest first: whether an undo stands is known before it counts
	out := map[int64]bool{}
	for _, x := range undos {
		if !out[x.Seq] && !x.Partial {
			out[x.Undoes] = true
		}
	}
	return out, nil
}
