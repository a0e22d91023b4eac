// Package jobs runs background work on River: durable, transactional with the
// change that asked for it, retried with backoff, and always in the name of a
// tenant.
//
// Contracts:
//   - Arguments carry ids, never snapshots and never secrets.
//   - A job is inserted in the transaction of the change (Insert inside db.Tx), so
//     it exists exactly if the change does.
//   - Work may run more than once; each function must be idempotent.
//   - One call works for about a minute at most (Budget). Longer work keeps its own
//     checkpoint and returns Again, so that a killed process costs seconds.
//
// River's tables live in the schema river, outside row level security; the tenant
// is in the arguments, and the actor of the work is the system inside it.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
)

// Schema is where River's tables live.
const Schema = "river"

// Budget is how long one call of a job should work before it returns Again.
const Budget = 45 * time.Second

// rescueAfter is when a job of a dead worker is taken over by another one. It
// must exceed every timeout below.
const (
	jobTimeout  = 2 * time.Minute
	rescueAfter = 3 * time.Minute
)

// Again continues a job from its own checkpoint, at once and without counting an
// attempt.
var Again = errors.New("continue later")

// Args are what a job knows: which tenant, and ids.
type Args interface {
	river.JobArgs
	Tenant() uuid.UUID
}

// Queues and how many jobs of each run at a time in one process. Transactional
// mail never waits behind campaigns, nor either behind imports.
var queues = map[string]river.QueueConfig{
	river.QueueDefault: {MaxWorkers: 4},
	"messages":         {MaxWorkers: 8},
	"bulk":             {MaxWorkers: 2},
	"imports":          {MaxWorkers: 1},
	"exports":          {MaxWorkers: 2},
	"training":         {MaxWorkers: 1},
}

// Registry collects what can be worked before the client starts.
type Registry struct {
	workers  *river.Workers
	periodic []*river.PeriodicJob
}

// NewRegistry is empty.
func NewRegistry() *Registry { return &Registry{workers: river.NewWorkers()} }

// Work registers the function for one kind of job.
func Work[A Args](r *Registry, fn func(ctx context.Context, job *river.Job[A]) error) {
	river.AddWorker(r.workers, &worker[A]{fn: fn})
}

// Every inserts a job periodically, by whichever process leads.
func (r *Registry) Every(interval time.Duration, args river.JobArgs) {
	r.periodic = append(r.periodic, river.NewPeriodicJob(river.PeriodicInterval(interval),
		func() (river.JobArgs, *river.InsertOpts) {
			return args, &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true, ByPeriod: interval}}
		},
		&river.PeriodicJobOpts{RunOnStart: true}))
}

type worker[A Args] struct {
	river.WorkerDefaults[A]
	fn func(ctx context.Context, job *river.Job[A]) error
}

// Timeout lets arguments with a Limit run longer than others; River takes such a job
// over only after that time.
func (w *worker[A]) Timeout(job *river.Job[A]) time.Duration {
	if args, ok := any(job.Args).(interface{ Limit() time.Duration }); ok {
		return args.Limit()
	}
	return w.WorkerDefaults.Timeout(job)
}

// Work sets the actor and turns our errors into River's decisions.
func (w *worker[A]) Work(ctx context.Context, job *river.Job[A]) error {
	if tenant := job.Args.Tenant(); tenant != uuid.Nil {
		a := auth.SystemActor(tenant)
		a.RequestID = fmt.Sprintf("job-%d", job.ID)
		ctx = auth.With(ctx, a)
	}
	return decide(w.fn(ctx, job))
}

// decide: what a person must fix is not retried; what waits is put off.
func decide(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, Again) {
		return river.JobSnooze(0)
	}
	switch errs.KindOf(err) {
	case errs.Invalid, errs.Malformed, errs.NotFound, errs.Forbidden:
		return river.JobCancel(err)
	case errs.Limited, errs.Unavailable:
		return river.JobSnooze(max(errs.As(err).RetryAfter, time.Second))
	}
	return err
}

// Client inserts jobs and, when started, works them.
type Client struct {
	river *river.Client[pgx.Tx]
	pool  *pgxpool.Pool
}

// Options of a client.
type Options struct {
	Pool  *pgxpool.Pool
	Log   *slog.Logger
	Works bool // false: only insert (the web role)
}

// New makes the client. The registry must be complete.
func New(r *Registry, o Options) (*Client, error) {
	cfg := &river.Config{
		Schema: Schema, Logger: quiet(o.Log), JobTimeout: jobTimeout, RescueStuckJobsAfter: rescueAfter,
		FetchCooldown: 20 * time.Millisecond, FetchPollInterval: time.Second,
		CompletedJobRetentionPeriod: time.Hour, Workers: r.workers,
	}
	if o.Works {
		cfg.Queues, cfg.PeriodicJobs = queues, r.periodic
	}
	c, err := river.NewClient(riverpgxv5.New(o.Pool), cfg)
	if err != nil {
		return nil, fmt.Errorf("set up jobs: %w", err)
	}
	return &Client{river: c, pool: o.Pool}, nil
}

// quiet keeps River's own chatter to warnings.
func quiet(log *slog.Logger) *slog.Logger {
	return slog.New(levelHandler{log.Handler(), slog.LevelWarn})
}

type levelHandler struct {
	slog.Handler
	min slog.Level
}

func (h levelHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.min && h.Handler.Enabled(ctx, l)
}

// Start begins working. alone says that no other process can be working this
// database (the embedded cluster), so jobs left running by a killed process are
// taken up at once instead of after rescueAfter.
func (c *Client) Start(ctx context.Context, alone bool) error {
	if alone {
		_, err := c.pool.Exec(ctx, `update river.river_job set state = 'available', scheduled_at = now() where state = 'running'`)
		if err != nil {
			return fmt.Errorf("take up interrupted jobs: %w", err)
		}
	}
	return c.river.Start(ctx)
}

// Stop waits for running jobs until ctx ends, then cancels them.
func (c *Client) Stop(ctx context.Context) error {
	err := c.river.Stop(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return c.river.StopAndCancel(hard)
	}
	return err
}

// When and where a job runs; the zero value is now, in the default queue.
type When struct {
	Queue  string
	At     time.Time
	Unique bool // at most one waiting or running job with these arguments
	Tries  int
}

// Insert adds a job in the caller's transaction.
func (c *Client) Insert(ctx context.Context, tx pgx.Tx, args Args, w When) (int64, error) {
	res, err := c.river.InsertTx(ctx, tx, args, w.options())
	if err != nil {
		return 0, fmt.Errorf("queue %s: %w", args.Kind(), err)
	}
	return res.Job.ID, nil
}

// InsertNow adds a job outside of any transaction.
func (c *Client) InsertNow(ctx context.Context, args Args, w When) (int64, error) {
	res, err := c.river.Insert(ctx, args, w.options())
	if err != nil {
		return 0, fmt.Errorf("queue %s: %w", args.Kind(), err)
	}
	return res.Job.ID, nil
}

// InsertMany adds many jobs in the caller's transaction.
func (c *Client) InsertMany(ctx context.Context, tx pgx.Tx, args []Args, w When) error {
	params := make([]river.InsertManyParams, len(args))
	for i, a := range args {
		params[i] = river.InsertManyParams{Args: a, InsertOpts: w.options()}
	}
	_, err := c.river.InsertManyFastTx(ctx, tx, params)
	return err
}

// Cancel stops a job that has not begun.
func (c *Client) Cancel(ctx context.Context, tx pgx.Tx, job int64) error {
	_, err := c.river.JobCancelTx(ctx, tx, job)
	if errors.Is(err, rivertype.ErrNotFound) {
		return nil
	}
	return err
}

func (w When) options() *river.InsertOpts {
	o := &river.InsertOpts{Queue: w.Queue, ScheduledAt: w.At, MaxAttempts: w.Tries}
	if w.Unique {
		o.UniqueOpts = river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
			rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateScheduled, rivertype.JobStateRetryable,
		}}
	}
	return o
}

// Ready reports whether the job tables can be reached.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.pool.Exec(ctx, `select 1 from river.river_job limit 1`)
	return err
}
