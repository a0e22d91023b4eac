package identity

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/jobs"
	"crm/internal/record"
)

// Link lets one person choose a password, once. With Mailed it is on its way to them
// and URL is empty; otherwise whoever asked for it hands URL over, which is not shown
// again.
type Link struct {
	URL       string    `json:"url"`
	Mailed    bool      `json:"mailed"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Invite makes a user without a password and a link by which they choose one. The
// actor needs user:create.
func (s *Service) Invite(ctx context.Context, n NewUser) (*User, *Link, error) {
	email, ok := record.NormalEmail(n.Email)
	if !ok {
		return nil, nil, errs.Field("email", "not_an_email", "Enter an address like name@company.com.")
	}
	role, err := s.RoleByKey(ctx, n.Role)
	if err != nil {
		return nil, nil, err
	}
	if n.Name == "" {
		n.Name = email
	}
	var out *User
	var link *Link
	err = s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		u := &User{Name: n.Name, Email: email, RoleID: &role.ID, State: "invited", TimeZone: n.TimeZone}
		u.TeamID = n.TeamID
		if out, err = s.Users.Create(ctx, u); err != nil {
			return err
		}
		link, err = s.newLink(ctx, tx, ticketInvite, out.ID, inviteLife)
		return err
	})
	return out, link, err
}

// InviteAgain makes a new link for somebody who has not come yet; the old one ends.
func (s *Service) InviteAgain(ctx context.Context, user uuid.UUID) (*Link, error) {
	return s.linkFor(ctx, user, "invited", ticketInvite, inviteLife)
}

// ResetLink makes a link by which an active user chooses a new password. Until it is
// used nothing changes, and a second factor stays in any case.
func (s *Service) ResetLink(ctx context.Context, user uuid.UUID) (*Link, error) {
	return s.linkFor(ctx, user, "active", ticketReset, resetLife)
}

func (s *Service) linkFor(ctx context.Context, user uuid.UUID, state, kind string, life time.Duration) (*Link, error) {
	if err := s.mayManage(ctx, user); err != nil {
		return nil, err
	}
	u, err := s.Users.Get(ctx, user)
	if err != nil {
		return nil, err
	}
	if u.State != state || u.Email == "" {
		return nil, errs.New(errs.Conflict, "wrong_state", "This needs a person with an address who is %s; %s is %s.", state, u.Name, u.State)
	}
	var link *Link
	err = s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		link, err = s.newLink(ctx, tx, kind, user, life)
		return err
	})
	return link, err
}

// newLink writes the ticket and, when mail is sent, the job that mails it. The job
// draws a token of its own, so that no token waits in a queue.
func (s *Service) newLink(ctx context.Context, tx pgx.Tx, kind string, user uuid.UUID, life time.Duration) (*Link, error) {
	t, token, err := s.newTicket(ctx, tx, kind, &user, life, nil)
	if err != nil {
		return nil, err
	}
	link := &Link{ExpiresAt: t.expires}
	if s.Mails() {
		link.Mailed = true
		_, err = s.jobs.Insert(ctx, tx, mailJob{TenantID: t.tenant, Ticket: t.id}, jobs.When{Queue: "messages", Tries: 8})
	} else {
		link.URL = s.linkURL(kind, token)
	}
	if err != nil {
		return nil, err
	}
	_, err = s.k.Emit(ctx, tx, "user", user, map[string]string{ticketInvite: "invited", ticketReset: "reset_link_made"}[kind], map[string]any{"mailed": link.Mailed, "expires_at": t.expires})
	return link, err
}

func (s *Service) linkURL(kind, token string) string {
	return s.base + map[string]string{ticketInvite: "/join/", ticketReset: "/reset/"}[kind] + token
}

// Invited is who a link is for.
type Invited struct {
	Name, Email, Workspace string
	ExpiresAt              time.Time
}

// LinkOwner tells who a link is for, without using it up: mail programs open links too.
func (s *Service) LinkOwner(ctx context.Context, token string) (*Invited, error) {
	t, u, err := s.linked(ctx, token, ticketInvite, ticketReset)
	if err != nil {
		return nil, err
	}
	tenant, err := s.Tenant(person(ctx, t.tenant, u.ID))
	if err != nil {
		return nil, err
	}
	return &Invited{Name: u.Name, Email: u.Email, Workspace: tenant.Name, ExpiresAt: t.expires}, nil
}

// linked finds the ticket of a link and its person, who must still be as they were
// when it was made.
func (s *Service) linked(ctx context.Context, token string, kinds ...string) (*ticket, *User, error) {
	t, err := s.ticketOf(ctx, token, kinds...)
	if err != nil {
		return nil, nil, err
	}
	u, err := s.Users.Get(auth.With(ctx, auth.SystemActor(t.tenant)), *t.user)
	if errs.KindOf(err) == errs.NotFound || err == nil && u.State != map[string]string{ticketInvite: "invited", ticketReset: "active"}[t.kind] {
		err = errTicket
	}
	return t, u, err
}

// AcceptInvite lets an invited person choose a name and a password, and in.
func (s *Service) AcceptInvite(ctx context.Context, token, name, password string, v Visit) (*Session, error) {
	t, u, err := s.linked(ctx, token, ticketInvite)
	if err != nil {
		return nil, err
	}
	if name == "" {
		name = u.Name
	}
	if err := checkPassword(password, u.Email, name); err != nil {
		return nil, err
	}
	hash := s.hasher.hash(password)
	err = s.db.Tx(person(ctx, t.tenant, u.ID), func(ctx context.Context, tx pgx.Tx) error {
		if err := s.use(ctx, tx, t); err != nil {
			return err
		}
		_, err := s.Users.One(ctx, record.Operation{Kind: record.OpUpdate, ID: u.ID, Patch: record.Patch{"name": name, "state": "active"}})
		if err != nil {
			return err
		}
		return s.replacePassword(ctx, tx, u, hash, "invitation_accepted")
	})
	if err != nil {
		return nil, err
	}
	return s.admit(ctx, entry{candidate: candidate{tenant: t.tenant, slug: t.slug, user: u.ID}, method: ByPassword}, v)
}

// ResetPassword lets the holder of a link choose a new password. It opens no session:
// they sign in as always, second factor included.
func (s *Service) ResetPassword(ctx context.Context, token, password string) error {
	t, u, err := s.linked(ctx, token, ticketReset)
	if err != nil {
		return err
	}
	if err := checkPassword(password, u.Email, u.Name); err != nil {
		return err
	}
	hash := s.hasher.hash(password)
	return s.db.Tx(person(ctx, t.tenant, u.ID), func(ctx context.Context, tx pgx.Tx) error {
		if err := s.use(ctx, tx, t); err != nil {
			return err
		}
		return s.replacePassword(ctx, tx, u, hash, "password_reset")
	})
}

// fromForgetful bounds how often links may be asked for from one address.
var fromForgetful = fromAddress

// Forgot mails a link to whoever has the address, if anybody has. The same is done and
// answered for every address: looking it up is the work of a job.
func (s *Service) Forgot(ctx context.Context, email string, v Visit) error {
	if !s.Mails() {
		return errs.New(errs.Conflict, "no_mail", "This installation sends no mail. Ask an admin of your workspace for a link.")
	}
	bucket := s.addressBucket(v)
	bucket.Name, bucket.Policy = "forgot", fromForgetful
	if verdict := s.limits.Take(ctx, bucket); !verdict.Allowed {
		return waiting(verdict.RetryAfter())
	}
	address, ok := record.NormalEmail(email)
	if !ok {
		return errs.Field("email", "not_an_email", "Enter an address like name@company.com.")
	}
	return s.db.System(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := s.jobs.Insert(ctx, tx, forgotJob{Email: address}, jobs.When{Queue: "messages", Unique: true, Tries: 3})
		return err
	})
}

// forgotten makes links for everybody with an address; no more than one in five
// minutes, so that nobody fills somebody's mailbox.
func (s *Service) forgotten(ctx context.Context, email string) error {
	list, err := s.candidates(ctx, email, "")
	for _, c := range list {
		if c.state != "active" {
			continue
		}
		err = s.db.Tx(auth.With(ctx, auth.SystemActor(c.tenant)), func(ctx context.Context, tx pgx.Tx) error {
			recent := false
			err := s.db.Read(ctx, db.Query{SQL: `select from sign_in_tickets where tenant_id = app_tenant() and user_id = $1 and kind = 'reset' and created_at > $2`, Args: []any{c.user, s.now().Add(-5 * time.Minute).UTC()}}, func(rows pgx.Rows) error {
				recent = rows.Next()
				return nil
			})
			if err != nil || recent {
				return err
			}
			_, err = s.newLink(ctx, tx, ticketReset, c.user, resetLife)
			return err
		})
		if err != nil {
			return err
		}
	}
	return err
}
