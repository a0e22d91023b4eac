package leads

import (
	"context"
	"math"
	"sync"
	"time"
)

// submissionsPerMinute is what one address may send to one form. People of one
// office share an address, so it is well above what a single person needs.
const submissionsPerMinute = 20

// maxBuckets bounds the memory a flood from many addresses can take, at roughly
// 100 bytes each.
const maxBuckets = 50_000

// MemoryLimiter is a token bucket per key, in this process only. Several replicas
// allow as many times the rate; the shared limiter of the platform is for that.
type MemoryLimiter struct {
	burst float64
	per   time.Duration // for a whole burst to come back
	now   func() time.Time

	mu      sync.Mutex
	buckets map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

// NewMemoryLimiter allows burst events at once and as many again within per.
func NewMemoryLimiter(burst int, per time.Duration, now func() time.Time) *MemoryLimiter {
	return &MemoryLimiter{burst: float64(burst), per: per, now: now, buckets: map[string]bucket{}}
}

// Allow implements Limiter.
func (m *MemoryLimiter) Allow(_ context.Context, key string) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	b, ok := m.buckets[key]
	if !ok {
		m.makeRoom(now)
		b = bucket{tokens: m.burst, at: now}
	}
	b.tokens = m.filled(b, now)
	b.at = now
	if b.tokens < 1 {
		m.buckets[key] = b
		return time.Duration(math.Ceil((1 - b.tokens) / m.burst * float64(m.per)))
	}
	b.tokens--
	m.buckets[key] = b
	return 0
}

func (m *MemoryLimiter) filled(b bucket, now time.Time) float64 {
	return min(m.burst, b.tokens+m.burst*now.Sub(b.at).Seconds()/m.per.Seconds())
}

// makeRoom drops the buckets that are full again, which are as good as unknown.
// When a flood leaves none, all go: a moment of leniency is better than refusing
// everybody.
func (m *MemoryLimiter) makeRoom(now time.Time) {
	if len(m.buckets) < maxBuckets {
		return
	}
	for key, b := range m.buckets {
		if m.filled(b, now) >= m.burst {
			delete(m.buckets, key)
		}
	}
	if len(m.buckets) >= maxBuckets {
		clear(m.buckets)
	}
}
