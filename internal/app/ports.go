package app

import (
	"context"

	"github.com/google/uuid"

	"crm/internal/deals"
	"crm/internal/record"
)

// dealMaker lets lead conversion open deals.
type dealMaker struct{ deals *deals.Service }

// CreateDeal makes a deal from values; pipeline and stage default as for any.
func (m dealMaker) CreateDeal(ctx context.Context, values record.Patch) (uuid.UUID, error) {
	res, err := m.deals.Deals.One(ctx, record.Operation{Kind: record.OpCreate, Patch: values})
	if err != nil {
		return uuid.Nil, err
	}
	return res.Record.ID(), nil
}
