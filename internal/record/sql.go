package record

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/money"
)

// sqlBuilder collects a statement's arguments. Names of tables and columns come
// from definitions only, values become parameters always.
type sqlBuilder struct {
	args  []any
	actor *auth.Actor
	defs  Resolver
}

func (b *sqlBuilder) arg(v any) string {
	b.args = append(b.args, v)
	return "$" + strconv.Itoa(len(b.args))
}

// visible is the actor's scope over the rows of d as a predicate on alias, or
// "" when every row of the tenant may be seen.
func (b *sqlBuilder) visible(d *Definition, scope auth.Scope, alias string) string {
	if !d.Owned || scope == auth.All {
		return ""
	}
	if scope == auth.Own {
		return fmt.Sprintf("%s.owner_id = %s", alias, b.arg(b.actor.ID))
	}
	return fmt.Sprintf("(%[1]s.owner_id = any(%[2]s) or %[1]s.team_id = any(%[3]s))",
		alias, b.arg(b.actor.TeamUsers), b.arg(b.actor.TeamIDs))
}

// scopeAllows is visible for a record in memory; both must say the same.
func scopeAllows(a *auth.Actor, scope auth.Scope, r *Record) bool {
	if !r.Def.Owned {
		return true
	}
	owner, _ := r.Get("owner_id").(uuid.UUID)
	team, _ := r.Get("team_id").(uuid.UUID)
	return reaches(a, scope, owner, team)
}

// reaches tells whether a scope goes as far as a row of this owner and team; a zero
// id is nobody's.
func reaches(a *auth.Actor, scope auth.Scope, owner, team uuid.UUID) bool {
	switch scope {
	case auth.All:
		return true
	case auth.Own:
		return owner != uuid.Nil && owner == a.ID
	case auth.Team:
		return owner != uuid.Nil && slices.Contains(a.TeamUsers, owner) || team != uuid.Nil && slices.Contains(a.TeamIDs, team)
	}
	return false
}

// where compiles a filter over alias into a predicate; "" means no condition.
func (b *sqlBuilder) where(f Filter, alias string) (string, error) {
	if f.Cond != nil {
		return b.cond(f.Cond, alias)
	}
	all, err := b.group(f.All, " and ", alias)
	if err != nil {
		return "", err
	}
	either, err := b.group(f.Any, " or ", alias)
	if err != nil {
		return "", err
	}
	switch {
	case all == "":
		return either, nil
	case either == "":
		return all, nil
	}
	return "(" + all + " and " + either + ")", nil
}

func (b *sqlBuilder) group(fs []Filter, glue, alias string) (string, error) {
	var parts []string
	for _, f := range fs {
		s, err := b.where(f, alias)
		if err != nil {
			return "", err
		}
		if s != "" {
			parts = append(parts, s)
		}
	}
	if len(parts) == 0 {
		return "", nil
	}
	return "(" + strings.Join(parts, glue) + ")", nil
}

// cond compiles one condition; one over a relation only sees related records
// that the actor may read.
func (b *sqlBuilder) cond(c *Cond, alias string) (string, error) {
	if c.Relation == nil {
		return b.compare(c, alias), nil
	}
	target, err := b.defs(c.Relation.Target)
	if err != nil {
		return "", err
	}
	scope := b.actor.Grants.Scope(target.Name, auth.Read)
	if scope == auth.None {
		return "", auth.Denied(target.Name, auth.Read)
	}
	vis := b.visible(target, scope, "r")
	if vis != "" {
		vis = " and " + vis
	}
	return fmt.Sprintf("exists (select 1 from %s r where r.tenant_id = %s.tenant_id and r.id = %s.%s and r.deleted_at is null%s and %s)",
		target.Table, alias, alias, c.Relation.Column, vis, b.compare(c, "r")), nil
}

var sqlOps = map[Op]string{Eq: "=", Gt: ">", Gte: ">=", Lt: "<", Lte: "<="}

func (b *sqlBuilder) compare(c *Cond, alias string) string {
	if s, ok := b.kept(c, alias); ok {
		return s
	}
	col := b.column(c.Field, alias)
	switch c.Op {
	case IsNull:
		return isNull(c.Field, col, c.Values[0] == any(true))
	case Eq, Gt, Gte, Lt, Lte:
		return fmt.Sprintf("%s %s %s", col, sqlOps[c.Op], b.value(c.Field, c.Values[0]))
	case Ne:
		return fmt.Sprintf("%s is distinct from %s", col, b.value(c.Field, c.Values[0]))
	case In, NotIn:
		return b.membership(c, col)
	case Between:
		return fmt.Sprintf("%s between %s and %s", col, b.value(c.Field, c.Values[0]), b.value(c.Field, c.Values[1]))
	case Contains:
		return fmt.Sprintf("lower(%s) like %s", col, b.arg("%"+escapeLike(c.Values[0].(string))+"%"))
	case StartsWith:
		return fmt.Sprintf("lower(%s) like %s", col, b.arg(escapeLike(c.Values[0].(string))+"%"))
	case within:
		return b.span(c, col)
	}
	return b.overlap(c, col)
}

func isNull(f *Field, col string, want bool) string {
	not := ""
	if !want {
		not = " not"
	}
	if f.Type.Name() == "list" && !f.Custom {
		return fmt.Sprintf("(cardinality(%s) = 0) is%s true", col, not)
	}
	return fmt.Sprintf("%s is%s null", col, not)
}

func (b *sqlBuilder) membership(c *Cond, col string) string {
	var refs []string
	for _, v := range c.Values {
		refs = append(refs, b.value(c.Field, v))
	}
	in := fmt.Sprintf("%s in (%s)", col, strings.Join(refs, ", "))
	if c.Op == NotIn {
		return fmt.Sprintf("(%s) is not true", in)
	}
	return in
}

func (b *sqlBuilder) span(c *Cond, col string) string {
	if c.Field.Type.Name() == "date" {
		// A span given as instants covers the calendar days it touches.
		return fmt.Sprintf("(%s >= %s::date and %s < %s::date)", col, b.arg(c.From.Format("2006-01-02")), col, b.arg(ceilDate(c)))
	}
	return fmt.Sprintf("(%s >= %s and %s < %s)", col, b.arg(c.From), col, b.arg(c.To))
}

func ceilDate(c *Cond) string {
	to := midnight(c.To)
	if !to.Equal(c.To) {
		to = to.AddDate(0, 0, 1)
	}
	return to.Format("2006-01-02")
}

func (b *sqlBuilder) overlap(c *Cond, col string) string {
	var items []string
	for _, v := range c.Values {
		items = append(items, fmt.Sprint(v))
	}
	arg := b.arg(items)
	if c.Field.Custom {
		col = fmt.Sprintf("array(select jsonb_array_elements_text(case jsonb_typeof(%[1]s) when 'array' then %[1]s else '[]' end))", col)
	}
	switch c.Op {
	case AllOf:
		return fmt.Sprintf("%s @> %s::text[]", col, arg)
	case NoneOf:
		return fmt.Sprintf("not (%s && %s::text[])", col, arg)
	}
	return fmt.Sprintf("%s && %s::text[]", col, arg)
}

// column is the SQL expression of a field; custom fields are read from the
// document with a cast to their type.
func (b *sqlBuilder) column(f *Field, alias string) string {
	if !f.Custom {
		return alias + "." + f.Column
	}
	path := fmt.Sprintf("%s.custom->>%s", alias, b.arg(f.Name))
	switch f.Type.Name() {
	case "integer", "decimal", "percent", "rating", "duration":
		return "(" + path + ")::double precision"
	case "boolean":
		return "(" + path + ")::boolean"
	case "date":
		return "(" + path + ")::date"
	case "datetime":
		return "(" + path + ")::timestamptz"
	case "money":
		return fmt.Sprintf("(%s.custom->%s->>'amount')::double precision", alias, b.arg(f.Name))
	case "list":
		return fmt.Sprintf("(%s.custom->%s)", alias, b.arg(f.Name))
	}
	return "(" + path + ")"
}

// value is the parameter for a comparison with f.
func (b *sqlBuilder) value(f *Field, v any) string {
	switch v := v.(type) {
	case money.Amount:
		if f.Custom {
			x, _ := exact(v).Float64()
			return b.arg(x)
		}
		return b.arg(v.Minor)
	case uuid.UUID:
		if f.Custom {
			return b.arg(v.String())
		}
	case int64:
		if f.Custom {
			return b.arg(float64(v))
		}
	}
	return b.arg(v)
}

func escapeLike(s string) string {
	return strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(strings.ToLower(s))
}
