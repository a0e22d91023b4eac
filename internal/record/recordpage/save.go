package recordpage

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/record"
	"crm/web/ui"
)

// clash is a save that met somebody else's change of the same fields.
type clash struct {
	current *record.Record
	fields  []*record.Field
	who     map[string]string // field → who changed it
	at      map[string]time.Time
}

// sentence tells of one field of a clash.
func (c *clash) sentence(n *names, f *record.Field, format ui.Format) string {
	name := fieldName(f)
	who := c.who[name]
	if who == "" {
		who = "Somebody"
	}
	theirs := n.plain(f, fieldValue(c.current, f), format)
	if theirs == "" {
		theirs = "empty"
	}
	return who + " changed this " + format.Ago(c.at[name]) + " to “" + theirs + "”."
}

// fieldValue is the canonical value of any field, custom ones included.
func fieldValue(rec *record.Record, f *record.Field) any {
	v := rec.Get(fieldName(f))
	if f.Custom && v != nil {
		return canonical(f, v)
	}
	return v
}

// formVersion is the version a form was made from; 0 when it does not say.
func formVersion(r *http.Request) int64 {
	n, _ := strconv.ParseInt(r.PostFormValue("version"), 10, 64)
	return n
}

// maxBehind is how many changes a form may be behind and still be merged.
const maxBehind = 50

// save writes the patch onto the version the form was made from. When others
// saved meanwhile, fields only one side changed are merged; the rest is a clash.
func (p *Pages) save(ctx context.Context, o *record.Object, id uuid.UUID, version int64, patch record.Patch) (record.Result, *clash, error) {
	op := record.Operation{Kind: record.OpUpdate, ID: id, Patch: patch}
	if version > 0 {
		op.IfVersion = &version
	}
	for range 3 { // each round only repeats when yet another save came between
		res, err := o.One(ctx, op)
		if errs.KindOf(err) != errs.Stale {
			return res, nil, err
		}
		c, merged, err := p.merge(ctx, o, id, version, patch)
		if err != nil || c != nil {
			return record.Result{}, c, err
		}
		now := merged.version
		op.IfVersion, op.Patch = &now, merged.patch
	}
	return record.Result{}, nil, errs.New(errs.Stale, "busy_record", "Others keep changing this right now. Load the page again and save once more.")
}

type mergedPatch struct {
	patch   record.Patch
	version int64
}

// merge compares the patch with what changed since version.
func (p *Pages) merge(ctx context.Context, o *record.Object, id uuid.UUID, version int64, patch record.Patch) (*clash, *mergedPatch, error) {
	def, err := p.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return nil, nil, err
	}
	current, err := o.Get(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	since, complete, err := p.changesSince(ctx, o, id, current.Version()-version)
	if err != nil {
		return nil, nil, err
	}
	c := &clash{current: current, who: map[string]string{}, at: map[string]time.Time{}}
	kept := record.Patch{}
	for _, name := range slices.Sorted(maps.Keys(patch)) {
		f, ok := def.Field(name)
		if !ok {
			continue
		}
		mine, theirs := patch[name], fieldValue(current, f)
		base, touched := baseValue(f, since)
		switch {
		case record.Same(mine, theirs):
		case complete && !touched:
			kept[name] = mine
		case touched && record.Same(mine, base):
			// Only they changed it; the form merely carried the old value along.
		default:
			c.add(f, since)
		}
	}
	if len(c.fields) > 0 {
		return c, nil, nil
	}
	return nil, &mergedPatch{kept, current.Version()}, nil
}

func (c *clash) add(f *record.Field, since []record.Entry) {
	c.fields = append(c.fields, f)
	name := fieldName(f)
	for _, e := range since {
		if _, ok := e.Changes[name]; ok {
			c.who[name], c.at[name] = e.ActorName, e.At
			return
		}
	}
	c.at[name], _ = c.current.Get("updated_at").(time.Time)
}

// changesSince are the record's own last n changes, newest first; complete says
// whether all of them were found.
func (p *Pages) changesSince(ctx context.Context, o *record.Object, id uuid.UUID, n int64) ([]record.Entry, bool, error) {
	if n <= 0 || n > maxBehind {
		return nil, false, nil
	}
	entries, err := p.k.Timeline(ctx, o.Def.Name, id, 0, record.MaxLimit)
	if err != nil {
		return nil, false, err
	}
	var out []record.Entry
	for _, e := range entries {
		if e.RecordID == id && e.Object == o.Def.Name && len(e.Changes) > 0 && int64(len(out)) < n {
			out = append(out, e)
		}
	}
	return out, int64(len(out)) == n, nil
}

// baseValue is what a field held before the changes; since is newest first.
func baseValue(f *record.Field, since []record.Entry) (v any, touched bool) {
	for _, e := range since {
		change, ok := e.Changes[fieldName(f)]
		if !ok {
			continue
		}
		touched, v = true, nil
		if change[0] != nil {
			v = canonical(f, change[0])
		}
	}
	return v, touched
}
