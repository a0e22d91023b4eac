package identity

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
)

// errSignIn is the one answer to every failed sign-in.
var errSignIn = errs.New(errs.Unauthenticated, "sign_in_failed", "E-mail and password do not match. Check both, or ask an admin to reset your password.")

// candidate is somebody with the address that was typed, in one of the tenants.
type candidate struct {
	tenant uuid.UUID
	slug   string
	user   uuid.UUID
	hash   string
	state  string
}

// SignIn checks e-mail and password and lets the person in. slug picks the tenant
// for people who are in several; "" takes the first whose password matches. The same
// hashing work is done, and the same waiting asked for, whether or not the address is
// known.
func (s *Service) SignIn(ctx context.Context, email, password, slug string, v Visit) (*Session, error) {
	if err := s.mayTry(ctx, v); err != nil {
		return nil, err
	}
	list, err := s.candidates(ctx, email, slug)
	if err != nil {
		return nil, err
	}
	key := s.passwordKey(email, list, v)
	nth, err := s.try(ctx, key)
	if err != nil {
		return nil, err
	}
	if c := s.match(list, password); c != nil {
		return s.admit(ctx, entry{candidate: *c, method: ByPassword, forgive: key}, v)
	}
	s.limits.Take(ctx, s.addressBucket(v))
	return nil, s.refuse(ctx, list, nth, v)
}

func (s *Service) candidates(ctx context.Context, email, slug string) ([]candidate, error) {
	if strings.ContainsRune(email, 0) || !utf8.ValidString(email) {
		return nil, nil // no address that could be stored: nobody's, not a failure of ours
	}
	var out []candidate
	err := s.db.System(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `select tenant_id, slug, user_id, password_hash, state from auth_user($1) where $2 in ('', slug) limit 5`, strings.TrimSpace(email), slug)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c candidate, err error) {
			return c, row.Scan(&c.tenant, &c.slug, &c.user, &c.hash, &c.state)
		})
		return err
	})
	return out, err
}

// match finds whose password it is. Nobody costs as much as somebody, and a disabled
// person as much as an active one.
func (s *Service) match(list []candidate, password string) *candidate {
	if len(list) == 0 {
		s.hasher.verify("", password)
	}
	for _, c := range list {
		if s.hasher.verify(c.hash, password) && c.state == "active" {
			return &c
		}
	}
	return nil
}

// refuse writes the failure into the journal of every tenant it was tried in. The try
// from which on one has to wait is told apart: it is what an admin looks for.
func (s *Service) refuse(ctx context.Context, list []candidate, nth int, v Visit) error {
	action := "sign_in_failed"
	if nth >= freeTries {
		action = "sign_in_blocked"
	}
	for _, c := range list {
		if err := s.note(auth.With(ctx, auth.SystemActor(c.tenant)), c.user, action, map[string]any{"failures": nth, "address": v.Address}); err != nil {
			return err
		}
	}
	return errSignIn
}

// freeTries are answered without a wait; the function sign_in_try has the same figure.
const freeTries = 5

// note writes a happening of a user into the journal, in a transaction of its own.
func (s *Service) note(ctx context.Context, user uuid.UUID, action string, data map[string]any) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := s.k.Emit(ctx, tx, "user", user, action, data)
		return err
	})
}

// userActor loads what a user may do; nil when the user may not come in.
func (s *Service) userActor(ctx context.Context, tenant, user uuid.UUID) (*auth.Actor, error) {
	ctx = auth.With(ctx, auth.SystemActor(tenant))
	a := &auth.Actor{Kind: auth.User, TenantID: tenant, ID: user, Via: auth.ViaWeb}
	var grants map[string]any
	var state string
	err := s.db.ReadMany(ctx, []db.Query{
		{SQL: `select u.name, u.state, r.key, r.grants, coalesce(u.time_zone, t.time_zone), t.currency from users u
		   join roles r on r.tenant_id = u.tenant_id and r.id = u.role_id join tenants t on t.id = u.tenant_id and t.state = 'active'
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
