package scoring

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/cache"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/onnx"
	"crm/internal/scoring/learn"
)

func isLibraryMissing(err error) bool { return errors.Is(err, onnx.ErrLibraryMissing) }

// activeRef names the model in use; the zero id means none.
type activeRef struct {
	ID        uuid.UUID
	Version   int
	TrainedAt time.Time
}

// loaded is a model in memory. The Go form is always there, since it gives the reasons; the ONNX session is asked for
// by key when a score is wanted, and may be closed and opened again behind its back.
type loaded struct {
	activeRef
	key    string
	model  *learn.Model
	onnx   []byte
	goOnly atomic.Bool // the runtime refused it: the Go form gives the same scores
}

// probes is how many made-up leads two engines must agree on before a model is used.
const probes = 256

// gate proves a model's files: checksums, readable, and both engines of one opinion.
func (s *Service) gate(f files) error {
	if err := f.verify(); err != nil {
		return err
	}
	m, err := learn.ReadModel(f.model)
	if err != nil {
		return damaged(err)
	}
	if s.runtime == nil {
		return nil
	}
	session, err := s.open(m, f.onnx)
	if err != nil {
		return err
	}
	return session.Close()
}

// open makes a session and compares it with the Go form; what differs is never served.
func (s *Service) open(m *learn.Model, file []byte) (*onnx.Session, error) {
	session, err := s.runtime.Load(file)
	if err != nil {
		return nil, err
	}
	if err := onnx.Verify(session, m.Probes(probes, seed), probes, m.Probability); err != nil {
		return nil, errors.Join(err, session.Close())
	}
	return session, nil
}

// files reads a trained model's files.
func (s *Service) files(ctx context.Context, tenant, id uuid.UUID) (*files, error) {
	var f *files
	err := s.k.DB.Read(ctx, db.Query{SQL: sqlFiles, Args: []any{tenant, id}}, func(rows pgx.Rows) error {
		for rows.Next() {
			f = &files{id: id}
			if err := rows.Scan(&f.onnx, &f.onnxSum, &f.model, &f.modelSum); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read model %s: %w", id, err)
	}
	if f == nil {
		return nil, errs.Missing("trained scoring model")
	}
	return f, nil
}

// ErrNoModel is the answer while a tenant has no active model.
var ErrNoModel = errs.New(errs.Conflict, "no_model", "There is no active scoring model yet. Train one under Settings, Lead scoring; it needs 40 converted and 40 disqualified leads.")

// current returns the model that scores an object now, [ErrNoModel] when there is none. Another replica's activation
// is seen within activeTTL.
func (s *Service) current(ctx context.Context, tenant uuid.UUID, object string) (*loaded, error) {
	ref, err := s.active.Get(ctx, cache.Key{Tenant: tenant, Group: object}, func(ctx context.Context) (activeRef, error) { return s.readRef(ctx, sqlActive, tenant, object) })
	if err != nil {
		return nil, err
	}
	return s.serving(ctx, tenant, object, ref)
}

// activated is current without the delay, for work that an activation has set off.
func (s *Service) activated(ctx context.Context, tenant uuid.UUID, object string) (*loaded, error) {
	ref, err := s.readRef(ctx, sqlActive, tenant, object)
	if err != nil {
		return nil, err
	}
	return s.serving(ctx, tenant, object, ref)
}

func (s *Service) serving(ctx context.Context, tenant uuid.UUID, object string, ref activeRef) (*loaded, error) {
	if ref.ID == uuid.Nil {
		return nil, ErrNoModel
	}
	m, err := s.model(ctx, tenant, ref)
	if !errors.Is(err, learn.ErrModel) {
		return m, err
	}
	return s.before(ctx, tenant, object, ref, err)
}

func (s *Service) model(ctx context.Context, tenant uuid.UUID, ref activeRef) (*loaded, error) {
	return s.loaded.Get(ctx, cache.Key{Tenant: tenant, ID: ref.ID}, func(ctx context.Context) (*loaded, error) { return s.load(ctx, tenant, ref) })
}

// before returns the model that the active one replaced: one damaged in the database must not take scoring down.
func (s *Service) before(ctx context.Context, tenant uuid.UUID, object string, damaged activeRef, cause error) (*loaded, error) {
	ref, err := s.readRef(ctx, sqlBefore, tenant, object)
	if err != nil || ref.ID == uuid.Nil {
		return nil, errors.Join(cause, err)
	}
	m, err := s.model(ctx, tenant, ref)
	if err != nil {
		return nil, errors.Join(cause, err)
	}
	s.log.ErrorContext(ctx, "the active model is damaged; the one before it scores", "model_id", damaged.ID, "used_id", ref.ID, "error", cause)
	return m, nil
}

func (s *Service) readRef(ctx context.Context, sql string, tenant uuid.UUID, object string) (activeRef, error) {
	var ref activeRef
	err := s.k.DB.Read(ctx, db.Query{SQL: sql, Args: []any{tenant, object}}, func(rows pgx.Rows) error {
		for rows.Next() {
			if err := rows.Scan(&ref.ID, &ref.Version, &ref.TrainedAt); err != nil {
				return err
			}
		}
		return nil
	})
	ref.TrainedAt = ref.TrainedAt.UTC()
	if err != nil {
		return ref, fmt.Errorf("find the active model: %w", err)
	}
	return ref, nil
}

func (s *Service) load(ctx context.Context, tenant uuid.UUID, ref activeRef) (*loaded, error) {
	f, err := s.files(ctx, tenant, ref.ID)
	if err != nil {
		return nil, err
	}
	if err := f.verify(); err != nil {
		return nil, err
	}
	m, err := learn.ReadModel(f.model)
	if err != nil {
		return nil, damaged(err)
	}
	return &loaded{activeRef: ref, key: sessionKey(tenant, ref.ID), model: m, onnx: f.onnx}, nil
}

func sessionKey(tenant, model uuid.UUID) string { return tenant.String() + "/" + model.String() }

// forget closes the session of a model that was replaced, once its users are done.
func (s *Service) forget(tenant, model uuid.UUID) { s.sessions.Drop(sessionKey(tenant, model)) }

// probabilities scores n encoded rows. Whatever keeps ONNX Runtime from it, the Go form answers, with the same numbers.
func (s *Service) probabilities(ctx context.Context, m *loaded, x []float32, n int) []float64 {
	if s.runtime != nil && !m.goOnly.Load() {
		out, err := s.run(ctx, m, x, n)
		if err == nil {
			return out
		}
		if ctx.Err() == nil && !errors.Is(err, onnx.ErrClosed) {
			m.goOnly.Store(true)
			s.log.WarnContext(ctx, "ONNX Runtime cannot run a model; the Go evaluator scores instead", "model_id", m.ID, "error", err)
		}
	}
	out, width := make([]float64, n), m.model.Layout.Width
	for i := range out {
		out[i] = m.model.Probability(x[i*width : (i+1)*width])
	}
	return out
}

func (s *Service) run(ctx context.Context, m *loaded, x []float32, n int) ([]float64, error) {
	session, release, err := s.sessions.Acquire(ctx, m.key, func() (*onnx.Session, error) { return s.open(m.model, m.onnx) })
	if err != nil {
		return nil, err
	}
	defer release()
	got, err := session.Run(x, n)
	if err != nil {
		return nil, err
	}
	out := make([]float64, n)
	for i, p := range got {
		out[i] = float64(p)
	}
	return out, nil
}
