package objects

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/errs"
	"crm/internal/record"
)

// Segment is a named set of records of one object.
type Segment struct {
	record.Base
	Name        string `crm:"name,text,required,title,search"`
	Description string `crm:"description,text,search"`
	Object      string `crm:"object,text,required" label:"Of" help:"What it is a set of, like contact. It cannot be changed later."`
	Kind        string `crm:"kind,select,required,options=dynamic|static,default=dynamic" help:"Dynamic: everything that matches a filter, at any moment. Static: a list of records."`
	Filter      any    `crm:"filter,json"`
}

// Kinds of segments.
const (
	Dynamic = "dynamic"
	Static  = "static"
)

func (s *Service) checkSegments(ctx context.Context, _ pgx.Tx, changes []record.TypedChange[Segment]) error {
	for _, c := range changes {
		if record.Undoing(ctx) || c.New.DeletedAt != nil {
			continue
		}
		if err := s.checkSegment(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) checkSegment(ctx context.Context, c record.TypedChange[Segment]) error {
	ctx = record.AsActor(ctx) // a segment names only what its maker has
	g := c.New
	o, err := s.object(ctx, g.Object)
	if err != nil {
		return err
	}
	g.Object = o.Def.Name
	if c.Old != nil && c.Old.Object != g.Object {
		return errs.Field("object", "fixed", "A segment stays with its object. Make a new segment instead.")
	}
	if c.Old != nil && c.Old.Kind != g.Kind {
		return errs.Field("kind", "fixed", "A segment stays %s. Take a snapshot to get a static list of its members.", c.Old.Kind)
	}
	if g.Kind == Static && g.Filter != nil {
		return errs.Field("filter", "static_segment", "A static segment is a list of records and has no filter.")
	}
	if c.Old != nil && !c.Changed("filter") {
		return nil
	}
	g.Filter, err = s.cleanFilter(ctx, o, g.Filter)
	return err
}

// SavedSegment finds a segment for the kernel.
func (s *Service) SavedSegment(ctx context.Context, id uuid.UUID) (*record.Segment, error) {
	g, err := s.segment(ctx, id)
	if err != nil {
		return nil, err
	}
	return &record.Segment{ID: g.ID, Name: g.Name, Object: g.Object, Static: g.Kind == Static, Filter: FilterText(g.Filter)}, nil
}

// segment reads a living segment the actor may see.
func (s *Service) segment(ctx context.Context, id uuid.UUID) (*Segment, error) {
	g, err := s.Segments.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if g.DeletedAt != nil {
		return nil, errs.Missing("segment")
	}
	return g, nil
}

// Query is what lists a segment's members: the object, and a filter for lists,
// counts, exports and Object.Predicate. It is read for the actor, now: a campaign
// calls it as its owner.
func (s *Service) Query(ctx context.Context, id uuid.UUID) (*record.Object, record.Query, error) {
	g, err := s.segment(ctx, id)
	if err != nil {
		return nil, record.Query{}, err
	}
	o, err := s.object(ctx, g.Object)
	if err != nil {
		return nil, record.Query{}, err
	}
	f, err := o.ParseFilterJSON(ctx, `{"field":"segment","op":"in_segment","value":"`+id.String()+`"}`)
	return o, record.Query{Filter: f}, err
}
