package scoring_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/jobs"
	"crm/internal/platform/onnx"
	"crm/internal/platform/onnx/onnxtest"
	"crm/internal/record"
	"crm/internal/record/recordtest"
	"crm/internal/scoring"
)

// lead is as much of the leads table as scoring looks at.
type lead struct {
	record.Base
	FirstName  string         `crm:"first_name,text,title"`
	Email      string         `crm:"email,email"`
	Phone      string         `crm:"phone,phone"`
	Company    string         `crm:"company,text"`
	Title      string         `crm:"title,text" label:"Job title"`
	Website    string         `crm:"website,url"`
	Industry   string         `crm:"industry,text"`
	Employees  *int64         `crm:"employees,integer"`
	Source     string         `crm:"source,text" label:"Lead source"`
	Status     string         `crm:"status,select,options=new|working|nurturing|qualified|disqualified|converted,default=new"`
	Message    string         `crm:"message,long_text"`
	UTM        map[string]any `crm:"utm,json"`
	Score      *int64         `crm:"score,integer,readonly"`
	ScoreGrade string         `crm:"score_grade,text,readonly"`
	ScoredAt   *time.Time     `crm:"scored_at,datetime,readonly"`
}

type world struct {
	*recordtest.Env
	leads *record.Store[lead]
	s     *scoring.Service
}

// newWorld is a tenant with a lead object, a scoring service on ONNX Runtime, and a working queue.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Env: recordtest.New(t)}
	var err error
	w.leads, err = record.Register[lead](w.K, record.Definition{Name: "lead", Plural: "leads", Label: "Lead", LabelPlural: "Leads", Owned: true}, record.HooksFor[lead]{})
	if err != nil {
		t.Fatal(err)
	}
	w.s = w.service(t, func() (*onnx.Runtime, error) { return onnxtest.Runtime(t), nil })
	return w
}

// service makes another replica: a service of its own over the same database, with its own workers.
func (w *world) service(t *testing.T, runtime func() (*onnx.Runtime, error)) *scoring.Service {
	t.Helper()
	s, err := scoring.New(scoring.Deps{
		Kernel: w.K, Now: time.Now, Log: slog.New(slog.DiscardHandler), Runtime: runtime,
		Tenants: func(context.Context) ([]uuid.UUID, error) { return []uuid.UUID{w.Tenant}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	reg := jobs.NewRegistry()
	s.Register(reg)
	client, err := jobs.New(reg, jobs.Options{Pool: w.DB.Pool(), Log: slog.New(slog.DiscardHandler), Works: true})
	if err != nil {
		t.Fatal(err)
	}
	s.SetJobs(client)
	if err := client.Start(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := client.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// create imports leads the way an import does: in batches of a thousand, in file order.
func (w *world) create(t *testing.T, list []*lead) []*lead {
	t.Helper()
	var out []*lead
	for from := 0; from < len(list); from += record.MaxBatch {
		made, err := w.leads.CreateMany(w.Admin, list[from:min(len(list), from+record.MaxBatch)])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, made...)
	}
	return out
}

// madeUp are n leads of two years whose outcome depends on source, size and rank, with noise.
func madeUp(n int, seed uint64) []*lead {
	rng := rand.New(rand.NewPCG(seed, 1))
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	out := make([]*lead, n)
	for i := range out {
		size := int64(1 + rng.IntN(500))
		l := &lead{
			FirstName: fmt.Sprint("Lead ", i), Email: fmt.Sprintf("p%d@%s", i, [2]string{"gmail.com", "example.com"}[rng.IntN(2)]),
			Source: [3]string{"Web", "Event", "Referral"}[rng.IntN(3)], Industry: [3]string{"retail", "software", "banking"}[rng.IntN(3)],
			Title: [4]string{"CEO", "Sales Manager", "Student", "Head of IT"}[rng.IntN(4)], Employees: &size,
		}
		l.CreatedAt = start.Add(time.Duration(i) * (700 * 24 * time.Hour / time.Duration(n))).Add(time.Duration(rng.IntN(3600)) * time.Second)
		chance := 0.1
		if l.Source == "Referral" {
			chance += 0.4
		}
		if size > 250 {
			chance += 0.25
		}
		l.Status = "disqualified"
		if rng.Float64() < chance {
			l.Status = "converted"
		}
		out[i] = l
	}
	return out
}

// open turns leads into undecided ones.
func open(list []*lead) []*lead {
	for i, l := range list {
		l.Status = [4]string{"new", "working", "nurturing", "qualified"}[i%4]
	}
	return list
}

// train asks for a model and waits until the queue is done with it.
func (w *world) train(t *testing.T, req scoring.TrainRequest) *scoring.Model {
	t.Helper()
	req.Object = "lead"
	m, err := w.s.Train(w.Admin, req)
	if err != nil {
		t.Fatal(err)
	}
	if m.Status != scoring.Training || m.Version == 0 {
		t.Fatalf("a new training is %s, version %d", m.Status, m.Version)
	}
	return w.ended(t, m.ID)
}

func (w *world) ended(t *testing.T, id uuid.UUID) *scoring.Model {
	t.Helper()
	var m *scoring.Model
	until(t, "the training ends", func() bool {
		var err error
		if m, err = w.s.Model(w.Admin, id); err != nil {
			t.Fatal(err)
		}
		return m.Status != scoring.Training
	})
	return m
}

// until polls for something another process brings about.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(2 * time.Minute)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// count runs a query that gives one number.
func (w *world) count(t *testing.T, sql string, args ...any) int {
	t.Helper()
	var n int
	if err := w.SQL.Owner.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func ids(list []*lead) []uuid.UUID {
	out := make([]uuid.UUID, len(list))
	for i, l := range list {
		out[i] = l.ID
	}
	return out
}
