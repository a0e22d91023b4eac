package importing

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/id"
	"crm/internal/record"
)

// stageBook knows the tenant's pipelines and stages; there are few, so all are
// loaded once. Stages are looked up within a pipeline: each has its own "Won".
type stageBook struct {
	pipelines []pipeline
	stages    []stage // by pipeline, then position
}

type pipeline struct {
	id        uuid.UUID
	name, ext string
	isDefault bool
}

type stage struct {
	id, pipeline uuid.UUID
	name, ext    string
	kind         string // open, won, lost
	position     int64
}

// loadStages reads both tables; nil when the kernel knows no stages.
func loadStages(ctx context.Context, tx pgx.Tx, k *record.Kernel) (*stageBook, error) {
	ps, ok1 := k.Object("pipeline")
	ss, ok2 := k.Object("stage")
	if !ok1 || !ok2 {
		return nil, nil
	}
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	b := &stageBook{}
	rows, err := tx.Query(ctx, fmt.Sprintf(`select id, name, coalesce(external_id, ''), is_default from %s where tenant_id = $1 and deleted_at is null order by is_default desc, position, id`, ps.Def.Table), a.TenantID)
	if err != nil {
		return nil, err
	}
	b.pipelines, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (p pipeline, err error) {
		return p, row.Scan(&p.id, &p.name, &p.ext, &p.isDefault)
	})
	if err != nil {
		return nil, err
	}
	rows, err = tx.Query(ctx, fmt.Sprintf(`select id, pipeline_id, name, coalesce(external_id, ''), kind, position from %s where tenant_id = $1 and deleted_at is null order by pipeline_id, position, id`, ss.Def.Table), a.TenantID)
	if err != nil {
		return nil, err
	}
	b.stages, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (s stage, err error) {
		return s, row.Scan(&s.id, &s.pipeline, &s.name, &s.ext, &s.kind, &s.position)
	})
	return b, err
}

// defaultPipeline is the one deals go to that name none.
func (b *stageBook) defaultPipeline() uuid.UUID {
	if len(b.pipelines) == 0 {
		return uuid.Nil
	}
	return b.pipelines[0].id
}

func (b *stageBook) pipeline(text string) uuid.UUID {
	key := squeeze(text)
	u, _ := id.Parse(strings.ToLower(text))
	for _, p := range b.pipelines {
		if p.id == u || (p.ext != "" && p.ext == text) || (key != "" && squeeze(p.name) == key) {
			return p.id
		}
	}
	return uuid.Nil
}

// ends are the words other systems have for the two ends of a deal.
var ends = map[string]string{"won": "won", "closedwon": "won", "lost": "lost", "closedlost": "lost"}

// stage finds a stage by id or name in a pipeline, or in any when it is Nil (then
// the default one first).
func (b *stageBook) stage(pipeline uuid.UUID, text string) *stage {
	key := squeeze(text)
	if s := b.first(pipeline, func(s *stage) bool {
		return s.id.String() == strings.ToLower(text) || (s.ext != "" && s.ext == text) || (key != "" && squeeze(s.name) == key)
	}); s != nil {
		return s
	}
	if kind := ends[key]; kind != "" {
		return b.end(pipeline, kind)
	}
	return nil
}

// end is the pipeline's stage of a kind: won, lost, or the first open one.
func (b *stageBook) end(pipeline uuid.UUID, kind string) *stage {
	if pipeline == uuid.Nil {
		pipeline = b.defaultPipeline()
	}
	return b.first(pipeline, func(s *stage) bool { return s.kind == kind })
}

func (b *stageBook) first(pipeline uuid.UUID, want func(*stage) bool) *stage {
	order := []uuid.UUID{pipeline}
	if pipeline == uuid.Nil {
		order = order[:0]
		for _, p := range b.pipelines {
			order = append(order, p.id)
		}
	}
	for _, p := range order {
		for i := range b.stages {
			if s := &b.stages[i]; s.pipeline == p && want(s) {
				return s
			}
		}
	}
	return nil
}

// newStage is a stage to be made after a name in a file.
func (b *stageBook) newStage(pipeline uuid.UUID, name string) stage {
	s := stage{id: id.New(), pipeline: pipeline, name: name, kind: "open", position: 1}
	for _, have := range b.stages {
		if have.pipeline == pipeline {
			s.position = max(s.position, have.position+1)
		}
	}
	if kind := ends[squeeze(name)]; kind != "" {
		s.kind = kind
	}
	return s
}

var stageProbability = map[string]int64{"open": 50, "won": 100, "lost": 0}
