package leadshttp

import (
	"net/http"

	"github.com/google/uuid"

	"crm/internal/leads"
	"crm/internal/platform/rest"
)

func (h *HTTP) convert(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	var in struct {
		AccountID  *uuid.UUID     `json:"account_id"`
		ContactID  *uuid.UUID     `json:"contact_id"`
		OwnerID    *uuid.UUID     `json:"owner_id"`
		CreateDeal *bool          `json:"create_deal"`
		Deal       map[string]any `json:"deal"`
	}
	if err := rest.Decode(r, &in); err != nil {
		return err
	}
	deal, err := h.leads.ReadDeal(r.Context(), in.Deal)
	if err != nil {
		return err
	}
	done, err := h.leads.Convert(r.Context(), id, leads.ConvertInput{
		AccountID: in.AccountID, ContactID: in.ContactID, OwnerID: in.OwnerID,
		CreateDeal: in.CreateDeal == nil || *in.CreateDeal,
		Deal:       leads.DealInput{More: deal},
	})
	if err != nil {
		return err
	}
	return rest.JSON(w, http.StatusOK, conversion(*done))
}

func (h *HTTP) unconvert(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	done, err := h.leads.Unconvert(r.Context(), id)
	if err != nil {
		return err
	}
	return rest.JSON(w, http.StatusOK, map[string]any{"lead_id": done.LeadID, "status": done.Status, "reversed": done.Reversed, "conflicts": done.Conflicts})
}

func (h *HTTP) disqualify(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	var in struct {
		Reason string `json:"reason"`
	}
	if err := rest.Decode(r, &in); err != nil {
		return err
	}
	if _, err := h.leads.Disqualify(r.Context(), id, in.Reason); err != nil {
		return err
	}
	lead, err := h.leads.Leads.Object.Get(r.Context(), id)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", rest.ETag(lead.Version()))
	return rest.Raw(w, http.StatusOK, lead.AppendJSON(nil, nil, nil))
}
