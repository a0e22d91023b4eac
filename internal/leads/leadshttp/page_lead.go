package leadshttp

import (
	"context"
	"net/http"
	"strings"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"crm/internal/leads"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/internal/platform/rest"
	"crm/internal/record"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

// Pages adds to the record page of a lead: converting, giving up, and the way to
// what became of it.
type Pages struct {
	pages *recordpage.Pages
	s     *leads.Service
}

// NewPages makes the pages and hooks them in.
func NewPages(pages *recordpage.Pages, s *leads.Service) *Pages {
	p := &Pages{pages: pages, s: s}
	pages.Extend("lead", p.extend)
	pages.AddPanel("lead", recordpage.Panel{ID: "message", Title: "What they wrote", Lead: true, Body: message})
	return p
}

// Mount puts the acts under r, the router of a workspace.
func (p *Pages) Mount(r chi.Router) {
	h := p.pages.Site.Handle
	r.Get("/leads/{id}/convert", h(p.convertForm))
	r.Post("/leads/{id}/convert", h(p.convert))
	r.Post("/leads/{id}/unconvert", h(p.unconvert))
	r.Get("/leads/{id}/disqualify", h(p.disqualifyForm))
	r.Post("/leads/{id}/disqualify", h(p.disqualify))
}

func message(_ context.Context, rec *record.Record) (templ.Component, error) {
	text := rec.Text("message")
	if text == "" {
		return nil, nil
	}
	return ui.LongText(text), nil
}

// extend gives the page its buttons, and a banner once the lead is a customer.
func (p *Pages) extend(r *http.Request, rec *record.Record, out *ui.RecordPage) error {
	if !recordpage.May(auth.From(r.Context()), auth.Update, rec) || rec.Deleted() {
		return nil
	}
	href := recordpage.Path(r, "leads", rec.ID().String())
	switch rec.Text("status") {
	case leads.StatusConverted:
		out.State = &ui.Banner{Tone: ui.ToneGood, Text: "This lead became a customer.", Detail: "Go on with the contact or the deal.", Actions: converted(r, rec)}
		out.More = append(out.More, ui.Action{Label: "Take the conversion back", Icon: "undo-2", Post: href + "/unconvert"})
	default:
		out.Primary = &ui.Action{Label: "Convert…", Icon: "arrow-right", Weight: ui.Primary, Href: href + "/convert"}
		if rec.Text("status") != leads.StatusDisqualified {
			out.Actions = append(out.Actions, ui.Action{Label: "Not a fit…", Icon: "circle-x", Href: href + "/disqualify"})
		}
	}
	return nil
}

// converted are the ways to what became of the lead.
func converted(r *http.Request, rec *record.Record) []ui.Action {
	var out []ui.Action
	for _, to := range []struct{ field, label, objects string }{
		{"converted_contact_id", "Contact", "contacts"}, {"converted_account_id", "Company", "accounts"}, {"converted_deal_id", "Deal", "deals"},
	} {
		if id, ok := rec.Get(to.field).(uuid.UUID); ok {
			out = append(out, ui.Action{Label: to.label, Href: recordpage.Path(r, to.objects, id.String())})
		}
	}
	return out
}

func (p *Pages) lead(r *http.Request) (*record.Record, error) {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return nil, err
	}
	return p.s.Leads.Object.Get(r.Context(), id)
}

func (p *Pages) convertForm(w http.ResponseWriter, r *http.Request) error {
	rec, err := p.lead(r)
	if err != nil {
		return err
	}
	return p.showConvert(w, r, http.StatusOK, rec, nil)
}

func (p *Pages) showConvert(w http.ResponseWriter, r *http.Request, status int, rec *record.Record, e *errs.Error) error {
	href := recordpage.Path(r, "leads", rec.ID().String())
	typed := func(name, fallback string) string {
		if r.Method == http.MethodPost {
			return r.PostFormValue(name)
		}
		return fallback
	}
	name := rec.Text("company")
	if name == "" {
		name = rec.Title()
	}
	a := auth.From(r.Context())
	fields := []ui.Field{
		{Name: "create_deal", Label: "Open a deal with it", Kind: ui.FieldCheck, Value: typed("create_deal", "1"), Wide: true},
		{Name: "name", Label: "Name of the deal", Value: typed("name", name), Max: 500},
		{Name: "amount", Label: "Amount", Kind: ui.FieldMoney, Value: typed("amount", ""), Currency: a.Currency},
		{Name: "expected_close_date", Label: "Expected close", Kind: ui.FieldDate, Value: typed("expected_close_date", "")},
	}
	form := ui.Form{
		Action: href + "/convert", Submit: "Convert " + rec.Title(), Busy: "Converting…", Cancel: href,
		Foot: "It can be taken back as one.",
	}
	if e != nil {
		form.Errors = place(fields, e)
	}
	form.Groups = []ui.FieldGroup{{Fields: fields}}
	body := ui.FormPage{Title: "Convert " + rec.Title(), Back: &ui.Link{Label: rec.Title(), Href: href}, Form: form, Intro: convertIntro(rec)}
	return p.pages.Page(w, r, status, recordpage.Head{Title: body.Title, Section: "leads"}, body)
}

func convertIntro(rec *record.Record) string {
	if company := rec.Text("company"); company != "" {
		return "Makes a contact of " + rec.Title() + " at " + company + ". If the person or the company is known already, those are used."
	}
	return "Makes a contact of " + rec.Title() + ". If the person is known already, that contact is used."
}

// place puts messages beside their fields; the rest is listed on top.
func place(fields []ui.Field, e *errs.Error) []string {
	placed := false
	for _, fe := range e.Fields {
		for i := range fields {
			if fields[i].Name == strings.TrimPrefix(fe.Field, "deal.") {
				fields[i].Error, placed = fe.Message, true
			}
		}
	}
	if placed {
		return nil
	}
	return []string{e.Message}
}

func (p *Pages) convert(w http.ResponseWriter, r *http.Request) error {
	rec, err := p.lead(r)
	if err != nil {
		return err
	}
	in, err := p.convertInput(r)
	var done *leads.Conversion
	if err == nil {
		done, err = p.s.Convert(r.Context(), rec.ID(), in)
	}
	if e := errs.As(err); e != nil && (e.Kind == errs.Invalid || e.Kind == errs.Conflict) {
		return p.showConvert(w, r, http.StatusUnprocessableEntity, rec, e)
	}
	if err != nil {
		return err
	}
	p.pages.Site.SetFlash(w, page.Flash{Text: rec.Title() + " is a contact now.", Link: recordpage.Path(r, "leads", rec.ID().String()), Label: "See the lead"})
	return page.SeeOther(w, r, whereTo(r, rec, done))
}

// whereTo is the page to go on with: the deal when there is one.
func whereTo(r *http.Request, rec *record.Record, done *leads.Conversion) string {
	a := auth.From(r.Context())
	switch {
	case done.DealID != nil && a.Grants.Scope("deal", auth.Read) != auth.None:
		return recordpage.Path(r, "deals", done.DealID.String())
	case done.ContactID != nil && a.Grants.Scope("contact", auth.Read) != auth.None:
		return recordpage.Path(r, "contacts", done.ContactID.String())
	}
	return recordpage.Path(r, "leads", rec.ID().String())
}

func (p *Pages) convertInput(r *http.Request) (leads.ConvertInput, error) {
	in := leads.ConvertInput{CreateDeal: r.PostFormValue("create_deal") != ""}
	if !in.CreateDeal {
		return in, nil
	}
	deal, err := p.pages.ReadForm(r, "deal", "name", "amount", "expected_close_date")
	in.Deal.More = deal
	return in, err
}

func (p *Pages) unconvert(w http.ResponseWriter, r *http.Request) error {
	rec, err := p.lead(r)
	if err != nil {
		return err
	}
	done, err := p.s.Unconvert(r.Context(), rec.ID())
	if err != nil {
		return err
	}
	flash := page.Flash{Text: "The conversion is taken back."}
	if len(done.Conflicts) > 0 {
		flash = page.Flash{Text: "Taken back as far as possible: what was worked on since stays.", Bad: true}
	}
	p.pages.Site.SetFlash(w, flash)
	return page.SeeOther(w, r, recordpage.Path(r, "leads", rec.ID().String()))
}

func (p *Pages) disqualifyForm(w http.ResponseWriter, r *http.Request) error {
	rec, err := p.lead(r)
	if err != nil {
		return err
	}
	return p.showDisqualify(w, r, http.StatusOK, rec, "")
}

func (p *Pages) showDisqualify(w http.ResponseWriter, r *http.Request, status int, rec *record.Record, problem string) error {
	href := recordpage.Path(r, "leads", rec.ID().String())
	body := ui.FormPage{Title: "Not a fit", Back: &ui.Link{Label: rec.Title(), Href: href}, Form: ui.Form{
		Action: href + "/disqualify", Submit: "Mark as not a fit", Busy: "Saving…", Cancel: href, Narrow: true,
		Groups: []ui.FieldGroup{{Fields: []ui.Field{{Name: "reason", Label: "Why?", Required: true, Max: 500, Focus: true, Value: r.PostFormValue("reason"), Error: problem, Help: "Reasons are counted in reports, so use the same words again."}}}},
	}}
	return p.pages.Page(w, r, status, recordpage.Head{Title: "Not a fit · " + rec.Title(), Section: "leads"}, body)
}

func (p *Pages) disqualify(w http.ResponseWriter, r *http.Request) error {
	rec, err := p.lead(r)
	if err != nil {
		return err
	}
	_, err = p.s.Disqualify(r.Context(), rec.ID(), r.PostFormValue("reason"))
	if e := errs.As(err); e != nil && e.Kind == errs.Invalid {
		return p.showDisqualify(w, r, http.StatusUnprocessableEntity, rec, e.Message)
	}
	if err != nil {
		return err
	}
	seq, err := p.pages.LastChange(r.Context(), "lead", rec.ID())
	if err != nil {
		return err
	}
	p.pages.Site.SetFlash(w, page.Flash{Text: rec.Title() + " is marked as not a fit.", Seq: seq})
	return page.SeeOther(w, r, recordpage.Path(r, "leads", rec.ID().String()))
}
