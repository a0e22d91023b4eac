package scoring

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/jobs"
	"crm/internal/scoring/learn"
)

// verdict is whether a new model goes live, and why, for the card.
type verdict struct {
	activate bool
	reason   string
}

// running is what the active model can be compared by.
type running struct {
	version int
	judged  *learn.Model // nil when its holdout was drawn at random
	report  learn.Report
}

// judge decides by the rules of the package comment.
func (s *Service) judge(ctx context.Context, tenant uuid.UUID, object string, out *outcome) (verdict, error) {
	now, err := s.running(ctx, tenant, object)
	if err != nil {
		return verdict{}, err
	}
	v := compare(out, now)
	if out.suspects != "" {
		v.reason += " Left out as likely leaks: " + out.suspects + "; vouch for what is known before the outcome and train again."
	}
	return v, nil
}

// compare puts a new model beside the running one, nil for none.
func compare(out *outcome, now *running) verdict {
	m := out.Report.Metrics
	if m.AUCLow <= 0.5 {
		return verdict{reason: fmt.Sprintf("Kept back: on held-out leads its ranking (AUC %.2f, at least %.2f) could be chance.", m.AUC, m.AUCLow)}
	}
	if now == nil {
		return verdict{true, fmt.Sprintf("Activated as the first model: on held-out leads it ranks better than chance (AUC %.2f, at least %.2f).", m.AUC, m.AUCLow)}
	}
	before, how := now.lossOn(out)
	if m.LogLoss < before {
		return verdict{true, fmt.Sprintf("Activated: %s it predicts better than version %d (log-loss %.4f against %.4f).", how, now.version, m.LogLoss, before)}
	}
	return verdict{reason: fmt.Sprintf("Kept back: %s it does not predict better than version %d, which is running (log-loss %.4f against %.4f).", how, now.version, m.LogLoss, before)}
}

// lossOn measures the running model on the new model's held-out leads. Both are taken as they were before they saw
// their own held-out leads; the running one's are no later than the new one's, so neither has seen these. (Old history
// imported in between can move that border back; it then favours the running model.)
func (r *running) lossOn(out *outcome) (loss float64, how string) {
	if r.judged == nil || out.holdout == nil {
		return r.report.Metrics.LogLoss, "each on leads drawn at random,"
	}
	return learn.LogLoss(r.judged.Predict(out.holdout), out.holdout.Labels), "on the same held-out leads"
}

func (s *Service) running(ctx context.Context, tenant uuid.UUID, object string) (*running, error) {
	var out *running
	err := s.k.DB.Read(ctx, db.Query{SQL: sqlJudged, Args: []any{tenant, object}}, func(rows pgx.Rows) error {
		for rows.Next() {
			var id uuid.UUID
			var judged, report []byte
			out = &running{}
			if err := rows.Scan(&id, &out.version, &judged, &report); err != nil {
				return err
			}
			if err := out.read(judged, report); err != nil {
				return fmt.Errorf("read model %s: %w", id, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the running model: %w", err)
	}
	return out, nil
}

func (r *running) read(judged, report []byte) error {
	if err := json.Unmarshal(report, &r.report); err != nil {
		return err
	}
	if judged == nil {
		return nil
	}
	var err error
	r.judged, err = learn.ReadModel(judged)
	return err
}

// Activate puts a model to use, whatever the comparison said. It refuses one whose files are damaged or that the
// engines disagree on; the running model then stays. It needs scoring_model:execute.
func (s *Service) Activate(ctx context.Context, id uuid.UUID) (*Model, error) {
	a, _, err := auth.Require(ctx, permission, auth.Execute)
	if err != nil {
		return nil, err
	}
	m, err := s.card(ctx, a.TenantID, id)
	if err != nil {
		return nil, err
	}
	if m.Status == Active {
		return m, nil
	}
	if err := s.usable(ctx, a.TenantID, m); err != nil {
		return nil, err
	}
	err = s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, sqlLock, a.TenantID, m.Object); err != nil {
			return err
		}
		return s.activate(ctx, tx, a.TenantID, m, "Activated by hand.")
	})
	if err != nil {
		return nil, fmt.Errorf("activate model: %w", err)
	}
	return s.card(ctx, a.TenantID, id)
}

// usable proves a stored model before it goes live.
func (s *Service) usable(ctx context.Context, tenant uuid.UUID, m *Model) error {
	switch m.Status {
	case Training:
		return errs.New(errs.Conflict, "still_training", "This model is still being trained. Wait until it is a candidate.")
	case Failed:
		return errs.New(errs.Conflict, "training_failed", "This training failed, so there is no model to activate. %s", m.Error)
	}
	f, err := s.files(ctx, tenant, m.ID)
	if err != nil {
		return err
	}
	if err := s.gate(*f); err != nil {
		return errs.Wrap(err, errs.Conflict, "model_damaged", "This model failed its check and was not activated; the one in use stays. Train a new model.")
	}
	return nil
}

// activate is the swap: the database's part, in the caller's transaction and under its lock. Scores of the open
// records follow in the background, and other replicas within activeTTL.
func (s *Service) activate(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, m *Model, why string) error {
	old, err := s.retire(ctx, tx, tenant, m.Object)
	if err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, sqlActivate, tenant, m.ID, why, old, s.clock())
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return errs.New(errs.Conflict, "busy", "The model was activated, changed or removed meanwhile. Look at the list of models again.")
	}
	return s.announce(ctx, tx, tenant, m, old, "activated")
}

// retire takes the active model out of use and returns its id, nil when there was none.
func (s *Service) retire(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, object string) (*uuid.UUID, error) {
	rows, err := tx.Query(ctx, sqlRetire, tenant, object, s.clock())
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return &ids[0], nil
}

// announce journals a swap, queues the rescoring, and makes this process see it at once.
func (s *Service) announce(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, m *Model, old *uuid.UUID, action string) error {
	facts := map[string]any{"object": m.Object, "version": m.Version}
	if old != nil {
		facts["replaced_id"] = old.String()
	}
	if _, err := s.k.Emit(ctx, tx, permission, m.ID, action, facts); err != nil {
		return err
	}
	if _, err := s.jobs.Insert(ctx, tx, rescoreArgs{TenantID: tenant, Object: m.Object}, jobs.When{Queue: "bulk"}); err != nil {
		return err
	}
	db.AfterCommit(ctx, func() {
		s.active.Forget(ctx, tenant, m.Object)
		if old != nil {
			s.forget(tenant, *old)
		}
	})
	return nil
}

// Rollback puts the model back that the running one replaced; twice goes back two. It needs scoring_model:execute.
func (s *Service) Rollback(ctx context.Context, object string) (*Model, error) {
	a, _, err := auth.Require(ctx, permission, auth.Execute)
	if err != nil {
		return nil, err
	}
	if _, err := targetOf(object); err != nil {
		return nil, err
	}
	var id uuid.UUID
	err = s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, sqlLock, a.TenantID, object); err != nil {
			return err
		}
		id, err = s.rollBack(ctx, tx, a.TenantID, object)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("roll back model: %w", err)
	}
	return s.card(ctx, a.TenantID, id)
}

func (s *Service) rollBack(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, object string) (uuid.UUID, error) {
	rows, err := tx.Query(ctx, sqlReplaced, tenant, object)
	if err != nil {
		return uuid.Nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return uuid.Nil, err
	}
	if len(ids) == 0 || ids[0] == uuid.Nil {
		return uuid.Nil, errs.New(errs.Conflict, "no_earlier_model", "There is no earlier model to go back to.")
	}
	m, err := s.card(ctx, tenant, ids[0])
	if errs.KindOf(err) == errs.NotFound {
		return uuid.Nil, errs.New(errs.Conflict, "no_earlier_model", "The earlier model has been removed. Activate another one from the list.")
	}
	if err != nil {
		return uuid.Nil, err
	}
	if err := s.usable(ctx, tenant, m); err != nil {
		return uuid.Nil, err
	}
	old, err := s.retire(ctx, tx, tenant, object)
	if err != nil {
		return uuid.Nil, err
	}
	tag, err := tx.Exec(ctx, sqlReactivate, tenant, m.ID, "Brought back by a rollback.", s.clock())
	if err != nil {
		return uuid.Nil, err
	}
	if tag.RowsAffected() == 0 {
		return uuid.Nil, errs.New(errs.Conflict, "busy", "The models changed meanwhile. Look at the list again.")
	}
	return m.ID, s.announce(ctx, tx, tenant, m, old, "activated")
}
