package cache

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/maypok86/otter/v2"
)

// Stripes of epochs. Keys that share one are forgotten together, which costs a load.
const (
	keyStripes   = 1024
	groupStripes = 256
)

// local is the tier in this process. Nothing is searched for to be deleted: an entry
// counts as long as the epochs of its key and its group stand where they stood
// before it was loaded, and forgetting moves them on.
type local[T any] struct {
	cache  *otter.Cache[Key, *entry[T]]
	seed   maphash.Seed
	keys   [keyStripes]atomic.Uint64
	groups [groupStripes]atomic.Uint64
}

type entry[T any] struct {
	value   T
	version int64
	mark    mark
}

// mark is where the epochs stood.
type mark struct {
	key, group     *atomic.Uint64
	atKey, atGroup uint64
}

func (m mark) current() bool { return m.key.Load() == m.atKey && m.group.Load() == m.atGroup }

func newLocal[T any](o Options[T]) (*local[T], error) {
	opt := &otter.Options[Key, *entry[T]]{ExpiryCalculator: otter.ExpiryWriting[Key, *entry[T]](o.Local)}
	if o.Weigh != nil {
		opt.MaximumWeight = o.Bytes
		opt.Weigher = func(_ Key, e *entry[T]) uint32 { return o.Weigh(e.value) }
	} else {
		opt.MaximumSize = o.Entries
	}
	c, err := otter.New(opt)
	if err != nil {
		return nil, err
	}
	return &local[T]{cache: c, seed: maphash.MakeSeed()}, nil
}

func (l *local[T]) get(k Key) (v T, ok bool) {
	e, ok := l.cache.GetIfPresent(k)
	if !ok || !e.mark.current() {
		return v, false
	}
	return e.value, true
}

func (l *local[T]) mark(k Key) mark {
	key, group := l.key(k), l.group(k.Tenant, k.Group)
	return mark{key: key, group: group, atKey: key.Load(), atGroup: group.Load()}
}

// put keeps an entry unless it is outdated, or older than what is there.
func (l *local[T]) put(k Key, e *entry[T]) {
	if !e.mark.current() {
		return
	}
	l.cache.Compute(k, func(old *entry[T], found bool) (*entry[T], otter.ComputeOp) {
		if found && old.version > e.version && old.mark.current() {
			return old, otter.CancelOp
		}
		return e, otter.WriteOp
	})
}

func (l *local[T]) forget(k Key) {
	l.key(k).Add(1)
	l.cache.Invalidate(k) // its memory; the epoch alone would do
}

func (l *local[T]) forgetGroup(tenant uuid.UUID, group string) { l.group(tenant, group).Add(1) }

func (l *local[T]) forgetAll() {
	for i := range l.groups {
		l.groups[i].Add(1)
	}
	l.cache.InvalidateAll()
}

func (l *local[T]) key(k Key) *atomic.Uint64 {
	return &l.keys[maphash.Comparable(l.seed, k)%keyStripes]
}

func (l *local[T]) group(tenant uuid.UUID, group string) *atomic.Uint64 {
	return &l.groups[maphash.Comparable(l.seed, Key{Tenant: tenant, Group: group})%groupStripes]
}
