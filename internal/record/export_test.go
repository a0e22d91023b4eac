package record

import (
	"context"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
)

// ListSQL is the statement of a list's first page in its order, for tests that ask the
// planner about it.
func ListSQL(ctx context.Context, o *Object, q Query) (string, []any, error) {
	a, scope, err := auth.Require(ctx, o.Def.Name, auth.Read)
	if err != nil {
		return "", nil, err
	}
	l := &listing{o: o, a: a, q: q, b: &sqlBuilder{actor: a, defs: o.k.resolver(ctx)}}
	if l.keys, err = o.Def.parseSort(q.Sort); err != nil {
		return "", nil, err
	}
	n, err := o.narrow(ctx, q)
	if err != nil {
		return "", nil, err
	}
	if l.where, err = o.listWhere(l.b, scope, q, n); err != nil {
		return "", nil, err
	}
	part := l.part(false, false, q.Limit)
	return part.SQL, part.Args, nil
}

// CandidateSQL is the statement that looks for probable duplicates in a create.
func CandidateSQL(ctx context.Context, o *Object, keys []MatchKey) (string, []any, error) {
	a, scope, err := auth.Require(ctx, o.Def.Name, auth.Read)
	if err != nil {
		return "", nil, err
	}
	q := o.candidateQuery(a, scope, keys, uuid.Nil)
	return q.SQL, q.Args, nil
}
