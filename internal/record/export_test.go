package record

import (
	"context"

	"crm/internal/platform/auth"
)

// ListSQL is the statement of a list, for tests that ask the planner about it.
func ListSQL(ctx context.Context, o *Object, q Query) (string, []any, error) {
	a, scope, err := auth.Require(ctx, o.Def.Name, auth.Read)
	if err != nil {
		return "", nil, err
	}
	keys, err := o.Def.parseSort(q.Sort)
	if err != nil {
		return "", nil, err
	}
	queries, err := o.listQueries(ctx, a, scope, q, keys)
	if err != nil {
		return "", nil, err
	}
	return queries[0].SQL, queries[0].Args, nil
}
