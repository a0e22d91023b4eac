package activities

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// maxAbout is how many activities of one record its list goes back.
const maxAbout = 1000

// Due returns the user's open activities that are due at or before until, the
// longest overdue first, at most 200.
func (s *Service) Due(ctx context.Context, user uuid.UUID, until time.Time) ([]*Activity, error) {
	return s.Activities.Find(ctx, record.Query{Limit: record.MaxLimit, Prefer: "due_at", Filter: record.Filter{All: []record.Filter{
		s.Activities.Where("owner_id", record.Eq, user),
		s.Activities.Where("done_at", record.IsNull, true),
		s.Activities.Where("due_at", record.Lte, until.UTC()),
	}}})
}

// ForRecord returns a page of the activities about a record that the actor may
// see, newest first unless q sorts otherwise. The record must be visible too.
func (s *Service) ForRecord(ctx context.Context, object string, id uuid.UUID, q record.Query) (*record.Page, error) {
	o, ok := s.k.ObjectFor(ctx, object)
	if !ok {
		return nil, errs.Missing(object)
	}
	if _, err := o.Get(ctx, id); err != nil {
		return nil, err
	}
	linked, err := s.linked(ctx, object, id)
	if err != nil {
		return nil, err
	}
	if len(linked) == 0 {
		return &record.Page{}, nil
	}
	about := s.Activities.Where("id", record.In, linked...)
	q.Filter = record.Filter{All: []record.Filter{about, q.Filter}}
	return s.Activities.List(ctx, q)
}

func (s *Service) linked(ctx context.Context, object string, id uuid.UUID) ([]any, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	var out []any
	q := db.Query{SQL: linkedActivities, Args: []any{a.TenantID, id, object, maxAbout}}
	err = s.k.DB.Read(ctx, q, func(rows pgx.Rows) error {
		ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		for _, id := range ids {
			out = append(out, id)
		}
		return err
	})
	return out, err
}
