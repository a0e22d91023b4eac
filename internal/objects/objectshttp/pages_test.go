package objectshttp_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"crm/internal/objects"
	"crm/internal/objects/objectshttp"
	"crm/internal/record"
	"crm/internal/record/recordpage/pagetest"
	"crm/internal/record/recordtest"
)

// person is a contact as far as these tests need one.
type person struct {
	record.Base
	FirstName string `crm:"first_name,text,search,title"`
	LastName  string `crm:"last_name,text,search,title"`
	Email     string `crm:"email,email"`
	Lifecycle string `crm:"lifecycle,select,options=lead|customer"`
	DoNot     bool   `crm:"do_not_contact,boolean"`
}

var people = record.Definition{Name: "contact", Plural: "contacts", Label: "Contact", LabelPlural: "Contacts", Owned: true}

// keepBooleans runs as a hook would: a struct's false is no empty value.
var keepBooleans = record.HooksFor[person]{Before: func(context.Context, pgx.Tx, []record.TypedChange[person]) error { return nil }}

// TestViewsAndSegmentsFromAList keeps a list as a view, changes it, and keeps its
// records as a segment, all by plain forms.
func TestViewsAndSegmentsFromAList(t *testing.T) {
	t.Parallel()
	e := recordtest.New(t)
	if _, err := record.Register[person](e.K, people, keepBooleans); err != nil {
		t.Fatal(err)
	}
	s, err := objects.New(objects.Deps{Kernel: e.K, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	w := pagetest.New(t, e)
	kept := objectshttp.NewPages(w.Pages, s)
	w.Inside = append(w.Inside, kept.Mount)
	w.Serve(t)
	for _, name := range []string{"Ada", "Bob"} {
		w.Make(t, w.Admin, "contact", record.Patch{"first_name": name, "lifecycle": map[string]string{"Ada": "lead", "Bob": "customer"}[name]})
	}
	b := w.As(t, w.Admin)
	b.Get("/alpha/contacts?lifecycle=lead&columns=email,lifecycle").Is(200, "1 contact", "Save as new", "Ada").Lacks("Bob")
	folded := b.Get("/alpha/contacts?choose_columns=1&column=email&column=lifecycle&at_email=2&at_lifecycle=1&lifecycle=lead")
	if folded.Status != 303 || !strings.Contains(folded.Location, "columns=lifecycle%2Cemail") || strings.Contains(folded.Location, "at_") {
		t.Errorf("columns folded to %d %s", folded.Status, folded.Location)
	}
	made := b.Post("/alpha/views/from-list", "object", "contact", "query", "lifecycle=lead&columns=email,lifecycle", "name", "Leads <b>", "sharing", "all")
	b.Follow(made).Is(200, "Leads &lt;b&gt;", "saved.", "1 contact", "Ada", "Lifecycle", "Rename or share this view").Lacks("Bob", "Save as new")
	id := made.Location[strings.Index(made.Location, "view=")+5:]
	edited := "/alpha/contacts?view=" + id + "&edited=1&lifecycle=customer"
	b.Get(edited).Is(200, "Bob", "Edited", "Save as new", "Reset").Lacks("Ada A")
	b.Follow(b.Post("/alpha/views/"+id+"/state", "object", "contact", "query", "lifecycle=customer")).Is(200, "Bob", "1 contact", "Undo")
	w.As(t, w.Manager).Get("/alpha/contacts?view=" + id).Is(200).Lacks("Rename or share")
	seg := b.Post("/alpha/segments/from-list", "object", "contact", "query", "lifecycle=lead", "name", "All leads")
	b.Follow(seg).Is(200, "All leads", "Members", "Ada")
	b.Get("/alpha/contacts?segment="+seg.Location[strings.LastIndex(seg.Location, "/")+1:]).Is(200, "1 contact", "Ada")
	if _, err := w.SQL.Owner.Exec(t.Context(), `update saved_views set filter = '{"field":"gone","value":"x"}'`); err != nil {
		t.Fatal(err)
	}
	b.Get("/alpha/contacts?view="+id).Is(200, "cannot be shown", "gone", "Show all").Lacks("Ada A")
}
