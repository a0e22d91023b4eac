package leadshttp

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"

	"crm/internal/leads"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

// FormPages serves the hosted page of public forms.
type FormPages struct {
	shell *recordpage.Shell
	s     *leads.Service
}

// NewFormPages makes the pages.
func NewFormPages(shell *recordpage.Shell, s *leads.Service) *FormPages {
	return &FormPages{shell: shell, s: s}
}

// Mount puts the pages under r, outside any workspace.
func (p *FormPages) Mount(r chi.Router) {
	h := p.shell.Site.Handle
	r.Get("/f/{public_id}", h(p.show))
	r.Post("/f/{public_id}", h(p.submit))
}

// show answers GET /f/{public_id}; ?sent=1 is where a sent form ends.
func (p *FormPages) show(w http.ResponseWriter, r *http.Request) error {
	view, err := p.s.Form(r.Context(), chi.URLParam(r, "public_id"))
	if err != nil {
		return err
	}
	if r.URL.Query().Get("sent") == "1" {
		thanks := &ui.Thanks{Title: "Thank you", Text: view.Thanks}
		if thanks.Text == "" {
			thanks.Text = "We have got your message and will be in touch."
		}
		return p.draw(w, r, http.StatusOK, view, ui.PublicForm{Title: view.Title, Thanks: thanks})
	}
	return p.draw(w, r, http.StatusOK, view, p.form(r, view, nil, nil))
}

func (p *FormPages) draw(w http.ResponseWriter, r *http.Request, status int, view *leads.FormView, body ui.PublicForm) error {
	title := view.Title
	if title == "" {
		title = view.Name
	}
	return p.shell.Bare(w, r, status, ui.BareLayout{Title: title, Robots: "noindex"}, body)
}

// form draws the fields with what was typed and what is wrong with it.
func (p *FormPages) form(r *http.Request, view *leads.FormView, typed url.Values, e *errs.Error) ui.PublicForm {
	out := ui.PublicForm{
		Title: view.Title, Intro: view.Intro, Honeypot: TrapField, Consent: view.ConsentText,
		Form: ui.Form{Action: "/f/" + view.PublicID, Submit: "Send", Hidden: p.visit(r, typed)},
	}
	if out.Title == "" {
		out.Title = view.Name
	}
	var fields []ui.Field
	placed := false
	for _, f := range view.Fields {
		field := publicField(f)
		field.Value, field.Values = typed.Get(f.Name), typed[f.Name]
		if e != nil {
			for _, fe := range e.Fields {
				if fe.Field == f.Name {
					field.Error, placed = fe.Message, true
				}
			}
		}
		fields = append(fields, field)
	}
	if e != nil && !placed {
		out.Form.Errors = []string{e.Message}
	}
	out.Form.Groups = []ui.FieldGroup{{Fields: fields}}
	return out
}

// completions are what browsers know about their owners.
var completions = map[string]string{
	"first_name": "given-name", "last_name": "family-name", "email": "email", "phone": "tel", "company": "organization", "title": "organization-title", "website": "url",
}

func publicField(f leads.ViewField) ui.Field {
	out := ui.Field{Name: f.Name, Label: f.Label, Required: f.Required, Autocomplete: completions[f.Name], Wide: true, Max: 500}
	switch f.Type {
	case "email":
		out.Kind = ui.FieldEmail
	case "phone":
		out.Kind = ui.FieldPhone
	case "url":
		out.Kind = ui.FieldURL
	case "long_text":
		out.Kind, out.Rows, out.Max = ui.FieldLong, 4, 5000
	case "integer", "decimal", "percent":
		out.Kind, out.Max = ui.FieldNumber, 0
	case "date":
		out.Kind, out.Max = ui.FieldDate, 0
	case "boolean":
		out.Kind, out.Max = ui.FieldCheck, 0
	case "select", "list":
		out.Kind, out.Max = ui.FieldSelect, 0
		if f.Type == "list" {
			out.Kind = ui.FieldMulti
		}
		for _, o := range f.Options {
			out.Options = append(out.Options, ui.Option{Value: o.Value, Label: o.Label})
		}
		if len(out.Options) == 0 {
			out.Kind = ui.FieldText
		}
	}
	return out
}

// visit carries along where the person came from.
func (p *FormPages) visit(r *http.Request, typed url.Values) []ui.Hidden {
	scheme := "http://"
	if p.shell.Site.Secure() {
		scheme = "https://"
	}
	values := map[string]string{"referrer": r.Referer(), "landing_page": scheme + r.Host + r.URL.RequestURI()}
	for _, k := range []string{"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"} {
		values[k] = r.URL.Query().Get(k)
	}
	var out []ui.Hidden
	for _, k := range []string{"referrer", "landing_page", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"} {
		v := values[k]
		if typed != nil {
			v = typed.Get(k)
		}
		if v != "" {
			out = append(out, ui.Hidden{Name: k, Value: v})
		}
	}
	return out
}

// submit answers POST /f/{public_id}.
func (p *FormPages) submit(w http.ResponseWriter, r *http.Request) error {
	publicID := chi.URLParam(r, "public_id")
	sub, browser, err := ReadSubmission(r)
	if err != nil {
		return err
	}
	if !browser {
		return errs.New(errs.Malformed, "not_a_form", "Send this page's form, or use POST /api/v1/forms/%s.", publicID)
	}
	typed := url.Values{}
	for k, v := range sub.Values {
		typed.Set(k, v)
	}
	keepVisit(typed, sub)
	receipt, err := p.s.Submit(r.Context(), publicID, *sub)
	if e := errs.As(err); e != nil && (e.Kind == errs.Invalid || e.Kind == errs.Limited) {
		return p.refused(w, r, publicID, typed, e)
	}
	if err != nil {
		return err
	}
	return p.thank(w, r, publicID, receipt)
}

// thank leads on: to the owner's own page, or to our thanks. The policy allows
// forms to end on this site only, so another site is reached by a link.
func (p *FormPages) thank(w http.ResponseWriter, r *http.Request, publicID string, receipt *leads.Receipt) error {
	if receipt.RedirectURL == "" {
		return page.SeeOther(w, r, "/f/"+publicID+"?sent=1")
	}
	view, err := p.s.Form(r.Context(), publicID)
	if err != nil {
		return err
	}
	text := receipt.Thanks
	if text == "" {
		text = "We have got your message and will be in touch."
	}
	return p.draw(w, r, http.StatusOK, view, ui.PublicForm{Title: view.Title, Thanks: &ui.Thanks{Title: "Thank you", Text: text, Link: &ui.Link{Label: "Go on to " + hostOf(receipt.RedirectURL), Href: receipt.RedirectURL}}})
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the site"
	}
	return strings.TrimPrefix(u.Host, "www.")
}

func keepVisit(typed url.Values, sub *leads.Submission) {
	typed.Set("referrer", sub.Referrer)
	typed.Set("landing_page", sub.LandingPage)
	for k, v := range sub.UTM {
		typed.Set("utm_"+k, v)
	}
}

func (p *FormPages) refused(w http.ResponseWriter, r *http.Request, publicID string, typed url.Values, e *errs.Error) error {
	view, err := p.s.Form(r.Context(), publicID)
	if err != nil {
		return err
	}
	status := http.StatusUnprocessableEntity
	if e.Kind == errs.Limited {
		status = http.StatusTooManyRequests
	}
	return p.draw(w, r, status, view, p.form(r, view, typed, e))
}
