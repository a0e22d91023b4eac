package cache_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"crm/internal/platform/cache"
	"crm/internal/platform/cache/redistest"
	"crm/internal/platform/id"
)

var errAbsent = errors.New("not cached")

func absent(context.Context) (thing, error) { return thing{}, errAbsent }

func newKey() cache.Key { return cache.Key{Tenant: id.New(), Group: "thing", ID: id.New()} }

// want gets a value and checks its version.
func want(t *testing.T, c *cache.Aside[thing], k cache.Key, load func(context.Context) (thing, error), version int64) {
	t.Helper()
	if v, err := c.Get(t.Context(), k, load); err != nil || v.Version != version {
		t.Fatalf("version %d, %v; want %d", v.Version, err, version)
	}
}

// remember stores a version through one process until another finds it in Redis.
func remember(t *testing.T, s *redistest.Server, k cache.Key, version int64) {
	t.Helper()
	eventually(t, "redis has the value", func() bool {
		if _, err := replica(t, s).Get(t.Context(), k, gives(version)); err != nil {
			t.Fatal(err)
		}
		v, err := replica(t, s).Get(t.Context(), k, absent)
		return err == nil && v.Version == version
	})
}

func TestAValueIsLoadedOnce(t *testing.T) {
	t.Parallel()
	c, k := things(t, process(t, cache.Deps{}), true), newKey()
	want(t, c, k, gives(1), 1)
	want(t, c, k, absent, 1)
	for _, other := range []cache.Key{{Tenant: id.New(), Group: k.Group, ID: k.ID}, {Tenant: k.Tenant, Group: "x", ID: k.ID}, {Tenant: k.Tenant, Group: k.Group, Name: k.ID.String()}} {
		if _, err := c.Get(t.Context(), other, absent); !errors.Is(err, errAbsent) {
			t.Errorf("another key has it: %v", err)
		}
	}
}

func TestAFailedLoadIsNotRemembered(t *testing.T) {
	t.Parallel()
	c, k := things(t, process(t, cache.Deps{}), true), newKey()
	if _, err := c.Get(t.Context(), k, absent); !errors.Is(err, errAbsent) {
		t.Fatal(err)
	}
	want(t, c, k, gives(1), 1)
}

func TestForgettingTakesOneOrTheGroup(t *testing.T) {
	t.Parallel()
	c, k := things(t, process(t, cache.Deps{}), true), newKey()
	other := newKey()
	want(t, c, k, gives(1), 1)
	want(t, c, other, gives(1), 1)
	c.Forget(t.Context(), k.Tenant, k.Group, cache.Floor{ID: k.ID, Version: 2})
	want(t, c, k, gives(2), 2)
	c.Forget(t.Context(), k.Tenant, k.Group)
	want(t, c, k, gives(3), 3)
	many := make([]cache.Floor, 1000)
	c.Forget(t.Context(), k.Tenant, k.Group, many...)
	want(t, c, k, gives(4), 4)
}

// The reader loads version 1, then the writer commits version 2 and says so, then the
// reader stores what it has.
func TestWhatChangedWhileItWasLoadedIsNotKept(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	ways := map[string]func(k cache.Key) []cache.Floor{
		"one":   func(k cache.Key) []cache.Floor { return []cache.Floor{{ID: k.ID, Version: 2}} },
		"past":  func(k cache.Key) []cache.Floor { return []cache.Floor{{ID: k.ID}} },
		"group": func(cache.Key) []cache.Floor { return nil },
	}
	for name, floors := range ways {
		space := process(t, cache.Deps{RedisURL: s.URL})
		for tier, c := range map[string]*cache.Aside[thing]{"local": things(t, process(t, cache.Deps{}), true), "redis": things(t, space, false)} {
			writer := c
			if tier == "redis" {
				writer = replica(t, s)
			}
			k := newKey()
			old, err := c.Get(t.Context(), k, func(ctx context.Context) (thing, error) {
				writer.Forget(ctx, k.Tenant, k.Group, floors(k)...)
				return thing{Version: 1}, nil
			})
			if err != nil || old.Version != 1 {
				t.Fatal(old, err)
			}
			if v, _ := c.Get(t.Context(), k, gives(2)); v.Version != 2 {
				t.Errorf("%s, %s: version %d is served after version 2 was committed", name, tier, v.Version)
			}
		}
	}
}

func TestAnOlderVersionNeverTakesThePlaceOfANewer(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	for tier, c := range map[string]*cache.Aside[thing]{"local": things(t, process(t, cache.Deps{}), true), "redis": replica(t, s)} {
		other := c
		if tier == "redis" {
			other = replica(t, s)
		}
		k := newKey()
		if _, err := c.Get(t.Context(), k, func(ctx context.Context) (thing, error) {
			want(t, other, k, gives(2), 2) // somebody quicker, and later
			return thing{Version: 1}, nil
		}); err != nil {
			t.Fatal(err)
		}
		if v, _ := c.Get(t.Context(), k, gives(2)); v.Version != 2 {
			t.Errorf("%s: version %d", tier, v.Version)
		}
	}
}

// A lagging source gives what is older than the mark says.
func TestAVersionBelowTheMarkIsNotKept(t *testing.T) {
	t.Parallel()
	s, k := redistest.Start(t), newKey()
	c := replica(t, s)
	c.Forget(t.Context(), k.Tenant, k.Group, cache.Floor{ID: k.ID, Version: 5})
	want(t, c, k, gives(4), 4)
	want(t, c, k, gives(5), 5)
}

func TestAnotherProcessFindsTheValueInRedis(t *testing.T) {
	t.Parallel()
	s, k := redistest.Start(t), newKey()
	remember(t, s, k, 1)
	replica(t, s).Forget(t.Context(), k.Tenant, k.Group, cache.Floor{ID: k.ID, Version: 2})
	want(t, replica(t, s), k, gives(2), 2)
	remember(t, s, k, 2)
}

func TestSeveralAtOnce(t *testing.T) {
	t.Parallel()
	s, a := redistest.Start(t), newKey()
	b, gone := cache.Key{Tenant: a.Tenant, Group: a.Group, ID: id.New()}, cache.Key{Tenant: a.Tenant, Group: a.Group, ID: id.New()}
	remember(t, s, a, 1)
	eventually(t, "one of three is loaded", func() bool {
		c := things(t, process(t, cache.Deps{RedisURL: s.URL}), true)
		var asked int
		load := func(_ context.Context, missing []cache.Key) (map[cache.Key]thing, error) {
			asked = len(missing)
			return map[cache.Key]thing{b: {Version: 7}}, nil
		}
		got, err := c.GetMany(t.Context(), []cache.Key{a, b, gone}, load)
		if err != nil || got[b].Version != 7 || len(got) != 2 && asked < 3 {
			t.Fatal(got, err)
		}
		_, err = c.GetMany(t.Context(), []cache.Key{a, b}, func(context.Context, []cache.Key) (map[cache.Key]thing, error) { return nil, errAbsent })
		return asked == 2 && err == nil
	})
}

// planted moves a value that Redis has to the place of another key.
func planted(t *testing.T, s *redistest.Server, from, to cache.Key, change func(string) string) {
	t.Helper()
	names, err := s.Raw.Keys(t.Context(), "*"+from.ID.String()).Result()
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	move := func(name string) string {
		return strings.ReplaceAll(strings.ReplaceAll(name, from.Tenant.String(), to.Tenant.String()), from.ID.String(), to.ID.String())
	}
	value := s.Raw.Get(t.Context(), names[0]).Val()
	group := strings.TrimSuffix(names[0], ":"+from.ID.String()) + "#"
	if err := s.Raw.MSet(t.Context(), move(group), s.Raw.Get(t.Context(), group).Val(), move(names[0]), change(value)).Err(); err != nil {
		t.Fatal(err)
	}
}

func same(s string) string { return s }

func TestWhatIsNotTheReadersOwnIsAbsentAndCounted(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		result string
		to     func(k cache.Key) cache.Key
		change func(string) string
	}{
		"another tenant's": {"foreign", func(k cache.Key) cache.Key { return cache.Key{Tenant: id.New(), Group: k.Group, ID: k.ID} }, same},
		"another record's": {"broken", func(k cache.Key) cache.Key { return cache.Key{Tenant: k.Tenant, Group: k.Group, ID: id.New()} }, same},
		"forged":           {"broken", func(k cache.Key) cache.Key { return k }, func(s string) string { return strings.Replace(s, "loaded", "forged", 1) }},
		"garbage":          {"miss", func(k cache.Key) cache.Key { return k }, func(string) string { return "\x00\xffgarbage" }},
		"cut off":          {"miss", func(k cache.Key) cache.Key { return k }, func(s string) string { return s[:40] }},
	}
	for name, tt := range tests {
		s, k := redistest.Start(t), newKey()
		remember(t, s, k, 1)
		to := tt.to(k)
		eventually(t, name+" is counted", func() bool {
			remember(t, s, k, 1)
			planted(t, s, k, to, tt.change)
			space := process(t, cache.Deps{RedisURL: s.URL})
			want(t, things(t, space, false), to, gives(9), 9)
			replica(t, s).Forget(t.Context(), k.Tenant, k.Group)
			return count(space, "redis", tt.result) == 1
		})
	}
}

// count reads a counter of the cache things.
func count(s *cache.Space, tier, result string) float64 {
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(s)
	families, err := reg.Gather()
	if err != nil {
		return -1
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := ""
			for _, l := range m.GetLabel() {
				labels += l.GetValue() + " "
			}
			if labels == "things "+result+" "+tier+" " {
				return m.GetCounter().GetValue()
			}
		}
	}
	return -1
}

func TestHitsAndMissesAreCounted(t *testing.T) {
	t.Parallel()
	space, k := process(t, cache.Deps{}), newKey()
	c := things(t, space, true)
	want(t, c, k, gives(1), 1)
	want(t, c, k, gives(1), 1)
	if hit, miss := count(space, "local", "hit"), count(space, "local", "miss"); hit != 1 || miss != 1 {
		t.Errorf("%v hits, %v misses", hit, miss)
	}
}

func TestAKilledRedisCostsNoAnswer(t *testing.T) {
	t.Parallel()
	s, k := redistest.Start(t), newKey()
	remember(t, s, k, 1)
	space := process(t, cache.Deps{RedisURL: s.URL})
	c := things(t, space, false)
	s.Kill()
	if space.Ping(t.Context()) == nil {
		t.Error("a dead redis answers")
	}
	want(t, c, k, gives(2), 2)
	c.Forget(t.Context(), k.Tenant, k.Group)
	want(t, c, k, gives(3), 3)
	s.Run(t)
	eventually(t, "redis is used again", func() bool {
		want(t, c, k, gives(4), 4)
		v, err := c.Get(t.Context(), k, absent)
		return err == nil && v.Version == 4
	})
}

func TestAnAbsentRedisCostsNoAnswer(t *testing.T) {
	t.Parallel()
	c := things(t, process(t, cache.Deps{RedisURL: "unix:///nowhere/redis.sock"}), false)
	want(t, c, newKey(), gives(1), 1)
}

func TestAFlushedRedisCostsNoAnswer(t *testing.T) {
	t.Parallel()
	s, k := redistest.Start(t), newKey()
	remember(t, s, k, 1)
	c := replica(t, s)
	// The flush comes between looking and storing, too.
	if _, err := c.Get(t.Context(), newKey(), func(ctx context.Context) (thing, error) { return thing{}, s.Raw.FlushAll(ctx).Err() }); err != nil {
		t.Fatal(err)
	}
	want(t, c, k, gives(2), 2)
	remember(t, s, k, 2)
}

// A server that comes back with what it had some time ago, as from a snapshot, holds
// values whose change nobody could tell it.
func TestARestoredRedisIsNotBelieved(t *testing.T) {
	t.Parallel()
	s, k := redistest.Start(t), newKey()
	remember(t, s, k, 1)
	if err := s.Raw.Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	replica(t, s).Forget(t.Context(), k.Tenant, k.Group, cache.Floor{ID: k.ID, Version: 2})
	s.Kill()
	s.Run(t)
	if names, err := s.Raw.Keys(t.Context(), "*"+k.ID.String()).Result(); err != nil || len(names) != 1 {
		t.Fatalf("the old value did not come back: %v, %v", names, err)
	}
	want(t, replica(t, s), k, gives(2), 2)
}

// What could not be told is told before Redis is asked again.
func TestAChangeThatRedisMissedIsMadeUpFor(t *testing.T) {
	t.Parallel()
	s, k := redistest.Start(t), newKey()
	remember(t, s, k, 1)
	var now atomic.Int64
	c := things(t, process(t, cache.Deps{RedisURL: startStopped(t, s), Now: func() time.Time { return time.Unix(now.Load(), 0) }}), false)
	c.Forget(t.Context(), k.Tenant, k.Group, cache.Floor{ID: k.ID, Version: 2}) // nobody answers: owed
	resume(t, s)
	eventually(t, "redis knows", func() bool {
		now.Add(10)
		want(t, c, k, gives(2), 2)
		_, err := c.Get(t.Context(), k, absent)
		return err == nil
	})
	if v, err := replica(t, s).Get(t.Context(), k, gives(2)); err != nil || v.Version != 2 {
		t.Errorf("another process reads %d, %v", v.Version, err)
	}
}

// The peer never answers, so that a Get which comes back at all was bounded by the
// cache's own deadline.
func TestASlowRedisIsGivenUpAndThenTriedByOne(t *testing.T) {
	t.Parallel()
	m := startMute(t)
	var now atomic.Int64
	now.Store(1_000_000)
	c := things(t, process(t, cache.Deps{RedisURL: m.url, Now: func() time.Time { return time.Unix(now.Load(), 0) }}), false)
	want(t, c, newKey(), gives(1), 1)
	before := m.seen.Load()
	if before == 0 {
		t.Fatal("redis was not asked at all")
	}
	ask := func() {
		for range 8 {
			k := newKey()
			want(t, c, k, gives(1), 1)
			c.Forget(t.Context(), k.Tenant, k.Group)
		}
	}
	ask()
	if after := m.seen.Load(); after != before {
		t.Errorf("%d more connections during the pause", after-before)
	}
	now.Add(6) // one tries, and the rest of this second nobody else
	ask()
	if after := m.seen.Load(); after != before+1 {
		t.Errorf("%d connections after the pause, want 1", after-before)
	}
}

func TestADelayedRedisCostsNoAnswer(t *testing.T) {
	t.Parallel()
	s, k := redistest.Start(t), newKey()
	remember(t, s, k, 1)
	space := process(t, cache.Deps{RedisURL: startSlow(t, s, 200*time.Millisecond), Now: still})
	c := things(t, space, false)
	for range 5 {
		want(t, c, k, gives(2), 2)
	}
	if away := count(space, "redis", "away"); away != 5 {
		t.Errorf("%v look-ups without an answer, want 5", away)
	}
}

func TestACallerWhoLeavesDoesNotPauseRedisForTheOthers(t *testing.T) {
	t.Parallel()
	s, k := redistest.Start(t), newKey()
	remember(t, s, k, 1)
	gone, leave := context.WithCancel(t.Context())
	leave()
	eventually(t, "redis is asked although a caller left", func() bool {
		c := things(t, process(t, cache.Deps{RedisURL: s.URL, Now: still}), false)
		_, _ = c.Get(gone, k, absent)
		v, _ := c.Get(t.Context(), k, absent)
		return v.Version == 1
	})
}

func TestWithoutRedisNothingIsNeeded(t *testing.T) {
	t.Parallel()
	if err := process(t, cache.Deps{}).Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := cache.Open(cache.Deps{RedisURL: "http://example.test"}); err == nil {
		t.Error("an address that is no redis was accepted")
	}
}
