package recordpage

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"crm/internal/platform/auth"
	"crm/internal/record"
	"crm/web/ui"
)

const (
	searchPage    = 60
	paletteHits   = 10
	lookupHits    = 20
	maxPaletteAdd = 8
)

// search answers GET /search: everything that matches, best first.
func (p *Pages) search(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query().Get("q")
	hits, err := p.k.Search(r.Context(), q, searchPage)
	if err != nil {
		return err
	}
	body := ui.ListPage{
		Object: "*", Title: "Search", Search: &ui.Search{Action: r.URL.Path, Value: q, Label: "Search everything"},
		Columns: []ui.Column{{Label: "Name", Width: ui.WidthWide}, {Label: "Kind", Phone: ui.PhoneBelow}, {Label: "Details", Phone: ui.PhoneSub}},
		Footer:  ui.ListFooter{Count: p.Format(r).Integer(len(hits)) + " found"},
	}
	for _, h := range hits {
		href := hrefOf(Path(r), h.Record)
		body.Rows = append(body.Rows, ui.Row{ID: h.Record.ID().String(), Href: href, Cells: []ui.Value{
			ui.TextLink{Text: h.Record.Title(), Href: href, Avatar: &ui.Avatar{Name: h.Record.Title()}}, ui.Text(h.Record.Def.Label), ui.Text(hint(h.Record)),
		}})
	}
	body.Empty = &ui.EmptyState{Kind: ui.EmptyFiltered, Title: "Nothing matches “" + q + "”.", Text: "Try a part of a name, an e-mail address or a company."}
	if strings.TrimSpace(q) == "" {
		body.Empty = &ui.EmptyState{Kind: ui.EmptyNew, Title: "Search everything", Text: "A name, an e-mail address, a company, a deal."}
	}
	return p.Page(w, r, http.StatusOK, Head{Title: "Search"}, body)
}

// suggestion is one line of the command palette.
type suggestion struct {
	Label string `json:"label"`
	Hint  string `json:"hint,omitempty"`
	Href  string `json:"href"`
	Group string `json:"group"`
}

// palette answers GET /palette?q=: records, things to add, and places the page's
// own menu cannot offer.
func (p *Pages) palette(w http.ResponseWriter, r *http.Request) error {
	q := strings.TrimSpace(r.URL.Query().Get("q"))
	out := []suggestion{}
	if q != "" {
		hits, err := p.k.Search(r.Context(), q, paletteHits)
		if err != nil {
			return err
		}
		for _, h := range hits {
			out = append(out, suggestion{Label: h.Record.Title(), Hint: withHint(h.Record), Href: hrefOf(Path(r), h.Record), Group: "Records"})
		}
		out = append(out, suggestion{Label: "All results for “" + cut(q, 40) + "”", Href: Path(r, "search") + "?" + url.Values{"q": {q}}.Encode(), Group: "Records"})
	}
	out = append(out, p.places(r, q)...)
	return writeJSON(w, append(out, p.additions(r, q)...))
}

func withHint(rec *record.Record) string {
	if h := hint(rec); h != "" {
		return rec.Def.Label + " · " + h
	}
	return rec.Def.Label
}

// additions offers to add a record, with the typed words as its name.
func (p *Pages) additions(r *http.Request, q string) []suggestion {
	a := auth.From(r.Context())
	var out []suggestion
	for _, o := range p.k.ObjectsFor(r.Context()) {
		if o.Def.System || a.Grants.Scope(o.Def.Name, auth.Create) == auth.None || len(out) == maxPaletteAdd {
			continue
		}
		s := suggestion{Label: "Add " + lower(o.Def.Label), Href: Path(r, o.Def.Plural, "new"), Group: "Add"}
		if q != "" && !strings.Contains(lower(s.Label), lower(q)) {
			if !nameable(o.Def) {
				continue
			}
			s.Label += " “" + cut(q, 40) + "”"
			s.Href += "?" + url.Values{"name": {q}}.Encode()
		}
		out = append(out, s)
	}
	return out
}

// nameable leaves out what is rarely added by its name alone.
func nameable(d *record.Definition) bool { return d.Name != activityObject && d.Owned }

// places are menu items without a letter, and the settings.
func (p *Pages) places(r *http.Request, q string) []suggestion {
	a := auth.From(r.Context())
	ws, err := p.workspace(r.Context())
	if err != nil {
		return nil
	}
	var out []suggestion
	add := func(it ui.NavItem, group string) {
		if it.Go == "" && strings.Contains(lower(it.Label), lower(q)) {
			out = append(out, suggestion{Label: it.Label, Href: it.Href, Group: group})
		}
	}
	for _, g := range p.nav(r.Context(), a, ws.Slug, nil) {
		for _, it := range g.Items {
			add(it, "Go to")
		}
	}
	if q == "" {
		return out
	}
	for _, g := range p.SettingsMenu(a, ws.Slug) {
		for _, it := range g.Items {
			add(it, "Settings")
		}
	}
	return out
}

// lookup answers GET /lookup/{objects}?q=: choices for a relation.
func (p *Pages) lookup(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	found, err := o.List(r.Context(), record.Query{Limit: lookupHits, Search: r.URL.Query().Get("q")})
	if err != nil {
		return err
	}
	type choice struct {
		Value string `json:"value"`
		Label string `json:"label"`
		Hint  string `json:"hint,omitempty"`
	}
	out := []choice{}
	for _, rec := range found.Records {
		opt := option(rec)
		out = append(out, choice{opt.Value, opt.Label, opt.Hint})
	}
	return writeJSON(w, out)
}

func writeJSON(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(b)
	return nil
}
