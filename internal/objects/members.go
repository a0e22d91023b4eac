package objects

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// MaxMembers is how many records one call may add or remove.
const MaxMembers = 10_000

// Members tells what became of a call: Missing are ids of no record the actor may
// see; they were not added.
type Members struct {
	Added   int         `json:"added"`
	Removed int         `json:"removed"`
	Missing []uuid.UUID `json:"missing"`
}

// ChangeMembers adds records to a static segment and takes others out. Adding a
// member again, or removing what is none, changes nothing.
func (s *Service) ChangeMembers(ctx context.Context, id uuid.UUID, add, remove []uuid.UUID) (*Members, error) {
	if len(add)+len(remove) > MaxMembers {
		return nil, errs.Field("add", "too_many", "Add and remove at most %d records at a time.", MaxMembers)
	}
	out := &Members{Missing: []uuid.UUID{}}
	err := s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		*out = Members{Missing: []uuid.UUID{}}
		g, err := s.changeable(ctx, id)
		if err != nil {
			return err
		}
		if out.Added, out.Missing, err = s.add(ctx, tx, g, add); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `delete from segment_members where tenant_id = app_tenant() and segment_id = $1 and record_id = any($2)`, id, remove)
		if err != nil {
			return err
		}
		out.Removed = int(tag.RowsAffected())
		if out.Added+out.Removed == 0 {
			return nil
		}
		_, err = s.k.Emit(ctx, tx, "segment", id, "members_changed", map[string]any{"added": out.Added, "removed": out.Removed})
		return err
	})
	return out, err
}

// changeable reads a static segment the actor may change.
func (s *Service) changeable(ctx context.Context, id uuid.UUID) (*Segment, error) {
	g, err := s.segment(ctx, id)
	if err != nil {
		return nil, err
	}
	rec, err := s.Segments.Object.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if a := auth.From(ctx); !record.Allows(a, a.Grants.Scope("segment", auth.Update), rec) {
		return nil, auth.Denied("segment", auth.Update)
	}
	if g.Kind != Static {
		return nil, errs.New(errs.Conflict, "dynamic_segment", "This segment is dynamic: its members are what matches its filter. Take a snapshot to get a list you can change.")
	}
	return g, nil
}

// add puts the visible ones of ids into the segment and returns the others.
func (s *Service) add(ctx context.Context, tx pgx.Tx, g *Segment, ids []uuid.UUID) (int, []uuid.UUID, error) {
	missing := []uuid.UUID{}
	if len(ids) == 0 {
		return 0, missing, nil
	}
	o, err := s.object(ctx, g.Object)
	if err != nil {
		return 0, nil, err
	}
	p, err := o.Predicate(ctx, record.Query{}, ids)
	if err != nil {
		return 0, nil, err
	}
	rows, err := tx.Query(ctx, fmt.Sprintf("select t.id from %s t where %s and t.id = any($1::uuid[])", o.Def.Table, p.SQL), p.Args...)
	if err != nil {
		return 0, nil, err
	}
	seen, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return 0, nil, err
	}
	known := map[uuid.UUID]bool{}
	for _, id := range seen {
		known[id] = true
	}
	for _, id := range ids {
		if !known[id] && !slices.Contains(missing, id) {
			missing = append(missing, id)
		}
	}
	tag, err := tx.Exec(ctx, `insert into segment_members (tenant_id, segment_id, record_id, added_at, added_by)
	  select app_tenant(), $1, u, $3, $4 from unnest($2::uuid[]) u on conflict do nothing`, g.ID, seen, s.now().UTC(), author(ctx))
	return int(tag.RowsAffected()), missing, err
}

// author is the user behind the actor, nil for keys and the product itself.
func author(ctx context.Context) *uuid.UUID {
	if a := auth.From(ctx); a.Kind == auth.User {
		return &a.ID
	}
	return nil
}

// Count counts the members the actor may see.
func (s *Service) Count(ctx context.Context, id uuid.UUID) (int, error) {
	o, q, err := s.Query(ctx, id)
	if err != nil {
		return 0, err
	}
	return o.CountUpTo(ctx, q, math.MaxInt32)
}

// Snapshot makes a static segment of the members a segment has now, as far as the
// actor may see them. In one statement: a million members take no detour.
func (s *Service) Snapshot(ctx context.Context, id uuid.UUID, name string) (*Segment, error) {
	var out *Segment
	err := s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		from, err := s.segment(ctx, id)
		if err != nil {
			return err
		}
		o, q, err := s.Query(ctx, id)
		if err != nil {
			return err
		}
		if name == "" {
			name = from.Name + " · " + s.now().UTC().Format("2006-01-02")
		}
		if out, err = s.Segments.Create(ctx, &Segment{Name: name, Object: from.Object, Kind: Static, Description: from.Description}); err != nil {
			return err
		}
		p, err := o.Predicate(ctx, q, out.ID, s.now().UTC(), author(ctx))
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, fmt.Sprintf(`insert into segment_members (tenant_id, segment_id, record_id, added_at, added_by)
		  select t.tenant_id, $1, t.id, $2, $3 from %s t where %s`, o.Def.Table, p.SQL), p.Args...)
		if err != nil {
			return err
		}
		_, err = s.k.Emit(ctx, tx, "segment", out.ID, "members_changed", map[string]any{"added": tag.RowsAffected(), "removed": 0, "snapshot_of": id})
		return err
	})
	return out, err
}
