package record

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
)

// parts are the relation fields whose records go to the bin, and come back, with
// the record they point to.
func (k *Kernel) parts(object string) []relation {
	var out []relation
	for _, o := range k.order {
		for _, f := range o.Def.Fields {
			if f.Cascade && f.Target == object {
				out = append(out, relation{o, o.Def, f})
			}
		}
	}
	return out
}

// cascadeBatch gives the deletion of records with parts a batch, so that the
// journal shows them as one.
func (o *Object) cascadeBatch(ctx context.Context, ops []Operation) context.Context {
	a := auth.From(ctx)
	if a == nil || a.BatchID != uuid.Nil {
		return ctx
	}
	for _, op := range ops {
		if (op.Kind == OpDelete || op.Kind == OpRestore) && len(o.k.parts(o.Def.Name)) > 0 {
			return auth.As(ctx, func(a *auth.Actor) { a.BatchID = id.New() })
		}
	}
	return ctx
}

// cascade moves the parts of records into and out of the bin with them. Parts carry
// the very moment of their whole, so that restoring it brings back exactly what went
// with it and not what was thrown away before.
func (o *Object) cascade(ctx context.Context, tx pgx.Tx, changes []*Change) error {
	for _, c := range changes {
		if c.Old == nil || c.Old.Deleted() == c.New.Deleted() || c.Action == merged {
			continue
		}
		for _, p := range o.k.parts(o.Def.Name) {
			if err := p.follow(allowAll(ctx), tx, c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p relation) follow(ctx context.Context, tx pgx.Tx, whole *Change) error {
	ids, err := p.find(ctx, tx, auth.From(ctx).TenantID, whole.New.Def.Name, []uuid.UUID{whole.New.ID()})
	if err != nil {
		return err
	}
	for len(ids) > 0 {
		n := min(len(ids), MaxBatch)
		records, err := p.o.lockAll(ctx, tx, p.def, ids[:n])
		if err != nil {
			return err
		}
		var changes []*Change
		for _, r := range records {
			if Same(r.Get("deleted_at"), whole.Old.Get("deleted_at")) {
				c := &Change{Old: r, New: r.Clone(), Action: whole.Action, Data: map[string]any{"with": whole.New.ID()}}
				c.New.Set("deleted_at", whole.New.Get("deleted_at"))
				changes = append(changes, c)
			}
		}
		if err := p.o.save(ctx, tx, changes); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// checkReturns refuses what cannot come back from the bin: a record whose unique
// value somebody else has now, and, other than by undoing the merge, a merged one.
func (o *Object) checkReturns(ctx context.Context, tx pgx.Tx, changes []*Change) error {
	var back []*Record
	var ids []uuid.UUID
	for _, c := range changes {
		if c.Old != nil && c.Old.Deleted() && !c.New.Deleted() {
			back, ids = append(back, c.New), append(ids, c.New.ID())
		}
	}
	if len(back) == 0 {
		return nil
	}
	if !Undoing(ctx) {
		gone, err := o.redirects(ctx, tx, ids)
		if err != nil {
			return err
		}
		for id, g := range gone {
			e := errs.New(errs.Conflict, merged, "This %s was merged into another one. Undo the merge to bring it back with all that belongs to it.", strings.ToLower(o.Def.Label))
			e.Data = map[string]any{"id": id, "into": g.new, "batch_id": g.batch}
			return e
		}
	}
	for _, r := range back {
		for _, f := range o.Def.Fields {
			if !f.Unique || r.Get(f.Name) == nil {
				continue
			}
			if err := o.checkFree(ctx, tx, r, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkFree names the record that has taken a unique value meanwhile, if the actor
// may see it.
func (o *Object) checkFree(ctx context.Context, tx pgx.Tx, r *Record, f *Field) error {
	a := auth.From(ctx)
	def := o.Def
	rows, err := tx.Query(ctx, fmt.Sprintf("select %s from %s t where t.tenant_id = $1 and t.%s = $2 and t.deleted_at is null and t.id <> $3 limit 1", def.selectList(), def.Table, f.Column),
		a.TenantID, f.Type.Args(r.Get(f.Name))[0], r.ID())
	if err != nil {
		return err
	}
	defer rows.Close()
	holders := collect(rows, def)
	if err := rows.Err(); err != nil || len(holders) == 0 {
		return err
	}
	holder := "another " + strings.ToLower(def.Label)
	e := errs.New(errs.Conflict, "already_exists", "")
	if scope := a.Grants.Scope(def.Name, auth.Read); Allows(a, scope, holders[0]) {
		holder = "“" + holders[0].Title() + "”"
		e.Data = map[string]any{"field": f.Name, "holder": map[string]any{"id": holders[0].ID(), "title": holders[0].Title()}}
	}
	e.Message = fmt.Sprintf("%s has this %s now. Change one of the two first.", upperFirst(holder), f.Label)
	e.Fields = []errs.FieldError{{Field: f.Name, Code: "not_unique", Message: e.Message}}
	return e
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
