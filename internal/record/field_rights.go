package record

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
)

// Field rights. A role may withhold single fields of an object: hidden ones do not
// exist for it, locked ones it reads but does not set. There is one place that
// says so, Kernel.Definition: what an actor gets there lacks the hidden fields, so
// nothing that takes names from people (filters, sorts, groups, columns, mappings,
// forms) can name one, and the records it scans have no place for their values.
//
// The product itself needs whole records: a save keeps what its actor cannot see,
// and rules, uniques, journal, match keys and search documents know everything. They
// use wholeDefinition, or a context marked by Whole.

type wholeKey struct{}

// Whole lets the product read whole records on behalf of an actor, for its rules:
// what a conversion carries over, whether somebody may be written to. Nothing read
// under it may be shown. Saves run their hooks under it.
func Whole(ctx context.Context) context.Context { return context.WithValue(ctx, wholeKey{}, true) }

// AsActor takes Whole back, for a hook that judges names which its actor wrote down.
func AsActor(ctx context.Context) context.Context { return context.WithValue(ctx, wholeKey{}, false) }

// fieldLimits are the actor's limits on an object, nil when it sees it whole.
func fieldLimits(ctx context.Context, object string) []string {
	a := auth.From(ctx)
	if a == nil || a.Kind == auth.System {
		return nil
	}
	limits := a.Grants.FieldLimits(object)
	if len(limits) > 0 && ctx.Value(wholeKey{}) == true {
		return nil
	}
	return limits
}

// mostNarrowed bounds the narrowed definitions kept with a whole one. There are as
// many as roles with limits, until somebody keeps editing one.
const mostNarrowed = 64

// narrowings are the definitions made of a whole one, by limits.
type narrowings struct {
	mu   sync.Mutex
	made map[string]*Definition
}

// narrowed is the definition under limits. The same limits give the same definition
// as long as the tenant's fields stay as they are.
func (d *Definition) narrowed(limits []string) *Definition {
	key := strings.Join(limits, ",")
	d.narrow.mu.Lock()
	defer d.narrow.mu.Unlock()
	if n := d.narrow.made[key]; n != nil {
		return n
	}
	n := d.without(limits)
	if d.narrow.made == nil || len(d.narrow.made) >= mostNarrowed {
		d.narrow.made = map[string]*Definition{}
	}
	d.narrow.made[key] = n
	return n
}

// without makes the narrowed definition. It keeps the columns of the whole one, so
// that the same statement serves both, and scans through it.
func (d *Definition) without(limits []string) *Definition {
	n := *d
	n.whole, n.narrow = d, nil
	n.Fields, n.byName = nil, make(map[string]*Field, len(d.byName))
	n.hidden = slices.Clone(d.hidden)
	for _, f := range d.Fields {
		if kept := f.under(limits); kept != nil {
			kept.pos = len(n.Fields)
			n.Fields = append(n.Fields, kept)
			n.byName[kept.Name] = kept
		}
	}
	for _, f := range d.CustomFields() {
		if kept := f.under(limits); kept != nil {
			n.byName[kept.path()] = kept
		} else {
			n.hidden = append(n.hidden, f.Name)
		}
	}
	shown := func(name string) bool { return n.byName[strings.TrimPrefix(name, "-")] != nil }
	n.ListFields = slices.DeleteFunc(slices.Clone(d.ListFields), func(name string) bool { return !shown(name) })
	if slices.ContainsFunc(strings.Split(d.DefaultSort, ","), func(name string) bool { return !shown(name) }) {
		n.DefaultSort = "-created_at"
	}
	return &n
}

// under is the field as a role with these limits has it: nil when hidden. It is
// always a copy, since its place differs.
func (f *Field) under(limits []string) *Field {
	c := *f
	if f.limitable() {
		if slices.Contains(limits, f.path()+":"+string(auth.Read)) {
			return nil
		}
		if !f.ReadOnly || f.History {
			c.locked = slices.Contains(limits, f.path()+":"+string(auth.Update))
			c.ReadOnly, c.History = c.ReadOnly || c.locked, c.History && !c.locked
		}
	}
	return &c
}

// limitable reports whether a role may withhold the field. Rights and history of a
// record are told by the others: who owns it decides who sees it.
func (f *Field) limitable() bool {
	switch f.Name {
	case "id", "version", "created_at", "created_by", "updated_at", "updated_by", "deleted_at", "owner_id", "team_id", "sharing":
		return f.Custom
	}
	return f.Type.Name() != "custom"
}

// Narrowed reports whether fields are withheld from whom the definition is for.
func (d *Definition) Narrowed() bool { return d.whole != nil }

// Has reports whether the definition has all these fields: what a page or a figure
// of the product's own is made of.
func (d *Definition) Has(fields ...string) bool {
	return !slices.ContainsFunc(fields, func(name string) bool { _, ok := d.Field(name); return !ok })
}

// settle makes a query fit the definition: the product's own order only where its
// fields are there, and nothing for its own conditions on fields that are not. What
// people write was refused when it was read.
func (q Query) settle(d *Definition) Query {
	if q.Sort == "" && q.Prefer != "" && d.CheckSort(q.Prefer) == nil {
		q.Sort = q.Prefer
	}
	if d.Narrowed() {
		q.Filter = q.Filter.over(d)
	}
	return q
}

// over replaces conditions on fields that d lacks by one that nothing fulfils.
func (f Filter) over(d *Definition) Filter {
	each := func(list []Filter) []Filter {
		out := make([]Filter, len(list))
		for i, sub := range list {
			out[i] = sub.over(d)
		}
		return out
	}
	if f.Cond == nil {
		return Filter{All: each(f.All), Any: each(f.Any)}
	}
	own := f.Cond.Field
	if f.Cond.Relation != nil {
		own = f.Cond.Relation
	}
	if own == nil || d.byName[own.path()] != nil {
		return f
	}
	return Filter{Cond: &Cond{Field: d.byName["id"], Op: IsNull, Values: []any{true}}}
}

// hides reports whether the definition lacks a field, by its name in the journal,
// that the whole one has, or that leaves the kernel for nobody.
func (d *Definition) hides(name string) bool {
	if f := d.byName[name]; f != nil {
		return f.Hidden
	}
	if d.whole != nil && d.whole.byName[name] != nil {
		return true
	}
	custom, ok := strings.CutPrefix(name, "custom.")
	return ok && slices.Contains(d.hidden, custom)
}

// bars reports whether an actor with this definition may not set a field that
// people can set.
func (d *Definition) bars(name string) bool {
	if d.whole == nil {
		return false
	}
	settable, known := d.whole.byName[name]
	if !known || settable.ReadOnly && !settable.History {
		return false // the product's own, which follows from an act
	}
	f := d.byName[name]
	return f == nil || f.locked
}

// MaySet refuses a value for a field that the definition withholds from who it is
// for, as input of that field would be.
func (d *Definition) MaySet(name string) error {
	if !d.bars(name) {
		return nil
	}
	_, err := d.writable(name, FromAPI)
	return err
}

// Under is the record as the definition of the same object shows it, with the fields
// that it has.
func (r *Record) Under(d *Definition) *Record { return r.as(d) }

// as is Under; a whole definition changes nothing.
func (r *Record) as(d *Definition) *Record {
	if r == nil || r.Def == d || d.whole == nil {
		return r
	}
	out := &Record{Def: d, Values: make([]any, len(d.Fields))}
	for i, f := range d.Fields {
		out.Values[i] = r.Get(f.Name)
		if f.Type.Name() == "custom" {
			out.Values[i] = withoutKeys(out.Values[i], d.hidden)
		}
	}
	return out
}

// withoutKeys is a custom document without some of its values.
func withoutKeys(v any, names []string) any {
	doc, ok := v.(map[string]any)
	if !ok || !slices.ContainsFunc(names, func(n string) bool { _, has := doc[n]; return has }) {
		return v
	}
	doc = maps.Clone(doc)
	for _, name := range names {
		delete(doc, name)
	}
	if len(doc) == 0 {
		return nil
	}
	return doc
}

// shown is a record as the actor may see it.
func (o *Object) shown(ctx context.Context, r *Record) (*Record, error) {
	if r == nil || fieldLimits(ctx, o.Def.Name) == nil {
		return r, nil
	}
	def, err := o.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return nil, err
	}
	return r.as(def), nil
}

// shownAfter is shown for what came with an error, which stays the answer.
func (o *Object) shownAfter(ctx context.Context, r *Record, failed error) (*Record, error) {
	r, err := o.shown(ctx, r)
	return r, cmp.Or(failed, err)
}

// withheld reports whether the relation is a field that the actor does not have.
func (k *Kernel) withheld(ctx context.Context, p relation) bool {
	def, err := k.Definition(ctx, p.o.Def.Name)
	return err != nil || p.field != nil && def.byName[p.field.path()] == nil
}

// CheckFieldGrant refuses a grant on a field that means nothing: the object or field
// is unknown, or cannot be withheld.
func (k *Kernel) CheckFieldGrant(ctx context.Context, g auth.FieldGrant, scope auth.Scope) error {
	def, err := k.wholeDefinition(ctx, g.Object)
	if err != nil {
		return badGrant("There is no object called %q.", g.Object)
	}
	f, ok := def.Field(g.Field)
	switch {
	case !ok:
		return badGrant("There is no field %q on %s.", g.Field, def.Plural)
	case def.System:
		return badGrant("%s are settings that the product works by; their fields cannot be withheld.", def.LabelPlural)
	case !f.limitable():
		return badGrant("%s of %s cannot be withheld: rights and history of a record are told by it.", f.Label, def.Plural)
	case g.Action != auth.Read && g.Action != auth.Update:
		return badGrant("A field can be withheld from read or update, not from %q.", g.Action)
	case scope != auth.None && scope != auth.All:
		return badGrant("A grant on a field is none or all; how far a role reaches is said by its grants on %s.", def.Plural)
	}
	return nil
}

func badGrant(format string, args ...any) error {
	return errs.Field("grants", "bad_grant", format, args...)
}
