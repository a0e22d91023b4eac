// Package contactshttp serves what people have beyond the calls of every object: their
// vCards, for phones and mail programs. It holds no rule; those are in package contacts.
package contactshttp

import (
	"log/slog"
	"net/http"

	"crm/internal/contacts"
	"crm/internal/platform/auth"
	"crm/internal/platform/rest"
	"crm/internal/record"
)

// HTTP serves the calls.
type HTTP struct {
	s *contacts.Service
}

// New makes the handlers of a service.
func New(s *contacts.Service) *HTTP { return &HTTP{s: s} }

// Routes is the table.
func (h *HTTP) Routes() []rest.Route {
	filters := []rest.Param{
		{Name: "q", Description: "Words to search for.", Schema: rest.Str},
		{Name: "sort", Description: "Fields, - for descending.", Schema: rest.Str},
		{Name: "filter", Description: "Nested and/or groups as JSON. Plain filters are field=value and field[op]=value.", Schema: rest.Str},
	}
	return []rest.Route{
		{Method: "GET", Path: "/contacts/vcard", Name: "contacts.vcards", Summary: "The contacts a list shows as vCards, at most 5,000", Tag: "contacts", Object: "contact", Action: auth.Read, Params: filters, Filters: true, File: "text/vcard", Handle: h.many},
		{Method: "GET", Path: "/contacts/{id}/vcard", Name: "contacts.vcard", Summary: "One contact as a vCard", Tag: "contacts", Object: "contact", Action: auth.Read, IDs: map[string]string{"id": "contact"}, File: "text/vcard", Handle: h.one},
	}
}

func (h *HTTP) one(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	return h.s.WriteCard(r.Context(), id, &answer{w: w, name: "contact-" + id.String()})
}

func (h *HTTP) many(w http.ResponseWriter, r *http.Request) error {
	v := r.URL.Query()
	f, err := h.s.Contacts.ParseFilter(r.Context(), v)
	if err != nil {
		return err
	}
	out := &answer{w: w, name: "contacts"}
	err = h.s.WriteCards(r.Context(), record.Query{Filter: f, Search: v.Get("q"), Sort: v.Get("sort"), Trash: v.Get("trash") == "true"}, out)
	if err != nil && out.begun {
		slog.ErrorContext(r.Context(), "file of cards broke off", "error", err)
		return nil // the status is out
	}
	if err == nil && !out.begun {
		out.begin()
	}
	return err
}

// answer is begun with its first bytes, so that a refusal is still a problem.
type answer struct {
	w     http.ResponseWriter
	name  string
	begun bool
}

func (a *answer) begin() {
	a.begun = true
	h := a.w.Header()
	h.Set("Content-Type", "text/vcard; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+a.name+`.vcf"`)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "private, no-store")
}

func (a *answer) Write(p []byte) (int, error) {
	if !a.begun {
		a.begin()
	}
	return a.w.Write(p)
}
