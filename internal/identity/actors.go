package identity

import (
	"encoding/base64"
	"encoding/json"

	"crm/internal/platform/auth"
	"crm/internal/platform/cache"
)

// actorKey is where the actor of a token is cached. Only the hash is part of it: who
// can read a cache must not be able to sign in with what he finds.
func actorKey(kind byte, hash []byte) cache.Key {
	return cache.Key{Name: string(kind) + base64.RawURLEncoding.EncodeToString(hash)}
}

// encodeActor writes what an actor may do; a token that is nobody's is not kept in
// Redis, where strangers could fill the memory with guesses.
func encodeActor(a *auth.Actor) ([]byte, error) {
	if a == nil {
		return nil, nil
	}
	return json.Marshal(a)
}

func decodeActor(_ cache.Key, b []byte) (*auth.Actor, error) {
	var a auth.Actor
	return &a, json.Unmarshal(b, &a)
}
