package activities

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// mustSee refuses links to records that are away, in the bin or hidden from the
// actor.
func (s *Service) mustSee(ctx context.Context, links []Link) error {
	wanted := map[string][]uuid.UUID{}
	for _, l := range links {
		wanted[l.Object] = append(wanted[l.Object], l.ID)
	}
	for object, ids := range wanted {
		o, _ := s.k.ObjectFor(ctx, object)
		found, err := o.GetMany(ctx, ids)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if r := found[id]; r == nil || r.Deleted() {
				return errs.Field("related", "unknown_reference", "There is no %s with the id %s, or you may not see it.", strings.ToLower(o.Def.Label), id)
			}
		}
	}
	return nil
}

// after keeps activity_links and the deals in step. It runs for undos too.
func (s *Service) after(ctx context.Context, tx pgx.Tx, changes []record.TypedChange[Activity]) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	if err := writeLinks(ctx, tx, a.TenantID, changes); err != nil {
		return err
	}
	deals := affectedDeals(changes)
	if len(deals) == 0 {
		return nil
	}
	next, err := nextActivities(ctx, tx, a.TenantID, deals)
	if err != nil {
		return err
	}
	return s.next.SetNextActivity(ctx, tx, next)
}

// writeLinks replaces the links of the activities whose related list changed.
func writeLinks(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, changes []record.TypedChange[Activity]) error {
	var stale, activities, records []uuid.UUID
	var objects []string
	for _, c := range changes {
		if !c.Changed("related") {
			continue
		}
		if c.Old != nil {
			stale = append(stale, c.New.ID)
		}
		for _, l := range Links(c.New.Related) {
			activities, objects, records = append(activities, c.New.ID), append(objects, l.Object), append(records, l.ID)
		}
	}
	b := &pgx.Batch{}
	if len(stale) > 0 {
		b.Queue(deleteLinks, tenant, stale)
	}
	if len(records) > 0 {
		b.Queue(insertLinks, tenant, activities, objects, records)
	}
	if b.Len() == 0 {
		return nil
	}
	return tx.SendBatch(ctx, b).Close()
}

// affectedDeals are the deals whose next activity a change may move, in order.
func affectedDeals(changes []record.TypedChange[Activity]) []uuid.UUID {
	var out []uuid.UUID
	for _, c := range changes {
		if c.Old == nil && c.New.DueAt == nil {
			continue
		}
		if c.Old != nil && !c.Changed("due_at") && !c.Changed("done_at") && !c.Changed("related") && !c.Changed("deleted_at") {
			continue
		}
		links := Links(c.New.Related)
		if c.Old != nil {
			links = append(links, Links(c.Old.Related)...)
		}
		for _, l := range links {
			if l.Object == "deal" {
				out = append(out, l.ID)
			}
		}
	}
	slices.SortFunc(out, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(out)
}

// nextActivities computes each deal's earliest open due moment. The lock keeps
// two changes of one deal's activities from each missing the other's.
func nextActivities(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, deals []uuid.UUID) (map[uuid.UUID]*time.Time, error) {
	if _, err := tx.Exec(ctx, lockDeals, tenant, deals); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, earliestDue, tenant, deals)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	next := make(map[uuid.UUID]*time.Time, len(deals))
	for _, deal := range deals {
		next[deal] = nil
	}
	for rows.Next() {
		var deal uuid.UUID
		var due time.Time
		if err := rows.Scan(&deal, &due); err != nil {
			return nil, err
		}
		due = due.UTC()
		next[deal] = &due
	}
	return next, rows.Err()
}
