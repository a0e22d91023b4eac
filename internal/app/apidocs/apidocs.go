// Package apidocs shows the OpenAPI document as pages one can read and try: /api/docs
// lists the calls by subject, /api/docs/{tag} tells all about the calls of one.
//
// The pages are drawn from the document that programs get, and from nothing else: what
// they say cannot drift from it, and a signed-in reader sees the tenant's own fields. A
// call is tried from the browser with a key that the reader types; it stays in the tab.
package apidocs

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"crm/internal/platform/errs"
	"crm/internal/record/recordpage"
	"crm/web/ui"
)

// Pages are the two.
type Pages struct {
	shell    *recordpage.Shell
	document func(ctx context.Context) ([]byte, error)
}

// New takes what writes the OpenAPI document for the reader in ctx.
func New(shell *recordpage.Shell, document func(ctx context.Context) ([]byte, error)) *Pages {
	return &Pages{shell: shell, document: document}
}

// Mount adds the pages, outside of any workspace.
func (p *Pages) Mount(r chi.Router) {
	r.Get("/api/docs", p.shell.Site.Handle(p.index))
	r.Get("/api/docs/{tag}", p.shell.Site.Handle(p.tag))
}

func (p *Pages) index(w http.ResponseWriter, r *http.Request) error {
	doc, err := p.read(r.Context())
	if err != nil {
		return err
	}
	return p.bare(w, r, doc.Info.Title, ui.APIIndex(ui.APIGuide{Title: doc.Info.Title, Version: doc.Info.Version, Intro: paragraphs(doc.Info.Description), Server: doc.Servers[0].URL, Groups: doc.groups()}))
}

func (p *Pages) tag(w http.ResponseWriter, r *http.Request) error {
	doc, err := p.read(r.Context())
	if err != nil {
		return err
	}
	groups := doc.groups()
	i := slices.IndexFunc(groups, func(g ui.APIGroup) bool { return g.Tag == chi.URLParam(r, "tag") })
	if i < 0 {
		return errs.Missing("subject of the API")
	}
	g := groups[i]
	for n := range g.Calls {
		doc.complete(&g.Calls[n])
	}
	return p.bare(w, r, g.Label+" · "+doc.Info.Title, ui.APISubject(ui.APIGuide{Title: doc.Info.Title, Server: doc.Servers[0].URL, Groups: groups}, g))
}

func (p *Pages) bare(w http.ResponseWriter, r *http.Request, title string, body templ.Component) error {
	return p.shell.Bare(w, r, http.StatusOK, ui.BareLayout{Title: title, Brand: p.shell.Product(), Wide: true, Reading: true}, body)
}

func (p *Pages) read(ctx context.Context) (*document, error) {
	raw, err := p.document(ctx)
	if err != nil {
		return nil, err
	}
	var doc document
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("read the API's document: %w", err)
	}
	return &doc, nil
}

// paragraphs are parted by an empty line.
func paragraphs(s string) []string {
	var out []string
	for _, p := range strings.Split(s, "\n\n") {
		out = append(out, strings.ReplaceAll(p, "\n", " "))
	}
	return out
}
