package recordpage

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
	"crm/web/ui"
)

// ownParams are query parameters of lists that are no filters.
var ownParams = []string{"from", "filter_field", "filter_op", "filter_value", "pipeline_id"}

// listing is one request for a list: what was asked and what the page needs.
type listing struct {
	p     *Pages
	r     *http.Request
	o     *record.Object
	def   *record.Definition
	actor *auth.Actor
	query url.Values
	base  string // "/{workspace}"
	self  string // "/{workspace}/{objects}"
	names *names
}

// list answers GET /{objects}; another way to look at it may have been added by a
// context.
func (p *Pages) list(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	if folded, ok := foldFilter(r.URL.Query()); ok {
		http.Redirect(w, r, withQuery(r.URL.Path, folded), http.StatusSeeOther)
		return nil
	}
	for _, v := range p.views[o.Def.Name] {
		if v.Key != "" && v.Key == r.URL.Query().Get("view") {
			return v.Page(w, r)
		}
	}
	l, err := p.listing(r, o)
	if err != nil {
		return err
	}
	found, err := l.fetch()
	if err != nil {
		return err
	}
	columns := l.columns()
	want := wanted{}
	for _, rec := range found.Records {
		want.addRecord(rec, columns)
	}
	l.wantFilters(want)
	if l.names, err = p.load(r.Context(), l.base, want); err != nil {
		return err
	}
	body, err := l.page(found, columns)
	if err != nil {
		return err
	}
	return p.Page(w, r, http.StatusOK, Head{Title: l.def.LabelPlural, Section: section(l.def)}, body)
}

// foldFilter turns what the filter form sends into the list grammar. "Is empty"
// needs no value, which the form cannot know.
func foldFilter(q url.Values) (url.Values, bool) {
	if q.Get("filter_op") == "is_null" && q.Get("filter_value") == "" {
		q.Set("filter_value", "true")
	}
	folded, ok := ui.FoldFilter(q)
	folded.Del("from")
	return folded, ok
}

func (p *Pages) listing(r *http.Request, o *record.Object) (*listing, error) {
	a, _, err := auth.Require(r.Context(), o.Def.Name, auth.Read)
	if err != nil {
		return nil, err
	}
	def, err := p.k.Definition(r.Context(), o.Def.Name)
	if err != nil {
		return nil, err
	}
	return &listing{p: p, r: r, o: o, def: def, actor: a, query: r.URL.Query(), base: Path(r), self: Path(r, o.Def.Plural)}, nil
}

// kernelQuery reads the address the way the API does.
func (l *listing) kernelQuery() (record.Query, error) {
	q := record.Query{Cursor: l.query.Get("cursor"), Sort: l.query.Get("sort"), Search: l.query.Get("q"), Trash: l.query.Get("trash") == "true", Count: true}
	var err error
	q.Filter, err = l.o.ParseFilter(l.r.Context(), l.query, ownParams...)
	return q, err
}

func (l *listing) fetch() (*record.Page, error) {
	q, err := l.kernelQuery()
	if err != nil {
		return nil, err
	}
	return l.o.List(l.r.Context(), q)
}

// columns are the fields of the table. The record's name is one column, whatever
// fields it is made of, and always the first.
func (l *listing) columns() []*record.Field {
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

// shownField reports whether people get to see the field at all.
func shownField(f *record.Field) bool {
	switch f.Type.Name() {
	case "id", "version", "custom", "json":
		return false
	}
	return !f.Hidden && f.Name != "deleted_at" && f.Name != "position"
}

func (l *listing) page(found *record.Page, columns []*record.Field) (ui.ListPage, error) {
	d := l.def
	filters := l.filters()
	builder, err := l.builder()
	if err != nil {
		return ui.ListPage{}, err
	}
	out := ui.ListPage{
		Object: d.Plural, Title: d.LabelPlural, Switch: l.p.switches(l.r, d.Name), Views: l.tabs(), Filters: filters, Builder: builder,
		ClearHref: l.clearHref(), Search: &ui.Search{Action: l.self, Value: l.query.Get("q"), Label: "Search " + lower(d.LabelPlural), Keep: keep(l.query, "q", "cursor", "from")},
		Columns: l.heads(columns), Footer: l.footer(found),
	}
	if d.NoSearch {
		out.Search = nil
	}
	for _, rec := range found.Records {
		out.Rows = append(out.Rows, l.row(rec, columns))
	}
	l.actions(&out)
	l.bulkActions(&out)
	if len(out.Rows) == 0 {
		out.Empty = l.empty(filters)
	}
	return out, nil
}

// actions are New, Import and the way to the bin.
func (l *listing) actions(out *ui.ListPage) {
	d := l.def
	if l.query.Get("trash") == "true" {
		out.Title = d.LabelPlural + " in the bin"
		out.Secondary = []ui.Action{{Label: "Back to " + lower(d.LabelPlural), Href: l.self}}
		return
	}
	if l.mayDo(auth.Create) {
		out.Primary = &ui.Action{Label: "New " + lower(d.Label), Weight: ui.Primary, Icon: "plus", Href: l.self + "/new", Key: "c"}
		if path := l.p.importPath(d.Name); path != "" {
			out.Secondary = append(out.Secondary, ui.Action{Label: "Import", Icon: "upload", Href: l.base + "/" + path})
		}
	}
	if l.mayDo(auth.Delete) {
		out.More = append(out.More, ui.Action{Label: "Bin", Icon: "trash-2", Href: l.self + "?trash=true"})
	}
}

func (l *listing) mayDo(action auth.Action) bool {
	return l.actor.Grants.Scope(l.def.Name, action) != auth.None
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

func (l *listing) row(rec *record.Record, columns []*record.Field) ui.Row {
	name := ui.TextLink{Text: rec.Title(), Href: hrefOf(l.base, rec)}
	if rec.Def.Owned && l.def.Name != "activity" {
		name.Avatar = &ui.Avatar{Name: name.Text, Square: l.def.Name == "account" || l.def.Name == "deal"}
	}
	row := ui.Row{ID: rec.ID().String(), Href: name.Href, Cells: []ui.Value{name}, Dim: rec.Deleted() || rec.Get("done_at") != nil}
	for _, f := range columns {
		row.Cells = append(row.Cells, l.names.cell(rec, f))
	}
	return row
}

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
	mine := url.Values{"owner_id": {l.actor.ID.String()}}
	views := []struct {
		label string
		query url.Values
	}{{"All", url.Values{}}, {"Mine", mine}}
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
		out = append(out, ui.View{Label: v.label, Href: withQuery(l.self, v.query), Current: sameFilters(l.query, v.query)})
	}
	return out
}

// sameFilters compares two addresses by what they filter.
func sameFilters(a, b url.Values) bool {
	skip := []string{"cursor", "from", "sort", "q", "limit", "view", "count"}
	return clone(a, skip...).Encode() == clone(b, skip...).Encode()
}

// switches are the ways to look at a list, when there are several.
func (p *Pages) switches(r *http.Request, object string) []ui.Tab {
	views := p.views[object]
	if len(views) == 0 {
		return nil
	}
	o, _ := p.k.Object(object)
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
		return &ui.EmptyState{Kind: ui.EmptyFiltered, Title: "No " + many + " match “" + l.query.Get("q") + "”.",
			Text: "Try fewer words, or look everywhere.", Actions: []ui.Action{{Label: "Search everywhere", Href: l.base + "/search?" + url.Values{"q": {l.query.Get("q")}}.Encode()}, {Label: "Clear", Href: l.clearHref()}}}
	case len(filters) > 0 || l.query.Get("q") != "":
		return &ui.EmptyState{Kind: ui.EmptyFiltered, Title: "No " + many + " match " + inWords(filters, l.query.Get("q")) + ".",
			Actions: []ui.Action{{Label: "Remove " + filters[len(filters)-1].Field, Href: filters[len(filters)-1].RemoveHref}, {Label: "Clear all", Href: l.clearHref()}}}
	}
	e := &ui.EmptyState{Kind: ui.EmptyNew, Title: "No " + many + " yet.", Text: "They will be listed here."}
	if l.mayDo(auth.Create) {
		e.Text = "Add one, or take in a file."
		e.Actions = []ui.Action{{Label: "New " + lower(d.Label), Weight: ui.Primary, Href: l.self + "/new"}}
		if path := l.p.importPath(d.Name); path != "" {
			e.Actions = append(e.Actions, ui.Action{Label: "Import a file", Href: l.base + "/" + path})
		} else {
			e.Text = "Add the first one."
		}
	}
	return e
}

func inWords(filters []ui.Filter, words string) string {
	var parts []string
	if words != "" {
		parts = append(parts, "“"+cut(words, 40)+"”")
	}
	for _, f := range filters {
		parts = append(parts, f.Field+" "+f.Operator+" "+f.Value)
	}
	return strings.Join(parts, " and ")
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

// inbox is the queue of leads to look at, best first.
func (p *Pages) inbox(w http.ResponseWriter, r *http.Request) error {
	o, ok := p.k.Object("lead")
	if !ok {
		return errs.New(errs.NotFound, "no_such_page", "There is no inbox in this workspace.")
	}
	q := url.Values{"status[in]": {"new,working"}, "sort": {"-score"}}
	http.Redirect(w, r, withQuery(Path(r, o.Def.Plural), q), http.StatusSeeOther)
	return nil
}

func uuidOf(s string) uuid.UUID {
	u, _ := uuid.Parse(s) // unreadable = none
	return u
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
