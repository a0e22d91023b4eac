package exporting

import (
	"context"
	"fmt"
	"net/url"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
)

// The statements over this package's own table. $1 is always the tenant.
const (
	sqlInsert = `insert into exports (tenant_id, id, object, format, query, fields, actor, scope, created_at, created_by)
	  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

	sqlColumns = `id, object, format, state, query, fields, actor, scope, rows, total, bytes, error, created_at, created_by, started_at, finished_at, expires_at`
	sqlGet     = `select ` + sqlColumns + ` from exports where tenant_id = $1 and id = $2`
	sqlList    = `select ` + sqlColumns + ` from exports where tenant_id = $1 and (object = any($2) or created_by = $3) order by id desc limit $4`

	sqlStart    = `update exports set state = 'running', started_at = $3, rows = 0, bytes = 0, total = $4, scope = $5 where tenant_id = $1 and id = $2 and state in ('queued', 'running')`
	sqlProgress = `update exports set rows = $3, bytes = $4 where tenant_id = $1 and id = $2 and state = 'running'`
	sqlDone     = `update exports set state = 'done', rows = $3, bytes = $4, total = $3, finished_at = $5, expires_at = $6 where tenant_id = $1 and id = $2 and state = 'running'`
	sqlFail     = `update exports set state = 'failed', error = $3, finished_at = $4 where tenant_id = $1 and id = $2 and state in ('queued', 'running')`
	sqlCancel   = `update exports set state = 'cancelled', finished_at = $3 where tenant_id = $1 and id = $2 and state in ('queued', 'running')`

	sqlDue     = `select id from exports where tenant_id = $1 and state = 'done' and expires_at <= $2 order by expires_at limit 1000`
	sqlExpired = `update exports set state = 'expired' where tenant_id = $1 and id = any($2)`
)

func (s *Service) load(ctx context.Context, id uuid.UUID) (*Export, error) {
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

func (s *Service) list(ctx context.Context, objects []string, by uuid.UUID, limit int) ([]*Export, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	return s.read(ctx, db.Query{SQL: sqlList, Args: []any{a.TenantID, objects, by, limit}})
}

func (s *Service) read(ctx context.Context, q db.Query) ([]*Export, error) {
	var out []*Export
	err := s.k.DB.Read(ctx, q, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectRows(rows, scanExport)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read exports: %w", err)
	}
	return out, nil
}

func scanExport(row pgx.CollectableRow) (*Export, error) {
	var e Export
	var query, scope string
	err := row.Scan(&e.ID, &e.Object, &e.Format, &e.State, &query, &e.Fields, &e.actor, &scope, &e.Rows, &e.Total, &e.Bytes, &e.Error,
		&e.CreatedAt, &e.CreatedBy, &e.StartedAt, &e.FinishedAt, &e.ExpiresAt)
	if err != nil {
		return nil, err
	}
	e.scope = auth.ParseScope(scope)
	if e.Query, err = url.ParseQuery(query); err != nil {
		return nil, fmt.Errorf("read the query of export %s: %w", e.ID, err)
	}
	return &e, nil
}

// change runs one statement and reports whether it met a row.
func (s *Service) change(ctx context.Context, sql string, args ...any) (bool, error) {
	met := false
	err := s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, sql, append([]any{auth.From(ctx).TenantID}, args...)...)
		met = tag.RowsAffected() > 0
		return err
	})
	return met, err
}
