package app_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"crm/internal/activities"
	"crm/internal/app/apptest"
	"crm/internal/messaging"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// shop is a program with one tenant.
type shop struct {
	*apptest.Env
	*apptest.Tenant
}

func newShop(t *testing.T) *shop {
	t.Helper()
	env := apptest.New(t)
	return &shop{env, env.Tenant(t, "shop")}
}

func (s *shop) make(t *testing.T, object string, p record.Patch) uuid.UUID {
	t.Helper()
	o, _ := s.App.Kernel.Object(object)
	res, err := o.One(s.Ctx, record.Operation{Kind: record.OpCreate, Patch: p})
	if err != nil {
		t.Fatal(err)
	}
	return res.Record.ID()
}

func (s *shop) get(t *testing.T, object string, id uuid.UUID) *record.Record {
	t.Helper()
	o, _ := s.App.Kernel.Object(object)
	r, err := o.Get(s.Ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (s *shop) count(t *testing.T, sql string, args ...any) int {
	t.Helper()
	var n int
	if err := s.SQL.Owner.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// related is what an activity is about.
func related(object string, ids ...uuid.UUID) any {
	var out []any
	for _, id := range ids {
		out = append(out, map[string]any{"object": object, "id": id.String()})
	}
	return out
}

// TestNothingPointsToAMergedRecord asks the catalogue: after a merge of every
// object that can be merged, no row of any table points to the record that went,
// by a foreign key or by a link. A table whose rows would be left behind fails here
// on the day it is added: make its column a relation field, or register a Mover.
func TestNothingPointsToAMergedRecord(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	samples := apptest.NewSamples(s.Tenant)
	for _, o := range s.App.Kernel.Objects() {
		if !o.Def.Mergeable() {
			continue
		}
		for _, c := range s.columnsTo(t, o.Def.Table) {
			if !s.App.Kernel.Carries(o.Def.Name, c.table, c.column) {
				t.Errorf("a merge of %s leaves %s.%s behind: register a record.Mover or a relation field", o.Def.Plural, c.table, c.column)
			}
		}
		if slices.Contains([]string{"message", "activity"}, o.Def.Name) {
			continue
		}
		old := samples.ID(t, o.Def.Name)
		p := record.Patch{}
		for name, v := range map[string]any{"name": "Other", "last_name": "Other", "subject": "Other", "channel": "email", "address": "other@example.com", "body": "x"} {
			if _, ok := o.Def.Field(name); ok {
				p[name] = v
			}
		}
		into := s.make(t, o.Def.Name, p)
		s.pointEverythingAt(t, samples, o.Def.Name, old)
		if _, err := o.Merge(s.Ctx, record.Merge{Into: into, From: []uuid.UUID{old}}); err != nil {
			t.Fatalf("merge %s: %v", o.Def.Plural, err)
		}
		for _, c := range s.columnsTo(t, o.Def.Table) {
			if n := s.count(t, fmt.Sprintf("select count(*) from %s where %s = $1", c.table, c.column), old); n > 0 {
				t.Errorf("%d rows of %s.%s still point to the merged %s", n, c.table, c.column, o.Def.Name)
			}
		}
		if n := s.count(t, "select count(*) from activity_links where record_id = $1", old); n > 0 {
			t.Errorf("%d activities are still about the merged %s", n, o.Def.Name)
		}
	}
}

type column struct{ table, column string }

// columnsTo are the foreign keys of the schema that lead to a table.
func (s *shop) columnsTo(t *testing.T, table string) []column {
	t.Helper()
	rows, err := s.SQL.Owner.Query(t.Context(), `select c.conrelid::regclass::text, a.attname from pg_constraint c
	  join pg_attribute a on a.attrelid = c.conrelid and a.attnum = any(c.conkey) and a.attname <> 'tenant_id'
	  where c.contype = 'f' and c.confrelid = $1::regclass order by 1, 2`, table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []column
	for rows.Next() {
		var c column
		if err := rows.Scan(&c.table, &c.column); err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// pointEverythingAt sets every foreign key column that leads to the record, past
// all rules: what rows there are, and one activity.
func (s *shop) pointEverythingAt(t *testing.T, samples *apptest.Samples, object string, id uuid.UUID) {
	t.Helper()
	for _, o := range s.App.Kernel.Objects() {
		for _, f := range o.Def.Fields {
			if f.Target != object || f.Type.Name() != "relation" || o.Def.Name == "message" {
				continue
			}
			at := samples.ID(t, o.Def.Name)
			if o.Def.Name == object {
				at = s.make(t, object, record.Patch{"name": "Below"})
			}
			if _, err := s.SQL.Owner.Exec(t.Context(), fmt.Sprintf("update %s set %s = $1 where id = $2", o.Def.Table, f.Column), id, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	if object == "contact" || object == "lead" {
		d := messaging.Draft{Channel: "email", Class: "transactional", To: "x@example.com", Subject: "x", Body: "x", ContactID: &id}
		if object == "lead" {
			d.ContactID, d.LeadID = nil, &id
		}
		if _, err := s.App.Messaging.Send(s.Ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	s.make(t, "activity", record.Patch{"type": "task", "subject": "About it", "related": related(object, id)})
}

// TestMergeCarriesEverythingAndUndoBringsItBack merges people with a thousand and
// more activities, a deal and a lead, and takes it back.
func TestMergeCarriesEverythingAndUndoBringsItBack(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	ada := s.make(t, "contact", record.Patch{"first_name": "Ada", "last_name": "Khan", "email": "ada@acme.test", "tags": []string{"vip"}, "external_id": "A1"})
	two := s.make(t, "contact", record.Patch{"first_name": "A.", "last_name": "Khan", "email": "ada@home.test", "phone": "+493012345678", "tags": []string{"vip", "fair"}, "external_id": "A2", "title": "CFO", "do_not_contact": true})
	three := s.make(t, "contact", record.Patch{"last_name": "Kahn", "email": "ada@acme.test", "title": "Chief"})
	deal := s.make(t, "deal", record.Patch{"name": "Big", "contact_id": two})
	binned := s.make(t, "deal", record.Patch{"name": "Old", "contact_id": three})
	s.delete(t, "deal", binned)
	const many = 1100
	var list []*activities.Activity
	for i := range many {
		list = append(list, &activities.Activity{Type: "task", Subject: fmt.Sprint("Task ", i), Related: related("contact", two, three)})
	}
	if _, err := s.App.Activities.Activities.CreateMany(s.Ctx, list); err != nil {
		t.Fatal(err)
	}

	o, _ := s.App.Kernel.Object("contact")
	before := s.get(t, "contact", ada)
	done, err := o.Merge(s.Ctx, record.Merge{Into: ada, From: []uuid.UUID{two, three}, Chosen: map[string]uuid.UUID{"title": three}, Values: record.Patch{"first_name": "Adelina"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]int{"deals": 2, "activities": many}; !maps.Equal(done.Moved, want) {
		t.Errorf("moved %v, want %v", done.Moved, want)
	}
	r := s.get(t, "contact", ada)
	if r.Text("first_name") != "Adelina" || r.Text("title") != "Chief" || r.Text("email") != "ada@acme.test" || r.Text("phone") != "+493012345678" || r.Text("external_id") != "A1" {
		t.Errorf("the result is %s", r.AppendJSON(nil, nil, nil))
	}
	if tags, _ := r.Get("tags").([]string); !slices.Equal(tags, []string{"vip", "fair"}) {
		t.Errorf("tags %v", tags)
	}
	if list, _ := r.Get("emails").([]any); len(list) != 2 || r.Get("do_not_contact") != true {
		t.Errorf("e-mails %v, do not contact %v", list, r.Get("do_not_contact"))
	}
	for id, want := range map[uuid.UUID]string{deal: ada.String(), binned: ada.String()} {
		if got := s.get(t, "deal", id).Text("contact_id"); got != want {
			t.Errorf("the deal's contact is %s", got)
		}
	}
	if n := s.count(t, "select count(*) from activity_links where record_id = $1", ada); n != many {
		t.Errorf("%d activities are about the result", n)
	}

	again, err := o.Merge(s.Ctx, record.Merge{Into: ada, From: []uuid.UUID{two, three}})
	if err != nil || again.BatchID != done.BatchID || !maps.Equal(again.Moved, done.Moved) || again.Record.Version() != r.Version() {
		t.Errorf("the same merge again: %+v %v", again, err)
	}

	undone, err := s.App.Kernel.UndoBatch(s.Ctx, done.BatchID)
	if err != nil || len(undone.Conflicts) > 0 || undone.Reversed != many+2+3 {
		t.Fatalf("undo: %+v %v", undone, err)
	}
	r = s.get(t, "contact", ada)
	for _, name := range []string{"first_name", "title", "email", "phone", "external_id"} {
		if r.Text(name) != before.Text(name) {
			t.Errorf("%s is %q after the undo, was %q", name, r.Text(name), before.Text(name))
		}
	}
	for _, id := range []uuid.UUID{two, three} {
		if s.get(t, "contact", id).Deleted() {
			t.Error("a merged contact is still in the bin")
		}
		if n := s.count(t, "select count(*) from activity_links where record_id = $1", id); n != many {
			t.Errorf("%d activities are about a record that came back", n)
		}
	}
	if s.get(t, "deal", deal).Get("contact_id") != any(two) || s.get(t, "deal", binned).Get("contact_id") != any(three) {
		t.Error("a deal did not go back")
	}
	if n := s.count(t, "select count(*) from record_redirects where tenant_id = $1", s.ID); n != 0 {
		t.Errorf("%d redirects are left", n)
	}
	if undone, err = s.App.Kernel.UndoBatch(s.Ctx, done.BatchID); err == nil && undone.Reversed > 0 {
		t.Errorf("undone twice: %+v", undone)
	}
}

func (s *shop) delete(t *testing.T, object string, id uuid.UUID) {
	t.Helper()
	o, _ := s.App.Kernel.Object(object)
	if _, err := o.One(s.Ctx, record.Operation{Kind: record.OpDelete, ID: id}); err != nil {
		t.Fatal(err)
	}
}

// TestUndoOfAMergeLeavesLaterWorkAlone lists what was changed since.
func TestUndoOfAMergeLeavesLaterWorkAlone(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	a := s.make(t, "account", record.Patch{"name": "Acme"})
	b := s.make(t, "account", record.Patch{"name": "Acme Ltd", "industry": "Retail", "parent_id": a})
	c := s.make(t, "account", record.Patch{"name": "Other"})
	person := s.make(t, "contact", record.Patch{"last_name": "Khan", "account_id": b})
	stays := s.make(t, "contact", record.Patch{"last_name": "Stays", "account_id": b})
	o, _ := s.App.Kernel.Object("account")
	done, err := o.Merge(s.Ctx, record.Merge{Into: a, From: []uuid.UUID{b}})
	if err != nil {
		t.Fatal(err)
	}
	if r := s.get(t, "account", a); r.Get("parent_id") != nil || r.Text("industry") != "Retail" {
		t.Errorf("the result is %s", r.AppendJSON(nil, nil, nil))
	}
	contacts, _ := s.App.Kernel.Object("contact")
	if _, err := contacts.One(s.Ctx, record.Operation{Kind: record.OpUpdate, ID: person, Patch: record.Patch{"account_id": c}}); err != nil {
		t.Fatal(err)
	}
	undone, err := s.App.Kernel.UndoBatch(s.Ctx, done.BatchID)
	if err != nil {
		t.Fatal(err)
	}
	if len(undone.Conflicts) != 1 || undone.Conflicts[0].RecordID != person || undone.Conflicts[0].Field != "account_id" {
		t.Errorf("conflicts %+v", undone.Conflicts)
	}
	if s.get(t, "contact", person).Get("account_id") != any(c) || s.get(t, "contact", stays).Get("account_id") != any(b) || s.get(t, "account", b).Deleted() {
		t.Error("the undo did too much or too little")
	}
}

// TestParallelMergesLoseNothing runs overlapping merges at once, while others hang
// new records on what is being merged. Whatever wins, every related record is with
// a living contact in the end.
func TestParallelMergesLoseNothing(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	const people, deals = 12, 36
	var ids []uuid.UUID
	for i := range people {
		ids = append(ids, s.make(t, "contact", record.Patch{"last_name": fmt.Sprint("P", i)}))
	}
	for i := range deals {
		s.make(t, "deal", record.Patch{"name": fmt.Sprint("D", i), "contact_id": ids[i%people]})
		s.make(t, "activity", record.Patch{"type": "task", "subject": "x", "related": related("contact", ids[i%people], ids[(i+5)%people])})
	}
	o, _ := s.App.Kernel.Object("contact")
	d, _ := s.App.Kernel.Object("deal")
	acts, _ := s.App.Kernel.Object("activity")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			m := record.Merge{Into: ids[i%people], From: []uuid.UUID{ids[(i+1)%people], ids[(i+3)%people]}}
			if i%2 == 1 {
				slices.Reverse(m.From)
			}
			_, err := o.Merge(s.Ctx, m)
			if e := errs.As(err); err != nil && (e == nil || (e.Code != "merged" && e.Code != "deleted")) {
				t.Errorf("merge %d: %v", i, err)
			}
		})
		wg.Go(func() {
			_, err := d.One(s.Ctx, record.Operation{Kind: record.OpCreate, Patch: record.Patch{"name": fmt.Sprint("N", i), "contact_id": ids[i%people]}})
			if e := errs.As(err); err != nil && (e == nil || e.Kind != errs.Invalid) {
				t.Errorf("deal %d: %v", i, err)
			}
			_, err = acts.One(s.Ctx, record.Operation{Kind: record.OpCreate, Patch: record.Patch{"type": "task", "subject": "n", "related": related("contact", ids[(i+7)%people])}})
			if e := errs.As(err); err != nil && (e == nil || e.Kind != errs.Invalid) {
				t.Errorf("activity %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n := s.count(t, `select count(*) from deals d join contacts c on c.tenant_id = d.tenant_id and c.id = d.contact_id where d.tenant_id = $1 and c.deleted_at is not null`, s.ID); n > 0 {
		t.Errorf("%d deals belong to a merged contact", n)
	}
	if n := s.count(t, `select count(*) from activity_links l join contacts c on c.tenant_id = l.tenant_id and c.id = l.record_id where l.tenant_id = $1 and c.deleted_at is not null`, s.ID); n > 0 {
		t.Errorf("%d activities are about a merged contact", n)
	}
	if n := s.count(t, `select count(*) from contacts where tenant_id = $1 and deleted_at is null`, s.ID); n == 0 {
		t.Error("nobody is left")
	}
	gone := s.count(t, `select count(*) from contacts where tenant_id = $1 and deleted_at is not null`, s.ID)
	if n := s.count(t, `select count(*) from record_redirects where tenant_id = $1`, s.ID); n != gone {
		t.Errorf("%d redirects for %d merged contacts", n, gone)
	}
}

// TestMergeOverTheAPI goes through the doors: the answer, the redirects over a
// chain, the refusals, and undo.
func TestMergeOverTheAPI(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	a := s.make(t, "contact", record.Patch{"last_name": "A", "email": "a@x.test"})
	b := s.make(t, "contact", record.Patch{"last_name": "B", "title": "CFO"})
	c := s.make(t, "contact", record.Patch{"last_name": "C", "phone": "+493012345678"})
	merge := func(into uuid.UUID, values map[string]any, from ...uuid.UUID) *apptest.Answer {
		return s.Call(t, "POST", "/contacts/merge", map[string]any{"into": into, "from": from, "values": values})
	}
	for _, tt := range []struct {
		a      *apptest.Answer
		status int
		code   string
	}{
		{merge(a, nil, a), 422, "validation_failed"},
		{merge(a, nil), 422, "validation_failed"},
		{merge(a, nil, uuid.New()), 404, "not_found"},
		{merge(a, map[string]any{"nonsense": 1}, b), 422, "validation_failed"},
		{merge(a, map[string]any{"title": map[string]any{"from": uuid.New()}}, b), 422, "validation_failed"},
	} {
		if tt.a.Status != tt.status || tt.a.JSON["code"] != tt.code {
			t.Errorf("%d %s", tt.a.Status, tt.a.Raw)
		}
	}
	first := merge(b, map[string]any{"last_name": "Bee", "email": map[string]any{"from": a}}, a)
	if first.Status != 200 || first.JSON["id"] != b.String() || first.JSON["data"].(map[string]any)["last_name"] != "Bee" || first.JSON["data"].(map[string]any)["email"] != "a@x.test" {
		t.Fatalf("%d %s", first.Status, first.Raw)
	}
	if again := merge(b, nil, a); again.Status != 200 || again.JSON["batch_id"] != first.JSON["batch_id"] {
		t.Errorf("the same again: %d %s", again.Status, again.Raw)
	}
	second := merge(c, nil, b)
	if second.Status != 200 {
		t.Fatalf("%d %s", second.Status, second.Raw)
	}
	for _, old := range []uuid.UUID{a, b} {
		got := s.Call(t, "GET", "/contacts/"+old.String()+"?fields=id", nil)
		if got.Status != 308 || got.Header.Get("Location") != "/api/v1/contacts/"+c.String()+"?fields=id" || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%d %s %s", got.Status, got.Header.Get("Location"), got.Raw)
		}
		if got := s.Call(t, "GET", "/contacts/"+old.String()+"?redirect=false", nil); got.Status != 200 || got.JSON["deleted_at"] == nil {
			t.Errorf("the record itself: %d %s", got.Status, got.Raw)
		}
		if got := s.Call(t, "POST", "/contacts/"+old.String()+"/restore", nil); got.Status != 409 || got.JSON["code"] != "merged" {
			t.Errorf("restore of a merged record: %d %s", got.Status, got.Raw)
		}
		if got := s.Call(t, "PATCH", "/contacts/"+old.String(), map[string]any{"title": "x"}); got.Status != 409 {
			t.Errorf("a change of a merged record: %d %s", got.Status, got.Raw)
		}
		if got := s.Call(t, "POST", "/deals", map[string]any{"name": "x", "contact_id": old}); got.Status != 422 || !strings.Contains(string(got.Raw), `"code":"merged"`) {
			t.Errorf("a deal of a merged record: %d %s", got.Status, got.Raw)
		}
	}
	if got := merge(a, nil, c); got.Status != 409 || got.JSON["code"] != "merged" {
		t.Errorf("into a merged record: %d %s", got.Status, got.Raw)
	}
	timeline := s.Call(t, "GET", "/contacts/"+c.String()+"/timeline", nil)
	if n := len(timeline.JSON["data"].([]any)); n < 7 {
		t.Errorf("the story of all three has %d lines: %s", n, timeline.Raw)
	}
	if got := s.Call(t, "POST", "/undo", map[string]any{"batch_id": second.JSON["batch_id"]}); got.Status != 200 || len(got.JSON["conflicts"].([]any)) != 0 {
		t.Errorf("undo: %d %s", got.Status, got.Raw)
	}
	if got := s.Call(t, "GET", "/contacts/"+a.String(), nil); got.Header.Get("Location") != "/api/v1/contacts/"+b.String() {
		t.Errorf("after the undo the older merge leads to %s", got.Header.Get("Location"))
	}
	if got := s.Call(t, "GET", "/contacts/"+b.String(), nil); got.Status != 200 {
		t.Errorf("after the undo: %d %s", got.Status, got.Raw)
	}
}

// TestRepsMergeWhatTheySee: what a role does not show is not found, what it does
// not allow is forbidden.
func TestRepsMergeWhatTheySee(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	rep := s.User(t, "rep@shop.test", "sales_rep", "correct horse battery")
	grants := auth.Grants{"*:read": auth.All, "contact:read": auth.Own, "contact:update": auth.Own, "contact:delete": auth.Own, "deal:read": auth.Own, "deal:update": auth.Own}
	ctx := auth.With(context.WithoutCancel(t.Context()), &auth.Actor{Kind: auth.User, TenantID: s.ID, ID: rep, Name: "Rep", Grants: grants, Via: auth.ViaAPI})
	mine := s.make(t, "contact", record.Patch{"last_name": "Mine", "owner_id": rep})
	also := s.make(t, "contact", record.Patch{"last_name": "Also", "owner_id": rep})
	theirs := s.make(t, "contact", record.Patch{"last_name": "Theirs"})
	deal := s.make(t, "deal", record.Patch{"name": "Somebody else's", "contact_id": also})
	o, _ := s.App.Kernel.Object("contact")
	for _, m := range []record.Merge{{Into: mine, From: []uuid.UUID{theirs}}, {Into: theirs, From: []uuid.UUID{mine}}} {
		if _, err := o.Merge(ctx, m); errs.KindOf(err) != errs.NotFound {
			t.Errorf("a merge with an invisible record: %v", err)
		}
	}
	done, err := o.Merge(ctx, record.Merge{Into: mine, From: []uuid.UUID{also}})
	if err != nil {
		t.Fatal(err)
	}
	if s.get(t, "deal", deal).Get("contact_id") != any(mine) {
		t.Error("an invisible deal was left behind")
	}
	weak := auth.As(ctx, func(a *auth.Actor) { a.Grants = auth.Grants{"*:read": auth.All, "contact:update": auth.All} })
	if _, err := o.Merge(weak, record.Merge{Into: mine, From: []uuid.UUID{theirs}}); errs.KindOf(err) != errs.Forbidden {
		t.Errorf("a merge without the right to delete: %v", err)
	}
	if _, err := s.App.Kernel.UndoBatch(weak, done.BatchID); errs.KindOf(err) != errs.Forbidden {
		t.Errorf("an undo without the right to delete: %v", err)
	}
	if _, err := s.App.Kernel.UndoBatch(ctx, done.BatchID); err != nil {
		t.Errorf("the rep's undo: %v", err)
	}
	if s.get(t, "deal", deal).Get("contact_id") != any(also) {
		t.Error("an invisible deal did not go back")
	}
}
