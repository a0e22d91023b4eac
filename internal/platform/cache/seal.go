package cache

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"

	"github.com/google/uuid"

	"crm/internal/platform/secret"
)

// sealSize is the length of a seal in bytes.
const sealSize = 16

// seal binds a value to its name: whoever can write to Redis, but has not the secret
// key of the installation, can make nobody an admin by writing an actor there, and an
// answer that belongs to another question is recognised.
type seal struct {
	key  []byte
	pool sync.Pool
}

// newSeal works without a key too: then it still binds a value to its name.
func newSeal(key []byte) *seal { return &seal{key: secret.Hash("cache " + string(key))} }

// close writes head, seal, tenant and body.
func (s *seal) close(name, head string, tenant uuid.UUID, body []byte) []byte {
	out := make([]byte, 0, len(head)+sealSize+len(tenant)+len(body))
	out = append(out, head...)
	out = append(out, make([]byte, sealSize)...)
	out = append(out, tenant[:]...)
	out = append(out, body...)
	copy(out[len(head):], s.sum(name, head, out[len(head)+sealSize:]))
	return out
}

// open reads what close wrote after head. The tenant is what the value says, also
// when the seal is broken.
func (s *seal) open(name, head, rest string) (tenant uuid.UUID, body []byte, ok bool) {
	if len(rest) < sealSize+len(tenant) {
		return tenant, nil, false
	}
	sealed := []byte(rest[sealSize:])
	copy(tenant[:], sealed)
	if !hmac.Equal(s.sum(name, head, sealed), []byte(rest[:sealSize])) {
		return tenant, nil, false
	}
	return tenant, sealed[len(tenant):], true
}

func (s *seal) sum(name, head string, body []byte) []byte {
	mac, ok := s.pool.Get().(hash.Hash)
	if !ok {
		mac = hmac.New(sha256.New, s.key)
	}
	defer s.pool.Put(mac)
	mac.Reset()
	mac.Write([]byte(name))
	mac.Write([]byte{0})
	mac.Write([]byte(head))
	mac.Write(body)
	return mac.Sum(nil)[:sealSize]
}
