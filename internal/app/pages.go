package app

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"crm/internal/app/apidocs"
	"crm/internal/app/home"
	"crm/internal/deals"
	"crm/internal/deals/dealshttp"
	"crm/internal/identity/identityhttp"
	"crm/internal/leads/leadshttp"
	"crm/internal/messaging/messaginghttp"
	"crm/internal/objects/objectshttp"
	"crm/internal/platform/auth"
	"crm/internal/platform/page"
	"crm/internal/platform/rest"
	"crm/internal/record"
	"crm/internal/record/exporting/exportinghttp"
	"crm/internal/record/importing/importinghttp"
	"crm/internal/record/recordpage"
	"crm/internal/scoring/scoringhttp"
	"crm/web"
	"crm/web/ui"
)

// mountPages puts the web app under r.
func (a *App) mountPages(r chi.Router, api *rest.API) {
	site := page.New(page.Deps{Secure: a.Cfg.Secure(), FlashKey: a.flashKey})
	shell := recordpage.NewShell(recordpage.ShellDeps{Site: site, Kernel: a.Kernel, Now: a.now, Workspace: a.workspace, Counts: home.Counts(a.Kernel, a.now)})
	pages := recordpage.New(recordpage.Deps{Shell: shell, Kernel: a.Kernel, Now: a.now, Planned: a.planned, ImportPath: importinghttp.Path(a.Kernel), ExportPath: exportinghttp.Link, Undo: a.Undos.Undo})
	people := identityhttp.NewPages(identityhttp.PageDeps{Shell: shell, Service: a.Identity, Now: a.now, Address: a.address})
	board := dealshttp.NewPages(pages, a.Deals, a.now)
	lead := leadshttp.NewPages(pages, a.Leads)
	kept := objectshttp.NewPages(pages, a.Objects)
	mail := messaginghttp.NewPages(pages, a.Messaging, a.now)
	models := scoringhttp.NewPages(shell, a.Scoring)
	files := importinghttp.NewPages(shell, a.Kernel, a.Imports, a.now)
	exports := exportinghttp.NewPages(shell, a.Kernel, a.Exports)
	start := home.New(home.Deps{Pages: pages, Kernel: a.Kernel, Now: a.now, Month: a.month})

	r.Use(smallForms, a.pageSession, site.Headers)
	r.Get("/live", site.Handle(a.live.Stream))
	people.MountOutside(r)
	mail.MountOutside(r)
	leadshttp.NewFormPages(shell, a.Leads).Mount(r)
	apidocs.New(shell, func(ctx context.Context) ([]byte, error) { return a.OpenAPI(ctx, api) }).Mount(r)
	r.Route("/{ws}", func(r chi.Router) {
		r.Use(shell.Inside)
		start.Mount(r)
		board.Mount(r)
		lead.Mount(r)
		kept.Mount(r)
		people.MountInside(r)
		mail.MountInside(r)
		models.Mount(r)
		files.Mount(r)
		exports.Mount(r)
		pages.Mount(r)
	})
}

// mountAssets serves the built browser files.
func mountAssets(r chi.Router) {
	assets := web.Handler()
	r.Handle("/assets/*", assets)
	r.Get("/favicon.ico", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, web.AssetURL("icon.svg"), http.StatusFound)
	})
}

// workspace names the actor's tenant.
func (a *App) workspace(ctx context.Context) (recordpage.Workspace, error) {
	t, err := a.Identity.Tenant(ctx)
	if err != nil {
		return recordpage.Workspace{}, err
	}
	return recordpage.Workspace{Slug: t.Slug, Name: t.Name}, nil
}

// watchLive passes what is committed on to open pages.
func (a *App) watchLive() {
	a.live = page.NewLive()
	a.Kernel.Watch(func(n record.Notice) {
		a.live.Publish(page.Notice{Tenant: n.TenantID, Object: n.Object, Topic: n.Topic(), IDs: n.IDs})
	})
}

// month is how the month stands: what was won, and what is weighted in the open
// deals expected by its end.
func (a *App) month(ctx context.Context, from, to time.Time) (won, weighted ui.Money, err error) {
	f, err := a.Deals.Forecast(ctx, deals.ForecastInput{Period: deals.Month, Since: &from, Until: &to})
	if err != nil {
		return won, weighted, err
	}
	if len(f.Rows) == 0 {
		none := ui.Money{Currency: f.Currency}
		return none, none, nil
	}
	row := f.Rows[0]
	return ui.Money{Minor: row.Closed.Minor, Currency: row.Closed.Currency}, ui.Money{Minor: row.Weighted.Minor, Currency: row.Weighted.Currency}, nil
}

// address is the peer that limits count.
func (a *App) address(r *http.Request) string { return clientIP(r, a.trusted) }

// planned is what is ahead for a record: its open activities, nearest first.
func (a *App) planned(ctx context.Context, object string, id uuid.UUID) ([]*record.Record, error) {
	if auth.From(ctx).Grants.Scope("activity", auth.Read) == auth.None {
		return nil, nil
	}
	open := a.Activities.Activities.Where("done_at", record.IsNull, true)
	planned, err := a.Activities.ForRecord(ctx, object, id, record.Query{Limit: 5, Prefer: "due_at", Filter: record.Filter{All: []record.Filter{
		open, a.Activities.Activities.Where("due_at", record.IsNull, false),
	}}})
	if err != nil {
		return nil, err
	}
	return planned.Records, nil
}
