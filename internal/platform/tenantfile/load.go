package tenantfile

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
)

// File is a tenant's file, opened and looked at.
type File struct {
	Manifest
	zip *zip.Reader
}

// maxManifest bounds the one part that is read whole.
const maxManifest = 4 << 20

// Open reads the manifest. It refuses what is no such file, or of a newer format.
func Open(z *zip.Reader) (*File, error) {
	f := &File{zip: z}
	raw, err := f.read(manifestName, maxManifest)
	if err != nil || json.Unmarshal(raw, &f.Manifest) != nil || f.Format < 1 || f.TenantID == uuid.Nil {
		return nil, errs.New(errs.Invalid, "not_a_tenant_file", "This is no file of a tenant. Make one with: crm tenant export")
	}
	if f.Format > formatVersion {
		return nil, errs.New(errs.Invalid, "newer_format", "The file was written by a newer program (%s). Upgrade this one first.", f.Program)
	}
	return f, nil
}

// Load makes the tenant in the transaction, whose actor is the system of the tenant to
// be: its id is the file's, or another one where that is taken. slug is its address.
func (f *File) Load(ctx context.Context, tx pgx.Tx, slug string, p Policy) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	l := &loader{file: f, tx: tx, tenant: a.TenantID, slug: slug, policy: p}
	return l.all(ctx)
}

type loader struct {
	file   *File
	tx     pgx.Tx
	tenant uuid.UUID
	slug   string
	policy Policy
	shift  int64 // added to places in the journal
	late   map[string][]string
}

func (l *loader) all(ctx context.Context) error {
	if err := l.checkSchema(ctx); err != nil {
		return err
	}
	if err := l.makeTenant(ctx); err != nil {
		return err
	}
	tables, err := Catalogue(ctx, l.tx)
	if err != nil {
		return err
	}
	if tables, err = l.known(tables); err != nil {
		return err
	}
	order, late, err := inOrder(tables)
	if err != nil {
		return err
	}
	l.late = late
	if err := l.makeRoom(ctx); err != nil {
		return err
	}
	for _, t := range order {
		if err := l.table(ctx, t, l.insert(t)); err != nil {
			return err
		}
	}
	for _, t := range order {
		if len(late[t.Name]) == 0 {
			continue
		}
		if err := l.table(ctx, t, l.update(t)); err != nil {
			return err
		}
	}
	return l.settle(ctx)
}

// checkSchema: an older file lacks columns, which get their defaults; a newer one has
// columns that would be lost.
func (l *loader) checkSchema(ctx context.Context) error {
	var ours int64
	if err := l.tx.QueryRow(ctx, sqlSchema).Scan(&ours); err != nil {
		return fmt.Errorf("read the version of the schema: %w", err)
	}
	if l.file.Schema > ours {
		return errs.New(errs.Invalid, "newer_schema", "The file comes from a newer installation (schema %d, here %d). Upgrade this one first.", l.file.Schema, ours)
	}
	return nil
}

// makeTenant writes the tenant itself under its new id and address.
func (l *loader) makeTenant(ctx context.Context) error {
	part, ok := l.file.part(tenantsTable)
	if !ok || part.Rows != 1 {
		return damaged(tenantsTable)
	}
	columns := quoted(part.Columns)
	sql := fmt.Sprintf(`insert into tenants (%s) select %s from json_array_elements($1::json) j,
	  jsonb_populate_record(null::tenants, j::jsonb || jsonb_build_object('id', $2::text, 'slug', $3::text, 'state', 'active'))`, columns, columns)
	return l.file.lines(part, func(batch []byte) error {
		_, err := l.tx.Exec(ctx, sql, string(batch), l.tenant.String(), l.slug)
		return err
	})
}

// known are the tables of the file as they are here. A table or column that is not
// here any more would be lost, so it is refused.
func (l *loader) known(tables []*Table) ([]*Table, error) {
	var out []*Table
	for _, part := range l.file.Tables {
		if part.Table == tenantsTable {
			continue
		}
		i := slices.IndexFunc(tables, func(t *Table) bool { return t.Name == part.Table })
		if i < 0 {
			return nil, unknown("table " + part.Table)
		}
		for _, c := range part.Columns {
			if _, ok := tables[i].column(c); !ok {
				return nil, unknown("column " + part.Table + "." + c)
			}
		}
		out = append(out, tables[i])
	}
	return out, nil
}

func unknown(what string) error {
	return errs.New(errs.Invalid, "unknown_part", "The file has the %s, which this installation does not know.", what)
}

// makeRoom takes as many places of the journal as the file spans, so that what is
// written from now on comes after it.
func (l *loader) makeRoom(ctx context.Context) error {
	if l.file.LastSeq == 0 {
		return nil
	}
	var first int64
	err := l.tx.QueryRow(ctx, `select min(n) from (select nextval('journal_seq') n from generate_series(1, $1::bigint)) s`, l.file.LastSeq-l.file.FirstSeq+1).Scan(&first)
	l.shift = first - l.file.FirstSeq
	return err
}

// table runs a statement for each batch of a table's rows.
func (l *loader) table(ctx context.Context, t *Table, sql string) error {
	part, _ := l.file.part(t.Name)
	here, there := []byte(l.tenant.String()), []byte(l.file.TenantID.String())
	err := l.file.lines(part, func(batch []byte) error {
		if !bytes.Equal(here, there) {
			batch = bytes.ReplaceAll(batch, there, here)
		}
		_, err := l.tx.Exec(ctx, sql, string(batch))
		return err
	})
	if err != nil {
		return fmt.Errorf("load table %s: %w", t.Name, err)
	}
	return nil
}

// insert is the statement that writes rows ($1, a JSON array), without what has to
// wait for other rows.
func (l *loader) insert(t *Table) string {
	part, _ := l.file.part(t.Name)
	values := make([]string, len(part.Columns))
	for i, name := range part.Columns {
		c, _ := t.column(name)
		values[i] = l.value(t, c)
	}
	table := quoted([]string{t.Name})
	return fmt.Sprintf("insert into %s (%s) select %s from json_populate_recordset(null::%s, $1::json) r", table, quoted(part.Columns), strings.Join(values, ", "), table)
}

func (l *loader) value(t *Table, c Column) string {
	ref := "r." + quoted([]string{c.Name})
	switch {
	case slices.Contains(l.late[t.Name], c.Name):
		return "null"
	case c.place():
		return fmt.Sprintf("case when %[1]s > 0 then %[1]s + %[2]d else %[1]s end", ref, l.shift)
	case l.tenant != l.file.TenantID && slices.Contains(l.policy.Fresh, t.Name+"."+c.Name):
		return "replace(gen_random_uuid()::text, '-', '')"
	}
	return ref
}

// update is the statement of the second round.
func (l *loader) update(t *Table) string {
	var sets, same, some []string
	for _, name := range l.late[t.Name] {
		c := quoted([]string{name})
		sets = append(sets, c+" = r."+c)
		some = append(some, "r."+c+" is not null")
	}
	for _, name := range t.Key {
		c := quoted([]string{name})
		same = append(same, "t."+c+" = r."+c)
	}
	table := quoted([]string{t.Name})
	return fmt.Sprintf("update %s t set %s from json_populate_recordset(null::%s, $1::json) r where %s and (%s)",
		table, strings.Join(sets, ", "), table, strings.Join(same, " and "), strings.Join(some, " or "))
}

func (l *loader) settle(ctx context.Context) error {
	for _, sql := range l.policy.Settle {
		if _, err := l.tx.Exec(ctx, sql, l.tenant); err != nil {
			return fmt.Errorf("settle the loaded tenant: %w", err)
		}
	}
	return nil
}
