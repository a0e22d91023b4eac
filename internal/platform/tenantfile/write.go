package tenantfile

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
)

// Write puts everything the actor's tenant has into w. program is the version of the
// program, now the moment for the manifest.
func Write(ctx context.Context, d *db.DB, w io.Writer, p Policy, program string, now time.Time) (*Manifest, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	m := &Manifest{Format: formatVersion, Program: program, At: now.UTC(), TenantID: a.TenantID, Left: p.Skip}
	err = d.Snapshot(ctx, func(ctx context.Context, tx pgx.Tx) error {
		out := &writer{tx: tx, zip: zip.NewWriter(w), m: m, policy: p}
		if err := out.all(ctx); err != nil {
			return err
		}
		return out.zip.Close()
	})
	if err != nil {
		return nil, fmt.Errorf("write the tenant: %w", err)
	}
	return m, nil
}

type writer struct {
	tx     pgx.Tx
	zip    *zip.Writer
	m      *Manifest
	policy Policy
}

const (
	sqlSchema  = `select coalesce(max(version_id), 0) from public.goose_db_version where is_applied`
	sqlAbout   = `select slug, coalesce((select min(seq) from journal where tenant_id = $1), 0), coalesce((select max(seq) from journal where tenant_id = $1), 0) from tenants where id = $1`
	sqlTenants = `select row_to_json(t)::text from tenants t where id = $1`

	sqlTenantColumns = `select array_agg(attname::text order by attnum) from pg_attribute where attrelid = 'public.tenants'::regclass and attnum > 0 and not attisdropped`
)

func (w *writer) all(ctx context.Context) error {
	if err := w.tx.QueryRow(ctx, sqlSchema).Scan(&w.m.Schema); err != nil {
		return fmt.Errorf("read the version of the schema: %w", err)
	}
	if err := w.tx.QueryRow(ctx, sqlAbout, w.m.TenantID).Scan(&w.m.Slug, &w.m.FirstSeq, &w.m.LastSeq); err != nil {
		return err
	}
	var columns []string
	if err := w.tx.QueryRow(ctx, sqlTenantColumns).Scan(&columns); err != nil {
		return fmt.Errorf("read the columns of tenants: %w", err)
	}
	if err := w.part(ctx, tenantsTable, columns, sqlTenants); err != nil {
		return err
	}
	tables, err := Catalogue(ctx, w.tx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if _, skipped := w.policy.Skip[t.Name]; skipped {
			continue
		}
		columns := w.policy.columns(t)
		sql := fmt.Sprintf("select row_to_json(r)::text from (select %s from %s where tenant_id = $1 order by %s) r", quoted(columns), quoted([]string{t.Name}), quoted(t.Key))
		if err := w.part(ctx, t.Name, columns, sql); err != nil {
			return err
		}
	}
	return w.manifest()
}

// columns are those of a table that travel.
func (p Policy) columns(t *Table) []string {
	var out []string
	for _, c := range t.Columns {
		if _, skipped := p.Skip[t.Name+"."+c.Name]; !skipped {
			out = append(out, c.Name)
		}
	}
	return out
}

func quoted(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = pgx.Identifier{n}.Sanitize()
	}
	return strings.Join(out, ", ")
}

// part streams the rows of one statement into the file.
func (w *writer) part(ctx context.Context, table string, columns []string, sql string) error {
	entry, err := w.zip.CreateHeader(&zip.FileHeader{Name: partName(table), Method: zip.Deflate, Modified: w.m.At})
	if err != nil {
		return err
	}
	hash := sha256.New()
	out := io.MultiWriter(entry, hash)
	rows, err := w.tx.Query(ctx, sql, w.m.TenantID)
	if err != nil {
		return fmt.Errorf("read table %s: %w", table, err)
	}
	defer rows.Close()
	p := Part{Table: table, Columns: columns}
	var line []byte
	for rows.Next() {
		p.Rows++
		line = append(append(line[:0], rows.RawValues()[0]...), '\n')
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read table %s: %w", table, err)
	}
	p.SHA256 = hex.EncodeToString(hash.Sum(nil))
	w.m.Tables = append(w.m.Tables, p)
	return nil
}

func (w *writer) manifest() error {
	out, err := w.zip.CreateHeader(&zip.FileHeader{Name: manifestName, Method: zip.Deflate, Modified: w.m.At})
	if err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(w.m)
}
