package record

import (
	"context"
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

// ActRestored is the journal's word for a record that was set back to a moment.
const ActRestored = "restored_to"

// AsOf returns a record as it was at a moment, rebuilt from the journal. It needs
// the right to read the record as it is now. Hidden fields and fields that no
// longer exist are as they are now.
func (o *Object) AsOf(ctx context.Context, id uuid.UUID, at time.Time) (*Record, error) {
	current, err := o.Get(Whole(ctx), id)
	if err != nil {
		return nil, err
	}
	def, err := o.k.wholeDefinition(ctx, o.Def.Name)
	if err != nil {
		return nil, err
	}
	past, err := o.rewind(ctx, def, current, at)
	if err != nil {
		return nil, err
	}
	r := past.patch.apply(current)
	r.Set("version", max(current.Version()-past.changes, 1))
	r.Set("updated_at", past.at)
	r.Set("updated_by", past.by)
	return o.shown(ctx, r)
}

// RestoreTo sets a record back to what it was at a moment, as one change that can
// be undone. It takes all fields back, also those that acts own (the stage, the
// state), so that the record is as consistent as it was then. It refuses when an
// act has since linked the record to others (a conversion): that act must be
// undone as a whole. It needs the update right, and the delete right when the
// record comes back from the bin.
func (o *Object) RestoreTo(ctx context.Context, id uuid.UUID, at time.Time, ifVersion *int64) (*Record, error) {
	var out *Record
	err := o.k.DB.Tx(context.WithValue(ctx, undoKey{}, true), func(ctx context.Context, tx pgx.Tx) error {
		a, err := auth.Must(ctx)
		if err != nil {
			return err
		}
		def, err := o.k.wholeDefinition(ctx, o.Def.Name)
		if err != nil {
			return err
		}
		found, err := o.lockTargets(ctx, tx, a, def, []Operation{{Kind: OpUpdate, ID: id}}, []int{0})
		if err != nil {
			return err
		}
		c, err := o.setBack(ctx, a, def, found[0], at, ifVersion)
		if err != nil {
			return err
		}
		if out = c.Old; len(difference(c.Old, c.New)) == 0 {
			return nil
		}
		if err := o.mayAct(ctx, c); err != nil {
			return err
		}
		if err := o.save(ctx, tx, []*Change{c}); err != nil {
			return err
		}
		out = c.New
		return nil
	})
	if err != nil {
		return nil, err
	}
	return o.shown(ctx, out)
}

// setBack makes the change that restores a locked record, or refuses.
func (o *Object) setBack(ctx context.Context, a *auth.Actor, def *Definition, current *Record, at time.Time, ifVersion *int64) (*Change, error) {
	if current == nil {
		return nil, errs.Missing(strings.ToLower(def.Label))
	}
	past, err := o.rewind(ctx, def, current, at)
	if err != nil {
		return nil, err
	}
	need := auth.Update
	if current.Deleted() {
		need = auth.Delete
	}
	if scope := a.Grants.Scope(def.Name, need); !Allows(a, scope, current) {
		return nil, auth.Denied(def.Name, need)
	}
	if ifVersion != nil && *ifVersion != current.Version() {
		return nil, staleVersion(current)
	}
	then := past.patch.apply(current)
	if then.Deleted() {
		return nil, errs.Field("at", "was_deleted", "At that time it was in the bin. Choose a moment before or after.")
	}
	for name, e := range past.linked {
		if !Same(then.Get(name), current.Get(name)) {
			return nil, errs.New(errs.Conflict, "linked_since", "Since then it was %s, which links it to other records. Undo change %d first.", e.Action, e.Seq)
		}
	}
	return &Change{Old: current, New: then, Action: ActRestored, Data: map[string]any{"at": at.UTC().Format(time.RFC3339Nano)}}, nil
}

// past is what separates a record from an earlier moment.
type past struct {
	patch   Patch             // the values of then, of all fields changed since
	changes int64             // rows that changed fields since
	linked  map[string]*Entry // the newest row for each link that only acts may set
	at      any               // when and by whom it had last been changed then
	by      any
}

// rewind walks the journal back from now.
func (o *Object) rewind(ctx context.Context, def *Definition, current *Record, at time.Time) (*past, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	// One row more than needed: the last of then tells who and when.
	entries, err := o.k.entries(ctx, db.Query{
		SQL: "select " + entryColumns + ` from journal j where j.tenant_id = $1 and j.object = $2 and j.record_id = $3
	  and j.seq >= coalesce((select max(b.seq) from journal b where b.tenant_id = $1 and b.object = $2 and b.record_id = $3 and b.at <= $4), 0) order by j.seq desc`,
		Args: []any{a.TenantID, o.Def.Name, current.ID(), at.UTC()},
	})
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 || entries[len(entries)-1].At.After(at) {
		return nil, errs.Field("at", "before_creation", "It did not exist at that time.")
	}
	p := &past{patch: Patch{}, linked: map[string]*Entry{}, at: entries[len(entries)-1].At}
	if by := entries[len(entries)-1].ActorID; by != nil && entries[len(entries)-1].ActorKind == string(auth.User) {
		p.by = *by
	}
	for i := range entries[:len(entries)-1] {
		p.reverse(def, &entries[i])
	}
	return p, nil
}

func (p *past) reverse(def *Definition, e *Entry) {
	if len(e.Changes) > 0 {
		p.changes++
	}
	for _, name := range slices.Sorted(maps.Keys(e.Changes)) {
		f, ok := def.Field(name)
		if !ok {
			continue
		}
		v, err := fromJournal(f, e.Changes[name][0])
		if err != nil {
			continue // an option that is no more, say: it stays as it is
		}
		p.patch[name] = v
		if f.ReadOnly && f.Type.Name() == "relation" && p.linked[name] == nil {
			p.linked[name] = e
		}
	}
}
