package messaginghttp

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"crm/internal/messaging"
	"crm/internal/platform/errs"
	"crm/internal/platform/page"
	"crm/web/ui"
)

// subscription answers GET /u/{token}. It changes nothing, because scanners of
// mail follow every link.
func (p *Pages) subscription(w http.ResponseWriter, r *http.Request) error {
	token := chi.URLParam(r, "token")
	sub, err := p.s.Subscription(r.Context(), token)
	if errs.KindOf(err) == errs.NotFound {
		return p.drawSubscription(w, r, http.StatusNotFound, &messaging.Subscription{Tenant: p.pages.Product()}, ui.Unsubscribe{Gone: errs.As(err).Message})
	}
	if err != nil {
		return err
	}
	return p.drawSubscription(w, r, http.StatusOK, sub, ui.Unsubscribe{
		Brand: sub.Tenant, Address: sub.Address, Action: "/u/" + token, Done: sub.Unsubscribed, UndoURL: "/u/" + token + "/undo",
	})
}

func (p *Pages) drawSubscription(w http.ResponseWriter, r *http.Request, status int, sub *messaging.Subscription, body ui.Unsubscribe) error {
	page.NoStore(w)
	return p.pages.Bare(w, r, status, ui.BareLayout{Title: "Unsubscribe", Brand: sub.Tenant, Robots: "noindex"}, body)
}

// unsubscribe answers POST /u/{token}. A mail program that posts by itself (RFC
// 8058) gets its answer at once, since it follows no redirect; a person gets the
// page.
func (p *Pages) unsubscribe(w http.ResponseWriter, r *http.Request) error {
	token := chi.URLParam(r, "token")
	if err := p.s.Unsubscribe(r.Context(), token); err != nil {
		return p.gone(w, r, err)
	}
	if r.PostFormValue("List-Unsubscribe") == "One-Click" {
		return p.subscription(w, r)
	}
	return page.SeeOther(w, r, "/u/"+token)
}

func (p *Pages) resubscribe(w http.ResponseWriter, r *http.Request) error {
	token := chi.URLParam(r, "token")
	if err := p.s.Resubscribe(r.Context(), token); err != nil {
		return p.gone(w, r, err)
	}
	return page.SeeOther(w, r, "/u/"+token)
}

// gone shows a link that leads nowhere as the page does.
func (p *Pages) gone(w http.ResponseWriter, r *http.Request, err error) error {
	if errs.KindOf(err) != errs.NotFound {
		return err
	}
	return p.drawSubscription(w, r, http.StatusNotFound, &messaging.Subscription{Tenant: p.pages.Product()}, ui.Unsubscribe{Gone: errs.As(err).Message})
}
