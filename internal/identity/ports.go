package identity

import (
	"context"

	"github.com/jackc/pgx/v5"

	"crm/internal/platform/jobs"
)

// Mailer sends the product's own mail: invitations and resets. It is no part of a
// tenant's message ledger, which people may read: these mails carry secrets.
type Mailer interface {
	SendSystem(ctx context.Context, to, subject, text string) error
}

// Queue takes work that is done later.
type Queue interface {
	Insert(ctx context.Context, tx pgx.Tx, args jobs.Args, w jobs.When) (int64, error)
}

// SetJobs gives the service the client made of what it registered. Called at
// composition only.
func (s *Service) SetJobs(q Queue) { s.jobs = q }

// Mails reports whether the installation sends its own mail; without it an admin hands
// links over.
func (s *Service) Mails() bool { return s.mail != nil && s.jobs != nil }
