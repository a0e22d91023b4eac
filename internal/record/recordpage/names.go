package recordpage

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/record"
)

// names holds the titles of records that others point to, loaded with one query
// per object. What the reader may not see has no name here.
type names struct {
	objects map[string]*record.Object
	actor   *auth.Actor
	base    string // "/{workspace}"
	found   map[string]map[uuid.UUID]*record.Record
}

// wanted collects ids by object.
type wanted map[string]map[uuid.UUID]bool

func (w wanted) add(object string, id uuid.UUID) {
	if object == "" || id == uuid.Nil {
		return
	}
	if w[object] == nil {
		w[object] = map[uuid.UUID]bool{}
	}
	w[object][id] = true
}

// addRecord collects what the given fields of a record point to.
func (w wanted) addRecord(rec *record.Record, fields []*record.Field) {
	for _, f := range fields {
		if id, ok := f.Value(rec).(uuid.UUID); ok {
			w.add(f.Target, id)
		}
	}
}

// load fetches the names. Objects that are not there or not readable are left out.
func (p *Pages) load(ctx context.Context, base string, w wanted) (*names, error) {
	n := &names{objects: map[string]*record.Object{}, actor: auth.From(ctx), base: base, found: map[string]map[uuid.UUID]*record.Record{}}
	for object, ids := range w {
		o, ok := p.k.ObjectFor(ctx, object)
		n.objects[object] = o
		if !ok || !reads(n.actor, object) {
			continue
		}
		list := make([]uuid.UUID, 0, len(ids))
		for id := range ids {
			list = append(list, id)
		}
		found, err := o.GetMany(ctx, list)
		if err != nil {
			return nil, err
		}
		n.found[object] = found
	}
	return n, nil
}

func (n *names) record(object string, id uuid.UUID) *record.Record { return n.found[object][id] }

// title is the name of a record, "" when the reader may not see it.
func (n *names) title(object string, id uuid.UUID) string {
	if r := n.record(object, id); r != nil {
		return r.Title()
	}
	return ""
}

// href is the page of a record; people have none for readers of their names.
func (n *names) href(object string, id uuid.UUID) string {
	o := n.objects[object]
	if o == nil || o.Def.System {
		return ""
	}
	return n.base + "/" + o.Def.Plural + "/" + id.String()
}

func hrefOf(base string, rec *record.Record) string {
	return base + "/" + rec.Def.Plural + "/" + rec.ID().String()
}

// relationFields are the fields that point to records, users and teams.
func relationFields(d *record.Definition) []*record.Field {
	var out []*record.Field
	for _, f := range slices.Concat(d.Fields, d.CustomFields()) {
		if f.Target != "" && !f.Hidden {
			out = append(out, f)
		}
	}
	return out
}

func lower(s string) string { return strings.ToLower(s) }

// may reports whether the actor may do something to this record. It only decides
// which buttons are drawn; the kernel decides what happens.
func may(a *auth.Actor, action auth.Action, rec *record.Record) bool {
	return record.Allows(a, a.Grants.Scope(rec.Def.Name, action), rec)
}
