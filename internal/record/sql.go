package record

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
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
// "" when every row of the tenant may be seen. See Allows.
func (b *sqlBuilder) visible(d *Definition, scope auth.Scope, alias string) string {
	if d.Shared && b.actor.Kind != auth.System {
		return b.shared(alias)
	}
	if !d.Owned || scope == auth.All {
		return ""
	}
	if scope == auth.Own {
		return fmt.Sprintf("%s.owner_id = %s", alias, b.arg(b.actor.ID))
	}
	return fmt.Sprintf("(%[1]s.owner_id = any(%[2]s) or %[1]s.team_id = any(%[3]s))",
		alias, b.arg(b.actor.TeamUsers), b.arg(b.actor.TeamIDs))
}

// shared is the predicate of records that say themselves who sees them.
func (b *sqlBuilder) shared(alias string) string {
	return fmt.Sprintf("(%[1]s.owner_id = %[2]s or %[1]s.sharing = 'all' or (%[1]s.sharing = 'team' and (%[1]s.owner_id = any(%[3]s) or %[1]s.team_id = any(%[4]s))))",
		alias, b.arg(b.actor.ID), b.arg(b.actor.TeamUsers), b.arg(b.actor.TeamIDs))
}

// Allows reports whether a scope reaches a record. It is what the lists' SQL says,
// for a record in memory. For changing a shared record the scope alone counts:
// that somebody may look at it does not let them change it.
func Allows(a *auth.Actor, scope auth.Scope, r *Record) bool {
	if scope == auth.None || !r.Def.Owned {
		return scope != auth.None
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

// sharedWith is shared for a record in memory.
func sharedWith(a *auth.Actor, r *Record) bool {
	owner, _ := r.Get("owner_id").(uuid.UUID)
	team, _ := r.Get("team_id").(uuid.UUID)
	sharing := r.Get("sharing")
	return reaches(a, auth.Own, owner, team) || sharing == any("all") || sharing == any("team") && reaches(a, auth.Team, owner, team)
}

// where compiles a filter over alias into a predicate.
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
	case all == "" && either == "":
		return "true", nil
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
		parts = append(parts, s)
	}
	if len(parts) == 0 {
		return "", nil
	}
	return "(" + strings.Join(parts, glue) + ")", nil
}

// cond compiles one condition; one over a relation only sees related records
// that the actor may read, and needs one: without a related record not even
// is_null holds.
func (b *sqlBuilder) cond(c *Cond, alias string) (string, error) {
	if c.Field == nil {
		return b.membership(c, alias)
	}
	if c.Relation == nil {
		return b.compare(c, alias), nil
	}
	target, vis, err := b.related(c.Relation, "r")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("exists (select 1 from %s r where r.tenant_id = %s.tenant_id and r.id = %s.%s and r.deleted_at is null%s and %s)",
		target.Table, alias, alias, c.Relation.Column, vis, b.compare(c, "r")), nil
}

// related is the definition behind a relation and the predicate of its rows the
// actor may read.
func (b *sqlBuilder) related(relation *Field, alias string) (*Definition, string, error) {
	target, err := b.defs(relation.Target)
	if err != nil {
		return nil, "", err
	}
	scope := b.actor.Grants.Scope(target.Name, auth.Read)
	if scope == auth.None {
		return nil, "", auth.Denied(target.Name, auth.Read)
	}
	vis := b.visible(target, scope, alias)
	if vis != "" {
		vis = " and " + vis
	}
	return target, vis, nil
}

// membership compiles "in one of these segments", or in none.
func (b *sqlBuilder) membership(c *Cond, alias string) (string, error) {
	var parts []string
	for _, s := range c.Segments {
		if s.Static {
			parts = append(parts, fmt.Sprintf("exists (select 1 from segment_members m where m.tenant_id = %s.tenant_id and m.segment_id = %s and m.record_id = %s.id)", alias, b.arg(s.ID), alias))
			continue
		}
		inner, err := b.where(s.Inner, alias)
		if err != nil {
			return "", err
		}
		parts = append(parts, inner)
	}
	in := "(" + strings.Join(parts, " or ") + ")"
	if c.Op == NotIn {
		return "(" + in + " is not true)", nil
	}
	return in, nil
}
