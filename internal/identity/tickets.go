package identity

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/secret"
)

// Kinds of tickets and how long they are good for.
const (
	ticketInvite = "invite"
	ticketReset  = "reset"

	inviteLife = 7 * 24 * time.Hour
	resetLife  = time.Hour
)

// ticket opens one door once. Who holds the token may go on; the row has its hash.
type ticket struct {
	tenant  uuid.UUID
	slug    string
	id      uuid.UUID
	kind    string
	user    *uuid.UUID
	sealed  []byte
	expires time.Time
}

// errTicket is the one answer to tickets that are unknown, used or too old.
var errTicket = errs.New(errs.NotFound, "link_expired", "This link was used already or has expired. Ask for a new one.")

// newTicket writes a ticket of the actor's tenant and returns its token, in the
// transaction of the caller. Earlier ones of the kind for the user end, so that the
// latest link is the only one.
func (s *Service) newTicket(ctx context.Context, tx pgx.Tx, kind string, user *uuid.UUID, life time.Duration, data any) (*ticket, string, error) {
	token, hash := secret.Token("")
	now := s.now().UTC()
	t := &ticket{tenant: auth.From(ctx).TenantID, id: id.New(), kind: kind, user: user, expires: now.Add(life)}
	var err error
	if data != nil {
		if t.sealed, err = s.sealFor(t, data); err != nil {
			return nil, "", err
		}
	}
	if user != nil {
		if _, err := tx.Exec(ctx, `delete from sign_in_tickets where tenant_id = app_tenant() and user_id = $1 and kind = $2`, *user, kind); err != nil {
			return nil, "", err
		}
	}
	// Old ones go as new ones come: nothing else reads them.
	if _, err := tx.Exec(ctx, `delete from sign_in_tickets where tenant_id = app_tenant() and expires_at < $1::timestamptz - interval '1 day'`, now); err != nil {
		return nil, "", err
	}
	var by *uuid.UUID
	if a := auth.From(ctx); a.Kind == auth.User {
		by = &a.ID
	}
	_, err = tx.Exec(ctx, `insert into sign_in_tickets (tenant_id, id, kind, user_id, token_hash, sealed, created_at, created_by, expires_at) values (app_tenant(), $1, $2, $3, $4, $5, $6, $7, $8)`,
		t.id, kind, user, hash, t.sealed, now, by, t.expires)
	return t, token, err
}

func (s *Service) sealFor(t *ticket, data any) ([]byte, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	return s.box.Seal(ticketPlace(t), raw)
}

func (s *Service) openFrom(t *ticket, into any) error {
	raw, err := s.box.Open(ticketPlace(t), t.sealed)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

func ticketPlace(t *ticket) string {
	return secret.AAD(t.tenant.String(), "sign_in_tickets", "sealed", t.id.String())
}

// ticketOf finds the open ticket of a token; it is not used up by looking.
func (s *Service) ticketOf(ctx context.Context, token string, kinds ...string) (*ticket, error) {
	t := &ticket{}
	err := s.db.System(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select tenant_id, slug, ticket_id, kind, user_id, sealed, expires_at from auth_ticket($1)`, secret.Hash(token)).
			Scan(&t.tenant, &t.slug, &t.id, &t.kind, &t.user, &t.sealed, &t.expires)
	})
	if errs.KindOf(err) == errs.NotFound {
		return nil, errTicket
	}
	if err != nil {
		return nil, err
	}
	for _, kind := range kinds {
		if t.kind == kind && s.now().Before(t.expires) {
			return t, nil
		}
	}
	return nil, errTicket
}

// use ends the ticket: of two who come at the same moment, one is refused.
func (s *Service) use(ctx context.Context, tx pgx.Tx, t *ticket) error {
	now := s.now().UTC()
	tag, err := tx.Exec(ctx, `update sign_in_tickets set used_at = $2, sealed = null where tenant_id = app_tenant() and id = $1 and used_at is null and expires_at > $2`, t.id, now)
	if err == nil && tag.RowsAffected() == 0 {
		err = errTicket
	}
	return err
}

// person is somebody acting on their own account before a session is open.
func person(ctx context.Context, tenant, user uuid.UUID) context.Context {
	return auth.With(ctx, &auth.Actor{Kind: auth.User, TenantID: tenant, ID: user, Via: auth.ViaWeb, Grants: auth.Grants{"user:read": auth.All, "user:update": auth.All, "role:read": auth.All}})
}
