package app_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"crm/internal/app/apptest"
	"crm/internal/identity"
	"crm/internal/messaging"
	"crm/internal/record"
	"crm/internal/record/exporting"
	"crm/internal/record/importing"
	"crm/internal/scoring"
)

// makeMore makes samples of what contexts keep outside the kernel.
func makeMore(t *testing.T, w *world) {
	t.Helper()
	makeByActs(t, w)
	makeOwn(t, w)
}

// makeByActs makes what no patch makes, for the foreign tenant.
func makeByActs(t *testing.T, w *world) {
	t.Helper()
	fields := []record.CustomField{{Object: "lead", Name: "canary", Label: apptest.Canary, Type: "text"}}
	if err := w.env.App.Kernel.AddCustomFields(w.foreign.Ctx, fields); err != nil {
		t.Fatal(err)
	}
	w.samples.Put("custom_field", fields[0].ID)
	model, err := w.env.App.Scoring.Train(w.foreign.Ctx, scoring.TrainRequest{Object: "lead"})
	if err != nil {
		t.Fatal(err)
	}
	w.samples.Put("scoring_model", model.ID)
	imp, err := w.env.App.Imports.Create(w.foreign.Ctx, importing.Options{Object: "contact", FileName: apptest.Canary + ".csv", Reader: strings.NewReader("last_name\n" + apptest.Canary + "\n")})
	if err != nil {
		t.Fatal(err)
	}
	w.samples.Put("import", imp.ID)
	exp, err := w.env.App.Exports.Create(w.foreign.Ctx, exporting.Options{Object: "contact", Query: url.Values{"last_name": {apptest.Canary}}})
	if err != nil {
		t.Fatal(err)
	}
	w.samples.Put("export", exp.ID)
	sent, err := w.env.App.Messaging.Send(w.foreign.Ctx, messaging.Draft{Channel: "email", Class: "transactional", To: apptest.Canary + "@example.com", Subject: apptest.Canary, Body: apptest.Canary})
	if err != nil {
		t.Fatal(err)
	}
	w.samples.Put("message", sent.ID)
	provider, err := w.env.App.Messaging.CreateProvider(w.foreign.Ctx, messaging.ProviderInput{
		Name: new(apptest.Canary), Channel: new("email"), Type: new("smtp"),
		Settings: map[string]any{"host": "127.0.0.1", "port": 25, "tls": "none", "from": "a@example.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.samples.Put("provider", provider.ID)
	w.samples.Put("undo", undoRun(t, w))
	w.samples.Put("session", openSession(t, w))
}

// undoRun begins to take back a batch of the foreign tenant, and changes nothing.
func undoRun(t *testing.T, w *world) uuid.UUID {
	t.Helper()
	made := w.foreign.Call(t, "POST", "/contacts/batch", map[string]any{"operations": []any{map[string]any{"op": "create", "data": map[string]any{"last_name": apptest.Canary}}}})
	run, err := w.env.App.Kernel.StartUndo(w.foreign.Ctx, uuid.MustParse(fmt.Sprint(made.JSON["batch_id"])))
	if err != nil {
		t.Fatal(err)
	}
	return run.ID
}

// Both tenants have an object of this name; a route of tenants' own objects is called
// with it.
const ownParam, ownPlural = "{custom_object}", "parcels"

// makeOwn makes the object on both sides, with a relation to itself, and a record with
// words on the other one.
func makeOwn(t *testing.T, w *world) {
	t.Helper()
	for _, side := range []struct {
		tn    *apptest.Tenant
		label string
	}{{w.caller, "Parcel"}, {w.foreign, apptest.Canary}} {
		a := side.tn.Call(t, "POST", "/custom_objects", map[string]any{"label": side.label, "name": "parcel", "plural": ownPlural, "description": side.label, "fields": []any{
			map[string]any{"name": "note", "type": "text", "help": side.label},
			map[string]any{"name": "inside", "type": "relation", "target": "parcel"},
			map[string]any{"name": "contact", "type": "relation", "target": "contact"},
		}})
		if a.Status != 201 {
			t.Fatalf("make an object: %d %s", a.Status, a.Raw)
		}
		if side.tn == w.foreign {
			w.samples.Put("custom_object", uuid.MustParse(fmt.Sprint(a.JSON["id"])))
		}
	}
	made := w.foreign.Call(t, "POST", "/"+ownPlural, map[string]any{"name": apptest.Canary, "external_id": apptest.Canary, "custom": map[string]any{"note": apptest.Canary}})
	if made.Status != 201 {
		t.Fatalf("make a record: %d %s", made.Status, made.Raw)
	}
	for _, name := range []string{"parcel", "custom_record"} {
		w.samples.Put(name, uuid.MustParse(fmt.Sprint(made.JSON["id"])))
	}
}

// openSession signs somebody of the foreign tenant in.
func openSession(t *testing.T, w *world) uuid.UUID {
	t.Helper()
	email := apptest.Canary + "-signed-in@example.com"
	w.foreign.User(t, email, "sales_rep", "four quiet words here")
	s, err := w.env.App.Identity.SignIn(t.Context(), email, "four quiet words here", w.foreign.Slug, identity.Visit{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := w.env.App.Identity.BySession(t.Context(), s.Token)
	if err != nil {
		t.Fatal(err)
	}
	return uuid.MustParse(a.SessionID)
}
