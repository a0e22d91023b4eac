package record

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/money"
	"crm/internal/record/formula"
)

// A roll-up is a value of a record worked out from the records that point to it: the
// sum of an account's open deals. It is computed anew, not added up, in the
// transaction of each change of a child, for the parent before and the parent after:
//
//	children written → parents locked in id order → one aggregate per roll-up
//	→ their formulas → parents' documents written
//
// The lock comes in a statement of its own, so that the aggregate's snapshot sees
// every child committed by whoever held the lock before. That makes it right after
// imports, batches, deletes, restores and undo, which all take the one change path.
//
// A parent's version, updated_at and journal stay as they are: nobody changed the
// parent, the child's journal row tells why the figure moved, and undo of the child
// moves it back. A version per child change would fail every form open on the parent.

// RollUp defines one.
type RollUp struct {
	Object   string          `json:"object"`   // the child: deal
	Relation string          `json:"relation"` // its field that points here: account_id
	Function string          `json:"function"` // count, sum, min, max, avg
	Field    string          `json:"field,omitempty"`
	Filter   json.RawMessage `json:"filter,omitempty"` // only these children
}

// rollUp is a RollUp ready to run.
type rollUp struct {
	parent   *Object
	field    *Field // on the parent
	child    *Object
	relation *Field
	of       *Field // nil for count
	filter   Filter
	watched  []string // fields of the child whose change matters
}

// rollUpsOver lists the roll-ups that a change of this object may move.
func (k *Kernel) rollUpsOver(set *customSet, object string) []*rollUp {
	var out []*rollUp
	for _, r := range k.allRollUps(set) {
		if r.child.Def.Name == object {
			out = append(out, r)
		}
	}
	return out
}

func (k *Kernel) allRollUps(set *customSet) []*rollUp {
	if set == nil {
		return nil
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	if set.compiled {
		return set.rollUps
	}
	for _, row := range set.Rows {
		parent, ok := k.objectIn(set, row.Object)
		if row.RollUp == nil || row.DeletedAt != nil || !ok {
			continue
		}
		f, ok := set.definitionLocked(parent).byName["custom."+row.Name]
		if !ok {
			continue
		}
		// One whose field is gone keeps the values it has.
		if r, err := k.compileRollUp(set, set.definitionLocked, parent, f); err == nil {
			set.rollUps = append(set.rollUps, r)
		}
	}
	set.compiled = true
	return set.rollUps
}

// compileRollUp resolves the names of f's roll-up, or says what is wrong with it.
func (k *Kernel) compileRollUp(set *customSet, defs func(*Object) *Definition, parent *Object, f *Field) (*rollUp, error) {
	in := f.settings.RollUp
	child, ok := k.objectIn(set, in.Object)
	if !ok {
		return nil, errs.Field("roll_up.object", "unknown_object", "There is no object called %q.", in.Object)
	}
	def := defs(child)
	rel, ok := def.Field(in.Relation)
	if !ok || rel.Target != parent.Def.Name {
		return nil, errs.Field("roll_up.relation", "no_relation", "%q is no relation of %s to %s.", in.Relation, child.Def.Plural, parent.Def.Plural)
	}
	if rel.Custom && !rel.Indexed {
		return nil, errs.Field("roll_up.relation", "not_indexed", "Mark %s as indexed first, so that its records are found quickly.", rel.Label)
	}
	r := &rollUp{parent: parent, field: f, child: child, relation: rel, watched: []string{in.Relation, "deleted_at"}}
	if err := r.setField(def, in); err != nil {
		return nil, err
	}
	if len(in.Filter) == 0 || string(in.Filter) == "null" {
		return r, nil
	}
	var err error
	if r.filter, err = parseCondition(def, in.Filter, time.Time{}); err != nil {
		return nil, err
	}
	r.filter.each(func(c *Cond) {
		r.watched = append(r.watched, c.Field.fieldAs())
		if def.readsRollUp(c.Field) {
			err = errs.Field("roll_up.filter", "chained", "A roll-up cannot depend on another roll-up (%s).", c.Field.Label)
		}
	})
	return r, err
}

func (r *rollUp) setField(def *Definition, in *RollUp) error {
	if !slices.Contains([]string{"count", "sum", "min", "max", "avg"}, in.Function) {
		return errs.Field("roll_up.function", "not_an_option", "function is count, sum, min, max or avg.")
	}
	if in.Field == "" {
		if in.Function == "count" {
			return nil
		}
		return errs.Field("roll_up.field", "required", "Say which field of %s to take the %s of.", def.Plural, in.Function)
	}
	of, ok := def.Field(in.Field)
	if !ok || of.Type.Name() == "custom" {
		return errs.Field("roll_up.field", "unknown_field", "There is no field %q on %s.", in.Field, def.Plural)
	}
	if def.readsRollUp(of) {
		return errs.Field("roll_up.field", "chained", "A roll-up cannot depend on another roll-up (%s).", of.Label)
	}
	if in.Function != "count" && rollUpResult(in.Function, of) == "" {
		return errs.Field("roll_up.field", "not_supported", "%s has no %s.", of.Label, in.Function)
	}
	r.of = of
	r.watched = append(r.watched, in.Field)
	return nil
}

// rollUpResult is the type a roll-up gives, "" when the function does not fit.
func rollUpResult(function string, of *Field) string {
	if function == "count" {
		return "integer"
	}
	switch t := of.Type.Name(); t {
	case "integer", "duration", "rating":
		if function == "avg" {
			return "decimal"
		}
		if t == "rating" {
			return "integer"
		}
		return t
	case "decimal", "percent":
		return "decimal"
	case "money":
		return "money"
	case "date", "datetime":
		if function == "min" || function == "max" {
			return t
		}
	}
	return ""
}

// rollUp brings the parents of changed records up to date.
func (o *Object) rollUp(ctx context.Context, tx pgx.Tx, a *auth.Actor, changes []*Change) error {
	def := changes[0].New.Def
	byParent := map[string][]*rollUp{}
	touched := map[string]map[uuid.UUID]bool{}
	for _, r := range o.k.rollUpsOver(def.set, o.Def.Name) {
		name := r.parent.Def.Name
		byParent[name] = append(byParent[name], r)
		if touched[name] == nil {
			touched[name] = map[uuid.UUID]bool{}
		}
		for _, c := range changes {
			r.parents(c, touched[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byParent)) {
		if len(touched[name]) == 0 {
			continue
		}
		re := &refresh{k: o.k, actor: a, set: def.set, object: byParent[name][0].parent, rollUps: byParent[name]}
		changed, err := re.run(ctx, tx, slices.Collect(maps.Keys(touched[name])))
		if err != nil {
			return err
		}
		if name == o.Def.Name {
			adopt(changes, changed)
		}
	}
	return nil
}

// leaving are the living ones of records that are about to be purged, as changes that
// take them away: what counted them must count again.
func (o *Object) leaving(ctx context.Context, tx pgx.Tx, ids []uuid.UUID) ([]*Change, error) {
	def, err := o.k.wholeDefinition(ctx, o.Def.Name)
	if err != nil || len(o.k.rollUpsOver(def.set, o.Def.Name)) == 0 {
		return nil, err
	}
	rows, err := tx.Query(ctx, "select "+def.selectList()+" from "+def.Table+" t where t.tenant_id = $1 and t.id = any($2) and t.deleted_at is null", auth.From(ctx).TenantID, ids)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*Change
	for _, r := range collect(rows, def) {
		out = append(out, &Change{Old: r, New: r, fields: map[string][2]any{"deleted_at": {}}})
	}
	return out, rows.Err()
}

// adopt gives changes whose own record was also a parent what was computed for it.
func adopt(changes []*Change, computed []*Record) {
	byID := map[uuid.UUID]*Record{}
	for _, r := range computed {
		byID[r.ID()] = r
	}
	for _, c := range changes {
		if r := byID[c.New.ID()]; r != nil {
			c.New.Set("custom", r.Get("custom"))
		}
	}
}

// parents notes the parents a change may move the figure of.
func (r *rollUp) parents(c *Change, into map[uuid.UUID]bool) {
	if c.Old != nil && !slices.ContainsFunc(r.watched, func(n string) bool { _, changed := c.fields[n]; return changed }) {
		return
	}
	for _, rec := range []*Record{c.Old, c.New} {
		if rec == nil {
			continue
		}
		if id, ok := r.relation.Value(rec).(uuid.UUID); ok {
			into[id] = true
		}
	}
}

// refresh computes roll-ups and formulas of existing records anew.
type refresh struct {
	k       *Kernel
	actor   *auth.Actor
	set     *customSet
	object  *Object
	rollUps []*rollUp
	all     bool // also formulas that read no roll-up
}

// run works on the records with these ids, wherever they are, and returns those whose
// document changed. It takes two round trips however many there are.
func (re *refresh) run(ctx context.Context, tx pgx.Tx, ids []uuid.UUID) ([]*Record, error) {
	def := re.set.definition(re.object)
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	var records []*Record
	values := make([]map[uuid.UUID]any, len(re.rollUps))
	b := &pgx.Batch{}
	b.Queue("select "+def.selectList()+" from "+def.Table+" t where t.tenant_id = $1 and t.id = any($2) order by t.id for no key update", re.actor.TenantID, ids).
		Query(func(rows pgx.Rows) error { records = collect(rows, def); return rows.Err() })
	for i, r := range re.rollUps {
		values[i] = map[uuid.UUID]any{}
		sql, args, err := r.sql(re.actor, ids)
		if err != nil {
			return nil, err
		}
		b.Queue(sql, args...).Query(func(rows pgx.Rows) error { return r.read(rows, values[i]) })
	}
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return nil, err
	}
	return re.write(ctx, tx, def, records, values)
}

func (re *refresh) write(ctx context.Context, tx pgx.Tx, def *Definition, records []*Record, values []map[uuid.UUID]any) ([]*Record, error) {
	var changed []*Change
	var out []*Record
	var ids, docs []*string
	for _, old := range records {
		rec := old.Clone()
		for i, r := range re.rollUps {
			rec.setCustom(r.field.Name, stored(r.field, r.empty(values[i][old.ID()])))
		}
		if re.all || def.rules.chained {
			rec.compute(def.rules.formulas)
		}
		if Same(old.Get("custom"), rec.Get("custom")) {
			continue
		}
		changed, out = append(changed, &Change{Old: old, New: rec}), append(out, rec)
		ids, docs = append(ids, sqlText(rec.ID())), append(docs, sqlText(jsonType{"custom"}.Args(rec.Get("custom"))[0]))
	}
	if len(changed) == 0 {
		return nil, nil
	}
	b := &pgx.Batch{}
	b.Queue("update "+def.rowTable()+" t set custom = u.custom::jsonb from unnest($2::text[], $3::text[]) u(id, custom) where t.tenant_id = $1 and t.id = u.id::uuid"+def.rowsOnly("t."), re.actor.TenantID, ids, docs)
	re.object.queueKept(b, re.actor.TenantID, def, changed)
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return nil, err
	}
	n := Notice{TenantID: re.actor.TenantID, Object: def.Name, Plural: def.Plural, Action: "recalculated"}
	for _, r := range out {
		n.IDs = append(n.IDs, r.ID())
	}
	if err := re.k.Touched(ctx, def.Name, n.IDs...); err != nil {
		return nil, err
	}
	db.AfterCommit(ctx, func() { re.k.notify(n) })
	return out, nil
}

// empty is what a record without children holds: zero things, zero of a number, but
// no amount, since that would need a currency.
func (r *rollUp) empty(v any) any {
	if v != nil {
		return v
	}
	switch in := r.field.settings.RollUp; {
	case in.Function == "count", in.Function == "sum" && r.field.Type.Name() != "money":
		return new(big.Rat)
	}
	return nil
}

// sql aggregates the children of the parents with these ids.
func (r *rollUp) sql(a *auth.Actor, ids []uuid.UUID) (string, []any, error) {
	b := &sqlBuilder{actor: a}
	tenant := b.arg(a.TenantID)
	where := "c.tenant_id = " + tenant + " and c.deleted_at is null"
	key := "c." + r.relation.Column
	if r.relation.Custom {
		texts := make([]string, len(ids))
		for i, id := range ids {
			texts[i] = id.String()
		}
		key = "(c.custom->>" + b.arg(r.relation.Name) + ")::uuid"
		where += fmt.Sprintf(" and c.id in (select v.record_id from custom_values v where v.tenant_id = %s and v.field_id = %s and v.text_value = any(%s))", tenant, b.arg(r.relation.ID), b.arg(texts))
	} else {
		where += " and " + key + " = any(" + b.arg(ids) + ")"
	}
	filter, err := b.where(r.filter, "c")
	if err != nil {
		return "", nil, err
	}
	where += " and " + filter
	value, currency := r.aggregate(b)
	return fmt.Sprintf("select %s, %s, min(%s), max(%s) from %s c where %s group by 1", key, value, currency, currency, r.child.Def.Table, where), b.args, nil
}

// aggregate is the expression of the figure as text, and that of the currency.
func (r *rollUp) aggregate(b *sqlBuilder) (value, currency string) {
	fn := r.field.settings.RollUp.Function
	if r.of == nil {
		return "count(*)::text", "null::text"
	}
	col, currency := "c."+r.of.Column, "null::text"
	var name string
	if r.of.Custom {
		name = b.arg(r.of.Name)
		col = "(c.custom->>" + name + ")"
	}
	switch r.of.Type.Name() {
	case "money":
		currency = col + "_currency"
		if r.of.Custom {
			col, currency = "(c.custom->"+name+"->>'amount')", "c.custom->"+name+"->>'currency'"
		}
		col += "::numeric"
	case "date":
		col += "::date"
	case "datetime":
		return fmt.Sprintf(`to_char(%s(%s::timestamptz) at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`, fn, col), currency
	case "integer", "decimal", "percent", "rating", "duration":
		col += "::numeric"
	}
	if fn == "avg" {
		return "round(avg(" + col + "), 12)::text", currency
	}
	return fn + "(" + col + ")::text", currency
}

func (r *rollUp) read(rows pgx.Rows, out map[uuid.UUID]any) error {
	for rows.Next() {
		var parent uuid.UUID
		var value, low, high *string
		if err := rows.Scan(&parent, &value, &low, &high); err != nil {
			return err
		}
		if value != nil {
			out[parent] = r.value(*value, low, high)
		}
	}
	return rows.Err()
}

// value reads an aggregate. Amounts of several currencies have no sum: the figure is
// empty rather than wrong.
func (r *rollUp) value(s string, low, high *string) any {
	if r.field.settings.RollUp.Function != "count" {
		switch r.of.Type.Name() {
		case "date", "datetime":
			t, err := time.Parse(time.DateOnly, s)
			if err != nil {
				t, err = time.Parse(time.RFC3339Nano, s)
			}
			if err != nil {
				return nil
			}
			return t
		}
	}
	n, ok := new(big.Rat).SetString(s)
	if !ok {
		return nil
	}
	if r.field.Type.Name() != "money" {
		return n
	}
	if low == nil || high == nil || *low != *high {
		return nil
	}
	if !r.of.Custom { // columns hold minor units
		n.Quo(n, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(money.Exponent(*low))), nil)))
	}
	return formula.Amount{Value: n, Currency: *low}
}
