package importing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/jobs"
	"crm/internal/record"
)

// Upload is a stored file that no import refers to yet.
type Upload struct {
	id     uuid.UUID
	name   string
	bytes  int64
	limit  int64
	head   []byte
	seen   textCount
	known  *Dialect // how it is written, where that needs no guess
	sheet  string   // of a workbook: the sheet that was read, and all there are
	sheets []string
	kept   bool // it has a row in import_uploads
}

// Create stores the file, looks at it, and queues the import. It answers when the
// file is stored; what it refuses names the option at fault.
func (s *Service) Create(ctx context.Context, opts Options) (*Import, error) {
	if err := s.checkFirst(ctx, &opts); err != nil {
		return nil, err
	}
	up, err := s.Store(ctx, opts.Reader)
	if err != nil {
		return nil, err
	}
	return s.Begin(ctx, up, opts)
}

// Check refuses options that no file could make good: an unknown object, mode or
// preset, or a right the actor does not have.
func (s *Service) Check(ctx context.Context, opts Options) error { return s.checkFirst(ctx, &opts) }

// checkFirst refuses what can be refused without the file.
func (s *Service) checkFirst(ctx context.Context, opts *Options) error {
	o, err := s.object(ctx, opts.Object)
	if err != nil {
		return err
	}
	if opts.Mode == "" {
		opts.Mode = Create
		if opts.Key != "" {
			opts.Mode = Upsert
		}
	}
	if opts.Mode != Create && opts.Mode != Update && opts.Mode != Upsert {
		return errs.Field("mode", "unknown_mode", "mode is create, update or upsert, not %q.", opts.Mode)
	}
	if opts.Blank == "" {
		opts.Blank = Keep
	}
	if opts.Blank != Keep && opts.Blank != Clear {
		return errs.Field("blank", "unknown_option", "blank is keep or clear, not %q.", opts.Blank)
	}
	if err := checkPreset(opts.Preset); err != nil {
		return err
	}
	return mayImport(ctx, o.Def.Name, opts)
}

func mayImport(ctx context.Context, object string, opts *Options) error {
	wanted := map[Mode][]auth.Action{Create: {auth.Create}, Update: {auth.Update}, Upsert: {auth.Create, auth.Update}}
	for _, action := range wanted[opts.Mode] {
		if _, _, err := auth.Require(ctx, object, action); err != nil {
			return err
		}
	}
	if !opts.CreateFields && !opts.CreateOptions {
		return nil
	}
	_, _, err := auth.Require(ctx, "custom_field", auth.Create)
	return err
}

// Store takes an upload in, at most MaxFile bytes, while counting what tells its
// encoding. The caller goes on with Begin, or gives it up with Discard.
func (s *Service) Store(ctx context.Context, r io.Reader) (*Upload, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, errs.Field("file", "required", "Send the file in the field file.")
	}
	up := &Upload{id: id.New(), limit: s.MaxFile}
	up.name = fileName(a.TenantID, up.id)
	w, err := s.Files.Create(ctx, up.name)
	if err != nil {
		return nil, errs.OfDisk(err)
	}
	err = up.copy(ctx, w, r)
	if cerr := w.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("store the file of the import: %w", cerr)
	}
	if err != nil {
		s.Discard(ctx, up)
		return nil, errs.OfDisk(err)
	}
	return up, nil
}

func (u *Upload) copy(ctx context.Context, w io.Writer, r io.Reader) error {
	buf := make([]byte, 256<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if err := u.take(w, buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && errs.As(err) != nil:
			return err
		case err != nil:
			return errs.Wrap(err, errs.Malformed, "body_unreadable", "The file could not be read to its end. Send it again.")
		case ctx.Err() != nil:
			return ctx.Err()
		}
	}
}

func (u *Upload) take(w io.Writer, p []byte) error {
	u.bytes += int64(len(p))
	if u.bytes > u.limit {
		return errs.New(errs.TooLarge, "file_too_large", "A file may have at most %d MiB. Split it and import the parts.", u.limit>>20)
	}
	if missing := headSize - len(u.head); missing > 0 {
		u.head = append(u.head, p[:min(missing, len(p))]...)
	}
	u.seen.add(p)
	if _, err := w.Write(p); err != nil {
		return fmt.Errorf("store the file of the import: %w", err)
	}
	return nil
}

// Discard deletes an upload that will not be imported. One that is kept stays: its
// owner may mend the mapping and try again.
func (s *Service) Discard(ctx context.Context, up *Upload) {
	if !up.kept {
		s.removeFile(ctx, up.name)
	}
}

func (s *Service) removeFile(ctx context.Context, name string) {
	if err := s.Files.Remove(context.WithoutCancel(ctx), name); err != nil {
		s.Log.WarnContext(ctx, "file of an import could not be removed", "error", err)
	}
}

// Begin looks at a stored upload, makes the import and queues its work in one
// transaction. It discards the upload when it refuses.
func (s *Service) Begin(ctx context.Context, up *Upload, opts Options) (*Import, error) {
	table, err := s.tabled(ctx, up)
	if err != nil {
		s.Discard(ctx, up)
		return nil, err
	}
	up = table
	imp, err := s.begin(ctx, up, opts)
	if err != nil {
		s.Discard(ctx, up)
		return nil, err
	}
	return imp, nil
}

func (s *Service) begin(ctx context.Context, up *Upload, opts Options) (*Import, error) {
	seen, err := s.look(ctx, up, &opts)
	if err != nil {
		return nil, err
	}
	if opts.Key, err = chooseKey(seen.def, seen.plan, opts); err != nil {
		return nil, err
	}
	return s.insert(ctx, seen.upload, opts, seen)
}

// looked is what a look at a file's head tells.
type looked struct {
	upload     *Upload
	def        *record.Definition
	dialect    Dialect
	heads      []string
	sample     [][]string
	plan       Plan
	remembered bool // the plan was made by an earlier mapping
}

// look unpacks a workbook, learns how the file is written, and plans its columns.
func (s *Service) look(ctx context.Context, up *Upload, opts *Options) (*looked, error) {
	if err := s.checkFirst(ctx, opts); err != nil {
		return nil, err
	}
	o, err := s.object(ctx, opts.Object)
	if err != nil {
		return nil, err
	}
	if err := s.unpack(ctx, up, opts.Sheet); err != nil {
		return nil, err
	}
	out := &looked{upload: up}
	if out.dialect, err = up.dialect(); err != nil {
		return nil, err
	}
	if out.def, err = s.k.Definition(ctx, o.Def.Name); err != nil {
		return nil, err
	}
	if out.heads, out.sample, err = up.read(out.dialect); err != nil {
		return nil, err
	}
	return out, s.plan(ctx, out, opts)
}

// plan decides about the columns: what the caller says, else what was said about the
// same headings last time, else what the headings tell.
func (s *Service) plan(ctx context.Context, l *looked, opts *Options) error {
	if opts.Preset == "" {
		opts.Preset = detectPreset(l.heads)
	}
	var err error
	if opts.Mapping == nil {
		if opts.Mapping, err = s.recall(ctx, l.def, l.heads); err != nil {
			return err
		}
		l.remembered = opts.Mapping != nil
	}
	if len(opts.Mapping) == 0 {
		opts.Mapping = nil
	}
	l.plan, err = newPlan(l.def, *opts, l.heads, l.sample, s.companions(ctx, l.def))
	if err != nil && l.remembered { // fields that were known then are not now
		opts.Mapping, l.remembered = nil, false
		l.plan, err = newPlan(l.def, *opts, l.heads, l.sample, s.companions(ctx, l.def))
	}
	return err
}

// dialect is how the upload is written.
func (u *Upload) dialect() (Dialect, error) {
	if u.known != nil {
		return *u.known, nil
	}
	return sniff(u.head, u.seen)
}

// read returns the headings and some rows of the head.
func (u *Upload) read(d Dialect) (heads []string, sample [][]string, err error) {
	text, err := io.ReadAll(d.decode(bytes.NewReader(u.head)))
	if err != nil {
		return nil, nil, notCSV("The file could not be read as text.")
	}
	text = text[min(int64(len(text)), d.Skip):]
	if d.CR {
		text = bytes.ReplaceAll(text, []byte{'\r'}, []byte{'\n'})
	}
	rows := headRows(text, rune(d.Delimiter[0]), 100)
	if len(rows) == 0 {
		return nil, nil, errs.Field("file", "empty_file", "The file is empty.")
	}
	if heads, err = headings(rows[0]); err != nil {
		return nil, nil, err
	}
	if len(rows) == 1 && u.bytes < headSize {
		return nil, nil, errs.Field("file", "no_rows", "The file has headings but no rows.")
	}
	return heads, rows[1:], nil
}

// keyTypes are the types whose values can be looked up exactly.
var keyTypes = map[string]bool{"text": true, "email": true, "phone": true, "url": true, "id": true, "integer": true}

// chooseKey checks the key, or finds one when the mode needs it.
func chooseKey(def *record.Definition, plan Plan, opts Options) (string, error) {
	if opts.Key == "" && opts.Mode == Create {
		return "", nil
	}
	if opts.Key != "" {
		return opts.Key, checkKey(def, plan, opts.Key)
	}
	names := []string{"id", "external_id"}
	for _, f := range def.Fields {
		if f.Unique {
			names = append(names, f.Name)
		}
	}
	for _, name := range append(names, "email", "domain") {
		if checkKey(def, plan, name) == nil {
			return name, nil
		}
	}
	return "", errs.Field("key", "required", "To %s, say in key which field finds the record (external_id or email, say), and map a column to it.", opts.Mode)
}

func checkKey(def *record.Definition, plan Plan, key string) error {
	f, ok := def.Field(key)
	if !ok {
		return errs.Field("key", "unknown_field", "There is no field %q on %s.", key, def.Plural)
	}
	if f.Custom || !keyTypes[f.Type.Name()] {
		return errs.Field("key", "not_a_key", "Records cannot be found by %s; use external_id or email.", key)
	}
	if _, mapped := plan.column(key); !mapped {
		return errs.Field("key", "not_mapped", "No column of the file is mapped to the key %s.", key)
	}
	return nil
}

// insert writes the import and its job together, and remembers the mapping.
func (s *Service) insert(ctx context.Context, up *Upload, opts Options, seen *looked) (*Import, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	who, err := s.snapshot(ctx, a)
	if err != nil {
		return nil, err
	}
	imp, file := up.id, (*uuid.UUID)(nil)
	if up.kept {
		imp, file = id.New(), &up.id
	}
	err = s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sqlInsert, a.TenantID, imp, seen.def.Name, cleanFileName(opts.FileName), up.bytes, opts.Preset, opts.Mode, opts.Key,
			opts.DryRun, opts.CreateFields, asJSON(opts.Mapping), asJSON(seen.dialect), asJSON(seen.plan), who, s.Now().UTC(), nilIfZero(a.ID),
			opts.CreateOptions, opts.Blank, up.sheet, file)
		if err != nil {
			return err
		}
		if err := s.settleUpload(ctx, tx, up, opts.DryRun); err != nil {
			return err
		}
		if err := s.remember(ctx, tx, seen, opts); err != nil || s.Jobs == nil {
			return err
		}
		_, err = s.Jobs.Insert(ctx, tx, Args{TenantID: a.TenantID, ImportID: imp}, jobs.When{Queue: "imports", Tries: maxTries})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("queue import: %w", err)
	}
	return s.load(ctx, imp)
}

// snapshot is who asked, as kept for the job.
func (s *Service) snapshot(ctx context.Context, a *auth.Actor) (json.RawMessage, error) {
	c := *a
	if c.Currency == "" {
		err := s.k.DB.Read(ctx, db.Query{SQL: `select currency from tenants where id = $1`, Args: []any{a.TenantID}}, func(rows pgx.Rows) error {
			for rows.Next() {
				if err := rows.Scan(&c.Currency); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read the tenant's currency: %w", err)
		}
	}
	return asJSON(c), nil
}

func cleanFileName(s string) string {
	s = record.CleanText(strings.ToValidUTF8(path.Base(strings.ReplaceAll(s, `\`, "/")), ""))
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "")
	}
	if s == "." || s == "/" {
		return ""
	}
	return s
}

func asJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil || string(b) == "null" {
		return nil
	}
	return b
}

func nilIfZero(u uuid.UUID) *uuid.UUID {
	if u == uuid.Nil {
		return nil
	}
	return &u
}
