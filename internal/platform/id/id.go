// Package id makes record ids: UUIDv7, so that ids sort by creation time, can be
// referenced before the row exists, and rows of one import keep their file order.
package id

import "github.com/google/uuid"

// New returns a UUIDv7. Ids made by one process are strictly increasing.
func New() uuid.UUID {
	// NewV7 fails only when the system's random source does; Must panics then,
	// since nothing in the product is safe without randomness.
	return uuid.Must(uuid.NewV7())
}

// Parse reads a canonical 36-character UUID and nothing else: the other
// spellings uuid.Parse accepts would give one record several addresses.
func Parse(s string) (uuid.UUID, bool) {
	if len(s) != 36 {
		return uuid.Nil, false
	}
	u, err := uuid.Parse(s)
	return u, err == nil
}
