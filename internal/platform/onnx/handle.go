package onnx

import (
	"sync/atomic"
)

// lease is a session with a count of its users. The owner is one of them; whoever brings the count to zero closes the
// session, and from then on nobody can join.
type lease struct {
	session *Session
	users   atomic.Int64
}

func newLease(s *Session) *lease {
	l := &lease{session: s}
	l.users.Store(1)
	return l
}

// join adds a user; it fails when the last one has left.
func (l *lease) join() bool {
	for {
		n := l.users.Load()
		if n == 0 {
			return false
		}
		if l.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// leave removes a user and closes the session with the last. An error then has nobody to go to: the session is gone
// either way, and its memory with it or not at all.
func (l *lease) leave() {
	if l.users.Add(-1) == 0 {
		_ = l.session.Close()
	}
}

// Handle holds the model in use and lets it be replaced while others score with it. The zero value holds nothing.
type Handle struct{ current atomic.Pointer[lease] }

// Swap puts a session in place of the current one, which is closed when its last user is done. Swap takes over
// ownership of s; nil leaves the handle empty.
func (h *Handle) Swap(s *Session) {
	var next *lease
	if s != nil {
		next = newLease(s)
	}
	if old := h.current.Swap(next); old != nil {
		old.leave()
	}
}

// Acquire returns the current session and a function that gives it back, which must be called exactly once. It returns
// [ErrClosed] when the handle is empty.
func (h *Handle) Acquire() (*Session, func(), error) {
	for {
		l := h.current.Load()
		if l == nil {
			return nil, nil, ErrClosed
		}
		// A swap may come between the two steps; then the new session is there to be joined.
		if l.join() {
			return l.session, l.leave, nil
		}
	}
}

// Close empties the handle.
func (h *Handle) Close() { h.Swap(nil) }
