package apptest

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"crm/internal/record"
)

// Canary is in every text a sample holds, so that a leak is easy to see.
const Canary = "canary7f3a"

// Samples makes one record of every object of a tenant, with what it needs.
type Samples struct {
	tn *Tenant
	id map[string]uuid.UUID
}

// NewSamples is empty; ask ID for what is needed.
func NewSamples(tn *Tenant) *Samples { return &Samples{tn: tn, id: map[string]uuid.UUID{}} }

// ID returns the id of the tenant's sample of an object, making it on first use.
func (s *Samples) ID(t testing.TB, object string) uuid.UUID {
	t.Helper()
	if id, ok := s.id[object]; ok {
		return id
	}
	o, ok := s.tn.env.App.Kernel.ObjectFor(s.tn.Ctx, object)
	if !ok {
		t.Fatalf("no sample of %q: teach Samples to make one", object)
	}
	patch := s.patch(t, o.Def)
	if object == "custom_object" { // its names stand in addresses
		patch["name"], patch["plural"] = Canary, Canary+"s"
	}
	res, err := o.One(s.tn.Ctx, record.Operation{Kind: record.OpCreate, Patch: patch})
	if err != nil {
		t.Fatalf("make a sample %s: %v", object, err)
	}
	s.id[object] = res.Record.ID()
	return s.id[object]
}

// Put remembers an id that is made elsewhere (an API key, an import).
func (s *Samples) Put(object string, id uuid.UUID) { s.id[object] = id }

// shaped are texts with a form of their own; nil leaves the field out.
var shaped = map[string]any{
	"currency": "EUR", "time_zone": "UTC", "key": Canary, "domain": Canary + ".example", "language": "en", "redirect_url": nil, "public_id": nil,
	"disqualify_reason": nil, "lost_reason": nil, "channel": "email", "object": "contact", "sort": nil, "group_by": nil, "address": Canary + "@example.com",
}

// patch fills text fields with the canary and required ones with what fits.
func (s *Samples) patch(t testing.TB, d *record.Definition) record.Patch {
	p := record.Patch{}
	for _, f := range d.Fields {
		if f.ReadOnly || f.Hidden {
			continue
		}
		if v := s.value(t, d, f); v != nil {
			p[f.Name] = v
		}
	}
	return p
}

func (s *Samples) value(t testing.TB, d *record.Definition, f *record.Field) any {
	switch f.Type.Name() {
	case "text", "long_text":
		if v, ok := shaped[f.Name]; ok {
			return v
		}
		return fmt.Sprintf("%s %s", Canary, f.Name)
	case "email":
		return Canary + "@example.com"
	case "select":
		if f.Default != nil {
			return f.Default
		}
		if f.Required && len(f.Options) > 0 {
			return f.Options[0].Value
		}
	case "relation":
		if f.Required && f.Target != d.Name {
			return s.ID(t, f.Target)
		}
	case "integer":
		if f.Required {
			return int64(1)
		}
	}
	return nil
}
