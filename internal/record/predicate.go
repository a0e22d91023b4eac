package record

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
)

// Predicate is a condition over the rows of an object's table under the alias t:
// tenant, bin, the actor's scope, filter and search together. It is how totals,
// audiences and exports count exactly what a list would show.
type Predicate struct {
	SQL  string
	Args []any // the caller's own first, then the predicate's
}

// Predicate compiles a query for SQL of the caller's own. args are the caller's
// parameters $1…$n; the predicate numbers its own after them. It needs the read
// right, like a list.
func (o *Object) Predicate(ctx context.Context, q Query, args ...any) (Predicate, error) {
	a, scope, err := auth.Require(ctx, o.Def.Name, auth.Read)
	if err != nil {
		return Predicate{}, err
	}
	b := &sqlBuilder{actor: a, defs: o.k.resolver(ctx), args: append([]any(nil), args...)}
	n, q, err := o.narrowTo(ctx, q)
	if err != nil {
		return Predicate{}, err
	}
	where, err := o.listWhere(b, scope, q, n)
	return Predicate{SQL: where, Args: b.args}, err
}

// CountUpTo counts the records a query matches and stops at max, so that a number
// beside a tab costs the same in a small tenant and a large one.
func (o *Object) CountUpTo(ctx context.Context, q Query, most int) (int, error) {
	p, err := o.Predicate(ctx, q, most)
	if err != nil {
		return 0, err
	}
	var n int
	sql := fmt.Sprintf("select count(*) from (select 1 from %s t where %s limit $1::bigint) c", o.Def.Table, p.SQL)
	err = o.k.DB.Read(ctx, db.Query{SQL: sql, Args: p.Args, Varied: true}, func(rows pgx.Rows) error {
		var err error
		n, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
		return err
	})
	return n, err
}
