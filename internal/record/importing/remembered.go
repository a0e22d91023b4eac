package importing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

const (
	sqlRemember = `insert into import_mappings (tenant_id, object, fingerprint, mapping, used_at, used_by) values ($1, $2, $3, $4, $5, $6)
	  on conflict (tenant_id, object, fingerprint) do update set mapping = excluded.mapping, used_at = excluded.used_at, used_by = excluded.used_by`
	sqlRecall = `select mapping from import_mappings where tenant_id = $1 and object = $2 and fingerprint = $3`
)

// fingerprint names a set of headings, whatever their order, case and punctuation.
func fingerprint(heads []string) string {
	keys := make([]string, 0, len(heads))
	for _, h := range heads {
		if !isErrorColumn(h) { // a mended file of refused rows is the same file
			keys = append(keys, squeeze(h))
		}
	}
	slices.Sort(keys)
	sum := sha256.Sum256([]byte(strings.Join(keys, "\n")))
	return hex.EncodeToString(sum[:16])
}

// remember keeps a mapping the caller wrote for the next file with the same headings;
// one that only followed from the headings will follow from them again.
func (s *Service) remember(ctx context.Context, tx pgx.Tx, seen *looked, opts Options) error {
	if opts.Mapping == nil {
		return nil
	}
	a := auth.From(ctx)
	_, err := tx.Exec(ctx, sqlRemember, a.TenantID, seen.def.Name, fingerprint(seen.heads), asJSON(seen.plan.mapping()), s.Now().UTC(), nilIfZero(a.ID))
	if err != nil {
		return fmt.Errorf("remember the mapping: %w", err)
	}
	return nil
}

// recall is what was asked of the same headings last; nil = nothing. Columns whose
// fields are gone are left out.
func (s *Service) recall(ctx context.Context, def *record.Definition, heads []string) (map[string]any, error) {
	var raw []byte
	q := db.Query{SQL: sqlRecall, Args: []any{auth.From(ctx).TenantID, def.Name, fingerprint(heads)}}
	err := s.k.DB.Read(ctx, q, func(rows pgx.Rows) error {
		for rows.Next() {
			if err := rows.Scan(&raw); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || raw == nil {
		return nil, err
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("read the remembered mapping: %w", err)
	}
	return out, nil
}

// InEarnest does what a dry run of a waiting file tried.
func (s *Service) InEarnest(ctx context.Context, id uuid.UUID) (*Import, error) {
	imp, err := s.Get(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case !imp.DryRun || imp.upload == nil:
		return nil, errs.New(errs.Conflict, "not_a_trial", "Only a dry run whose file was kept can be repeated in earnest. Upload the file again.")
	}
	var raw []byte
	q := db.Query{SQL: `select coalesce(mapping, 'null') from imports where tenant_id = $1 and id = $2`, Args: []any{auth.From(ctx).TenantID, id}}
	err = s.k.DB.Read(ctx, q, func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&raw}, func() error { return nil })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the mapping of the dry run: %w", err)
	}
	opts := Options{
		Object: imp.Object, Mode: imp.Mode, Key: imp.Key, Preset: imp.Preset, CreateFields: imp.CreateFields, CreateOptions: imp.CreateOptions, Blank: imp.Blank,
	}
	if err := json.Unmarshal(raw, &opts.Mapping); err != nil {
		return nil, fmt.Errorf("read the mapping of the dry run: %w", err)
	}
	return s.FromKept(ctx, *imp.upload, opts)
}

// Upload is the waiting file a dry run read; nil = none.
func (i *Import) Upload() *uuid.UUID { return i.upload }

// mapping is the plan as a caller would have written it: every column is named, so
// that the next import does not guess where this one was told.
func (p Plan) mapping() map[string]any {
	out := make(map[string]any, len(p.Columns))
	for _, c := range p.Columns {
		switch {
		case isErrorColumn(c.Heading), c.How == Made: // once made, the field is found by its label
		case c.Field == "":
			out[c.Heading] = nil
		case c.Values != nil || c.Lenient:
			m := map[string]any{"field": c.Field}
			if c.Values != nil {
				m["values"] = c.Values
			}
			if c.Lenient {
				m["unknown"] = "empty"
			}
			out[c.Heading] = m
		default:
			out[c.Heading] = c.Field
		}
	}
	return out
}
