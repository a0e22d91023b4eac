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

// trainArgs is the training of an object's model; the row in training tells the rest.
type trainArgs struct {
	TenantID uuid.UUID `json:"tenant_id"`
	Object   string    `json:"object"`
}

func (trainArgs) Kind() string        { return "scoring.train" }
func (a trainArgs) Tenant() uuid.UUID { return a.TenantID }

// rescoreArgs scores every open record whose score is not by the active model.
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
		return s.workTraining(ctx, job.Args.Object, job.Attempt >= job.MaxAttempts)
	})
	jobs.Work(reg, func(ctx context.Context, job *river.Job[rescoreArgs]) error { return s.rescore(ctx, job.Args.Object) })
	jobs.Work(reg, func(ctx context.Context, _ *river.Job[sweepArgs]) error { return s.sweep(ctx) })
	if s.tenants != nil {
		reg.Every(sweepEvery, sweepArgs{})
	}
}

// sweep rescores what wake-ups missed, tenant by tenant; one tenant's failure does not keep the others waiting.
func (s *Service) sweep(ctx context.Context) error {
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
