package scoring

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/jobs"
	"crm/internal/record"
)

// storeRows is how many scores are written in one transaction.
const storeRows = 1000

// The actions this context writes to the journal of a scored object.
const (
	actScored   = "scored"   // one record
	actRescored = "rescored" // a batch; the row names the model
)

// Wants reports whether a committed change may have changed scores, for whoever feeds ScoreNew from notices. What
// scoring itself announces is not among them: that would go round for ever.
func (s *Service) Wants(n record.Notice) bool {
	own := n.Action == actScored || n.Action == actRescored
	return n.Object == leads.object && !own && n.Action != "deleted"
}

// ScoreNew scores leads that are new or were changed, in the name of the actor's tenant, and stores what is new in the
// answer. Without an active model, or for leads that are gone or decided, it does nothing.
func (s *Service) ScoreNew(ctx context.Context, ids []uuid.UUID) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	m, err := s.current(ctx, a.TenantID, leads.object)
	if errors.Is(err, ErrNoModel) {
		return nil
	}
	if err != nil {
		return err
	}
	for part := range slices.Chunk(ids, storeRows) {
		if err := s.scoreAndStore(ctx, m, leads.object, part); err != nil {
			return fmt.Errorf("score %d new leads: %w", len(ids), err)
		}
	}
	return nil
}

// rescore brings every open record up to the active model. Records done are not looked at again, so a run that was
// killed, or that ran out of its time, goes on where it was.
func (s *Service) rescore(ctx context.Context, object string) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	started, after := s.now(), uuid.Nil
	for s.now().Sub(started) < jobs.Budget {
		m, err := s.activated(ctx, a.TenantID, object)
		if errors.Is(err, ErrNoModel) {
			return nil
		}
		if err != nil {
			return err
		}
		ids, err := s.scores.Stale(ctx, object, m.ID, after, storeRows)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := s.scoreAndStore(ctx, m, object, ids); err != nil {
			return err
		}
		after = ids[len(ids)-1]
	}
	return jobs.Again
}

// scoreAndStore scores up to storeRows records and writes the scores of the open ones in one transaction.
func (s *Service) scoreAndStore(ctx context.Context, m *loaded, object string, ids []uuid.UUID) error {
	_, o, err := s.readable(ctx, object)
	if err != nil {
		return err
	}
	ctx = record.Whole(ctx) // a stored score is everybody's
	sc, err := s.scorer(ctx, m, object)
	if err != nil {
		return err
	}
	// The time before reading: a record changed after that is found stale again.
	at := s.clock()
	found, err := o.GetMany(ctx, ids)
	if err != nil {
		return err
	}
	list := sc.openOnes(ids, found)
	gets := make([]lookup, len(list))
	for i, r := range list {
		gets[i] = r.Get
	}
	results := sc.score(ctx, gets)
	if err := ctx.Err(); err != nil || len(results) == 0 {
		return err
	}
	return s.store(ctx, object, m, at, list, results)
}

// openOnes are the records worth storing a score on.
func (sc *scorer) openOnes(ids []uuid.UUID, found map[uuid.UUID]*record.Record) []*record.Record {
	var out []*record.Record
	for _, id := range ids {
		r := found[id]
		if r != nil && !r.Deleted() && slices.Contains(sc.target.open, r.Get(sc.target.status)) {
			out = append(out, r)
		}
	}
	return out
}

func (s *Service) store(ctx context.Context, object string, m *loaded, at time.Time, list []*record.Record, results []Result) error {
	scores := make([]Scored, len(results))
	for i, r := range results {
		scores[i] = r.stored(list[i].ID(), m)
		scores[i].At = at
	}
	ids := make([]uuid.UUID, len(list))
	for i, r := range list {
		ids[i] = r.ID()
	}
	return s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		written, err := s.scores.Store(ctx, tx, object, scores)
		if err != nil || written == 0 {
			return err
		}
		if err := s.k.Touched(ctx, object, ids...); err != nil {
			return err
		}
		return s.tell(ctx, tx, object, m, list, scores)
	})
}

// tell writes one journal row, however many scores there are: for a single record on its own timeline and only if the
// score moved, for a batch under the model's id.
func (s *Service) tell(ctx context.Context, tx pgx.Tx, object string, m *loaded, list []*record.Record, scores []Scored) error {
	if len(list) > 1 {
		_, err := s.k.Emit(ctx, tx, object, m.ID, actRescored, map[string]any{"count": len(list), "model_id": m.ID.String(), "model_version": m.Version})
		return err
	}
	before := list[0].Get("score")
	if n, ok := before.(int64); ok && int(n) == scores[0].Score {
		return nil
	}
	_, err := s.k.Emit(ctx, tx, object, scores[0].ID, actScored, map[string]any{"score": scores[0].Score, "before": before, "grade": scores[0].Grade, "model_id": m.ID.String()})
	return err
}
