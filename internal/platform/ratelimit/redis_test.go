package ratelimit_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"crm/internal/platform/cache"
	"crm/internal/platform/cache/redistest"
	"crm/internal/platform/ratelimit"
)

// replica is a limiter as another process has it. Its clock runs on with every
// look, so that a command that was late on a busy machine is not followed by a
// pause; it is far from the clock of Redis, which is the one that must count.
func replica(t *testing.T, url string) *ratelimit.Limiter {
	t.Helper()
	c := startClock()
	shared, err := cache.Open(cache.Deps{RedisURL: url, Now: func() time.Time { c.pass(10 * time.Second); return c.now() }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shared.Close(context.Background()) })
	return ratelimit.New(shared, c.now)
}

// day refills so slowly that what the test takes is what the bucket held.
func day(name, id string, quota int64) ratelimit.Bucket {
	b := bucket(name, id, quota)
	b.Policy.Window = 1000 * time.Hour
	return b
}

// decided takes one token by the count of Redis; a request that Redis was too late
// for on a busy machine is not part of what is compared.
func decided(t *testing.T, l *ratelimit.Limiter, buckets ...ratelimit.Bucket) (allowed, shared bool) {
	t.Helper()
	before := fallbacks(t, l)
	v := l.Take(t.Context(), buckets...)
	return v.Allowed, fallbacks(t, l) == before
}

func fallbacks(t *testing.T, l *ratelimit.Limiter) float64 {
	t.Helper()
	return counted(t, l, "crm_ratelimit_fallback_total")
}

func TestThreeReplicasShareOneExactCount(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	key, tenant := day("key", "k", 500), day("tenant", "t", 400)
	var mu sync.Mutex
	var wg sync.WaitGroup
	allowed, late := 0, 0
	for range 3 {
		l := replica(t, s.URL)
		wg.Go(func() {
			for range 300 {
				ok, shared := decided(t, l, key, tenant)
				mu.Lock()
				if ok && shared {
					allowed++
				}
				if !shared {
					late++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	// A late answer may have been counted by Redis all the same.
	if allowed > 400 || allowed < 400-late {
		t.Errorf("%d allowed by three replicas, want 400 (%d answers were late)", allowed, late)
	}
}

func TestRedisRefusesAllOrNone(t *testing.T) {
	t.Parallel()
	l := replica(t, redistest.Start(t).URL)
	a, b, tenant := day("key", "a", 50), day("key", "b", 50), day("tenant", "t", 3)
	for l.Look(t.Context(), tenant).Levels[0].Left >= 1 {
		l.Take(t.Context(), a, tenant)
	}
	for {
		before := fallbacks(t, l)
		v := l.Take(t.Context(), b, tenant)
		if fallbacks(t, l) != before {
			continue
		}
		if v.Allowed || v.Empty() != "tenant" || v.Levels[0].Left != 50 || v.RetryAfter() <= 0 {
			t.Errorf("%+v", v)
		}
		return
	}
}

func TestWithoutRedisEachProcessCountsForItself(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	l := replica(t, s.URL)
	key := day("key", "k", 20)
	s.Kill()
	if got := take(t, l, 50, key); got != 20 {
		t.Errorf("%d allowed without redis, want 20: the limit is not off", got)
	}
	if fallbacks(t, l) != 50 {
		t.Errorf("%v requests are counted as done alone, want 50", fallbacks(t, l))
	}
}

// The peer never answers: a Take that comes back at all was bounded.
func TestASlowRedisIsGivenUp(t *testing.T) {
	t.Parallel()
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	c := startClock() // stands still: after one failure Redis is left alone for good
	shared, err := cache.Open(cache.Deps{RedisURL: "redis://" + mute.Addr().String(), Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	defer shared.Close(context.Background())
	l := ratelimit.New(shared, c.now)
	if got := take(t, l, 100, bucket("key", "k", 30)); got != 30 {
		t.Errorf("%d allowed, want 30", got)
	}
}
