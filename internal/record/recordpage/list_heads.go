package recordpage

import (
	"strings"

	"crm/internal/record"
	"crm/web/ui"
)

// columns are the fields of the table. The record's name is one column, whatever
// fields it is made of, and always the first.
func (l *listing) columns() []*record.Field {
	if chosen := l.chosenColumns(); len(chosen) > 0 {
		return chosen
	}
	var out []*record.Field
	for _, name := range l.def.ListFields {
		if f, ok := l.def.Field(name); ok && !f.Title {
			out = append(out, f)
		}
	}
	if len(l.def.ListFields) > 0 {
		return out
	}
	for _, f := range l.def.Fields {
		if !f.Title && shownField(f) && f.Type.Name() != "long_text" && len(out) < 6 {
			out = append(out, f)
		}
	}
	return out
}

func (l *listing) heads(columns []*record.Field) []ui.Column {
	title := l.titleField()
	out := []ui.Column{{Key: title.Name, Label: l.titleLabel(), Width: ui.WidthWide, SortHref: l.sortHref(title), Sorted: l.sorted(title)}}
	for _, f := range columns {
		out = append(out, ui.Column{Key: f.Name, Label: f.Label, SortHref: l.sortHref(f), Sorted: l.sorted(f), Right: figures(f), Machine: f.Name == "score" || f.Name == "win_probability", Phone: phoneSpot(columns, f)})
	}
	return out
}

// phoneSpot keeps two things beside the name on a narrow screen: the figure that
// matters, and where things stand.
func phoneSpot(columns []*record.Field, f *record.Field) ui.PhoneSpot {
	switch f {
	case firstOf(columns, func(f *record.Field) bool { return f.Name == "score" || f.Type.Name() == "money" }):
		return ui.PhoneAside
	case firstOf(columns, func(f *record.Field) bool {
		return f.Type.Name() == "relation" || f.Name == "company" || f.Name == "due_at"
	}):
		return ui.PhoneSub
	case firstOf(columns, func(f *record.Field) bool {
		return f.Name == "status" || f.Name == "state" || f.Name == "next_activity_at"
	}):
		return ui.PhoneBelow
	}
	return ui.PhoneHidden
}

func firstOf(columns []*record.Field, is func(*record.Field) bool) *record.Field {
	for _, f := range columns {
		if is(f) {
			return f
		}
	}
	return nil
}

func figures(f *record.Field) bool {
	switch f.Type.Name() {
	case "integer", "decimal", "percent", "money":
		return true
	}
	return false
}

// titleField is the field the name column sorts by.
func (l *listing) titleField() *record.Field {
	for _, f := range l.def.Fields {
		if f.Title {
			return f
		}
	}
	return l.def.Fields[0]
}

func (l *listing) titleLabel() string {
	n := 0
	for _, f := range l.def.Fields {
		if f.Title {
			n++
		}
	}
	if n == 1 {
		return l.titleField().Label
	}
	return "Name"
}

func (l *listing) sortHref(f *record.Field) string {
	if !f.Sortable() {
		return ""
	}
	by := f.Name
	if l.query.Get("sort") == by {
		by = "-" + by
	}
	q := clone(l.query, "cursor", "from")
	q.Set("sort", by)
	return withQuery(l.self, q)
}

func (l *listing) sorted(f *record.Field) ui.SortState {
	by := l.query.Get("sort")
	if by == "" {
		by = l.def.DefaultSort
	}
	switch first, _, _ := strings.Cut(by, ","); first {
	case f.Name:
		return ui.Ascending
	case "-" + f.Name:
		return ui.Descending
	}
	return ui.Unsorted
}
