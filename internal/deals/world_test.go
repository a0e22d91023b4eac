package deals_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/deals"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/money"
	"crm/internal/record"
	"crm/internal/record/recordtest"
)

// company and person stand in for the objects of other contexts.
type company struct {
	record.Base
	Name string `crm:"name,text,required,title"`
}

type person struct {
	record.Base
	Name   string     `crm:"name,text,required,title"`
	RoleID *uuid.UUID `crm:"role_id,relation,target=role"`
}

type world struct {
	*recordtest.Env
	s         *deals.Service
	companies *record.Store[company]
	clock     *clock
	stages    map[string]uuid.UUID // of the default pipeline, by name
	pipeline  uuid.UUID
}

// clock is the test's own time; it stands still until it is set.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

var start = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Env: recordtest.New(t), clock: &clock{t: start}, stages: map[string]uuid.UUID{}}
	w.K.Now = w.clock.now
	var err error
	if w.companies, err = record.Register[company](w.K, record.Definition{Name: "account", Plural: "accounts", Label: "Company", LabelPlural: "Companies", Owned: true}, record.HooksFor[company]{}); err != nil {
		t.Fatal(err)
	}
	if _, err = record.Register[person](w.K, record.Definition{Name: "user", Plural: "users", Label: "User", LabelPlural: "Users"}, record.HooksFor[person]{}); err != nil {
		t.Fatal(err)
	}
	if w.s, err = deals.New(deals.Deps{Kernel: w.K, Now: w.clock.now}); err != nil {
		t.Fatal(err)
	}
	p := must(w.s.DefaultPipeline(w.Admin))(t)
	w.pipeline = p.ID
	for _, st := range must(w.s.PipelineStages(w.Admin, p.ID))(t) {
		w.stages[st.Name] = st.ID
	}
	return w
}

// must takes the result of a call that has to succeed: must(f())(t).
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func eur(minor int64) *money.Amount { return &money.Amount{Minor: minor, Currency: "EUR"} }

// deal makes one in a stage of the default pipeline.
func (w *world) deal(t testing.TB, ctx context.Context, name, stage string) *deals.Deal {
	t.Helper()
	st := w.stages[stage]
	return must(w.s.Deals.Create(ctx, &deals.Deal{Name: name, StageID: &st, Amount: eur(100_000)}))(t)
}

func (w *world) stageName(id *uuid.UUID) string {
	for name, st := range w.stages {
		if id != nil && *id == st {
			return name
		}
	}
	return "?"
}

// last is the newest journal row of a deal.
func (w *world) last(t testing.TB, id uuid.UUID) record.Entry {
	t.Helper()
	entries := must(w.K.Timeline(w.Admin, "deal", id, 0, 1))(t)
	if len(entries) == 0 {
		t.Fatalf("deal %s has no journal", id)
	}
	return entries[0]
}

// onBoard lists the names of a stage's cards from the top.
func (w *world) onBoard(t testing.TB, ctx context.Context, stage string) []string {
	t.Helper()
	b := must(w.s.Board(ctx, deals.BoardInput{}))(t)
	names := []string{}
	for _, c := range b.Columns {
		if c.Stage.Name != stage {
			continue
		}
		for _, r := range c.Deals {
			names = append(names, r.Title())
		}
	}
	return names
}

func wantField(t *testing.T, err error, field, code string) {
	t.Helper()
	e := errs.As(err)
	if e == nil || e.Kind != errs.Invalid || len(e.Fields) == 0 || e.Fields[0].Field != field || e.Fields[0].Code != code {
		t.Fatalf("got %v, want %s refused with %s", err, field, code)
	}
}

func wantKind(t *testing.T, err error, kind errs.Kind) {
	t.Helper()
	if errs.KindOf(err) != kind || err == nil {
		t.Fatalf("got %v, want kind %d", err, kind)
	}
}

func importing(ctx context.Context) context.Context {
	return auth.As(ctx, func(a *auth.Actor) { a.Via = auth.ViaImport })
}
