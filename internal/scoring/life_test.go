package scoring_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/onnx"
	"crm/internal/record"
	"crm/internal/scoring"
)

// codeOf is the stable code of an error, "" for none.
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	if e := errs.As(err); e != nil {
		return e.Code
	}
	return err.Error()
}

func TestWithoutEnoughOutcomesTheModelFailsInWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	empty := w.train(t, scoring.TrainRequest{})
	if empty.Status != scoring.Failed || !strings.Contains(empty.Error, "There are 0 conversions and 0 losses so far") {
		t.Errorf("without leads: %s, %q", empty.Status, empty.Error)
	}
	few := w.create(t, madeUp(60, 1))
	m := w.train(t, scoring.TrainRequest{})
	if m.Status != scoring.Failed || !strings.Contains(m.Error, "more conversions") || !strings.HasSuffix(m.Error, ".") {
		t.Errorf("with %d leads: %s, %q", len(few), m.Status, m.Error)
	}
	if _, err := w.s.Score(w.Admin, "lead", few[0].ID); codeOf(err) != "no_model" {
		t.Errorf("scoring without a model: %v", err)
	}
	if _, err := w.s.Activate(w.Admin, m.ID); codeOf(err) != "training_failed" {
		t.Errorf("activating a failed training: %v", err)
	}
	if err := w.s.ScoreNew(w.Admin, ids(few)); err != nil {
		t.Errorf("scoring new leads without a model: %v", err)
	}
}

func TestLifeOfModels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, madeUp(800, 2))
	undecided := w.create(t, open(madeUp(30, 3)))

	first := w.train(t, scoring.TrainRequest{})
	if first.Status != scoring.Active || !strings.HasPrefix(first.Decision, "Activated as the first model") {
		t.Fatalf("first model: %s %q %q", first.Status, first.Decision, first.Error)
	}
	again := w.train(t, scoring.TrainRequest{})
	if again.Status != scoring.Candidate || !strings.HasPrefix(again.Decision, "Kept back: on the same held-out leads") {
		t.Errorf("the same data again: %s %q", again.Status, again.Decision)
	}
	if again.Version != first.Version+1 {
		t.Errorf("versions %d and %d", first.Version, again.Version)
	}
	w.scoredBy(t, first.ID, len(undecided))

	act, err := w.s.Activate(w.Admin, again.ID)
	if err != nil || act.Status != scoring.Active || act.Decision != "Activated by hand." {
		t.Fatalf("activate: %+v, %v", act, err)
	}
	w.scoredBy(t, again.ID, len(undecided))
	back, err := w.s.Rollback(w.Admin, "lead")
	if err != nil || back.ID != first.ID || back.Status != scoring.Active {
		t.Fatalf("rollback: %+v, %v", back, err)
	}
	w.scoredBy(t, first.ID, len(undecided))
	if _, err := w.s.Rollback(w.Admin, "lead"); codeOf(err) != "no_earlier_model" {
		t.Errorf("rolling back beyond the first: %v", err)
	}
	list, err := w.s.Models(w.Admin, "lead")
	if err != nil || len(list) != 2 || list[0].ID != again.ID || list[0].Status != scoring.Retired {
		t.Errorf("list: %+v, %v", list, err)
	}
	w.journalOfLife(t, undecided)
}

// scoredBy waits until all open leads carry a score by the model.
func (w *world) scoredBy(t *testing.T, model uuid.UUID, n int) {
	t.Helper()
	until(t, "open leads are rescored", func() bool {
		return n == w.count(t, `select count(*) from leads where tenant_id = $1 and score_model_id = $2 and score between 0 and 100
		  and score_grade in ('A', 'B', 'C', 'D') and jsonb_array_length(score_reasons) > 0 and scored_at is not null`, w.Tenant, model)
	})
}

func (w *world) journalOfLife(t *testing.T, undecided []*lead) {
	t.Helper()
	if n := w.count(t, `select count(*) from leads where tenant_id = $1 and version <> 1`, w.Tenant); n != 0 {
		t.Errorf("scoring bumped the version of %d leads", n)
	}
	if n := w.count(t, `select count(*) from leads where tenant_id = $1 and status in ('converted', 'disqualified') and score is not null`, w.Tenant); n != 0 {
		t.Errorf("%d decided leads were scored", n)
	}
	if n := w.count(t, `select count(*) from journal where tenant_id = $1 and object = 'lead' and action = 'rescored'`, w.Tenant); n != 3 {
		t.Errorf("%d journal rows for three rescorings of one batch of %d", n, len(undecided))
	}
	for action, want := range map[string]int{"trained": 2, "activated": 3} {
		if n := w.count(t, `select count(*) from journal where tenant_id = $1 and object = 'scoring_model' and action = $2`, w.Tenant, action); n != want {
			t.Errorf("%d journal rows for %s, want %d", n, action, want)
		}
	}
}

func TestBetterModelGoesLiveByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// What made leads convert two years ago does not any more.
	old := madeUp(400, 4)
	for _, l := range old {
		l.CreatedAt = l.CreatedAt.AddDate(-2, 0, 0)
		l.Source = map[string]string{"Web": "Referral", "Referral": "Event", "Event": "Web"}[l.Source]
	}
	w.create(t, old)
	first := w.train(t, scoring.TrainRequest{})
	if first.Status != scoring.Active {
		t.Fatalf("first model: %s %s %s", first.Status, first.Decision, first.Error)
	}
	w.create(t, madeUp(1500, 5))
	second := w.train(t, scoring.TrainRequest{})
	if second.Status != scoring.Active || !strings.Contains(second.Decision, "it predicts better than version 1") {
		t.Errorf("second model: %s %q", second.Status, second.Decision)
	}
	if m, err := w.s.Model(w.Admin, first.ID); err != nil || m.Status != scoring.Retired {
		t.Errorf("first model is now %+v, %v", m, err)
	}
}

func TestNewAndChangedLeadsAreScored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, madeUp(600, 6))
	m := w.train(t, scoring.TrainRequest{})
	fresh := w.create(t, open(madeUp(1, 7)))[0]
	if err := w.s.ScoreNew(w.Admin, []uuid.UUID{fresh.ID, id.New()}); err != nil {
		t.Fatal(err)
	}
	w.scoredBy(t, m.ID, 1)
	// The same score again is no news; the journal row is the lead's own.
	if err := w.s.ScoreNew(w.Admin, []uuid.UUID{fresh.ID}); err != nil {
		t.Fatal(err)
	}
	if n := w.count(t, `select count(*) from journal where tenant_id = $1 and object = 'lead' and record_id = $2 and action = 'scored'`, w.Tenant, fresh.ID); n != 1 {
		t.Errorf("%d journal rows for one new score", n)
	}
	w.sweeps(t, m.ID)
	for action, want := range map[string]bool{"created": true, "updated": true, "scored": false, "rescored": false, "deleted": false} {
		if got := w.s.Wants(record.Notice{Object: "lead", Action: action}); got != want {
			t.Errorf("a lead that was %s: wanted %t", action, got)
		}
	}
}

// sweeps checks that leads whose wake-up was lost are found: one never scored, one changed since.
func (w *world) sweeps(t *testing.T, model uuid.UUID) {
	t.Helper()
	list := w.create(t, open(madeUp(3, 30)))
	if err := w.s.ScoreNew(w.Admin, ids(list[:2])); err != nil {
		t.Fatal(err)
	}
	before := list[1].ID
	if _, err := w.leads.One(w.Admin, record.Operation{Kind: record.OpUpdate, ID: before, Patch: record.Patch{"source": "Referral", "employees": int64(499)}}); err != nil {
		t.Fatal(err)
	}
	if err := w.s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.scoredBy(t, model, 4)
	if n := w.count(t, `select count(*) from leads where tenant_id = $1 and id = $2 and scored_at > updated_at`, w.Tenant, before); n != 1 {
		t.Error("a lead that was changed after its score was not scored again")
	}
}

func TestScoresFollowVisibilityAndTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, madeUp(600, 8))
	m := w.train(t, scoring.TrainRequest{})
	mine := w.create(t, open(madeUp(1, 9)))[0] // the admin's own
	if s, err := w.s.Score(w.Admin, "lead", mine.ID); err != nil || s.Model.ID != m.ID || s.Score < 0 || s.Score > 100 || len(s.Reasons) == 0 {
		t.Errorf("score: %+v, %v", s, err)
	}
	for name, ctx := range map[string]context.Context{"a rep who does not own it": w.Rep, "another tenant": w.Other} {
		if _, err := w.s.Score(ctx, "lead", mine.ID); codeOf(err) != "not_found" {
			t.Errorf("%s gets %v", name, err)
		}
		if _, err := w.s.ScoreIDs(ctx, "lead", []uuid.UUID{mine.ID}); codeOf(err) != "not_found" {
			t.Errorf("%s gets %v in bulk", name, err)
		}
	}
	if _, err := w.s.Model(w.Other, m.ID); codeOf(err) != "not_found" {
		t.Errorf("another tenant reads the model: %v", err)
	}
	if _, err := w.s.Activate(w.Other, m.ID); codeOf(err) != "not_found" {
		t.Errorf("another tenant activates the model: %v", err)
	}
	if _, err := w.s.File(w.Other, m.ID); codeOf(err) != "not_found" {
		t.Errorf("another tenant downloads the model: %v", err)
	}
	for name, err := range map[string]error{
		"train": second(w.s.Train(w.Rep, scoring.TrainRequest{Object: "lead"})), "activate": second(w.s.Activate(w.Rep, m.ID)), "rollback": second(w.s.Rollback(w.Rep, "lead")),
	} {
		if codeOf(err) != "forbidden" {
			t.Errorf("a rep may %s: %v", name, err)
		}
	}
	nobody := auth.As(w.Rep, func(a *auth.Actor) { a.Grants = auth.Grants{} })
	if _, err := w.s.Score(nobody, "lead", mine.ID); codeOf(err) != "forbidden" {
		t.Errorf("a role without leads: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestHotSwapFailsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, madeUp(600, 10))
	a := w.train(t, scoring.TrainRequest{})
	b := w.train(t, scoring.TrainRequest{Refuse: []string{"title"}})
	target := w.create(t, open(madeUp(1, 11)))[0]
	var stop atomic.Bool
	var scores, failures atomic.Int64
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for !stop.Load() {
				s, err := w.s.Score(w.Admin, "lead", target.ID)
				if err != nil || (s.Model.ID != a.ID && s.Model.ID != b.ID) {
					failures.Add(1)
					t.Errorf("score during a swap: %+v, %v", s, err)
					return
				}
				scores.Add(1)
			}
		})
	}
	for i := range 20 {
		if _, err := w.s.Activate(w.Admin, []uuid.UUID{b.ID, a.ID}[i%2]); err != nil {
			t.Error(err)
		}
	}
	before := scores.Load()
	until(t, "scores come after the swaps", func() bool { return scores.Load() > before || failures.Load() > 0 })
	stop.Store(true)
	group.Wait()
	// The swap is seen at once in the process that made it.
	if _, err := w.s.Activate(w.Admin, b.ID); err != nil {
		t.Fatal(err)
	}
	if s, err := w.s.Score(w.Admin, "lead", target.ID); err != nil || s.Model.ID != b.ID {
		t.Errorf("after the swap: %+v, %v", s, err)
	}
	t.Logf("%d scores during 20 swaps, %d failures", scores.Load(), failures.Load())
}

func TestDamagedModelIsRefusedAndTheOldOneStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, madeUp(600, 12))
	good := w.train(t, scoring.TrainRequest{})
	bad := w.train(t, scoring.TrainRequest{})
	target := w.create(t, open(madeUp(1, 13)))[0]
	other := w.create(t, open(madeUp(1, 14)))[0]
	damage := func(sql string) {
		t.Helper()
		if _, err := w.SQL.Owner.Exec(t.Context(), sql, bad.ID); err != nil {
			t.Fatal(err)
		}
	}
	for name, sql := range map[string]string{
		"flipped byte":             `update scoring_models set onnx = set_byte(onnx, 100, get_byte(onnx, 100) # 255) where id = $1`,
		"cut file, right checksum": `update scoring_models set onnx = substr(onnx, 1, 500), onnx_sha256 = sha256(substr(onnx, 1, 500)) where id = $1`,
		"another model's answers":  `update scoring_models set model = replace(convert_from(model, 'utf8'), '"intercept":', '"intercept":1')::bytea, model_sha256 = sha256(replace(convert_from(model, 'utf8'), '"intercept":', '"intercept":1')::bytea) where id = $1`,
	} {
		damage(sql)
		if _, err := w.s.Activate(w.Admin, bad.ID); codeOf(err) != "model_damaged" {
			t.Errorf("%s: %v", name, err)
		}
		if s, err := w.s.Score(w.Admin, "lead", target.ID); err != nil || s.Model.ID != good.ID {
			t.Errorf("%s: the old model does not stay: %+v, %v", name, s, err)
		}
	}
	// Damage behind the program's back, after activation: a replica that has never loaded it uses the one before.
	damage(`update scoring_models set status = 'retired' where status = 'active' and $1::uuid is not null`)
	damage(`update scoring_models set status = 'active', replaced_id = (select id from scoring_models where version = 1) where id = $1`)
	replica := w.service(t, func() (*onnx.Runtime, error) { return nil, &onnx.LibraryError{Reason: "not installed"} })
	damage(`update scoring_models set model_sha256 = 'x' where id = $1`)
	if s, err := replica.Score(w.Admin, "lead", other.ID); err != nil || s.Model.ID != good.ID {
		t.Errorf("a damaged active model: %+v, %v", s, err)
	}
}

func TestMissingLibraryIsNoReasonToStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.s = w.service(t, func() (*onnx.Runtime, error) { return nil, &onnx.LibraryError{Reason: "not installed"} })
	w.create(t, madeUp(600, 15))
	m := w.train(t, scoring.TrainRequest{})
	if m.Status != scoring.Active {
		t.Fatalf("%s %s", m.Status, m.Error)
	}
	target := w.create(t, open(madeUp(1, 16)))[0]
	if _, err := w.s.Score(w.Admin, "lead", target.ID); err != nil {
		t.Error(err)
	}
	if e := w.s.Engine(); !strings.HasPrefix(e, "go evaluator: ") || !strings.Contains(e, "CRM_ONNXRUNTIME_LIB") {
		t.Errorf("engine %q", e)
	}
	_, err := scoring.New(scoring.Deps{Kernel: w.K, Now: w.K.Now, Log: w.K.Log, Runtime: func() (*onnx.Runtime, error) { return nil, errors.New("device gpu is unknown") }})
	if err == nil {
		t.Error("a wrong setting was taken for a missing library")
	}
}
