package identity

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// CountHashes counts the password hashes that a service computes from now on.
func CountHashes(s *Service) *atomic.Int64 {
	n := &atomic.Int64{}
	s.hasher.count = func() { n.Add(1) }
	return n
}

// CodeAt is the code an authenticator app shows for a secret.
func CodeAt(secret string, at time.Time) string {
	seed, err := base32Text.DecodeString(secret)
	if err != nil {
		return ""
	}
	return totpCode(seed, at.Unix()/30)
}

// CodeOfStep is the code of a step, for RFC 4226's own examples.
func CodeOfStep(seed string, step int64) string { return totpCode([]byte(seed), step) }

// LetInByPassword forgets the tries of a password, and not those of codes.
func (s *Service) LetInByPassword(ctx context.Context, email string) error {
	return s.db.System(ctx, func(ctx context.Context, tx pgx.Tx) error { return forgive(ctx, tx, addressKey(email)) })
}

// Exceeds is exceeds.
var Exceeds = exceeds
