package recordpage

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/record"
	"crm/web/ui"
)

// SavedView is a saved view as a list page needs it. Query is its state as list
// parameters; nil when the view cannot be read any more.
type SavedView struct {
	ID         uuid.UUID
	Name       string
	Private    bool
	Default    bool // opens when the list is asked for without parameters
	Changeable bool // by the reader
	Query      url.Values
}

// UseViews gives list pages the reader's saved views of an object. The context that
// keeps them also serves POST /{ws}/views/from-list and /{ws}/views/{id}/state.
// Called at composition only.
func (p *Pages) UseViews(f func(ctx context.Context, object string) ([]SavedView, error)) {
	p.saved = f
}

// openView loads the views and spells the chosen one out: from here on the address
// holds the whole state, and every link made from it does too. "edited" tells an
// address that is spelled out from one that only names the view.
func (l *listing) openView() error {
	if l.p.saved == nil {
		return nil
	}
	var err error
	if l.saved, err = l.p.saved(l.r.Context(), l.def.Name); err != nil {
		return err
	}
	at := slices.IndexFunc(l.saved, func(v SavedView) bool { return v.ID.String() == l.query.Get("view") })
	if at < 0 {
		return nil
	}
	l.view = &l.saved[at]
	if l.query.Get("edited") != "" || l.view.Query == nil {
		return nil
	}
	for key, values := range l.view.Query {
		if record.ListParam(key) && key != "filter" {
			if !l.query.Has(key) {
				l.query[key] = values
			}
			continue
		}
		l.query[key] = append(slices.Clone(values), l.query[key]...)
	}
	l.query.Set("edited", "1")
	return nil
}

// defaultView is the address of the view that opens first, "" when none does.
func (l *listing) defaultView() string {
	at := slices.IndexFunc(l.saved, func(v SavedView) bool { return v.Default })
	if at < 0 || len(l.query) > 0 {
		return ""
	}
	return l.viewHref(l.saved[at])
}

func (l *listing) viewHref(v SavedView) string {
	return withQuery(l.self, url.Values{"view": {v.ID.String()}})
}

// state is what a view would keep of this address.
func (l *listing) state() url.Values {
	return clone(l.query, "view", "edited", "cursor", "from", "limit", "count", "peek", "trash", "pipeline_id")
}

// edited reports whether the address differs from the chosen view.
func (l *listing) edited() bool {
	return l.view != nil && l.view.Query != nil && l.state().Encode() != l.view.Query.Encode()
}

// savedTabs are the reader's views, after those everybody has.
func (l *listing) savedTabs() []ui.View {
	var out []ui.View
	for _, v := range l.saved {
		current := l.view != nil && l.view.ID == v.ID
		out = append(out, ui.View{Label: v.Name, Href: l.viewHref(v), Current: current, Private: v.Private, Edited: current && l.edited()})
	}
	return out
}

// offerSaving lets the reader keep what they made of the list.
func (l *listing) offerSaving(out *ui.ListPage) {
	if l.p.saved == nil || l.query.Get("trash") == "true" || l.broken != "" {
		return
	}
	state := l.state()
	keep := []ui.Hidden{{Name: "object", Value: l.def.Name}, {Name: "query", Value: state.Encode()}}
	switch {
	case l.edited():
		out.ViewEdited = &ui.ViewEdited{SaveNewURL: l.base + "/views/from-list", ResetHref: l.viewHref(*l.view), Keep: keep}
		if l.view.Changeable {
			out.ViewEdited.SaveURL = l.base + "/views/" + l.view.ID.String() + "/state"
		}
	case l.view == nil && len(state) > 0:
		out.ViewEdited = &ui.ViewEdited{SaveNewURL: l.base + "/views/from-list", Keep: keep}
	}
	if out.ViewEdited != nil && reads(l.actor, "segment") {
		out.ViewEdited.SegmentURL = l.base + "/segments/from-list"
	}
	if l.view != nil && l.view.Changeable {
		page := l.base + "/views/" + l.view.ID.String()
		out.More = append(out.More, ui.Action{Label: "Rename or share this view", Icon: "pencil", Href: page + "/edit"}, ui.Action{Label: "Delete this view", Icon: "trash-2", Post: page + "/delete"})
	}
}

// brokenView remembers why a view cannot be shown; the page then says so and shows
// no rows, because rows without its filter would be the wrong ones.
func (l *listing) brokenView(err error) bool {
	if e := errs.As(err); e != nil && e.Code == "broken_view" {
		l.broken = e.Message
	}
	return l.broken != ""
}

func (l *listing) brokenState() *ui.EmptyState {
	e := &ui.EmptyState{Kind: ui.EmptyFiltered, Title: l.broken, Text: "Something it asks for was renamed or removed. Nothing is lost: the records are all there.", Actions: []ui.Action{{Label: "Show all", Href: l.self + "?view=all"}}}
	if l.view != nil && l.view.Changeable {
		e.Actions = append(e.Actions, ui.Action{Label: "Delete this view", Post: l.base + "/views/" + l.view.ID.String() + "/delete"})
	}
	return e
}

// chosenColumns are the fields named in columns=, nil when the address names none.
func (l *listing) chosenColumns() []*record.Field {
	var out []*record.Field
	for _, name := range strings.Split(l.query.Get("columns"), ",") {
		if f, ok := l.def.Field(name); ok && shownField(f) && !f.Title && !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}

// chooser offers the columns, the shown ones first and in their order.
func (l *listing) chooser(columns []*record.Field) *ui.ColumnChooser {
	out := &ui.ColumnChooser{Action: l.self, Keep: keep(l.query, "columns", "cursor", "from")}
	for i, f := range columns {
		out.Columns = append(out.Columns, ui.ChosenColumn{Name: fieldName(f), Label: f.Label, At: i + 1})
	}
	for _, f := range append(slices.Clone(l.def.Fields), l.def.CustomFields()...) {
		if shownField(f) && !f.Title && f.Type.Name() != "long_text" && !slices.Contains(columns, f) {
			out.Columns = append(out.Columns, ui.ChosenColumn{Name: fieldName(f), Label: f.Label})
		}
	}
	return out
}

// foldColumns turns what the chooser's form sends (column repeated, at_<name>) into
// columns=a,b. It reports whether the form was sent.
func foldColumns(q url.Values) (url.Values, bool) {
	if !q.Has("choose_columns") {
		return q, false
	}
	names := slices.Clone(q["column"])
	at := func(name string) int {
		n, err := strconv.Atoi(q.Get("at_" + name))
		if err != nil || n < 1 {
			return 1000 // newly ticked: at the end
		}
		return n
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(at(a), at(b)) })
	out := url.Values{}
	for k, v := range q {
		if k != "column" && k != "choose_columns" && k != "cursor" && k != "from" && !strings.HasPrefix(k, "at_") {
			out[k] = v
		}
	}
	out.Del("columns")
	if len(names) > 0 {
		out.Set("columns", strings.Join(names, ","))
	}
	return out, true
}
