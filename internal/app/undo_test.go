package app_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"crm/internal/app/apptest"
	"crm/internal/record/importing"
)

// story is a tenant whose records are told apart by name.
type story struct {
	*apptest.Tenant
	env *apptest.Env
	t   *testing.T
}

// call fails the test unless the answer is a success.
func (s *story) call(method, path string, body any) map[string]any {
	s.t.Helper()
	a := s.Call(s.t, method, path, body)
	if a.Status >= 300 {
		s.t.Fatalf("%s %s: %d %s", method, path, a.Status, a.Raw)
	}
	return a.JSON
}

func (s *story) make(object string, values map[string]any) string {
	s.t.Helper()
	return fmt.Sprint(s.call("POST", "/"+object, values)["id"])
}

// state is everything a person would see of the tenant's records, the bin left
// out: bookkeeping aside, an undone act must leave no trace in it.
func (s *story) state() map[string]string {
	s.t.Helper()
	out := map[string]string{}
	for _, object := range []string{"contacts", "accounts", "leads", "deals"} {
		for _, r := range s.call("GET", "/"+object+"?limit=200", nil)["data"].([]any) {
			values := maps.Clone(r.(map[string]any))
			for _, name := range []string{"version", "updated_at", "updated_by", "score", "score_grade", "score_probability", "score_reasons", "scored_at", "score_model_id", "win_probability"} {
				delete(values, name)
			}
			out[object+" "+fmt.Sprint(values["id"])] = fmt.Sprint(values)
		}
	}
	return out
}

// lastSeq is the newest change of a record.
func (s *story) lastSeq(path string) any {
	s.t.Helper()
	return s.call("GET", path+"/timeline?limit=1", nil)["data"].([]any)[0].(map[string]any)["seq"]
}

func (s *story) stage(i int) string {
	s.t.Helper()
	return fmt.Sprint(s.call("GET", "/stages?sort=position", nil)["data"].([]any)[i].(map[string]any)["id"])
}

// TestUndoOfEveryKind takes back one act of each kind, then the undo itself, then
// the act once more: before, after, before.
func TestUndoOfEveryKind(t *testing.T) {
	t.Parallel()
	env := apptest.New(t)
	bySeq := func(s *story, path string) map[string]any { return map[string]any{"seq": s.lastSeq(path)} }
	for i, c := range []struct {
		name string
		act  func(s *story) map[string]any // returns what POST /undo is sent
	}{
		{"a create", func(s *story) map[string]any {
			return bySeq(s, "/contacts/"+s.make("contacts", map[string]any{"last_name": "New"}))
		}},
		{"a change", func(s *story) map[string]any {
			id := s.first("contacts")
			s.call("PATCH", "/contacts/"+id, map[string]any{"last_name": "Other", "tags": []any{"a"}, "title": nil})
			return bySeq(s, "/contacts/"+id)
		}},
		{"a bulk edit", func(s *story) map[string]any {
			var ops []any
			for _, id := range s.ids("contacts") {
				ops = append(ops, map[string]any{"op": "update", "id": id, "data": map[string]any{"title": "Bulk"}}, map[string]any{"op": "update", "id": id, "data": map[string]any{"title": "Twice"}})
			}
			return map[string]any{"batch_id": s.call("POST", "/contacts/batch", map[string]any{"operations": ops})["batch_id"]}
		}},
		{"a delete", func(s *story) map[string]any {
			id := s.first("contacts")
			s.call("DELETE", "/contacts/"+id, nil)
			return bySeq(s, "/contacts/"+id)
		}},
		{"a restore", func(s *story) map[string]any {
			id := s.binned()
			s.call("POST", "/contacts/"+id+"/restore", nil)
			return bySeq(s, "/contacts/"+id)
		}},
		{"a restore to a moment", func(s *story) map[string]any {
			id := s.first("contacts")
			at := s.call("GET", "/contacts/"+id, nil)["updated_at"]
			s.call("PATCH", "/contacts/"+id, map[string]any{"last_name": "Meanwhile"})
			s.call("POST", "/contacts/"+id+"/restore", map[string]any{"at": at})
			return bySeq(s, "/contacts/"+id)
		}},
		{"a stage move", func(s *story) map[string]any {
			id := s.first("deals")
			s.call("POST", "/deals/"+id+"/move", map[string]any{"stage_id": s.stage(2)})
			return bySeq(s, "/deals/"+id)
		}},
		{"a win", func(s *story) map[string]any {
			id := s.first("deals")
			s.call("POST", "/deals/"+id+"/win", nil)
			return bySeq(s, "/deals/"+id)
		}},
		{"a loss", func(s *story) map[string]any {
			id := s.first("deals")
			s.call("POST", "/deals/"+id+"/lose", map[string]any{"lost_reason": "price"})
			return bySeq(s, "/deals/"+id)
		}},
		{"a conversion", func(s *story) map[string]any {
			id := s.first("leads")
			s.call("POST", "/leads/"+id+"/convert", map[string]any{"create_deal": true})
			row := s.call("GET", "/leads/"+id+"/timeline?limit=1", nil)["data"].([]any)[0].(map[string]any)
			return map[string]any{"batch_id": row["batch_id"]}
		}},
		{"an import", func(s *story) map[string]any {
			imp, err := s.env.App.Imports.Create(s.Ctx, importing.Options{Object: "contact", Key: "external_id", Reader: strings.NewReader("external_id,last_name,title\n1,Smith,CTO\n2,Made,CTO\n")})
			if err == nil {
				_, err = s.env.App.Imports.Run(s.Ctx, imp.ID, nil)
			}
			if err != nil {
				s.t.Fatal(err)
			}
			return map[string]any{"batch_id": imp.ID}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &story{Tenant: env.Tenant(t, fmt.Sprintf("undo %d", i)), env: env, t: t}
			s.begin()
			before := s.state()
			back := c.act(s)
			if c.name == "a restore to a moment" {
				before = s.before(before)
			}
			after := s.state()
			if maps.Equal(before, after) {
				t.Fatal("the act changed nothing")
			}
			first := s.call("POST", "/undo", back)
			s.same("after the undo", s.state(), before, first)
			again := s.call("POST", "/undo", back)
			if again["reversed"] != 0.0 || len(again["conflicts"].([]any)) != 0 {
				t.Errorf("a second undo of the same: %v", again)
			}
			redo := map[string]any{"seq": first["seq"]}
			if first["batch_id"] != nil {
				redo = map[string]any{"batch_id": first["batch_id"]}
			}
			s.same("after the redo", s.state(), before, nil)
			redone := s.call("POST", "/undo", redo)
			s.same("after undoing the undo", s.state(), after, redone)
			s.same("after the undo once more", nil, before, s.call("POST", "/undo", back))
		})
	}
}

// begin makes what the acts are done to.
func (s *story) begin() {
	s.t.Helper()
	s.make("contacts", map[string]any{"last_name": "Smith", "external_id": "1", "title": "CEO"})
	s.make("contacts", map[string]any{"last_name": "Jones", "email": "jones@acme.example"})
	gone := s.make("contacts", map[string]any{"last_name": "Gone"})
	s.call("DELETE", "/contacts/"+gone, nil)
	s.make("leads", map[string]any{"last_name": "Lead", "company": "Initech", "email": "lead@initech.example"})
	s.make("deals", map[string]any{"name": "Deal", "amount": map[string]any{"amount": "100.00", "currency": "EUR"}})
}

func (s *story) ids(object string) []string {
	s.t.Helper()
	var out []string
	for _, r := range s.call("GET", "/"+object+"?sort=created_at", nil)["data"].([]any) {
		out = append(out, fmt.Sprint(r.(map[string]any)["id"]))
	}
	return out
}

func (s *story) first(object string) string { s.t.Helper(); return s.ids(object)[0] }

func (s *story) binned() string {
	s.t.Helper()
	return fmt.Sprint(s.call("GET", "/contacts?trash=true", nil)["data"].([]any)[0].(map[string]any)["id"])
}

// before is the state with the change that a restore to a moment takes back.
func (s *story) before(start map[string]string) map[string]string {
	out := maps.Clone(start)
	key := "contacts " + s.first("contacts")
	out[key] = strings.ReplaceAll(out[key], "last_name:Smith", "last_name:Meanwhile")
	return out
}

// same compares states; got nil = the state now.
func (s *story) same(when string, got, want map[string]string, answer map[string]any) {
	s.t.Helper()
	if got == nil {
		got = s.state()
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			s.t.Errorf("%s %s is\n%s, want\n%s (%v)", when, key, got[key], want[key], answer)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[key]; !ok {
			s.t.Errorf("%s there is also %s (%v)", when, got[key], answer)
		}
	}
}

// TestUndoLeavesWhatWasEditedSince: made records that were worked on stay, with
// what they need, and are listed; the rest goes.
func TestUndoLeavesWhatWasEditedSince(t *testing.T) {
	t.Parallel()
	env := apptest.New(t)
	s := &story{Tenant: env.Tenant(t, "edited"), env: env, t: t}
	lead := s.make("leads", map[string]any{"last_name": "Lead", "company": "Initech", "email": "lead@initech.example"})
	made := s.call("POST", "/leads/"+lead+"/convert", map[string]any{"create_deal": true})
	s.call("PATCH", "/deals/"+fmt.Sprint(made["deal_id"]), map[string]any{"source": "fair"})
	row := s.call("GET", "/leads/"+lead+"/timeline?limit=1", nil)["data"].([]any)[0].(map[string]any)
	undone := s.call("POST", "/undo", map[string]any{"batch_id": row["batch_id"]})
	if got := len(undone["conflicts"].([]any)); got != 3 || undone["reversed"] != 1.0 {
		t.Fatalf("undone %v", undone)
	}
	first := undone["conflicts"].([]any)[0].(map[string]any)
	if first["object"] != "deal" || first["field"] != "source" || first["current"] != "fair" || first["reason"] != "changed" {
		t.Errorf("the first conflict is %v", first)
	}
	for object, n := range map[string]int{"contacts": 1, "accounts": 1, "deals": 1} {
		if got := len(s.ids(object)); got != n {
			t.Errorf("%d %s are left", got, object)
		}
	}
	if a := s.Call(t, "POST", "/undo", map[string]any{"batch_id": "0198c0de-0000-7000-8000-000000000000"}); a.Status != 404 {
		t.Errorf("an unknown batch: %d %s", a.Status, a.Raw)
	}
}

// TestLargeUndoIsAJob: more than a request's worth answers 202 and goes on in the
// background, in the name of whoever asked.
func TestLargeUndoIsAJob(t *testing.T) {
	t.Parallel()
	env := apptest.New(t)
	s := &story{Tenant: env.Tenant(t, "large"), env: env, t: t}
	var text strings.Builder
	text.WriteString("last_name\n")
	for i := range 5500 {
		fmt.Fprintf(&text, "N%d\n", i)
	}
	imp, err := env.App.Imports.Create(s.Ctx, importing.Options{Object: "contact", Reader: strings.NewReader(text.String())})
	if err == nil {
		imp, err = env.App.Imports.Run(s.Ctx, imp.ID, nil)
	}
	if err != nil || imp.Created != 5500 {
		t.Fatalf("import: %+v %v", imp, err)
	}
	a := s.Call(t, "POST", "/undo", map[string]any{"batch_id": imp.ID})
	if a.Status != 202 || a.JSON["state"] != "running" || a.JSON["total"] != 5500.0 {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	where := strings.TrimPrefix(a.Header.Get("Location"), "/api/v1")
	if twice := s.Call(t, "POST", "/undo", map[string]any{"batch_id": imp.ID}); twice.JSON["id"] != a.JSON["id"] {
		t.Errorf("asked twice: %s", twice.Raw)
	}
	if err := env.App.Jobs.Start(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	defer env.App.Jobs.Stop(context.WithoutCancel(t.Context()))
	for {
		run := s.call("GET", where, nil)
		if run["state"] == "done" {
			if run["reversed"] != 5500.0 {
				t.Errorf("%v", run)
			}
			break
		}
		if t.Context().Err() != nil || run["state"] != "running" {
			t.Fatalf("%v", run)
		}
		<-time.After(50 * time.Millisecond)
	}
	if got := s.call("GET", "/contacts?limit=1&count=exact", nil)["count"]; got != 0.0 {
		t.Errorf("%v contacts are left", got)
	}
}
