package deals_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/deals"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/record"
)

// boardOrder queries a stage from the top.
func boardOrder(w *world, stage string) record.Query {
	return record.Query{Limit: 200, Sort: "position", Filter: w.s.Deals.Where("stage_id", record.Eq, w.stages[stage])}
}

func TestDefaultPipelineIsMadeOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var wg sync.WaitGroup
	failed := make([]error, 8)
	for i := range failed {
		wg.Go(func() {
			if i%2 == 0 {
				failed[i] = w.s.EnsureDefaultPipeline(w.Other)
				return
			}
			_, failed[i] = w.s.Deals.Create(w.Other, &deals.Deal{Name: "made lazily"})
		})
	}
	wg.Wait()
	for _, err := range failed {
		if err != nil {
			t.Fatal(err)
		}
	}
	found := must(w.s.Pipelines.Find(w.Other, record.Query{}))(t)
	if len(found) != 1 || found[0].Name != "Sales" || !found[0].IsDefault {
		t.Fatalf("pipelines %+v", found)
	}
	stages := must(w.s.PipelineStages(w.Other, found[0].ID))(t)
	want := []struct {
		name        string
		kind        string
		probability int64
	}{{"Prospecting", "open", 10}, {"Engaging", "open", 30}, {"Proposal", "open", 50}, {"Negotiation", "open", 80}, {"Won", "won", 100}, {"Lost", "lost", 0}}
	if len(stages) != len(want) {
		t.Fatalf("%d stages", len(stages))
	}
	for i, st := range stages {
		if st.Name != want[i].name || st.Kind != want[i].kind || *st.Probability != want[i].probability {
			t.Errorf("stage %d is %+v", i, st)
		}
	}
	// A rep may not make pipelines, but their first deal may need one.
	if st := must(w.s.StageByName(w.Rep, uuid.Nil, "engaging"))(t); st.ID != w.stages["Engaging"] {
		t.Fatalf("by name %+v", st)
	}
}

func TestOneDefault(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := must(w.s.Pipelines.Create(w.Admin, &deals.Pipeline{Name: "New", IsDefault: true, Currency: "usd"}))(t)
	old := must(w.s.Pipelines.Get(w.Admin, w.pipeline))(t)
	if old.IsDefault || p.Currency != "USD" {
		t.Fatalf("old %+v, new %+v", old, p)
	}
	if got := must(w.s.DefaultPipeline(w.Admin))(t); got.ID != p.ID {
		t.Fatalf("the default is %s", got.Name)
	}
	_, err := w.s.Deals.Create(w.Admin, &deals.Deal{Name: "no stage to begin at"})
	wantField(t, err, "stage_id", "no_such_stage")
	update := func(id uuid.UUID, p record.Patch) error {
		_, err := w.s.Pipelines.One(w.Admin, record.Operation{Kind: record.OpUpdate, ID: id, Patch: p})
		return err
	}
	wantField(t, update(p.ID, record.Patch{"is_default": false}), "is_default", "needs_a_default")
	wantField(t, update(p.ID, record.Patch{"currency": "euro"}), "currency", "not_a_currency")
	_, err = w.s.Pipelines.One(w.Admin, record.Operation{Kind: record.OpDelete, ID: p.ID})
	wantKind(t, err, errs.Conflict)
	if err := update(w.pipeline, record.Patch{"is_default": true}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.s.Pipelines.One(w.Admin, record.Operation{Kind: record.OpDelete, ID: p.ID}); err != nil {
		t.Fatal(err)
	}
	_, err = w.s.Pipelines.Create(w.Admin, &deals.Pipeline{Name: "Sales"})
	wantKind(t, err, errs.Conflict)
	_, err = w.s.Pipelines.Create(w.Rep, &deals.Pipeline{Name: "Mine"})
	wantKind(t, err, errs.Forbidden)
}

func TestStagesInUseStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.deal(t, w.Admin, "d", "Engaging")
	change := func(kind record.OpKind, stage string, p record.Patch) error {
		_, err := w.s.Stages.One(w.Admin, record.Operation{Kind: kind, ID: w.stages[stage], Patch: p})
		return err
	}
	wantKind(t, change(record.OpDelete, "Engaging", nil), errs.Conflict)
	wantKind(t, change(record.OpUpdate, "Engaging", record.Patch{"kind": "won"}), errs.Conflict)
	wantField(t, change(record.OpUpdate, "Won", record.Patch{"probability": int64(90)}), "probability", "fixed")
	wantField(t, change(record.OpUpdate, "Engaging", record.Patch{"probability": int64(120)}), "probability", "out_of_range")
	wantField(t, change(record.OpUpdate, "Engaging", record.Patch{"stale_days": int64(0)}), "stale_days", "out_of_range")
	_, err := w.s.Pipelines.One(w.Admin, record.Operation{Kind: record.OpDelete, ID: w.pipeline})
	wantKind(t, err, errs.Conflict)
	for _, name := range []string{"Prospecting", "Proposal", "Negotiation"} {
		if err := change(record.OpDelete, name, nil); err != nil {
			t.Fatal(name, err)
		}
	}
	must(w.s.Win(w.Admin, d.ID, 0))(t)
	wantKind(t, change(record.OpDelete, "Engaging", nil), errs.Conflict) // the last open one
	// Its probability may change; the deal in it keeps what it has.
	if err := change(record.OpUpdate, "Engaging", record.Patch{"probability": int64(35), "name": "Talking"}); err != nil {
		t.Fatal(err)
	}
	other := must(w.s.Pipelines.Create(w.Admin, &deals.Pipeline{Name: "Other"}))(t)
	wantField(t, change(record.OpUpdate, "Engaging", record.Patch{"pipeline_id": other.ID}), "pipeline_id", "fixed")
	st := must(w.s.Stages.Create(w.Admin, &deals.Stage{Name: "Done", Kind: "won", PipelineID: &other.ID}))(t)
	if *st.Probability != 100 || *st.Position != 1 {
		t.Fatalf("%+v", st)
	}
	unknown := id.New()
	_, err = w.s.Stages.Create(w.Admin, &deals.Stage{Name: "x", PipelineID: &unknown})
	wantField(t, err, "pipeline_id", "unknown_pipeline")
	_, err = w.s.Stages.Create(w.Admin, &deals.Stage{Name: "x"})
	wantField(t, err, "pipeline_id", "required")
}

// A deal whose stage was deleted under it, as a race may leave it, is still on
// the board.
func TestDealInADeletedStageIsSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.deal(t, w.Admin, "left behind", "Proposal")
	if _, err := w.SQL.Owner.Exec(t.Context(), `update stages set deleted_at = now() where id = $1`, w.stages["Proposal"]); err != nil {
		t.Fatal(err)
	}
	if got := w.onBoard(t, w.Admin, "Proposal"); len(got) != 1 {
		t.Fatalf("the board shows %v", got)
	}
	must(w.s.Deals.One(w.Admin, record.Operation{Kind: record.OpUpdate, ID: d.ID, Patch: record.Patch{"name": "still editable"}}))(t)
	must(w.s.Move(w.Admin, d.ID, deals.MoveInput{StageID: w.stages["Engaging"]}))(t)
	_, err := w.s.Move(w.Admin, d.ID, deals.MoveInput{StageID: w.stages["Proposal"]})
	wantField(t, err, "stage_id", "deleted_stage")
}

func TestSetNextActivity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.deal(t, w.Admin, "a", "Engaging"), w.deal(t, w.Admin, "b", "Engaging")
	due := start.Add(48 * time.Hour)
	set := func(m map[uuid.UUID]*time.Time) {
		t.Helper()
		err := w.DB.Tx(w.Admin, func(ctx context.Context, tx pgx.Tx) error { return w.s.SetNextActivity(ctx, tx, m) })
		if err != nil {
			t.Fatal(err)
		}
	}
	set(map[uuid.UUID]*time.Time{a.ID: &due, b.ID: &due, id.New(): &due})
	set(map[uuid.UUID]*time.Time{b.ID: nil})
	set(nil)
	gotA, gotB := must(w.s.Deals.Get(w.Admin, a.ID))(t), must(w.s.Deals.Get(w.Admin, b.ID))(t)
	if gotA.NextActivityAt == nil || !gotA.NextActivityAt.Equal(due) || gotB.NextActivityAt != nil || gotA.Version != 1 {
		t.Fatalf("a %+v, b %+v", gotA, gotB)
	}
	// Another tenant's ids are nobody's.
	err := w.DB.Tx(w.Other, func(ctx context.Context, tx pgx.Tx) error {
		return w.s.SetNextActivity(ctx, tx, map[uuid.UUID]*time.Time{a.ID: nil})
	})
	if got := must(w.s.Deals.Get(w.Admin, a.ID))(t); err != nil || got.NextActivityAt == nil {
		t.Fatalf("another tenant cleared it: %v", err)
	}
}
