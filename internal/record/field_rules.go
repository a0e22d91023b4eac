package record

import (
	"context"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
)

// fieldRules is what a save must see to for the fields of one definition, sorted once
// so that a thousand rows do not each look at every field.
type fieldRules struct {
	custom   []*Field
	bounded  []*Field // min, max, pattern, or kept in a narrow table
	required []*Field // custom ones; standard ones are checked by checkRequired
	when     []*Field // conditionally required
	links    []*Field // custom relations
	numbers  []*Field
	formulas []*Field // each after those it reads
	rollUps  []*Field
	uniques  []*Field
	indexed  []*Field
	defaults map[string]any // stored form, by name
	chained  bool           // a formula reads a roll-up
}

// maxKept is the longest text a unique or indexed field takes: an index entry has
// room for no more.
const maxKept = 500

func newFieldRules(d *Definition, custom []*Field) *fieldRules {
	r := &fieldRules{custom: custom, defaults: map[string]any{}}
	for _, f := range d.Fields {
		if f.low != nil || f.high != nil || f.pattern != nil {
			r.bounded = append(r.bounded, f)
		}
	}
	for _, f := range custom {
		r.add(f)
	}
	return r
}

func (r *fieldRules) add(f *Field) {
	for _, in := range []struct {
		is   bool
		list *[]*Field
	}{
		{f.low != nil || f.high != nil || f.pattern != nil || f.Indexed, &r.bounded},
		{f.Required, &r.required},
		{f.Target != "", &r.links},
		{f.Kind == "auto_number", &r.numbers},
		{f.Kind == "roll_up", &r.rollUps},
		{f.Unique, &r.uniques},
		{f.Indexed, &r.indexed},
	} {
		if in.is {
			*in.list = append(*in.list, f)
		}
	}
	if f.Default != nil {
		r.defaults[f.Name] = storable(f, f.Default)
	}
	if f.settings.RollUp != nil {
		if zero := stored(f, (&rollUp{field: f}).empty(nil)); zero != nil {
			r.defaults[f.Name] = zero
		}
	}
}

// compile reads conditions and formulas, which need the whole definition. One that no
// longer compiles is left aside: a formula then keeps the values it has.
func (r *fieldRules) compile(d *Definition, now func() time.Time) {
	for _, f := range r.custom {
		if len(f.settings.RequiredWhen) == 0 {
			continue
		}
		if cond, err := parseCondition(d, f.settings.RequiredWhen, now()); err == nil {
			f.when = &cond
			r.when = append(r.when, f)
		}
	}
	order := &formulaOrder{def: d, state: map[*Field]int{}}
	for _, f := range r.custom {
		if f.Kind == "formula" && order.visit(f) == nil {
			continue
		}
	}
	r.formulas = order.done
	for _, f := range r.formulas {
		r.chained = r.chained || slices.ContainsFunc(f.program.Fields(), func(n string) bool { return d.byName[n] != nil && d.byName[n].Kind == "roll_up" })
	}
}

// complete works out what the product sets, and refuses what the fields' rules do not
// allow. It runs after the context's own hooks, whose values it judges too.
func (o *Object) complete(ctx context.Context, tx pgx.Tx, a *auth.Actor, changes []*Change) error {
	rules := changes[0].New.Def.rules
	if err := rules.number(ctx, tx, a, changes); err != nil {
		return err
	}
	for _, c := range changes {
		c.New.compute(rules.formulas)
		if err := c.checkFields(Undoing(ctx)); err != nil {
			return err
		}
	}
	if Undoing(ctx) {
		return nil
	}
	return o.checkLinks(ctx, changes)
}

// checkFields refuses a change that breaks a rule. A record that broke it before, say
// because the rule is younger, may still be changed otherwise; undo and restore bring
// back what was held before.
func (c *Change) checkFields(undoing bool) error {
	rules := c.New.Def.rules
	var refused errs.Fields
	for _, f := range rules.bounded {
		v := f.Value(c.New)
		if v == nil || (c.Old != nil && Same(f.Value(c.Old), v)) {
			continue
		}
		if err := f.checkKept(v); err != nil {
			refused = append(refused, errs.As(named(f, err)).Fields...)
		}
	}
	back := c.Old != nil && c.Old.Deleted() != c.New.Deleted()
	if undoing || back {
		return refused.Err()
	}
	for _, f := range rules.required {
		if f.Value(c.New) == nil && !f.Computed() && (c.Old == nil || f.Value(c.Old) != nil) {
			refused.Add(f.fieldAs(), "required", "%s is needed.", f.Label)
		}
	}
	for _, f := range rules.when {
		if f.Value(c.New) == nil && f.when.Match(c.New) && (c.Old == nil || f.Value(c.Old) != nil || !f.when.Match(c.Old)) {
			refused.Add(f.fieldAs(), "required", "%s is needed here.", f.Label)
		}
	}
	return refused.Err()
}

func (f *Field) checkKept(v any) error {
	if s, ok := v.(string); ok && f.Indexed && utf8.RuneCountInString(s) > maxKept {
		return refuse(f, "too_long", "%s may have at most %d characters.", f.Label, maxKept)
	}
	if f.Computed() {
		return nil // bounds are for what people enter
	}
	return f.check(v)
}

// checkLinks refuses custom relations to records that are not there, lie in the bin,
// or may not be seen; all three look alike.
func (o *Object) checkLinks(ctx context.Context, changes []*Change) error {
	rules := changes[0].New.Def.rules
	for _, f := range rules.links {
		target, ok := o.k.objectIn(changes[0].New.Def.set, f.Target)
		if !ok {
			continue // people are no object in a kernel without identity
		}
		wanted := map[uuid.UUID]bool{}
		for _, c := range changes {
			v := f.Value(c.New)
			if id, ok := v.(uuid.UUID); ok && (c.Old == nil || f.Value(c.Old) != v) {
				wanted[id] = true
			}
		}
		if len(wanted) == 0 {
			continue
		}
		ids := make([]uuid.UUID, 0, len(wanted))
		for id := range wanted {
			ids = append(ids, id)
		}
		found, err := target.GetMany(ctx, ids)
		if err != nil && errs.KindOf(err) != errs.Forbidden {
			return err
		}
		for _, id := range ids {
			if r := found[id]; r == nil || r.Deleted() {
				return named(f, refuse(f, "unknown_reference", "%s points to a record that does not exist, or that you may not see.", f.Label))
			}
		}
	}
	return nil
}

// number gives the new records of a save their numbers, one range per field.
func (r *fieldRules) number(ctx context.Context, tx pgx.Tx, a *auth.Actor, changes []*Change) error {
	var blank []*Record
	for _, c := range changes {
		if c.Old == nil {
			blank = append(blank, c.New)
		}
	}
	if len(blank) == 0 {
		return nil
	}
	for _, f := range r.numbers {
		last, err := takeNumbers(ctx, tx, a.TenantID, f, int64(len(blank)))
		if err != nil {
			return err
		}
		for i, rec := range blank {
			rec.setCustom(f.Name, f.settings.AutoNumber.text(last-int64(len(blank)-1-i)))
		}
	}
	return nil
}

// takeNumbers moves the counter on by n and returns the last number taken. The row
// stays locked until the transaction ends, so no number is ever given twice.
func takeNumbers(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, f *Field, n int64) (int64, error) {
	var last int64
	start := max(f.settings.AutoNumber.Start, 1)
	err := tx.QueryRow(ctx, `insert into custom_counters (tenant_id, field_id, last) values ($1, $2, $3)
	  on conflict on constraint custom_counters_pkey do update set last = custom_counters.last + $4 returning last`,
		tenant, f.ID, start+n-1, n).Scan(&last)
	return last, err
}
