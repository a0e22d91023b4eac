package cache

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// Run runs a script whose answer is a list, with the same deadline and pause as
// every command. False means that Redis is not there, is too slow or is being left
// alone: go on without it.
func (s *Shared) Run(ctx context.Context, script *redis.Script, keys []string, args ...any) ([]any, bool) {
	var out []any
	ok := s.do(ctx, func(ctx context.Context) (err error) {
		out, err = script.Run(ctx, s.client, keys, args...).Slice()
		return err
	})
	return out, ok
}
