package identity

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"crm/internal/platform/errs"
	"crm/internal/platform/jobs"
	"crm/internal/platform/secret"
)

// mailJob sends the link of a ticket.
type mailJob struct {
	TenantID uuid.UUID `json:"tenant_id"`
	Ticket   uuid.UUID `json:"ticket"`
}

func (mailJob) Kind() string        { return "identity.mail_link" }
func (j mailJob) Tenant() uuid.UUID { return j.TenantID }

// forgotJob looks for whoever forgot a password. The address is all there is: whether
// somebody has it is what the job finds out.
type forgotJob struct {
	Email string `json:"email"`
}

func (forgotJob) Kind() string      { return "identity.forgot" }
func (forgotJob) Tenant() uuid.UUID { return uuid.Nil }

// Register adds what the service works in the background.
func Register(r *jobs.Registry, s func() *Service) {
	jobs.Work(r, func(ctx context.Context, job *river.Job[mailJob]) error { return s().mailLink(ctx, job.Args.Ticket) })
	jobs.Work(r, func(ctx context.Context, job *river.Job[forgotJob]) error { return s().forgotten(ctx, job.Args.Email) })
}

// mailLink draws a new token for the ticket and mails it. Done twice, the later mail
// has the link that works; a ticket that was used or replaced is left alone.
func (s *Service) mailLink(ctx context.Context, ticketID uuid.UUID) error {
	token, hash := secret.Token("")
	var kind string
	var user uuid.UUID
	err := s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `update sign_in_tickets set token_hash = $2 where tenant_id = app_tenant() and id = $1 and used_at is null and expires_at > $3 returning kind, user_id`,
			ticketID, hash, s.now().UTC()).Scan(&kind, &user)
	})
	if errs.KindOf(err) == errs.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	u, err := s.Users.Get(ctx, user)
	if err != nil {
		return err
	}
	t, err := s.Tenant(ctx)
	if err != nil {
		return err
	}
	subject, text := linkMail(kind, u.Name, t.Name, s.linkURL(kind, token))
	if err := s.mail.SendSystem(ctx, u.Email, subject, text); err != nil {
		return fmt.Errorf("mail a link: %w", err)
	}
	return nil
}

func linkMail(kind, name, workspace, url string) (subject, text string) {
	if kind == ticketInvite {
		return "Your account at " + workspace, "Hello " + name + ",\n\nyou have an account at " + workspace + ". Choose your password here, within seven days:\n\n" + url + "\n\nThe link works once.\n"
	}
	return "A new password for " + workspace, "Hello " + name + ",\n\nsomebody, probably you, asked for a new password at " + workspace + ". Choose it here, within an hour:\n\n" + url +
		"\n\nThe link works once. If it was not you, leave it be: your password stays as it is.\n"
}
