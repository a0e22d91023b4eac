package deals

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/deals/internal/dealsdb"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/money"
	"crm/internal/record"
)

type demotingKey struct{}

// beforePipelines keeps one default, and deals from losing their pipeline.
func (s *Service) beforePipelines(ctx context.Context, tx pgx.Tx, changes []record.TypedChange[Pipeline]) error {
	for _, c := range changes {
		if err := checkPipeline(ctx, c.Old, c.New); err != nil {
			return err
		}
	}
	if err := pipelinesFree(ctx, tx, changes); err != nil {
		return err
	}
	for _, c := range changes {
		if c.New.IsDefault && c.New.alive() && (c.Old == nil || !c.Old.IsDefault) {
			if err := s.demoteOthers(ctx, c.New.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkPipeline(ctx context.Context, old, p *Pipeline) error {
	if p.Position == nil {
		p.Position = new(int64)
	}
	if p.Currency = strings.ToUpper(strings.TrimSpace(p.Currency)); p.Currency != "" && !money.ValidCurrency(p.Currency) {
		return errs.Field("currency", "not_a_currency", "Currency must be three letters like EUR.")
	}
	if old == nil || !old.IsDefault || record.Undoing(ctx) {
		return nil
	}
	if !p.alive() {
		return errs.New(errs.Conflict, "default_pipeline", "This is the default pipeline. Make another one the default first.")
	}
	if !p.IsDefault && ctx.Value(demotingKey{}) == nil {
		return errs.Field("is_default", "needs_a_default", "Make another pipeline the default instead.")
	}
	return nil
}

func pipelinesFree(ctx context.Context, tx pgx.Tx, changes []record.TypedChange[Pipeline]) error {
	var gone []uuid.UUID
	for _, c := range changes {
		if c.Old != nil && c.Old.alive() && !c.New.alive() {
			gone = append(gone, c.New.ID)
		}
	}
	a, err := auth.Must(ctx)
	if err != nil || len(gone) == 0 {
		return err
	}
	used, err := dealsdb.New(tx).PipelinesInUse(ctx, dealsdb.PipelinesInUseParams{TenantID: a.TenantID, Ids: gone})
	if err != nil || len(used) == 0 {
		return err
	}
	return errs.New(errs.Conflict, "pipeline_in_use", "There are deals in this pipeline. Move or delete them first.")
}

// demoteOthers takes the default away from the pipeline that has it, so that the
// unique index is never in the way.
func (s *Service) demoteOthers(ctx context.Context, id uuid.UUID) error {
	cat, err := s.loadCatalog(ctx)
	if err != nil {
		return err
	}
	ctx = context.WithValue(asProduct(ctx), demotingKey{}, true)
	for _, p := range cat.order {
		if !p.IsDefault || !p.alive() || p.ID == id {
			continue
		}
		_, err := s.Pipelines.Change(ctx, p.ID, record.Act{Name: "updated"}, func(_ context.Context, _ pgx.Tx, p *Pipeline) error {
			p.IsDefault = false
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// beforeStages fills what a new stage leaves out and keeps deals from standing in
// a stage that is gone or has become of another kind.
func (s *Service) beforeStages(ctx context.Context, tx pgx.Tx, changes []record.TypedChange[Stage]) error {
	cat, err := s.loadCatalog(ctx)
	if err != nil {
		return err
	}
	var leaving []uuid.UUID
	for _, c := range changes {
		if c.New.PipelineID == nil {
			continue // the kernel refuses it by name
		}
		if err := checkStage(cat, c.Old, c.New); err != nil {
			return err
		}
		if c.Old != nil && c.Old.alive() && (!c.New.alive() || c.New.Kind != c.Old.Kind) {
			leaving = append(leaving, c.New.ID)
		}
		cat.put(c.New)
	}
	if err := stagesFree(ctx, tx, leaving); err != nil {
		return err
	}
	return cat.keepsOpenStage(leaving)
}

func checkStage(cat *catalog, old, st *Stage) error {
	if st.Kind == "" {
		st.Kind = Open
	}
	if old != nil && *old.PipelineID != *st.PipelineID {
		return errs.Field("pipeline_id", "fixed", "A stage stays in its pipeline. Make a new one in the other pipeline instead.")
	}
	if p := cat.pipelines[*st.PipelineID]; p == nil || (old == nil && !p.alive()) {
		return errs.Field("pipeline_id", "unknown_pipeline", "There is no such pipeline.")
	}
	if st.Position == nil {
		st.Position = cat.nextPosition(*st.PipelineID)
	}
	if st.StaleDays != nil && *st.StaleDays < 1 {
		return errs.Field("stale_days", "out_of_range", "Stale after days must be 1 or more.")
	}
	return checkProbability(old, st)
}

// checkProbability: the ends of a pipeline are certain, and a kind that changes
// takes its probability along.
func checkProbability(old, st *Stage) error {
	certain := map[string]int64{Won: 100, Lost: 0}
	want, ends := certain[st.Kind]
	switch {
	case ends && (st.Probability == nil || (old != nil && old.Kind != st.Kind)):
		st.Probability = &want
	case ends && *st.Probability != want:
		return errs.Field("probability", "fixed", "A %s stage has a probability of %d %%.", st.Kind, want)
	case st.Probability == nil:
		half := int64(50)
		st.Probability = &half
	case *st.Probability < 0 || *st.Probability > 100:
		return errs.Field("probability", "out_of_range", "Probability must be between 0 and 100.")
	}
	return nil
}

// nextPosition is behind the last stage of the pipeline.
func (c *catalog) nextPosition(pipeline uuid.UUID) *int64 {
	next := int64(1)
	for _, st := range c.steps[pipeline] {
		next = max(next, *st.Position+1)
	}
	return &next
}

// put replaces or adds a stage, so that later changes of a batch see earlier ones.
func (c *catalog) put(st *Stage) {
	p := *st.PipelineID
	c.steps[p] = slices.DeleteFunc(c.steps[p], func(o *Stage) bool { return o.ID == st.ID })
	c.add(st)
	slices.SortStableFunc(c.steps[p], compareSteps)
}

func stagesFree(ctx context.Context, tx pgx.Tx, leaving []uuid.UUID) error {
	a, err := auth.Must(ctx)
	if err != nil || len(leaving) == 0 {
		return err
	}
	used, err := dealsdb.New(tx).StagesInUse(ctx, dealsdb.StagesInUseParams{TenantID: a.TenantID, Ids: leaving})
	if err != nil || len(used) == 0 {
		return err
	}
	return errs.New(errs.Conflict, "stage_in_use", "There are deals in this stage. Move them to another one first.")
}

// keepsOpenStage refuses to take away a pipeline's last open stage: new deals
// would have no place to begin.
func (c *catalog) keepsOpenStage(leaving []uuid.UUID) error {
	for _, id := range leaving {
		p := c.pipelines[*c.stages[id].PipelineID]
		if p.alive() && c.first(p.ID, Open) == nil {
			return errs.New(errs.Conflict, "last_open_stage", "A pipeline needs at least one open stage. Add another one first.")
		}
	}
	return nil
}
