// Package cache is cache-aside, once: ask the cache, else load and remember.
//
// Two layers. Each process keeps typed values for seconds; Redis, when
// configured, keeps them for all replicas. Nothing lives only here: every value
// can be loaded again, and a Redis that is gone, slow (50 ms per command, then a
// pause) or flushed costs speed, never an answer.
//
// A value remembers its tenant, and a read that finds another tenant's value
// treats it as absent: two answers crossed on a broken connection must not cross
// tenants.
package cache

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

const (
	deadline = 50 * time.Millisecond
	pause    = 5 * time.Second // after a failure Redis is left alone this long
)

// Shared is the layer all replicas see; a nil *Shared is a valid, empty one.
type Shared struct {
	client  *redis.Client
	retryAt atomic.Int64 // unix nanoseconds
	now     func() time.Time
}

// Connect prepares a Redis layer. It does not fail when Redis is away.
func Connect(url string, now func() time.Time) (*Shared, error) {
	if url == "" {
		return nil, nil
	}
	opt, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("read CRM_REDIS_URL: %w", err)
	}
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout = time.Second, deadline, deadline
	opt.ContextTimeoutEnabled, opt.MaxRetries = true, -1
	return &Shared{client: redis.NewClient(opt), now: now}, nil
}

// Close ends the connections.
func (s *Shared) Close() {
	if s != nil {
		_ = s.client.Close()
	}
}

// Ping tells whether Redis answers; nil without Redis.
func (s *Shared) Ping(ctx context.Context) error {
	if s == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return s.client.Ping(ctx).Err()
}

// do runs one command unless Redis is being left alone. fn returns the error of
// the command only: a pause hits every caller, so what is not the fault of Redis
// (a value that cannot be read, a caller who left) must not begin one.
func (s *Shared) do(ctx context.Context, fn func(ctx context.Context) error) bool {
	if s == nil || s.now().UnixNano() < s.retryAt.Load() {
		return false
	}
	short, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	err := fn(short)
	if err != nil && ctx.Err() == nil && err != redis.Nil { //nolint:errorlint // redis.Nil is never wrapped by go-redis
		s.retryAt.Store(s.now().Add(pause).UnixNano())
	}
	return err == nil
}

// hits counts look-ups by cache and layer.
var hits = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "crm_cache_lookups_total", Help: "Look-ups by cache and where the value was found."}, []string{"cache", "found"})

// Collector is registered once with the metrics registry.
func Collector() prometheus.Collector { return hits }

// Aside caches values of one kind.
type Aside[T any] struct {
	name   string
	local  *otter.Cache[string, entry[T]]
	shared *Shared
	ttl    time.Duration
}

type entry[T any] struct {
	Tenant uuid.UUID
	Value  T
}

// New makes a cache called name. local bounds how stale a process may be when
// another replica changed the value; ttl how long Redis keeps it.
func New[T any](name string, shared *Shared, size int, local, ttl time.Duration) (*Aside[T], error) {
	c, err := otter.New(&otter.Options[string, entry[T]]{MaximumSize: size, ExpiryCalculator: otter.ExpiryWriting[string, entry[T]](local)})
	if err != nil {
		return nil, fmt.Errorf("make cache %s: %w", name, err)
	}
	return &Aside[T]{name: name, local: c, shared: shared, ttl: ttl}, nil
}

func (c *Aside[T]) key(tenant uuid.UUID, key string) string {
	return "crm:" + c.name + ":" + tenant.String() + ":" + key
}

// Get returns the cached value, or loads and caches it. Errors are not cached.
func (c *Aside[T]) Get(ctx context.Context, tenant uuid.UUID, key string, load func(context.Context) (T, error)) (T, error) {
	k := c.key(tenant, key)
	if e, ok := c.local.GetIfPresent(k); ok && e.Tenant == tenant {
		hits.WithLabelValues(c.name, "local").Inc()
		return e.Value, nil
	}
	if v, ok := c.fromShared(ctx, tenant, k); ok {
		hits.WithLabelValues(c.name, "redis").Inc()
		return v, nil
	}
	hits.WithLabelValues(c.name, "none").Inc()
	v, err := load(ctx)
	if err != nil {
		return v, err
	}
	e := entry[T]{tenant, v}
	c.local.Set(k, e)
	if b, err := json.Marshal(e); err == nil {
		c.shared.do(ctx, func(ctx context.Context) error { return c.shared.client.Set(ctx, k, b, c.ttl).Err() })
	}
	return v, nil
}

func (c *Aside[T]) fromShared(ctx context.Context, tenant uuid.UUID, k string) (T, bool) {
	var e entry[T]
	var raw []byte
	ok := c.shared.do(ctx, func(ctx context.Context) (err error) {
		raw, err = c.shared.client.Get(ctx, k).Bytes()
		return err
	})
	if !ok || json.Unmarshal(raw, &e) != nil || e.Tenant != tenant {
		var zero T
		return zero, false
	}
	c.local.Set(k, e)
	return e.Value, true
}

// Forget drops a value everywhere this process can reach; other replicas follow
// when their local copy expires.
func (c *Aside[T]) Forget(ctx context.Context, tenant uuid.UUID, key string) {
	k := c.key(tenant, key)
	c.local.Invalidate(k)
	c.shared.do(ctx, func(ctx context.Context) error { return c.shared.client.Del(ctx, k).Err() })
}

// ForgetAll drops every local value, for changes whose keys are not known.
func (c *Aside[T]) ForgetAll() { c.local.InvalidateAll() }
