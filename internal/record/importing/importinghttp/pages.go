package importinghttp

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/internal/platform/rest"
	"crm/internal/record"
	"crm/internal/record/importing"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

// Pages is the wizard: a file is sent, its columns are mapped, a dry run tells what
// would happen, and then it happens. Each step is a page of its own with an address,
// so that it works without script and survives a reload.
type Pages struct {
	shell   *recordpage.Shell
	kernel  *record.Kernel
	imports *importing.Service
	now     func() time.Time
	api     *HTTP
}

// NewPages makes the pages and puts the list of imports into the settings.
func NewPages(shell *recordpage.Shell, k *record.Kernel, s *importing.Service, now func() time.Time) *Pages {
	shell.AddSettings(recordpage.SettingsItem{Group: "Data", Key: "imports", Label: "Imports", Path: "imports", Object: "custom_field", Action: auth.Create})
	return &Pages{shell: shell, kernel: k, imports: s, now: now, api: New(s)}
}

// Mount puts the pages under r, the router of a workspace.
func (p *Pages) Mount(r chi.Router) {
	h := p.shell.Site.Handle
	r.Get("/imports", h(p.list))
	r.Get("/imports/new", h(p.newImport))
	r.Post("/imports/new", h(p.upload))
	r.Get("/imports/files/{id}", h(p.mapping))
	r.Post("/imports/files/{id}", h(p.try))
	r.Get("/imports/{id}", h(p.one))
	r.Get("/imports/{id}/errors.csv", h(p.api.errors))
	r.Post("/imports/{id}/run", h(p.run))
	r.Post("/imports/{id}/cancel", h(p.cancel))
	r.Post("/imports/{id}/undo", h(p.undo))
}

// Path is where files of an object are taken in, below /{workspace}; "" for settings and
// messages, which people do not import by hand.
func Path(k *record.Kernel) func(ctx context.Context, object string) string {
	return func(ctx context.Context, object string) string {
		if o, ok := k.ObjectFor(ctx, object); !ok || !importable(o.Def) {
			return ""
		}
		return "imports/new?object=" + object
	}
}

func importable(def *record.Definition) bool { return !def.System && def.Name != "message" }

func (p *Pages) show(w http.ResponseWriter, r *http.Request, status int, wizard ui.ImportWizard) error {
	page.NoStore(w)
	return p.shell.Page(w, r, status, recordpage.Head{Title: wizard.Title, Section: p.plural(r.Context(), wizard.Title)}, wizard)
}

// plural keeps the menu where the reader came from.
func (p *Pages) plural(ctx context.Context, title string) string {
	for _, o := range p.kernel.ObjectsFor(ctx) {
		if strings.HasSuffix(title, lower(o.Def.LabelPlural)) {
			return o.Def.Plural
		}
	}
	return "settings"
}

// wizard is the frame of a step.
func (p *Pages) wizard(r *http.Request, object string, step ui.ImportStep) ui.ImportWizard {
	w := ui.ImportWizard{Title: "Import", Step: step, Back: &ui.Link{Label: "Imports", Href: recordpage.Path(r, "imports")}}
	if o, ok := p.kernel.ObjectFor(r.Context(), object); ok {
		w.Title = "Import " + lower(o.Def.LabelPlural)
		w.Back = &ui.Link{Label: o.Def.LabelPlural, Href: recordpage.Path(r, o.Def.Plural)}
	}
	return w
}

func lower(s string) string { return strings.ToLower(s) }

// act does something to the import of the path and shows it.
func (p *Pages) act(w http.ResponseWriter, r *http.Request, do func(id uuid.UUID) (*importing.Import, error)) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	imp, err := do(id)
	if err != nil {
		return err
	}
	return page.SeeOther(w, r, recordpage.Path(r, "imports", imp.ID.String()))
}

func (p *Pages) cancel(w http.ResponseWriter, r *http.Request) error {
	return p.act(w, r, func(id uuid.UUID) (*importing.Import, error) { return p.imports.Cancel(r.Context(), id) })
}

func (p *Pages) undo(w http.ResponseWriter, r *http.Request) error {
	return p.act(w, r, func(id uuid.UUID) (*importing.Import, error) { return p.imports.Undo(r.Context(), id) })
}

func (p *Pages) run(w http.ResponseWriter, r *http.Request) error {
	return p.act(w, r, func(id uuid.UUID) (*importing.Import, error) { return p.imports.InEarnest(r.Context(), id) })
}

// sentences are the refusals of a form that the reader can mend; others are no page of
// ours.
func sentences(err error) ([]string, int) {
	e := errs.As(err)
	if e == nil {
		return nil, 0
	}
	switch e.Kind {
	case errs.Invalid, errs.Malformed, errs.TooLarge:
	default:
		return nil, 0
	}
	var out []string
	for _, f := range e.Fields {
		out = append(out, f.Message)
	}
	if len(out) == 0 {
		out = []string{e.Message}
	}
	return out, http.StatusUnprocessableEntity
}

func (p *Pages) showList(w http.ResponseWriter, r *http.Request, body ui.SettingsPage) error {
	a, err := auth.Must(r.Context())
	if err != nil {
		return err
	}
	body.Menu, body.Current = p.shell.SettingsMenu(a, chi.URLParam(r, "ws")), "imports"
	page.NoStore(w)
	return p.shell.Page(w, r, http.StatusOK, recordpage.Head{Title: body.Title, Section: "settings"}, body)
}
