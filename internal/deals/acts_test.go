package deals_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/deals"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/record"
)

func TestCreateFillsWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := must(w.s.Deals.Create(w.Rep, &deals.Deal{Name: "Big one", Amount: eur(99_999)}))(t)
	if *d.PipelineID != w.pipeline || w.stageName(d.StageID) != "Prospecting" || *d.Probability != 10 || d.WeightedAmount.Minor != 10_000 ||
		d.Status != deals.Open || d.ForecastCategory != deals.CategoryPipeline || !d.StageEnteredAt.Equal(start) || d.ClosedAt != nil || *d.OwnerID != w.RepID {
		t.Fatalf("created %+v", d)
	}
	got := must(w.s.Deals.Get(w.Rep, d.ID))(t)
	if *got.Position != *d.Position || got.WeightedAmount.Minor != 10_000 || got.Version != 1 {
		t.Fatalf("read back %+v", got)
	}
	_, err := w.s.Deals.Create(w.Rep, &deals.Deal{})
	wantField(t, err, "name", "required")
	lost := w.stages["Lost"]
	_, err = w.s.Deals.Create(w.Admin, &deals.Deal{Name: "x", StageID: &lost})
	wantField(t, err, "lost_reason", "required")
}

// Every act has its word in the journal, and undo brings everything back.
func TestActsAndUndo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	type act func(ctx context.Context, id uuid.UUID) (*deals.Deal, error)
	move := func(stage, reason string) act {
		return func(ctx context.Context, id uuid.UUID) (*deals.Deal, error) {
			return w.s.Move(ctx, id, deals.MoveInput{StageID: w.stages[stage], LostReason: reason})
		}
	}
	patch := func(p record.Patch) act {
		return func(ctx context.Context, id uuid.UUID) (*deals.Deal, error) {
			res, err := w.s.Deals.One(ctx, record.Operation{Kind: record.OpUpdate, ID: id, Patch: p})
			if err != nil {
				return nil, err
			}
			return record.To[deals.Deal](res.Record), nil
		}
	}
	win := func(ctx context.Context, id uuid.UUID) (*deals.Deal, error) { return w.s.Win(ctx, id, 0) }
	lose := func(ctx context.Context, id uuid.UUID) (*deals.Deal, error) {
		return w.s.Lose(ctx, id, "too dear", 0)
	}
	reopen := func(ctx context.Context, id uuid.UUID) (*deals.Deal, error) { return w.s.Reopen(ctx, id, 0) }
	tests := []struct {
		name   string
		from   string
		before act // brings the deal into the state the act starts from
		act    act
		word   string
		stage  string
		status string
	}{
		{"move", "Engaging", nil, move("Proposal", ""), "moved", "Proposal", deals.Open},
		{"move into won", "Engaging", nil, move("Won", ""), "won", "Won", deals.Won},
		{"move into lost", "Engaging", nil, move("Lost", "no budget"), "lost", "Lost", deals.Lost},
		{"move out of won", "Engaging", win, move("Proposal", ""), "reopened", "Proposal", deals.Open},
		{"win", "Negotiation", nil, win, "won", "Won", deals.Won},
		{"win a lost one", "Negotiation", lose, win, "won", "Won", deals.Won},
		{"lose", "Negotiation", nil, lose, "lost", "Lost", deals.Lost},
		{"reopen a lost one where it was", "Negotiation", lose, reopen, "reopened", "Negotiation", deals.Open},
		{"reopen a won one where it was", "Engaging", win, reopen, "reopened", "Engaging", deals.Open},
		{"reopen one that was made closed", "Won", nil, reopen, "reopened", "Prospecting", deals.Open},
		{"patch the stage", "Engaging", nil, patch(record.Patch{"stage_id": w.stages["Won"], "amount": *eur(5)}), "won", "Won", deals.Won},
		{"patch the status", "Engaging", nil, patch(record.Patch{"status": "lost", "lost_reason": "x"}), "lost", "Lost", deals.Lost},
		{"patch something else", "Engaging", nil, patch(record.Patch{"name": "New"}), "updated", "Engaging", deals.Open},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := w.deal(t, w.Admin, tt.name, tt.from)
			if tt.before != nil {
				d = must(tt.before(w.Admin, d.ID))(t)
			}
			w.clock.set(w.clock.now().Add(time.Hour))
			after := must(tt.act(w.Admin, d.ID))(t)
			if w.stageName(after.StageID) != tt.stage || after.Status != tt.status || after.Version != d.Version+1 {
				t.Fatalf("after the act %+v", after)
			}
			if closed := after.ClosedAt != nil; closed != (tt.status != deals.Open) || closed && !after.ClosedAt.Equal(w.clock.now()) {
				t.Fatalf("closed at %v", after.ClosedAt)
			}
			e := w.last(t, d.ID)
			if e.Action != tt.word {
				t.Fatalf("the journal says %s", e.Action)
			}
			if tt.word != "updated" && (e.Data["to"] != tt.stage || e.Data["from"] == nil) {
				t.Fatalf("the journal keeps %v", e.Data)
			}
			undone := must(w.K.Undo(w.Admin, e.Seq))(t)
			if undone.Reversed != 1 || len(undone.Conflicts) > 0 {
				t.Fatalf("undo: %+v", undone)
			}
			sameState(t, must(w.s.Deals.Get(w.Admin, d.ID))(t), d)
			if got := w.last(t, d.ID); got.Action != "undone" {
				t.Fatalf("the undo is called %s", got.Action)
			}
		})
	}
}

// sameState compares what an undo must restore.
func sameState(t *testing.T, got, want *deals.Deal) {
	t.Helper()
	sameTime := func(a, b *time.Time) bool { return (a == nil) == (b == nil) && (a == nil || a.Equal(*b)) }
	if *got.StageID != *want.StageID || got.Status != want.Status || *got.Probability != *want.Probability || *got.WeightedAmount != *want.WeightedAmount ||
		!sameTime(got.ClosedAt, want.ClosedAt) || !sameTime(got.StageEnteredAt, want.StageEnteredAt) || got.LostReason != want.LostReason ||
		got.ForecastCategory != want.ForecastCategory || *got.Position != *want.Position || *got.PipelineID != *want.PipelineID {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

// An older move can be undone although the amount changed since; what is derived
// from both follows.
func TestUndoUnderLaterChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.deal(t, w.Admin, "d", "Engaging")
	must(w.s.Move(w.Admin, d.ID, deals.MoveInput{StageID: w.stages["Proposal"]}))(t)
	moved := w.last(t, d.ID)
	must(w.s.Deals.One(w.Admin, record.Operation{Kind: record.OpUpdate, ID: d.ID, Patch: record.Patch{"amount": *eur(1000)}}))(t)
	must(w.K.Undo(w.Admin, moved.Seq))(t)
	got := must(w.s.Deals.Get(w.Admin, d.ID))(t)
	if w.stageName(got.StageID) != "Engaging" || *got.Probability != 30 || got.Amount.Minor != 1000 || got.WeightedAmount.Minor != 300 {
		t.Fatalf("%+v", got)
	}
}

func TestRefusedMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.deal(t, w.Admin, "d", "Engaging")
	other := must(w.s.Pipelines.Create(w.Admin, &deals.Pipeline{Name: "Partners"}))(t)
	foreign := must(w.s.Stages.Create(w.Admin, &deals.Stage{Name: "Meet", PipelineID: &other.ID}))(t)
	far := w.deal(t, w.Admin, "far", "Proposal")
	_, err := w.s.Move(w.Admin, d.ID, deals.MoveInput{StageID: foreign.ID})
	wantField(t, err, "stage_id", "foreign_stage")
	_, err = w.s.Move(w.Admin, d.ID, deals.MoveInput{StageID: id.New()})
	wantField(t, err, "stage_id", "unknown_stage")
	_, err = w.s.Move(w.Admin, d.ID, deals.MoveInput{StageID: w.stages["Lost"]})
	wantField(t, err, "lost_reason", "required")
	_, err = w.s.Move(w.Admin, d.ID, deals.MoveInput{})
	wantField(t, err, "stage_id", "required")
	_, err = w.s.Move(w.Admin, d.ID, deals.MoveInput{Before: &far.ID})
	wantField(t, err, "before", "other_stage")
	_, err = w.s.Move(w.Admin, d.ID, deals.MoveInput{Before: &far.ID, After: &far.ID})
	wantField(t, err, "position", "too_many")
	_, err = w.s.Lose(w.Admin, d.ID, " ", 0)
	wantField(t, err, "lost_reason", "required")
	_, err = w.s.Move(w.Other, d.ID, deals.MoveInput{StageID: w.stages["Won"]})
	wantKind(t, err, errs.NotFound)
	_, err = w.s.Win(w.Rep, d.ID, 0)
	wantKind(t, err, errs.NotFound)
	_, err = w.s.Win(w.Admin, d.ID, 7)
	wantKind(t, err, errs.Stale)
	if got := must(w.s.Deals.Get(w.Admin, d.ID))(t); got.Version != 1 {
		t.Fatalf("a refused act left version %d", got.Version)
	}
	if e := w.last(t, d.ID); e.Action != "created" {
		t.Fatalf("a refused act left %s in the journal", e.Action)
	}
}

func TestActsTwiceAreOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.deal(t, w.Admin, "d", "Engaging")
	steps := []struct {
		name string
		act  func() (*deals.Deal, error)
	}{
		{"reopen an open deal", func() (*deals.Deal, error) { return w.s.Reopen(w.Admin, d.ID, 0) }},
		{"move to where it is", func() (*deals.Deal, error) {
			return w.s.Move(w.Admin, d.ID, deals.MoveInput{StageID: w.stages["Engaging"]})
		}},
		{"win", func() (*deals.Deal, error) { return w.s.Win(w.Admin, d.ID, 0) }},
		{"win again", func() (*deals.Deal, error) { return w.s.Win(w.Admin, d.ID, 0) }},
		{"lose", func() (*deals.Deal, error) { return w.s.Lose(w.Admin, d.ID, "x", 0) }},
		{"lose again", func() (*deals.Deal, error) { return w.s.Lose(w.Admin, d.ID, "x", 0) }},
		{"lose for another reason", func() (*deals.Deal, error) { return w.s.Lose(w.Admin, d.ID, "y", 0) }},
		{"reopen", func() (*deals.Deal, error) { return w.s.Reopen(w.Admin, d.ID, 0) }},
		{"reopen again", func() (*deals.Deal, error) { return w.s.Reopen(w.Admin, d.ID, 0) }},
	}
	want := []int64{1, 1, 2, 2, 3, 3, 4, 5, 5}
	for i, step := range steps {
		if got := must(step.act())(t); got.Version != want[i] {
			t.Fatalf("%s: version %d, want %d", step.name, got.Version, want[i])
		}
	}
	entries := must(w.K.Timeline(w.Admin, "deal", d.ID, 0, 20))(t)
	var words []string
	for _, e := range entries {
		words = append(words, e.Action)
	}
	if !slices.Equal(words, []string{"reopened", "lost", "lost", "won", "created"}) {
		t.Fatalf("the journal says %v", words)
	}
}

// Two people, one card, the same version: one of them wins.
func TestConcurrentMovesOfOneCard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.deal(t, w.Admin, "d", "Prospecting")
	targets := []string{"Engaging", "Proposal", "Negotiation", "Won", "Engaging", "Proposal"}
	results := make([]error, len(targets))
	var wg sync.WaitGroup
	for i, stage := range targets {
		wg.Go(func() {
			_, results[i] = w.s.Move(w.Admin, d.ID, deals.MoveInput{StageID: w.stages[stage], Version: d.Version})
		})
	}
	wg.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
			continue
		}
		wantKind(t, err, errs.Stale)
	}
	if got := must(w.s.Deals.Get(w.Admin, d.ID))(t); won != 1 || got.Version != 2 {
		t.Fatalf("%d moves went through, version %d", won, got.Version)
	}
}

func TestCreateFromLead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := must(w.companies.Create(w.Admin, &company{Name: "Acme"}))(t)
	expected := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	made := must(w.s.CreateFromLead(w.Admin, "From a lead", &acme.ID, nil, eur(5000), nil, nil, &expected, &w.RepID, "web"))(t)
	d := must(w.s.Deals.Get(w.Rep, made))(t)
	if w.stageName(d.StageID) != "Prospecting" || *d.AccountID != acme.ID || !d.ExpectedCloseDate.Equal(expected) || d.Source != "web" || *d.OwnerID != w.RepID {
		t.Fatalf("%+v", d)
	}
	entries := must(w.K.Timeline(w.Admin, "account", acme.ID, 0, 5))(t)
	if len(entries) != 2 || entries[0].Object != "deal" {
		t.Fatalf("the company's timeline tells %+v", entries)
	}
	if _, err := w.s.CreateFromLead(w.Admin, "", nil, nil, nil, nil, nil, nil, nil, ""); err == nil {
		t.Fatal("a deal without a name")
	}
}
