package secret

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// Mark vouches for data under the current root key: HMAC-SHA-256, 32 bytes. purpose keeps marks of different uses apart.
// Store the key id beside it: after a rotation old marks are checked with the key that made them, as long as it is in
// CRM_SECRET_KEY.
func (b *Box) Mark(purpose string, data []byte) (keyID string, mark []byte) {
	return b.KeyID(), b.current.mark(purpose, data)
}

// CheckMark reports whether mark was made by [Box.Mark] for the same purpose and data under the root key with this id.
// Errors are [ErrUnknownKey] and [ErrTampered].
func (b *Box) CheckMark(purpose, keyID string, data, mark []byte) error {
	id, err := hex.DecodeString(keyID)
	if err != nil || len(id) != keyIDSize {
		return ErrUnknownKey
	}
	k, ok := b.byID[[keyIDSize]byte(id)]
	if !ok {
		return ErrUnknownKey
	}
	if !hmac.Equal(k.mark(purpose, data), mark) {
		return ErrTampered
	}
	return nil
}

// mark prefixes the purpose with its length, so that no two pairs of purpose and data are the same bytes.
func (k *key) mark(purpose string, data []byte) []byte {
	m := hmac.New(sha256.New, k.mac)
	m.Write([]byte(AAD(purpose))) // documented never to fail
	m.Write(data)
	return m.Sum(nil)
}
