// Package recordtest gives tests a kernel over a fresh real database with two
// tenants and the people in them. Contexts register their objects on Env.K.
package recordtest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/db/dbtest"
	"crm/internal/platform/id"
	"crm/internal/record"
)

// Env is one test's world.
type Env struct {
	K      *record.Kernel
	DB     *db.DB
	SQL    *dbtest.DB // owner and application pools for set-up and assertions
	Tenant uuid.UUID

	Admin   context.Context // a user with every right in Tenant
	Manager context.Context // sees the team of Rep
	Rep     context.Context // sees own records only
	Other   context.Context // an admin of another tenant

	AdminID, ManagerID, RepID, TeamID uuid.UUID
}

// New makes the world. The database is dropped after the test.
func New(t testing.TB) *Env {
	t.Helper()
	e := &Env{SQL: dbtest.New(t)}
	var err error
	if e.DB, err = db.Open(t.Context(), e.SQL.AppURL, 6); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.DB.Close)
	if e.K, err = record.NewKernel(record.Deps{DB: e.DB, Now: time.Now, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	e.Tenant = e.tenant(t, "alpha")
	e.TeamID = id.New()
	e.exec(t, `insert into teams (tenant_id, id, name, created_at, updated_at) values ($1, $2, 'North', now(), now())`, e.Tenant, e.TeamID)
	e.AdminID, e.ManagerID, e.RepID = e.user(t, "Ada Admin"), e.user(t, "Max Manager"), e.user(t, "Rita Rep")
	e.Admin = e.actor(t, e.AdminID, "tenant_admin", auth.AllGrants())
	e.Manager = e.actor(t, e.ManagerID, "sales_manager", grants(auth.Team))
	e.Rep = e.actor(t, e.RepID, "sales_rep", grants(auth.Own))
	other := e.tenant(t, "beta")
	e.Other = auth.With(t.Context(), &auth.Actor{Kind: auth.APIKey, TenantID: other, ID: id.New(), Name: "other", Role: "tenant_admin", Grants: auth.AllGrants(), Via: auth.ViaAPI})
	return e
}

// grants are all sales objects with one scope; settings are readable.
func grants(s auth.Scope) auth.Grants {
	g := auth.Grants{"*:read": auth.All}
	for _, o := range []string{"contact", "account", "lead", "deal", "activity", "message"} {
		for _, a := range []auth.Action{auth.Create, auth.Read, auth.Update, auth.Delete} {
			g[o+":"+string(a)] = s
		}
	}
	return g
}

func (e *Env) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := e.SQL.Owner.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func (e *Env) tenant(t testing.TB, slug string) uuid.UUID {
	t.Helper()
	tenant := id.New()
	e.exec(t, `insert into tenants (id, slug, name, currency, created_at) values ($1, $2, $2, 'EUR', now())`, tenant, slug)
	e.exec(t, `insert into roles (tenant_id, id, key, name, created_at, updated_at) values ($1, $1, 'tenant_admin', 'Tenant Admin', now(), now())`, tenant)
	return tenant
}

// user makes a member of team North; the role row is only there for the key.
func (e *Env) user(t testing.TB, name string) uuid.UUID {
	t.Helper()
	u := id.New()
	e.exec(t, `insert into users (tenant_id, id, name, email, role_id, team_id, created_at, updated_at) values ($1, $2::uuid, $3, $2::uuid::text || '@alpha.test', $1, $4, now(), now())`, e.Tenant, u, name, e.TeamID)
	return u
}

func (e *Env) actor(t testing.TB, user uuid.UUID, role string, g auth.Grants) context.Context {
	return auth.With(t.Context(), &auth.Actor{
		Kind: auth.User, TenantID: e.Tenant, ID: user, Name: role, Role: role, Grants: g, Via: auth.ViaAPI, RequestID: "test", Currency: "EUR",
		TeamIDs: []uuid.UUID{e.TeamID}, TeamUsers: []uuid.UUID{e.AdminID, e.ManagerID, e.RepID},
	})
}
