package dbtest

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"crm/internal/platform/db/migrate"
)

const (
	building      = "building"
	keepTemplates = 3 // for people who switch between branches
)

// ensureTemplate migrates a database once per fingerprint. It gets its name only when whole, so one that a killed process
// left half-made is never used.
func (s *slot) ensureTemplate(ctx context.Context) error {
	print, err := migrate.Fingerprint()
	if err != nil {
		return err
	}
	s.template = "tmpl_" + print
	var exists bool
	err = s.admin.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", s.template).Scan(&exists)
	if err != nil || exists {
		return err
	}
	if err := s.dropDatabase(ctx, building); err != nil {
		return err
	}
	if err := s.cluster.EnsureDatabase(ctx, building); err != nil {
		return err
	}
	if err := migrate.Up(ctx, s.cluster.URL("crm_owner", building), nil); err != nil {
		return err
	}
	if err := s.nameTemplate(ctx); err != nil {
		return err
	}
	return s.dropOldTemplates(ctx)
}

// nameTemplate also closes it: a database with connections cannot be copied.
func (s *slot) nameTemplate(ctx context.Context) error {
	for _, statement := range []string{
		"alter database " + building + " allow_connections false",
		"select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '" + building + "'",
		"alter database " + building + " rename to " + s.template,
	} {
		if _, err := s.admin.Exec(ctx, statement); err != nil {
			return fmt.Errorf("finish the template: %w", err)
		}
	}
	return nil
}

func (s *slot) dropOldTemplates(ctx context.Context) error {
	rows, err := s.admin.Query(ctx,
		"select datname from pg_database where datname like 'tmpl\\_%' order by oid desc offset $1", keepTemplates)
	if err != nil {
		return fmt.Errorf("list old templates: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("list old templates: %w", err)
	}
	for _, name := range names {
		if err := s.dropDatabase(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
