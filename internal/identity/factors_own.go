package identity

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
)

// freshFor is how long ago somebody without password and app may have signed in to
// change how they sign in.
const freshFor = 15 * time.Minute

// prove asks for what only the person has before a way in is changed: a code when they
// have an app, else the password; whoever has neither must have signed in just now. An
// open screen is never enough.
func (s *Service) prove(ctx context.Context, proof string) (*entry, error) {
	a, err := own(ctx)
	if err != nil {
		return nil, err
	}
	f, err := s.factorsOf(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	t, err := s.Tenant(ctx)
	if err != nil {
		return nil, err
	}
	e := &entry{candidate: candidate{tenant: a.TenantID, slug: t.Slug, user: a.ID}, method: ByPassword}
	if f.App {
		e.forgive = codeKey(a.ID)
		return e, asProof(s.checkCode(ctx, a.ID, proof))
	}
	has := false
	err = s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select exists (select from user_credentials where tenant_id = app_tenant() and user_id = $1),
		  coalesce((select coalesce(verified_at, created_at) from sessions where tenant_id = app_tenant() and id::text = $2), '-infinity'::timestamptz) > $3`,
			a.ID, a.SessionID, s.now().Add(-freshFor).UTC()).Scan(&has, &e.fresh)
	})
	if err != nil {
		return nil, err
	}
	if has {
		p, _, err := s.proveAgain(ctx, proof)
		return p, asProof(err)
	}
	if !e.fresh {
		return nil, errs.Field("proof", "sign_in_again", "Sign out and in again, then do this within a quarter of an hour.")
	}
	return e, nil
}

// asProof makes refusals of passwords and codes speak of the one field that asks.
func asProof(err error) error {
	if e := errs.As(err); e != nil && e.Kind == errs.Invalid {
		return errs.Field("proof", e.Fields[0].Code, "%s", e.Fields[0].Message)
	}
	return err
}

// StartTOTP begins to set an authenticator app up for the actor.
func (s *Service) StartTOTP(ctx context.Context, proof string) (*Enrolment, error) {
	e, err := s.prove(ctx, proof)
	if err != nil {
		return nil, err
	}
	return s.beginTOTP(ctx, e.user)
}

// PendingTOTP shows an app that waits for its first code once more; nil = none does.
func (s *Service) PendingTOTP(ctx context.Context) (*Enrolment, error) {
	a, err := own(ctx)
	if err != nil {
		return nil, err
	}
	return s.pending(ctx, a.ID)
}

// FinishTOTP takes the app's first code. It gives the recovery codes, ends every
// session of the actor and opens one here.
func (s *Service) FinishTOTP(ctx context.Context, code string, v Visit) ([]string, *Session, error) {
	a, err := own(ctx)
	if err != nil {
		return nil, nil, err
	}
	t, err := s.Tenant(ctx)
	if err != nil {
		return nil, nil, err
	}
	if _, err := s.try(ctx, codeKey(a.ID)); err != nil {
		return nil, nil, err
	}
	e := entry{candidate: candidate{tenant: a.TenantID, slug: t.Slug, user: a.ID}, method: ByPassword, forgive: codeKey(a.ID)}
	set := s.newRecovery()
	var out *Session
	err = s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := s.confirmTOTP(ctx, tx, a.ID, code, set); err != nil {
			return err
		}
		out, err = s.anew(ctx, tx, e, v)
		return err
	})
	return set.codes, out, err
}

// anew ends all sessions and opens one with a new token.
func (s *Service) anew(ctx context.Context, tx pgx.Tx, e entry, v Visit) (*Session, error) {
	if _, err := tx.Exec(ctx, `delete from sessions where tenant_id = app_tenant() and user_id = $1`, e.user); err != nil {
		return nil, err
	}
	s.forgetActors(ctx)
	return s.openSession(ctx, tx, e, v)
}

// NewRecoveryCodes replaces the actor's recovery codes.
func (s *Service) NewRecoveryCodes(ctx context.Context, proof string) ([]string, error) {
	e, err := s.prove(ctx, proof)
	if err != nil {
		return nil, err
	}
	set := s.newRecovery()
	return set.codes, s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := storeRecovery(ctx, tx, e.user, set); err != nil {
			return err
		}
		_, err := s.k.Emit(ctx, tx, "user", e.user, "recovery_codes_renewed", nil)
		return err
	})
}

// RemoveTOTP takes the actor's authenticator app and recovery codes away.
func (s *Service) RemoveTOTP(ctx context.Context, proof string) error {
	e, err := s.prove(ctx, proof)
	if err != nil {
		return err
	}
	f, err := s.factorsOf(ctx, e.user)
	if err != nil {
		return err
	}
	if f.Required && len(f.Passkeys) == 0 {
		return errs.Field("proof", "required", "Your workspace asks for a second factor. Add a passkey first, then the app can go.")
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error { return s.dropApp(ctx, tx, e.user, "mfa_disabled") })
}

func (s *Service) dropApp(ctx context.Context, tx pgx.Tx, user uuid.UUID, action string) error {
	for _, table := range []string{"totp_secrets", "recovery_codes"} {
		if _, err := tx.Exec(ctx, `delete from `+table+` where tenant_id = app_tenant() and user_id = $1`, user); err != nil {
			return err
		}
	}
	_, err := s.k.Emit(ctx, tx, "user", user, action, nil)
	return err
}

// ResetMFA takes all second factors of a user away, for admins of somebody who lost
// them, and signs them out. Who must have one sets a new one up at the next sign-in.
func (s *Service) ResetMFA(ctx context.Context, user uuid.UUID) error {
	if err := s.mayManage(ctx, user); err != nil {
		return err
	}
	if a := auth.From(ctx); a.ID == user {
		return errs.New(errs.Conflict, "own_account", "These are your own factors; change them on your account page.")
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		for _, table := range []string{"passkeys", "sessions"} {
			if _, err := tx.Exec(ctx, `delete from `+table+` where tenant_id = app_tenant() and user_id = $1`, user); err != nil {
				return err
			}
		}
		if err := forgive(ctx, tx, codeKey(user), againKey(user)); err != nil {
			return err
		}
		s.forgetActors(ctx)
		return s.dropApp(ctx, tx, user, "mfa_reset")
	})
}
