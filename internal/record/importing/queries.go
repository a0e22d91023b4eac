package importing

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
)

// The statements over this package's own tables. $1 is always the tenant.
const (
	sqlInsert = `insert into imports (tenant_id, id, object, file_name, file_bytes, preset, mode, key, dry_run, create_fields, mapping, dialect, plan, actor, created_at, created_by, create_options, blank, sheet, upload_id)
	  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`

	sqlColumns = `id, object, state, file_name, file_bytes, preset, mode, key, dry_run, create_fields, plan, total, read, created, updated, skipped, failed,
	  warnings, error, worked_ms, undo_state, undone, undo_conflicts, created_at, created_by, started_at, finished_at, dialect, actor, read_offset, create_options, blank, sheet, upload_id, objects, sample`

	sqlGet  = `select ` + sqlColumns + ` from imports where tenant_id = $1 and id = $2`
	sqlList = `select ` + sqlColumns + ` from imports where tenant_id = $1 and (object = any($2) or (object = any($3) and created_by = $4)) order by id desc limit $5`

	sqlCancel = `update imports set state = 'cancelled', finished_at = $3 where tenant_id = $1 and id = $2 and state in ('queued', 'running')`
	sqlStart  = `update imports set state = 'running', started_at = coalesce(started_at, $3), plan = $4, total = $5 where tenant_id = $1 and id = $2 and state in ('queued', 'running')`
	sqlFinish = `update imports set state = $3, error = $4, finished_at = $5, warnings = coalesce($6, warnings) where tenant_id = $1 and id = $2 and state in ('queued', 'running')`

	// The row is locked for the length of a chunk: whoever works on an import with
	// an old idea of its place finds out here.
	sqlLock     = `select state, read_offset, read from imports where tenant_id = $1 and id = $2 for update`
	sqlProgress = `update imports set read_offset = $3, read = read + $4, created = created + $5, updated = updated + $6, skipped = skipped + $7, failed = failed + $8,
	  warnings = $9, worked_ms = worked_ms + $10, objects = $11, sample = coalesce($12, sample) where tenant_id = $1 and id = $2`

	sqlErrors = `insert into import_errors (tenant_id, import_id, row_number, field, code, reason, raw)
	  select $1, $2, u.* from unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::jsonb[]) as u`
	sqlReadErrors = `select row_number, reason, raw from import_errors where tenant_id = $1 and import_id = $2 and row_number > $3 order by row_number limit $4`

	sqlLinks     = `insert into import_links (tenant_id, import_id, record_id, field, value) select $1, $2, u.* from unnest($3::uuid[], $4::text[], $5::text[]) as u on conflict do nothing`
	sqlReadLinks = `select record_id, field, value from import_links where tenant_id = $1 and import_id = $2 order by record_id, field limit $3`
	sqlDropLinks = `delete from import_links where tenant_id = $1 and import_id = $2 and record_id = any($3)`

	sqlUndo = `update imports set undo_state = $3, undone = $4, undo_conflicts = $5 where tenant_id = $1 and id = $2`
)

func (s *Service) load(ctx context.Context, id uuid.UUID) (*Import, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.read(ctx, db.Query{SQL: sqlGet, Args: []any{a.TenantID, id}})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

func (s *Service) list(ctx context.Context, all, own []string, by uuid.UUID, limit int) ([]*Import, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	return s.read(ctx, db.Query{SQL: sqlList, Args: []any{a.TenantID, all, own, by, limit}})
}

func (s *Service) read(ctx context.Context, q db.Query) ([]*Import, error) {
	var out []*Import
	err := s.k.DB.Read(ctx, q, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectRows(rows, scanImport)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read imports: %w", err)
	}
	return out, nil
}

func scanImport(row pgx.CollectableRow) (*Import, error) {
	var i Import
	var plan, warnings, conflicts, dialect, objects, sample []byte
	err := row.Scan(&i.ID, &i.Object, &i.State, &i.FileName, &i.FileBytes, &i.Preset, &i.Mode, &i.Key, &i.DryRun, &i.CreateFields, &plan, &i.Total,
		&i.Read, &i.Created, &i.Updated, &i.Skipped, &i.Failed, &warnings, &i.Error, &i.WorkedMS, &i.Undo.State, &i.Undo.Reversed, &conflicts,
		&i.CreatedAt, &i.CreatedBy, &i.StartedAt, &i.FinishedAt, &dialect, &i.actor, &i.offset, &i.CreateOptions, &i.Blank, &i.Sheet, &i.upload, &objects, &sample)
	if err != nil {
		return nil, err
	}
	var p Plan
	for _, part := range []struct {
		raw []byte
		dst any
	}{{plan, &p}, {warnings, &i.Warnings}, {conflicts, &i.Undo.Conflicts}, {dialect, &i.dialect}, {objects, &i.Objects}, {sample, &i.Sample}} {
		if err := json.Unmarshal(part.raw, part.dst); err != nil {
			return nil, fmt.Errorf("read import %s: %w", i.ID, err)
		}
	}
	i.Columns = p.Columns
	return &i, nil
}
