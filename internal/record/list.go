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

// List returns one page of the records the actor may see: in the order asked
// for, or, for a search without one, best hits first.
func (o *Object) List(ctx context.Context, q Query) (*Page, error) {
	a, scope, err := auth.Require(ctx, o.Def.Name, auth.Read)
	if err != nil {
		return nil, err
	}
	if q.Limit == 0 {
		q.Limit = DefaultLimit
	}
	if q.Limit < 1 || q.Limit > MaxLimit {
		return nil, malformed(errs.Fields{{Field: "limit", Code: "out_of_range", Message: fmt.Sprintf("limit must be between 1 and %d.", MaxLimit)}})
	}
	def, err := o.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return nil, err
	}
	q = q.settle(def)
	if q.Sort == "" && !o.Def.NoSearch && searchWords(q.Search) != "" && !q.Trash {
		return o.listRanked(ctx, a, scope, q)
	}
	keys, err := def.parseSort(q.Sort)
	if err != nil {
		return nil, err
	}
	l := &listing{o: o, def: def, a: a, q: q, keys: keys}
	if q.Cursor != "" {
		if l.after, l.last, err = decodeCursor(q.Cursor, a.TenantID, q.Sort, keys); err != nil {
			return nil, err
		}
	}
	n, err := o.narrow(ctx, q)
	if err != nil {
		return nil, err
	}
	l.b = &sqlBuilder{actor: a, defs: o.k.resolver(ctx)}
	if l.where, err = o.listWhere(l.b, scope, q, n); err != nil {
		return nil, err
	}
	return l.read(ctx)
}

// listWhere is the predicate of everything a query shows, without its cursor.
func (o *Object) listWhere(b *sqlBuilder, scope auth.Scope, q Query, n narrowing) (string, error) {
	where := "t.tenant_id = " + b.arg(b.actor.TenantID)
	if q.Trash {
		where += " and t.deleted_at is not null"
	} else {
		where += " and t.deleted_at is null"
	}
	if vis := b.visible(o.Def, scope, "t"); vis != "" {
		where += " and " + vis
	}
	filter, err := b.where(q.Filter, "t")
	if err != nil {
		return "", err
	}
	if !q.Filter.Empty() {
		where += " and " + filter
	}
	if s := n.sql(b, q, "t"); s != "" {
		where += " and " + s
	}
	return where, nil
}

// listing reads one page in the order of its keys.
//
// Empty values come last in both directions. An index cannot give that order
// from any place on, so a page whose first key may be empty is read in two parts:
// the filled rows, and, only when they do not fill the page, the empty ones.
type listing struct {
	o     *Object
	def   *Definition
	a     *auth.Actor
	q     Query
	keys  []SortKey
	b     *sqlBuilder
	where string
	after []any // the cursor's values; nil on the first page
	last  uuid.UUID
}

func (l *listing) read(ctx context.Context) (*Page, error) {
	page := &Page{}
	queries := []db.Query{}
	if l.q.Count {
		queries = l.counting()
	}
	split := !notNull(l.keys[0].Field)
	empties := split && l.after != nil && l.after[0] == nil
	queries = append(queries, l.part(split, empties, l.q.Limit+1))
	err := l.o.k.DB.ReadMany(ctx, queries, func(i int, rows pgx.Rows) error {
		if i == len(queries)-1 {
			page.Records = collect(rows, l.def)
			return nil
		}
		if i == 1 {
			return page.estimate(rows)
		}
		n, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[int64])
		page.Count = &n
		return err
	})
	if err == nil && split && !empties && len(page.Records) <= l.q.Limit {
		err = l.o.k.DB.Read(ctx, l.part(true, true, l.q.Limit+1-len(page.Records)), func(rows pgx.Rows) error {
			page.Records = append(page.Records, collect(rows, l.def)...)
			return nil
		})
	}
	if err != nil {
		return nil, err
	}
	if len(page.Records) > l.q.Limit {
		page.Records = page.Records[:l.q.Limit]
		page.Next = encodeCursor(l.a.TenantID, l.q.Sort, l.keys, page.Records[l.q.Limit-1])
	}
	return page, nil
}

// counting is one statement, or two for a rough count.
func (l *listing) counting() []db.Query {
	from := " from " + l.o.Def.Table + " t where " + l.where
	count := db.Query{SQL: "select count(*)" + from, Args: append([]any(nil), l.b.args...)}
	if l.q.Rough {
		return roughCount(count, "select 1"+from)
	}
	return []db.Query{count}
}

// part is the statement for the rows whose first key is filled, or empty, or,
// when it cannot be empty, for all.
func (l *listing) part(split, empties bool, limit int) db.Query {
	b := &sqlBuilder{args: append([]any(nil), l.b.args...), actor: l.a}
	where, first := l.where, "t."+l.keys[0].Field.Column
	switch {
	case split && empties:
		where += " and " + first + " is null"
	case split:
		where += " and " + first + " is not null"
	}
	if l.after != nil && (l.after[0] == nil) == empties {
		where += " and " + b.afterCursor(l.keys, l.after, l.last, "t")
	}
	return db.Query{Args: b.args, Varied: true, SQL: fmt.Sprintf("select %s from %s t where %s order by %s limit %d",
		l.o.Def.selectList(), l.o.Def.Table, where, orderBy(l.keys, "t", split), limit)}
}
