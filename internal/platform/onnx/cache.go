package onnx

import (
	"container/list"
	"context"
	"fmt"
	"sync"
)

// DefaultSessions keeps about 160 MB of usual models loaded.
const DefaultSessions = 256

// Cache keeps the sessions of many models, at most a given number, and closes the least recently used beyond it. A
// session in use is closed when its user is done. A model is loaded once however many ask for it at the same time.
type Cache struct {
	mu      sync.Mutex
	limit   int
	closed  bool
	entries map[string]*list.Element // of *entry
	recent  *list.List               // most recently used first
}

// entry is a session that is, or is about to be, in the cache. done is closed when loading has ended; lease and err
// are set before.
type entry struct {
	key   string
	done  chan struct{}
	lease *lease
	err   error
}

// NewCache returns an empty cache for limit sessions, [DefaultSessions] if limit is 0.
func NewCache(limit int) *Cache {
	if limit <= 0 {
		limit = DefaultSessions
	}
	return &Cache{limit: limit, entries: make(map[string]*list.Element), recent: list.New()}
}

// Acquire returns the session of a key, calling load when it is not there, and a function that gives it back, which
// must be called exactly once. A key must name one version of a model, since its session is never reloaded. A failed
// load is not kept; ctx only ends the waiting for another's load.
func (c *Cache) Acquire(ctx context.Context, key string, load func() (*Session, error)) (*Session, func(), error) {
	for {
		e, mine, err := c.find(key)
		if err != nil {
			return nil, nil, err
		}
		if mine {
			return c.fill(e, load)
		}
		select {
		case <-e.done:
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("wait for model %s: %w", key, ctx.Err())
		}
		if e.err != nil {
			return nil, nil, e.err
		}
		// Dropped between finding and joining: look again, it will be loaded anew.
		if e.lease.join() {
			return e.lease.session, e.lease.leave, nil
		}
	}
}

// find returns the entry of a key, or a new one that the caller must fill.
func (c *Cache) find(key string) (e *entry, mine bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, false, ErrClosed
	}
	if at, ok := c.entries[key]; ok {
		c.recent.MoveToFront(at)
		return at.Value.(*entry), false, nil
	}
	e = &entry{key: key, done: make(chan struct{})}
	c.entries[key] = c.recent.PushFront(e)
	return e, true, nil
}

// fill loads the session of a new entry, whatever load does, and joins it for the caller.
func (c *Cache) fill(e *entry, load func() (*Session, error)) (*Session, func(), error) {
	e.err = fmt.Errorf("load model %s: it did not finish", e.key)
	defer c.settle(e)
	session, err := load()
	if err != nil {
		e.err = fmt.Errorf("load model %s: %w", e.key, err)
		return nil, nil, e.err
	}
	e.lease, e.err = newLease(session), nil
	e.lease.join()
	return session, e.lease.leave, nil
}

// settle ends the loading of an entry: it removes one that failed, gives up one that was dropped meanwhile, and trims
// the cache. Loading ends under the lock, so that a Drop sees either an entry to give up itself or one that is not kept.
func (c *Cache) settle(e *entry) {
	c.mu.Lock()
	close(e.done)
	at, kept := c.entries[e.key]
	kept = kept && at.Value == any(e)
	if kept && e.err != nil {
		c.remove(at)
	}
	out := c.trim()
	c.mu.Unlock()
	if !kept && e.lease != nil {
		out = append(out, e.lease)
	}
	for _, l := range out {
		l.leave()
	}
}

// trim removes the least recently used sessions beyond the limit. Entries still loading stay: nobody could close them.
func (c *Cache) trim() []*lease {
	var out []*lease
	for at := c.recent.Back(); at != nil && c.recent.Len() > c.limit; {
		before := at.Prev()
		if e := at.Value.(*entry); e.loaded() {
			c.remove(at)
			out = append(out, e.lease)
		}
		at = before
	}
	return out
}

// loaded reports whether the entry holds a session.
func (e *entry) loaded() bool {
	select {
	case <-e.done:
		return e.err == nil
	default:
		return false
	}
}

func (c *Cache) remove(at *list.Element) {
	delete(c.entries, at.Value.(*entry).key)
	c.recent.Remove(at)
}

// Drop forgets a key, for a model that is no longer in use.
func (c *Cache) Drop(key string) {
	c.mu.Lock()
	var out *lease
	if at, ok := c.entries[key]; ok {
		if e := at.Value.(*entry); e.loaded() {
			out = e.lease
		}
		c.remove(at)
	}
	c.mu.Unlock()
	if out != nil {
		out.leave()
	}
}

// Len is the number of sessions held or being loaded.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recent.Len()
}

// Close drops everything; sessions in use are closed when given back.
func (c *Cache) Close() {
	c.mu.Lock()
	c.closed = true
	keys := make([]string, 0, len(c.entries))
	for key := range c.entries {
		keys = append(keys, key)
	}
	c.mu.Unlock()
	for _, key := range keys {
		c.Drop(key)
	}
}
