package exportinghttp

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/page"
	"crm/internal/record"
	"crm/internal/record/exporting"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

// Pages serves the form that asks for an export and the list of exports.
type Pages struct {
	*recordpage.Shell
	k       *record.Kernel
	exports *exporting.Service
}

// NewPages makes the pages and puts them into the settings menu.
func NewPages(shell *recordpage.Shell, k *record.Kernel, s *exporting.Service) *Pages {
	shell.AddSettings(recordpage.SettingsItem{Group: "Data", Key: "exports", Label: "Exports", Path: "exports"})
	return &Pages{Shell: shell, k: k, exports: s}
}

// Link is where a list with this query is exported, below /{workspace}; "" for whoever
// may not.
func Link(a *auth.Actor, d *record.Definition, query url.Values) string {
	if exporting.Reach(a, d.Name) == auth.None {
		return ""
	}
	q := url.Values{}
	for key, values := range query {
		if key != "cursor" && key != "from" {
			q[key] = values
		}
	}
	return "exports/new/" + d.Plural + "?" + q.Encode()
}

// Mount puts the pages under r, the router of a workspace.
func (p *Pages) Mount(r chi.Router) {
	h := p.Site.Handle
	r.Get("/exports", h(p.list))
	r.Get("/exports/new/{objects}", h(p.ask))
	r.Post("/exports/new/{objects}", h(p.create))
	r.Get("/exports/{id}/file", h(p.file))
	r.Post("/exports/{id}/cancel", h(p.cancel))
}

// ask shows what will be in the file before it is written.
func (p *Pages) ask(w http.ResponseWriter, r *http.Request) error {
	o, err := p.object(r)
	if err != nil {
		return err
	}
	return p.showForm(w, r, http.StatusOK, o, nil)
}

func (p *Pages) object(r *http.Request) (*record.Object, error) {
	o, ok := p.k.PluralFor(r.Context(), chi.URLParam(r, "objects"))
	a := auth.From(r.Context())
	if !ok || a == nil || a.Grants.Scope(o.Def.Name, auth.Read) == auth.None {
		return nil, errs.New(errs.NotFound, "no_such_page", "There is nothing to export at this address.")
	}
	if exporting.Reach(a, o.Def.Name) == auth.None {
		return nil, auth.Denied(o.Def.Name, auth.Export)
	}
	return o, nil
}

func (p *Pages) showForm(w http.ResponseWriter, r *http.Request, status int, o *record.Object, refused *errs.Error) error {
	many := strings.ToLower(o.Def.LabelPlural)
	n, err := p.count(r, o)
	if err != nil {
		return err
	}
	list := recordpage.Path(r, o.Def.Plural)
	if raw := r.URL.RawQuery; raw != "" {
		list += "?" + raw
	}
	body := ui.FormPage{
		Title: "Export " + many, Back: &ui.Link{Label: o.Def.LabelPlural, Href: list},
		Intro: fmt.Sprintf("%s: every row the list shows, with its filters and in its order. The file can be loaded for a day.", counted(p.Format(r), n, o.Def)),
		Form: ui.Form{
			ID: "export", Action: r.URL.RequestURI(), Submit: "Export " + many, Busy: "Starting…", Cancel: list, Narrow: true,
			Groups: []ui.FieldGroup{{Fields: []ui.Field{
				{Name: "format", Label: "File", Kind: ui.FieldRadio, Value: orElse(r.PostFormValue("format"), "csv"), Options: []ui.Option{
					{Value: "csv", Label: "CSV", Hint: "For other programs, and to take in again."}, {Value: "xlsx", Label: "Excel", Hint: "For reading and reckoning."}, {Value: "ndjson", Label: "JSON lines", Hint: "Exactly what the API shows."},
				}},
				{Name: "columns", Label: "Columns", Kind: ui.FieldRadio, Value: orElse(r.PostFormValue("columns"), "list"), Options: []ui.Option{{Value: "list", Label: "Those of the list"}, {Value: "all", Label: "All fields"}}},
			}}},
		},
	}
	if refused != nil {
		body.Form.Errors = []string{refused.Message}
	}
	page.NoStore(w)
	return p.Page(w, r, status, recordpage.Head{Title: body.Title, Section: o.Def.Plural}, body)
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func counted(f ui.Format, n int64, d *record.Definition) string {
	if n == 1 {
		return "1 " + strings.ToLower(d.Label)
	}
	return f.Integer(int(n)) + " " + strings.ToLower(d.LabelPlural)
}

func (p *Pages) count(r *http.Request, o *record.Object) (int64, error) {
	return p.exports.Count(r.Context(), o.Def.Name, r.URL.Query())
}

func (p *Pages) create(w http.ResponseWriter, r *http.Request) error {
	o, err := p.object(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return errs.Wrap(err, errs.Malformed, "not_a_form", "The form could not be read.")
	}
	opts := exporting.Options{Object: o.Def.Name, Format: exporting.Format(r.PostFormValue("format")), Query: r.URL.Query()}
	if r.PostFormValue("columns") != "all" {
		def, err := p.k.Definition(r.Context(), o.Def.Name)
		if err != nil {
			return err
		}
		opts.Fields = listFields(def, r.URL.Query())
	}
	_, err = p.exports.Create(r.Context(), opts)
	if e := errs.As(err); e != nil && e.Kind == errs.Invalid {
		return p.showForm(w, r, http.StatusUnprocessableEntity, o, e)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, recordpage.Path(r, "exports"), http.StatusSeeOther)
	return nil
}

// listFields are the columns of the list page: those of its address, of its view, or
// the object's usual ones.
func listFields(d *record.Definition, q url.Values) []string {
	if s := q.Get("columns"); s != "" {
		return exporting.Shown(d, strings.Split(s, ","))
	}
	if uuid.Validate(q.Get("view")) == nil && !q.Has("edited") {
		return nil
	}
	return exporting.Shown(d, nil)
}

// reloadAfter is how often the list of exports loads itself again while one is being
// written.
const reloadAfter = "3"

func (p *Pages) list(w http.ResponseWriter, r *http.Request) error {
	found, err := p.exports.List(r.Context(), 50)
	if err != nil {
		return err
	}
	a, err := auth.Must(r.Context())
	if err != nil {
		return err
	}
	table := &ui.Table{Caption: "Exports", Empty: "No exports yet. Open a list and choose Export.", Columns: []ui.Column{
		{Label: "What", Width: ui.WidthWide}, {Label: "Rows", Right: true, Phone: ui.PhoneAside}, {Label: "Size", Right: true}, {Label: "State", Phone: ui.PhoneBelow}, {Label: "Asked", Phone: ui.PhoneSub},
	}}
	for _, e := range found {
		table.Rows = append(table.Rows, p.row(r, e))
		if !e.State.Over() {
			w.Header().Set("Refresh", reloadAfter)
		}
	}
	body := ui.SettingsPage{
		Title: "Exports", Current: "exports", Intro: "Files of what a list showed. Each can be loaded for a day.",
		Menu: p.SettingsMenu(a, chi.URLParam(r, "ws")), Sections: []ui.Section{{ID: "exports", Title: "The newest", Table: table}},
	}
	page.NoStore(w)
	return p.Page(w, r, http.StatusOK, recordpage.Head{Title: "Exports", Section: "settings"}, body)
}

func (p *Pages) row(r *http.Request, e *exporting.Export) ui.Row {
	path := recordpage.Path(r, "exports", e.ID.String())
	name := e.Object
	if o, ok := p.k.ObjectFor(r.Context(), e.Object); ok {
		name = o.Def.LabelPlural
	}
	row := ui.Row{ID: e.ID.String(), Dim: e.State.Over() && e.State != exporting.Done, Cells: []ui.Value{
		ui.Text(name + ", " + formatWords[e.Format]), ui.Number{Value: float64(e.Rows)}, ui.Text(size(e.Bytes)), state(e), ui.Ago{At: e.CreatedAt},
	}}
	switch e.State {
	case exporting.Done:
		row.Href = path + "/file"
		row.Actions = []ui.Action{{Label: "Download", Icon: "download", Href: path + "/file"}}
	case exporting.Queued, exporting.Running:
		row.Actions = []ui.Action{{Label: "Cancel", Post: path + "/cancel", Busy: "Cancelling…"}}
	}
	return row
}

var formatWords = map[exporting.Format]string{exporting.CSV: "CSV", exporting.XLSX: "Excel", exporting.NDJSON: "JSON lines"}

func state(e *exporting.Export) ui.Choice {
	switch e.State {
	case exporting.Done:
		return ui.Choice{Label: "Ready until " + e.ExpiresAt.UTC().Format(time.DateOnly+" 15:04") + " UTC", Tone: ui.ToneGood}
	case exporting.Failed:
		return ui.Choice{Label: "Failed: " + e.Error, Tone: ui.ToneBad}
	case exporting.Cancelled:
		return ui.Choice{Label: "Cancelled"}
	case exporting.Expired:
		return ui.Choice{Label: "Deleted after a day"}
	case exporting.Queued:
		return ui.Choice{Label: "Waiting", Tone: ui.ToneAccent}
	}
	if e.Total != nil && *e.Total > 0 {
		return ui.Choice{Label: fmt.Sprintf("Writing, %d %%", min(100, e.Rows*100 / *e.Total)), Tone: ui.ToneAccent}
	}
	return ui.Choice{Label: "Writing", Tone: ui.ToneAccent}
}

// size is how large a file is, in words.
func size(n int64) string {
	switch {
	case n == 0:
		return ""
	case n < 1<<20:
		return fmt.Sprintf("%d kB", max(1, n>>10))
	}
	return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
}

func (p *Pages) find(r *http.Request) (*exporting.Export, error) {
	u, ok := id.Parse(chi.URLParam(r, "id"))
	if !ok {
		return nil, errs.Missing("export")
	}
	return p.exports.Get(r.Context(), u)
}

func (p *Pages) file(w http.ResponseWriter, r *http.Request) error {
	e, err := p.find(r)
	if err != nil {
		return err
	}
	return serve(w, r, p.exports, e)
}

func (p *Pages) cancel(w http.ResponseWriter, r *http.Request) error {
	e, err := p.find(r)
	if err != nil {
		return err
	}
	if _, err := p.exports.Cancel(r.Context(), e.ID); err != nil {
		return err
	}
	http.Redirect(w, r, recordpage.Path(r, "exports"), http.StatusSeeOther)
	return nil
}
