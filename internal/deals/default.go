package deals

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/deals/internal/dealsdb"
	"crm/internal/platform/auth"
)

// EnsureDefaultPipeline gives the actor's tenant the pipeline "Sales" with its
// stages when it has no pipeline at all. It may be called at any time and from
// several places at once.
func (s *Service) EnsureDefaultPipeline(ctx context.Context) error {
	cat, err := s.loadCatalog(ctx)
	if err != nil || cat.fallback() != nil {
		return err
	}
	ctx = asProduct(ctx)
	return s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		a, err := auth.Must(ctx)
		if err != nil {
			return err
		}
		// Whoever comes second waits here and then finds the other's pipeline.
		if err := dealsdb.New(tx).Lock(ctx, "deals default pipeline "+a.TenantID.String()); err != nil {
			return err
		}
		cat, err := s.loadCatalog(ctx)
		if err != nil || cat.fallback() != nil {
			return err
		}
		return s.makeDefaultPipeline(ctx)
	})
}

func (s *Service) makeDefaultPipeline(ctx context.Context) error {
	p, stages := defaultPipeline()
	p, err := s.Pipelines.Create(ctx, p)
	if err != nil {
		return err
	}
	for _, st := range stages {
		st.PipelineID = &p.ID
	}
	_, err = s.Stages.CreateMany(ctx, stages)
	return err
}

// DefaultPipeline is the pipeline of deals that name none; it is made when the
// tenant has none. Only id, name, currency, position and version are filled.
func (s *Service) DefaultPipeline(ctx context.Context) (*Pipeline, error) {
	if err := s.EnsureDefaultPipeline(ctx); err != nil {
		return nil, err
	}
	cat, err := s.loadCatalog(ctx)
	if err != nil {
		return nil, err
	}
	return cat.fallback(), nil
}

// StageByName finds a living stage of a pipeline by its name, in any case; the
// zero id stands for the default pipeline. An unknown name is an Invalid error on
// stage_id that lists the known ones.
func (s *Service) StageByName(ctx context.Context, pipeline uuid.UUID, name string) (*Stage, error) {
	if pipeline == uuid.Nil {
		p, err := s.DefaultPipeline(ctx)
		if err != nil {
			return nil, err
		}
		pipeline = p.ID
	}
	cat, err := s.loadCatalog(ctx)
	if err != nil {
		return nil, err
	}
	return cat.named(pipeline, name)
}

// PipelineStages lists the living stages of a pipeline in the order of the board.
func (s *Service) PipelineStages(ctx context.Context, pipeline uuid.UUID) ([]*Stage, error) {
	cat, err := s.loadCatalog(ctx)
	if err != nil {
		return nil, err
	}
	var out []*Stage
	for _, st := range cat.steps[pipeline] {
		if st.alive() {
			out = append(out, st)
		}
	}
	return out, nil
}
