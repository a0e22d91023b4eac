package cache

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// Shares reports whether there is a Redis, in use or not, that replicas share.
func (s *Space) Shares() bool { return s != nil && s.redis != nil }

// Run runs a script whose answer is a list, with the same deadline and pause as
// every command. False means that Redis is not there, is too slow or is being left
// alone: go on without it.
func (s *Space) Run(ctx context.Context, script *redis.Script, keys []string, args ...any) ([]any, bool) {
	if !s.Shares() {
		return nil, false
	}
	var out []any
	ok := s.redis.do(ctx, func(ctx context.Context, _ string) (err error) {
		out, err = script.Run(ctx, s.redis.client, keys, args...).Slice()
		return err
	})
	return out, ok
}
