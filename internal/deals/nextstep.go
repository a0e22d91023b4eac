package deals

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/deals/internal/dealsdb"
	"crm/internal/platform/auth"
)

// SetNextActivity writes when the next step of each deal is due, nil for none, in
// the caller's transaction. Unknown ids are passed over.
//
// It goes past the kernel on purpose. next_activity_at is a copy of what the
// activities say, for sorting and filtering; the activity's own change is already
// in the journal and on the deal's timeline. A version of its own would make the
// form somebody has open on the deal stale whenever a task is ticked off. The
// price: a client that asks with If-None-Match does not learn of it.
func (s *Service) SetNextActivity(ctx context.Context, tx pgx.Tx, dealIDs map[uuid.UUID]*time.Time) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	var set, clear []uuid.UUID
	var times []time.Time
	for id, at := range dealIDs {
		if at == nil {
			clear = append(clear, id)
			continue
		}
		set, times = append(set, id), append(times, at.UTC())
	}
	if err := s.k.Touched(ctx, "deal", append(slices.Clone(set), clear...)...); err != nil {
		return err
	}
	q := dealsdb.New(tx)
	if len(set) > 0 {
		if err := q.SetNextActivity(ctx, dealsdb.SetNextActivityParams{TenantID: a.TenantID, Ids: set, Times: times}); err != nil {
			return err
		}
	}
	if len(clear) == 0 {
		return nil
	}
	return q.ClearNextActivity(ctx, dealsdb.ClearNextActivityParams{TenantID: a.TenantID, Ids: clear})
}
