package record

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
)

// Links describes pointers to records that no relation field holds, such as an
// activity's list of what it is about. With it the kernel can carry them along in
// a merge and drop them in a purge.
type Links struct {
	Field string // what a refusal of a link blames
	// Of lists what a record points to.
	Of func(r *Record) []Link
	// Move puts to in the place of every link to one of from, or drops those when to
	// is nil.
	Move func(r *Record, object string, from map[uuid.UUID]bool, to *uuid.UUID)
	// Find is SQL for the ids of records that point to any of $3 of object $2 in
	// tenant $1.
	Find string
}

// Link names a record by its object and id.
type Link struct {
	Object string
	ID     uuid.UUID
}

// Detail names a table whose rows are part of a record and go with it: Column
// holds the record's id.
type Detail struct{ Table, Column string }

// Mover carries rows along that point to records of Object from a table outside the
// kernel, when records are merged or purged. Each act runs in the transaction of
// the merge. What Move returns is kept, as JSON, and handed to Back by an undo.
type Mover struct {
	Object, Table, Column string

	Move func(ctx context.Context, tx pgx.Tx, from []uuid.UUID, into uuid.UUID) (any, error)
	Back func(ctx context.Context, tx pgx.Tx, moved []byte) error
	Drop func(ctx context.Context, tx pgx.Tx, ids []uuid.UUID) error
}

// Moves registers movers. Called at composition only.
func (k *Kernel) Moves(movers ...Mover) { k.movers = append(k.movers, movers...) }

func (k *Kernel) moversOf(object string) []Mover {
	var out []Mover
	for _, m := range k.movers {
		if m.Object == object {
			out = append(out, m)
		}
	}
	return out
}

// Carries reports whether a merge of records carries along what this column points
// to them with: a field of an object, a mover, or part of a record.
func (k *Kernel) Carries(object, table, column string) bool {
	for _, m := range k.movers {
		if m.Object == object && m.Table == table && m.Column == column {
			return true
		}
	}
	for _, o := range k.order {
		for _, d := range o.Def.Details {
			if o.Def.Name == object && d.Table == table && d.Column == column {
				return true
			}
		}
		for _, f := range o.Def.Fields {
			if o.Def.Table == table && f.Column == column && f.Target == object {
				return true
			}
		}
	}
	return false
}

// relation is one way in which records of an object point to another one: a relation
// field, or its links when field is nil.
type relation struct {
	o     *Object
	def   *Definition
	field *Field
}

// relations lists every way into an object, in registration order, so that all acts
// lock in the same order. It includes the tenant's custom relations.
func (k *Kernel) relations(ctx context.Context, target string) ([]relation, error) {
	var out []relation
	for _, o := range k.ObjectsFor(ctx) {
		def, err := k.wholeDefinition(ctx, o.Def.Name)
		if err != nil {
			return nil, err
		}
		for _, f := range append(append([]*Field{}, def.Fields...), def.CustomFields()...) {
			if f.Target == target && f.Type.Columns()[0] == "uuid" {
				out = append(out, relation{o, def, f})
			}
		}
		if o.Def.Links != nil {
			out = append(out, relation{o, def, nil})
		}
	}
	return out, nil
}

// find lists the ids of all records that point to one of targets, those in the bin
// included.
func (p relation) find(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, object string, targets []uuid.UUID) ([]uuid.UUID, error) {
	if p.field == nil {
		return idsOf(tx.Query(ctx, p.o.Def.Links.Find, tenant, object, targets))
	}
	if p.field.Custom {
		var texts []string
		for _, t := range targets {
			texts = append(texts, t.String())
		}
		sql := fmt.Sprintf("select t.id from %s t where t.tenant_id = $1 and t.custom->>$2 = any($3::text[]) order by t.id", p.o.Def.Table)
		return idsOf(tx.Query(ctx, sql, tenant, p.field.Name, texts))
	}
	sql := fmt.Sprintf("select t.id from %s t where t.tenant_id = $1 and t.%s = any($2) order by t.id", p.o.Def.Table, p.field.Column)
	return idsOf(tx.Query(ctx, sql, tenant, targets))
}

func idsOf(rows pgx.Rows, err error) ([]uuid.UUID, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// turn makes the pointer of a locked record lead elsewhere; nil when it does not
// point to one of from any more.
func (p relation) turn(r *Record, object string, from map[uuid.UUID]bool, to *uuid.UUID) (*Record, error) {
	if p.field == nil {
		out := r.Clone()
		p.o.Def.Links.Move(out, object, from, to)
		return out, nil
	}
	name := p.field.Name
	if p.field.Custom {
		name = "custom." + name
	}
	if !from[uuidOf(r.Get(name))] {
		return nil, nil
	}
	var v any
	switch {
	case to != nil && (*to != r.ID() || p.o.Def.Name != object): // nothing points to itself
		v = *to
	case p.field.Required:
		return nil, errs.New(errs.Conflict, "in_use", "%s %s needs it as its %s. Give it another one first.", p.o.Def.Label, r.ID(), p.field.Label)
	}
	return Patch{name: v}.apply(r), nil
}

func uuidOf(v any) uuid.UUID {
	switch v := v.(type) {
	case uuid.UUID:
		return v
	case string:
		u, _ := uuid.Parse(v) // unreadable = points nowhere
		return u
	}
	return uuid.Nil
}

// repointed is the journal's word for a record whose pointer was carried along.
const repointed = "repointed"

// repoint makes everything that points to one of from point to to, or nowhere when
// to is nil, through the one change path, in pieces. It reaches records the actor
// cannot see: a company has one set of deals, whoever merges it. It returns how
// many records of each object were changed.
func (k *Kernel) repoint(ctx context.Context, tx pgx.Tx, object string, from []uuid.UUID, to *uuid.UUID) (map[string]int, error) {
	ctx = allowAll(context.WithValue(ctx, undoKey{}, true))
	ways, err := k.relations(ctx, object)
	if err != nil {
		return nil, err
	}
	gone := map[uuid.UUID]bool{}
	for _, id := range from {
		gone[id] = true
	}
	moved := map[string]int{}
	for _, p := range ways {
		ids, err := p.find(ctx, tx, auth.From(ctx).TenantID, object, from)
		if err != nil {
			return nil, err
		}
		for len(ids) > 0 {
			n := min(len(ids), MaxBatch)
			changed, err := p.repoint(ctx, tx, object, ids[:n], gone, to)
			if err != nil {
				return nil, err
			}
			if changed > 0 {
				moved[p.o.Def.Plural] += changed
			}
			ids = ids[n:]
		}
	}
	return moved, nil
}

func (p relation) repoint(ctx context.Context, tx pgx.Tx, object string, ids []uuid.UUID, from map[uuid.UUID]bool, to *uuid.UUID) (int, error) {
	records, err := p.o.lockAll(ctx, tx, p.def, ids)
	if err != nil {
		return 0, err
	}
	var changes []*Change
	for _, r := range records {
		if p.o.Def.Name == object && from[r.ID()] {
			continue // what is merged or purged itself
		}
		next, err := p.turn(r, object, from, to)
		if err != nil {
			return 0, err
		}
		if next != nil {
			changes = append(changes, &Change{Old: r, New: next, Action: repointed})
		}
	}
	return len(changes), p.o.save(ctx, tx, changes)
}

// lockAll loads and locks records by id whatever the actor may see, in id order.
func (o *Object) lockAll(ctx context.Context, tx pgx.Tx, def *Definition, ids []uuid.UUID) ([]*Record, error) {
	rows, err := tx.Query(ctx, "select "+def.selectList()+" from "+def.Table+" t where t.tenant_id = $1 and t.id = any($2) order by t.id for update",
		auth.From(ctx).TenantID, ids)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := collect(rows, def)
	return out, rows.Err()
}

// allowAll lets the product do what follows from the actor's act; the journal
// names the actor all the same.
func allowAll(ctx context.Context) context.Context {
	return auth.As(ctx, func(a *auth.Actor) { a.Grants = auth.AllGrants() })
}

// Related counts the living records of each object that point to one of ids and
// that the actor may see, by the plural of the object: what a merge would carry
// along, for people to look at first.
func (o *Object) Related(ctx context.Context, ids []uuid.UUID) (map[string]int, error) {
	out := map[string]int{}
	err := o.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		a := auth.From(ctx)
		ways, err := o.k.relations(ctx, o.Def.Name)
		if err != nil {
			return err
		}
		for _, p := range ways {
			if a.Grants.Scope(p.o.Def.Name, auth.Read) == auth.None || o.k.withheld(ctx, p) {
				continue
			}
			found, err := p.find(ctx, tx, a.TenantID, o.Def.Name, ids)
			if err != nil {
				return err
			}
			n, err := p.o.countVisible(ctx, tx, found)
			if err != nil {
				return err
			}
			if n > 0 {
				out[p.o.Def.Plural] += n
			}
		}
		return nil
	})
	return out, err
}

func (o *Object) countVisible(ctx context.Context, tx pgx.Tx, ids []uuid.UUID) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	a := auth.From(ctx)
	b := &sqlBuilder{actor: a}
	sql := fmt.Sprintf("select count(*) from %s t where t.tenant_id = %s and t.id = any(%s) and t.deleted_at is null", o.Def.Table, b.arg(a.TenantID), b.arg(ids))
	if vis := b.visible(o.Def, a.Grants.Scope(o.Def.Name, auth.Read), "t"); vis != "" {
		sql += " and " + vis
	}
	var n int
	err := tx.QueryRow(ctx, sql, b.args...).Scan(&n)
	return n, err
}
