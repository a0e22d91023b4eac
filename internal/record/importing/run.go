package importing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/jobs"
	"crm/internal/record"
)

// Chunks: as many rows as one save takes, fewer when they are long.
const (
	chunkRows  = record.MaxBatch
	chunkBytes = 4 << 20
)

// run is one slice of work on an import.
type run struct {
	*Service
	imp     *Import
	file    io.ReadSeeker
	object  *record.Object
	def     *record.Definition
	columns []*column
	targets []string // objects that columns point to
	key     *record.Field
	uniques []*record.Field // other unique fields that rows fill
	lookups map[string]*lookup
	roles   map[string]any
	fills   bool // rows are completed while a chunk is written
	others  []*companion
}

func (s *Service) newRun(ctx context.Context, imp *Import, file io.ReadSeeker) (*run, error) {
	o, ok := s.k.ObjectFor(ctx, imp.Object)
	if !ok {
		return nil, errs.New(errs.NotFound, "unknown_object", "There is no object called %q any more.", imp.Object)
	}
	r := &run{Service: s, imp: imp, file: file, object: o, lookups: map[string]*lookup{}}
	if imp.Total == nil || imp.State == Queued {
		if err := r.prepare(ctx); err != nil {
			return nil, err
		}
	}
	return r, r.compile(ctx)
}

// prepare surveys the file, makes the custom fields it needs, and settles the plan.
func (r *run) prepare(ctx context.Context) error {
	def, err := r.k.Definition(ctx, r.imp.Object)
	if err != nil {
		return err
	}
	others := r.companions(ctx, def)
	seen, err := r.imp.dialect.survey(ctx, r.file, wanted(def, others, r.imp.Columns, r.imp.CreateOptions))
	if err != nil {
		return err
	}
	fields := settle(def, r.imp.Columns, seen, r.imp.dialect.Delimiter)
	r.imp.newChoices(def, others, seen)
	// The fields are no part of the batch: undoing the rows leaves them.
	ctx = auth.As(ctx, func(a *auth.Actor) { a.BatchID = uuid.Nil })
	err = r.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if len(fields) > 0 && !r.imp.DryRun {
			if err := r.k.AddCustomFields(ctx, fields); err != nil {
				return err
			}
		}
		if err := r.addChoices(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, sqlStart, auth.From(ctx).TenantID, r.imp.ID, r.Now().UTC(), asJSON(Plan{r.imp.Columns}), seen.rows)
		return err
	})
	if err != nil {
		return fmt.Errorf("prepare import: %w", err)
	}
	r.imp.Total = &seen.rows
	return nil
}

// wanted says what to look for in each column.
func wanted(def *record.Definition, others map[string]*record.Definition, plan []Column, choices bool) []columnSurvey {
	out := make([]columnSurvey, len(plan))
	for i, c := range plan {
		if c.How == Made {
			out[i].sniff = true
			continue
		}
		t, _, err := resolveIn(def, others, c.Field)
		if c.Field == "" || err != nil {
			continue
		}
		out[i].style = t.kind == closeDate
		if t.field != nil {
			if choices && mayGrow(t) {
				out[i].choices = map[string]bool{}
			}
			switch t.field.Type.Name() {
			case "integer", "decimal", "percent", "money", "date", "datetime":
				out[i].style = true
			}
		}
	}
	return out
}

// settle writes styles and types into the plan and lists the fields to make.
func settle(def *record.Definition, plan []Column, seen *survey, delimiter string) []record.CustomField {
	var fields []record.CustomField
	for i := range plan {
		c := &plan[i]
		if c.Field == "" {
			continue
		}
		c.Style = seen.columns[i].result(delimiter)
		if c.How != Made {
			continue
		}
		c.Type = seen.columns[i].types.fieldType()
		fields = append(fields, record.CustomField{Object: def.Name, Name: c.Field[len("custom."):], Label: c.Heading, Type: c.Type})
	}
	return fields
}

// compile makes the plan ready to read cells with.
func (r *run) compile(ctx context.Context) error {
	def, err := r.k.Definition(ctx, r.imp.Object)
	if err != nil {
		return err
	}
	def, err = r.withMade(def)
	if err != nil {
		return err
	}
	r.def = def
	if r.columns, err = compile(def, r.own(ctx, def), auth.From(ctx).Currency); err != nil {
		return err
	}
	for _, c := range r.columns {
		c.salesforce = r.imp.Preset == "salesforce"
		c.clear = r.imp.Blank == Clear && r.imp.Mode != Create && c.clearable()
	}
	r.keys()
	r.pointsTo()
	if err := r.loadOthers(ctx); err != nil {
		return err
	}
	_, staged := def.Field("stage_id")
	r.fills = len(r.targets) > 0 || len(r.others) > 0 || staged || def.Name == "user"
	return r.loadRoles(ctx)
}

// own is the plan without the columns of companions.
func (r *run) own(ctx context.Context, def *record.Definition) Plan {
	others := r.companions(ctx, def)
	plan := Plan{Columns: slices.Clone(r.imp.Columns)}
	for i, c := range plan.Columns {
		if _, other, err := resolveIn(def, others, c.Field); err == nil && other != "" {
			plan.Columns[i].Field = ""
		}
	}
	return plan
}

// withMade adds the fields of a dry run, which exist nowhere, to the definition. In
// earnest they must be known by now; a replica may take seconds to hear of them.
func (r *run) withMade(def *record.Definition) (*record.Definition, error) {
	fields := r.withChoices(def)
	for _, c := range r.imp.Columns {
		if c.How != Made {
			continue
		}
		if _, ok := def.Field(c.Field); ok {
			continue
		}
		typ, ok := record.FieldType(c.Type)
		if !r.imp.DryRun || !ok {
			e := errs.New(errs.Unavailable, "fields_not_ready", "The new field %s is not known here yet. Work goes on in a moment.", c.Field)
			e.RetryAfter = 5 * time.Second
			return nil, e
		}
		name := c.Field[len("custom."):]
		fields = append(fields, &record.Field{Name: name, Label: c.Heading, Column: name, Type: typ, Custom: true})
	}
	return def.WithCustom(fields), nil
}

// keys notes which fields make two rows the same record.
func (r *run) keys() {
	if r.imp.Key != "" {
		r.key, _ = r.def.Field(r.imp.Key)
	}
	for _, c := range r.columns {
		if f := c.target.field; f != nil && c.target.kind == plain && f.Unique && f != r.key && !f.Custom {
			r.uniques = append(r.uniques, f)
		}
	}
}

func (r *run) loadRoles(ctx context.Context) error {
	o, ok := r.k.Object("role")
	if r.def.Name != "user" || !ok {
		return nil
	}
	r.roles = map[string]any{}
	q := db.Query{SQL: "select key, id from " + o.Def.Table + " where tenant_id = $1 and deleted_at is null", Args: []any{auth.From(ctx).TenantID}}
	return r.k.DB.Read(ctx, q, func(rows pgx.Rows) error {
		var key string
		var u uuid.UUID
		_, err := pgx.ForEachRow(rows, []any{&key, &u}, func() error { r.roles[key] = u; return nil })
		return err
	})
}

// work takes chunks in until the file ends or the time is up. The next chunk is read
// while the last one is written.
func (r *run) work(ctx context.Context, until time.Time) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	chunks := make(chan *chunk, 1)
	go r.read(ctx, chunks)
	began := r.Now()
	for c := range chunks {
		if c.err != nil {
			return c.err
		}
		if err := r.take(ctx, c, began); err != nil {
			if errors.Is(err, errNotOurs) {
				return nil
			}
			return err
		}
		if began = r.Now(); began.After(until) {
			return jobs.Again
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return r.finish(ctx, until)
}

// chunk is a piece of the file: rows, and where the next ones begin.
type chunk struct {
	drafts []*draft
	from   int64 // offset of the first row, as the imports row must have it
	next   int64
	err    error // the file ended badly here; rows before it came in a chunk of their own
}

// read cuts the rest of the file into chunks.
func (r *run) read(ctx context.Context, out chan<- *chunk) {
	defer close(out)
	send := func(c *chunk) bool {
		select {
		case out <- c:
			return true
		case <-ctx.Done():
			return false
		}
	}
	rows, err := openRows(r.file, r.imp.dialect, r.imp.offset)
	if err == nil && r.imp.offset == 0 {
		_, err = rows.next()
	}
	if err != nil {
		send(&chunk{err: err})
		return
	}
	at, number := r.imp.offset, r.imp.Read+1
	for {
		c := r.readChunk(rows, number)
		c.from = at
		at, number = c.next, number+int64(len(c.drafts))
		failed := c.err
		c.err = nil
		if len(c.drafts) > 0 && !send(c) {
			return
		}
		if failed != nil {
			if !errors.Is(failed, io.EOF) {
				send(&chunk{err: failed})
			}
			return
		}
	}
}

func (r *run) readChunk(rows *rows, number int64) *chunk {
	c := &chunk{next: rows.offset()}
	for size := 0; len(c.drafts) < chunkRows && size < chunkBytes; {
		row, err := rows.next()
		if err != nil {
			c.err = err
			return c
		}
		number++
		d := r.readDraft(len(r.imp.Columns), number, row)
		c.drafts = append(c.drafts, d)
		size += int(rows.offset() - c.next)
		c.next = rows.offset()
	}
	return c
}

// finish draws the links, and says that the import is done.
func (r *run) finish(ctx context.Context, until time.Time) error {
	for {
		more, err := r.drawLinks(ctx)
		if err != nil {
			if errors.Is(err, errNotOurs) {
				return nil
			}
			return err
		}
		if !more {
			break
		}
		if r.Now().After(until) {
			return jobs.Again
		}
	}
	return r.end(ctx, r.imp, Done, "")
}

// fail ends an import whose file or rights do not allow it to go on.
func (s *Service) fail(ctx context.Context, id uuid.UUID, cause error) error {
	imp, err := s.load(ctx, id)
	if err != nil || imp == nil {
		return err
	}
	message := "Something went wrong on our side. Undo the import, or try again with the rows that are missing."
	if e := errs.As(cause); e != nil && e.Kind != errs.Internal {
		message = e.Message
	}
	s.Log.WarnContext(ctx, "import failed", "import_id", id, "error", cause)
	return s.end(ctx, imp, Failed, message)
}

// letGo removes the file of an import that is over. A dry run leaves a kept upload to
// the import in earnest.
func (s *Service) letGo(ctx context.Context, imp *Import) {
	if imp.upload == nil || !imp.DryRun {
		s.removeFile(ctx, imp.file(auth.From(ctx).TenantID))
	}
}

// end sets the last state, once, and lets the file go.
func (s *Service) end(ctx context.Context, imp *Import, state State, message string) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	err = s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, sqlFinish, a.TenantID, imp.ID, state, message, s.Now().UTC(), nil)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		if _, err := tx.Exec(ctx, sqlDropMark, a.TenantID, imp.ID); err != nil {
			return err
		}
		plain := auth.As(ctx, func(a *auth.Actor) { a.BatchID = uuid.Nil })
		_, err = s.k.Emit(plain, tx, "import", imp.ID, string(state), map[string]any{"object": imp.Object, "file": imp.FileName})
		return err
	})
	if err != nil {
		return fmt.Errorf("end import: %w", err)
	}
	s.letGo(ctx, imp)
	return nil
}
