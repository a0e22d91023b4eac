package identity

import (
	"context"

	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
)

// Method is how somebody proved who they are.
type Method string

// The ways in.
const (
	ByPassword Method = "password"
)

// entry is somebody who has proved who they are and stands at the door. forgive is
// the count of tries to forget once they are in.
type entry struct {
	candidate
	method  Method
	forgive []byte
}

// admit is the one door for every way of signing in.
func (s *Service) admit(ctx context.Context, e entry, v Visit) (*Session, error) {
	ctx = auth.With(ctx, &auth.Actor{Kind: auth.User, TenantID: e.tenant, ID: e.user, Via: auth.ViaWeb, Grants: auth.Grants{}})
	var out *Session
	err := s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		w, err := s.SignInSettings(ctx)
		if err != nil {
			return err
		}
		if err := passwordsAllowed(ctx, tx, w, e); err != nil {
			return err
		}
		out, err = s.openSession(ctx, tx, e, v)
		return err
	})
	return out, err
}

// passwordsAllowed refuses passwords where the tenant has switched them off. Whoever
// may change that setting is let in all the same: a broken sign-in at the company must
// not lock the tenant up for good.
func passwordsAllowed(ctx context.Context, tx pgx.Tx, w SignInSettings, e entry) error {
	if !w.PasswordsOff || e.method != ByPassword {
		return nil
	}
	var grants map[string]any
	err := tx.QueryRow(ctx, `select r.grants from users u join roles r on r.tenant_id = u.tenant_id and r.id = u.role_id where u.tenant_id = app_tenant() and u.id = $1`, e.user).Scan(&grants)
	if err != nil || (&Role{Grants: grants}).grants().Scope("tenant", auth.Update) == auth.All {
		return err
	}
	return errs.New(errs.Forbidden, "passwords_off", "This workspace takes no passwords. Sign in with your company's sign-in, or with a passkey.")
}
