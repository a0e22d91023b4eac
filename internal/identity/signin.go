package identity

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/secret"
)

// Limits of a session.
const (
	sessionIdle     = 14 * 24 * time.Hour
	sessionAbsolute = 60 * 24 * time.Hour
)

// Limits of guessing.
const (
	maxFailures = 10
	lockFor     = 15 * time.Minute
)

// Session is a fresh sign-in: the token goes into the cookie and nowhere else.
type Session struct {
	Token     string
	Slug      string
	ExpiresAt time.Time
}

// errSignIn is the one answer to every failed sign-in.
var errSignIn = errs.New(errs.Unauthenticated, "sign_in_failed", "E-mail and password do not match. Check both, or ask an admin to reset your password.")

type candidate struct {
	tenant uuid.UUID
	slug   string
	user   uuid.UUID
	hash   string
	locked *time.Time
	state  string
}

// SignIn checks e-mail and password and opens a session. slug picks the tenant
// for people who are in several; "" takes the first whose password matches, and
// only when none does is a failure counted: a password of one tenant must not lock
// the account in the other. The same hashing work is done whether or not the
// address is known.
func (s *Service) SignIn(ctx context.Context, email, password, slug, address, agent string) (*Session, error) {
	list, err := s.candidates(ctx, email, slug)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		verifyPassword("", password)
		return nil, errSignIn
	}
	for _, c := range list {
		if s.admits(c, password) {
			return s.openSession(ctx, c, address, agent)
		}
	}
	return nil, s.refuse(ctx, list)
}

func (s *Service) candidates(ctx context.Context, email, slug string) ([]candidate, error) {
	if strings.ContainsRune(email, 0) || !utf8.ValidString(email) {
		return nil, nil // no address that could be stored: nobody's, not a failure of ours
	}
	var out []candidate
	err := s.db.System(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `select tenant_id, slug, user_id, password_hash, locked_until, state from auth_user($1) where $2 in ('', slug) limit 5`, email, slug)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c candidate, err error) {
			return c, row.Scan(&c.tenant, &c.slug, &c.user, &c.hash, &c.locked, &c.state)
		})
		return err
	})
	return out, err
}

// admits does the hashing first, so that a locked account costs the same.
func (s *Service) admits(c candidate, password string) bool {
	return verifyPassword(c.hash, password) && c.state == "active" && !s.locked(c)
}

func (s *Service) locked(c candidate) bool { return c.locked != nil && c.locked.After(s.now()) }

// refuse counts the failure wherever the password was tried and says why.
func (s *Service) refuse(ctx context.Context, list []candidate) error {
	answer := errSignIn
	for _, c := range list {
		if s.locked(c) {
			answer = errs.New(errs.Limited, "locked", "Too many failed attempts. Wait a few minutes, or ask an admin to reset your password.")
			answer.RetryAfter = c.locked.Sub(s.now())
			continue
		}
		if err := s.countFailure(auth.With(ctx, auth.SystemActor(c.tenant)), c.user); err != nil {
			return err
		}
	}
	return answer
}

func (s *Service) countFailure(ctx context.Context, user uuid.UUID) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var failures int
		err := tx.QueryRow(ctx, `update user_credentials set failures = failures + 1,
		    locked_until = case when failures + 1 >= $2 then $3::timestamptz else locked_until end
		  where tenant_id = app_tenant() and user_id = $1 returning failures`, user, maxFailures, s.now().Add(lockFor).UTC()).Scan(&failures)
		if err != nil {
			return err
		}
		_, err = s.k.Emit(ctx, tx, "user", user, "sign_in_failed", map[string]any{"failures": failures})
		return err
	})
}

func (s *Service) openSession(ctx context.Context, c candidate, address, agent string) (*Session, error) {
	token, hash := secret.Token("")
	now := s.now().UTC()
	out := &Session{Token: token, Slug: c.slug, ExpiresAt: now.Add(sessionAbsolute)}
	ctx = auth.With(ctx, &auth.Actor{Kind: auth.User, TenantID: c.tenant, ID: c.user, Via: auth.ViaWeb, Grants: auth.Grants{}})
	return out, s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		sid := id.New()
		_, err := tx.Exec(ctx, `insert into sessions (tenant_id, id, user_id, token_hash, created_at, seen_at, expires_at, address, user_agent)
		  values (app_tenant(), $1, $2, $3, $4, $4, $5, $6, $7)`, sid, c.user, hash, now, out.ExpiresAt, address, storable(agent))
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update user_credentials set failures = 0, locked_until = null where tenant_id = app_tenant() and user_id = $1`, c.user); err != nil {
			return err
		}
		_, err = s.k.Emit(ctx, tx, "user", c.user, "signed_in", map[string]any{"address": address})
		return err
	})
}

// storable cuts what a browser says of itself and drops what is no text: header
// bytes need not be UTF-8, and a cut may go through a character.
func storable(agent string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(agent[:min(len(agent), 300)], ""), "\x00", "")
}

// BySession finds the actor of a session cookie, or nil when it is unknown,
// expired or idle for too long.
func (s *Service) BySession(ctx context.Context, token string) (*auth.Actor, error) {
	hash := secret.Hash(token)
	return s.actors.Get(ctx, actorKey('s', hash), func(ctx context.Context) (*auth.Actor, error) {
		var tenant, sid, user uuid.UUID
		var expires, seen time.Time
		err := s.db.System(ctx, func(ctx context.Context, tx pgx.Tx) error {
			return tx.QueryRow(ctx, `select tenant_id, session_id, user_id, expires_at, seen_at from auth_session($1)`, hash).Scan(&tenant, &sid, &user, &expires, &seen)
		})
		if errs.KindOf(err) == errs.NotFound {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		now := s.now()
		if now.After(expires) || now.Sub(seen) > sessionIdle {
			return nil, nil
		}
		a, err := s.userActor(ctx, tenant, user)
		if a != nil {
			a.SessionID = sid.String()
		}
		if err == nil && now.Sub(seen) > time.Hour {
			err = s.touch(ctx, tenant, sid)
		}
		return a, err
	})
}

func (s *Service) touch(ctx context.Context, tenant, sid uuid.UUID) error {
	return s.db.Tx(auth.With(ctx, auth.SystemActor(tenant)), func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `update sessions set seen_at = $2 where tenant_id = app_tenant() and id = $1`, sid, s.now().UTC())
		return err
	})
}

// SignOut ends the actor's session.
func (s *Service) SignOut(ctx context.Context) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		s.forgetActors(ctx)
		_, err := tx.Exec(ctx, `delete from sessions where tenant_id = app_tenant() and id::text = $1`, a.SessionID)
		return err
	})
	return err
}

// userActor loads what a user may do; nil when the user may not come in.
func (s *Service) userActor(ctx context.Context, tenant, user uuid.UUID) (*auth.Actor, error) {
	ctx = auth.With(ctx, auth.SystemActor(tenant))
	a := &auth.Actor{Kind: auth.User, TenantID: tenant, ID: user, Via: auth.ViaWeb}
	var grants map[string]any
	var state string
	err := s.db.ReadMany(ctx, []db.Query{
		{SQL: `select u.name, u.state, r.key, r.grants, coalesce(u.time_zone, t.time_zone), t.currency from users u
		   join roles r on r.tenant_id = u.tenant_id and r.id = u.role_id join tenants t on t.id = u.tenant_id
		   where u.tenant_id = app_tenant() and u.id = $1 and u.deleted_at is null`, Args: []any{user}},
		{SQL: teamTree, Args: []any{user}},
	}, func(i int, rows pgx.Rows) error {
		for rows.Next() {
			if i == 0 {
				if err := rows.Scan(&a.Name, &state, &a.Role, &grants, &a.TimeZone, &a.Currency); err != nil {
					return err
				}
				continue
			}
			if err := rows.Scan(&a.TeamIDs, &a.TeamUsers); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || state != "active" {
		return nil, err
	}
	a.Grants = (&Role{Grants: grants}).grants()
	a.TeamUsers = append(a.TeamUsers, user)
	return a, nil
}

// teamTree is a user's team with the teams below it, and everybody in them or
// reporting to the user.
const teamTree = `with recursive tree as (
    select t.id from teams t join users u on u.tenant_id = t.tenant_id and u.team_id = t.id
    where t.tenant_id = app_tenant() and u.id = $1 and t.deleted_at is null
    union select c.id from teams c join tree on c.parent_id = tree.id where c.tenant_id = app_tenant() and c.deleted_at is null)
  select coalesce((select array_agg(id) from tree), '{}'),
    coalesce((select array_agg(u.id) from users u where u.tenant_id = app_tenant() and (u.team_id in (select id from tree) or u.manager_id = $1)), '{}')`
