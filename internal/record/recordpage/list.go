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
var ownParams = []string{"from", "filter_field", "filter_op", "filter_value", "pipeline_id", "edited"}

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

	saved  []SavedView
	view   *SavedView // the chosen one
	broken string     // why it cannot be shown
}

// list answers GET /{objects}; another way to look at it may have been added by a
// context.
func (p *Pages) list(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	if folded, ok := foldFilter(r.URL.Query()); ok {
		http.Redirect(w, r, withQuery(r.URL.Path, folded), http.StatusSeeOther)
		return nil
	}
	if folded, ok := foldColumns(r.URL.Query()); ok {
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
	if err := l.openView(); err != nil {
		return err
	}
	if first := l.defaultView(); first != "" {
		http.Redirect(w, r, first, http.StatusSeeOther)
		return nil
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
	v := l.query
	if v.Get("edited") != "" {
		v = clone(v, "view") // spelled out: the view only names the tab
	}
	q, _, err := l.o.ParseList(l.r.Context(), v, ownParams...)
	q.Count = true
	return q, err
}

func (l *listing) fetch() (*record.Page, error) {
	q, err := l.kernelQuery()
	if l.brokenView(err) {
		return &record.Page{}, nil
	}
	if err != nil {
		return nil, err
	}
	return l.o.List(l.r.Context(), q)
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
		Object: d.Plural, Title: d.LabelPlural, Switch: l.p.switches(l.r, d.Name), Views: append(l.tabs(), l.savedTabs()...), Chooser: l.chooser(columns), Filters: filters, Builder: builder,
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
	l.offerSaving(&out)
	if len(out.Rows) == 0 {
		out.Empty = l.empty(filters)
	}
	if l.broken != "" {
		out.Empty = l.brokenState()
	}
	return out, nil
}

// actions are New, Import and the way to the bin.
func (l *listing) actions(out *ui.ListPage) {
	d := l.def
	if path := l.p.exportPath(l.actor, d, l.query); path != "" {
		out.More = append(out.More, ui.Action{Label: "Export", Icon: "download", Href: l.base + "/" + path})
	}
	if l.query.Get("trash") == "true" {
		out.Title = d.LabelPlural + " in the bin"
		out.Secondary = []ui.Action{{Label: "Back to " + lower(d.LabelPlural), Href: l.self}}
		return
	}
	if l.mayDo(auth.Create) {
		out.Primary = &ui.Action{Label: "New " + lower(d.Label), Weight: ui.Primary, Icon: "plus", Href: l.self + "/new", Key: "c"}
		if path := l.p.importPath(l.r.Context(), d.Name); path != "" {
			out.Secondary = append(out.Secondary, ui.Action{Label: "Import", Icon: "upload", Href: l.base + "/" + path})
		}
	}
	if d.Match != nil && l.mayDo(auth.Update) {
		out.More = append(out.More, ui.Action{Label: "Possible duplicates", Icon: "users", Href: l.self + "/duplicates"})
	}
	if l.mayDo(auth.Delete) {
		out.More = append(out.More, ui.Action{Label: "Bin", Icon: "trash-2", Href: l.self + "?trash=true"})
	}
}

func (l *listing) mayDo(action auth.Action) bool {
	return l.actor.Grants.Scope(l.def.Name, action) != auth.None
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
