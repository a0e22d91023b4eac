package deals

import (
	"context"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/money"
	"crm/internal/record"
)

// CreateFromLead makes the deal of a converted lead, in the transaction of ctx,
// and returns its id. Everything but the name may be left out: pipeline and stage
// default as for any deal, the owner to the actor. Its parameters are plain types,
// so that the context that converts can name this method in its ports.
func (s *Service) CreateFromLead(ctx context.Context, name string, accountID, contactID *uuid.UUID, amount *money.Amount,
	pipelineID, stageID *uuid.UUID, expectedClose *time.Time, ownerID *uuid.UUID, source string,
) (uuid.UUID, error) {
	d, err := s.Deals.Create(ctx, &Deal{
		Base: record.Base{OwnerID: ownerID}, Name: name, AccountID: accountID, ContactID: contactID, Amount: amount,
		PipelineID: pipelineID, StageID: stageID, ExpectedCloseDate: expectedClose, Source: source,
	})
	if err != nil {
		return uuid.Nil, err
	}
	return d.ID, nil
}
