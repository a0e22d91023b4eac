package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/db/dbtest"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/jobs"
)

// task is the one kind of job here; each test registers its own function.
type task struct {
	TenantID uuid.UUID `json:"tenant_id"`
	N        int       `json:"n"`
}

func (task) Kind() string        { return "test_task" }
func (a task) Tenant() uuid.UUID { return a.TenantID }

type world struct {
	sql    *dbtest.DB
	client *jobs.Client
	tenant uuid.UUID
}

// setup makes a client that is not started yet.
func setup(t *testing.T, fn func(ctx context.Context, job *river.Job[task]) error) *world {
	t.Helper()
	w := &world{sql: dbtest.New(t), tenant: id.New()}
	r := jobs.NewRegistry()
	jobs.Work(r, fn)
	var err error
	if w.client, err = jobs.New(r, jobs.Options{Pool: w.sql.App, Log: slog.New(slog.DiscardHandler), Works: true}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) start(t *testing.T, alone bool) {
	t.Helper()
	if err := w.client.Start(context.WithoutCancel(t.Context()), alone); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		grace, end := context.WithTimeout(context.Background(), 20*time.Second)
		defer end()
		if err := w.client.Stop(grace); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
}

func (w *world) insert(t *testing.T, n int, when jobs.When) int64 {
	t.Helper()
	job, err := w.client.InsertNow(t.Context(), task{w.tenant, n}, when)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

type row struct {
	State   string
	Attempt int
	Max     int
}

func (w *world) row(t *testing.T, job int64) (r row) {
	t.Helper()
	err := w.sql.Owner.QueryRow(t.Context(), `select state::text, attempt, max_attempts from river.river_job where id = $1`, job).Scan(&r.State, &r.Attempt, &r.Max)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// reaches waits until the job is in a state.
func (w *world) reaches(t *testing.T, job int64, state string) row {
	t.Helper()
	deadline := time.Now().Add(time.Minute) // only matters when the test fails
	for {
		r := w.row(t, job)
		if r.State == state {
			return r
		}
		if time.Now().After(deadline) {
			t.Fatalf("job %d is %+v, want %s", job, r, state)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (w *world) count(t *testing.T) int {
	t.Helper()
	var n int
	if err := w.sql.Owner.QueryRow(t.Context(), `select count(*) from river.river_job`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func done(context.Context, *river.Job[task]) error { return nil }

func TestAJobRunsAsTheSystemOfItsTenant(t *testing.T) {
	t.Parallel()
	seen := make(chan *auth.Actor, 2)
	w := setup(t, func(ctx context.Context, _ *river.Job[task]) error {
		seen <- auth.From(ctx)
		return nil
	})
	w.start(t, false)
	w.reaches(t, w.insert(t, 1, jobs.When{}), "completed")
	a := <-seen
	if a == nil || a.Kind != auth.System || a.TenantID != w.tenant || a.Via != auth.ViaSystem || a.RequestID == "" || a.Grants.Scope("deal", auth.Delete) != auth.All {
		t.Errorf("the actor is %+v", a)
	}
	w.tenant = uuid.Nil // work that is about no tenant acts for nobody
	w.reaches(t, w.insert(t, 2, jobs.When{}), "completed")
	if a := <-seen; a != nil {
		t.Errorf("an actor without a tenant: %+v", a)
	}
}

func TestAgainContinuesWithoutCountingAttempts(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	w := setup(t, func(context.Context, *river.Job[task]) error {
		if calls.Add(1) < 5 {
			return jobs.Again
		}
		return nil
	})
	w.start(t, false)
	r := w.reaches(t, w.insert(t, 1, jobs.When{Tries: 1}), "completed")
	if calls.Load() != 5 || r.Attempt != 1 || r.Max != 1 {
		t.Errorf("%d calls, %+v", calls.Load(), r)
	}
}

func TestWhatAPersonMustMendIsCancelledAtOnce(t *testing.T) {
	t.Parallel()
	answers := []error{
		errs.Field("name", "required", "A name is needed."), errs.New(errs.Malformed, "x", "X."), errs.Missing("deal"), errs.New(errs.Forbidden, "x", "X."),
	}
	var calls atomic.Int64
	w := setup(t, func(_ context.Context, job *river.Job[task]) error {
		calls.Add(1)
		return answers[job.Args.N]
	})
	w.start(t, false)
	for n := range answers {
		if r := w.reaches(t, w.insert(t, n, jobs.When{}), "cancelled"); r.Attempt != 1 {
			t.Errorf("%v: %+v", answers[n], r)
		}
	}
	if int(calls.Load()) != len(answers) {
		t.Errorf("%d calls", calls.Load())
	}
}

func TestAFailureIsTriedAgainAsOftenAsAllowed(t *testing.T) {
	t.Parallel()
	w := setup(t, func(context.Context, *river.Job[task]) error { return errors.New("unlucky") })
	w.start(t, false)
	if r := w.reaches(t, w.insert(t, 1, jobs.When{}), "retryable"); r.Attempt < 1 || r.Max < 2 {
		t.Errorf("%+v", r)
	}
	w.reaches(t, w.insert(t, 2, jobs.When{Tries: 1}), "discarded")
}

func TestWhatIsAwayIsWaitedForWithoutCountingAttempts(t *testing.T) {
	t.Parallel()
	w := setup(t, func(context.Context, *river.Job[task]) error {
		e := errs.New(errs.Unavailable, "away", "Try again.")
		e.RetryAfter = time.Hour
		return e
	})
	w.start(t, false)
	job := w.insert(t, 1, jobs.When{Tries: 1})
	w.reaches(t, job, "scheduled")
	var wait time.Duration
	if err := w.sql.Owner.QueryRow(t.Context(), `select scheduled_at - attempted_at from river.river_job where id = $1`, job).Scan(&wait); err != nil || wait < 59*time.Minute {
		t.Errorf("put off by %v, %v", wait, err)
	}
}

// interrupted makes a job look as a killed process leaves it.
func (w *world) interrupted(t *testing.T) int64 {
	t.Helper()
	job := w.insert(t, 1, jobs.When{})
	_, err := w.sql.Owner.Exec(t.Context(), `update river.river_job set state = 'running', attempt = 1, attempted_at = now(), attempted_by = '{dead}' where id = $1`, job)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func TestAloneTakesUpWhatAKilledProcessLeftRunning(t *testing.T) {
	t.Parallel()
	w := setup(t, done)
	job := w.interrupted(t)
	w.start(t, true)
	w.reaches(t, job, "completed")
}

func TestBesideOthersARunningJobIsLeftToItsProcess(t *testing.T) {
	t.Parallel()
	w := setup(t, done)
	job := w.interrupted(t)
	w.start(t, false)
	w.reaches(t, w.insert(t, 2, jobs.When{}), "completed") // it works, and past the other one
	if r := w.row(t, job); r.State != "running" {
		t.Errorf("a job of another process is %+v", r)
	}
}

func TestAUniqueJobWaitsOnce(t *testing.T) {
	t.Parallel()
	w := setup(t, done)
	unique := jobs.When{Unique: true}
	first := w.insert(t, 1, unique)
	if again := w.insert(t, 1, unique); again != first {
		t.Errorf("the same job twice: %d and %d", first, again)
	}
	if other := w.insert(t, 2, unique); other == first {
		t.Error("other arguments are another job")
	}
	if n := w.count(t); n != 2 {
		t.Errorf("%d jobs", n)
	}
	w.start(t, false)
	w.reaches(t, first, "completed")
	if later := w.insert(t, 1, unique); later == first {
		t.Error("a finished job holds back the next one")
	}
}

func TestAJobExistsExactlyIfItsTransactionDoes(t *testing.T) {
	t.Parallel()
	w := setup(t, done)
	d, err := db.Open(t.Context(), w.sql.AppURL, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	ctx := auth.With(t.Context(), auth.SystemActor(w.tenant))
	errNo := errors.New("changed my mind")
	for _, outcome := range []error{errNo, nil} {
		err := d.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
			if _, err := w.client.Insert(ctx, tx, task{w.tenant, 1}, jobs.When{}); err != nil {
				return err
			}
			if err := w.client.InsertMany(ctx, tx, []jobs.Args{task{w.tenant, 2}, task{w.tenant, 3}}, jobs.When{Queue: "bulk"}); err != nil {
				return err
			}
			return outcome
		})
		want := 3
		if outcome != nil {
			want = 0
		}
		if n := w.count(t); !errors.Is(err, outcome) || n != want {
			t.Errorf("%v: %d jobs, want %d", err, n, want)
		}
	}
}

func TestACancelledJobNeverRuns(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	w := setup(t, func(_ context.Context, job *river.Job[task]) error {
		if job.Args.N == 1 {
			calls.Add(1)
		}
		return nil
	})
	job := w.insert(t, 1, jobs.When{})
	err := pgx.BeginFunc(t.Context(), w.sql.App, func(tx pgx.Tx) error {
		if err := w.client.Cancel(t.Context(), tx, 999_999); err != nil {
			return err // a job that is gone is no error
		}
		return w.client.Cancel(t.Context(), tx, job)
	})
	if err != nil {
		t.Fatal(err)
	}
	w.start(t, true)
	w.reaches(t, w.insert(t, 2, jobs.When{}), "completed")
	if r := w.row(t, job); r.State != "cancelled" || calls.Load() != 0 {
		t.Errorf("%+v, %d calls", r, calls.Load())
	}
	if err := w.client.Ready(t.Context()); err != nil {
		t.Errorf("ready: %v", err)
	}
}
