package app_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/leads"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// TestACreateThatDoublesIsRefused: 409 with the candidates, unless allowed.
func TestACreateThatDoublesIsRefused(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	ada := s.make(t, "contact", record.Patch{"first_name": "Ada", "last_name": "Khan", "emails": []any{map[string]any{"value": "ada@acme.test"}, map[string]any{"value": "ada@home.test"}}})
	acme := s.make(t, "account", record.Patch{"name": "ACME, Inc.", "website": "https://acme.test"})
	at := s.make(t, "contact", record.Patch{"first_name": "Zoë", "last_name": "Ø", "account_id": acme})
	s.make(t, "lead", record.Patch{"last_name": "L", "phone": "+493012345678"})
	for _, tt := range []struct {
		path string
		body map[string]any
		id   uuid.UUID
		on   string
	}{
		{"/contacts", map[string]any{"last_name": "K", "email": "ADA@home.test"}, ada, "email"},
		{"/contacts", map[string]any{"first_name": "zoe", "last_name": "o", "account_id": acme}, at, "name"},
		{"/accounts", map[string]any{"name": "Acme"}, acme, "name"},
		{"/accounts", map[string]any{"name": "Something else", "domain": "acme.test"}, acme, "domain"},
		{"/leads", map[string]any{"last_name": "Other", "phone": "+49 30 12345678"}, uuid.Nil, "phone"},
	} {
		a := s.Call(t, "POST", tt.path, tt.body)
		list, _ := a.JSON["candidates"].([]any)
		if a.Status != 409 || a.JSON["code"] != "duplicate" || a.Header.Get("Content-Type") != "application/problem+json" || len(list) != 1 {
			t.Errorf("%s %v: %d %s", tt.path, tt.body, a.Status, a.Raw)
			continue
		}
		c := list[0].(map[string]any)
		if (tt.id != uuid.Nil && c["id"] != tt.id.String()) || fmt.Sprint(c["matched_on"]) != "["+tt.on+"]" || c["title"] == "" {
			t.Errorf("%s %v: candidate %v", tt.path, tt.body, c)
		}
		keyed := s.Do(t, s.Key, "POST", "/api/v1"+tt.path, tt.body, http.Header{"Idempotency-Key": {tt.on + tt.path}})
		if keyed.Status != 409 {
			t.Errorf("with an Idempotency-Key: %d %s", keyed.Status, keyed.Raw)
		}
	}
	for _, table := range []string{"contacts", "accounts", "leads"} {
		if n := s.count(t, "select count(*) from "+table+" where tenant_id = $1", s.ID); n > 2 {
			t.Errorf("%d %s although all were refused", n, table)
		}
	}
	twin := map[string]any{"last_name": "Twin", "email": "ada@acme.test"}
	if a := s.Call(t, "POST", "/contacts?allow_duplicate=true", twin); a.Status != 201 {
		t.Errorf("allowed in the address: %d %s", a.Status, a.Raw)
	}
	twin["allow_duplicate"] = true
	if a := s.Call(t, "POST", "/contacts", twin); a.Status != 201 {
		t.Errorf("allowed in the body: %d %s", a.Status, a.Raw)
	}
	twin["allow_duplicate"] = "yes"
	if a := s.Call(t, "POST", "/contacts", twin); a.Status != 422 {
		t.Errorf("allowed by a word: %d %s", a.Status, a.Raw)
	}
	op := map[string]any{"op": "create", "data": map[string]any{"last_name": "Batch", "email": "ada@acme.test"}}
	if a := s.Call(t, "POST", "/contacts/batch", map[string]any{"operations": []any{op}}); !strings.Contains(string(a.Raw), `"status":201`) {
		t.Errorf("a batch: %s", a.Raw)
	}
	if a := s.Call(t, "POST", "/contacts/batch", map[string]any{"allow_duplicate": false, "operations": []any{op}}); !strings.Contains(string(a.Raw), `"status":409`) || !strings.Contains(string(a.Raw), `"candidates":`) {
		t.Errorf("a batch that minds: %s", a.Raw)
	}
	if a := s.Call(t, "PUT", "/contacts/by/external_id/x1", map[string]any{"last_name": "U", "email": "ada@acme.test"}); a.Status != 201 {
		t.Errorf("an upsert: %d %s", a.Status, a.Raw)
	}
}

// TestARefusalTellsOfNothingHidden: who cannot see the twin makes the record.
func TestARefusalTellsOfNothingHidden(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.make(t, "contact", record.Patch{"last_name": "Hidden", "email": "ada@acme.test"})
	rep := s.User(t, "rep@shop.test", "sales_rep", "correct horse battery")
	ctx := auth.With(context.WithoutCancel(t.Context()), &auth.Actor{
		Kind: auth.User, TenantID: s.ID, ID: rep, Name: "Rep", Via: auth.ViaAPI,
		Grants: auth.Grants{"contact:create": auth.Own, "contact:read": auth.Own},
	})
	o, _ := s.App.Kernel.Object("contact")
	create := record.Operation{Kind: record.OpCreate, Patch: record.Patch{"last_name": "Mine", "email": "ada@acme.test"}, Unique: true}
	res, err := o.One(ctx, create)
	if err != nil {
		t.Fatalf("a hidden twin stopped the create: %v", err)
	}
	if found, err := o.Duplicates(ctx, res.Record); err != nil || len(found) != 0 {
		t.Errorf("the rep sees %d hidden candidates, %v", len(found), err)
	}
	if groups, _, err := o.DuplicateGroups(ctx, nil, 10); err != nil || len(groups) != 0 {
		t.Errorf("the rep sees groups %v %v", groups, err)
	}
	if _, err := o.One(ctx, create); len(record.CandidatesOf(err)) != 1 {
		t.Errorf("the rep's own twin: %v", err)
	}
}

// TestFormsAreNeverRefusedForDoubles: who writes twice is heard twice.
func TestFormsAreNeverRefusedForDoubles(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	form := s.Call(t, "POST", "/lead_forms", map[string]any{"name": "Contact us"})
	if form.Status != 201 {
		t.Fatalf("%d %s", form.Status, form.Raw)
	}
	for range 2 {
		sub := leads.Submission{Values: map[string]string{"email": "ada@acme.test"}, Address: "192.0.2.1"}
		if _, err := s.App.Leads.Submit(t.Context(), fmt.Sprint(form.JSON["public_id"]), sub); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDuplicateGroups lists each group once, in pages, and one record's own.
func TestDuplicateGroups(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	var first uuid.UUID
	for i := range 7 {
		for j := range 2 {
			id := s.make(t, "contact", record.Patch{"last_name": fmt.Sprint("P", i, j), "email": fmt.Sprintf("p%d@x.test", i), "phone": fmt.Sprintf("+4930123456%02d", i)})
			if first == uuid.Nil {
				first = id
			}
		}
	}
	s.make(t, "contact", record.Patch{"last_name": "Alone", "email": "alone@x.test"})
	gone := s.make(t, "contact", record.Patch{"last_name": "Gone", "email": "alone@x.test"})
	s.delete(t, "contact", gone)
	seen, cursor := map[string]bool{}, ""
	for range 10 {
		a := s.Call(t, "GET", "/contacts/duplicates?limit=2"+cursor, nil)
		if a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Raw)
		}
		for _, g := range a.JSON["data"].([]any) {
			g := g.(map[string]any)
			key := fmt.Sprint(g["records"].([]any)[0].(map[string]any)["id"])
			if seen[key] || g["count"] != 2.0 || g["score"] != 0.985 || fmt.Sprint(g["matched_on"]) != "[email phone]" {
				t.Errorf("group %v, seen before: %v", g, seen[key])
			}
			seen[key] = true
		}
		if a.JSON["next_cursor"] == nil {
			break
		}
		cursor = "&cursor=" + fmt.Sprint(a.JSON["next_cursor"])
	}
	if len(seen) != 7 {
		t.Errorf("%d groups instead of 7", len(seen))
	}
	one := s.Call(t, "GET", "/contacts/duplicates?id="+first.String(), nil)
	if list := one.JSON["data"].([]any); len(list) != 1 || list[0].(map[string]any)["records"].([]any)[0].(map[string]any)["id"] != first.String() {
		t.Errorf("%s", one.Raw)
	}
	if a := s.Call(t, "GET", "/accounts/duplicates?limit=2"+cursor, nil); cursor != "" && a.Status != 400 {
		t.Errorf("a cursor of another object: %d", a.Status)
	}
	if a := s.Call(t, "GET", "/contacts/duplicates?id="+uuid.NewString(), nil); a.Status != 404 {
		t.Errorf("an unknown id: %d", a.Status)
	}
}

// TestKeysOfTheMigration: what SQL computed for old rows is what Go computes.
func TestKeysOfTheMigration(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	id := s.make(t, "contact", record.Patch{"last_name": "K", "email": "ada@acme.test"})
	if n := s.count(t, `select count(*) from record_match_keys where record_id = $1 and object = 'contact'
	  and key = ('x' || substr(encode(sha256(convert_to('email:ada@acme.test', 'UTF8')), 'hex'), 1, 16))::bit(64)::bigint`, id); n != 1 {
		t.Error("the hashes differ")
	}
	s.delete(t, "contact", id)
	if n := s.count(t, `select count(*) from record_match_keys where record_id = $1`, id); n != 0 {
		t.Errorf("%d keys of a record in the bin", n)
	}
}

// TestPurge deletes for good: its own right, nothing left behind, nothing broken.
func TestPurge(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	acme := s.make(t, "account", record.Patch{"name": "Acme"})
	ada := s.make(t, "contact", record.Patch{"last_name": "Khan", "email": "secret@acme.test", "account_id": acme})
	deal := s.make(t, "deal", record.Patch{"name": "D", "account_id": acme, "contact_id": ada})
	task := s.make(t, "activity", record.Patch{"type": "task", "subject": "x", "related": related("contact", ada)})
	path := "/api/v1/contacts/" + ada.String() + "?purge=true"
	if a := s.Do(t, s.KeyFor(t, "sales_manager"), "DELETE", path, nil, nil); a.Status != 403 {
		t.Errorf("a manager purges: %d %s", a.Status, a.Raw)
	}
	if a := s.Do(t, s.Key, "DELETE", path, nil, nil); a.Status != 204 {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	if a := s.Do(t, s.Key, "DELETE", path, nil, nil); a.Status != 404 {
		t.Errorf("purged twice: %d", a.Status)
	}
	if a := s.Call(t, "GET", "/contacts/"+ada.String(), nil); a.Status != 404 {
		t.Errorf("a purged record: %d", a.Status)
	}
	if s.get(t, "deal", deal).Get("contact_id") != nil || s.get(t, "activity", task).Get("related") != nil {
		t.Error("something still points to the purged record")
	}
	for _, table := range []string{"search_documents", "record_match_keys", "activity_links"} {
		if n := s.count(t, "select count(*) from "+table+" where record_id = $1", ada); n != 0 {
			t.Errorf("%d rows of %s are left", n, table)
		}
	}
	if n := s.count(t, `select count(*) from journal where record_id = $1 and action = 'purged' and changes = '{}' and data = '{}'`, ada); n != 1 {
		t.Errorf("%d tombstones", n)
	}
	if a := s.Call(t, "POST", "/contacts", map[string]any{"last_name": "New", "email": "secret@acme.test"}); a.Status != 201 {
		t.Errorf("the address is not free: %d %s", a.Status, a.Raw)
	}
}

// TestTheBinIsEmptiedInTime: what lay there longer than the tenant keeps it goes,
// the rest stays; a merge whose part is gone says so when it is to be undone.
func TestTheBinIsEmptiedInTime(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	into := s.make(t, "contact", record.Patch{"last_name": "Into"})
	from := s.make(t, "contact", record.Patch{"last_name": "From"})
	o, _ := s.App.Kernel.Object("contact")
	done, err := o.Merge(s.Ctx, record.Merge{Into: into, From: []uuid.UUID{from}})
	if err != nil {
		t.Fatal(err)
	}
	old := s.make(t, "contact", record.Patch{"last_name": "Old"})
	fresh := s.make(t, "contact", record.Patch{"last_name": "Fresh"})
	s.delete(t, "contact", old)
	s.delete(t, "contact", fresh)
	if _, err := s.SQL.Owner.Exec(t.Context(), `update contacts set deleted_at = $1 where id = any($2)`, time.Now().AddDate(0, 0, -31), []uuid.UUID{old, from}); err != nil {
		t.Fatal(err)
	}
	if ok, err := s.App.PurgeBin(s.Ctx); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if n := s.count(t, `select count(*) from contacts where id = any($1)`, []uuid.UUID{old, from, fresh, into}); n != 2 {
		t.Errorf("%d of 2 contacts are left", n)
	}
	if _, err := s.App.Kernel.UndoBatch(s.Ctx, done.BatchID); errs.As(err) == nil || errs.As(err).Code != "purged" {
		t.Errorf("undo of a merge without its part: %v", err)
	}
	if a := s.Call(t, "GET", "/contacts/"+from.String(), nil); a.Status != 308 {
		t.Errorf("the old id of a purged part: %d", a.Status)
	}
}

// TestARestoreNamesWhoHasTheKey refuses clearly when a unique value is taken.
func TestARestoreNamesWhoHasTheKey(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	first := s.Call(t, "POST", "/products", map[string]any{"name": "One", "external_id": "X"})
	path := "/products/" + fmt.Sprint(first.JSON["id"])
	if a := s.Call(t, "DELETE", path, nil); a.Status != 204 {
		t.Fatal(a.Status)
	}
	second := s.Call(t, "POST", "/products", map[string]any{"name": "Two", "external_id": "X"})
	if second.Status != 201 {
		t.Fatalf("the key is not free: %d %s", second.Status, second.Raw)
	}
	a := s.Call(t, "POST", path+"/restore", nil)
	holder, _ := a.JSON["data"].(map[string]any)
	if a.Status != 409 || !strings.Contains(string(a.Raw), `"field":"external_id"`) || holder["holder"].(map[string]any)["id"] != second.JSON["id"] {
		t.Errorf("%d %s", a.Status, a.Raw)
	}
}
