package recordpage

import (
	"net/url"

	"crm/internal/platform/auth"
	"crm/internal/record"
	"crm/web/ui"
)

// relatedShown is how many records a related list shows before "All".
const relatedShown = 5

// related lists the records of other objects that point to this one: a company's
// contacts and deals.
func (s *sheet) related() ([]ui.RelatedList, error) {
	var out []ui.RelatedList
	if s.history {
		return nil, nil
	}
	for _, o := range s.p.k.Objects() {
		if o.Def.System || !reads(s.actor, o.Def.Name) {
			continue
		}
		def, err := s.p.k.Definition(s.r.Context(), o.Def.Name)
		if err != nil {
			return nil, err
		}
		for _, f := range def.Fields {
			if f.Target != s.o.Def.Name || f.ReadOnly || f.Hidden || f.Type.Name() != "relation" {
				continue
			}
			list, err := s.relatedList(o, f)
			if err != nil {
				return nil, err
			}
			out = append(out, list)
		}
	}
	return out, nil
}

func (s *sheet) relatedList(o *record.Object, f *record.Field) (ui.RelatedList, error) {
	id := s.rec.ID()
	found, err := o.List(s.r.Context(), record.Query{
		Limit: relatedShown, Count: true,
		Filter: record.Filter{Cond: &record.Cond{Field: f, Op: record.Eq, Values: []any{id}}},
	})
	if err != nil {
		return ui.RelatedList{}, err
	}
	q := url.Values{f.Name: {id.String()}}
	out := ui.RelatedList{Title: o.Def.LabelPlural, AllHref: withQuery(s.base+"/"+o.Def.Plural, q), Empty: "None yet."}
	if f.Target == o.Def.Name {
		out.Title = "Below it"
	}
	if found.Count != nil {
		out.Count = int(*found.Count)
	}
	for _, rec := range found.Records {
		out.Items = append(out.Items, s.relatedItem(rec))
	}
	if s.actor.Grants.Scope(o.Def.Name, auth.Create) != auth.None && !s.rec.Deleted() {
		q.Set("return", s.href)
		out.Add = &ui.Action{Label: "Add", Icon: "plus", Weight: ui.Ghost, Href: withQuery(s.base+"/"+o.Def.Plural+"/new", q)}
	}
	return out, nil
}

// relatedItem is a line: the name, what it is or where it stands, a figure.
func (s *sheet) relatedItem(rec *record.Record) ui.RelatedItem {
	out := ui.RelatedItem{Name: rec.Title(), Href: hrefOf(s.base, rec), Icon: iconOf(rec.Def.Name)}
	if rec.Def.Name == "contact" || rec.Def.Name == "lead" {
		out.Avatar = &ui.Avatar{Name: out.Name}
	}
	for _, name := range []string{"title", "status", "lifecycle", "email", "domain"} {
		if f, ok := rec.Def.Field(name); ok && rec.Get(name) != nil && !f.Title {
			out.Sub = s.names.cell(rec, f)
			break
		}
	}
	for _, name := range []string{"amount", "score", "due_at", "employees"} {
		if f, ok := rec.Def.Field(name); ok && rec.Get(name) != nil {
			out.Aside = s.names.cell(rec, f)
			break
		}
	}
	return out
}
