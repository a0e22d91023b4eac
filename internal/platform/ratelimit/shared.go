package ratelimit

import (
	"context"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// script takes from all buckets or none. A bucket is the text "tokens at", at in
// microseconds of Redis' own clock, so replicas need no common one. It expires
// when it would be full again.
//
// KEYS: buckets. ARGV: cost, then quota and window in microseconds per bucket.
// Answer: 1 or 0, then the tokens of each bucket as text.
var script = redis.NewScript(`
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local cost, allowed, tokens = tonumber(ARGV[1]), 1, {}
for i, key in ipairs(KEYS) do
  local quota, window = tonumber(ARGV[i*2]), tonumber(ARGV[i*2+1])
  tokens[i] = quota
  local raw = redis.call('GET', key)
  if raw then
    local had, at = string.match(raw, '^(%S+) (%S+)$')
    if had then
      tokens[i] = math.min(quota, tonumber(had) + math.max(0, now - tonumber(at)) * quota / window)
    end
  end
  if tokens[i] < 1 then allowed = 0 end
end
local out = {allowed}
for i, key in ipairs(KEYS) do
  local quota, window = tonumber(ARGV[i*2]), tonumber(ARGV[i*2+1])
  if allowed == 1 and cost > 0 then
    tokens[i] = tokens[i] - cost
    local life = math.ceil((quota - tokens[i]) * window / quota / 1000) + 1
    redis.call('SET', key, string.format('%.17g %.0f', tokens[i], now), 'PX', string.format('%.0f', life))
  end
  out[i+1] = string.format('%.17g', tokens[i])
end
return out
`)

// takeShared asks Redis; false when it has to be done without.
func (l *Limiter) takeShared(ctx context.Context, cost int, buckets []Bucket) (Verdict, bool) {
	keys := make([]string, len(buckets))
	args := make([]any, 1, 1+2*len(buckets))
	args[0] = cost
	for i, b := range buckets {
		keys[i] = b.key()
		args = append(args, b.Policy.Quota, b.Policy.Window.Microseconds())
	}
	answer, ok := l.shared.Run(ctx, script, keys, args...)
	if !ok || len(answer) != len(buckets)+1 {
		return Verdict{}, false
	}
	v := Verdict{Allowed: answer[0] == int64(1), Levels: make([]Level, len(buckets))}
	for i, b := range buckets {
		text, _ := answer[i+1].(string)
		left, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return Verdict{}, false
		}
		v.Levels[i] = Level{Name: b.Name, Policy: b.Policy, Left: left}
	}
	return v, true
}
