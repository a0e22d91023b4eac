package importing

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/id"
	"crm/internal/platform/jobs"
)

const (
	sweepEvery = 6 * time.Hour
	// sweepGrace is how old a file must be before it can be nobody's: an upload is
	// stored before its row is written.
	sweepGrace = time.Hour
)

type sweepArgs struct{}

func (sweepArgs) Kind() string      { return "import.sweep" }
func (sweepArgs) Tenant() uuid.UUID { return uuid.Nil }

func workSweep(r *jobs.Registry, service func() *Service) {
	jobs.Work(r, func(ctx context.Context, _ *river.Job[sweepArgs]) error {
		_, err := service().Sweep(ctx)
		return err
	})
	r.Every(sweepEvery, sweepArgs{})
}

const (
	// A file is somebody's while an import that is not over reads it, or while it waits.
	sqlClaimed = `select exists (select 1 from imports where tenant_id = $1 and coalesce(upload_id, id) = $2 and state in ('queued', 'running'))
	  or exists (select 1 from import_uploads where tenant_id = $1 and id = $2 and created_at > $3)`
	sqlForgetUpload = `delete from import_uploads where tenant_id = $1 and id = $2`
)

// Sweep removes files that no import will read any more: uploads broken off by a crash,
// those that waited for a mapping in vain, and what a failed removal left. It returns
// how many went.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	removed := 0
	now := s.Now()
	err := s.Files.Each(ctx, func(tenant, file string, modified time.Time) error {
		if now.Sub(modified) < sweepGrace {
			return nil
		}
		gone, err := s.sweepOne(ctx, tenant, file, now)
		if gone {
			removed++
		}
		return err
	})
	if err != nil {
		return removed, fmt.Errorf("sweep the files of imports: %w", err)
	}
	return removed, nil
}

func (s *Service) sweepOne(ctx context.Context, tenant, file string, now time.Time) (bool, error) {
	t, ok := id.Parse(tenant)
	u, ok2 := id.Parse(file)
	if !ok || !ok2 {
		return false, nil // not ours
	}
	ctx = auth.With(ctx, auth.SystemActor(t))
	claimed := false
	q := db.Query{SQL: sqlClaimed, Args: []any{t, u, now.Add(-keepFor).UTC()}}
	err := s.k.DB.Read(ctx, q, func(rows pgx.Rows) error {
		for rows.Next() {
			if err := rows.Scan(&claimed); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || claimed {
		return false, err
	}
	err = s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sqlForgetUpload, t, u)
		return err
	})
	if err != nil {
		return false, err
	}
	return true, s.Files.Remove(ctx, fileName(t, u))
}
