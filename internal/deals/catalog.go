package deals

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/deals/internal/dealsdb"
	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// catalog is every pipeline and stage of the tenant at one moment, the deleted
// ones included: deals may still be in them. Read-only once made.
type catalog struct {
	pipelines map[uuid.UUID]*Pipeline
	stages    map[uuid.UUID]*Stage
	steps     map[uuid.UUID][]*Stage // by pipeline: open, won, lost; then by position
	order     []*Pipeline            // the default one first, deleted ones last
}

// loadCatalog reads it in one round trip, inside the transaction of ctx if there
// is one. It is not subject to the actor's rights: whoever may make a deal must be
// able to have it checked.
func (s *Service) loadCatalog(ctx context.Context) (*catalog, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	var pipelines []dealsdb.PipelinesRow
	var stages []dealsdb.StagesRow
	queries := []db.Query{dealsdb.PipelinesQuery(a.TenantID), dealsdb.StagesQuery(a.TenantID)}
	err = s.k.DB.ReadMany(ctx, queries, func(i int, rows pgx.Rows) (err error) {
		if i == 0 {
			pipelines, err = pgx.CollectRows(rows, pgx.RowToStructByPos[dealsdb.PipelinesRow])
			return err
		}
		stages, err = pgx.CollectRows(rows, pgx.RowToStructByPos[dealsdb.StagesRow])
		return err
	})
	if err != nil {
		return nil, err
	}
	return newCatalog(pipelines, stages), nil
}

func newCatalog(pipelines []dealsdb.PipelinesRow, stages []dealsdb.StagesRow) *catalog {
	c := &catalog{pipelines: map[uuid.UUID]*Pipeline{}, stages: map[uuid.UUID]*Stage{}, steps: map[uuid.UUID][]*Stage{}}
	for _, r := range pipelines {
		p := &Pipeline{Base: record.Base{ID: r.ID, Version: r.Version, DeletedAt: r.DeletedAt}, Name: r.Name, Position: &r.Position, IsDefault: r.IsDefault}
		if r.Currency != nil {
			p.Currency = *r.Currency
		}
		c.pipelines[p.ID] = p
		c.order = append(c.order, p)
	}
	for _, r := range stages {
		c.add(&Stage{
			Base:       record.Base{ID: r.ID, Version: r.Version, DeletedAt: r.DeletedAt},
			PipelineID: &r.PipelineID, Name: r.Name, Kind: r.Kind, Position: &r.Position, Probability: &r.Probability, StaleDays: r.StaleDays,
		})
	}
	for _, steps := range c.steps {
		slices.SortStableFunc(steps, compareSteps)
	}
	return c
}

func (c *catalog) add(st *Stage) {
	c.stages[st.ID] = st
	c.steps[*st.PipelineID] = append(c.steps[*st.PipelineID], st)
}

// compareSteps puts the ends of a pipeline after its open stages, whatever their
// positions say: a board reads from left to right.
func compareSteps(a, b *Stage) int {
	kinds := []string{Open, Won, Lost}
	return cmp.Or(
		cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)),
		cmp.Compare(*a.Position, *b.Position),
		slices.Compare(a.ID[:], b.ID[:]),
	)
}

// fallback is the pipeline of deals that name none: the default one, else the
// first. Nil when the tenant has none at all.
func (c *catalog) fallback() *Pipeline {
	if len(c.order) == 0 || !c.order[0].alive() {
		return nil
	}
	return c.order[0]
}

// first is the first living stage of a kind in a pipeline, or nil.
func (c *catalog) first(pipeline uuid.UUID, kind string) *Stage {
	for _, st := range c.steps[pipeline] {
		if st.Kind == kind && st.alive() {
			return st
		}
	}
	return nil
}

// mustFirst is first, with an error that says what to do.
func (c *catalog) mustFirst(pipeline uuid.UUID, kind, field string) (*Stage, error) {
	if st := c.first(pipeline, kind); st != nil {
		return st, nil
	}
	name := ""
	if p := c.pipelines[pipeline]; p != nil {
		name = p.Name
	}
	return nil, errs.Field(field, "no_such_stage", "The pipeline %q has no %s stage. Add one in its settings first.", name, kind)
}

// named finds a living stage of a pipeline by its name, in any case.
func (c *catalog) named(pipeline uuid.UUID, name string) (*Stage, error) {
	var names []string
	for _, st := range c.steps[pipeline] {
		if !st.alive() {
			continue
		}
		if strings.EqualFold(st.Name, strings.TrimSpace(name)) {
			return st, nil
		}
		names = append(names, st.Name)
	}
	return nil, errs.Field("stage_id", "unknown_stage", "There is no stage %q. Use one of: %s.", name, strings.Join(names, ", "))
}
