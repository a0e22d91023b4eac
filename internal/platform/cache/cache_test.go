package cache_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/cache"
	"crm/internal/platform/id"
)

var errAbsent = errors.New("not cached")

func absent(context.Context) (string, error) { return "", errAbsent }

func key(tenant uuid.UUID, name string) string { return "crm:test:" + tenant.String() + ":" + name }

// remember stores a value through one replica until Redis has it.
func remember(t *testing.T, s *server, shared *cache.Shared, tenant uuid.UUID, name, v string) {
	t.Helper()
	eventually(t, "redis keeps the value", func() bool {
		if _, err := replica(t, shared, time.Hour).Get(t.Context(), tenant, name, gives(v)); err != nil {
			t.Fatal(err)
		}
		n, err := s.raw.Exists(t.Context(), key(tenant, name)).Result()
		return err == nil && n == 1
	})
}

func TestAValueIsLoadedOnceAndThenLocal(t *testing.T) {
	t.Parallel()
	c, tenant := replica(t, nil, time.Hour), id.New()
	for range 3 {
		if v, err := c.Get(t.Context(), tenant, "k", gives("first")); err != nil || v != "first" {
			t.Fatalf("%q, %v", v, err)
		}
	}
	if v, err := c.Get(t.Context(), tenant, "k", absent); err != nil || v != "first" {
		t.Errorf("a second load: %q, %v", v, err)
	}
	if _, err := c.Get(t.Context(), id.New(), "k", absent); !errors.Is(err, errAbsent) {
		t.Errorf("another tenant got it: %v", err)
	}
}

func TestAFailedLoadIsNotRemembered(t *testing.T) {
	t.Parallel()
	c, tenant := replica(t, nil, time.Hour), id.New()
	if _, err := c.Get(t.Context(), tenant, "k", absent); !errors.Is(err, errAbsent) {
		t.Fatal(err)
	}
	if v, err := c.Get(t.Context(), tenant, "k", gives("now")); err != nil || v != "now" {
		t.Errorf("%q, %v", v, err)
	}
}

func TestAnotherReplicaFindsTheValueInRedis(t *testing.T) {
	t.Parallel()
	s, tenant := startRedis(t), id.New()
	shared := connect(t, s.url)
	remember(t, s, shared, tenant, "k", "kept")
	eventually(t, "the other replica has it without loading", func() bool {
		v, err := replica(t, shared, time.Hour).Get(t.Context(), tenant, "k", absent)
		return err == nil && v == "kept"
	})
	if ttl, err := s.raw.TTL(t.Context(), key(tenant, "k")).Result(); err != nil || ttl <= 0 || ttl > time.Hour {
		t.Errorf("redis keeps it for %v, %v", ttl, err)
	}
}

func TestAfterLocalExpiryRedisIsAskedAgain(t *testing.T) {
	t.Parallel()
	s, tenant := startRedis(t), id.New()
	shared := connect(t, s.url)
	c := replica(t, shared, time.Millisecond)
	remember(t, s, shared, tenant, "k", "old")
	if err := s.raw.Set(t.Context(), key(tenant, "k"), `{"Tenant":"`+tenant.String()+`","Value":"new"}`, 0).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the value of the other replica is seen", func() bool {
		v, err := c.Get(t.Context(), tenant, "k", absent)
		return err == nil && v == "new"
	})
}

func TestAnotherTenantsValueIsTreatedAsAbsent(t *testing.T) {
	t.Parallel()
	s, tenant := startRedis(t), id.New()
	shared := connect(t, s.url)
	plant := func(name string, owner uuid.UUID) {
		if err := s.raw.Set(t.Context(), key(tenant, name), `{"Tenant":"`+owner.String()+`","Value":"planted"}`, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 { // Redis may be late once, not twenty times
		plant("crossed", id.New())
		v, err := replica(t, shared, time.Hour).Get(t.Context(), tenant, "crossed", gives("own"))
		if err != nil || v != "own" {
			t.Fatalf("%q, %v", v, err)
		}
	}
	plant("straight", tenant)
	eventually(t, "the own value is found the same way", func() bool {
		v, _ := replica(t, shared, time.Hour).Get(t.Context(), tenant, "straight", absent)
		return v == "planted"
	})
}

func TestAKilledRedisCostsNoAnswer(t *testing.T) {
	t.Parallel()
	s, tenant := startRedis(t), id.New()
	shared := connect(t, s.url)
	remember(t, s, shared, tenant, "k", "kept")
	s.kill()
	if err := shared.Ping(t.Context()); err == nil {
		t.Error("a dead redis answers")
	}
	for range 3 {
		if v, err := replica(t, shared, time.Hour).Get(t.Context(), tenant, "k", gives("loaded")); err != nil || v != "loaded" {
			t.Errorf("%q, %v", v, err)
		}
	}
	replica(t, shared, time.Hour).Forget(t.Context(), tenant, "k")
	s.start(t)
	remember(t, s, shared, tenant, "k", "back")
	eventually(t, "redis is used again", func() bool {
		v, _ := replica(t, shared, time.Hour).Get(t.Context(), tenant, "k", absent)
		return v == "back"
	})
}

// The peer never answers, so that a Get which comes back at all was bounded by
// the cache's own deadline; the clock stands still, so that the pause never ends.
func TestASlowRedisIsGivenUpAndThenLeftAlone(t *testing.T) {
	t.Parallel()
	m, tenant := startMute(t), id.New()
	still := time.Unix(1_000_000, 0)
	shared := connectAt(t, m.url, func() time.Time { return still })
	c := replica(t, shared, time.Hour)
	if v, err := c.Get(t.Context(), tenant, "first", gives("loaded")); err != nil || v != "loaded" {
		t.Fatalf("%q, %v", v, err)
	}
	before := m.seen.Load()
	if before == 0 {
		t.Fatal("redis was not asked at all")
	}
	for _, k := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		if v, err := c.Get(t.Context(), tenant, k, gives(k)); err != nil || v != k {
			t.Fatalf("%q, %v", v, err)
		}
	}
	c.Forget(t.Context(), tenant, "a")
	if after := m.seen.Load(); after > before {
		t.Errorf("%d more connections during the pause", after-before)
	}
}

func TestAnAbsentRedisCostsNoAnswer(t *testing.T) {
	t.Parallel()
	shared := connect(t, "unix:///nowhere/redis.sock")
	if v, err := replica(t, shared, time.Hour).Get(t.Context(), id.New(), "k", gives("loaded")); err != nil || v != "loaded" {
		t.Errorf("%q, %v", v, err)
	}
}

func TestACallerWhoLeavesDoesNotPauseRedisForTheOthers(t *testing.T) {
	t.Parallel()
	s, tenant := startRedis(t), id.New()
	remember(t, s, connect(t, s.url), tenant, "k", "kept")
	gone, leave := context.WithCancel(t.Context())
	leave()
	still := time.Unix(1_000_000, 0)
	eventually(t, "redis is asked although a caller left", func() bool {
		shared := connectAt(t, s.url, func() time.Time { return still })
		_, _ = replica(t, shared, time.Hour).Get(gone, tenant, "k", absent)
		v, _ := replica(t, shared, time.Hour).Get(t.Context(), tenant, "k", absent)
		return v == "kept"
	})
}

func TestAValueOfAnotherReleaseIsLoadedAgainWithoutAPause(t *testing.T) {
	t.Parallel()
	s, tenant := startRedis(t), id.New()
	remember(t, s, connect(t, s.url), tenant, "k", "kept")
	if err := s.raw.Set(t.Context(), key(tenant, "old"), `{"Tenant":"`+tenant.String()+`","Value":{"was":"an object"}}`, 0).Err(); err != nil {
		t.Fatal(err)
	}
	still := time.Unix(1_000_000, 0)
	eventually(t, "redis is asked after an unreadable value", func() bool {
		shared := connectAt(t, s.url, func() time.Time { return still })
		if _, err := replica(t, shared, time.Hour).Get(t.Context(), tenant, "old", absent); !errors.Is(err, errAbsent) {
			t.Fatalf("an unreadable value was used: %v", err)
		}
		v, _ := replica(t, shared, time.Hour).Get(t.Context(), tenant, "k", absent)
		return v == "kept"
	})
}

func TestForgetDropsTheValueEverywhere(t *testing.T) {
	t.Parallel()
	s, tenant := startRedis(t), id.New()
	shared := connect(t, s.url)
	c := replica(t, shared, time.Hour)
	remember(t, s, shared, tenant, "k", "old")
	if _, err := c.Get(t.Context(), tenant, "k", gives("old")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "redis has forgotten", func() bool {
		c.Forget(t.Context(), tenant, "k")
		n, err := s.raw.Exists(t.Context(), key(tenant, "k")).Result()
		return err == nil && n == 0
	})
	if v, err := c.Get(t.Context(), tenant, "k", gives("new")); err != nil || v != "new" {
		t.Errorf("%q, %v", v, err)
	}
	c.ForgetAll()
	if err := s.raw.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), tenant, "k", absent); !errors.Is(err, errAbsent) {
		t.Errorf("forgotten by all, yet %v", err)
	}
}

func TestWithoutRedisNothingIsNeeded(t *testing.T) {
	t.Parallel()
	s, err := cache.Connect("", time.Now)
	if s != nil || err != nil || s.Ping(t.Context()) != nil {
		t.Errorf("%v, %v", s, err)
	}
	s.Close()
	if _, err := cache.Connect("http://example.test", time.Now); err == nil {
		t.Error("an address that is no redis was accepted")
	}
}
