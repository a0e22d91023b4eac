// Package leadshttp serves what can be done to leads beyond reading and writing
// them: convert, unconvert, disqualify, and the public forms. It decodes, asks the
// leads service and encodes; every rule is the service's.
package leadshttp

import (
	"github.com/google/uuid"

	"crm/internal/leads"
	"crm/internal/platform/auth"
	"crm/internal/platform/rest"
)

// HTTP serves the acts of leads.
type HTTP struct {
	leads *leads.Service
}

// New makes the handlers of a service.
func New(s *leads.Service) *HTTP { return &HTTP{leads: s} }

// TrapField is the form field people never see and so never fill in.
const TrapField = "fax"

// Routes is the context's part of the route table.
func (h *HTTP) Routes() []rest.Route {
	lead := map[string]string{"id": "lead"}
	return []rest.Route{
		{
			Method: "POST", Path: "/leads/{id}/convert", Name: "leads.convert", Summary: "Make a contact, a company and a deal of a lead; repeating returns the same ids", Tag: "leads",
			Object: "lead", Action: auth.Update, IDs: lead, Body: convertSchema, Answer: conversionSchema, Handle: h.convert,
		},
		{
			Method: "POST", Path: "/leads/{id}/unconvert", Name: "leads.unconvert", Summary: "Take a conversion back; records worked on since are kept and listed", Tag: "leads",
			Object: "lead", Action: auth.Update, IDs: lead, Answer: unconversionSchema, Handle: h.unconvert,
		},
		{
			Method: "POST", Path: "/leads/{id}/disqualify", Name: "leads.disqualify", Summary: "Give a lead up for a reason", Tag: "leads",
			Object: "lead", Action: auth.Update, IDs: lead, Body: rest.Obj(map[string]rest.Schema{"reason": rest.Str}, "reason"), Answer: rest.Ref("Lead"), Handle: h.disqualify,
		},
		{
			Method: "GET", Path: "/forms/{public_id}", Name: "forms.get", Summary: "What a public form asks for", Tag: "forms", Public: true, Browser: true,
			Answer: formSchema, Handle: h.form,
		},
		{
			Method: "POST", Path: "/forms/{public_id}", Name: "forms.submit", Summary: "Send a public form, as JSON or as a browser sends it; a browser's form is answered with a redirect", Tag: "forms", Public: true, Browser: true,
			Status: 201, Body: submissionSchema, Answer: receiptSchema, Handle: h.submit,
		},
	}
}

var (
	convertSchema = rest.Obj(map[string]rest.Schema{
		"account_id": rest.Nullable(rest.UUID), "contact_id": rest.Nullable(rest.UUID), "owner_id": rest.Nullable(rest.UUID),
		"create_deal": {"type": "boolean", "default": true}, "deal": rest.Ref("DealInput"),
	})
	conversionSchema = rest.Obj(map[string]rest.Schema{
		"lead_id": rest.UUID, "account_id": rest.Nullable(rest.UUID), "contact_id": rest.Nullable(rest.UUID), "deal_id": rest.Nullable(rest.UUID),
	}, "lead_id", "account_id", "contact_id", "deal_id")
	unconversionSchema = rest.Obj(map[string]rest.Schema{
		"lead_id": rest.UUID, "status": rest.Str, "reversed": rest.Int, "conflicts": rest.Array(rest.Schema{"type": "object"}),
	}, "lead_id", "status", "reversed", "conflicts")
	formSchema = rest.Obj(map[string]rest.Schema{
		"public_id": rest.Str, "title": rest.Str, "intro": rest.Str, "consent_text": rest.Str, "trap_field": rest.Str,
		"fields": rest.Array(rest.Obj(map[string]rest.Schema{
			"name": rest.Str, "label": rest.Str, "type": rest.Str, "required": rest.Bool, "options": rest.Array(rest.Schema{"type": "object"}),
		}, "name", "label", "type", "required", "options")),
	}, "public_id", "title", "intro", "consent_text", "trap_field", "fields")
	submissionSchema = rest.Schema{
		"type": "object", "description": "The form's fields by name, and beside them utm_source, utm_medium, utm_campaign, utm_term, utm_content, referrer, landing_page and consent.",
		"additionalProperties": true,
	}
	receiptSchema = rest.Obj(map[string]rest.Schema{"received": rest.Bool, "thanks": rest.Str, "redirect_url": rest.Nullable(rest.Str)}, "received", "thanks", "redirect_url")
)

// conversion is the answer of convert.
type conversion struct {
	LeadID    uuid.UUID  `json:"lead_id"`
	AccountID *uuid.UUID `json:"account_id"`
	ContactID *uuid.UUID `json:"contact_id"`
	DealID    *uuid.UUID `json:"deal_id"`
}
