package scoring_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"crm/internal/record"
	"crm/internal/scoring"
)

// withReason are leads whose losses got a reason after the fact, and some useful and useless custom fields.
func (w *world) withReason(t *testing.T, n int) {
	t.Helper()
	fields := []record.CustomField{
		{Object: "lead", Name: "closing_note", Type: "text"},
		{Object: "lead", Name: "budget", Type: "money"},
		{Object: "lead", Name: "meeting", Type: "datetime"},
		{Object: "lead", Name: "vip", Type: "boolean"},
		{Object: "lead", Name: "story", Type: "long_text"},
		{Object: "lead", Name: "interests", Type: "list"},
	}
	if err := w.K.AddCustomFields(w.Admin, fields); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	list := madeUp(n, 20)
	for _, l := range list {
		l.Custom = map[string]any{"vip": rng.IntN(3) == 0, "story": "long", "interests": []any{"a", "b"}[:1+rng.IntN(2)], "budget": map[string]any{"amount": "1200.50", "currency": "EUR"}}
		if l.Status == "disqualified" && rng.IntN(30) > 0 {
			l.Custom["closing_note"] = [2]string{"too dear", "no time"}[rng.IntN(2)]
		}
	}
	w.create(t, list)
}

func TestLeakIsLeftOutUnlessVouchedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withReason(t, 900)
	m := w.train(t, scoring.TrainRequest{})
	codes := map[string]string{}
	for _, d := range m.Dropped {
		codes[d.Field] = d.Code
		if d.Code == "leak" && !strings.HasPrefix(d.Reason, "leak: ") {
			t.Errorf("reason %q", d.Reason)
		}
	}
	for field, code := range map[string]string{"custom.closing_note": "leak", "custom.meeting": "type", "custom.story": "type", "custom.budget": "constant"} {
		if codes[field] != code {
			t.Errorf("%s is dropped as %q, want %q", field, codes[field], code)
		}
	}
	if !slices.ContainsFunc(m.Important, func(i scoring.Importance) bool { return i.Field == "custom.vip" }) {
		t.Error("a boolean custom field was not learned from")
	}
	kept := w.train(t, scoring.TrainRequest{Keep: []string{"custom.closing_note"}})
	if len(kept.Important) == 0 || kept.Important[0].Field != "custom.closing_note" || kept.Metrics.AUC < 0.9 {
		t.Errorf("a field somebody vouched for is not used: %+v, AUC %v", kept.Important, kept.Metrics)
	}
	remembered := w.train(t, scoring.TrainRequest{Refuse: []string{"title", "utm"}})
	if !slices.Equal(remembered.Keep, []string{"custom.closing_note"}) || !slices.Equal(remembered.Refuse, []string{"title", "utm"}) {
		t.Errorf("settings are %v and %v", remembered.Refuse, remembered.Keep)
	}
	for _, i := range remembered.Important {
		if i.Field == "title" || i.Field == "seniority" {
			t.Errorf("%s was used although title is refused", i.Field)
		}
	}
	for _, req := range []scoring.TrainRequest{{Object: "lead", Refuse: []string{"duration"}}, {Object: "lead", Keep: []string{"custom.durration"}}} {
		if _, err := w.s.Train(w.Admin, req); codeOf(err) != "validation_failed" {
			t.Errorf("%v: %v", req, err)
		}
	}
	for _, object := range []string{"", "deal", "user"} {
		if _, err := w.s.Train(w.Admin, scoring.TrainRequest{Object: object}); codeOf(err) != "validation_failed" {
			t.Errorf("training %q: %v", object, err)
		}
	}
}

func TestSameLeadsGiveTheSameModel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withReason(t, 500)
	a := w.train(t, scoring.TrainRequest{})
	b := w.train(t, scoring.TrainRequest{})
	if a.Metrics == nil || b.Metrics == nil || *a.Metrics != *b.Metrics {
		t.Errorf("metrics %+v and %+v", a.Metrics, b.Metrics)
	}
	if n := w.count(t, `select count(distinct model_sha256) from scoring_models where tenant_id = $1`, w.Tenant); n != 1 {
		t.Errorf("%d different models", n)
	}
}

func TestTwoRequestsShareOneTraining(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, madeUp(300, 21))
	type answer struct {
		m   *scoring.Model
		err error
	}
	answers := make(chan answer, 8)
	for range cap(answers) {
		go func() {
			m, err := w.s.Train(w.Admin, scoring.TrainRequest{Object: "lead"})
			answers <- answer{m, err}
		}()
	}
	for range cap(answers) {
		a := <-answers
		if a.err != nil {
			t.Errorf("train: %v", a.err)
			continue
		}
		if m := w.ended(t, a.m.ID); m.Status == scoring.Failed {
			t.Errorf("version %d failed: %s", m.Version, m.Error)
		}
	}
	if n := w.count(t, `select count(*) from scoring_models where tenant_id = $1 and status = 'training'`, w.Tenant); n != 0 {
		t.Errorf("%d trainings are left over", n)
	}
}
