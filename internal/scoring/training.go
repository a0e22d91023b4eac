package scoring

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/scoring/learn"
)

// workTraining fills in a model in training. It may be run again after a crash: it starts over, and the
// same data gives the same model. last says that nobody will try again.
func (s *Service) workTraining(ctx context.Context, id uuid.UUID, last bool) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	m, err := s.card(ctx, a.TenantID, id)
	if err != nil {
		return err
	}
	if m.Status != Training {
		return nil // an earlier run has done it, or it was given up
	}
	err = s.train(ctx, m)
	var no *refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &no):
		return s.fail(ctx, m, no.sentence)
	case last:
		s.log.ErrorContext(ctx, "training failed for good", "model_id", m.ID, "error", err)
		return errors.Join(err, s.fail(ctx, m, "The training failed on our side. Start it again; if it fails again, give your admin the model's id."))
	}
	return err
}

// refusal is a training that no retry can help; the sentence is for the people who asked for it.
type refusal struct{ sentence string }

func (r *refusal) Error() string { return r.sentence }

func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// train does the work: read, fit, write the files, prove them, store.
func (s *Service) train(ctx context.Context, m *Model) error {
	t, err := targetOf(m.Object)
	if err != nil {
		return err
	}
	def, err := s.k.Definition(ctx, m.Object)
	if err != nil {
		return err
	}
	p := planOf(t, def)
	show := s.progress(ctx, m)
	show("load", 0)
	table, err := s.examples(ctx, t, p, func(int) { show("load", 0) })
	if err != nil {
		return err
	}
	f := &fitter{table: table, plan: p, set: settings{m.Refuse, m.Keep}, progress: show}
	out, err := f.fit(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &refusal{sentence(err)}
	}
	rec, err := s.pack(m, p, out)
	if err != nil {
		return err
	}
	if err := s.gate(rec.files); err != nil {
		return &refusal{"The new model was not stored, because it failed its check: " + err.Error()}
	}
	return s.finish(ctx, m, rec, out)
}

// progressEvery spares the database; people look at a bar, not at numbers.
const progressEvery = 500 * time.Millisecond

// progress returns a function that writes how far a training is, now and then. A write that fails is not worth more
// than a line in the log.
func (s *Service) progress(ctx context.Context, m *Model) func(stage string, share float64) {
	var shown time.Time
	var stage string
	return func(now string, share float64) {
		if now == stage && s.now().Sub(shown) < progressEvery {
			return
		}
		stage, shown = now, s.now()
		err := s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
			a, err := auth.Must(ctx)
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, sqlProgress, a.TenantID, m.ID, now, share, s.clock())
			return err
		})
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "write training progress", "model_id", m.ID, "error", err)
		}
	}
}

// trained is a finished model as it is stored.
type trained struct {
	files
	judged         []byte
	report, labels []byte
	at             time.Time
}

// files are a model in both forms with their checksums.
type files struct {
	id       uuid.UUID
	onnx     []byte
	onnxSum  []byte
	model    []byte
	modelSum []byte
}

func (s *Service) pack(m *Model, p *plan, out *outcome) (*trained, error) {
	rec := &trained{files: files{id: m.ID}, at: s.clock()}
	var err error
	if rec.onnx, err = out.Model.ONNX(m.ID.String()); err != nil {
		return nil, fmt.Errorf("write model file: %w", err)
	}
	if rec.model, err = out.Model.Marshal(); err != nil {
		return nil, fmt.Errorf("write model: %w", err)
	}
	rec.onnxSum, rec.modelSum = sum(rec.onnx), sum(rec.model)
	if out.judged != nil {
		if rec.judged, err = out.judged.Marshal(); err != nil {
			return nil, fmt.Errorf("write judged model: %w", err)
		}
	}
	if rec.report, err = json.Marshal(out.Report); err != nil {
		return nil, fmt.Errorf("write card: %w", err)
	}
	rec.labels, err = json.Marshal(p.labels())
	return rec, err
}

func sum(b []byte) []byte {
	h := sha256.Sum256(b)
	return h[:]
}

// verify compares the files with the checksums they were stored with.
func (f *files) verify() error {
	if string(sum(f.onnx)) != string(f.onnxSum) || string(sum(f.model)) != string(f.modelSum) {
		return damaged(learn.ErrModel)
	}
	return nil
}

func damaged(cause error) error {
	return errs.Wrap(cause, errs.Conflict, "model_damaged", "The stored files of this model are damaged. Train a new model.")
}

// finish stores the model, decides whether it goes live, and tells the journal, all in one transaction.
func (s *Service) finish(ctx context.Context, m *Model, rec *trained, out *outcome) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	err = s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, sqlLock, a.TenantID, m.Object); err != nil {
			return err
		}
		verdict, err := s.judge(ctx, a.TenantID, m.Object, out)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, sqlFinish, a.TenantID, m.ID, verdict.reason, rec.report, rec.labels, rec.onnx, rec.onnxSum, rec.model, rec.modelSum, rec.judged, rec.at)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return &refusal{abandoned}
		}
		if _, err := s.k.Emit(ctx, tx, permission, m.ID, "trained", map[string]any{"object": m.Object, "version": m.Version, "auc": out.Report.Metrics.AUC, "decision": verdict.reason}); err != nil {
			return err
		}
		if verdict.activate {
			if err := s.activate(ctx, tx, a.TenantID, m, verdict.reason); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, sqlPrune, a.TenantID, m.Object)
		return err
	})
	if err != nil {
		return fmt.Errorf("store model: %w", err)
	}
	return nil
}

// fail ends a training without a model.
func (s *Service) fail(ctx context.Context, m *Model, why string) error {
	// The job's own time may be what ran out.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		a, err := auth.Must(ctx)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, sqlFail, a.TenantID, m.ID, why, s.clock())
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		_, err = s.k.Emit(ctx, tx, permission, m.ID, "failed", map[string]any{"object": m.Object, "version": m.Version, "error": why})
		return err
	})
	if err != nil {
		return fmt.Errorf("store failed training: %w", err)
	}
	return nil
}
