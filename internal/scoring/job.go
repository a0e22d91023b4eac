package scoring

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"crm/internal/platform/auth"
	"crm/internal/platform/jobs"
)

const (
	trainTries = 3
	// sweepEvery bounds how long a new lead stays without a score when the wake-up was lost.
	sweepEvery = 5 * time.Minute
)

// trainArgs is the training of one model; its row tells the rest. There is one job per row, and the database lets
// one row per object be in training. Uniqueness in the queue would not do: a job that has stored its model still
// counts as running for a moment, and a training asked for in that moment would be dropped.
type trainArgs struct {
	TenantID uuid.UUID `json:"tenant_id"`
	ModelID  uuid.UUID `json:"model_id"`
}

func (trainArgs) Kind() string        { return "scoring.train" }
func (a trainArgs) Tenant() uuid.UUID { return a.TenantID }

// rescoreArgs scores every open record whose score is not by the active model. Two of them at a time waste some work
// but do no harm, so that each activation has its own.
type rescoreArgs struct {
	TenantID uuid.UUID `json:"tenant_id"`
	Object   string    `json:"object"`
}

func (rescoreArgs) Kind() string        { return "scoring.rescore" }
func (a rescoreArgs) Tenant() uuid.UUID { return a.TenantID }

// sweepArgs looks through all tenants for records without a score.
type sweepArgs struct{}

func (sweepArgs) Kind() string      { return "scoring.sweep" }
func (sweepArgs) Tenant() uuid.UUID { return uuid.Nil }

// Register adds what scoring works in the background.
func (s *Service) Register(reg *jobs.Registry) {
	jobs.Work(reg, func(ctx context.Context, job *river.Job[trainArgs]) error {
		return s.workTraining(ctx, job.Args.ModelID, job.Attempt >= job.MaxAttempts)
	})
	jobs.Work(reg, func(ctx context.Context, job *river.Job[rescoreArgs]) error { return s.rescore(ctx, job.Args.Object) })
	jobs.Work(reg, func(ctx context.Context, _ *river.Job[sweepArgs]) error { return s.Sweep(ctx) })
	if s.tenants != nil {
		reg.Every(sweepEvery, sweepArgs{})
	}
}

// Sweep rescores what wake-ups missed, tenant by tenant; one tenant's failure does not keep the others waiting. It
// runs by itself every few minutes.
func (s *Service) Sweep(ctx context.Context) error {
	tenants, err := s.tenants(ctx)
	if err != nil {
		return err
	}
	var failed error
	for _, tenant := range tenants {
		as := auth.With(ctx, auth.SystemActor(tenant))
		if err := s.rescore(as, leads.object); err != nil && !errors.Is(err, jobs.Again) {
			s.log.WarnContext(as, "sweep for unscored leads", "tenant_id", tenant, "error", err)
			failed = err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return failed
}
