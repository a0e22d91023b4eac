package identity

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
)

// Standing is how somebody's way in stands, for admins.
type Standing struct {
	Sessions     int        `json:"sessions"`
	HasPassword  bool       `json:"has_password"`
	App          bool       `json:"app"`
	Passkeys     int        `json:"passkeys"`
	FailedTries  int        `json:"failed_tries"`
	WaitingUntil *time.Time `json:"waiting_until"`
	LastSeenAt   *time.Time `json:"last_seen_at"`
}

// Standing tells how a user's way in stands.
func (s *Service) Standing(ctx context.Context, user uuid.UUID) (*Standing, error) {
	if _, _, err := auth.Require(ctx, "user", auth.Update); err != nil {
		return nil, err
	}
	u, err := s.Users.Get(ctx, user)
	if err != nil {
		return nil, err
	}
	out := &Standing{}
	err = s.db.ReadMany(ctx, []db.Query{
		{SQL: `select count(*), max(seen_at) from sessions where tenant_id = app_tenant() and user_id = $1 and expires_at > $2`, Args: []any{user, s.now().UTC()}},
		{SQL: `select exists (select from user_credentials where tenant_id = app_tenant() and user_id = $1), exists (select from totp_secrets where tenant_id = app_tenant() and user_id = $1 and confirmed_at is not null),
		    (select count(*) from passkeys where tenant_id = app_tenant() and user_id = $1)`, Args: []any{user}},
		{SQL: `select tries, wait_until from sign_in_waits($1, $2)`, Args: []any{s.tryKeys(u), s.now().UTC()}},
	}, func(i int, rows pgx.Rows) error {
		into := [][]any{{&out.Sessions, &out.LastSeenAt}, {&out.HasPassword, &out.App, &out.Passkeys}, {&out.FailedTries, &out.WaitingUntil}}[i]
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// tryKeys are the counts that make somebody wait, their own devices apart.
func (s *Service) tryKeys(u *User) [][]byte {
	return [][]byte{addressKey(u.Email), codeKey(u.ID), againKey(u.ID)}
}

// LetIn forgets the failed tries of somebody who has to wait because of them.
func (s *Service) LetIn(ctx context.Context, user uuid.UUID) error {
	if err := s.mayManage(ctx, user); err != nil {
		return err
	}
	u, err := s.Users.Get(ctx, user)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := forgive(ctx, tx, s.tryKeys(u)...); err != nil {
			return err
		}
		_, err := s.k.Emit(ctx, tx, "user", user, "sign_in_unblocked", nil)
		return err
	})
}
