package app

import (
	"context"

	"github.com/google/uuid"

	"crm/internal/record"
)

// react connects what happens in one context with what another does about it,
// through the journal.
func (a *App) react() {
	a.Kernel.Seal(a.box)
	a.Kernel.Subscribe(record.Subscriber{Name: "score-leads", Bare: true, Handle: a.scoreChanged, Wants: func(e *record.Entry) bool {
		return a.Scoring.Wants(record.Notice{Object: e.Object, Action: e.Action})
	}})
}

// scoreChanged scores leads that are new or were changed. It is idempotent: the
// score depends on the lead and the model alone.
func (a *App) scoreChanged(ctx context.Context, entries []record.Entry) error {
	ids := make([]uuid.UUID, len(entries))
	for i, e := range entries {
		ids[i] = e.RecordID
	}
	return a.Scoring.ScoreNew(ctx, ids)
}
