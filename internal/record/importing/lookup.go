package importing

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/id"
	"crm/internal/record"
)

// lookup finds records of one object by what files call them. It is asked once per
// chunk for all cells and remembers answers between chunks.
type lookup struct {
	def    *record.Definition
	fields []*record.Field // what a cell may hold, strongest first
	known  map[string]uuid.UUID
	small  *bool // whether folded names may be compared over the whole table
}

// matchable are the fields a record is known by, strongest first.
var matchable = []string{"external_id", "email", "key", "code", "domain", "name"}

const (
	maxKnown   = 200_000 // remembered answers; then it starts over
	smallTable = 50_000  // rows that may be read to find GTXPro as GTX Pro
)

func newLookup(def *record.Definition) *lookup {
	l := &lookup{def: def, known: map[string]uuid.UUID{}}
	for _, name := range matchable {
		if f, ok := def.Field(name); ok && len(f.Type.Columns()) == 1 && f.Type.Columns()[0] == "text" {
			l.fields = append(l.fields, f)
		}
	}
	return l
}

// found is the answers for one chunk. Those made in the chunk's own transaction are
// kept apart until it commits.
type found map[string]uuid.UUID

// find answers for the texts; what nobody has is uuid.Nil. Where two records share a
// name the oldest is meant, except for people: two of the same name are nobody, since
// giving records to the wrong one opens them to the wrong eyes.
func (l *lookup) find(ctx context.Context, tx pgx.Tx, texts []string) (found, error) {
	out := found{}
	var ask []string
	for _, t := range texts {
		if u, ok := l.known[t]; ok && u != uuid.Nil {
			out[t] = u
		} else if _, asked := out[t]; !asked {
			out[t] = uuid.Nil
			ask = append(ask, t)
		}
	}
	if len(ask) == 0 {
		return out, nil
	}
	if err := l.exact(ctx, tx, ask, out); err != nil {
		return nil, err
	}
	rest := slices.DeleteFunc(ask, func(t string) bool { return out[t] != uuid.Nil })
	if err := l.folded(ctx, tx, rest, out); err != nil {
		return nil, err
	}
	return out, nil
}

// remember keeps the answers of a committed chunk.
func (l *lookup) remember(answers found) {
	if len(l.known) > maxKnown {
		clear(l.known)
	}
	for t, u := range answers {
		if u != uuid.Nil {
			l.known[t] = u
		}
	}
}

// exact compares ids and the indexed fields as they are written.
func (l *lookup) exact(ctx context.Context, tx pgx.Tx, ask []string, out found) error {
	var ids []uuid.UUID
	forms := slices.Clone(ask)
	for _, t := range ask {
		if u, ok := id.Parse(strings.ToLower(t)); ok {
			ids = append(ids, u)
		}
		if low := strings.ToLower(t); low != t {
			forms = append(forms, low)
		}
	}
	a, scope, err := auth.Require(ctx, l.def.Name, auth.Read)
	if err != nil {
		return err
	}
	args := []any{a.TenantID, forms, ids}
	vis, args := seen(a, l.def, scope, args)
	cols, conds := []string{"t.id"}, []string{"t.id = any($3)"}
	for _, f := range l.fields {
		cols = append(cols, "coalesce(t."+f.Column+", '')")
		conds = append(conds, "t."+f.Column+" = any($2)")
	}
	sql := fmt.Sprintf("select %s from %s t where t.tenant_id = $1 and t.deleted_at is null and (%s)%s order by t.id",
		strings.Join(cols, ", "), l.def.Table, strings.Join(conds, " or "), vis)
	ix, err := l.query(ctx, tx, sql, args, func(s string) string { return s })
	if err != nil {
		return err
	}
	for _, t := range ask {
		out[t] = l.choose(ix, t, strings.ToLower(t))
	}
	return nil
}

// folded compares names without blanks, case and punctuation; only on tables small
// enough to be read for it.
func (l *lookup) folded(ctx context.Context, tx pgx.Tx, ask []string, out found) error {
	if len(ask) == 0 || len(l.fields) == 0 {
		return nil
	}
	if small, err := l.isSmall(ctx, tx); err != nil || !small {
		return err
	}
	a, scope, err := auth.Require(ctx, l.def.Name, auth.Read)
	if err != nil {
		return err
	}
	vis, args := seen(a, l.def, scope, []any{a.TenantID})
	cols := []string{"t.id"}
	for _, f := range l.fields {
		cols = append(cols, "coalesce(t."+f.Column+", '')")
	}
	sql := fmt.Sprintf("select %s from %s t where t.tenant_id = $1 and t.deleted_at is null%s order by t.id", strings.Join(cols, ", "), l.def.Table, vis)
	ix, err := l.query(ctx, tx, sql, args, squeeze)
	if err != nil {
		return err
	}
	for _, t := range ask {
		if key := squeeze(t); key != "" {
			out[t] = l.choose(ix, key)
		}
	}
	return nil
}

func (l *lookup) isSmall(ctx context.Context, tx pgx.Tx) (bool, error) {
	if l.small == nil {
		a, err := auth.Must(ctx)
		if err != nil {
			return false, err
		}
		var n int64
		err = tx.QueryRow(ctx, fmt.Sprintf("select count(*) from (select 1 from %s where tenant_id = $1 limit %d) s", l.def.Table, smallTable+1), a.TenantID).Scan(&n)
		if err != nil {
			return false, err
		}
		small := n <= smallTable
		l.small = &small
	}
	return *l.small, nil
}

// index is the records of one query by each field's values, oldest first.
type index struct {
	ids    map[string]uuid.UUID
	values []map[string][]uuid.UUID
}

func (l *lookup) query(ctx context.Context, tx pgx.Tx, sql string, args []any, fold func(string) string) (*index, error) {
	ix := &index{ids: map[string]uuid.UUID{}, values: make([]map[string][]uuid.UUID, len(l.fields))}
	for i := range ix.values {
		ix.values[i] = map[string][]uuid.UUID{}
	}
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var u uuid.UUID
	values := make([]string, len(l.fields))
	dst := []any{&u}
	for i := range values {
		dst = append(dst, &values[i])
	}
	for rows.Next() {
		if err := rows.Scan(dst...); err != nil {
			return nil, err
		}
		ix.ids[u.String()] = u
		for i, v := range values {
			if v = fold(v); v != "" {
				ix.values[i][v] = append(ix.values[i][v], u)
			}
		}
	}
	return ix, rows.Err()
}

// choose takes the record by the strongest field, the oldest first.
func (l *lookup) choose(ix *index, forms ...string) uuid.UUID {
	for _, f := range forms {
		if u, ok := ix.ids[f]; ok {
			return u
		}
	}
	for n, field := range l.fields {
		for _, form := range forms {
			hits := ix.values[n][form]
			if len(hits) == 1 || (len(hits) > 1 && !(l.def.Name == "user" && field.Name == "name")) {
				return hits[0]
			}
		}
	}
	return uuid.Nil
}

// seen is the actor's scope over the rows of a definition as a predicate on t; it
// says the same as the kernel's own.
func seen(a *auth.Actor, def *record.Definition, scope auth.Scope, args []any) (string, []any) {
	n := len(args)
	switch {
	case !def.Owned || scope == auth.All:
		return "", args
	case scope == auth.Own:
		return fmt.Sprintf(" and t.owner_id = $%d", n+1), append(args, a.ID)
	}
	return fmt.Sprintf(" and (t.owner_id = any($%d) or t.team_id = any($%d))", n+1, n+2), append(args, a.TeamUsers, a.TeamIDs)
}
