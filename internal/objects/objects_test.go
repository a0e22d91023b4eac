package objects_test

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/objects"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/record"
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

// world is a workspace whose people may keep views and segments.
type world struct {
	*recordtest.Env
	*objects.Service
	contacts *record.Object
	rep      context.Context
	manager  context.Context
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Env: recordtest.New(t)}
	c, err := record.Register[person](w.K, people, keepBooleans)
	if err != nil {
		t.Fatal(err)
	}
	w.contacts = c.Object
	if w.Service, err = objects.New(objects.Deps{Kernel: w.K, Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	own := func(ctx context.Context) context.Context {
		return auth.As(ctx, func(a *auth.Actor) {
			g := auth.Grants{}
			for k, v := range a.Grants {
				g[k] = v
			}
			for _, o := range []string{"view", "segment"} {
				g[o+":create"], g[o+":update"], g[o+":delete"] = auth.Own, auth.Own, auth.Own
			}
			a.Grants = g
		})
	}
	w.rep, w.manager = own(w.Rep), own(w.Manager)
	return w
}

func (w *world) contact(t *testing.T, ctx context.Context, name, lifecycle string) uuid.UUID {
	t.Helper()
	res, err := w.contacts.One(ctx, record.Operation{Kind: record.OpCreate, Patch: record.Patch{"last_name": name, "lifecycle": lifecycle}})
	if err != nil {
		t.Fatal(err)
	}
	return res.Record.ID()
}

func doc(t *testing.T, raw string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(raw), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func (w *world) view(t *testing.T, ctx context.Context, v objects.View) *objects.View {
	t.Helper()
	out, err := w.Views.Create(ctx, &v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (w *world) segment(t *testing.T, ctx context.Context, g objects.Segment) *objects.Segment {
	t.Helper()
	out, err := w.Segments.Create(ctx, &g)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// list reads a list by its address.
func (w *world) list(ctx context.Context, query string) ([]uuid.UUID, error) {
	v, err := url.ParseQuery(query)
	if err != nil {
		return nil, err
	}
	q, _, err := w.contacts.ParseList(ctx, v)
	if err != nil {
		return nil, err
	}
	return w.contacts.IDs(ctx, q, 100)
}

func (w *world) lists(t *testing.T, ctx context.Context, query string, want ...uuid.UUID) {
	t.Helper()
	got, err := w.list(ctx, query)
	slices.SortFunc(want, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("?%s lists %v, want %v (%v)", query, got, want, err)
	}
}

func TestWhoHasAView(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mine := w.view(t, w.rep, objects.View{Name: "Mine", Object: "contacts"})
	team := w.view(t, w.rep, objects.View{Name: "Team", Object: "contact", Sharing: objects.Team})
	all := w.view(t, w.rep, objects.View{Name: "All", Object: "contact", Sharing: objects.Everyone})
	key := auth.As(w.Admin, func(a *auth.Actor) { a.Kind, a.ID, a.TeamUsers, a.TeamIDs = auth.APIKey, id.New(), nil, nil })
	for who, tt := range map[string]struct {
		ctx  context.Context
		sees []uuid.UUID
	}{
		"the owner": {w.rep, []uuid.UUID{mine.ID, team.ID, all.ID}}, "a colleague": {w.manager, []uuid.UUID{team.ID, all.ID}},
		"an admin of another team": {key, []uuid.UUID{all.ID}}, "another tenant": {w.Other, nil},
	} {
		found, err := w.ViewsOf(tt.ctx, "contact")
		if err != nil || len(found) != len(tt.sees) {
			t.Errorf("%s has %d views, want %d (%v)", who, len(found), len(tt.sees), err)
		}
		for _, v := range []*objects.View{mine, team, all} {
			if _, err := w.Views.Get(tt.ctx, v.ID); (err == nil) != slices.Contains(tt.sees, v.ID) {
				t.Errorf("%s reads %s: %v", who, v.Name, err)
			}
		}
	}
	rename := func(ctx context.Context, v *objects.View) errs.Kind {
		_, err := w.Views.One(ctx, record.Operation{Kind: record.OpUpdate, ID: v.ID, Patch: record.Patch{"name": "X"}})
		return errs.KindOf(err)
	}
	if got := rename(w.manager, all); got != errs.Forbidden {
		t.Errorf("a colleague renames: %v", got)
	}
	if got := rename(w.Admin, mine); got != errs.NotFound {
		t.Errorf("an admin renames what is private: %v", got)
	}
	if got := rename(w.Admin, all); got != errs.Internal { // no error at all
		t.Errorf("an admin renames: %v", got)
	}
	nobodys := w.view(t, key, objects.View{Name: "Key", Object: "contact"})
	if nobodys.Sharing != objects.Everyone {
		t.Errorf("a view without owner is %s", nobodys.Sharing)
	}
}

func TestAViewShowsTheReadersRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hers := w.contact(t, w.rep, "Hers", "lead")
	his := w.contact(t, w.Admin, "His", "lead")
	w.contact(t, w.Admin, "Customer", "customer")
	v := w.view(t, w.Admin, objects.View{Name: "Leads", Object: "contact", Sharing: objects.Everyone, Sort: "last_name", Filter: doc(t, `{"field":"lifecycle","value":"lead"}`)})
	w.lists(t, w.Admin, "view="+v.ID.String(), hers, his)
	w.lists(t, w.rep, "view="+v.ID.String(), hers)
	w.lists(t, w.Admin, "view="+v.ID.String()+"&last_name=His", his)
	me := w.view(t, w.Admin, objects.View{Name: "Mine", Object: "contact", Sharing: objects.Everyone, Filter: doc(t, `{"and":[{"field":"owner_id","value":"me"},{"field":"created_at","value":"today"}]}`)})
	w.lists(t, w.rep, "view="+me.ID.String(), hers)
	if raw, _ := json.Marshal(me.Filter); string(raw) != `{"and":[{"field":"owner_id","op":"eq","value":"me"},{"field":"created_at","op":"eq","value":"today"}]}` {
		t.Errorf("stored as %s", raw)
	}
	if _, err := w.list(w.Other, "view="+v.ID.String()); errs.KindOf(err) != errs.NotFound {
		t.Errorf("another tenant: %v", err)
	}
}

func TestABrokenViewSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.K.AddCustomFields(w.Admin, []record.CustomField{{Object: "contact", Name: "tier", Type: "text"}}); err != nil {
		t.Fatal(err)
	}
	v := w.view(t, w.Admin, objects.View{Name: "Gold", Object: "contact", Filter: doc(t, `{"field":"custom.tier","value":"gold"}`)})
	if _, err := w.SQL.Owner.Exec(t.Context(), `update saved_views set filter = replace(filter::text, 'tier', 'gone')::jsonb`); err != nil {
		t.Fatal(err)
	}
	_, err := w.list(w.Admin, "view="+v.ID.String())
	if e := errs.As(err); e == nil || e.Code != "broken_view" {
		t.Errorf("%v", err)
	}
	for _, bad := range []objects.View{
		{Name: "x", Object: "nothing"},
		{Name: "x", Object: "contact", Filter: doc(t, `{"field":"nope","value":1}`)},
		{Name: "x", Object: "contact", Filter: "text"},
		{Name: "x", Object: "contact", Sort: "nope"},
		{Name: "x", Object: "contact", Columns: []string{"nope"}},
		{Name: "x", Object: "contact", GroupBy: "nope"},
	} {
		if _, err := w.Views.Create(w.Admin, &bad); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestDynamicSegmentsAreForTheReader(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hers, his := w.contact(t, w.rep, "Hers", "lead"), w.contact(t, w.Admin, "His", "lead")
	w.contact(t, w.Admin, "Other", "customer")
	g := w.segment(t, w.Admin, objects.Segment{Name: "Leads", Object: "contact", Filter: doc(t, `{"field":"lifecycle","value":"lead"}`)})
	w.lists(t, w.Admin, "segment="+g.ID.String(), hers, his)
	w.lists(t, w.rep, "segment="+g.ID.String(), hers)
	w.lists(t, w.Admin, "segment[in]="+g.ID.String()+"&last_name=His", his)
	if n, err := w.Count(w.rep, g.ID); n != 1 || err != nil {
		t.Errorf("count %d %v", n, err)
	}
	if out := w.segment(t, w.Admin, objects.Segment{Name: "Not", Object: "contact", Filter: doc(t, `{"field":"segment","op":"ne","value":"`+g.ID.String()+`"}`)}); out != nil {
		if n, err := w.Count(w.Admin, out.ID); n != 1 || err != nil {
			t.Errorf("those outside: %d %v", n, err)
		}
	}
	if _, err := w.list(w.Other, "segment="+g.ID.String()); errs.KindOf(err) != errs.Malformed {
		t.Errorf("another tenant: %v", err)
	}
	if _, err := w.ChangeMembers(w.Admin, g.ID, []uuid.UUID{his}, nil); errs.KindOf(err) != errs.Conflict {
		t.Errorf("members of a dynamic segment: %v", err)
	}
	loop := doc(t, `{"field":"segment","value":"`+g.ID.String()+`"}`)
	if _, err := w.Segments.One(w.Admin, record.Operation{Kind: record.OpUpdate, ID: g.ID, Patch: record.Patch{"filter": loop}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.list(w.Admin, "segment="+g.ID.String()); errs.KindOf(err) != errs.Malformed {
		t.Errorf("a segment of itself: %v", err)
	}
}

func TestStaticSegmentsHoldWhatTheirMakerSees(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hers, his, third := w.contact(t, w.rep, "Hers", "lead"), w.contact(t, w.Admin, "His", "lead"), w.contact(t, w.rep, "Third", "lead")
	g := w.segment(t, w.rep, objects.Segment{Name: "Fair", Object: "contact", Kind: objects.Static})
	got, err := w.ChangeMembers(w.rep, g.ID, []uuid.UUID{hers, his, third, hers, uuid.Nil}, nil)
	if err != nil || got.Added != 2 || !slices.Equal(got.Missing, []uuid.UUID{his, uuid.Nil}) {
		t.Fatalf("%+v %v", got, err)
	}
	if again, err := w.ChangeMembers(w.rep, g.ID, []uuid.UUID{hers}, []uuid.UUID{third, his}); err != nil || again.Added != 0 || again.Removed != 1 {
		t.Errorf("again: %+v %v", again, err)
	}
	if _, err := w.ChangeMembers(w.Admin, g.ID, []uuid.UUID{his}, nil); err != nil {
		t.Errorf("an admin adds: %v", err)
	}
	if _, err := w.ChangeMembers(w.manager, g.ID, []uuid.UUID{hers}, nil); errs.KindOf(err) != errs.Forbidden {
		t.Errorf("a colleague changes it: %v", err)
	}
	if _, err := w.ChangeMembers(w.Other, g.ID, nil, nil); errs.KindOf(err) != errs.NotFound {
		t.Errorf("another tenant: %v", err)
	}
	w.lists(t, w.Admin, "segment="+g.ID.String(), hers, his)
	w.lists(t, w.rep, "segment="+g.ID.String(), hers)
	w.lists(t, w.Admin, "segment[not_in]="+g.ID.String(), third)
	if _, err := w.contacts.One(w.Admin, record.Operation{Kind: record.OpDelete, ID: his}); err != nil {
		t.Fatal(err)
	}
	if n, err := w.Count(w.Admin, g.ID); n != 1 || err != nil {
		t.Errorf("one lies in the bin: %d %v", n, err)
	}
	told, err := w.K.Timeline(w.Admin, "segment", g.ID, 0, 10)
	if err != nil || told[0].Action != "members_changed" || len(told) != 4 {
		t.Errorf("the journal tells %v %v", told, err)
	}
	if _, err := w.Segments.One(w.rep, record.Operation{Kind: record.OpUpdate, ID: g.ID, Patch: record.Patch{"kind": "dynamic"}}); errs.KindOf(err) != errs.Invalid {
		t.Errorf("another kind: %v", err)
	}
}

func TestSnapshotKeepsWhoWasThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.contact(t, w.Admin, "A", "lead")
	g := w.segment(t, w.Admin, objects.Segment{Name: "Leads", Object: "contact", Filter: doc(t, `{"field":"lifecycle","value":"lead"}`)})
	fixed, err := w.Snapshot(w.Admin, g.ID, "")
	if err != nil || fixed.Kind != objects.Static {
		t.Fatalf("%+v %v", fixed, err)
	}
	b := w.contact(t, w.Admin, "B", "lead")
	w.lists(t, w.Admin, "segment="+g.ID.String(), a, b)
	w.lists(t, w.Admin, "segment="+fixed.ID.String(), a)
	if _, err := w.Snapshot(w.Other, g.ID, ""); errs.KindOf(err) != errs.NotFound {
		t.Errorf("another tenant: %v", err)
	}
}
