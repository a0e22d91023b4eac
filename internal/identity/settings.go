package identity

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// Who must have a second factor.
const (
	MFAOptional = "optional"
	MFARoles    = "roles"
	MFAAll      = "all"
)

// SignInSettings are how people of a tenant sign in. MFARoles are role ids.
type SignInSettings struct {
	IdleMinutes     int         `json:"idle_minutes"`
	AbsoluteMinutes int         `json:"absolute_minutes"`
	MFA             string      `json:"mfa"`
	MFARoles        []uuid.UUID `json:"mfa_roles"`
	PasswordsOff    bool        `json:"passwords_off"`
}

// defaultSettings hold for a tenant that has none: two weeks unused, sixty days in all.
func defaultSettings() SignInSettings {
	return SignInSettings{IdleMinutes: 14 * 24 * 60, AbsoluteMinutes: 60 * 24 * 60, MFA: MFAOptional, MFARoles: []uuid.UUID{}}
}

// requires tells whether people of a role must have a second factor.
func (w *SignInSettings) requires(role uuid.UUID) bool {
	return w.MFA == MFAAll || w.MFA == MFARoles && slices.Contains(w.MFARoles, role)
}

func (w *SignInSettings) check() error {
	var refused errs.Fields
	if w.IdleMinutes < 5 || w.IdleMinutes > 90*24*60 {
		refused.Add("idle_minutes", "out_of_range", "A session may rest 5 minutes to 90 days (129600 minutes).")
	}
	if w.AbsoluteMinutes < 30 || w.AbsoluteMinutes > 365*24*60 {
		refused.Add("absolute_minutes", "out_of_range", "A session lasts 30 minutes to a year (525600 minutes).")
	}
	if w.MFA != MFAOptional && w.MFA != MFARoles && w.MFA != MFAAll {
		refused.Add("mfa", "unknown_choice", "Choose optional, roles or all.")
	}
	return refused.Err()
}

const settingsSQL = `select idle_minutes, absolute_minutes, mfa, mfa_roles, passwords_off from sign_in_settings where tenant_id = app_tenant()`

// SignInSettings returns the tenant's settings.
func (s *Service) SignInSettings(ctx context.Context) (SignInSettings, error) {
	w := defaultSettings()
	err := s.db.Read(ctx, db.Query{SQL: settingsSQL}, func(rows pgx.Rows) error {
		for rows.Next() {
			if err := rows.Scan(&w.IdleMinutes, &w.AbsoluteMinutes, &w.MFA, &w.MFARoles, &w.PasswordsOff); err != nil {
				return err
			}
		}
		return nil
	})
	return w, err
}

// SetSignInSettings changes the tenant's settings. Shorter limits hold at once, for
// open sessions too; a second factor is asked for at the next sign-in.
func (s *Service) SetSignInSettings(ctx context.Context, w SignInSettings) error {
	if _, _, err := auth.Require(ctx, "tenant", auth.Update); err != nil {
		return err
	}
	if w.MFARoles == nil {
		w.MFARoles = []uuid.UUID{}
	}
	if err := w.check(); err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := s.knownRoles(ctx, w.MFARoles); err != nil {
			return err
		}
		old, err := s.SignInSettings(ctx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `insert into sign_in_settings (tenant_id, idle_minutes, absolute_minutes, mfa, mfa_roles, passwords_off, updated_at) values (app_tenant(), $1, $2, $3, $4, $5, $6)
		  on conflict on constraint sign_in_settings_pkey do update set idle_minutes = excluded.idle_minutes, absolute_minutes = excluded.absolute_minutes, mfa = excluded.mfa,
		    mfa_roles = excluded.mfa_roles, passwords_off = excluded.passwords_off, updated_at = excluded.updated_at`,
			w.IdleMinutes, w.AbsoluteMinutes, w.MFA, w.MFARoles, w.PasswordsOff, s.now().UTC())
		if err != nil {
			return err
		}
		s.forgetActors(ctx)
		_, err = s.k.Emit(ctx, tx, "tenant", auth.From(ctx).TenantID, "sign_in_settings_changed", map[string]any{"before": old, "after": w})
		return err
	})
}

func (s *Service) knownRoles(ctx context.Context, roles []uuid.UUID) error {
	if len(roles) == 0 {
		return nil
	}
	list, err := s.Roles.Find(auth.With(ctx, auth.SystemActor(auth.From(ctx).TenantID)), record.Query{Limit: record.MaxLimit})
	if err != nil {
		return err
	}
	for _, want := range roles {
		if !slices.ContainsFunc(list, func(r *Role) bool { return r.ID == want }) {
			return errs.Field("mfa_roles", "unknown_role", "There is no role with the id %s here.", want)
		}
	}
	return nil
}

// touchAfter is how old the last use of a session may be in the database: writing it
// down with every request would cost more than it tells.
func touchAfter(idle time.Duration) time.Duration { return min(5*time.Minute, idle/10) }
