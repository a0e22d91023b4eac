package cache

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

const (
	generationLife = 24 * time.Hour
	// markLife must be longer than any load takes; see slowest.
	markLife = 2 * time.Minute
	// slowest is how old a look at Redis may be for a value to be kept on its word.
	slowest = time.Minute
)

// What lies in Redis, below names that begin with the server's run id:
//
//	<cache>:<tenant>:<group>#      generation: a random word; values of another one are void
//	<cache>:<tenant>:<group>:<id>  a mark (stamp alone), or stamp, generation, seal, tenant, value
//
// A stamp is its kind (t for a mark, v for a value), the version in hex, and a random
// word that tells it from every other stamp.

func (b base) generation(run string) string {
	return "crm:" + run + ":" + b.cache + ":" + b.tenant.String() + ":" + b.group + "#"
}

func (b base) value(run string, k Key) string {
	name := k.Name
	if k.ID != uuid.Nil {
		name = k.ID.String()
	}
	return "crm:" + run + ":" + b.cache + ":" + b.tenant.String() + ":" + b.group + ":" + name
}

const (
	tokenSize = 16
	stampSize = 1 + 16 + tokenSize
)

// token is a random word of tokenSize letters.
func token() string {
	u := uuid.New()
	return base64.RawURLEncoding.EncodeToString(u[:12])
}

func stamp(kind byte, version int64) string {
	const digits = "0123456789abcdef"
	out := make([]byte, stampSize)
	out[0] = kind
	for i := 16; i > 0; i-- {
		out[i] = digits[version&15]
		version >>= 4
	}
	copy(out[17:], token())
	return string(out)
}

// lease is what a reader found instead of a value, and what must still be there for
// his own to be kept.
type lease struct {
	run, generation, stamp string
	at                     time.Time
}

// keepSource stores a value unless anything happened since its reader looked: another
// generation, a mark, a value. And never an older version in the place of a newer one.
//
// KEYS generation, value. ARGV generation seen, stamp seen, new generation, version in hex, value, life in ms, life of a generation in s.
const keepSource = `
local generation = redis.call('get', KEYS[1])
if generation and generation ~= ARGV[1] then return 0 end
if not generation and ARGV[1] ~= '' then return 0 end
local there = redis.call('getrange', KEYS[2], 0, 32)
if there ~= ARGV[2] then return 0 end
if #there == 33 and (tonumber(string.sub(there, 2, 17), 16) or 0) > tonumber(ARGV[4], 16) then return 0 end
if not generation then redis.call('set', KEYS[1], ARGV[3], 'ex', ARGV[7]) end
redis.call('set', KEYS[2], ARGV[5], 'px', ARGV[6])
return 1`

var keepHash = redis.NewScript(keepSource).Hash()

// fromRedis finds values of one group, and leases for those that are not there.
func (c *Aside[T]) fromRedis(ctx context.Context, keys []Key) (map[Key]T, map[Key]lease) {
	if !c.shared() {
		return nil, nil
	}
	r, b := c.space.redis, base{c.o.Name, keys[0].Tenant, keys[0].Group}
	l := lease{at: r.now()}
	var raw []any
	ok := r.do(ctx, func(ctx context.Context, run string) (err error) {
		names := append(make([]string, 0, len(keys)+1), b.generation(run))
		for _, k := range keys {
			names = append(names, b.value(run, k))
		}
		l.run = run
		raw, err = r.client.MGet(ctx, names...).Result()
		return err
	})
	if !ok || len(raw) != len(keys)+1 {
		c.count.away.Add(float64(len(keys)))
		return nil, nil
	}
	l.generation, _ = raw[0].(string)
	found, leases := make(map[Key]T, len(keys)), make(map[Key]lease, len(keys))
	for i, k := range keys {
		text, _ := raw[i+1].(string)
		if v, ok := c.open(b.value(l.run, k), l.generation, text, k); ok {
			found[k] = v
			continue
		}
		l.stamp = text[:min(len(text), stampSize)]
		leases[k] = l
	}
	return found, leases
}

// open reads a value as Redis has it and says in the counters why it is none.
func (c *Aside[T]) open(name, generation, text string, k Key) (v T, ok bool) {
	body, ok := valueOf(text, generation)
	if !ok {
		c.count.redisMiss.Inc()
		return v, false
	}
	tenant, rest, ok := c.space.redis.seal.open(name, text[:stampSize+tokenSize], body)
	if tenant != k.Tenant {
		c.count.foreign.Inc()
		return v, false
	}
	var err error
	if ok {
		v, err = c.o.Decode(k, rest)
	}
	if !ok || err != nil {
		var zero T
		c.count.broken.Inc()
		return zero, false
	}
	c.count.redisHit.Inc()
	return v, true
}

// valueOf is what follows stamp and generation, if it is a value of this generation.
func valueOf(text, generation string) (string, bool) {
	if len(text) <= stampSize+tokenSize || text[0] != 'v' || text[stampSize:stampSize+tokenSize] != generation {
		return "", false
	}
	return text[stampSize+tokenSize:], true
}

// toRedis stores what was loaded on the strength of its leases.
func (c *Aside[T]) toRedis(ctx context.Context, loaded map[Key]T, leases map[Key]lease) {
	if len(leases) == 0 {
		return
	}
	r := c.space.redis
	r.do(ctx, func(ctx context.Context, run string) error {
		pipe := r.client.Pipeline()
		pipe.ScriptLoad(ctx, keepSource) // costs less than to find out that it is not there
		for k, v := range loaded {
			l, ok := leases[k]
			if !ok || l.run != run || r.now().Sub(l.at) > slowest {
				continue
			}
			if body, err := c.o.Encode(v); err == nil && body != nil {
				c.store(ctx, pipe, k, c.o.Version(v), body, l)
			}
		}
		if pipe.Len() == 1 {
			return nil
		}
		_, err := pipe.Exec(ctx)
		return err
	})
}

func (c *Aside[T]) store(ctx context.Context, pipe redis.Pipeliner, k Key, version int64, body []byte, l lease) {
	b := base{c.o.Name, k.Tenant, k.Group}
	generation, fresh := l.generation, token()
	if generation == "" {
		generation = fresh
	}
	name, head := b.value(l.run, k), stamp('v', version)+generation
	value := c.space.redis.seal.close(name, head, k.Tenant, body)
	pipe.EvalSha(ctx, keepHash, []string{b.generation(l.run), name},
		l.generation, l.stamp, fresh, head[1:17], value, c.o.Shared.Milliseconds(), int(generationLife.Seconds()))
}
