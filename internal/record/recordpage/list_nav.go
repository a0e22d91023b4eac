package recordpage

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"crm/internal/platform/auth"
	"crm/internal/record"
	"crm/web/ui"
)

// clearHref is the list without filters, looked at in the same way.
func (l *listing) clearHref() string {
	q := url.Values{}
	for _, k := range []string{"view", "pipeline_id", "trash"} {
		if v := l.query.Get(k); v != "" {
			q.Set(k, v)
		}
	}
	return withQuery(l.self, q)
}

// maxBack is how many pages back the address remembers.
const maxBack = 12

// footer counts and leads on. The cursors of the pages before stand in the
// address, so that Previous works and the page can be sent to somebody.
func (l *listing) footer(found *record.Page) ui.ListFooter {
	f := ui.ListFooter{Count: l.count(found)}
	back := splitBack(l.query.Get("from"))
	cursor := l.query.Get("cursor")
	if found.Next != "" {
		q := clone(l.query)
		q.Set("cursor", found.Next)
		trail := append(back, cursor)
		q.Set("from", strings.Join(trail[max(0, len(trail)-maxBack):], "."))
		f.NextHref = withQuery(l.self, q)
	}
	if cursor != "" {
		q := clone(l.query, "cursor", "from")
		if n := len(back); n > 0 && back[n-1] != "" {
			q.Set("cursor", back[n-1])
			q.Set("from", strings.Join(back[:n-1], "."))
		}
		f.PrevHref = withQuery(l.self, q)
	}
	return f
}

func splitBack(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ".")
}

func (l *listing) count(found *record.Page) string {
	shown, all := len(found.Records), int64(len(found.Records))
	if found.Count != nil {
		all = *found.Count
	}
	f := l.p.Format(l.r)
	noun := lower(l.def.LabelPlural)
	if all == 1 {
		noun = lower(l.def.Label)
	}
	if int64(shown) == all {
		return f.Integer(shown) + " " + noun
	}
	return f.Integer(shown) + " of " + f.Integer(int(all)) + " " + noun
}

// tabs are the views everybody has: all, and one's own.
func (l *listing) tabs() []ui.View {
	if !l.def.Owned {
		return nil
	}
	all := url.Values{}
	if slices.ContainsFunc(l.saved, func(v SavedView) bool { return v.Default }) {
		all.Set("view", "all") // the bare address opens the default view
	}
	mine := url.Values{"owner_id": {l.actor.ID.String()}}
	views := []struct {
		label string
		query url.Values
	}{{"All", all}, {"Mine", mine}}
	if l.def.Name == "activity" {
		open := url.Values{"done_at[is_null]": {"true"}, "sort": {"due_at"}}
		mine.Set("done_at[is_null]", "true")
		mine.Set("sort", "due_at")
		views = append(views, struct {
			label string
			query url.Values
		}{"Open", open})
	}
	var out []ui.View
	for _, v := range views {
		out = append(out, ui.View{Label: v.label, Href: withQuery(l.self, v.query), Current: l.view == nil && sameFilters(l.query, v.query)})
	}
	return out
}

// sameFilters compares two addresses by what they filter.
func sameFilters(a, b url.Values) bool {
	skip := []string{"cursor", "from", "sort", "q", "limit", "view", "count", "columns", "edited"}
	return clone(a, skip...).Encode() == clone(b, skip...).Encode()
}

// switches are the ways to look at a list, when there are several.
func (p *Pages) switches(r *http.Request, object string) []ui.Tab {
	views := p.views[object]
	if len(views) == 0 {
		return nil
	}
	o, _ := p.k.ObjectFor(r.Context(), object)
	current := r.URL.Query().Get("view")
	known := false
	for _, v := range views {
		known = known || v.Key == current
	}
	tabs := []ui.Tab{}
	table := View{Label: "Table", Icon: "table"}
	for _, v := range append([]View{table}, views...) {
		q := clone(r.URL.Query(), "cursor", "from", "view", "sort", "trash")
		if v.Key != "" {
			q.Set("view", v.Key)
		} else {
			q.Del("pipeline_id")
		}
		tabs = append(tabs, ui.Tab{Label: v.Label, Icon: v.Icon, Href: withQuery(Path(r, o.Def.Plural), q), Current: v.Key == current || (v.Key == "" && !known)})
	}
	return tabs
}

// Switches are the tabs between table and other views of a list, for the page of
// such a view.
func (p *Pages) Switches(r *http.Request, object string) []ui.Tab { return p.switches(r, object) }

func (l *listing) empty(filters []ui.Filter) *ui.EmptyState {
	d := l.def
	many := lower(d.LabelPlural)
	switch {
	case l.query.Get("trash") == "true":
		return &ui.EmptyState{Kind: ui.EmptyDone, Title: "The bin is empty."}
	case l.query.Get("q") != "" && len(filters) == 0:
		return &ui.EmptyState{
			Kind: ui.EmptyFiltered, Title: "No " + many + " match “" + l.query.Get("q") + "”.",
			Text: "Try fewer words, or look everywhere.", Actions: []ui.Action{{Label: "Search everywhere", Href: l.base + "/search?" + url.Values{"q": {l.query.Get("q")}}.Encode()}, {Label: "Clear", Href: l.clearHref()}},
		}
	case len(filters) > 0 || l.query.Get("q") != "":
		return &ui.EmptyState{
			Kind: ui.EmptyFiltered, Title: "No " + many + " match " + inWords(filters, l.query.Get("q")) + ".",
			Actions: []ui.Action{{Label: "Remove " + filters[len(filters)-1].Field, Href: filters[len(filters)-1].RemoveHref}, {Label: "Clear all", Href: l.clearHref()}},
		}
	}
	e := &ui.EmptyState{Kind: ui.EmptyNew, Title: "No " + many + " yet.", Text: "They will be listed here."}
	if l.mayDo(auth.Create) {
		e.Text = "Add one, or take in a file."
		e.Actions = []ui.Action{{Label: "New " + lower(d.Label), Weight: ui.Primary, Href: l.self + "/new"}}
		if path := l.p.importPath(l.r.Context(), d.Name); path != "" {
			e.Actions = append(e.Actions, ui.Action{Label: "Import a file", Href: l.base + "/" + path})
		} else {
			e.Text = "Add the first one."
		}
	}
	return e
}

// keep turns query parameters into hidden fields, without some of them.
func keep(q url.Values, without ...string) []ui.Hidden {
	var out []ui.Hidden
	rest := clone(q, append([]string{"filter_field", "filter_op", "filter_value"}, without...)...)
	for _, k := range sortedKeys(rest) {
		for _, v := range rest[k] {
			out = append(out, ui.Hidden{Name: k, Value: v})
		}
	}
	return out
}

func clone(q url.Values, without ...string) url.Values {
	out := url.Values{}
	for k, v := range q {
		out[k] = append([]string(nil), v...)
	}
	for _, k := range without {
		out.Del(k)
	}
	return out
}

func withQuery(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}
