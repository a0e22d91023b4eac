package activities

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"crm/internal/record"
)

// Deps are what the service needs.
type Deps struct {
	Kernel *record.Kernel
	Now    func() time.Time
	Log    *slog.Logger
	Next   NextActivity
}

// Service is the face of the context.
type Service struct {
	Activities *record.Store[Activity]

	k    *record.Kernel
	now  func() time.Time
	next NextActivity
}

// New registers activities with the kernel.
func New(d Deps) (*Service, error) {
	if d.Next == nil {
		return nil, errors.New("activities need the port NextActivity to keep deals up to date")
	}
	s := &Service{k: d.Kernel, now: d.Now, next: d.Next}
	if err := s.register(d.Kernel); err != nil {
		return nil, fmt.Errorf("register activities: %w", err)
	}
	return s, nil
}

// objectName finds the object an activity may be about by either of its names.
// Settings, people of the house and other activities are nothing to be about.
func (s *Service) objectName(ctx context.Context, name string) string {
	o, ok := s.k.ObjectFor(ctx, name)
	if !ok {
		o, ok = s.k.PluralFor(ctx, name)
	}
	if !ok || o.Def.System || o.Def.Name == "activity" {
		return ""
	}
	return o.Def.Name
}
