package importing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
)

const (
	sqlKeep = `insert into import_uploads (tenant_id, id, file_name, file_bytes, sheet, sheets, object, preset, mode, dialect, created_at, created_by)
	  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	sqlKept     = `select file_name, file_bytes, sheet, sheets, object, preset, mode, dialect from import_uploads where tenant_id = $1 and id = $2 and created_by = $3`
	sqlDropKept = `delete from import_uploads where tenant_id = $1 and id = $2`
)

// keepFor is how long a file waits for its mapping, or for the import after a dry run.
const keepFor = 24 * time.Hour

// Kept is an upload that waits for what to do with it; only whoever sent it sees it.
type Kept struct {
	Upload *Upload
	Opts   Options // object, file name, preset and mode, as said with the upload
}

// Keep lets an upload wait under its id. It must have been looked at.
func (s *Service) keep(ctx context.Context, seen *looked, opts Options) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	up := seen.upload
	sheets := up.sheets
	if sheets == nil {
		sheets = []string{}
	}
	err = s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sqlKeep, a.TenantID, up.id, cleanFileName(opts.FileName), up.bytes, up.sheet, sheets, seen.def.Name, opts.Preset, opts.Mode, asJSON(seen.dialect), s.Now().UTC(), a.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep upload: %w", err)
	}
	up.kept = true
	return nil
}

// Kept finds an upload of the actor's that waits.
func (s *Service) Kept(ctx context.Context, id uuid.UUID) (*Kept, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	up := &Upload{id: id, name: fileName(a.TenantID, id), kept: true, limit: s.MaxFile}
	k := &Kept{Upload: up}
	var dialect []byte
	q := db.Query{SQL: sqlKept, Args: []any{a.TenantID, id, a.ID}}
	found := false
	err = s.k.DB.Read(ctx, q, func(rows pgx.Rows) error {
		for rows.Next() {
			found = true
			if err := rows.Scan(&k.Opts.FileName, &up.bytes, &up.sheet, &up.sheets, &k.Opts.Object, &k.Opts.Preset, &k.Opts.Mode, &dialect); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find upload: %w", err)
	}
	if !found {
		return nil, errs.New(errs.NotFound, "upload_gone", "This file is not here any more: files wait for a day, or until they are imported. Upload it again.")
	}
	if err := json.Unmarshal(dialect, &up.known); err != nil {
		return nil, fmt.Errorf("read upload %s: %w", id, err)
	}
	return k, s.readHead(ctx, up)
}

// readHead fills what is looked at of a stored file.
func (s *Service) readHead(ctx context.Context, up *Upload) error {
	f, err := s.Files.Open(ctx, up.name)
	if err != nil {
		return err
	}
	defer f.Close()
	up.head = make([]byte, headSize)
	n, err := io.ReadFull(f, up.head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read the file of the import: %w", err)
	}
	up.head = up.head[:n]
	return nil
}

// settleUpload hands a kept file over to an import in earnest, once: two requests
// with the same file must not both import it.
func (s *Service) settleUpload(ctx context.Context, tx pgx.Tx, up *Upload, dry bool) error {
	if !up.kept || dry {
		return nil
	}
	tag, err := tx.Exec(ctx, sqlDropKept, auth.From(ctx).TenantID, up.id)
	if err == nil && tag.RowsAffected() == 0 {
		return errs.New(errs.Conflict, "upload_used", "This file is being imported already.")
	}
	return err
}
