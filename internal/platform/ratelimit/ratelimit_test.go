package ratelimit_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"crm/internal/platform/ratelimit"
)

// clock is moved by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func startClock() *clock { return &clock{at: time.Unix(1_800_000_000, 0)} }

func bucket(name, id string, quota int64) ratelimit.Bucket {
	return ratelimit.Bucket{Name: name, Group: "t1", ID: id, Policy: ratelimit.Policy{Quota: quota, Window: time.Minute}}
}

// take calls n times and counts what was allowed.
func take(t *testing.T, l *ratelimit.Limiter, n int, buckets ...ratelimit.Bucket) int {
	t.Helper()
	allowed := 0
	for range n {
		if l.Take(t.Context(), buckets...).Allowed {
			allowed++
		}
	}
	return allowed
}

func TestABucketIsFullThenFillsEvenly(t *testing.T) {
	t.Parallel()
	c := startClock()
	l := ratelimit.New(nil, c.now)
	key := bucket("key", "k", 60)
	if got := take(t, l, 100, key); got != 60 {
		t.Errorf("%d of the first 100, want the quota of 60", got)
	}
	c.pass(10 * time.Second)
	if got := take(t, l, 100, key); got != 10 {
		t.Errorf("%d after ten seconds, want 10", got)
	}
	c.pass(time.Hour)
	if got := take(t, l, 100, key); got != 60 {
		t.Errorf("%d after an hour, want 60: a bucket holds no more", got)
	}
	if got := take(t, l, 10, bucket("key", "other", 60)); got != 10 {
		t.Errorf("%d of another's 10", got)
	}
}

func TestARefusedRequestTakesNothingAnywhere(t *testing.T) {
	t.Parallel()
	c := startClock()
	l := ratelimit.New(nil, c.now)
	a, b, tenant := bucket("key", "a", 50), bucket("key", "b", 50), bucket("tenant", "t", 20)
	if got := take(t, l, 40, a, tenant); got != 20 {
		t.Errorf("%d, want the 20 of the tenant", got)
	}
	v := l.Take(t.Context(), b, tenant)
	if v.Allowed || v.Empty() != "tenant" || v.Levels[0].Left != 50 || v.RetryAfter() != 3*time.Second {
		t.Errorf("%+v, empty %q, retry after %s", v, v.Empty(), v.RetryAfter())
	}
	if v := l.Look(t.Context(), a); v.Levels[0].Left != 30 {
		t.Errorf("a was charged for refused requests: %+v", v)
	}
}

func TestHeadersSayHowItStands(t *testing.T) {
	t.Parallel()
	c := startClock()
	l := ratelimit.New(nil, c.now)
	var v ratelimit.Verdict
	for range 7 {
		v = l.Take(t.Context(), bucket("key", "k", 60), bucket("tenant", "t", 600))
	}
	if got, want := v.PolicyHeader(), `"key";q=60;w=60, "tenant";q=600;w=60`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := v.Header(), `"key";r=53;t=7, "tenant";r=593;t=1`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestLookingTakesNothing(t *testing.T) {
	t.Parallel()
	c := startClock()
	l := ratelimit.New(nil, c.now)
	one := bucket("failures", "ip", 1)
	for range 3 {
		if !l.Look(t.Context(), one).Allowed {
			t.Fatal("a look took the token")
		}
	}
	if take(t, l, 1, one) != 1 || l.Look(t.Context(), one).Allowed {
		t.Error("an empty bucket looks full")
	}
}

func TestManyAtOnceTakeExactlyTheQuota(t *testing.T) {
	t.Parallel()
	c := startClock()
	l := ratelimit.New(nil, c.now)
	var wg sync.WaitGroup
	allowed := make([]int, 8)
	for i := range allowed {
		wg.Go(func() { allowed[i] = take(t, l, 1000, bucket("key", "k", 5000), bucket("tenant", "t", 3000)) })
	}
	wg.Wait()
	sum := 0
	for _, n := range allowed {
		sum += n
	}
	if sum > 3000 || sum < 2990 {
		t.Errorf("%d allowed, want 3000", sum)
	}
}

func TestMadeUpCallersDoNotGrowTheProcess(t *testing.T) {
	t.Parallel()
	c := startClock()
	l := ratelimit.New(nil, c.now)
	for i := range 400_000 {
		l.Take(t.Context(), bucket("address", fmt.Sprint(i), 60))
	}
	if n := ratelimit.Buckets(l); n > 64*4096 {
		t.Errorf("%d buckets are kept", n)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	got, err := ratelimit.ParseSettings("key=90, tenant=900;failures=5")
	if err != nil || got[ratelimit.Key].Quota != 90 || got[ratelimit.Tenant].Quota != 900 || got[ratelimit.Failures].Quota != 5 || got[ratelimit.Address] != ratelimit.Defaults()[ratelimit.Address] {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"key", "key=0", "key=-1", "key=many", "user=3", "key=1e9"} {
		if _, err := ratelimit.ParseSettings(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestRefusalsAreCounted(t *testing.T) {
	t.Parallel()
	c := startClock()
	l := ratelimit.New(nil, c.now)
	take(t, l, 3, bucket("key", "k", 1))
	if n := counted(t, l, "crm_ratelimit_refused_total"); n != 2 {
		t.Errorf("%v refusals are counted, want 2", n)
	}
}

// counted reads one figure of the limiter; 0 when it has none yet.
func counted(t *testing.T, l *ratelimit.Limiter, name string) float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(l)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return 0
}

func BenchmarkTakeInProcess(b *testing.B) {
	l := ratelimit.New(nil, time.Now)
	buckets := []ratelimit.Bucket{bucket("key", "k", 600_000_000), bucket("tenant", "t", 600_000_000)}
	b.ReportAllocs()
	for b.Loop() {
		v := l.Take(b.Context(), buckets...)
		_, _ = v.PolicyHeader(), v.Header()
	}
}
