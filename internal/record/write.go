package record

import (
	"context"
	"errors"
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
	"crm/internal/platform/id"
)

// Change is one record before and after. Old is nil for a create. Action is what
// the journal calls it: created, updated, deleted, restored, or the act's own
// word such as moved or won.
type Change struct {
	Old, New *Record
	Action   string
	Data     map[string]any // facts for the journal beyond the field values
	Seq      int64          // the journal row, once saved; 0 when nothing changed

	fields map[string][2]any
	unique bool // refuse when there is a probable duplicate
	named  map[string]bool
}

// Named reports whether the patch named the field, with whatever value: a hook that
// must tell "left as it is" from "not mentioned" asks this, not Changed.
func (c *Change) Named(field string) bool { return c.named[field] }

// Changed reports whether a field differs between old and new.
func (c *Change) Changed(name string) bool {
	if c.Old == nil {
		return c.New.Get(name) != nil
	}
	return !Same(c.Old.Get(name), c.New.Get(name))
}

// OpKind is what an operation of a batch does.
type OpKind string

const (
	OpCreate  OpKind = "create"
	OpUpdate  OpKind = "update"
	OpUpsert  OpKind = "upsert"
	OpDelete  OpKind = "delete"
	OpRestore OpKind = "restore"
)

// Operation is one wanted change. Update, delete and restore name the record by ID;
// upsert finds it by Key, a unique field whose value is Patch[Key] or KeyValue.
type Operation struct {
	Kind      OpKind
	ID        uuid.UUID
	Key       string
	Patch     Patch
	IfVersion *int64
	Action    string         // the act's own word for the journal
	Data      map[string]any // facts for the journal
	Err       error          // a refusal found before, reported in place
	// Unique refuses a create, with the code duplicate, when the actor can see a
	// probable duplicate. The whole transaction has to be rolled back then, so it is
	// for a single operation.
	Unique bool
}

// Result tells what became of one operation; Err is set or Record is.
type Result struct {
	Record  *Record
	Created bool
	Seq     int64
	Err     error
}

// MaxBatch is the most operations one call takes.
const MaxBatch = 1000

// Apply runs operations in order of their kind in one transaction. With atomic,
// the first refusal undoes everything and is returned as error; without it, each
// result tells its own story and the rest is kept.
func (o *Object) Apply(ctx context.Context, ops []Operation, atomic bool) ([]Result, error) {
	var out []Result
	err := o.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var err error
		out, err = o.applyTx(ctx, tx, ops, atomic)
		return err
	})
	for i := range out {
		if out[i].Record, err = o.shownAfter(ctx, out[i].Record, err); err != nil {
			return out, err
		}
	}
	return out, err
}

// One runs a single operation.
func (o *Object) One(ctx context.Context, op Operation) (Result, error) {
	res, err := o.Apply(ctx, []Operation{op}, true)
	if err != nil {
		return Result{}, err
	}
	return res[0], nil
}

func (o *Object) applyTx(ctx context.Context, tx pgx.Tx, ops []Operation, atomic bool) ([]Result, error) {
	ops = slices.Clone(ops) // ids are filled in
	ctx = o.cascadeBatch(ctx, ops)
	results := make([]Result, len(ops))
	for _, wave := range waves(ops) {
		if !atomic {
			if err := o.salvage(ctx, tx, ops, wave, results); err != nil {
				return nil, err
			}
			continue
		}
		if err := firstRefusal(o.attempt(ctx, tx, ops, wave, results, true), results, true); err != nil {
			return results, err
		}
	}
	return results, nil
}

// waves splits operations so that no record is changed twice in one save: the
// second change must see the first. Order per record is kept.
func waves(ops []Operation) [][]int {
	var out [][]int
	times := map[string]int{}
	for i, op := range ops {
		n := 0
		if op.Kind != OpCreate {
			target := op.ID.String()
			if op.Kind == OpUpsert {
				target = fmt.Sprint(op.Key, "=", op.Patch[op.Key])
			}
			n = times[target]
			times[target]++
		}
		for len(out) <= n {
			out = append(out, nil)
		}
		out[n] = append(out[n], i)
	}
	return out
}

// salvage saves what can be saved: operations that fail together (a unique key,
// say) are halved until the guilty one stands alone.
func (o *Object) salvage(ctx context.Context, tx pgx.Tx, ops []Operation, which []int, results []Result) error {
	if len(which) == 0 {
		return nil
	}
	err := o.attempt(ctx, tx, ops, which, results, false)
	if err == nil || ofTheMachine(err) {
		return err
	}
	for _, i := range which {
		results[i] = Result{}
	}
	if len(which) == 1 {
		results[which[0]] = Result{Err: err}
		return nil
	}
	half := len(which) / 2
	if err := o.salvage(ctx, tx, ops, which[:half], results); err != nil {
		return err
	}
	return o.salvage(ctx, tx, ops, which[half:], results)
}

// ofTheMachine tells failures no operation is guilty of: a deadlock with somebody
// else, say, after which the whole transaction begins again.
func ofTheMachine(err error) bool {
	kind := errs.KindOf(err)
	return kind == errs.Internal || kind == errs.Unavailable || db.Passing(err)
}

func firstRefusal(err error, results []Result, atomic bool) error {
	if err != nil || !atomic {
		return err
	}
	for _, r := range results {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

// attempt runs the chosen operations inside a savepoint. An upsert that lost the
// race to create its record runs again: now it finds what the winner committed.
func (o *Object) attempt(ctx context.Context, tx pgx.Tx, ops []Operation, which []int, results []Result, atomic bool) error {
	upserts := slices.ContainsFunc(which, func(i int) bool { return ops[i].Kind == OpUpsert })
	if len(ops) == 1 && atomic && !upserts {
		return db.MapError(o.run(ctx, tx, ops, which, results))
	}
	for tries := 2; ; tries-- {
		err := db.MapError(pgx.BeginFunc(ctx, tx, func(sp pgx.Tx) error { return o.run(ctx, sp, ops, which, results) }))
		raced := upserts && (atomic || len(which) == 1) && errs.KindOf(err) == errs.Conflict && errs.As(err).Code == "already_exists"
		if !raced || tries == 0 {
			return err
		}
	}
}

// run turns operations into changes and saves them together.
func (o *Object) run(ctx context.Context, tx pgx.Tx, ops []Operation, which []int, results []Result) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	def, err := o.k.wholeDefinition(ctx, o.Def.Name)
	if err != nil {
		return err
	}
	found, err := o.lockTargets(ctx, tx, a, def, ops, which)
	if err != nil {
		return err
	}
	which, later := apart(which, found)
	var changes []*Change
	var origin []int
	for _, i := range which {
		c, err := o.prepare(a, def, &ops[i], found[i])
		if err == nil {
			err = o.asExpected(ctx, &ops[i], found[i])
		}
		if err != nil {
			results[i] = Result{Err: err}
			continue
		}
		changes, origin = append(changes, c), append(origin, i)
	}
	if err := o.save(ctx, tx, changes); err != nil {
		return err
	}
	for n, c := range changes {
		results[origin[n]] = Result{Record: c.New, Created: c.Old == nil, Seq: c.Seq}
	}
	if len(later) > 0 {
		return o.run(ctx, tx, ops, later, results)
	}
	return nil
}

// apart splits off the operations that reached a record an earlier one reached too,
// one by id and one by key: the second must see what the first wrote.
func apart(which []int, found map[int]*Record) (first, later []int) {
	seen := map[uuid.UUID]bool{}
	for _, i := range which {
		if r := found[i]; r != nil {
			if seen[r.ID()] {
				later = append(later, i)
				continue
			}
			seen[r.ID()] = true
		}
		first = append(first, i)
	}
	return first, later
}

// lockTargets loads and locks the records that operations name, in id order so
// that two batches cannot lock each other out. Invisible ones stay nil.
func (o *Object) lockTargets(ctx context.Context, tx pgx.Tx, a *auth.Actor, def *Definition, ops []Operation, which []int) (map[int]*Record, error) {
	out := map[int]*Record{}
	wanted := map[string]map[string][]int{} // field → value as text → operations
	for _, i := range which {
		field, value := "id", any(ops[i].ID)
		switch ops[i].Kind {
		case OpCreate:
			continue
		case OpUpsert:
			field, value = ops[i].Key, ops[i].Patch[ops[i].Key]
		}
		f, ok := def.Field(field)
		if !ok || (!f.Unique && field != "id") {
			return nil, errs.Field(field, "not_unique_field", "%s cannot be matched by %q; use a unique field such as external_id.", def.LabelPlural, field)
		}
		if value == nil {
			continue
		}
		if wanted[field] == nil {
			wanted[field] = map[string][]int{}
		}
		key := f.uniqueText(value)
		wanted[field][key] = append(wanted[field][key], i)
	}
	for field, values := range wanted {
		if err := o.lockBy(ctx, tx, a, def, def.byName[field], values, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (o *Object) lockBy(ctx context.Context, tx pgx.Tx, a *auth.Actor, def *Definition, f *Field, wanted map[string][]int, out map[int]*Record) error {
	scope := a.Grants.Scope(def.Name, auth.Read)
	if scope == auth.None {
		return auth.Denied(def.Name, auth.Read)
	}
	b := &sqlBuilder{actor: a}
	values := slices.Sorted(maps.Keys(wanted))
	where := "t.tenant_id = " + b.arg(a.TenantID)
	if f.Custom {
		where += " and " + b.holders(f, "t", values)
	} else {
		where += fmt.Sprintf(" and t.%s = any(%s::text[]::%s[])", f.Column, b.arg(values), f.Type.Columns()[0])
	}
	if f.Name != "id" {
		where += " and t.deleted_at is null"
	}
	if vis := b.visible(def, scope, "t"); vis != "" {
		where += " and " + vis
	}
	rows, err := tx.Query(ctx, "select "+def.selectList()+" from "+def.Table+" t where "+where+" order by t.id for no key update", b.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for _, r := range collect(rows, def) {
		for _, i := range wanted[f.uniqueText(f.Value(r))] {
			out[i] = r
		}
	}
	return rows.Err()
}

// prepare makes the change an operation wants, or says why not.
func (o *Object) prepare(a *auth.Actor, def *Definition, op *Operation, old *Record) (*Change, error) {
	if op.Err != nil {
		return nil, op.Err
	}
	if op.Kind == OpCreate || (op.Kind == OpUpsert && old == nil) {
		return o.prepareCreate(a, def, op)
	}
	if old == nil {
		return nil, errs.Missing(strings.ToLower(def.Label))
	}
	action, word := auth.Update, "updated"
	switch op.Kind {
	case OpDelete:
		action, word = auth.Delete, "deleted"
	case OpRestore:
		action, word = auth.Delete, "restored"
	}
	scope := a.Grants.Scope(def.Name, action)
	if !Allows(a, scope, old) {
		return nil, auth.Denied(def.Name, action)
	}
	if op.IfVersion != nil && *op.IfVersion != old.Version() {
		return nil, staleVersion(old)
	}
	if old.Deleted() != (op.Kind == OpRestore) {
		return o.wrongPlace(op, old)
	}
	c := &Change{Old: old, New: op.Patch.apply(old), Action: word, Data: op.Data, named: op.Patch.names()}
	switch op.Kind {
	case OpDelete:
		c.New.Set("deleted_at", o.k.Now().UTC().Truncate(time.Microsecond))
	case OpRestore:
		c.New.Set("deleted_at", nil)
	}
	if op.Action != "" {
		c.Action = op.Action
	}
	return c, nil
}

// wrongPlace answers for a record that lies in the bin and should not, or the
// other way round. Deleting or restoring twice is no error.
func (o *Object) wrongPlace(op *Operation, old *Record) (*Change, error) {
	if op.Kind == OpUpdate || op.Kind == OpUpsert {
		return nil, errs.New(errs.Conflict, "deleted", "This %s is in the bin. Restore it first.", strings.ToLower(o.Def.Label))
	}
	return &Change{Old: old, New: old.Clone(), Action: "unchanged"}, nil
}

func staleVersion(old *Record) error {
	e := errs.New(errs.Stale, "stale_version", "Somebody changed this record meanwhile; it is now version %d. Load it again.", old.Version())
	e.Data = map[string]any{"version": old.Version()}
	return e
}

func (o *Object) prepareCreate(a *auth.Actor, def *Definition, op *Operation) (*Change, error) {
	if a.Grants.Scope(def.Name, auth.Create) == auth.None {
		return nil, auth.Denied(def.Name, auth.Create)
	}
	blank := def.New()
	if len(def.rules.defaults) > 0 {
		blank.Set("custom", maps.Clone(def.rules.defaults))
	}
	if def.Owned && a.Kind == auth.User {
		blank.Set("owner_id", a.ID)
	}
	r := op.Patch.apply(blank)
	if op.ID == uuid.Nil {
		op.ID = id.New()
	}
	r.Set("id", op.ID)
	c := &Change{New: r, Action: "created", Data: op.Data, unique: op.Unique, named: op.Patch.names()}
	if op.Action != "" {
		c.Action = op.Action
	}
	return c, nil
}

// save is the one writer: hooks, rows, journal, search documents, hooks, notice.
func (o *Object) save(ctx context.Context, tx pgx.Tx, changes []*Change) error {
	if len(changes) == 0 {
		return nil
	}
	ctx = Whole(ctx) // rules go by all there is, whoever acts
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	if err := guardLoop(a); err != nil {
		return err
	}
	if o.hooks.Before != nil {
		if err := o.hooks.Before(ctx, tx, changes); err != nil {
			return err
		}
	}
	if err := o.complete(ctx, tx, a, changes); err != nil {
		return err
	}
	now := o.k.Now().UTC().Truncate(time.Microsecond)
	live := changes[:0:0]
	for _, c := range changes {
		if err := c.New.checkRequired(); err != nil {
			return err
		}
		if o.stamp(a, c, now) {
			live = append(live, c)
		}
	}
	if len(live) == 0 {
		return nil
	}
	if err := o.checkReturns(ctx, tx, live); err != nil {
		return err
	}
	if err := o.write(ctx, tx, a, live, now); err != nil {
		return err
	}
	if err := o.rollUp(ctx, tx, a, live); err != nil {
		return err
	}
	if err := o.cascade(ctx, tx, live); err != nil {
		return err
	}
	if o.hooks.After != nil {
		if err := o.hooks.After(ctx, tx, live); err != nil {
			return err
		}
	}
	o.forgetAfterCommit(ctx, a.TenantID, live)
	o.noticeAfterCommit(ctx, a.TenantID, live)
	return nil
}

func (o *Object) noticeAfterCommit(ctx context.Context, tenant uuid.UUID, changes []*Change) {
	n := Notice{TenantID: tenant, Object: o.Def.Name, Plural: o.Def.Plural, Action: changes[0].Action}
	for _, c := range changes {
		n.IDs = append(n.IDs, c.New.ID())
	}
	db.AfterCommit(ctx, func() { o.k.notify(n) })
}

// stamp sets who and when, computes the difference, and reports whether there
// is one: a patch that changes nothing leaves version and journal alone.
func (o *Object) stamp(a *auth.Actor, c *Change, now time.Time) bool {
	var by any
	if a.Kind == auth.User {
		by = a.ID
	}
	if c.Old == nil {
		if c.New.Get("created_at") == nil {
			c.New.Set("created_at", now)
		}
		c.New.Set("created_by", by)
		c.New.Set("version", int64(1))
	}
	c.fields = difference(c.Old, c.New)
	if c.Old != nil && len(c.fields) == 0 && (c.Action == "updated" || c.Action == "unchanged") {
		c.New = c.Old
		return false
	}
	if c.Old != nil {
		c.New.Set("version", c.Old.Version()+1)
	}
	c.New.Set("updated_at", now)
	c.New.Set("updated_by", by)
	return true
}

// errLost means a locked row was not there to be updated: a kernel bug.
var errLost = errors.New("a locked record could not be updated")
