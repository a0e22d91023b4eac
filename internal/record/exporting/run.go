package exporting

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// progressEvery is how often an export says how far it has come, and finds out that
// it was cancelled.
const progressEvery = 500 * time.Millisecond

var errCancelled = errors.New("export was cancelled")

// run is one export being written.
type run struct {
	s      *Service
	e      *Export
	ctx    context.Context // outside of the snapshot, which is read-only
	out    *counter
	enc    encoder
	rows   int64
	spoken time.Time
}

// write makes the file, from its first row. ctx is of whoever asked, with the rights
// they have now.
func (s *Service) write(ctx context.Context, e *Export) error {
	o, err := s.object(ctx, e.Object)
	if err != nil {
		return err
	}
	a := auth.From(ctx)
	if e.scope = Reach(a, e.Object); e.scope == auth.None {
		return auth.Denied(e.Object, auth.Export)
	}
	ctx = held(ctx, e.Object)
	q, err := listQuery(ctx, o, e.Query)
	if err != nil {
		return err
	}
	total, err := o.CountAll(ctx, q)
	if err != nil {
		return err
	}
	if met, err := s.change(ctx, sqlStart, e.ID, s.Now().UTC(), total, e.scope.String()); err != nil || !met {
		return errors.Join(err, cancelledUnless(met || err != nil))
	}
	r := &run{s: s, e: e, ctx: ctx, spoken: s.Now()}
	if err := r.file(o, q, fileName(a.TenantID, e.ID)); err != nil {
		s.removeFile(ctx, fileName(a.TenantID, e.ID))
		return errs.OfDisk(err)
	}
	return r.done()
}

func cancelledUnless(ok bool) error {
	if ok {
		return nil
	}
	return errCancelled
}

// file streams the list into the file.
func (r *run) file(o *record.Object, q record.Query, name string) (err error) {
	def, err := r.s.k.Definition(r.ctx, o.Def.Name)
	if err != nil {
		return err
	}
	f, err := r.s.Files.Create(r.ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r.out = &counter{w: f}
	buffered := bufio.NewWriterSize(r.out, 256<<10)
	if r.enc, err = newEncoder(r.e.Format, buffered, r.s.k, def, r.e.Fields); err != nil {
		return fmt.Errorf("begin the file of the export: %w", err)
	}
	if err := o.Stream(r.ctx, q, r.batch); err != nil {
		return err
	}
	if err := errors.Join(r.enc.end(), buffered.Flush()); err != nil {
		return fmt.Errorf("finish the file of the export: %w", err)
	}
	return nil
}

func (r *run) batch(ctx context.Context, records []*record.Record) error {
	if err := r.enc.batch(ctx, records); err != nil {
		return err
	}
	r.rows += int64(len(records))
	if r.s.Now().Sub(r.spoken) < progressEvery {
		return nil
	}
	r.spoken = r.s.Now()
	met, err := r.s.change(r.ctx, sqlProgress, r.e.ID, r.rows, r.out.n)
	return errors.Join(err, cancelledUnless(met || err != nil))
}

// done commits the export with its journal row. One that was cancelled meanwhile
// stays cancelled.
func (r *run) done() error {
	now := r.s.Now().UTC()
	met := false
	err := r.s.k.DB.Tx(r.ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, sqlDone, auth.From(ctx).TenantID, r.e.ID, r.rows, r.out.n, now, now.Add(Kept))
		if met = tag.RowsAffected() > 0; err != nil || !met {
			return err
		}
		facts := r.s.facts(r.e)
		facts["rows"], facts["bytes"] = r.rows, r.out.n
		_, err = r.s.k.Emit(ctx, tx, "export", r.e.ID, "finished", facts)
		return err
	})
	if err == nil && !met {
		r.s.removeFile(r.ctx, fileName(auth.From(r.ctx).TenantID, r.e.ID))
	}
	return err
}

// counter counts what reaches the file.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// Open returns the file of an export that is done, for whoever may still see all of
// it. The journal tells who loaded it.
func (s *Service) Open(ctx context.Context, e *Export) (io.ReadCloser, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	switch e.State {
	case Done:
	case Expired:
		return nil, gone()
	default:
		return nil, errs.New(errs.Conflict, "export_not_done", "This export is %s; there is a file once its state is done.", e.State)
	}
	if Reach(a, e.Object) < e.scope {
		return nil, errs.New(errs.Forbidden, "rights_changed", "The file holds more than your role may see by now. Export again.")
	}
	f, err := s.Files.Open(ctx, fileName(a.TenantID, e.ID))
	if err != nil {
		return nil, errors.Join(gone(), err)
	}
	err = s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := s.k.Emit(ctx, tx, "export", e.ID, "downloaded", map[string]any{"object": e.Object, "rows": e.Rows})
		return err
	})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func gone() error {
	return errs.New(errs.NotFound, "export_gone", "The file is deleted a day after the export. Export again.")
}
