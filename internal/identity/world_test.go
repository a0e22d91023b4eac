package identity_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/db/dbtest"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

const (
	password = "four quiet words here"
	wrong    = "four other words here"
)

// visit is a browser nobody has signed in with.
var visit = identity.Visit{Address: "192.0.2.1", Agent: "test"}

// world is one tenant, gamma, made the way the program makes it.
type world struct {
	*identity.Service
	sql     *dbtest.DB
	db      *db.DB
	ahead   atomic.Int64 // what the clock is ahead, in nanoseconds
	stopped atomic.Pointer[time.Time]
	tenant  *identity.Tenant
	admin   context.Context // the system inside gamma
}

func setup(t *testing.T) *world {
	t.Helper()
	w := &world{sql: dbtest.New(t)}
	var err error
	if w.db, err = db.Open(t.Context(), w.sql.AppURL, 6); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.db.Close)
	w.Service = w.replica(t)
	w.tenant, w.admin = w.addTenant(t, "gamma")
	return w
}

func (w *world) now() time.Time {
	at := time.Now()
	if stopped := w.stopped.Load(); stopped != nil {
		at = *stopped
	}
	return at.Add(time.Duration(w.ahead.Load()))
}

// stop holds the clock but for pass, for limits that fill up again with time.
func (w *world) stop() {
	at := time.Now()
	w.stopped.Store(&at)
}

// pass moves the clock.
func (w *world) pass(d time.Duration) { w.ahead.Add(int64(d)) }

// replica is the service as another process has it: it remembers nobody.
func (w *world) replica(t *testing.T) *identity.Service {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	k, err := record.NewKernel(record.Deps{DB: w.db, Now: w.now, Log: log})
	must(t, err)
	s, err := identity.New(identity.Deps{Kernel: k, Now: w.now, Log: log})
	must(t, err)
	return s
}

func (w *world) addTenant(t *testing.T, slug string) (*identity.Tenant, context.Context) {
	t.Helper()
	tenant, err := w.CreateTenant(t.Context(), identity.Tenant{Name: slug, Currency: "EUR", TimeZone: "Europe/Berlin"})
	if err != nil {
		t.Fatal(err)
	}
	return tenant, auth.With(t.Context(), auth.SystemActor(tenant.ID))
}

// user makes somebody in the tenant of ctx who signs in with password.
func (w *world) user(t *testing.T, ctx context.Context, email, role string) *identity.User {
	t.Helper()
	u, err := w.CreateUser(ctx, identity.NewUser{Email: email, Password: password, Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (w *world) signIn(t *testing.T, email, slug string) *identity.Session {
	t.Helper()
	s, err := w.SignIn(t.Context(), email, password, slug, visit)
	if err != nil {
		t.Fatalf("sign in %s: %v", email, err)
	}
	return s
}

// refuse signs in, which must not succeed, and returns why.
func (w *world) refuse(t *testing.T, email, password string) *errs.Error {
	t.Helper()
	s, err := w.SignIn(t.Context(), email, password, "", visit)
	if s != nil || errs.As(err) == nil {
		t.Fatalf("%s signed in: %v, %v", email, s, err)
	}
	return errs.As(err)
}

// patch changes a record of one of the three objects.
func patch[T any](t *testing.T, ctx context.Context, s *record.Store[T], id uuid.UUID, p record.Patch) error {
	t.Helper()
	_, err := s.Apply(ctx, []record.Operation{{Kind: record.OpUpdate, ID: id, Patch: p}}, true)
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// code asserts the code of a refusal.
func code(t *testing.T, what string, err error, want string) {
	t.Helper()
	if e := errs.As(err); e == nil || e.Code != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

// fieldCode asserts the code of the one refused field.
func fieldCode(t *testing.T, what string, err error, want string) {
	t.Helper()
	if e := errs.As(err); e == nil || len(e.Fields) != 1 || e.Fields[0].Code != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

// who resolves a session on a replica that remembers nobody.
func (w *world) who(t *testing.T, token string) *auth.Actor {
	t.Helper()
	a, err := w.replica(t).BySession(t.Context(), token)
	must(t, err)
	return a
}

func (w *world) count(t *testing.T, sql string, args ...any) int {
	t.Helper()
	var n int
	must(t, w.sql.Owner.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}
