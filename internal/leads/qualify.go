package leads

import (
	"context"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/errs"
	"crm/internal/record"
)

// Disqualify gives a lead up for a reason. Doing it again changes the reason.
func (s *Service) Disqualify(ctx context.Context, leadID uuid.UUID, reason string) (*Lead, error) {
	reason = strings.TrimSpace(record.CleanText(reason))
	if reason == "" {
		return nil, errs.Field("reason", "required", "Say why this lead is not a fit, so that the reasons can be counted.")
	}
	if len([]rune(reason)) > 500 {
		return nil, errs.Field("reason", "too_long", "A reason may have at most 500 characters.")
	}
	return s.Leads.Change(ctx, leadID, record.Act{Name: actDisqualified}, func(_ context.Context, _ pgx.Tx, lead *Lead) error {
		lead.Status, lead.DisqualifyReason = StatusDisqualified, reason
		return nil
	})
}
