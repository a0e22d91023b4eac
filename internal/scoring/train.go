package scoring

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/jobs"
)

// TrainRequest asks for a new model.
type TrainRequest struct {
	Object string
	// Refuse names fields to leave out (custom.duration, title, utm); nil keeps what was said last time.
	Refuse []string
	// Keep names fields that are known before the outcome although they look like leaks; nil keeps what was said.
	Keep []string
}

// settings are what training is told about fields; they are remembered per object.
type settings struct{ refuse, keep []string }

const abandoned = "The training was interrupted and not taken up again. Train once more."

// Train starts a training and returns its model, which the queue fills in. While one runs for the object, that one is
// returned: the same data would give the same model. It needs scoring_model:create.
func (s *Service) Train(ctx context.Context, req TrainRequest) (*Model, error) {
	a, _, err := auth.Require(ctx, permission, auth.Create)
	if err != nil {
		return nil, err
	}
	t, err := targetOf(req.Object)
	if err != nil {
		return nil, err
	}
	if err := s.checkFields(ctx, t, req); err != nil {
		return nil, err
	}
	var out *Model
	err = s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		set, err := s.remember(ctx, tx, a, req)
		if err != nil {
			return err
		}
		out, err = s.begin(ctx, tx, a, t, set)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("start training: %w", err)
	}
	return out, nil
}

// checkFields refuses names that mean nothing here, lest a typing mistake lets a leak through.
func (s *Service) checkFields(ctx context.Context, t *target, req TrainRequest) error {
	def, err := s.k.Definition(ctx, t.object)
	if err != nil {
		return err
	}
	p := planOf(t, def)
	var refused errs.Fields
	for _, list := range []struct {
		key   string
		names []string
	}{{"refuse", req.Refuse}, {"keep", req.Keep}} {
		for i, name := range list.names {
			if _, ok := def.Field(name); !ok && !p.knows(name) {
				refused.Add(fmt.Sprintf("%s[%d]", list.key, i), "unknown_field", "There is no field %q on %s. Custom fields are named custom.<name>.", name, t.many)
			}
		}
	}
	return refused.Err()
}

// remember merges the request with the stored settings and stores them.
func (s *Service) remember(ctx context.Context, tx pgx.Tx, a *auth.Actor, req TrainRequest) (settings, error) {
	set, err := s.settings(ctx, a.TenantID, req.Object)
	if err != nil || (req.Refuse == nil && req.Keep == nil) {
		return set, err
	}
	if req.Refuse != nil {
		set.refuse = sorted(req.Refuse)
	}
	if req.Keep != nil {
		set.keep = sorted(req.Keep)
	}
	_, err = tx.Exec(ctx, sqlRemember, a.TenantID, req.Object, set.refuse, set.keep, s.clock(), person(a))
	return set, err
}

// Choosable is a field that training can be told about, and what it was told last.
type Choosable struct {
	Name, Label  string
	Refuse, Keep bool
}

// Fields lists what a model of an object may learn from, each field of the object once. It needs scoring_model:read.
func (s *Service) Fields(ctx context.Context, object string) ([]Choosable, error) {
	a, _, err := auth.Require(ctx, permission, auth.Read)
	if err != nil {
		return nil, err
	}
	t, err := targetOf(object)
	if err != nil {
		return nil, err
	}
	def, err := s.k.Definition(ctx, object)
	if err != nil {
		return nil, err
	}
	set, err := s.settings(ctx, a.TenantID, object)
	if err != nil {
		return nil, err
	}
	var out []Choosable
	for _, f := range planOf(t, def).features {
		field, ok := def.Field(f.field)
		if ok && !slices.ContainsFunc(out, func(c Choosable) bool { return c.Name == f.field }) {
			out = append(out, Choosable{f.field, field.Label, slices.Contains(set.refuse, f.field), slices.Contains(set.keep, f.field)})
		}
	}
	return out, nil
}

func sorted(names []string) []string {
	out := slices.Clone(names)
	slices.Sort(out)
	return slices.Compact(out)
}

func (s *Service) settings(ctx context.Context, tenant uuid.UUID, object string) (settings, error) {
	set := settings{refuse: []string{}, keep: []string{}}
	q := db.Query{SQL: sqlSettings, Args: []any{tenant, object}}
	err := s.k.DB.Read(ctx, q, func(rows pgx.Rows) error {
		for rows.Next() {
			if err := rows.Scan(&set.refuse, &set.keep); err != nil {
				return err
			}
		}
		return nil
	})
	return set, err
}

// begin inserts the model's row and its job together, or finds the training that is under way.
func (s *Service) begin(ctx context.Context, tx pgx.Tx, a *auth.Actor, t *target, set settings) (*Model, error) {
	now := s.clock()
	if _, err := tx.Exec(ctx, sqlAbandon, a.TenantID, t.object, now, abandoned); err != nil {
		return nil, err
	}
	args := trainArgs{TenantID: a.TenantID, ModelID: id.New()}
	tag, err := tx.Exec(ctx, sqlInsert, a.TenantID, args.ModelID, t.object, set.refuse, set.keep, now, person(a))
	if err != nil {
		return nil, err
	}
	if tag.RowsAffected() > 0 {
		if _, err := s.jobs.Insert(ctx, tx, args, jobs.When{Queue: "training", Tries: trainTries}); err != nil {
			return nil, err
		}
	}
	return s.underWay(ctx, a.TenantID, t.object)
}

// underWay returns the model in training.
func (s *Service) underWay(ctx context.Context, tenant uuid.UUID, object string) (*Model, error) {
	found, err := s.cards(ctx, db.Query{SQL: sqlTraining, Args: []any{tenant, object}})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errs.New(errs.Conflict, "busy", "A training has just ended. Look at the list of models, or start again.")
	}
	return found[0], nil
}

// person is the user behind an actor, nil for keys and the product itself.
func person(a *auth.Actor) *uuid.UUID {
	if a.Kind != auth.User {
		return nil
	}
	return &a.ID
}
