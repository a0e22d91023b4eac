package record

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
)

// followRedirects walks from $3 to the end of its chain. A chain has no circles: what
// was merged lies in the bin and cannot take others in.
const followRedirects = `with recursive hop(id, n) as (
    select new_id, 1 from record_redirects where tenant_id = $1 and object = $2 and old_id = $3
    union all
    select r.new_id, h.n + 1 from hop h join record_redirects r on r.tenant_id = $1 and r.object = $2 and r.old_id = h.id where h.n < 100
  ) select id from hop order by n desc limit 1`

// absorbedIDs are the records that became part of $3, over any number of merges.
const absorbedIDs = `with recursive part(id, n) as (
      select old_id, 1 from record_redirects where tenant_id = $1 and object = $2 and new_id = $3
      union all
      select r.old_id, p.n + 1 from part p join record_redirects r on r.tenant_id = $1 and r.object = $2 and r.new_id = p.id where p.n < 100
    ) select id from part`

// MergedInto returns the living record that a merged one became part of, over any
// number of merges; nil when there is none or the actor may not see it.
func (o *Object) MergedInto(ctx context.Context, id uuid.UUID) (*Record, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	var to []uuid.UUID
	err = o.k.DB.Read(ctx, db.Query{SQL: followRedirects, Args: []any{a.TenantID, o.Def.Name, id}}, func(rows pgx.Rows) (err error) {
		to, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	if err != nil || len(to) == 0 {
		return nil, err
	}
	found, err := o.GetMany(ctx, to)
	if err != nil || found[to[0]] == nil || found[to[0]].Deleted() {
		return nil, err
	}
	return found[to[0]], nil
}

// redirect is where a merged record went, one step, and the batch that did it.
type redirect struct{ old, new, batch uuid.UUID }

func (o *Object) redirects(ctx context.Context, tx pgx.Tx, old []uuid.UUID) (map[uuid.UUID]redirect, error) {
	rows, err := tx.Query(ctx, `select old_id, new_id, batch_id from record_redirects where tenant_id = $1 and object = $2 and old_id = any($3)`,
		auth.From(ctx).TenantID, o.Def.Name, old)
	if err != nil {
		return nil, err
	}
	out := map[uuid.UUID]redirect{}
	var r redirect
	_, err = pgx.ForEachRow(rows, []any{&r.old, &r.new, &r.batch}, func() error { out[r.old] = r; return nil })
	return out, err
}

// queueUnredirect forgets the redirects of records that come back from the bin.
func (o *Object) queueUnredirect(b *pgx.Batch, tenant uuid.UUID, changes []*Change) {
	var back []uuid.UUID
	for _, c := range changes {
		if c.Old != nil && c.Old.Deleted() && !c.New.Deleted() {
			back = append(back, c.New.ID())
		}
	}
	if len(back) > 0 {
		b.Queue(`delete from record_redirects where tenant_id = $1 and object = $2 and old_id = any($3)`, tenant, o.Def.Name, back)
	}
}

// stale collects the refusal of a change that points to a merged record.
type stale struct{ err error }

// queueStale refuses new pointers to records that were merged away. It runs after
// the rows are written, in the same round trip: writing a foreign key waits for a
// merge that holds the record, and the statement after it sees what became of it.
// Links have no foreign key, so they wait by hand.
func (o *Object) queueStale(b *pgx.Batch, tenant uuid.UUID, changes []*Change) *stale {
	s := &stale{}
	names := map[uuid.UUID]string{}
	linked := map[string][]uuid.UUID{}
	set := changes[0].New.Def.set
	for _, c := range changes {
		for _, f := range o.Def.Fields {
			if f.Type.Name() != "relation" || f.Target == "" || !c.Changed(f.Name) {
				continue
			}
			if t, ok := o.k.objects[f.Target]; ok && t.Def.Mergeable() {
				if to := uuidOf(c.New.Get(f.Name)); to != uuid.Nil {
					names[to] = f.Name
				}
			}
		}
		for _, l := range o.freshLinks(c) {
			names[l.ID], linked[l.Object] = o.Def.Links.Field, append(linked[l.Object], l.ID)
		}
	}
	if len(names) == 0 {
		return s
	}
	o.k.queueHold(b, set, tenant, linked)
	ids := make([]uuid.UUID, 0, len(names))
	for id := range names {
		ids = append(ids, id)
	}
	b.Queue(`select old_id from record_redirects where tenant_id = $1 and object = any($2) and old_id = any($3) limit 1`, tenant, o.k.mergeable(set), ids).Query(func(rows pgx.Rows) error {
		gone, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if len(gone) > 0 {
			s.err = errs.Field(names[gone[0]], "merged", "The record %s was merged into another one. Read it by its old id to find the new one, and use that.", gone[0])
		}
		return err
	})
	return s
}

// freshLinks are the links that a change adds.
func (o *Object) freshLinks(c *Change) []Link {
	if o.Def.Links == nil {
		return nil
	}
	known := map[Link]bool{}
	if c.Old != nil {
		for _, l := range o.Def.Links.Of(c.Old) {
			known[l] = true
		}
	}
	var out []Link
	for _, l := range o.Def.Links.Of(c.New) {
		if !known[l] {
			out = append(out, l)
		}
	}
	return out
}

// queueHold takes the lock a foreign key would take on linked records.
func (k *Kernel) queueHold(b *pgx.Batch, set *customSet, tenant uuid.UUID, linked map[string][]uuid.UUID) {
	for _, o := range k.objectsIn(set) {
		if ids := linked[o.Def.Name]; len(ids) > 0 {
			b.Queue(fmt.Sprintf(`select 1 from %s t where t.tenant_id = $1 and t.id = any($2) order by t.id for key share`, o.Def.Table), tenant, ids)
		}
	}
}

// mergeable are the names of the objects whose records can be merged: settings
// cannot.
func (k *Kernel) mergeable(set *customSet) []string {
	var out []string
	for _, o := range k.objectsIn(set) {
		if o.Def.Mergeable() {
			out = append(out, o.Def.Name)
		}
	}
	return out
}
