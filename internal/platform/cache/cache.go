// Package cache is cache-aside, once: ask the cache, else load and remember.
//
// Two tiers. Each process keeps values for seconds; Redis, when configured, keeps
// them for all replicas. Nothing lives only here: every value can be loaded again,
// and a Redis that is gone, slow (50 ms per command, then a pause), flushed or
// replaced by another costs speed, never an answer.
//
// What is remembered is never older than what a reader could have loaded himself:
//
//   - Who changes something calls Forget after the commit and before the answer. It
//     leaves a mark in Redis, moves the epoch of the value in this process, and tells
//     the other processes through PostgreSQL (News).
//   - A reader notes epoch and mark before it loads, and what it loaded is kept only
//     if both are still the same. So "loaded before the commit, stored after it"
//     stores nothing.
//   - An older version never takes the place of a newer one.
//   - Word that is lost with a dying process is made up for by the times to live.
//
// A value in Redis carries its tenant and is sealed together with its key: what
// belongs to another tenant, what somebody else wrote and what cannot be read is
// treated as absent and counted.
//
// Not for: what must survive (PostgreSQL), and locks or limits.
package cache

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Key names one value of a cache: ID or Name, whichever is at hand.
type Key struct {
	Tenant uuid.UUID
	Group  string // what can be forgotten as a whole, such as the records of an object
	ID     uuid.UUID
	Name   string
}

// Options describe a cache.
type Options[T any] struct {
	// Name stands in keys, notices and metrics.
	Name string
	// Local is how long a process keeps a value, Shared how long Redis does; their sum
	// bounds how stale a value may be when word of a change is lost. 0 = not there.
	Local, Shared time.Duration
	// Entries bound the cache in this process, or Bytes with Weigh.
	Entries int
	Bytes   uint64
	Weigh   func(T) uint32
	// Exact caches keep values in this process only while it hears what the others
	// change. The rest may be as stale as Local allows.
	Exact bool
	// Version orders the states of a value; nil = they have no order.
	Version func(T) int64
	// Encode and Decode are the form in Redis, JSON when nil. What is encoded as nil is
	// not kept there.
	Encode func(T) ([]byte, error)
	Decode func(Key, []byte) (T, error)
}

// Aside caches values of one kind. It is safe for concurrent use.
type Aside[T any] struct {
	o     Options[T]
	space *Space
	local *local[T] // nil: none in this process
	count tally
}

// New makes a cache in a space. Caches of one name hold the same values.
func New[T any](s *Space, o Options[T]) (*Aside[T], error) {
	if o.Version == nil {
		o.Version = func(T) int64 { return 0 }
	}
	if o.Encode == nil {
		o.Encode = func(v T) ([]byte, error) { return json.Marshal(v) }
		o.Decode = func(_ Key, b []byte) (v T, err error) { return v, json.Unmarshal(b, &v) }
	}
	c := &Aside[T]{o: o, space: s, count: s.metrics.tally(o.Name)}
	if o.Local > 0 && (o.Entries > 0 || o.Bytes > 0) {
		var err error
		if c.local, err = newLocal(o); err != nil {
			return nil, fmt.Errorf("make cache %s: %w", o.Name, err)
		}
	}
	s.add(o.Name, c)
	return c, nil
}

// Useful reports whether the cache can hold anything at all, so that a caller whose
// plain read is cheaper can go without.
func (c *Aside[T]) Useful() bool { return c.remembers() || c.shared() }

// remembers reports whether values of this process count.
func (c *Aside[T]) remembers() bool {
	return c.local != nil && (!c.o.Exact || c.space.news.hears())
}

func (c *Aside[T]) shared() bool { return c.o.Shared > 0 && c.space.redis != nil }

// Peek returns a value of this process.
func (c *Aside[T]) Peek(k Key) (v T, ok bool) {
	if !c.remembers() {
		return v, false
	}
	if v, ok = c.local.get(k); ok {
		c.count.localHit.Inc()
		return v, true
	}
	c.count.localMiss.Inc()
	return v, false
}

// Get returns the cached value, or loads and caches it. Errors are not cached.
func (c *Aside[T]) Get(ctx context.Context, k Key, load func(context.Context) (T, error)) (T, error) {
	if v, ok := c.Peek(k); ok {
		return v, nil
	}
	return c.Fill(ctx, k, load)
}

// Fill is Get past the values of this process.
func (c *Aside[T]) Fill(ctx context.Context, k Key, load func(context.Context) (T, error)) (T, error) {
	m := c.mark(k)
	found, leases := c.fromRedis(ctx, []Key{k})
	if v, ok := found[k]; ok {
		c.keep(k, v, m)
		return v, nil
	}
	v, err := load(ctx)
	if err != nil {
		return v, err
	}
	c.keep(k, v, m)
	c.toRedis(ctx, map[Key]T{k: v}, leases)
	return v, nil
}

// GetMany is Get for several keys of one group; load is called once with those that
// are not cached, and may leave some out.
func (c *Aside[T]) GetMany(ctx context.Context, keys []Key, load func(ctx context.Context, missing []Key) (map[Key]T, error)) (map[Key]T, error) {
	out := make(map[Key]T, len(keys))
	missing := c.fromLocal(keys, out)
	if len(missing) == 0 {
		return out, nil
	}
	marks := make(map[Key]mark, len(missing))
	for _, k := range missing {
		marks[k] = c.mark(k)
	}
	found, leases := c.fromRedis(ctx, missing)
	var rest []Key
	for _, k := range missing {
		v, ok := found[k]
		if !ok {
			rest = append(rest, k)
			continue
		}
		out[k] = v
		c.keep(k, v, marks[k])
	}
	if len(rest) == 0 {
		return out, nil
	}
	loaded, err := load(ctx, rest)
	if err != nil {
		return nil, err
	}
	for k, v := range loaded {
		out[k] = v
		c.keep(k, v, marks[k])
	}
	c.toRedis(ctx, loaded, leases)
	return out, nil
}

func (c *Aside[T]) fromLocal(keys []Key, out map[Key]T) (missing []Key) {
	for _, k := range keys {
		if v, ok := c.Peek(k); ok {
			out[k] = v
			continue
		}
		missing = append(missing, k)
	}
	return missing
}

// mark notes the epochs of a key; the zero mark is never current.
func (c *Aside[T]) mark(k Key) mark {
	if !c.remembers() {
		return mark{}
	}
	return c.local.mark(k)
}

func (c *Aside[T]) keep(k Key, v T, m mark) {
	if m.key != nil {
		c.local.put(k, &entry[T]{value: v, version: c.o.Version(v), mark: m})
	}
}

// Floor is what a value was changed to: versions below are gone for good. 0 when the
// change has no version.
type Floor struct {
	ID      uuid.UUID
	Version int64
}

// mostFloors is how many values are forgotten one by one; more go with their group.
const mostFloors = 200

// Forget drops values that were changed, for every process, or the whole group when
// none or very many are named. Call it when the change is committed and before
// anybody is told of it; see db.AfterCommitTried. It cannot fail: what could not be
// told to Redis now is told before Redis is asked again.
func (c *Aside[T]) Forget(ctx context.Context, tenant uuid.UUID, group string, changed ...Floor) {
	if len(changed) > mostFloors {
		changed = nil
	}
	told := true
	if c.shared() {
		told = c.space.redis.forget(context.WithoutCancel(ctx), base{c.o.Name, tenant, group}, changed)
	}
	// Only now: a reader that begins after this must not find the old in Redis.
	c.forgetLocal(tenant, group, changed)
	c.space.news.tell(base{c.o.Name, tenant, group}, changed, told)
}

func (c *Aside[T]) forgetLocal(tenant uuid.UUID, group string, changed []Floor) {
	if c.local == nil {
		return
	}
	if len(changed) == 0 {
		c.local.forgetGroup(tenant, group)
		return
	}
	for _, f := range changed {
		c.local.forget(Key{Tenant: tenant, Group: group, ID: f.ID})
	}
}

// heard follows a change in another process. That one told Redis, unless it says
// that it could not.
func (c *Aside[T]) heard(ctx context.Context, n note) {
	if c.shared() && !n.told {
		c.space.redis.forget(ctx, n.base, nil)
	}
	c.forgetLocal(n.base.tenant, n.base.group, n.changed)
}

// forgetAll drops what this process has, after it could have missed something.
func (c *Aside[T]) forgetAll() {
	if c.local != nil {
		c.local.forgetAll()
	}
}

func (c *Aside[T]) bytes() uint64 {
	if c.local == nil {
		return 0
	}
	return c.local.cache.WeightedSize()
}
