package app

import (
	"context"

	"github.com/google/uuid"

	"crm/internal/record"
)

// react connects what happens in one context with what another does about it,
// through the journal.
func (a *App) react() {
	a.Kernel.Subscribe(record.Subscriber{Name: "score-leads", Handle: a.scoreChanged})
}

// scoreChanged scores leads that are new or were changed. It is idempotent: the
// score depends on the lead and the model alone.
func (a *App) scoreChanged(ctx context.Context, entries []record.Entry) error {
	var ids []uuid.UUID
	for _, e := range entries {
		if a.Scoring.Wants(record.Notice{Object: e.Object, Action: e.Action}) {
			ids = append(ids, e.RecordID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return a.Scoring.ScoreNew(ctx, ids)
}
