package deals

import (
	"context"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/errs"
	"crm/internal/record"
)

// Win moves the deal to the first won stage of its pipeline. version refuses the
// act with Stale when the deal is not at it; 0 = any. A won deal stays as it is.
func (s *Service) Win(ctx context.Context, id uuid.UUID, version int64) (*Deal, error) {
	return s.act(ctx, id, record.Act{Name: ActWon, IfVersion: version}, func(ctx context.Context, _ pgx.Tx, d *Deal) error {
		if d.Status == Won {
			return errUnchanged
		}
		return s.enterFirst(ctx, d, Won)
	})
}

// Lose moves the deal to the first lost stage of its pipeline. A lost deal stays
// where it is; another reason replaces the old one.
func (s *Service) Lose(ctx context.Context, id uuid.UUID, reason string, version int64) (*Deal, error) {
	reason = strings.TrimSpace(reason)
	if reason == "" {
		return nil, errs.Field("lost_reason", "required", "Say why the deal was lost.")
	}
	return s.act(ctx, id, record.Act{Name: ActLost, IfVersion: version}, func(ctx context.Context, _ pgx.Tx, d *Deal) error {
		if d.Status == Lost && d.LostReason == reason {
			return errUnchanged
		}
		d.LostReason = reason
		if d.Status == Lost {
			return nil
		}
		return s.enterFirst(ctx, d, Lost)
	})
}

// Reopen brings a closed deal back to the open stage it was closed from, or to
// the first one when that is not known any more. An open deal stays as it is.
func (s *Service) Reopen(ctx context.Context, id uuid.UUID, version int64) (*Deal, error) {
	return s.act(ctx, id, record.Act{Name: ActReopened, IfVersion: version}, func(ctx context.Context, _ pgx.Tx, d *Deal) error {
		if d.Status == Open {
			return errUnchanged
		}
		cat, err := s.loadCatalog(ctx)
		if err != nil {
			return err
		}
		before, err := s.closedFrom(ctx, d.ID)
		if err != nil {
			return err
		}
		st := cat.stages[before]
		if st == nil || !st.alive() || st.Kind != Open || *st.PipelineID != *d.PipelineID {
			if st, err = cat.mustFirst(*d.PipelineID, Open, "stage_id"); err != nil {
				return err
			}
		}
		d.StageID = &st.ID
		return nil
	})
}

func (s *Service) enterFirst(ctx context.Context, d *Deal, kind string) error {
	cat, err := s.loadCatalog(ctx)
	if err != nil {
		return err
	}
	st, err := cat.mustFirst(*d.PipelineID, kind, "stage_id")
	if err != nil {
		return err
	}
	d.StageID = &st.ID
	return nil
}

// lookBack is how many journal rows Reopen reads to find the last open stage. A
// deal that was closed longer ago than that starts at the first stage again.
const lookBack = 100

// closedFrom is the stage the deal left when it was last closed, or the zero id.
func (s *Service) closedFrom(ctx context.Context, id uuid.UUID) (uuid.UUID, error) {
	entries, err := s.k.Timeline(record.Whole(ctx), "deal", id, 0, lookBack)
	if err != nil {
		return uuid.Nil, err
	}
	for _, e := range entries {
		if e.RecordID != id || e.Changes["status"][0] != any(Open) {
			continue
		}
		stage, _ := e.Changes["stage_id"][0].(string)
		// An unreadable id is as good as none.
		out, _ := uuid.Parse(stage)
		return out, nil
	}
	return uuid.Nil, nil
}
