package record

import (
	"context"
	"maps"
	"slices"
	"strings"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
)

// ownFacts are the facts of a journal row that tell of the row itself, not of values.
var ownFacts = []string{"undoes", "was", "partial", "created", "into", mergedFrom, "at"}

// shownEntries leaves out of journal rows what the actor may not see: fields that
// are hidden from it, and, with them, the facts of the act that moved them. The
// rows are the caller's own, freshly read.
func (k *Kernel) shownEntries(ctx context.Context, entries []Entry) ([]Entry, error) {
	defs := map[string]*Definition{}
	for i := range entries {
		e := &entries[i]
		o, known := k.ObjectFor(ctx, e.Object)
		if !known {
			continue
		}
		def := defs[e.Object]
		if def == nil {
			var err error
			if def, err = k.Definition(ctx, o.Def.Name); err != nil {
				return nil, err
			}
			defs[e.Object] = def
		}
		e.hide(def)
	}
	return entries, nil
}

func (e *Entry) hide(def *Definition) {
	before := len(e.Changes)
	maps.DeleteFunc(e.Changes, func(name string, _ [2]any) bool { return def.hides(name) })
	touched := len(e.Changes) < before && def.Narrowed()
	maps.DeleteFunc(e.Data, func(name string, _ any) bool {
		return def.Narrowed() && def.hides(name) || touched && !slices.Contains(ownFacts, name)
	})
}

// barred lists the fields of changes that the actor may not set itself: hidden ones
// and those that are read only for its role.
func (d *Definition) barred(fields map[string][2]any) []string {
	var out []string
	for name := range fields {
		if d.bars(name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// errBarred refuses an act on fields the role may not set. It names those that the
// actor can see.
func errBarred(d *Definition, names []string) error {
	var labels []string
	for _, name := range names {
		if f, ok := d.Field(name); ok {
			labels = append(labels, f.Label)
		}
	}
	if len(labels) == 0 {
		return errs.New(errs.Forbidden, "field_forbidden", "This concerns fields of the %s that your role does not have. Ask an admin to do it.", strings.ToLower(d.Label))
	}
	return errs.New(errs.Forbidden, "field_forbidden", "Your role does not allow changing %s. Ask an admin to do it.", strings.Join(labels, " and "))
}

// mayAct refuses an act whose own change (the hooks' not yet in it) sets fields that
// are withheld from the actor.
func (o *Object) mayAct(ctx context.Context, c *Change) error {
	if fieldLimits(ctx, o.Def.Name) == nil {
		return nil
	}
	def, err := o.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return err
	}
	if names := def.barred(difference(c.Old, c.New)); len(names) > 0 {
		return errBarred(def, names)
	}
	return nil
}

// shownConflicts keeps the values of fields that are hidden from the actor out of
// what an undo reports. That something was left is told all the same.
func (k *Kernel) shownConflicts(ctx context.Context, list []UndoConflict) ([]UndoConflict, error) {
	for i, c := range list {
		if _, known := k.ObjectFor(ctx, c.Object); !known || auth.From(ctx) == nil {
			continue
		}
		def, err := k.Definition(ctx, c.Object)
		if err != nil {
			return nil, err
		}
		if def.Narrowed() && def.hides(c.Field) {
			list[i].Field, list[i].Expected, list[i].Current, list[i].Message = "", nil, nil, ""
		}
	}
	return list, nil
}

// shownRun is shownConflicts for the undo of a batch.
func (k *Kernel) shownRun(ctx context.Context, r *UndoRun, err error) (*UndoRun, error) {
	if err != nil || r == nil {
		return nil, err
	}
	r.Conflicts, err = k.shownConflicts(ctx, r.Conflicts)
	return r, err
}
