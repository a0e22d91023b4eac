package scoring

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
)

// table keeps scores on an object's own table. It is the one place of this context that touches another's rows past
// the record kernel, and only the columns that nobody else writes: through the kernel every retraining would bump the
// version of each open lead, break If-Match for people editing, and fill the journal with what no one did.
type table struct{ db *db.DB }

// scoreTables names the statements of each object.
var scoreTables = map[string]struct{ store, stale string }{
	"lead": {
		// Rows that somebody is changing right now are skipped: their change makes them stale and they are scored again.
		store: `with v as (
    select * from unnest($2::uuid[], $3::bigint[], $4::text[], $5::double precision[], $6::text[], $7::uuid[], $8::timestamptz[])
      as v(id, score, grade, probability, reasons, model_id, at)
  ), l as (
    select id from leads where tenant_id = $1 and id = any($2::uuid[]) and deleted_at is null and status = any($9::text[])
    order by id for no key update skip locked
  )
  update leads set score = v.score, score_grade = v.grade, score_probability = v.probability, score_model_id = v.model_id,
    score_reasons = v.reasons::jsonb, scored_at = v.at
  from v join l on l.id = v.id where leads.tenant_id = $1 and leads.id = v.id`,
		stale: `select id from leads where tenant_id = $1 and id > $2 and deleted_at is null and status = any($3::text[])
  and (scored_at is null or score_model_id is distinct from $4 or scored_at < updated_at) order by id limit $5`,
	},
}

func (t table) Store(ctx context.Context, tx pgx.Tx, object string, scores []Scored) (int, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return 0, err
	}
	target, err := targetOf(object)
	if err != nil {
		return 0, err
	}
	cols, err := columnsOf(scores)
	if err != nil {
		return 0, err
	}
	args := append([]any{a.TenantID}, cols...)
	tag, err := tx.Exec(ctx, scoreTables[object].store, append(args, texts(target.open))...)
	if err != nil {
		return 0, fmt.Errorf("store %d scores: %w", len(scores), err)
	}
	return int(tag.RowsAffected()), nil
}

// columnsOf turns rows into one array per column.
func columnsOf(scores []Scored) ([]any, error) {
	n := len(scores)
	ids, models, points := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]int64, n)
	grades, reasons, chances, times := make([]string, n), make([]string, n), make([]float64, n), make([]any, n)
	for i, s := range scores {
		b, err := json.Marshal(s.Reasons)
		if err != nil {
			return nil, fmt.Errorf("write reasons of %s: %w", s.ID, err)
		}
		ids[i], models[i], points[i] = s.ID, s.ModelID, int64(s.Score)
		grades[i], reasons[i], chances[i], times[i] = s.Grade, string(b), s.Probability, s.At
	}
	return []any{ids, points, grades, chances, reasons, models, times}, nil
}

func (t table) Stale(ctx context.Context, object string, model, after uuid.UUID, limit int) ([]uuid.UUID, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	target, err := targetOf(object)
	if err != nil {
		return nil, err
	}
	var out []uuid.UUID
	q := db.Query{SQL: scoreTables[object].stale, Args: []any{a.TenantID, after, texts(target.open), model, limit}}
	err = t.db.Read(ctx, q, func(rows pgx.Rows) error {
		out, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find unscored records: %w", err)
	}
	return out, nil
}
