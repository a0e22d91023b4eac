package cache

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/db"
)

// Deps are what the caches of a process share. Each may be left out.
type Deps struct {
	DB       *db.DB // carries word of changes to the other processes and back
	RedisURL string
	Secret   []byte // seals what is kept in Redis
	Now      func() time.Time
	Log      *slog.Logger
}

// Space is what the caches of one process share: the way to Redis, the word from
// other processes, and the counters.
type Space struct {
	redis   *Redis
	news    *News
	metrics *metrics

	mu     sync.RWMutex
	caches map[string][]member
}

// member is a cache of any kind.
type member interface {
	heard(ctx context.Context, n note)
	forgetAll()
	bytes() uint64
}

// base is a group of a cache.
type base struct {
	cache  string
	tenant uuid.UUID
	group  string
}

// Open prepares a space; Close it. It does not fail when Redis is away.
func Open(d Deps) (*Space, error) {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	s := &Space{caches: map[string][]member{}}
	s.metrics = newMetrics(s)
	var err error
	if s.redis, err = connect(d.RedisURL, d.Secret, d.Now); err != nil {
		return nil, err
	}
	if d.DB != nil {
		s.news = newNews(d.DB, d.Log)
	}
	return s, nil
}

// Close sends the last word of changes and ends the connections.
func (s *Space) Close(ctx context.Context) {
	if s == nil {
		return
	}
	s.news.close(ctx)
	s.redis.close()
}

// Listen follows what other processes change until ctx ends; only meanwhile do exact
// caches keep anything in this process.
func (s *Space) Listen(ctx context.Context) error {
	if s.news == nil {
		return nil
	}
	return s.news.listen(ctx, s.forgetAll, func(n note) {
		s.mu.RLock()
		list := s.caches[n.base.cache] // none: it is a cache of another release
		s.mu.RUnlock()
		for _, c := range list {
			c.heard(ctx, n)
		}
	})
}

// Hears reports whether this process follows what others change.
func (s *Space) Hears() bool { return s.news.hears() }

// Ping tells whether Redis answers; nil without Redis.
func (s *Space) Ping(ctx context.Context) error { return s.redis.ping(ctx) }

func (s *Space) add(name string, c member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.caches[name] = append(s.caches[name], c)
}

func (s *Space) forgetAll() {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, list := range s.caches {
		for _, c := range list {
			c.forgetAll()
		}
	}
}
