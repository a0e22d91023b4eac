// Package home makes the page people start their day on: what needs them, in
// order, with the reason, and how the month stands. It asks the kernel within the
// reader's rights and knows the objects activity, lead and deal by their fields;
// what is not there or not readable is left out.
//
// Not for: charts and reports. Home shows work; a figure stands here only when it
// tells what to do next.
package home

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/record"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

// Deps are what the page needs. Month fills in the result so far; nil = no such
// panel.
type Deps struct {
	Pages  *recordpage.Pages
	Kernel *record.Kernel
	Now    func() time.Time
	Month  func(ctx context.Context, from, to time.Time) (won, weighted ui.Money, err error)
}

// Home serves the page.
type Home struct {
	pages *recordpage.Pages
	k     *record.Kernel
	now   func() time.Time
	month func(ctx context.Context, from, to time.Time) (won, weighted ui.Money, err error)
}

// New makes the page.
func New(d Deps) *Home { return &Home{pages: d.Pages, k: d.Kernel, now: d.Now, month: d.Month} }

// Mount puts the page under r, the router of a workspace.
func (h *Home) Mount(r chi.Router) { r.Get("/home", h.pages.Site.Handle(h.show)) }

// visit is one look at the page.
type visit struct {
	*Home
	ctx    context.Context
	r      *http.Request
	actor  *auth.Actor
	now    time.Time // in the reader's zone
	format ui.Format
}

func (h *Home) show(w http.ResponseWriter, r *http.Request) error {
	a, err := auth.Must(r.Context())
	if err != nil {
		return err
	}
	f := h.pages.Format(r)
	v := &visit{Home: h, ctx: r.Context(), r: r, actor: a, now: h.now().In(f.Zone), format: f}
	body := ui.Home{Greeting: greeting(v.now) + firstName(a.Name), Sub: v.now.Format("Monday 2 January")}
	for _, group := range []func() ([]ui.NeedGroup, error){v.tasks, v.hotLeads, v.stalledDeals} {
		found, err := group()
		if err != nil {
			return err
		}
		body.Needs = append(body.Needs, found...)
	}
	if body.Month, err = v.result(); err != nil {
		return err
	}
	if body.Meetings, err = v.meetings(); err != nil {
		return err
	}
	return h.pages.Page(w, r, http.StatusOK, recordpage.Head{Title: "Home", Section: "home"}, body)
}

func greeting(now time.Time) string {
	switch h := now.Hour(); {
	case h < 5:
		return "Good night"
	case h < 12:
		return "Good morning"
	case h < 18:
		return "Good afternoon"
	}
	return "Good evening"
}

func firstName(name string) string {
	for i, r := range name {
		if r == ' ' && i > 0 {
			return ", " + name[:i]
		}
	}
	if name == "" {
		return ""
	}
	return ", " + name
}

// object finds an object the reader may read.
func (v *visit) object(name string) (*record.Object, bool) {
	o, ok := v.k.Object(name)
	return o, ok && v.actor.Grants.Scope(name, auth.Read) != auth.None
}

// where is a condition on a field by name.
func where(o *record.Object, field string, op record.Op, values ...any) record.Filter {
	f, ok := o.Def.Field(field)
	if !ok {
		f, _ = o.Def.Field("id")
		op, values = record.IsNull, []any{true}
	}
	return record.Filter{Cond: &record.Cond{Field: f, Op: op, Values: values}}
}

func all(list ...record.Filter) record.Filter { return record.Filter{All: list} }

// mine narrows to what the reader owns: home is about one's own work.
func (v *visit) mine(o *record.Object) record.Filter {
	return where(o, "owner_id", record.Eq, v.actor.ID)
}

func (v *visit) list(o *record.Object, sort string, limit int, f record.Filter) (*record.Page, error) {
	return o.List(v.ctx, record.Query{Prefer: sort, Limit: limit, Count: true, Filter: f})
}

func (v *visit) href(rec *record.Record) string {
	return recordpage.Path(v.r, rec.Def.Plural, rec.ID().String())
}

func total(p *record.Page) int {
	if p.Count != nil {
		return int(*p.Count)
	}
	return len(p.Records)
}

// names are the titles of what a field of the records points to.
func (v *visit) names(list []*record.Record, field, object string) (map[uuid.UUID]string, error) {
	var ids []uuid.UUID
	for _, rec := range list {
		if id, ok := rec.Get(field).(uuid.UUID); ok {
			ids = append(ids, id)
		}
	}
	return v.pages.Titles(v.ctx, object, ids)
}
