package objects

import (
	"context"
	"fmt"
	"time"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// Deps are what the service needs.
type Deps struct {
	Kernel *record.Kernel
	Now    func() time.Time
}

// Service is the face of the context.
type Service struct {
	Views    *record.Store[View]
	Segments *record.Store[Segment]
	Own      *record.Store[record.CustomObject] // the objects the tenant made

	k   *record.Kernel
	now func() time.Time
}

// New registers views and segments and lets the kernel's filters name them.
func New(d Deps) (*Service, error) {
	s := &Service{k: d.Kernel, now: d.Now}
	var err error
	if s.Views, err = record.Register(d.Kernel, record.Definition{
		Name: "view", Plural: "views", Table: "saved_views", Label: "View", LabelPlural: "Views", Owned: true, Shared: true, System: true, NoSearch: true,
		DefaultSort: "position,name", ListFields: []string{"object", "sharing", "owner_id", "is_default", "updated_at"},
	}, record.HooksFor[View]{Before: s.checkViews}); err != nil {
		return nil, fmt.Errorf("register views: %w", err)
	}
	if s.Segments, err = record.Register(d.Kernel, record.Definition{
		Name: "segment", Plural: "segments", Label: "Segment", LabelPlural: "Segments", Owned: true, NoMerge: true,
		ListFields: []string{"object", "kind", "owner_id", "updated_at"},
	}, record.HooksFor[Segment]{Before: s.checkSegments}); err != nil {
		return nil, fmt.Errorf("register segments: %w", err)
	}
	if s.Own, err = d.Kernel.UseCustomObjects(); err != nil {
		return nil, fmt.Errorf("register custom objects: %w", err)
	}
	d.Kernel.UseSaved(s)
	return s, nil
}

// object finds the object a view or segment is about, by either of its names.
func (s *Service) object(ctx context.Context, name string) (*record.Object, error) {
	o, ok := s.k.ObjectFor(ctx, name)
	if !ok {
		o, ok = s.k.PluralFor(ctx, name)
	}
	if !ok {
		return nil, errs.Field("object", "unknown_object", "There is no object called %q. Use a name like contact.", name)
	}
	return o, nil
}

// Object finds an object by its name, for pages that keep its lists.
func (s *Service) Object(ctx context.Context, name string) (*record.Object, bool) {
	return s.k.ObjectFor(ctx, name)
}

// MayChange reports whether the actor may change a view: its owner, and admins.
func (s *Service) MayChange(a *auth.Actor, v *View) bool {
	scope := a.Grants.Scope("view", auth.Update)
	return scope == auth.All || scope != auth.None && v.OwnerID != nil && *v.OwnerID == a.ID
}
