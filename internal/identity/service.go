package identity

import (
	"cmp"
	"context"
	"log/slog"
	"runtime"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/cache"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/money"
	"crm/internal/platform/ratelimit"
	"crm/internal/platform/secret"
	"crm/internal/record"
)

// actorLocal and actorShared together bound how long a withdrawn right may still be
// honoured by another process that did not hear of it; this one honours it no longer
// than the withdrawal takes.
const (
	actorLocal  = 2 * time.Second
	actorShared = 3 * time.Second
)

// Deps are what the service needs. Box seals secrets and vouches for cookies; nil = a
// random key, for a single process. Mail sends the product's own mail, nil = none.
// BaseURL begins the links that are handed out.
type Deps struct {
	Kernel  *record.Kernel
	Box     *secret.Box
	Mail    Mailer
	BaseURL string
	Now     func() time.Time
	Log     *slog.Logger
}

// Service is identity's face to the rest of the program.
type Service struct {
	Users *record.Store[User]
	Teams *record.Store[Team]
	Roles *record.Store[Role]

	k      *record.Kernel
	db     *db.DB
	now    func() time.Time
	log    *slog.Logger
	box    *secret.Box
	mail   Mailer
	jobs   Queue
	base   string
	web    *webauthn.WebAuthn // nil = no passkeys here
	actors *cache.Aside[*auth.Actor]
	limits *ratelimit.Limiter
	hasher *hasher
	made   []func(ctx context.Context) error
}

// New registers users, teams and roles and returns the service.
func New(d Deps) (*Service, error) {
	s := &Service{
		k: d.Kernel, db: d.Kernel.DB, box: d.Box, mail: d.Mail, base: cmp.Or(d.BaseURL, "http://localhost:8080"), now: d.Now, log: d.Log,
		limits: ratelimit.New(d.Kernel.Cache, d.Now), hasher: newHasher(runtime.GOMAXPROCS(0)),
	}
	s.web = relyingParty(s.base)
	var err error
	if s.box == nil {
		if s.box, err = secret.New([]string{secret.Generate()}); err != nil {
			return nil, err
		}
	}
	s.actors, err = cache.New(d.Kernel.Cache, cache.Options[*auth.Actor]{
		Name: "actors", Local: actorLocal, Shared: actorShared, Entries: 20_000, Encode: encodeActor, Decode: decodeActor,
	})
	if err != nil {
		return nil, err
	}
	return s, s.register(d.Kernel)
}

// OnTenant registers what other contexts set up in a new tenant, such as the
// default pipeline. Called at composition only.
func (s *Service) OnTenant(f func(ctx context.Context) error) { s.made = append(s.made, f) }

// forgetActors is called by whatever changes who may do what: keys, sessions, users,
// roles, teams and tenants. These are rare, so everybody is looked up again.
func (s *Service) forgetActors(ctx context.Context) {
	db.AfterCommitTried(ctx, func() { s.actors.Forget(ctx, uuid.Nil, "") })
}

// Tenant is one customer's world.
type Tenant struct {
	ID        uuid.UUID `json:"id"`
	Slug      string    `json:"slug"`
	Name      string    `json:"name"`
	State     string    `json:"state"`
	Currency  string    `json:"currency"`
	TimeZone  string    `json:"time_zone"`
	Demo      bool      `json:"demo"`
	CreatedAt time.Time `json:"created_at"`
}

// CreateTenant makes a tenant with its built-in roles and default settings.
func (s *Service) CreateTenant(ctx context.Context, t Tenant) (*Tenant, error) {
	t.ID, t.State, t.CreatedAt = id.New(), "active", s.now().UTC().Truncate(time.Microsecond)
	if t.Slug, t.Name = tenantNames(t.Slug, t.Name); t.Slug == "" {
		return nil, errs.Field("name", "bad_name", "A tenant needs a name with letters or digits, like \"acme\".")
	}
	if reserved[t.Slug] {
		return nil, errs.Field("name", "reserved", "%q is an address of the product itself; choose another name.", t.Slug)
	}
	if err := t.settle(); err != nil {
		return nil, err
	}
	ctx = auth.With(ctx, auth.SystemActor(t.ID))
	err := s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `insert into tenants (id, slug, name, state, currency, time_zone, demo, created_at) values ($1, $2, $3, 'active', $4, $5, $6, $7)`,
			t.ID, t.Slug, t.Name, t.Currency, t.TimeZone, t.Demo, t.CreatedAt)
		if err != nil {
			return err
		}
		if _, err := s.Roles.CreateMany(ctx, builtInRoles()); err != nil {
			return err
		}
		if _, err := s.k.Emit(ctx, tx, "tenant", t.ID, "created", map[string]any{"name": t.Name}); err != nil {
			return err
		}
		for _, f := range s.made {
			if err := f(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &t, nil
}

// settle fills in currency and time zone and refuses what could not be used later:
// every amount and every day of the tenant hangs on them.
func (t *Tenant) settle() error {
	t.Currency, t.TimeZone = cmp.Or(t.Currency, "USD"), cmp.Or(t.TimeZone, "UTC")
	var refused errs.Fields
	if !money.ValidCurrency(t.Currency) {
		refused.Add("currency", "bad_currency", "A currency is three capital letters like EUR.")
	}
	if !knownZone(t.TimeZone) {
		refused.Add("time_zone", "bad_time_zone", "%q is no time zone. Use a name like Europe/Berlin.", t.TimeZone)
	}
	return refused.Err()
}

// TenantBySlug finds an active tenant; NotFound otherwise.
func (s *Service) TenantBySlug(ctx context.Context, slug string) (*Tenant, error) {
	t := &Tenant{Slug: slug, State: "active"}
	err := s.db.System(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select id, name, currency, time_zone from tenant_by_slug($1)`, slug).Scan(&t.ID, &t.Name, &t.Currency, &t.TimeZone)
	})
	if errs.KindOf(err) == errs.NotFound {
		return nil, errs.New(errs.NotFound, "no_such_tenant", "There is no tenant called %q. List them with: crm tenant list", slug)
	}
	return t, err
}

// Tenants lists the active tenants.
func (s *Service) Tenants(ctx context.Context) ([]Tenant, error) {
	var out []Tenant
	ids, err := s.TenantIDs(ctx)
	for _, tid := range ids {
		t, err := s.Tenant(auth.With(ctx, auth.SystemActor(tid)))
		if err != nil {
			return nil, err
		}
		out = append(out, *t)
	}
	return out, err
}

// TenantIDs lists the active tenants' ids, oldest first.
func (s *Service) TenantIDs(ctx context.Context) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	err := s.db.System(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `select id from tenant_ids()`)
		if err != nil {
			return err
		}
		ids, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	return ids, err
}

// Tenant returns the actor's own tenant.
func (s *Service) Tenant(ctx context.Context) (*Tenant, error) {
	var t Tenant
	err := s.db.Read(ctx, db.Query{SQL: `select id, slug, name, state, currency, time_zone, demo, created_at from tenants where id = app_tenant()`}, func(rows pgx.Rows) error {
		var err error
		t, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Tenant])
		return err
	})
	return &t, err
}

// SetTenantState suspends, activates or marks a tenant deleted.
func (s *Service) SetTenantState(ctx context.Context, state string) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		a, err := auth.Must(ctx)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update tenants set state = $1 where id = app_tenant()`, state); err != nil {
			return err
		}
		s.forgetActors(ctx)
		_, err = s.k.Emit(ctx, tx, "tenant", a.TenantID, state, nil)
		return err
	})
}

// Retire closes the actor's tenant for good and frees its address.
func (s *Service) Retire(ctx context.Context) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		a, err := auth.Must(ctx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `update tenants set state = 'deleted', slug = left(slug, 20) || '-gone-' || $1 where id = app_tenant()`, a.TenantID.String()[24:])
		if err != nil {
			return err
		}
		s.forgetActors(ctx)
		_, err = s.k.Emit(ctx, tx, "tenant", a.TenantID, "retired", nil)
		return err
	})
}
