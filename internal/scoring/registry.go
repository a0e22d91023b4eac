package scoring

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/scoring/learn"
)

// listed bounds the list of models; pruning keeps about twenty anyway.
const listed = 50

// Models lists an object's models, newest first. It needs scoring_model:read.
func (s *Service) Models(ctx context.Context, object string) ([]*Model, error) {
	a, _, err := auth.Require(ctx, permission, auth.Read)
	if err != nil {
		return nil, err
	}
	if object == "" {
		object = leads.object
	}
	if _, err := targetOf(object); err != nil {
		return nil, err
	}
	return s.cards(ctx, db.Query{SQL: sqlModels, Args: []any{a.TenantID, object, listed}})
}

// Model returns one model's card. It needs scoring_model:read.
func (s *Service) Model(ctx context.Context, id uuid.UUID) (*Model, error) {
	a, _, err := auth.Require(ctx, permission, auth.Read)
	if err != nil {
		return nil, err
	}
	return s.card(ctx, a.TenantID, id)
}

func (s *Service) card(ctx context.Context, tenant, id uuid.UUID) (*Model, error) {
	found, err := s.cards(ctx, db.Query{SQL: sqlModel, Args: []any{tenant, id}})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errs.Missing("scoring model")
	}
	return found[0], nil
}

// File returns a trained model as an ONNX file, to be read by any runtime. It needs scoring_model:read.
func (s *Service) File(ctx context.Context, id uuid.UUID) ([]byte, error) {
	a, _, err := auth.Require(ctx, permission, auth.Read)
	if err != nil {
		return nil, err
	}
	f, err := s.files(ctx, a.TenantID, id)
	if err != nil {
		return nil, err
	}
	return f.onnx, f.verify()
}

func (s *Service) cards(ctx context.Context, q db.Query) ([]*Model, error) {
	out := []*Model{}
	err := s.k.DB.Read(ctx, q, func(rows pgx.Rows) error {
		found, err := pgx.CollectRows(rows, scanCard)
		out = append(out, found...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read scoring models: %w", err)
	}
	return out, nil
}

func scanCard(row pgx.CollectableRow) (*Model, error) {
	m := &Model{}
	var report, labels, sum []byte
	err := row.Scan(&m.ID, &m.Object, &m.Version, &m.Status, &m.Stage, &m.Progress, &m.Error, &m.Decision, &m.Refuse, &m.Keep,
		&report, &labels, &sum, &m.CreatedAt, &m.TrainedAt, &m.ActivatedAt, &m.RetiredAt)
	if err != nil {
		return nil, err
	}
	m.SHA256 = hex.EncodeToString(sum)
	m.inUTC()
	var names map[string]string
	if err := json.Unmarshal(labels, &names); err != nil {
		return nil, fmt.Errorf("read labels of model %s: %w", m.ID, err)
	}
	var r *learn.Report
	if report != nil {
		r = &learn.Report{}
		if err := json.Unmarshal(report, r); err != nil {
			return nil, fmt.Errorf("read card of model %s: %w", m.ID, err)
		}
	}
	m.describe(r, names)
	return m, nil
}

func (m *Model) inUTC() {
	m.CreatedAt = m.CreatedAt.UTC()
	for _, t := range []*time.Time{m.TrainedAt, m.ActivatedAt, m.RetiredAt} {
		if t != nil {
			*t = t.UTC()
		}
	}
}
