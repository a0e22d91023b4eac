package recordpage_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/google/uuid"

	"crm/internal/activities"
	"crm/internal/contacts"
	"crm/internal/deals"
	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/money"
	"crm/internal/record"
	"crm/internal/record/recordpage"
	"crm/internal/record/recordpage/pagetest"
	"crm/internal/record/recordtest"
)

// site is a workspace with the real objects.
func site(t *testing.T, change ...func(*pagetest.World)) *pagetest.World {
	t.Helper()
	e := recordtest.New(t)
	if _, err := identity.New(identity.Deps{Kernel: e.K, Now: time.Now, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	if _, err := contacts.New(contacts.Deps{Kernel: e.K, Now: time.Now, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	d, err := deals.New(deals.Deps{Kernel: e.K, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.EnsureDefaultPipeline(e.Admin); err != nil {
		t.Fatal(err)
	}
	if _, err := activities.New(activities.Deps{Kernel: e.K, Now: time.Now, Log: slog.New(slog.DiscardHandler), Next: d}); err != nil {
		t.Fatal(err)
	}
	w := pagetest.New(t, e)
	for _, f := range change {
		f(w)
	}
	w.Serve(t)
	return w
}

func contact(t *testing.T, w *pagetest.World, ctx context.Context, first, last string) *record.Record {
	t.Helper()
	return w.Make(t, ctx, "contact", record.Patch{"first_name": first, "last_name": last, "email": strings.ToLower(first) + "@acme.test"})
}

func href(rec *record.Record) string { return "/alpha/" + rec.Def.Plural + "/" + rec.ID().String() }

func TestListShowsFiltersAndPages(t *testing.T) {
	t.Parallel()
	w := site(t)
	acme := w.Make(t, w.Admin, "account", record.Patch{"name": "Acme Instruments"})
	for i := range 60 {
		w.Make(t, w.Admin, "contact", record.Patch{"first_name": fmt.Sprintf("Person%02d", i), "last_name": "Khan", "account_id": acme.ID(), "lifecycle": "customer"})
	}
	b := w.As(t, w.Admin)
	first := b.Get("/alpha/contacts?sort=first_name").Is(200, "50 of 60 contacts", "Person00 Khan", "Acme Instruments", "Customer", "Ada Admin", "New contact")
	next := linkAfter(t, first.Body, `rel="next"`)
	second := b.Get(next).Is(200, "10 of 60 contacts", "Person59 Khan").Lacks("Person00")
	b.Get(linkAfter(t, second.Body, `rel="prev"`)).Is(200, "Person00 Khan")
	b.Get("/alpha/contacts?lifecycle[in]=customer,lead&q=Person07").Is(200, "1 contact", "Lifecycle", "is any of", "Customer, Lead", "Person07 Khan")
	b.Get("/alpha/contacts?account_id="+acme.ID().String()).Is(200, "Company", "Acme Instruments")
	b.Get("/alpha/contacts?lifecycle=evangelist").Is(200, "No contacts match Lifecycle is Evangelist.", "Remove Lifecycle")
	folded := b.Get("/alpha/contacts?filter_field=lifecycle&filter_op=in&filter_value=lead&filter_value=customer")
	if folded.Status != 303 || !strings.Contains(folded.Location, "lifecycle%5Bin%5D=lead%2Ccustomer") {
		t.Errorf("folded to %d %s", folded.Status, folded.Location)
	}
	b.Get("/alpha/contacts?nonsense=1").Is(400, "This address cannot be read", "nonsense")
}

// linkAfter is the href of the first link that carries the mark.
func linkAfter(t *testing.T, body, mark string) string {
	t.Helper()
	_, rest, ok := strings.Cut(body, mark)
	if !ok {
		t.Fatalf("there is no link with %s", mark)
	}
	_, rest, _ = strings.Cut(rest, `href="`)
	link, _, _ := strings.Cut(rest, `"`)
	return strings.ReplaceAll(link, "&amp;", "&")
}

func TestWhoSeesWhat(t *testing.T) {
	t.Parallel()
	w := site(t)
	hers := contact(t, w, w.Rep, "Rita", "Own")
	his := contact(t, w, w.Admin, "Adam", "Other")
	rep, admin := w.As(t, w.Rep), w.As(t, w.Admin)
	rep.Get("/alpha/contacts").Is(200, "1 contact", "Rita Own").Lacks("Adam Other")
	rep.Get(href(his)).Is(404, "There is nothing here")
	rep.Post(href(his)+"/fields/title", "title", "x", "version", "1").Is(404)
	rep.Post(href(his) + "/delete").Is(404)
	admin.Get(href(hers)).Is(200, "Rita Own")
	other := w.As(t, w.Other)
	other.Get("/alpha/contacts").Is(404)
	other.Get("/alpha/home").Is(404)
	other.Get("/beta/contacts").Is(200, "No contacts yet.")
	other.Get("/beta/contacts/" + hers.ID().String()).Is(404)
	nobody := w.As(t, t.Context())
	if a := nobody.Get("/alpha/contacts?q=x"); a.Status != 303 || a.Location != "/sign-in?next=%2Falpha%2Fcontacts%3Fq%3Dx" {
		t.Errorf("nobody: %d %s", a.Status, a.Location)
	}
	if a := nobody.Post("/alpha/contacts", "first_name", "x"); a.Status != 303 || a.Location != "/sign-in" {
		t.Errorf("nobody's post: %d %s", a.Status, a.Location)
	}
}

func TestAddRefuseKeepAndUndo(t *testing.T) {
	t.Parallel()
	w := site(t)
	b := w.As(t, w.Admin)
	b.Get("/alpha/contacts/new").Is(200, "New contact", "First name", "Who takes care of it", "Add contact")
	b.Post("/alpha/contacts", "first_name", "Ada", "email", "ada@", "title", "CFO <b>").
		Is(422, "Not saved yet", "Enter an address like name@company.com.", `value="ada@"`, `value="CFO &lt;b&gt;"`)
	b.Post("/alpha/contacts", "title", "CFO").Is(422, "A contact needs a name or an e-mail address.")
	made := b.Post("/alpha/contacts", "first_name", "Ada", "last_name", "<script>x</script>", "email", "ada@acme.test", "tags", "lab, fair",
		"address.city", "Gent", "address.country", "Belgium", "last_contacted_at", "2026-11-20T09:30")
	shown := b.Follow(made).Is(200, "Ada", "&lt;script&gt;", "Gent, Belgium", "lab", "fair", "added.", "Undo")
	if strings.Contains(shown.Body, "<script>x") {
		t.Error("the name became markup")
	}
	b.Get("/alpha/contacts").Is(200).Lacks("added.")
	b.Follow(b.Post("/alpha/undo", "seq", shown.Hidden("seq"), "back", "/alpha/contacts")).Is(200, "Taken back.", "No contacts yet.")
	b.Post("/alpha/undo", "seq", "0").Is(400)
	if a := b.Post("/alpha/undo", "seq", "999999"); a.Status != 404 {
		t.Errorf("undo of nothing: %d", a.Status)
	}
}

func TestMoneyAndTimesAsPeopleTypeThem(t *testing.T) {
	t.Parallel()
	w := site(t)
	b := w.As(t, w.Admin)
	for typed, want := range map[string]int64{"12k": 1200000, "1.2m": 120000000, "12.400,00": 1240000, "€1,200.50": 120050, "1,200": 120000, "7,5": 750, "-3": -300, "1.5k": 150000} {
		a := b.Post("/alpha/deals", "name", "Deal", "amount", typed, "amount_currency", "EUR")
		if a.Status != 303 {
			t.Fatalf("%s: %d %.500s", typed, a.Status, a.Text)
		}
		o, _ := w.K.Object("deal")
		rec, err := o.Get(w.Admin, uuid.MustParse(a.Location[len("/alpha/deals/"):]))
		if err != nil || rec.Get("amount") != any(money.Amount{Minor: want, Currency: "EUR"}) {
			t.Errorf("%s: %v %v", typed, rec.Get("amount"), err)
		}
	}
	b.Post("/alpha/deals", "name", "Deal", "amount", "much", "amount_currency", "EUR").Is(422, `value="much"`)
	berlin := auth.As(w.Admin, func(a *auth.Actor) { a.TimeZone = "Europe/Berlin" })
	a := w.As(t, berlin).Post("/alpha/activities", "type", "task", "subject", "Call", "due_at", "2026-07-01T09:00")
	o, _ := w.K.Object("activity")
	rec, err := o.Get(w.Admin, uuid.MustParse(a.Location[len("/alpha/activities/"):]))
	if err != nil || rec.Text("due_at") != "2026-07-01T07:00:00Z" {
		t.Errorf("due %v %v", rec.Text("due_at"), err)
	}
	w.As(t, berlin).Get(a.Location+"/edit").Is(200, `value="2026-07-01T09:00"`)
}

func TestInlineEdit(t *testing.T) {
	t.Parallel()
	w := site(t)
	ada := contact(t, w, w.Admin, "Ada", "Khan")
	b := w.As(t, w.Admin)
	b.Follow(b.Post(href(ada)+"/fields/title", "title", "CFO", "version", "1")).Is(200, "Job title saved.", "CFO", "changed a field", "Undo")
	b.Post(href(ada)+"/fields/email", "email", "nonsense", "version", "2").Is(422, "Enter an address like name@company.com.", `value="nonsense"`)
	b.Post(href(ada)+"/fields/created_at", "created_at", "2020-01-01").Is(404)
	b.Post(href(ada)+"/fields/nothing", "nothing", "x").Is(404)
	b.Follow(b.Post(href(ada)+"/fields/do_not_contact", "do_not_contact", "1", "version", "2")).Is(200, "Do not contact saved.")
	b.Follow(b.Post(href(ada)+"/fields/do_not_contact", "version", "3")).Is(200, "Do not contact saved.")
}

func TestTwoPeopleAtOnce(t *testing.T) {
	t.Parallel()
	w := site(t)
	ada := contact(t, w, w.Admin, "Ada", "Khan")
	mia := w.As(t, w.Admin)
	o, _ := w.K.Object("contact")
	change := func(p record.Patch) {
		t.Helper()
		if _, err := o.One(w.Admin, record.Operation{Kind: record.OpUpdate, ID: ada.ID(), Patch: p}); err != nil {
			t.Fatal(err)
		}
	}
	change(record.Patch{"title": "Finance Director"})
	// Another field than the one that changed: both survive.
	mia.Follow(mia.Post(href(ada)+"/fields/source", "source", "Fair", "version", "1")).Is(200, "Fair", "Finance Director")
	// The same field: nothing is lost, both are shown, saving again decides.
	clash := mia.Post(href(ada)+"/fields/title", "title", "CFO", "version", "1").Is(409, "changed this", "Finance Director", "Save again to keep yours", `value="CFO"`)
	mia.Follow(mia.Post(href(ada)+"/fields/title", "title", "CFO", "version", clash.Hidden("version"))).Is(200, "CFO")
	// A whole form that is behind: what only others changed stays, a clash is told.
	form := mia.Get(href(ada) + "/edit").Is(200)
	version := form.Hidden("version")
	change(record.Patch{"language": "de"})
	mia.Follow(mia.Post(href(ada), "version", version, "first_name", "Ada", "last_name", "Kahn", "email", "ada@acme.test", "title", "CFO", "language", "")).Is(200, "Ada Kahn", "de")
	form = mia.Get(href(ada) + "/edit")
	change(record.Patch{"last_name": "Kuhn"})
	mia.Post(href(ada), "version", form.Hidden("version"), "first_name", "Ada", "last_name", "Cohn", "email", "ada@acme.test", "title", "CFO", "language", "de").
		Is(409, "Kuhn", `value="Cohn"`, "What you typed is still here.")
}

func TestRecordPageTellsTheStory(t *testing.T) {
	t.Parallel()
	w := site(t)
	acme := w.Make(t, w.Admin, "account", record.Patch{"name": "Acme"})
	ada := w.Make(t, w.Admin, "contact", record.Patch{"first_name": "Ada", "title": "CFO", "account_id": acme.ID(), "email": "ada@acme.test"})
	w.Make(t, w.Admin, "deal", record.Patch{"name": "Fleet telemetry", "account_id": acme.ID(), "amount": money.Amount{Minor: 4800000, Currency: "EUR"}})
	b := w.As(t, w.Admin)
	b.Get(href(ada)).Is(200, "CFO at Acme", "Ada Admin added this contact", "Log call", "Details", "Record")
	b.Get(href(acme)).Is(200, "Contacts 1", "Ada", "Deals 1", "Fleet telemetry", "€48,000", "added the deal Fleet telemetry", "added the contact Ada")
	b.Follow(b.Post(href(ada)+"/activities", "type", "note", "body", "Wants the three-year price.\nCall in May.")).Is(200, "Note saved.", "wrote a note", "Call in May.")
	b.Post(href(ada)+"/activities", "type", "task", "subject", "").Is(422, "Say what is to be done.")
	b.Follow(b.Post(href(ada)+"/activities", "type", "call", "body", "Talked prices", "outcome", "Offer by Friday")).Is(200, "logged a call", "Outcome: Offer by Friday")
	b.Post(href(ada)+"/activities", "type", "email", "body", "x").Is(400)
	b.Follow(b.Post(href(ada)+"/fields/account_id", "account_id", "", "version", "1")).Is(200, "Company", "Acme")
	history := b.Get(href(ada)+"/history").Is(200, "changed a field", "Company", "Acme").Lacks("wrote a note", "Save note")
	b.Follow(b.Post("/alpha/undo", "seq", history.Hidden("seq"), "back", history.Hidden("back"))).Is(200, "Taken back.", "took a change back")
	b.Follow(b.Post(href(ada)+"/delete")).Is(200, "Ada moved to the bin.")
	b.Get(href(ada)).Is(200, "This contact is in the bin.", "Restore").Lacks("Save note")
	b.Get("/alpha/contacts?trash=true").Is(200, "Contacts in the bin", "Ada")
	b.Follow(b.Post(href(ada)+"/restore")).Is(200, "Ada restored.", "Save note")
}

func TestPanelsAndExtensions(t *testing.T) {
	t.Parallel()
	w := site(t, func(w *pagetest.World) {
		w.Pages.AddPanel("contact",
			recordpage.Panel{ID: "good", Title: "Weather", Body: func(context.Context, *record.Record) (templ.Component, error) { return templ.Raw("sunny"), nil }},
			recordpage.Panel{ID: "bad", Title: "Broken", Body: func(context.Context, *record.Record) (templ.Component, error) { return nil, errors.New("no") }},
			recordpage.Panel{ID: "none", Title: "Nothing", Body: func(context.Context, *record.Record) (templ.Component, error) { return nil, nil }})
	})
	ada := contact(t, w, w.Admin, "Ada", "Khan")
	w.As(t, w.Admin).Get(href(ada)).Is(200, "Weather", "sunny", "Broken", "This part could not be loaded.").Lacks("Nothing")
}

func TestBulkIsOneBatch(t *testing.T) {
	t.Parallel()
	w := site(t)
	var ids []string
	for i := range 5 {
		ids = append(ids, contact(t, w, w.Admin, fmt.Sprintf("P%d", i), "Bulk").ID().String())
	}
	b := w.As(t, w.Admin)
	done := b.Follow(b.Post("/alpha/contacts/bulk", "action", "delete", "id", ids[0], "id", ids[1])).Is(200, "2 contacts moved to the bin.", "3 contacts")
	b.Follow(b.Post("/alpha/undo", "batch_id", done.Hidden("batch_id"), "back", "/alpha/contacts")).Is(200, "2 changes taken back.", "5 contacts")
	b.Follow(b.Post("/alpha/contacts/bulk", "action", "assign", "assign_to", w.RepID.String(), "all", "1", "query", "first_name[in]=P1,P2")).Is(200, "2 contacts assigned.")
	b.Get("/alpha/contacts?owner_id="+w.RepID.String()).Is(200, "2 contacts", "Owner", "Rita Rep")
	b.Follow(b.Post("/alpha/contacts/bulk", "action", "delete")).Is(200, "Nothing was chosen.")
	b.Post("/alpha/contacts/bulk", "action", "explode", "id", ids[0]).Is(400)
	rep := w.As(t, w.Rep)
	rep.Follow(rep.Post("/alpha/contacts/bulk", "action", "delete", "id", ids[0])).Is(200, "0 moved to the bin, 1 not")
	b.Get("/alpha/contacts").Is(200, "5 contacts")
}

func TestCustomFieldsAppear(t *testing.T) {
	t.Parallel()
	w := site(t)
	if err := w.K.AddCustomFields(w.Admin, []record.CustomField{{Object: "contact", Name: "tier", Label: "Tier", Type: "select", Options: []string{"gold", "silver"}}, {Object: "contact", Name: "since", Label: "Customer since", Type: "date"}}); err != nil {
		t.Fatal(err)
	}
	b := w.As(t, w.Admin)
	b.Get("/alpha/contacts/new").Is(200, "More fields", "Tier", "Customer since")
	b.Post("/alpha/contacts", "first_name", "Ada", "custom.since", "soon").Is(422, "Customer since must be a date")
	made := b.Post("/alpha/contacts", "first_name", "Ada", "custom.tier", "gold", "custom.since", "2024-05-01")
	b.Follow(made).Is(200, "Tier", "Gold", "1 May 2024")
	b.Follow(b.Post(made.Location+"/fields/custom.tier", "custom.tier", "silver", "version", "1")).Is(200, "Tier saved.", "Silver")
	b.Get("/alpha/contacts?custom.tier[in]=silver").Is(200, "1 contact", "Tier")
}

func TestSearchPaletteAndLookup(t *testing.T) {
	t.Parallel()
	w := site(t)
	ada := contact(t, w, w.Admin, "Ada", "Khan")
	w.Make(t, w.Admin, "account", record.Patch{"name": "Adamant Steel"})
	b := w.As(t, w.Admin)
	b.Get("/alpha/search?q=ada").Is(200, "Ada Khan", "Adamant Steel", "Contact", "Company")
	b.Get("/alpha/search").Is(200, "Search everything")
	b.Get("/alpha/search?q=zzzz").Is(200, "Nothing matches")
	b.Get("/alpha/palette?q=ada").Is(200, `"label":"Ada Khan"`, `"hint":"Contact · ada@acme.test"`, `"href":"`+href(ada)+`"`, "Add contact “ada”", "All results")
	b.Get("/alpha/palette?q=").Is(200, "Add contact", "Add deal")
	b.Get("/alpha/lookup/contacts?q=kha").Is(200, `"value":"`+ada.ID().String()+`"`, `"label":"Ada Khan"`)
	w.As(t, w.Rep).Get("/alpha/palette?q=ada").Is(200).Lacks("Ada Khan", "Adamant")
	w.As(t, w.Rep).Get("/alpha/lookup/contacts?q=kha").Is(200, "[]")
}

func TestEveryPageOfEveryObjectOpens(t *testing.T) {
	t.Parallel()
	w := site(t)
	b := w.As(t, w.Admin)
	for _, o := range w.K.Objects() {
		b.Get("/alpha/"+o.Def.Plural).Is(200, o.Def.LabelPlural)
		b.Get("/alpha/" + o.Def.Plural + "/new").Is(200)
		b.Get("/alpha/" + o.Def.Plural + "?trash=true").Is(200)
		page, err := o.List(w.Admin, record.Query{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range page.Records {
			b.Get(href(rec)).Is(200)
			b.Get(href(rec) + "/edit").Is(200)
			b.Get(href(rec) + "/history").Is(200)
		}
	}
	b.Get("/alpha/nothing").Is(404, "There is nothing here", "Home")
	b.Get("/alpha/contacts/" + uuid.NewString()).Is(404)
	b.Get("/alpha/contacts/nonsense").Is(404)
	if a := b.Get("/alpha"); a.Status != http.StatusSeeOther || a.Location != "/alpha/home" {
		t.Errorf("/alpha: %d %s", a.Status, a.Location)
	}
}
