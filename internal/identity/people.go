package identity

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/secret"
	"crm/internal/record"
)

// NewUser is what it takes to make a user who can sign in at once.
type NewUser struct {
	Name, Email, Password, Role, TimeZone string
	TeamID                                *uuid.UUID
}

// CreateUser makes a user with a password. The actor needs user:create.
func (s *Service) CreateUser(ctx context.Context, n NewUser) (*User, error) {
	if err := checkPassword(n.Password, n.Email, n.Name); err != nil {
		return nil, err
	}
	role, err := s.RoleByKey(ctx, n.Role)
	if err != nil {
		return nil, err
	}
	email, ok := record.NormalEmail(n.Email)
	if !ok {
		return nil, errs.Field("email", "not_an_email", "Enter an address like name@company.com.")
	}
	if n.Name == "" {
		n.Name = email
	}
	hash := s.hasher.hash(n.Password)
	var out *User
	err = s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		u := &User{Name: n.Name, Email: email, RoleID: &role.ID, State: "active", TimeZone: n.TimeZone}
		u.TeamID = n.TeamID
		var err error
		if out, err = s.Users.Create(ctx, u); err != nil {
			return err
		}
		return s.storePassword(ctx, tx, out.ID, hash)
	})
	return out, err
}

func (s *Service) storePassword(ctx context.Context, tx pgx.Tx, user uuid.UUID, hash string) error {
	_, err := tx.Exec(ctx, `insert into user_credentials (tenant_id, user_id, password_hash, changed_at) values (app_tenant(), $1, $2, $3)
	  on conflict on constraint user_credentials_pkey do update set password_hash = excluded.password_hash, changed_at = excluded.changed_at, failures = 0, locked_until = null`,
		user, hash, s.now().UTC())
	return err
}

// SetPassword gives a user a new password and ends their sessions.
func (s *Service) SetPassword(ctx context.Context, user uuid.UUID, password string) error {
	if err := s.mayManage(ctx, user); err != nil {
		return err
	}
	u, err := s.Users.Get(ctx, user)
	if err != nil {
		return err
	}
	if err := checkPassword(password, u.Email, u.Name); err != nil {
		return err
	}
	hash := s.hasher.hash(password)
	return s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return s.replacePassword(ctx, tx, u, hash, "password_reset")
	})
}

// replacePassword puts a new hash in place, forgets the failed tries and ends every
// session: one of them may be why the password is new.
func (s *Service) replacePassword(ctx context.Context, tx pgx.Tx, u *User, hash, action string) error {
	if err := s.storePassword(ctx, tx, u.ID, hash); err != nil {
		return err
	}
	if err := forgive(ctx, tx, addressKey(u.Email)); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `delete from sessions where tenant_id = app_tenant() and user_id = $1`, u.ID); err != nil {
		return err
	}
	s.forgetActors(ctx)
	_, err := s.k.Emit(ctx, tx, "user", u.ID, action, nil)
	return err
}

// errWrongNow is the answer to a wrong password of somebody who is signed in.
var errWrongNow = errs.Field("current", "wrong", "This is not your password now.")

// ChangePassword lets the actor choose a new password. The old one is asked for, so
// that an open screen is not enough to take an account over; wrong ones are counted
// like failed sign-ins. All sessions end, and one with a new token is opened here.
func (s *Service) ChangePassword(ctx context.Context, current, password string, v Visit) (*Session, error) {
	e, u, err := s.proveAgain(ctx, current)
	if err != nil {
		return nil, err
	}
	if err := checkPassword(password, u.Email, u.Name); err != nil {
		return nil, err
	}
	hash := s.hasher.hash(password)
	var out *Session
	err = s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := s.replacePassword(ctx, tx, u, hash, "password_changed"); err != nil {
			return err
		}
		out, err = s.openSession(ctx, tx, *e, v)
		return err
	})
	return out, err
}

// proveAgain checks the password of a person who is signed in.
func (s *Service) proveAgain(ctx context.Context, password string) (*entry, *User, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, nil, err
	}
	if a.Kind != auth.User {
		return nil, nil, errs.New(errs.Forbidden, "no_account", "Only people have a password.")
	}
	u, err := s.Users.Get(auth.With(ctx, auth.SystemActor(a.TenantID)), a.ID)
	if err != nil {
		return nil, nil, err
	}
	e := &entry{candidate: candidate{tenant: a.TenantID, user: a.ID}, method: ByPassword, forgive: againKey(a.ID)}
	if _, err := s.try(ctx, e.forgive); err != nil {
		return nil, nil, err
	}
	err = s.db.ReadMany(ctx, []db.Query{
		{SQL: `select slug from tenants where id = app_tenant()`},
		{SQL: `select password_hash from user_credentials where tenant_id = app_tenant() and user_id = $1`, Args: []any{a.ID}},
	}, func(i int, rows pgx.Rows) error {
		for rows.Next() {
			if err := rows.Scan([]any{&e.slug, &e.hash}[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if !s.hasher.verify(e.hash, password) {
		return nil, nil, errWrongNow
	}
	return e, u, nil
}

// RoleByKey finds a role such as sales_rep.
func (s *Service) RoleByKey(ctx context.Context, key string) (*Role, error) {
	r, err := s.Roles.FindBy(ctx, "key", key)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, errs.Field("role", "unknown_role", "There is no role %q. The built-in ones are tenant_admin, sales_manager, sales_rep and system_admin.", key)
	}
	return record.To[Role](r), nil
}

// APIKey is a key for programs; Token is set once, when it is made.
type APIKey struct {
	ID         uuid.UUID  `json:"id"`
	Name       string     `json:"name"`
	Role       string     `json:"role"`
	Prefix     string     `json:"prefix"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	RevokedAt  *time.Time `json:"revoked_at"`
	Token      string     `json:"token,omitempty"`
}

// KeyPrefix begins every API key, so that scanners can recognise a leaked one.
const KeyPrefix = "crm_"

// CreateAPIKey makes a key with a role's rights.
func (s *Service) CreateAPIKey(ctx context.Context, name, role string) (*APIKey, error) {
	a, _, err := auth.Require(ctx, "api_key", auth.Create)
	if err != nil {
		return nil, err
	}
	if role == "" {
		role = TenantAdmin
	}
	r, err := s.RoleByKey(ctx, role)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, errs.Field("name", "required", "A key needs a name that tells what uses it.")
	}
	token, hash := secret.Token(KeyPrefix)
	k := &APIKey{ID: id.New(), Name: name, Role: role, Prefix: token[:12], CreatedAt: s.now().UTC(), Token: token}
	var by *uuid.UUID
	if a.Kind == auth.User {
		by = &a.ID
	}
	return k, s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := within(ctx, tx, r.ID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `insert into api_keys (tenant_id, id, name, role_id, token_hash, prefix, created_at, created_by) values (app_tenant(), $1, $2, $3, $4, $5, $6, $7)`,
			k.ID, k.Name, r.ID, hash, k.Prefix, k.CreatedAt, by)
		if err != nil {
			return err
		}
		_, err = s.k.Emit(ctx, tx, "api_key", k.ID, "created", map[string]any{"name": name, "role": role})
		return err
	})
}

// APIKeys lists the tenant's keys, newest first.
func (s *Service) APIKeys(ctx context.Context) ([]APIKey, error) {
	if _, _, err := auth.Require(ctx, "api_key", auth.Read); err != nil {
		return nil, err
	}
	out := []APIKey{}
	err := s.db.Read(ctx, db.Query{SQL: `select k.id, k.name, r.key, k.prefix, k.created_at, k.last_used_at, k.expires_at, k.revoked_at from api_keys k
	  join roles r on r.tenant_id = k.tenant_id and r.id = k.role_id where k.tenant_id = app_tenant() order by k.created_at desc`}, func(rows pgx.Rows) error {
		for rows.Next() {
			var k APIKey
			if err := rows.Scan(&k.ID, &k.Name, &k.Role, &k.Prefix, &k.CreatedAt, &k.LastUsedAt, &k.ExpiresAt, &k.RevokedAt); err != nil {
				return err
			}
			out = append(out, k)
		}
		return nil
	})
	return out, err
}

// RevokeAPIKey ends a key for good.
func (s *Service) RevokeAPIKey(ctx context.Context, key uuid.UUID) error {
	if _, _, err := auth.Require(ctx, "api_key", auth.Delete); err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `update api_keys set revoked_at = coalesce(revoked_at, $2) where tenant_id = app_tenant() and id = $1`, key, s.now().UTC())
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return errs.Missing("API key")
		}
		s.forgetActors(ctx)
		_, err = s.k.Emit(ctx, tx, "api_key", key, "revoked", nil)
		return err
	})
}

// ByAPIKey finds the actor of a key, or nil.
func (s *Service) ByAPIKey(ctx context.Context, token string) (*auth.Actor, error) {
	hash := secret.Hash(token)
	return s.actors.Get(ctx, actorKey('k', hash), func(ctx context.Context) (*auth.Actor, error) {
		var tenant, key, role uuid.UUID
		var name string
		var expires *time.Time
		err := s.db.System(ctx, func(ctx context.Context, tx pgx.Tx) error {
			return tx.QueryRow(ctx, `select tenant_id, key_id, name, role_id, expires_at from auth_api_key($1)`, hash).Scan(&tenant, &key, &name, &role, &expires)
		})
		if errs.KindOf(err) == errs.NotFound {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if expires != nil && s.now().After(*expires) {
			return nil, nil
		}
		return s.keyActor(ctx, tenant, key, role, name)
	})
}

func (s *Service) keyActor(ctx context.Context, tenant, key, role uuid.UUID, name string) (*auth.Actor, error) {
	ctx = auth.With(ctx, auth.SystemActor(tenant))
	r, err := s.Roles.Get(ctx, role)
	if err != nil {
		return nil, err
	}
	t, err := s.Tenant(ctx)
	if err != nil {
		return nil, err
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `update api_keys set last_used_at = $2 where tenant_id = app_tenant() and id = $1 and (last_used_at is null or last_used_at < $2::timestamptz - interval '1 minute')`, key, s.now().UTC())
		return err
	})
	return &auth.Actor{Kind: auth.APIKey, TenantID: tenant, ID: key, Name: name, Role: r.Key, Grants: r.grants(), Via: auth.ViaAPI, TimeZone: t.TimeZone, Currency: t.Currency}, err
}

// Refresh brings an actor that was written down earlier (with an import, say) up
// to date: people who left and keys that were revoked or have expired are refused,
// and the rights are those of now.
func (s *Service) Refresh(ctx context.Context, asked auth.Actor) (*auth.Actor, error) {
	switch asked.Kind {
	case auth.User:
		now, err := s.userActor(ctx, asked.TenantID, asked.ID)
		if err == nil && now == nil {
			err = errs.New(errs.Forbidden, "left", "Whoever asked for this may no longer sign in.")
		}
		return now, err
	case auth.APIKey:
		return s.refreshKey(ctx, asked)
	}
	return &asked, nil
}

func (s *Service) refreshKey(ctx context.Context, asked auth.Actor) (*auth.Actor, error) {
	ctx = auth.With(ctx, auth.SystemActor(asked.TenantID))
	var role uuid.UUID
	found := false
	err := s.db.Read(ctx, db.Query{SQL: `select k.role_id from api_keys k join tenants t on t.id = k.tenant_id and t.state = 'active' where k.tenant_id = app_tenant() and k.id = $1 and k.revoked_at is null and (k.expires_at is null or k.expires_at > $2)`, Args: []any{asked.ID, s.now().UTC()}}, func(rows pgx.Rows) error {
		for rows.Next() {
			found = true
			if err := rows.Scan(&role); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errs.New(errs.Forbidden, "revoked", "The API key that asked for this was revoked or has expired.")
	}
	return s.keyActor(ctx, asked.TenantID, asked.ID, role, asked.Name)
}
