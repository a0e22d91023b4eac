// Package ratelimit counts requests against token buckets: a bucket holds Quota
// tokens, is full at first, and is refilled evenly so that an empty one is full
// after Window. A request takes one token of every bucket it belongs to, or none
// of any when one is empty.
//
// With Redis one script takes from all buckets in one round trip by the clock of
// Redis, so that any number of replicas share one exact count. Without Redis, or
// while it is away or slow, each process counts for itself: a limit is then as
// many times too generous as there are replicas, and never off. Taking cannot fail.
//
// Not for: promises across restarts (an in-process bucket starts full), nor for
// limits on money or messages, which belong in the database.
package ratelimit

import (
	"context"
	"math"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"crm/internal/platform/cache"
)

// Policy is a limit: Quota requests per Window, which may also come all at once.
type Policy struct {
	Quota  int64
	Window time.Duration
}

// perSecond is how fast the bucket fills.
func (p Policy) perSecond() float64 { return float64(p.Quota) / p.Window.Seconds() }

// Bucket is one count. Name is what the caller sees, ID whose bucket it is; Group
// keeps the buckets of one request on one node of a Redis cluster.
type Bucket struct {
	Name   string
	Group  string
	ID     string
	Policy Policy
}

func (b Bucket) key() string { return "crm:rate:{" + b.Group + "}:" + b.Name + ":" + b.ID }

func (b Bucket) place() place { return place{b.Group, b.Name, b.ID} }

// Level is how a bucket stands after a request.
type Level struct {
	Name   string
	Policy Policy
	Left   float64 // tokens, below 1 when it refused
}

// Reset is the time until the bucket is full again.
func (l Level) Reset() time.Duration {
	return time.Duration((float64(l.Policy.Quota) - l.Left) / l.Policy.perSecond() * float64(time.Second))
}

// wait is the time until the bucket has a whole token.
func (l Level) wait() time.Duration {
	if l.Left >= 1 {
		return 0
	}
	return time.Duration((1 - l.Left) / l.Policy.perSecond() * float64(time.Second))
}

// Verdict is what became of one request.
type Verdict struct {
	Allowed bool
	Levels  []Level
}

// RetryAfter is how long a refused caller should wait.
func (v Verdict) RetryAfter() time.Duration {
	var longest time.Duration
	for _, l := range v.Levels {
		longest = max(longest, l.wait())
	}
	return longest
}

// Empty names the bucket that refused; "" when none did.
func (v Verdict) Empty() string {
	for _, l := range v.Levels {
		if l.Left < 1 && !v.Allowed {
			return l.Name
		}
	}
	return ""
}

// PolicyHeader is the RateLimit-Policy header: `"key";q=600;w=60, "tenant";q=…`.
func (v Verdict) PolicyHeader() string {
	b := make([]byte, 0, 64)
	for i, l := range v.Levels {
		b = strconv.AppendInt(append(name(b, i, l.Name), ";q="...), l.Policy.Quota, 10)
		b = seconds(append(b, ";w="...), l.Policy.Window)
	}
	return string(b)
}

// Header is the RateLimit header: r whole tokens left, t seconds until full.
func (v Verdict) Header() string {
	b := make([]byte, 0, 64)
	for i, l := range v.Levels {
		b = strconv.AppendInt(append(name(b, i, l.Name), ";r="...), int64(l.Left), 10)
		b = seconds(append(b, ";t="...), l.Reset())
	}
	return string(b)
}

func name(b []byte, i int, text string) []byte {
	if i > 0 {
		b = append(b, ", "...)
	}
	return append(append(append(b, '"'), text...), '"')
}

func seconds(b []byte, d time.Duration) []byte {
	return strconv.AppendInt(b, int64(math.Ceil(d.Seconds())), 10)
}

// Limiter takes tokens.
type Limiter struct {
	shared  *cache.Space
	local   *local
	now     func() time.Time
	alone   prometheus.Counter
	refused *prometheus.CounterVec
}

// New makes a limiter; shared may be nil.
func New(shared *cache.Space, now func() time.Time) *Limiter {
	return &Limiter{
		shared: shared, local: newLocal(), now: now,
		alone:   prometheus.NewCounter(prometheus.CounterOpts{Name: "crm_ratelimit_fallback_total", Help: "Requests counted in this process alone because Redis did not answer."}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "crm_ratelimit_refused_total", Help: "Requests refused, by the bucket that was empty."}, []string{"bucket"}),
	}
}

// Describe and Collect make the limiter a collector of its own figures.
func (l *Limiter) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(l, ch) }

// Collect sends the figures.
func (l *Limiter) Collect(ch chan<- prometheus.Metric) {
	l.alone.Collect(ch)
	l.refused.Collect(ch)
}

// Take takes one token of every bucket, or none.
func (l *Limiter) Take(ctx context.Context, buckets ...Bucket) Verdict {
	v := l.ask(ctx, 1, buckets)
	if empty := v.Empty(); empty != "" {
		l.refused.WithLabelValues(empty).Inc()
	}
	return v
}

// Look tells whether every bucket has a token, and takes none.
func (l *Limiter) Look(ctx context.Context, buckets ...Bucket) Verdict { return l.ask(ctx, 0, buckets) }

func (l *Limiter) ask(ctx context.Context, cost int, buckets []Bucket) Verdict {
	if l.shared.Shares() {
		if v, ok := l.takeShared(ctx, cost, buckets); ok {
			return v
		}
		l.alone.Inc()
	}
	return l.local.take(l.now(), cost, buckets)
}
