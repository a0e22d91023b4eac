package leadshttp_test

import (
	"testing"

	"crm/internal/leads"
	"crm/internal/leads/leadshttp"
	"crm/internal/record"
)

func TestPublicFormPage(t *testing.T) {
	t.Parallel()
	w, s := pages(t)
	form, err := s.Forms.Create(w.Admin, &leads.LeadForm{Name: "Website", Title: "Talk to us", Active: true, ConsentText: "Keep my details."})
	if err != nil {
		t.Fatal(err)
	}
	b := w.As(t, t.Context())
	path := "/f/" + form.PublicID
	b.Get(path+"?utm_source=news").Is(200, "Talk to us", "E-mail", "Keep my details.", `name="utm_source" value="news"`)
	b.Post(path, "first_name", "Ada", "email", "ada@", "consent", "1", "utm_source", "news").Is(422, "Enter an address like name@company.com.", `value="Ada"`, `name="utm_source" value="news"`)
	b.Post(path, "first_name", "Ada", "email", "ada@acme.test").Is(422)
	b.Follow(b.Post(path, "first_name", "Ada", "email", "ada@acme.test", "consent", "1", "utm_source", "news", "landing_page", "https://acme.test/price")).Is(200, "Thank you")
	found, err := s.Leads.Find(w.Admin, record.Query{})
	if err != nil || len(found) != 1 || found[0].Email != "ada@acme.test" || found[0].LandingPage != "https://acme.test/price" {
		t.Fatalf("leads %+v, %v", found, err)
	}
	b.Follow(b.Post(path, "first_name", "Bot", "email", "bot@acme.test", "consent", "1", leadshttp.TrapField, "x")).Is(200, "Thank you")
	if found, err = s.Leads.Find(w.Admin, record.Query{}); err != nil || len(found) != 1 {
		t.Errorf("the trap caught nothing: %d leads, %v", len(found), err)
	}
	b.Get("/f/nosuchform").Is(404)
}

func TestGivingALeadUp(t *testing.T) {
	t.Parallel()
	w, _ := pages(t)
	lead := w.Make(t, w.Admin, "lead", record.Patch{"first_name": "Ada", "company": "Acme", "message": "Please call me."})
	href := "/alpha/leads/" + lead.ID().String()
	b := w.As(t, w.Admin)
	b.Get(href).Is(200, "Convert…", "Not a fit…", "What they wrote", "Please call me.", "Not scored yet.")
	b.Get(href+"/convert").Is(200, "Convert Ada", "at Acme", "Open a deal")
	b.Post(href+"/disqualify").Is(422, "Say why this lead is not a fit")
	b.Follow(b.Post(href+"/disqualify", "reason", "No budget")).Is(200, "is marked as not a fit.", "No budget", "Undo", "decided this is not a fit").Lacks("Not a fit…")
	w.As(t, w.Rep).Get(href + "/convert").Is(404)
	w.As(t, w.Rep).Post(href+"/disqualify", "reason", "x").Is(404)
	w.As(t, w.Other).Get("/beta/leads/" + lead.ID().String() + "/convert").Is(404)
}

func TestConvertFromThePage(t *testing.T) {
	t.Parallel()
	w, _ := pages(t)
	lead := w.Make(t, w.Admin, "lead", record.Patch{"first_name": "Ada", "last_name": "Khan", "company": "Acme", "email": "ada@acme.test"})
	href := "/alpha/leads/" + lead.ID().String()
	b := w.As(t, w.Admin)
	b.Post(href+"/convert", "create_deal", "1", "name", "Acme fleet", "amount", "lots", "amount_currency", "EUR").Is(422, `value="lots"`, `value="Acme fleet"`)
	b.Follow(b.Post(href+"/convert", "create_deal", "1", "name", "Acme fleet", "amount", "12k", "amount_currency", "EUR")).
		Is(200, "Ada Khan is a contact now.", "Acme fleet", "€12,000")
	b.Get(href).Is(200, "This lead became a customer.", "turned this lead into a customer").Lacks("Convert…")
	b.Follow(b.Post(href+"/unconvert")).Is(200, "The conversion is taken back.", "Convert…")
	b.Get("/alpha/contacts").Is(200, "No contacts yet.")
}
