package importing

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"crm/internal/record"
)

// maxChoices is how many different values make a list of choices; a column with more
// is no such list.
const maxChoices = 200

// mayGrow: a tenant's own select fields can get new choices; those of the product are
// part of its rules.
func mayGrow(t target) bool {
	return t.kind == plain && t.field.Custom && t.field.Type.Name() == "select"
}

// newChoices plans the choices that columns name and fields do not have.
func (i *Import) newChoices(def *record.Definition, others map[string]*record.Definition, seen *survey) {
	for n := range i.Columns {
		c := &i.Columns[n]
		values := seen.columns[n].choices
		t, _, err := resolveIn(def, others, c.Field)
		if values == nil || err != nil || len(values) >= maxChoices {
			continue
		}
		sub := &column{Column: *c, target: t}
		for _, v := range slices.Sorted(maps.Keys(values)) {
			text, keep := sub.replace(v)
			if !keep || len(text) > 100 {
				continue
			}
			if _, err := sub.option(text); err != nil && !slices.Contains(c.Choices, text) {
				c.Choices = append(c.Choices, text)
			}
		}
	}
}

// addChoices gives the fields their new choices; a dry run only pretends to.
func (r *run) addChoices(ctx context.Context, tx pgx.Tx) error {
	for _, c := range r.imp.Columns {
		if len(c.Choices) == 0 || r.imp.DryRun {
			continue
		}
		object, name := r.imp.Object, strings.TrimPrefix(c.Field, "custom.")
		if other, rest, ok := strings.Cut(c.Field, ".custom."); ok {
			object, name = other, rest
		}
		if err := r.k.AddCustomOptions(ctx, object, name, c.Choices); err != nil {
			return err
		}
	}
	return nil
}

// withChoices are the object's custom fields with the choices the import adds: in a dry
// run they exist nowhere, and elsewhere a replica may take seconds to hear of them.
func (r *run) withChoices(def *record.Definition) []*record.Field {
	fields := slices.Clone(def.CustomFields())
	for _, c := range r.imp.Columns {
		for i, f := range fields {
			if len(c.Choices) == 0 || c.Field != "custom."+f.Name {
				continue
			}
			grown := *f
			for _, v := range c.Choices {
				if !slices.ContainsFunc(f.Options, func(o record.Option) bool { return o.Value == v }) {
					grown.Options = append(slices.Clip(grown.Options), record.Option{Value: v, Label: v})
				}
			}
			fields[i] = &grown
		}
	}
	return fields
}
