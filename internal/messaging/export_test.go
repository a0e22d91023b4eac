package messaging

import (
	"context"

	"github.com/google/uuid"
)

// DieAfterClaim claims and then does nothing more, as a process that is killed
// before the first byte leaves.
func (s *Service) DieAfterClaim(ctx context.Context, message uuid.UUID) (bool, error) {
	c, err := s.claim(ctx, message)
	return c != nil, err
}

// DieAfterWire claims and sends and forgets the result, as a process that is
// killed before it can write it down. The function it returns is the same process
// waking up after all.
func (s *Service) DieAfterWire(ctx context.Context, message uuid.UUID) (wakeUp func(context.Context) error, err error) {
	c, err := s.claim(ctx, message)
	if err != nil || c == nil {
		return nil, err
	}
	r := s.hand(ctx, c)
	return func(ctx context.Context) error {
		_, err := s.settle(ctx, c, r)
		return err
	}, nil
}

// Deliver is one run of a job.
func (s *Service) Deliver(ctx context.Context, message uuid.UUID) error {
	return s.deliver(ctx, message)
}
