package contacts_test

import (
	"log/slog"
	"testing"
	"time"

	"crm/internal/contacts"
	"crm/internal/platform/errs"
	"crm/internal/record"
	"crm/internal/record/recordtest"
)

func setup(t *testing.T) (*recordtest.Env, *contacts.Service) {
	t.Helper()
	e := recordtest.New(t)
	s, err := contacts.New(contacts.Deps{Kernel: e.K, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return e, s
}

func TestContactKeepsAddressesInStepThroughTheKernel(t *testing.T) {
	t.Parallel()
	e, s := setup(t)
	def, err := e.K.Definition(e.Admin, "contact")
	if err != nil {
		t.Fatal(err)
	}
	values, err := def.ParseJSON(map[string]any{"first_name": "Ada", "emails": []any{
		map[string]any{"value": "Ada@Home.org", "label": "home"}, map[string]any{"value": "ada@acme.com", "primary": true},
	}, "phone": "+49 30 1234567"})
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Contacts.One(e.Admin, record.Operation{Kind: record.OpCreate, Patch: values})
	if err != nil {
		t.Fatal(err)
	}
	id := res.Record.ID()
	ada, err := s.Contacts.Get(e.Admin, id)
	if err != nil || ada.Email != "ada@acme.com" || ada.Phone != "+49301234567" || len(ada.Phones.([]any)) != 1 {
		t.Fatalf("created %+v, %v", ada, err)
	}
	if _, err := s.Contacts.One(e.Admin, record.Operation{Kind: record.OpUpdate, ID: id, Patch: record.Patch{"email": "ada@home.org"}}); err != nil {
		t.Fatal(err)
	}
	ada, err = s.Contacts.Get(e.Admin, id)
	if err != nil || ada.Emails.([]any)[0].(map[string]any)["primary"] != true {
		t.Fatalf("after a change of email: %+v, %v", ada.Emails, err)
	}
	entries, err := e.K.Timeline(e.Admin, "contact", id, 0, 10)
	if err != nil || len(entries) != 2 || entries[0].Changes["email"][1] != "ada@home.org" || entries[0].Changes["emails"][1] == nil {
		t.Fatalf("journal: %+v, %v", entries, err)
	}
	if undone, err := e.K.Undo(e.Admin, entries[0].Seq); err != nil || undone.Reversed != 1 {
		t.Fatalf("undo: %+v, %v", undone, err)
	}
	if ada, _ = s.Contacts.Get(e.Admin, id); ada.Email != "ada@acme.com" || ada.Emails.([]any)[1].(map[string]any)["primary"] != true {
		t.Fatalf("after undo: %q %v", ada.Email, ada.Emails)
	}
}

func TestContactNeedsANameOrAnAddress(t *testing.T) {
	t.Parallel()
	e, s := setup(t)
	if _, err := s.Contacts.Create(e.Admin, &contacts.Contact{Title: "CEO"}); errs.KindOf(err) != errs.Invalid {
		t.Errorf("nobody: %v", err)
	}
	one, err := s.Contacts.Create(e.Admin, &contacts.Contact{Email: "x@acme.com"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Contacts.One(e.Admin, record.Operation{Kind: record.OpUpdate, ID: one.ID, Patch: record.Patch{"email": nil}})
	if errs.KindOf(err) != errs.Invalid {
		t.Errorf("made nobody: %v", err)
	}
	if _, err := s.Contacts.One(e.Admin, record.Operation{Kind: record.OpDelete, ID: one.ID}); err != nil {
		t.Errorf("delete: %v", err)
	}
}

func TestCompanyTimelineTellsOfItsPeople(t *testing.T) {
	t.Parallel()
	e, s := setup(t)
	acme, err := s.Accounts.Create(e.Admin, &contacts.Account{Name: "Acme", Website: "https://www.acme.com"})
	if err != nil || acme.Domain != "acme.com" {
		t.Fatalf("%+v, %v", acme, err)
	}
	if _, err := s.Contacts.Create(e.Admin, &contacts.Contact{LastName: "Smith", AccountID: &acme.ID}); err != nil {
		t.Fatal(err)
	}
	entries, err := e.K.Timeline(e.Admin, "account", acme.ID, 0, 10)
	if err != nil || len(entries) != 2 || entries[0].Object != "contact" {
		t.Fatalf("timeline %+v, %v", entries, err)
	}
	_, err = s.Accounts.One(e.Admin, record.Operation{Kind: record.OpUpdate, ID: acme.ID, Patch: record.Patch{"parent_id": acme.ID}})
	if errs.KindOf(err) != errs.Invalid {
		t.Errorf("its own parent: %v", err)
	}
}

func TestFindersSeeWhatTheActorSees(t *testing.T) {
	t.Parallel()
	e, s := setup(t)
	acme, err := s.CreateAccount(e.Admin, record.Patch{"name": "Acme", "domain": "acme.com"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateAccount(e.Admin, record.Patch{"name": "Acme", "domain": "acme.com"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateAccount(e.Admin, record.Patch{"name": "A page", "domain": "facebook.com"}); err != nil {
		t.Fatal(err)
	}
	ada, err := s.CreateContact(e.Admin, record.Patch{"email": "ada@acme.com"})
	if err != nil {
		t.Fatal(err)
	}
	if id, err := s.FindAccountByDomain(e.Admin, "https://www.acme.com/x"); err != nil || id == nil || *id != acme {
		t.Errorf("by domain: %v, %v; want the oldest", id, err)
	}
	if id, err := s.FindAccountByName(e.Admin, " Acme "); err != nil || id == nil || *id != acme {
		t.Errorf("by name: %v, %v", id, err)
	}
	if id, err := s.FindContactByEmail(e.Admin, "ADA@acme.com"); err != nil || id == nil || *id != ada {
		t.Errorf("by e-mail: %v, %v", id, err)
	}
	for what, find := range map[string]func() (any, error){
		"a rep":          func() (any, error) { id, err := s.FindAccountByDomain(e.Rep, "acme.com"); return id == nil, err },
		"another tenant": func() (any, error) { id, err := s.FindContactByEmail(e.Other, "ada@acme.com"); return id == nil, err },
		"a shared host":  func() (any, error) { id, err := s.FindAccountByDomain(e.Admin, "facebook.com"); return id == nil, err },
		"no address":     func() (any, error) { id, err := s.FindContactByEmail(e.Admin, "' or 1=1"); return id == nil, err },
	} {
		if none, err := find(); err != nil || none != true {
			t.Errorf("%s finds something, or %v", what, err)
		}
	}
}
