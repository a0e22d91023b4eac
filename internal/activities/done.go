package activities

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/errs"
	"crm/internal/record"
)

// errNothingToDo ends an act that finds its work done.
var errNothingToDo = errors.New("nothing to do")

// Complete marks an activity done now. A done one keeps its moment; a new outcome
// replaces the former one, "" keeps it.
func (s *Service) Complete(ctx context.Context, id uuid.UUID, outcome string) (*Activity, error) {
	outcome = strings.TrimSpace(record.CleanText(outcome))
	if len([]rune(outcome)) > 500 {
		return nil, errs.Field("outcome", "too_long", "An outcome may have at most 500 characters.")
	}
	return s.act(ctx, id, "completed", func(a *Activity) bool {
		if a.DoneAt != nil && (outcome == "" || outcome == a.Outcome) {
			return false
		}
		if a.DoneAt == nil {
			now := s.now().UTC().Truncate(time.Microsecond)
			a.DoneAt = &now
		}
		if outcome != "" {
			a.Outcome = outcome
		}
		return true
	})
}

// Reopen makes a done activity open again; its outcome stays for reading.
func (s *Service) Reopen(ctx context.Context, id uuid.UUID) (*Activity, error) {
	return s.act(ctx, id, "reopened", func(a *Activity) bool {
		open := a.DoneAt == nil
		a.DoneAt = nil
		return !open
	})
}

// act changes an activity under the act's name; fn reports whether there was
// anything to do. Acts that find their work done leave no trace.
func (s *Service) act(ctx context.Context, id uuid.UUID, name string, fn func(*Activity) bool) (*Activity, error) {
	changed, err := s.Activities.Change(ctx, id, record.Act{Name: name}, func(_ context.Context, _ pgx.Tx, a *Activity) error {
		if !fn(a) {
			return errNothingToDo
		}
		return nil
	})
	if errors.Is(err, errNothingToDo) {
		return s.Activities.Get(ctx, id)
	}
	return changed, err
}
