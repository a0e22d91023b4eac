package record

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
)

// Limits of a list page.
const (
	DefaultLimit = 50
	MaxLimit     = 200
)

// Query is what a list shows. The zero value is the first page of everything
// the actor may see, newest first.
type Query struct {
	Limit  int
	Cursor string
	Sort   string
	Prefer string // the product's own order, without Sort and where the actor has its fields
	Filter Filter
	Search string
	Count  bool
	Rough  bool // with Count: an estimate will do beyond exactUpTo rows
	Trash  bool // the bin instead of the living
}

// Page is one page of a list.
type Page struct {
	Records []*Record
	Next    string // cursor of the next page, "" at the end
	Count   *int64 // all matching rows, when asked for
	Rough   bool   // Count is an estimate
}

// Get returns one record the actor may see. Records in the bin are found too,
// so that they can be restored; Deleted tells.
func (o *Object) Get(ctx context.Context, id uuid.UUID) (*Record, error) {
	found, err := o.GetMany(ctx, []uuid.UUID{id})
	if err != nil {
		return nil, err
	}
	if r := found[id]; r != nil {
		return r, nil
	}
	return nil, errs.Missing(strings.ToLower(o.Def.Label))
}

// GetMany returns the visible ones of ids; the others are left out.
func (o *Object) GetMany(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*Record, error) {
	out := make(map[uuid.UUID]*Record, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	a, scope, err := auth.Require(ctx, o.Def.Name, auth.Read)
	if err != nil {
		return nil, err
	}
	if len(ids) <= mostCached && o.cached(ctx) {
		return o.getCached(ctx, a, scope, ids)
	}
	b := &sqlBuilder{actor: a}
	where := fmt.Sprintf("t.tenant_id = %s and t.id = ", b.arg(a.TenantID))
	if len(ids) == 1 {
		where += b.arg(ids[0])
	} else {
		where += "any(" + b.arg(ids) + ")"
	}
	if vis := b.visible(o.Def, scope, "t"); vis != "" {
		where += " and " + vis
	}
	def, err := o.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return nil, err
	}
	q := db.Query{SQL: "select " + o.Def.selectList() + " from " + o.Def.Table + " t where " + where, Args: b.args}
	err = o.k.DB.Read(ctx, q, func(rows pgx.Rows) error {
		for _, r := range collect(rows, def) {
			out[r.ID()] = r
		}
		return nil
	})
	return out, err
}

func collect(rows pgx.Rows, def *Definition) []*Record {
	var out []*Record
	buf := make([]cell, 0, len(def.columns))
	for rows.Next() {
		buf = cells(rows, buf)
		out = append(out, def.scan(buf))
	}
	return out
}

// IDs returns up to max ids of the records a query matches, for bulk acts.
func (o *Object) IDs(ctx context.Context, q Query, limit int) ([]uuid.UUID, error) {
	a, scope, err := auth.Require(ctx, o.Def.Name, auth.Read)
	if err != nil {
		return nil, err
	}
	n, q, err := o.narrowTo(ctx, q)
	if err != nil {
		return nil, err
	}
	b := &sqlBuilder{actor: a, defs: o.k.resolver(ctx)}
	where, err := o.listWhere(b, scope, q, n)
	if err != nil {
		return nil, err
	}
	var out []uuid.UUID
	sql := fmt.Sprintf("select t.id from %s t where %s order by t.id limit %d", o.Def.Table, where, limit)
	err = o.k.DB.Read(ctx, db.Query{SQL: sql, Args: b.args, Varied: true}, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	return out, err
}

// FindBy returns the living record whose unique field has this value, or nil.
func (o *Object) FindBy(ctx context.Context, field string, value any) (*Record, error) {
	def, err := o.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return nil, err
	}
	f, ok := def.Field(field)
	if !ok || (!f.Unique && field != "email") {
		return nil, errs.Field(field, "not_unique_field", "%s cannot be looked up by %s.", o.Def.LabelPlural, field)
	}
	page, err := o.List(ctx, Query{Limit: 1, Filter: Filter{Cond: &Cond{Field: f, Op: Eq, Values: []any{value}}}})
	if err != nil || len(page.Records) == 0 {
		return nil, err
	}
	return page.Records[0], nil
}
