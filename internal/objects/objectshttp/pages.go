package objectshttp

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"crm/internal/objects"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/page"
	"crm/internal/record"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

// Pages adds saved views to list pages and members to the page of a segment.
type Pages struct {
	pages *recordpage.Pages
	s     *objects.Service
}

// NewPages makes the pages and connects them to the generic ones.
func NewPages(pages *recordpage.Pages, s *objects.Service) *Pages {
	p := &Pages{pages, s}
	pages.UseViews(p.viewsOf)
	pages.AddPanel("segment", recordpage.Panel{ID: "members", Title: "Members", Lead: true, Body: p.members})
	return p
}

// Mount puts the forms of list pages under r, the router of a workspace.
func (p *Pages) Mount(r chi.Router) {
	h := p.pages.Site.Handle
	r.Post("/views/from-list", h(p.saveView))
	r.Post("/views/{id}/state", h(p.updateView))
	r.Post("/segments/from-list", h(p.saveSegment))
	r.Post("/segments/{id}/snapshot", h(p.snapshot))
}

// viewsOf are the reader's views of a list. Whoever may not read views has none.
func (p *Pages) viewsOf(ctx context.Context, object string) ([]recordpage.SavedView, error) {
	a := auth.From(ctx)
	o, ok := p.s.Object(ctx, object)
	if !ok || a.Grants.Scope("view", auth.Read) == auth.None {
		return nil, nil
	}
	views, err := p.s.ViewsOf(ctx, object)
	if err != nil {
		return nil, err
	}
	var out []recordpage.SavedView
	for _, v := range views {
		out = append(out, recordpage.SavedView{
			ID: v.ID, Name: v.Name, Private: v.Sharing == objects.Private, Default: v.IsDefault, Changeable: p.s.MayChange(a, v), Query: state(ctx, o, v),
		})
	}
	return out, nil
}

// state is a view as parameters of its list; nil when its filter cannot be read.
func state(ctx context.Context, o *record.Object, v *objects.View) url.Values {
	f, err := o.ParseFilterJSON(ctx, objects.FilterText(v.Filter))
	if err != nil {
		return nil
	}
	out := f.Values()
	for key, value := range map[string]string{"sort": v.Sort, "q": v.Search, "columns": strings.Join(v.Columns, ",")} {
		if value != "" {
			out.Set(key, value)
		}
	}
	return out
}

// sent is the state of the list a form was sent from.
type sent struct {
	object *record.Object
	query  url.Values
	view   objects.View
}

// read turns the address of a list into what a view keeps.
func (p *Pages) read(r *http.Request) (*sent, error) {
	if err := r.ParseForm(); err != nil {
		return nil, errs.Wrap(err, errs.Malformed, "not_a_form", "The form could not be read.")
	}
	o, ok := p.s.Object(r.Context(), r.PostForm.Get("object"))
	if !ok {
		return nil, errs.New(errs.Malformed, "unknown_object", "The form does not say of which list. Load the page again.")
	}
	query, err := url.ParseQuery(r.PostForm.Get("query"))
	if err != nil {
		return nil, errs.Wrap(err, errs.Malformed, "bad_query", "The list's address could not be read. Load the page again.")
	}
	q, _, err := o.ParseList(r.Context(), query)
	if err != nil {
		return nil, err
	}
	out := &sent{object: o, query: query, view: objects.View{Name: strings.TrimSpace(r.PostForm.Get("name")), Object: o.Def.Name, Sort: q.Sort, Search: q.Search, Sharing: r.PostForm.Get("sharing")}}
	if !q.Filter.Empty() {
		out.view.Filter = json.RawMessage(q.Filter.JSON())
	}
	if s := query.Get("columns"); s != "" {
		out.view.Columns = strings.Split(s, ",")
	}
	return out, nil
}

// saveView answers POST /views/from-list: keep this list under a name.
func (p *Pages) saveView(w http.ResponseWriter, r *http.Request) error {
	in, err := p.read(r)
	if err != nil {
		return err
	}
	if in.view.Name == "" {
		p.pages.Site.SetFlash(w, page.Flash{Text: "Give the view a name.", Bad: true})
		return page.SeeOther(w, r, recordpage.Path(r, in.object.Def.Plural)+"?"+in.query.Encode())
	}
	v, err := p.s.Views.Create(r.Context(), &in.view)
	if err != nil {
		return err
	}
	p.pages.Site.SetFlash(w, page.Flash{Text: "View “" + v.Name + "” saved."})
	return page.SeeOther(w, r, listOf(r, in.object, v.ID))
}

// updateView answers POST /views/{id}/state: the view becomes what the list shows.
func (p *Pages) updateView(w http.ResponseWriter, r *http.Request) error {
	vid, ok := id.Parse(chi.URLParam(r, "id"))
	if !ok {
		return errs.Missing("view")
	}
	in, err := p.read(r)
	if err != nil {
		return err
	}
	patch := record.Patch{"filter": in.view.Filter, "sort": text(in.view.Sort), "q": text(in.view.Search), "columns": nil}
	if len(in.view.Columns) > 0 {
		patch["columns"] = in.view.Columns
	}
	res, err := p.s.Views.One(r.Context(), record.Operation{Kind: record.OpUpdate, ID: vid, Patch: patch})
	if err != nil {
		return err
	}
	p.pages.Site.SetFlash(w, page.Flash{Text: "View “" + res.Record.Title() + "” saved.", Seq: res.Seq})
	return page.SeeOther(w, r, listOf(r, in.object, vid))
}

// text is a canonical text: nil when empty.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func listOf(r *http.Request, o *record.Object, view uuid.UUID) string {
	return recordpage.Path(r, o.Def.Plural) + "?view=" + view.String()
}

// saveSegment answers POST /segments/from-list: keep the records this list shows,
// now and later, as a dynamic segment.
func (p *Pages) saveSegment(w http.ResponseWriter, r *http.Request) error {
	in, err := p.read(r)
	if err != nil {
		return err
	}
	if in.view.Search != "" {
		return errs.New(errs.Invalid, "search_in_segment", "A segment is made of filters, not of search words. Remove the search and filter instead.")
	}
	g, err := p.s.Segments.Create(r.Context(), &objects.Segment{Name: in.view.Name, Object: in.object.Def.Name, Filter: in.view.Filter})
	if err != nil {
		return err
	}
	p.pages.Site.SetFlash(w, page.Flash{Text: "Segment “" + g.Name + "” saved."})
	return page.SeeOther(w, r, recordpage.Path(r, "segments", g.ID.String()))
}

// snapshot answers POST /segments/{id}/snapshot.
func (p *Pages) snapshot(w http.ResponseWriter, r *http.Request) error {
	gid, ok := id.Parse(chi.URLParam(r, "id"))
	if !ok {
		return errs.Missing("segment")
	}
	g, err := p.s.Snapshot(r.Context(), gid, "")
	if err != nil {
		return err
	}
	p.pages.Site.SetFlash(w, page.Flash{Text: "Segment “" + g.Name + "” holds who was a member just now."})
	return page.SeeOther(w, r, recordpage.Path(r, "segments", g.ID.String()))
}

// shownMembers is how many members the page of a segment lists.
const shownMembers = 10

// members is the panel on the page of a segment.
func (p *Pages) members(ctx context.Context, rec *record.Record) (templ.Component, error) {
	o, q, err := p.s.Query(ctx, rec.ID())
	if e := errs.As(err); e != nil && e.Kind == errs.Invalid {
		return ui.Table{Empty: e.Message}, nil // a field it names is gone: say so
	}
	if err != nil {
		return nil, err
	}
	q.Limit, q.Count = shownMembers, true
	found, err := o.List(ctx, q)
	if err != nil {
		return nil, err
	}
	return memberTable(o, found), nil
}

func memberTable(o *record.Object, found *record.Page) ui.Table {
	t := ui.Table{Caption: "Members", Columns: []ui.Column{{Key: "name", Label: o.Def.LabelPlural, Width: ui.WidthWide}}, Empty: "No " + strings.ToLower(o.Def.LabelPlural) + " you may see."}
	for _, m := range found.Records {
		t.Rows = append(t.Rows, ui.Row{ID: m.ID().String(), Cells: []ui.Value{ui.TextLink{Text: m.Title(), Href: "../" + o.Def.Plural + "/" + m.ID().String()}}})
	}
	return t
}
