package deals

import (
	"context"
	"math"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/errs"
	"crm/internal/record"
)

// MoveInput says where a deal goes. At most one of Position, Before and After is
// set; with none, a deal that changes its stage goes to the top of it.
type MoveInput struct {
	StageID    uuid.UUID  // zero: stay in the stage, change only the place
	Position   *float64   // a rank as shown in position: smaller is higher
	Before     *uuid.UUID // right above this deal
	After      *uuid.UUID // right below this deal
	LostReason string     // needed when the stage is a lost one
	Version    int64      // refuse with Stale when the deal is not at it; 0 = any
}

// maxPosition keeps ranks where doubles still have room between them.
const maxPosition = 1e9

func (in MoveInput) check() error {
	chosen := 0
	for _, set := range []bool{in.Position != nil, in.Before != nil, in.After != nil} {
		if set {
			chosen++
		}
	}
	if chosen > 1 {
		return errs.Field("position", "too_many", "Give one of position, before and after.")
	}
	if in.Position != nil && !(math.Abs(*in.Position) <= maxPosition) {
		return errs.Field("position", "out_of_range", "position must be between -1e9 and 1e9.")
	}
	if chosen == 0 && in.StageID == uuid.Nil {
		return errs.Field("stage_id", "required", "Say which stage the deal goes to.")
	}
	return nil
}

func (in MoveInput) placed() bool { return in.Position != nil || in.Before != nil || in.After != nil }

// Move puts a deal into a stage of its pipeline, or to another place in its own.
// Into a won or lost stage it closes the deal; out of one it reopens it. Of two
// people who move the same version of a card, the second gets Stale.
func (s *Service) Move(ctx context.Context, id uuid.UUID, in MoveInput) (*Deal, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	if in.placed() {
		ctx = context.WithValue(ctx, placedKey{}, true)
	}
	return s.act(ctx, id, record.Act{Name: ActMoved, IfVersion: in.Version}, func(ctx context.Context, tx pgx.Tx, d *Deal) error {
		stage := in.StageID
		if stage == uuid.Nil {
			stage = *d.StageID
		}
		position, err := s.placeIn(ctx, tx, d, stage, in)
		if err != nil {
			return err
		}
		reason := strings.TrimSpace(in.LostReason)
		stays := d.in(stage) && *position == *d.Position
		if stays && (reason == "" || reason == d.LostReason) {
			return errUnchanged
		}
		d.StageID, d.Position = &stage, position
		if reason != "" {
			d.LostReason = reason
		}
		return nil
	})
}

// placeIn is the position the move asks for; the deal's own when it asks for none.
func (s *Service) placeIn(ctx context.Context, tx pgx.Tx, d *Deal, stage uuid.UUID, in MoveInput) (*float64, error) {
	if in.Before != nil || in.After != nil {
		return s.beside(ctx, tx, d, stage, in)
	}
	if in.Position != nil {
		return in.Position, nil
	}
	return d.Position, nil
}
