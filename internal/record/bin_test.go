package record_test

import (
	"testing"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/record"
	"crm/internal/record/recordtest"
)

// part is a person who goes to the bin with the company.
type part struct {
	record.Base
	LastName  string     `crm:"last_name,text,required,search,title"`
	AccountID *uuid.UUID `crm:"account_id,relation,cascade,target=account"`
}

// TestPartsFollowTheirWhole: what went to the bin with a record comes back with it,
// and nothing else; an undo does the same.
func TestPartsFollowTheirWhole(t *testing.T) {
	t.Parallel()
	e := recordtest.New(t)
	wholes, err := record.Register[company](e.K, record.Definition{Name: "account", Plural: "accounts", Label: "Company", LabelPlural: "Companies", Owned: true}, record.HooksFor[company]{})
	if err != nil {
		t.Fatal(err)
	}
	parts, err := record.Register[part](e.K, record.Definition{Name: "contact", Plural: "contacts", Label: "Contact", LabelPlural: "Contacts", Owned: true}, record.HooksFor[part]{})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := wholes.Create(e.Admin, &company{Name: "Acme"})
	if err != nil {
		t.Fatal(err)
	}
	made, err := parts.CreateMany(e.Admin, []*part{{LastName: "A", AccountID: &whole.ID}, {LastName: "B", AccountID: &whole.ID}, {LastName: "Thrown away before", AccountID: &whole.ID}})
	if err != nil {
		t.Fatal(err)
	}
	binned := func() (n int) {
		for _, p := range made {
			r, err := parts.Object.Get(e.Admin, p.ID)
			if err != nil {
				t.Fatal(err)
			}
			if r.Deleted() {
				n++
			}
		}
		return n
	}
	apply := func(o *record.Object, kind record.OpKind, id uuid.UUID) record.Result {
		t.Helper()
		res, err := o.One(e.Admin, record.Operation{Kind: kind, ID: id})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	apply(parts.Object, record.OpDelete, made[2].ID)
	apply(wholes.Object, record.OpDelete, whole.ID)
	if n := binned(); n != 3 {
		t.Errorf("%d of 3 parts went to the bin", n)
	}
	apply(wholes.Object, record.OpRestore, whole.ID)
	if n := binned(); n != 1 {
		t.Errorf("%d parts stayed in the bin, want the one thrown away before", n)
	}
	res := apply(wholes.Object, record.OpDelete, whole.ID)
	if undone, err := e.K.Undo(e.Admin, res.Seq); err != nil || len(undone.Conflicts) > 0 || binned() != 1 {
		t.Errorf("undo %+v %v leaves %d parts in the bin", undone, err, binned())
	}
	entries, err := e.K.Timeline(e.Admin, "account", whole.ID, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Action == "deleted" && entry.BatchID == nil {
			t.Error("the deletion of a whole has no batch")
		}
	}
	if err := wholes.Purge(e.Admin, whole.ID); err != nil {
		t.Fatal(err)
	}
	for _, p := range made {
		if _, err := parts.Object.Get(e.Admin, p.ID); errs.KindOf(err) != errs.NotFound {
			t.Errorf("a part outlived its whole: %v", err)
		}
	}
	if err := wholes.Purge(e.Other, whole.ID); errs.KindOf(err) != errs.NotFound {
		t.Errorf("another tenant: %v", err)
	}
}
