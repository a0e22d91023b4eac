package scoring

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Scored is a score as it is kept on a record.
type Scored struct {
	ID          uuid.UUID
	Score       int     // 0 to 100
	Grade       string  // A, B, C or D
	Probability float64 // 0 to 1
	Reasons     []Reason
	ModelID     uuid.UUID
	At          time.Time
}

// Scores keeps scores on the records of an object. The context that owns the object may bring its own; without one
// the statements of store_scores.go are used.
type Scores interface {
	// Store writes scores to the undecided records among them in the transaction of ctx, changing neither version nor
	// journal. Records that are gone, decided or locked by somebody are left alone. It returns how many were written.
	Store(ctx context.Context, tx pgx.Tx, object string, scores []Scored) (int, error)
	// Stale lists up to limit undecided records after an id, in id order, that were never scored, were scored by
	// another model, or were changed since.
	Stale(ctx context.Context, object string, model, after uuid.UUID, limit int) ([]uuid.UUID, error)
}
