package importing

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// companionObjects may come along in a file about another object: a column mapped to
// account.name or deal.amount in a file of contacts. They are written in this order, so
// that each finds those it points to.
var companionObjects = []string{"account", "product", "contact", "deal"}

// companion is a second object in the rows of a file.
type companion struct {
	*run
	name string
	// link is the field of the main object that points here; "" when it is the
	// companion that points to the main object.
	link string
}

// relationTo is the field by which an object points to another, if input may set it.
func relationTo(def *record.Definition, object string) string {
	for _, f := range def.Fields {
		if f.Type.Name() == "relation" && f.Target == object && !f.ReadOnly && !f.Hidden {
			return f.Name
		}
	}
	return ""
}

// companions are the objects whose fields columns of a file may be mapped to: those
// the object points to and those that point to it, as far as the actor may write them.
func (s *Service) companions(ctx context.Context, def *record.Definition) map[string]*record.Definition {
	out := map[string]*record.Definition{}
	a := auth.From(ctx)
	for _, name := range companionObjects {
		o, ok := s.k.Object(name)
		if !ok || name == def.Name || a == nil || a.Grants.Scope(name, auth.Create) == auth.None || a.Grants.Scope(name, auth.Read) == auth.None {
			continue
		}
		d, err := s.k.Definition(ctx, o.Def.Name)
		if err == nil && (relationTo(def, name) != "" || relationTo(d, def.Name) != "") {
			out[name] = d
		}
	}
	return out
}

// resolveIn resolves a name on the object, or on a companion when it begins with one's
// name; other is then the companion's.
func resolveIn(def *record.Definition, others map[string]*record.Definition, name string) (t target, other string, err error) {
	t, err = resolveTarget(def, name)
	if err == nil {
		return t, "", nil
	}
	object, field, ok := strings.Cut(strings.TrimSpace(name), ".")
	if !ok || others[object] == nil {
		return t, "", err
	}
	if t, err = resolveTarget(others[object], field); err != nil {
		return t, "", err
	}
	if t.kind == recordID {
		return t, "", errs.Field(name, "read_only", "Map the id of a %s to %s instead.", object, object)
	}
	return t, object, nil
}

// spell is a target's name in the plan of a file.
func spell(t target, other string) string {
	if other == "" {
		return t.spelling()
	}
	return other + "." + t.spelling()
}

// loadOthers makes the companions that the plan's columns name ready.
func (r *run) loadOthers(ctx context.Context) error {
	defs := r.companions(ctx, r.def)
	for _, name := range companionObjects {
		plan := Plan{Columns: slices.Clone(r.imp.Columns)}
		used := false
		for i := range plan.Columns {
			c := &plan.Columns[i]
			_, other, err := resolveIn(r.def, defs, c.Field)
			if c.Field == "" || err != nil || other != name {
				c.Field = ""
				continue
			}
			c.Field, used = c.Field[len(name)+1:], true
		}
		if !used {
			continue
		}
		c, err := r.newCompanion(ctx, name, defs[name], plan)
		if err != nil {
			return err
		}
		r.others = append(r.others, c)
	}
	return nil
}

func (r *run) newCompanion(ctx context.Context, name string, def *record.Definition, plan Plan) (*companion, error) {
	o, _ := r.k.Object(name)
	sub := &run{Service: r.Service, imp: r.imp, object: o, def: def, lookups: r.lookups, fills: true}
	var err error
	if sub.columns, err = compile(def, plan, auth.From(ctx).Currency); err != nil {
		return nil, err
	}
	for _, c := range sub.columns {
		c.Field = name + "." + c.Field
		c.salesforce = r.imp.Preset == "salesforce"
	}
	sub.pointsTo()
	return &companion{run: sub, name: name, link: relationTo(r.def, name)}, nil
}

// pointsTo lists the objects that the columns point to.
func (r *run) pointsTo() {
	for _, c := range r.columns {
		if c.target.kind != relation {
			continue
		}
		if object := targetObject(c.target.field); !slices.Contains(r.targets, object) {
			r.targets = append(r.targets, object)
		}
	}
}

// party is one companion's records of a chunk, a draft for each row that has one.
type party struct {
	*attempt
	c    *companion
	rows []int // of the chunk, by draft
}

// gather reads the companions' relations and stages before anything is written, so
// that a row with an unknown stage is refused as a whole.
func (at *attempt) gather(ctx context.Context) error {
	if len(at.others) == 0 {
		return nil
	}
	passed, err := at.passedOver(ctx)
	if err != nil {
		return err
	}
	for _, c := range at.others {
		p := &party{c: c, attempt: &attempt{run: c.run, tx: at.tx}}
		for i, d := range at.drafts {
			sub := d.others[c.name]
			if sub == nil && c.link != "" && d.pointsBy(c.link) {
				sub = &draft{row: d.row, patch: record.Patch{}}
			}
			if at.errs[i] != nil || d.blank || sub == nil || passed[i] {
				continue
			}
			p.rows = append(p.rows, i)
			p.drafts, p.patches, p.errs = append(p.drafts, sub), append(p.patches, cloneParts(sub.patch)), append(p.errs, nil)
		}
		if err := p.resolve(ctx); err != nil {
			return err
		}
		for n, i := range p.rows {
			if p.errs[n] != nil {
				at.errs[i] = p.errs[n]
			}
		}
		for _, w := range p.warned {
			at.warn(w)
		}
		at.parties = append(at.parties, p)
	}
	return nil
}

// passedOver are the rows that the mode skips: nothing of them may come in.
func (at *attempt) passedOver(ctx context.Context) (map[int]bool, error) {
	if at.key == nil || at.imp.Mode == Upsert {
		return nil, nil
	}
	var rows []int
	for i := range at.drafts {
		if at.errs[i] == nil && at.keyValue(i) != nil {
			rows = append(rows, i)
		}
	}
	have, err := at.existing(ctx, at.key, rows, at.keyValue)
	if err != nil {
		return nil, err
	}
	out := map[int]bool{}
	for i := range at.drafts {
		out[i] = (have[i] != uuid.Nil) == (at.imp.Mode == Create)
	}
	return out, nil
}

func cloneParts(p record.Patch) record.Patch {
	out := make(record.Patch, len(p)+2)
	for k, v := range p {
		out[k] = v
	}
	return out
}

// pointsBy reports whether a cell of the row points somewhere by a field.
func (d *draft) pointsBy(field string) bool {
	return slices.ContainsFunc(d.refs, func(r ref) bool { return r.col.target.name == field })
}
