package identity_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/cache"
	"crm/internal/platform/cache/redistest"
	"crm/internal/record"
)

func soon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// process is a replica that shares a Redis and hears the others.
func (w *world) process(t *testing.T, socket string) *identity.Service {
	t.Helper()
	space, err := cache.Open(cache.Deps{DB: w.db, RedisURL: "unix://" + socket})
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- space.Listen(ctx) }()
	t.Cleanup(func() { stop(); <-done; space.Close(context.WithoutCancel(t.Context())) })
	soon(t, "the process hears the others", space.Hears)
	k, err := record.NewKernel(record.Deps{DB: w.db, Cache: space, Now: w.now})
	must(t, err)
	s, err := identity.New(identity.Deps{Kernel: k, Now: w.now})
	must(t, err)
	return s
}

// TestAWithdrawnRightIsHonouredNoLonger, whatever was withdrawn: at once where it was,
// and soon in the other process.
func TestAWithdrawnRightIsHonouredNoLonger(t *testing.T) {
	t.Parallel()
	w := setup(t)
	redis := redistest.Start(t)
	a, b := w.process(t, redis.Socket), w.process(t, redis.Socket)
	role, err := a.Roles.Create(w.admin, &identity.Role{Key: "helper", Name: "Helper", Grants: map[string]any{"contact:read": "all"}})
	must(t, err)
	user := w.user(t, w.admin, "uma@gamma.test", "helper")
	session := w.signIn(t, "uma@gamma.test", "gamma")
	key, err := a.CreateAPIKey(w.admin, "import", "helper")
	must(t, err)
	byKey := func(s *identity.Service) (*auth.Actor, error) { return s.ByAPIKey(t.Context(), key.Token) }
	bySession := func(s *identity.Service) (*auth.Actor, error) { return s.BySession(t.Context(), session.Token) }
	for _, tt := range []struct {
		what string
		ask  func(*identity.Service) (*auth.Actor, error)
		do   func() error
		gone func(*auth.Actor) bool
	}{
		{"a grant of the role", bySession, func() error {
			return patch(t, w.admin, a.Roles, role.ID, record.Patch{"grants": map[string]any{}})
		}, func(x *auth.Actor) bool { return x != nil && x.Grants.Scope("contact", auth.Read) == auth.None }},
		{"the key", byKey, func() error { return a.RevokeAPIKey(w.admin, key.ID) }, isNobody},
		{"the user", bySession, func() error { return patch(t, w.admin, a.Users, user.ID, record.Patch{"state": "disabled"}) }, isNobody},
	} {
		for _, s := range []*identity.Service{a, b} {
			if x, err := tt.ask(s); err != nil || tt.gone(x) {
				t.Fatalf("%s is gone before: %v, %v", tt.what, x, err)
			}
		}
		must(t, tt.do())
		if x, err := tt.ask(a); err != nil || !tt.gone(x) {
			t.Errorf("%s: honoured where it was withdrawn: %+v, %v", tt.what, x, err)
		}
		soon(t, tt.what+" is withdrawn elsewhere", func() bool { x, err := tt.ask(b); return err == nil && tt.gone(x) })
	}
	for _, name := range redis.Raw.Keys(t.Context(), "*").Val() {
		for _, token := range []string{key.Token, session.Token} {
			if strings.Contains(name+redis.Raw.Get(t.Context(), name).Val(), token) {
				t.Errorf("Redis holds a token, under %s", name)
			}
		}
	}
}

func isNobody(a *auth.Actor) bool { return a == nil }
