package activities

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// NextActivity keeps the earliest due moment of a deal's open activities; nil =
// none is open. It is called in the transaction of the activity, by whoever may
// change the activity, and so must not ask for rights on the deal. Deals that do
// not exist are passed over.
type NextActivity interface {
	SetNextActivity(ctx context.Context, tx pgx.Tx, dealIDs map[uuid.UUID]*time.Time) error
}
