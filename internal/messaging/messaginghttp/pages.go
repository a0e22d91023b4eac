package messaginghttp

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"crm/internal/messaging"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

// Pages serves the pages of messages: writing one, watching one, the providers,
// and the public unsubscribe page. The list of messages, templates and suppressions
// have the pages every object has.
type Pages struct {
	pages *recordpage.Pages
	s     *messaging.Service
	now   func() time.Time
}

// NewPages makes the pages, puts the providers into the settings menu and a button
// onto the pages of people.
func NewPages(pages *recordpage.Pages, s *messaging.Service, now func() time.Time) *Pages {
	p := &Pages{pages: pages, s: s, now: now}
	pages.AddSettings(
		recordpage.SettingsItem{Group: "Messages", Key: "providers", Label: "Providers", Path: "settings/providers", Object: "provider"},
		recordpage.SettingsItem{Group: "Messages", Key: "templates", Label: "Templates", Path: "templates", Object: "template"},
		recordpage.SettingsItem{Group: "Messages", Key: "suppressions", Label: "Suppressions", Path: "suppressions", Object: "suppression"},
	)
	pages.Extend("contact", writeButton)
	pages.Extend("lead", writeButton)
	return p
}

// MountInside puts the pages under r, the router of a workspace.
func (p *Pages) MountInside(r chi.Router) {
	h := p.pages.Site.Handle
	r.Get("/messages/new", h(p.compose))
	r.Post("/messages", h(p.send))
	r.Post("/messages/preview", h(p.preview))
	r.Get("/messages/{id}", h(p.message))
	r.Post("/messages/{id}/cancel", h(p.cancel))
	r.Post("/messages/{id}/retry", h(p.retry))
	r.Get("/settings/providers", h(p.providers))
	r.Post("/settings/providers", h(p.addProvider))
	r.Get("/settings/providers/{id}", h(p.provider))
	r.Post("/settings/providers/{id}", h(p.saveProvider))
	r.Post("/settings/providers/{id}/test", h(p.testProvider))
	r.Post("/settings/providers/{id}/delete", h(p.deleteProvider))
}

// MountOutside puts the unsubscribe page under r, outside any workspace.
func (p *Pages) MountOutside(r chi.Router) {
	h := p.pages.Site.Handle
	r.Get("/u/{token}", h(p.subscription))
	r.Post("/u/{token}", h(p.unsubscribe))
	r.Post("/u/{token}/undo", h(p.resubscribe))
}

// writeButton offers to write to a person who has an address.
func writeButton(r *http.Request, rec *record.Record, out *ui.RecordPage) error {
	a := auth.From(r.Context())
	if a.Grants.Scope("message", auth.Create) == auth.None || rec.Deleted() {
		return nil
	}
	write := ui.Action{Label: "Write", Icon: "mail", Href: recordpage.Path(r, "messages", "new") + "?" + rec.Def.Name + "_id=" + rec.ID().String()}
	if rec.Text("email") == "" {
		write.Off = "There is no e-mail address."
	}
	out.Actions = append(out.Actions, write)
	return nil
}

// refill puts what was typed and the messages of an Invalid error into the fields;
// what fits none becomes loose lines. Other errors come back.
func refill(r *http.Request, f *ui.Form, err error) error {
	e := errs.As(err)
	if e == nil || (e.Kind != errs.Invalid && e.Kind != errs.Conflict) {
		return err
	}
	left := map[int]bool{}
	for i := range e.Fields {
		left[i] = true
	}
	for g := range f.Groups {
		for n := range f.Groups[g].Fields {
			field := &f.Groups[g].Fields[n]
			if field.Kind != ui.FieldPassword {
				field.Value = r.PostFormValue(field.Name)
			}
			for i, fe := range e.Fields {
				if fe.Field == field.Name || fe.Field == "settings."+field.Name {
					field.Error = fe.Message
					delete(left, i)
				}
			}
		}
	}
	for i, fe := range e.Fields {
		if left[i] {
			f.Errors = append(f.Errors, fe.Message)
		}
	}
	if len(e.Fields) == 0 {
		f.Errors = append(f.Errors, e.Message)
	}
	return nil
}

// state is a message's status as people read it.
func (p *Pages) state(status string) ui.Choice {
	f, _ := p.s.Messages.Def.Field("status")
	for _, o := range f.Options {
		if o.Value == status {
			return ui.Choice{Label: o.Label, Tone: ui.Tone(o.Tone)}
		}
	}
	return ui.Choice{Label: status}
}
