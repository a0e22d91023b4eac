package identity

import "sync/atomic"

// CountHashes counts the password hashes that a service computes from now on.
func CountHashes(s *Service) *atomic.Int64 {
	n := &atomic.Int64{}
	s.hasher.count = func() { n.Add(1) }
	return n
}
