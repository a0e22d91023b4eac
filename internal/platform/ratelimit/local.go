package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"
)

const (
	shards   = 64
	perShard = 4096 // buckets; about 50 MiB for all shards when every one is in use
)

// local keeps the buckets of one process. A bucket that is full again says
// nothing, so forgetting it changes no answer; memory is bounded by that.
type local struct {
	seed   maphash.Seed
	shards [shards]shard
}

type shard struct {
	mu      sync.Mutex
	buckets map[place]*state
}

// place says whose bucket it is; unlike a joined text it costs no allocation.
type place struct{ group, name, id string }

// state is a bucket as of a moment.
type state struct {
	tokens float64
	at     time.Time
	full   time.Time // when it will be full again
}

func newLocal() *local {
	l := &local{seed: maphash.MakeSeed()}
	for i := range l.shards {
		l.shards[i].buckets = map[place]*state{}
	}
	return l
}

func (l *local) shard(b Bucket) *shard {
	return &l.shards[maphash.Comparable(l.seed, b.place())%shards]
}

// take asks the buckets one after the other and gives back what was taken when a
// later one refuses. Two locks are never held at once, so nothing can deadlock.
func (l *local) take(now time.Time, cost int, buckets []Bucket) Verdict {
	v := Verdict{Allowed: true, Levels: make([]Level, len(buckets))}
	for i, b := range buckets {
		left, ok := l.shard(b).take(now, b, float64(cost))
		v.Levels[i] = Level{Name: b.Name, Policy: b.Policy, Left: left}
		if ok {
			continue
		}
		v.Allowed = false
		l.giveBack(now, float64(cost), buckets[:i], v.Levels)
		for j := i + 1; j < len(buckets); j++ {
			left, _ := l.shard(buckets[j]).take(now, buckets[j], 0)
			v.Levels[j] = Level{Name: buckets[j].Name, Policy: buckets[j].Policy, Left: left}
		}
		return v
	}
	return v
}

func (l *local) giveBack(now time.Time, cost float64, buckets []Bucket, levels []Level) {
	for i, b := range buckets {
		levels[i].Left, _ = l.shard(b).take(now, b, -cost)
	}
}

// take removes cost tokens when at least one is there, and tells what is left.
func (s *shard) take(now time.Time, b Bucket, cost float64) (float64, bool) {
	key := b.place()
	quota := float64(b.Policy.Quota)
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.buckets[key]
	if !ok {
		if cost <= 0 {
			return quota, true
		}
		s.makeRoom(now)
		st = &state{tokens: quota, at: now}
		s.buckets[key] = st
	}
	if passed := now.Sub(st.at).Seconds(); passed > 0 {
		st.tokens, st.at = min(quota, st.tokens+passed*b.Policy.perSecond()), now
	}
	if cost >= 0 && st.tokens < 1 {
		return st.tokens, false
	}
	st.tokens = min(quota, st.tokens-cost)
	st.full = now.Add(time.Duration((quota - st.tokens) / b.Policy.perSecond() * float64(time.Second)))
	return st.tokens, true
}

// makeRoom forgets full buckets, and when there are none a quarter of all: a
// flood of made-up callers must not grow the process.
func (s *shard) makeRoom(now time.Time) {
	if len(s.buckets) < perShard {
		return
	}
	for k, st := range s.buckets {
		if !st.full.After(now) {
			delete(s.buckets, k)
		}
	}
	for k := range s.buckets {
		if len(s.buckets) < perShard*3/4 {
			return
		}
		delete(s.buckets, k)
	}
}
