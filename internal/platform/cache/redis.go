package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	deadline = 50 * time.Millisecond
	pause    = 5 * time.Second // after a failure Redis is left alone this long
)

// Redis is the tier all replicas see; a nil *Redis is a valid, empty one.
//
// It is left alone after a failure: for the pause nobody asks, then one caller tries,
// and only when that went well do the others follow.
type Redis struct {
	client *redis.Client
	seal   *seal
	now    func() time.Time
	until  atomic.Int64 // unix nanoseconds; 0 = in use
	// run is the run id of the server behind the newest connection. It is part of every
	// key: a server that was restarted, restored or promoted may hold what was valid
	// some time ago, and nobody can have told it what changed since.
	run atomic.Pointer[string]

	// owed are groups that could not be told of a change. They are before Redis is used
	// again. There are no more of them than tenants times objects.
	owing atomic.Bool
	mu    sync.Mutex
	owed  map[base]struct{}
}

func connect(url string, secret []byte, now func() time.Time) (*Redis, error) {
	if url == "" {
		return nil, nil
	}
	opt, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("read CRM_REDIS_URL: %w", err)
	}
	r := &Redis{seal: newSeal(secret), now: now, owed: map[base]struct{}{}}
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout = time.Second, deadline, deadline
	opt.ContextTimeoutEnabled, opt.MaxRetries, opt.DialerRetries = true, -1, 1
	opt.OnConnect = r.meet
	r.client = redis.NewClient(opt)
	return r, nil
}

func (r *Redis) close() {
	if r != nil {
		_ = r.client.Close()
	}
}

func (r *Redis) ping(ctx context.Context) error {
	if r == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return r.client.Ping(ctx).Err()
}

// meet learns which server a new connection leads to. One that does not say (some
// hosted ones refuse INFO) has values that may be a time to live old after a restart.
func (r *Redis) meet(ctx context.Context, conn *redis.Conn) error {
	info, err := conn.Info(ctx, "server").Result()
	var refused redis.Error
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	run := "unknown"
	if _, rest, ok := strings.Cut(info, "run_id:"); ok {
		run, _, _ = strings.Cut(rest, "\r")
	}
	r.run.Store(&run)
	return nil
}

// do runs commands unless Redis is being left alone, with the run id to begin keys
// with. fn returns errors of the commands only: a pause hits every caller, so what is
// not the fault of Redis must not begin one. It reports whether the commands ran, all
// on the server the keys are of.
func (r *Redis) do(ctx context.Context, fn func(ctx context.Context, run string) error) bool {
	until := r.until.Load()
	if until != 0 && (r.now().UnixNano() < until || !r.until.CompareAndSwap(until, r.resume())) {
		return false
	}
	short, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	run, err := r.attempt(short, fn)
	if err != nil {
		if ctx.Err() == nil || until != 0 {
			r.until.Store(r.resume())
		}
		return false
	}
	if until != 0 {
		r.until.Store(0)
	}
	return run == *r.run.Load()
}

func (r *Redis) resume() int64 { return r.now().Add(pause).UnixNano() }

func (r *Redis) attempt(ctx context.Context, fn func(ctx context.Context, run string) error) (string, error) {
	if r.run.Load() == nil {
		if err := r.client.Ping(ctx).Err(); err != nil {
			return "", err
		}
	}
	run := *r.run.Load()
	if r.owing.Load() {
		if err := r.settle(ctx, run); err != nil {
			return "", err
		}
	}
	return run, fn(ctx, run)
}

// settle tells Redis what it could not be told when it happened.
func (r *Redis) settle(ctx context.Context, run string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.owed) == 0 {
		return nil
	}
	pipe := r.client.Pipeline()
	for b := range r.owed {
		pipe.Set(ctx, b.generation(run), token(), generationLife)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	if run == *r.run.Load() {
		clear(r.owed)
		r.owing.Store(false)
	}
	return nil
}

func (r *Redis) owe(b base) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.owed[b] = struct{}{}
	r.owing.Store(true)
}

// forget leaves a mark on each changed value, or a new generation on the group. It
// reports whether Redis knows; if not, it will before this process asks it again.
func (r *Redis) forget(ctx context.Context, b base, changed []Floor) bool {
	tell := func() bool {
		return r.do(ctx, func(ctx context.Context, run string) error {
			pipe := r.client.Pipeline()
			if len(changed) == 0 {
				pipe.Set(ctx, b.generation(run), token(), generationLife)
			}
			for _, f := range changed {
				pipe.Set(ctx, b.value(run, Key{ID: f.ID}), stamp('t', f.Version), markLife)
			}
			_, err := pipe.Exec(ctx)
			return err
		})
	}
	if tell() || r.until.Load() == 0 && tell() { // again when a restart was noticed on the way
		return true
	}
	r.owe(b)
	return false
}
