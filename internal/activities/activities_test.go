package activities_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/activities"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/record"
	"crm/internal/record/recordtest"
)

// person and opportunity stand in for the objects of the neighbouring contexts,
// over their real tables: contexts never import each other.
type person struct {
	record.Base
	LastName string `crm:"last_name,text,title"`
}

type opportunity struct {
	record.Base
	Name           string     `crm:"name,text,required,title"`
	PipelineID     *uuid.UUID `crm:"pipeline_id,relation,target=pipeline"`
	StageID        *uuid.UUID `crm:"stage_id,relation,target=stage"`
	NextActivityAt *time.Time `crm:"next_activity_at,datetime,readonly"`
}

type world struct {
	*recordtest.Env
	s             *activities.Service
	people        *record.Store[person]
	opportunities *record.Store[opportunity]
	pipeline      uuid.UUID
	stage         uuid.UUID
}

// SetNextActivity is the port, the way the deals context keeps it.
func (w *world) SetNextActivity(ctx context.Context, _ pgx.Tx, deals map[uuid.UUID]*time.Time) error {
	ctx = auth.As(ctx, func(a *auth.Actor) { a.Grants = auth.AllGrants() })
	var ops []record.Operation
	for deal, at := range deals {
		p := record.Patch{"next_activity_at": nil}
		if at != nil {
			p["next_activity_at"] = *at
		}
		ops = append(ops, record.Operation{Kind: record.OpUpdate, ID: deal, Patch: p})
	}
	_, err := w.opportunities.Apply(ctx, ops, false)
	return err
}

func setup(t *testing.T) *world {
	t.Helper()
	w := &world{Env: recordtest.New(t), pipeline: id.New(), stage: id.New()}
	var err error
	if w.people, err = record.Register[person](w.K, record.Definition{Name: "contact", Plural: "contacts", Label: "Contact", LabelPlural: "Contacts", Owned: true}, record.HooksFor[person]{}); err != nil {
		t.Fatal(err)
	}
	if w.opportunities, err = record.Register[opportunity](w.K, record.Definition{Name: "deal", Plural: "deals", Label: "Deal", LabelPlural: "Deals", Owned: true}, record.HooksFor[opportunity]{}); err != nil {
		t.Fatal(err)
	}
	if w.s, err = activities.New(activities.Deps{Kernel: w.K, Now: time.Now, Log: slog.New(slog.DiscardHandler), Next: w}); err != nil {
		t.Fatal(err)
	}
	w.exec(t, `insert into pipelines (tenant_id, id, name, created_at, updated_at) values ($1, $2, 'Sales', now(), now())`, w.Tenant, w.pipeline)
	w.exec(t, `insert into stages (tenant_id, id, pipeline_id, name, position, probability, created_at, updated_at) values ($1, $2, $3, 'First', 1, 10, now(), now())`, w.Tenant, w.stage, w.pipeline)
	return w
}

func (w *world) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := w.SQL.Owner.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func (w *world) person(t *testing.T, ctx context.Context) uuid.UUID {
	t.Helper()
	p, err := w.people.Create(ctx, &person{LastName: "Smith"})
	if err != nil {
		t.Fatal(err)
	}
	return p.ID
}

func (w *world) deal(t *testing.T, ctx context.Context) uuid.UUID {
	t.Helper()
	d, err := w.opportunities.Create(ctx, &opportunity{Name: "Deal", PipelineID: &w.pipeline, StageID: &w.stage})
	if err != nil {
		t.Fatal(err)
	}
	return d.ID
}

func (w *world) next(t *testing.T, deal uuid.UUID) *time.Time {
	t.Helper()
	d, err := w.opportunities.Get(w.Admin, deal)
	if err != nil {
		t.Fatal(err)
	}
	return d.NextActivityAt
}

func (w *world) links(t *testing.T, activity uuid.UUID) int {
	t.Helper()
	var n int
	if err := w.SQL.Owner.QueryRow(t.Context(), `select count(*) from activity_links where activity_id = $1`, activity).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func about(pairs ...any) any {
	var out []any
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, map[string]any{"object": pairs[i], "id": pairs[i+1].(uuid.UUID).String()})
	}
	return out
}

func (w *world) make(t *testing.T, ctx context.Context, a activities.Activity) *activities.Activity {
	t.Helper()
	if a.Type == "" {
		a.Type = activities.Task
	}
	made, err := w.s.Activities.Create(ctx, &a)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (w *world) update(ctx context.Context, activity uuid.UUID, p record.Patch) error {
	_, err := w.s.Activities.One(ctx, record.Operation{Kind: record.OpUpdate, ID: activity, Patch: p})
	return err
}

func day(n int) *time.Time {
	d := time.Date(2026, 12, n, 9, 0, 0, 0, time.UTC)
	return &d
}

func TestLinksAndTimelinesFollowTheRelatedList(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ann, bob := w.person(t, w.Rep), w.person(t, w.Rep)
	call := w.make(t, w.Rep, activities.Activity{Type: activities.Call, Subject: "Ring", Related: about("contacts", ann, "contact", bob)})
	if w.links(t, call.ID) != 2 {
		t.Errorf("%d links", w.links(t, call.ID))
	}
	for _, who := range []uuid.UUID{ann, bob} {
		entries, err := w.K.Timeline(w.Rep, "contact", who, 0, 10)
		if err != nil || len(entries) != 2 || entries[0].Type() != "activity.created" {
			t.Errorf("timeline %+v, %v", entries, err)
		}
		page, err := w.s.ForRecord(w.Rep, "contact", who, record.Query{})
		if err != nil || len(page.Records) != 1 || page.Records[0].ID() != call.ID {
			t.Errorf("for record: %+v, %v", page, err)
		}
	}
	if err := w.update(w.Rep, call.ID, record.Patch{"related": about("contact", bob)}); err != nil {
		t.Fatal(err)
	}
	page, err := w.s.ForRecord(w.Rep, "contact", ann, record.Query{})
	if err != nil || len(page.Records) != 0 || w.links(t, call.ID) != 1 {
		t.Errorf("after unlinking: %+v, %v, %d links", page, err, w.links(t, call.ID))
	}
	entries, err := w.K.Timeline(w.Rep, "activity", call.ID, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.K.Undo(w.Rep, entries[0].Seq); err != nil || w.links(t, call.ID) != 2 {
		t.Errorf("after undo: %v, %d links", err, w.links(t, call.ID))
	}
}

func TestRelatedMustBeVisible(t *testing.T) {
	t.Parallel()
	w := setup(t)
	mine, hidden, theirs, gone := w.person(t, w.Rep), w.person(t, w.Admin), w.person(t, w.Other), w.person(t, w.Rep)
	if _, err := w.people.One(w.Rep, record.Operation{Kind: record.OpDelete, ID: gone}); err != nil {
		t.Fatal(err)
	}
	for name, related := range map[string]any{
		"hidden": about("contact", mine, "contact", hidden), "another tenant's": about("contact", theirs), "in the bin": about("contact", gone),
		"of another object": about("deal", mine), "no object": about("starship", mine), "a setting": about("lead_form", mine),
	} {
		if _, err := w.s.Activities.Create(w.Rep, &activities.Activity{Type: "task", Subject: "x", Related: related}); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What is in the list already may stay when the record is taken away.
	task := w.make(t, w.Rep, activities.Activity{Subject: "x", Related: about("contact", mine)})
	if _, err := w.people.One(w.Admin, record.Operation{Kind: record.OpUpdate, ID: mine, Patch: record.Patch{"owner_id": w.AdminID}}); err != nil {
		t.Fatal(err)
	}
	other := w.person(t, w.Rep)
	if err := w.update(w.Rep, task.ID, record.Patch{"related": about("contact", mine, "contact", other)}); err != nil {
		t.Errorf("keep a hidden one: %v", err)
	}
	if _, err := w.s.ForRecord(w.Rep, "contact", mine, record.Query{}); errs.KindOf(err) != errs.NotFound {
		t.Errorf("activities of a hidden record: %v", err)
	}
	if _, err := w.s.ForRecord(w.Other, "contact", other, record.Query{}); errs.KindOf(err) != errs.NotFound {
		t.Errorf("activities of another tenant: %v", err)
	}
}

func TestManyActivitiesInOneSave(t *testing.T) {
	t.Parallel()
	w := setup(t)
	who, deal := w.person(t, w.Admin), w.deal(t, w.Admin)
	var ops []record.Operation
	for i := range 500 {
		ops = append(ops, record.Operation{Kind: record.OpCreate, Patch: record.Patch{"type": "task", "subject": "x", "due_at": day(1 + i%28).UTC(), "related": about("contact", who, "deal", deal)}})
	}
	if _, err := w.s.Activities.Apply(w.Admin, ops, true); err != nil {
		t.Fatal(err)
	}
	page, err := w.s.ForRecord(w.Admin, "contact", who, record.Query{Limit: 200, Count: true})
	if err != nil || *page.Count != 500 || page.Next == "" {
		t.Errorf("%d rows, next %q, %v", len(page.Records), page.Next, err)
	}
	if at := w.next(t, deal); at == nil || !at.Equal(*day(1)) {
		t.Errorf("next activity %v", at)
	}
}

func TestNotesAndRules(t *testing.T) {
	t.Parallel()
	w := setup(t)
	note := w.make(t, w.Rep, activities.Activity{Type: activities.Note, Body: "Likes tea\nand biscuits"})
	if note.Subject != "Likes tea" {
		t.Errorf("subject %q", note.Subject)
	}
	minutes := int64(-1)
	for name, a := range map[string]activities.Activity{
		"a task without a subject": {Type: "task", Body: "x"}, "an empty note": {Type: "note"}, "negative": {Type: "call", Subject: "x", DurationMinutes: &minutes},
		"odd attendees": {Type: "meeting", Subject: "x", Attendees: "ada"},
	} {
		if _, err := w.s.Activities.Create(w.Rep, &a); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCompleteAndReopen(t *testing.T) {
	t.Parallel()
	w := setup(t)
	who := w.person(t, w.Rep)
	task := w.make(t, w.Rep, activities.Activity{Subject: "Ring", DueAt: day(1), Related: about("contact", who)})
	for range 2 {
		done, err := w.s.Complete(w.Rep, task.ID, "Reached")
		if err != nil || done.DoneAt == nil || done.Outcome != "Reached" || done.Version != 2 {
			t.Fatalf("%+v, %v", done, err)
		}
	}
	open, err := w.s.Reopen(w.Rep, task.ID)
	if err != nil || open.DoneAt != nil || open.Outcome != "Reached" {
		t.Fatalf("%+v, %v", open, err)
	}
	entries, err := w.K.Timeline(w.Rep, "contact", who, 0, 10)
	if err != nil || len(entries) != 4 || entries[0].Type() != "activity.reopened" || entries[1].Type() != "activity.completed" {
		t.Errorf("timeline %+v, %v", entries, err)
	}
	if _, err := w.K.Undo(w.Rep, entries[0].Seq); err != nil {
		t.Fatal(err)
	}
	if got, _ := w.s.Activities.Get(w.Rep, task.ID); got.DoneAt == nil {
		t.Error("undo of reopening left it open")
	}
	for name, ctx := range map[string]context.Context{"another tenant": w.Other} {
		if _, err := w.s.Complete(ctx, task.ID, ""); errs.KindOf(err) != errs.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	adminTask := w.make(t, w.Admin, activities.Activity{Subject: "Secret"})
	if _, err := w.s.Complete(w.Rep, adminTask.ID, ""); errs.KindOf(err) != errs.NotFound {
		t.Errorf("a rep completes somebody else's: %v", err)
	}
}

func TestDue(t *testing.T) {
	t.Parallel()
	w := setup(t)
	late := w.make(t, w.Rep, activities.Activity{Subject: "late", DueAt: day(1)})
	soon := w.make(t, w.Rep, activities.Activity{Subject: "soon", DueAt: day(3)})
	w.make(t, w.Rep, activities.Activity{Subject: "far", DueAt: day(9)})
	w.make(t, w.Rep, activities.Activity{Subject: "some day"})
	done := w.make(t, w.Rep, activities.Activity{Subject: "done", DueAt: day(2)})
	w.make(t, w.Admin, activities.Activity{Subject: "the admin's", DueAt: day(2)})
	if _, err := w.s.Complete(w.Rep, done.ID, ""); err != nil {
		t.Fatal(err)
	}
	got, err := w.s.Due(w.Rep, w.RepID, *day(3))
	if err != nil || len(got) != 2 || got[0].ID != late.ID || got[1].ID != soon.ID {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := w.s.Due(w.Rep, w.AdminID, *day(9)); err != nil || len(got) != 0 {
		t.Errorf("a rep sees the admin's day: %+v, %v", got, err)
	}
}

func TestDealsFollowTheirNextActivity(t *testing.T) {
	t.Parallel()
	w := setup(t)
	deal, second := w.deal(t, w.Rep), w.deal(t, w.Rep)
	at := func(deal uuid.UUID, want *time.Time, after string) {
		t.Helper()
		got := w.next(t, deal)
		if (got == nil) != (want == nil) || (got != nil && !got.Equal(*want)) {
			t.Errorf("after %s: %v, want %v", after, got, want)
		}
	}
	later := w.make(t, w.Rep, activities.Activity{Subject: "later", DueAt: day(9), Related: about("deal", deal)})
	at(deal, day(9), "the first task")
	early := w.make(t, w.Rep, activities.Activity{Subject: "early", DueAt: day(2), Related: about("deal", deal, "deal", second)})
	at(deal, day(2), "an earlier task")
	at(second, day(2), "an earlier task of both")
	if _, err := w.s.Complete(w.Rep, early.ID, ""); err != nil {
		t.Fatal(err)
	}
	at(deal, day(9), "completing it")
	at(second, nil, "completing its only one")
	if err := w.update(w.Rep, later.ID, record.Patch{"due_at": day(5).UTC()}); err != nil {
		t.Fatal(err)
	}
	at(deal, day(5), "moving it")
	if err := w.update(w.Rep, later.ID, record.Patch{"related": about("deal", second)}); err != nil {
		t.Fatal(err)
	}
	at(deal, nil, "moving it to another deal")
	at(second, day(5), "getting it")
	if _, err := w.s.Activities.One(w.Rep, record.Operation{Kind: record.OpDelete, ID: later.ID}); err != nil {
		t.Fatal(err)
	}
	at(second, nil, "deleting it")
	if _, err := w.s.Activities.One(w.Rep, record.Operation{Kind: record.OpRestore, ID: later.ID}); err != nil {
		t.Fatal(err)
	}
	at(second, day(5), "restoring it")
}

func TestNextActivityUnderConcurrency(t *testing.T) {
	t.Parallel()
	w := setup(t)
	deal := w.deal(t, w.Rep)
	var list []*activities.Activity
	for i := range 12 {
		list = append(list, w.make(t, w.Rep, activities.Activity{Subject: "x", DueAt: day(i + 1), Related: about("deal", deal)}))
	}
	var wg sync.WaitGroup
	for _, a := range list[:11] {
		wg.Go(func() {
			if _, err := w.s.Complete(w.Rep, a.ID, ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if at := w.next(t, deal); at == nil || !at.Equal(*day(12)) {
		t.Errorf("next activity %v, want the only open one", at)
	}
}
