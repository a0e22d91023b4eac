package recordpage

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/page"
	"crm/internal/record"
	"crm/web/ui"
)

// Deps are what the generic pages need.
type Deps struct {
	Shell  *Shell
	Kernel *record.Kernel
	Now    func() time.Time
	// Planned lists what is ahead for a record: open activities the actor may see,
	// nearest first. nil = none.
	Planned func(ctx context.Context, object string, id uuid.UUID) ([]*record.Record, error)
	// ImportPath is where a file for an object is taken in, below /{workspace};
	// nil or "" = no import.
	ImportPath func(ctx context.Context, object string) string
	// ExportPath is where a list with this query becomes a file, below /{workspace};
	// nil or "" = no export.
	ExportPath func(a *auth.Actor, d *record.Definition, query url.Values) string
	// Undo takes a batch back, large ones by a job; nil = within the request.
	Undo func(ctx context.Context, batch uuid.UUID) (*record.UndoRun, error)
}

// Pages serves the generic pages of every object.
type Pages struct {
	*Shell
	k          *record.Kernel
	now        func() time.Time
	planned    func(ctx context.Context, object string, id uuid.UUID) ([]*record.Record, error)
	importPath func(ctx context.Context, object string) string
	exportPath func(a *auth.Actor, d *record.Definition, query url.Values) string
	undoBatch  func(ctx context.Context, batch uuid.UUID) (*record.UndoRun, error)
	views      map[string][]View
	panels     map[string][]Panel
	extends    map[string][]Extension
	saved      func(ctx context.Context, object string) ([]SavedView, error) // nil = no saved views
}

// View is another way to look at a list, chosen by ?view=Key. Key "" renames the
// table itself.
type View struct {
	Key   string
	Label string
	Icon  string
	Page  page.Handler
}

// Panel is a titled box on the record page of an object. Body returns nil for
// "nothing to show". Lead panels stand above the timeline.
type Panel struct {
	ID    string
	Title string
	Lead  bool
	Body  func(ctx context.Context, rec *record.Record) (templ.Component, error)
}

// Extension changes the finished record page. Its error becomes the page's.
type Extension func(r *http.Request, rec *record.Record, p *ui.RecordPage) error

// New makes the pages.
func New(d Deps) *Pages {
	p := &Pages{
		Shell: d.Shell, k: d.Kernel, now: d.Now, planned: d.Planned, importPath: d.ImportPath, exportPath: d.ExportPath, undoBatch: d.Undo,
		views: map[string][]View{}, panels: map[string][]Panel{}, extends: map[string][]Extension{},
	}
	if p.importPath == nil {
		p.importPath = func(context.Context, string) string { return "" }
	}
	if p.exportPath == nil {
		p.exportPath = func(*auth.Actor, *record.Definition, url.Values) string { return "" }
	}
	return p
}

// AddView adds ways to look at the list of an object. Called at composition only.
func (p *Pages) AddView(object string, views ...View) {
	p.views[object] = append(p.views[object], views...)
}

// AddPanel adds a panel to the record pages of an object. Called at composition only.
func (p *Pages) AddPanel(object string, panels ...Panel) {
	p.panels[object] = append(p.panels[object], panels...)
}

// Extend adds a change to the record pages of an object. Called at composition only.
func (p *Pages) Extend(object string, f Extension) { p.extends[object] = append(p.extends[object], f) }

// Mount puts the generic pages under r, which must be the router of "/{ws}" behind
// Shell.Inside. Pages of contexts are mounted beside it; more exact paths win.
func (p *Pages) Mount(r chi.Router) {
	p.AddSettings(p.objectSettings()...)
	// Last of the settings: contexts have named theirs by now.
	p.AddSettings(SettingsItem{Group: "Workspace", Key: "journal", Label: "Background work", Path: "settings/journal", Object: "journal", Action: auth.Execute})
	h := p.Site.Handle
	r.Get("/", h(func(w http.ResponseWriter, r *http.Request) error {
		http.Redirect(w, r, Path(r, "home"), http.StatusSeeOther)
		return nil
	}))
	r.Get("/inbox", h(p.inbox))
	r.Get("/search", h(p.search))
	r.Get("/palette", h(p.palette))
	r.Post("/undo", h(p.undo))
	p.mountJournal(r)
	p.mountObjects(r)
	r.Get("/lookup/{objects}", h(p.with(p.lookup)))
	r.Get("/{objects}", h(p.with(p.list)))
	r.Post("/{objects}", h(p.with(p.create)))
	r.Get("/{objects}/new", h(p.with(p.newForm)))
	r.Post("/{objects}/bulk", h(p.with(p.bulk)))
	r.Get("/{objects}/duplicates", h(p.with(p.duplicates)))
	r.Get("/{objects}/merge", h(p.with(p.mergeForm)))
	r.Post("/{objects}/merge", h(p.with(p.doMerge)))
	r.Get("/{objects}/{id}", h(p.with(p.record)))
	r.Post("/{objects}/{id}", h(p.with(p.update)))
	r.Get("/{objects}/{id}/edit", h(p.with(p.editForm)))
	r.Get("/{objects}/{id}/history", h(p.with(p.history)))
	r.Post("/{objects}/{id}/fields/{field}", h(p.with(p.updateField)))
	r.Post("/{objects}/{id}/delete", h(p.with(p.delete)))
	r.Post("/{objects}/{id}/restore", h(p.with(p.restore)))
	r.Get("/{objects}/{id}/purge", h(p.with(p.purgeForm)))
	r.Post("/{objects}/{id}/purge", h(p.with(p.purge)))
	r.Post("/{objects}/{id}/activities", h(p.with(p.addActivity)))
	r.Post("/activities/{id}/done", h(p.completeActivity))
	r.NotFound(h(func(http.ResponseWriter, *http.Request) error { return errNoPage() }))
	r.MethodNotAllowed(h(func(http.ResponseWriter, *http.Request) error { return errNoPage() }))
}

func errNoPage() error {
	return errs.New(errs.NotFound, "no_such_page", "The page may have moved, or it belongs to a workspace you cannot see.")
}

// objectHandler serves a page of one object.
type objectHandler func(w http.ResponseWriter, r *http.Request, o *record.Object) error

// with finds the object of the path.
func (p *Pages) with(h objectHandler) page.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		o, ok := p.k.PluralFor(r.Context(), chi.URLParam(r, "objects"))
		if !ok {
			return errNoPage()
		}
		return h(w, r, o)
	}
}

func pathID(r *http.Request) (uuid.UUID, error) {
	u, ok := id.Parse(chi.URLParam(r, "id"))
	if !ok {
		return uuid.Nil, errs.Missing("record")
	}
	return u, nil
}

// section is the menu item an object's pages belong to.
func section(d *record.Definition) string {
	if d.System {
		return "settings"
	}
	return d.Plural
}

// WatchLive passes the kernel's notices on to open pages. Called once.
func WatchLive(k *record.Kernel, live *page.Live) {
	k.Watch(func(n record.Notice) {
		live.Publish(page.Notice{Tenant: n.TenantID, Object: n.Object, Topic: n.Topic(), IDs: n.IDs})
	})
}
