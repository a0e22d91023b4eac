package recordpage_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"crm/internal/record"
)

// TestAFormWarnsOfADouble: the first try shows who is there, the second adds.
func TestAFormWarnsOfADouble(t *testing.T) {
	t.Parallel()
	w := site(t)
	ada := contact(t, w, w.Admin, "Ada", "Khan")
	b := w.As(t, w.Admin)
	b.Post("/alpha/contacts", "last_name", "Twin", "email", "ada@acme.test").Is(409, "There may be this contact already.", "Ada Khan", href(ada), "Add anyway", `value="Twin"`)
	b.Follow(b.Post("/alpha/contacts", "last_name", "Twin", "email", "ada@acme.test", "allow_duplicate", "1")).Is(200, "Twin added.", "1 possible duplicate", "Compare and merge")
	b.Get("/alpha/contacts/duplicates").Is(200, "Possible duplicates", "Ada Khan · Twin", "E-mail", "95")
	w.As(t, w.Rep).Get("/alpha/contacts/duplicates").Is(200, "No duplicates found.")
}

// TestMergeByHand compares, chooses, merges and takes it back, without script.
func TestMergeByHand(t *testing.T) {
	t.Parallel()
	w := site(t)
	ada := w.Make(t, w.Admin, "contact", record.Patch{"first_name": "Ada", "last_name": "Khan", "email": "ada@acme.test", "title": "CFO"})
	two := w.Make(t, w.Admin, "contact", record.Patch{"first_name": "Adelina", "last_name": "Khan", "phone": "+493012345678"})
	deal := w.Make(t, w.Admin, "deal", record.Patch{"name": "Big deal", "contact_id": two.ID()})
	b := w.As(t, w.Admin)
	chosen := b.Post("/alpha/contacts/bulk", "action", "merge", "id", ada.ID().String(), "id", two.ID().String())
	b.Follow(chosen).Is(200, "Merge 2 contacts", "Which one stays?", "1 deal will belong to it.", "First name", "Adelina").Lacks("Job title")
	merged := b.Post("/alpha/contacts/merge", "id", ada.ID().String(), "id", two.ID().String(), "into", ada.ID().String(), "value.first_name", two.ID().String())
	b.Follow(merged).Is(200, "2 contacts merged into Adelina Khan.", "Big deal", "CFO", `name="batch_id"`)
	if a := b.Get(href(two)); a.Status != 303 || a.Location != href(ada) {
		t.Errorf("the old page: %d %s", a.Status, a.Location)
	}
	b.Post("/alpha/contacts/merge", "id", ada.ID().String(), "into", ada.ID().String()).Is(422, "Choose at least two")
	b.Get("/alpha/contacts/merge?id=" + ada.ID().String() + "&id=" + uuid.NewString()).Is(404)
	w.As(t, w.Rep).Get("/alpha/contacts/merge?id=" + ada.ID().String() + "&id=" + two.ID().String()).Is(404)
	b.Get(href(deal)).Is(200, href(ada))
}

// TestTheBinHasAWayOut: restore, or for good after a last question.
func TestTheBinHasAWayOut(t *testing.T) {
	t.Parallel()
	w := site(t)
	ada := contact(t, w, w.Admin, "Ada", "Khan")
	ben := contact(t, w, w.Admin, "Ben", "Okri")
	deal := w.Make(t, w.Admin, "deal", record.Patch{"name": "Big deal", "contact_id": ada.ID()})
	b := w.As(t, w.Admin)
	for _, rec := range []*record.Record{ada, ben} {
		b.Post(href(rec) + "/delete")
	}
	b.Get("/alpha/contacts?trash=true").Is(200, "Ada Khan", "Ben Okri", "Restore", "Delete for good")
	b.Get(href(deal)).Is(200, "Ada Khan (in the bin)")
	b.Get(href(ada)+"/purge").Is(200, "Delete Ada Khan for good?", "1 deal")
	b.Follow(b.Post(href(ada)+"/purge")).Is(200, "Ada Khan deleted for good.").Lacks("Ada Khan</a>")
	b.Follow(b.Post("/alpha/contacts/bulk", "action", "purge", "query", "trash=true", "id", ben.ID().String())).Is(200, "1 deleted for good.", "The bin is empty.")
	w.As(t, w.Manager).Get(href(deal) + "/purge").Is(403)
	if strings.Contains(b.Get(href(deal)).Text, "Ada Khan") {
		t.Error("the deal still names a person who is no more")
	}
}
