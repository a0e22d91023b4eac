package record

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
)

// maxCandidates is how many probable duplicates of one record are looked at.
const maxCandidates = 50

// Candidate is a record that may be the same as another one. Score is how likely,
// from 0 to 1; On names what they have in common.
type Candidate struct {
	Record *Record
	On     []string
	Score  float64
}

// common says what keys and r share; the scores of several add up like independent
// hints do.
func common(keys []MatchKey, r *Record) Candidate {
	c := Candidate{Record: r}
	apart := 1.0
	for _, k := range r.matchKeys() {
		if !hasKey(keys, k) {
			continue
		}
		apart *= 1 - float64(k.Score)/100
		if !slices.Contains(c.On, k.On) {
			c.On = append(c.On, k.On)
		}
	}
	c.Score = float64(int((1-apart)*1000+0.5)) / 1000
	return c
}

// candidates compares found records in full and puts the likeliest first.
func candidates(keys []MatchKey, found []*Record) []Candidate {
	var out []Candidate
	for _, r := range found {
		if c := common(keys, r); len(c.On) > 0 {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b Candidate) int { return cmp.Compare(b.Score, a.Score) })
	return out
}

// candidateQuery finds the visible living records that share a hash with keys. The
// ids are gathered first, as an array: as a join, a planner without statistics read
// the keys once for every record of the tenant, in each create.
func (o *Object) candidateQuery(a *auth.Actor, scope auth.Scope, keys []MatchKey, except uuid.UUID) db.Query {
	hashes := make([]int64, len(keys))
	for i, k := range keys {
		hashes[i] = k.hash()
	}
	b := &sqlBuilder{actor: a}
	sql := fmt.Sprintf(`select %s from %s t where t.tenant_id = %s and t.deleted_at is null and t.id = any(array(
	  select m.record_id from record_match_keys m where m.tenant_id = $1 and m.object = %s and m.key = any(%s) and m.record_id <> %s limit 500))`,
		o.Def.selectList(), o.Def.Table, b.arg(a.TenantID), b.arg(o.Def.Name), b.arg(hashes), b.arg(except))
	if vis := b.visible(o.Def, scope, "t"); vis != "" {
		sql += " and " + vis
	}
	return db.Query{SQL: fmt.Sprintf("%s order by t.id limit %d", sql, maxCandidates), Args: b.args}
}

// Duplicates returns the visible living records that may be the same as r, the
// likeliest first. r need not be stored.
func (o *Object) Duplicates(ctx context.Context, r *Record) ([]Candidate, error) {
	a, scope, err := auth.Require(ctx, o.Def.Name, auth.Read)
	if err != nil {
		return nil, err
	}
	def, err := o.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return nil, err
	}
	// By what the actor sees of both: what hidden fields have in common is hidden too.
	keys := r.as(def).matchKeys()
	if len(keys) == 0 {
		return nil, nil
	}
	var out []Candidate
	err = o.k.DB.Read(ctx, o.candidateQuery(a, scope, keys, r.ID()), func(rows pgx.Rows) error {
		out = candidates(keys, collect(rows, def))
		return nil
	})
	return out, err
}

// doubles are the creates of a save that must not make a duplicate and share a hash
// with a record that is there.
type doubles struct {
	scope   auth.Scope
	def     *Definition // as the actor sees the records
	suspect []*Change
}

// queueDoubles looks for shared hashes in the round trip of the writes: nearly every
// create has none, and is done with the look. Comparing candidates costs ten times
// as much and waits until one is suspected; a refusal then rolls the writes back.
func (o *Object) queueDoubles(b *pgx.Batch, a *auth.Actor, changes []*Change) *doubles {
	d := &doubles{scope: a.Grants.Scope(o.Def.Name, auth.Read)}
	d.def = changes[0].New.Def
	if limits := a.Grants.FieldLimits(o.Def.Name); len(limits) > 0 {
		d.def = d.def.narrowed(limits) // what hidden fields have in common tells nothing
	}
	for _, c := range changes {
		keys := c.New.as(d.def).matchKeys()
		if !c.unique || o.Def.Lenient || d.scope == auth.None || len(keys) == 0 {
			continue
		}
		args := []any{a.TenantID, o.Def.Name}
		var refs []string
		for _, k := range keys { // one by one, not as an array: so the planner keeps its generic plan
			args = append(args, k.hash())
			refs = append(refs, "$"+strconv.Itoa(len(args)))
		}
		b.Queue("select exists (select from record_match_keys m where m.tenant_id = $1 and m.object = $2 and m.key in ("+strings.Join(refs, ", ")+"))", args...).
			QueryRow(func(row pgx.Row) error {
				var shared bool
				err := row.Scan(&shared)
				if shared {
					d.suspect = append(d.suspect, c)
				}
				return err
			})
	}
	return d
}

// refuse compares the suspects in full. A record the actor may not see is no reason
// to refuse, or the refusal would tell of it.
func (d *doubles) refuse(ctx context.Context, o *Object, tx pgx.Tx, a *auth.Actor) error {
	for _, c := range d.suspect {
		keys := c.New.as(d.def).matchKeys()
		q := o.candidateQuery(a, d.scope, keys, c.New.ID())
		rows, err := tx.Query(ctx, q.SQL, q.Args...)
		if err != nil {
			return err
		}
		found := candidates(keys, collect(rows, d.def))
		rows.Close()
		if err := rows.Err(); err != nil {
			return err
		}
		if len(found) > 0 {
			return errDuplicate(o.Def, found)
		}
	}
	return nil
}

// CandidatesOf are the candidates that the refusal of a create names.
func CandidatesOf(err error) []Candidate {
	var d *duplicate
	if errors.As(err, &d) {
		return d.found
	}
	return nil
}

// duplicate is the refusal of a create. The records stay out of its public face:
// each edge shows them as it shows records.
type duplicate struct {
	refusal *errs.Error
	found   []Candidate
}

func (d *duplicate) Error() string { return d.refusal.Error() }
func (d *duplicate) Unwrap() error { return d.refusal }

func errDuplicate(d *Definition, found []Candidate) error {
	return &duplicate{found: found, refusal: errs.New(errs.Conflict, "duplicate", "There is a %s with the same %s already. Use that one, or send allow_duplicate=true to make another.",
		strings.ToLower(d.Label), strings.Join(found[0].On, " and "))}
}

// Group is a set of records that share a key. Count is how many of them there are
// when only the first are listed.
type Group struct {
	On      []string
	Score   float64
	Records []*Record
	Count   int64

	key int64
}

// maxMembers is how many records of a group are listed.
const maxMembers = 20

// DuplicateGroups lists groups of probable duplicates the actor may see, after the
// place where an earlier page ended (nil = from the start). next is where to go on,
// nil at the end. Records that share several keys stand in one group only.
func (o *Object) DuplicateGroups(ctx context.Context, after *int64, limit int) (groups []Group, next *int64, err error) {
	a, scope, err := auth.Require(ctx, o.Def.Name, auth.Read)
	if err != nil || o.Def.Match == nil {
		return nil, nil, err
	}
	// A page of hashes may hold no group at all: collisions, stale keys, groups that
	// were shown before. A few rounds look on, then the caller gets what there is.
	for range 10 {
		heads, err := o.groupHeads(ctx, a, scope, after, limit-len(groups))
		if err != nil || len(heads) == 0 {
			return groups, nil, err
		}
		found, err := o.groupsOf(ctx, heads)
		if err != nil {
			return nil, nil, err
		}
		groups = append(groups, found...)
		last := heads[len(heads)-1].key
		if after = &last; len(groups) >= limit {
			break
		}
	}
	more, err := o.groupHeads(ctx, a, scope, after, 1)
	if err != nil || len(more) == 0 {
		return groups, nil, err
	}
	return groups, after, nil
}

type groupHead struct {
	key   int64
	count int64
	ids   []uuid.UUID
}

func (o *Object) groupHeads(ctx context.Context, a *auth.Actor, scope auth.Scope, after *int64, limit int) ([]groupHead, error) {
	b := &sqlBuilder{actor: a}
	where := fmt.Sprintf("m.tenant_id = %s and m.object = %s", b.arg(a.TenantID), b.arg(o.Def.Name))
	if after != nil {
		where += " and m.key > " + b.arg(*after)
	}
	from := "record_match_keys m"
	if vis := b.visible(o.Def, scope, "t"); vis != "" {
		from += " join " + o.Def.Table + " t on t.tenant_id = m.tenant_id and t.id = m.record_id"
		where += " and " + vis
	}
	sql := fmt.Sprintf("select m.key, count(*), (array_agg(m.record_id order by m.record_id))[1:%d] from %s where %s group by m.key having count(*) > 1 order by m.key limit %d",
		maxMembers, from, where, limit)
	var out []groupHead
	err := o.k.DB.Read(ctx, db.Query{SQL: sql, Args: b.args, Varied: true}, func(rows pgx.Rows) error {
		for rows.Next() {
			var h groupHead
			if err := rows.Scan(&h.key, &h.count, &h.ids); err != nil {
				return err
			}
			out = append(out, h)
		}
		return nil
	})
	return out, err
}

// groupsOf loads the members of the heads and keeps those that truly share the key.
func (o *Object) groupsOf(ctx context.Context, heads []groupHead) ([]Group, error) {
	var ids []uuid.UUID
	for _, h := range heads {
		ids = append(ids, h.ids...)
	}
	records, err := o.GetMany(ctx, ids)
	if err != nil {
		return nil, err
	}
	var out []Group
	for _, h := range heads {
		g := Group{Count: h.count, key: h.key}
		for _, id := range h.ids {
			if r := records[id]; r != nil && !r.Deleted() {
				g.Records = append(g.Records, r)
			}
		}
		if g.judge(h.count > maxMembers) {
			out = append(out, g)
		}
	}
	return out, nil
}

// judge names what the members share and drops the group when they do not, or when
// a smaller key that they share as well has listed them already.
func (g *Group) judge(cut bool) bool {
	if len(g.Records) < 2 {
		return false
	}
	shared := g.Records[0].matchKeys()
	for _, r := range g.Records[1:] {
		has := r.matchKeys()
		shared = slices.DeleteFunc(shared, func(k MatchKey) bool { return !hasKey(has, k) })
	}
	own := false
	apart := 1.0
	for _, k := range shared {
		if !cut && k.hash() < g.key {
			return false
		}
		own = own || k.hash() == g.key
		apart *= 1 - float64(k.Score)/100
		if !slices.Contains(g.On, k.On) {
			g.On = append(g.On, k.On)
		}
	}
	g.Score = float64(int((1-apart)*1000+0.5)) / 1000
	if !cut {
		g.Count = int64(len(g.Records))
	}
	return own
}
