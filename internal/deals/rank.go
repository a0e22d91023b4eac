package deals

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/deals/internal/dealsdb"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

const (
	// spacing is the gap between cards that are put in order one after the other.
	// Twenty cards can be squeezed into one such gap before it is spread out.
	spacing = 1024.0
	// closest is the least gap between two cards. Positions stay far below 2^33,
	// where neighbouring doubles are a millionth apart.
	closest = 1.0 / (1 << 10)
	// window is how many cards to each side are spread out at first.
	window = 32
)

type placedKey struct{}

// placedByHand reports whether the act under way has chosen the place itself. The
// position alone cannot tell: the chosen one may equal the old one.
func placedByHand(ctx context.Context) bool { return ctx.Value(placedKey{}) != nil }

// rankOnTop gives deals that enter a stage the top of it. Of several in one batch
// the later one lies higher.
func rankOnTop(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, changes []record.TypedChange[Deal]) error {
	wanted := map[uuid.UUID]bool{}
	for _, c := range changes {
		if entered(c.Old, c.New) {
			wanted[*c.New.StageID] = true
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	tops, err := dealsdb.New(tx).TopPositions(ctx, dealsdb.TopPositionsParams{TenantID: tenant, Stages: keys(wanted)})
	if err != nil {
		return err
	}
	next := map[uuid.UUID]float64{}
	for _, t := range tops {
		next[t.StageID] = t.Position - spacing
	}
	for _, c := range changes {
		if entered(c.Old, c.New) {
			p := next[*c.New.StageID]
			next[*c.New.StageID] = p - spacing
			c.New.Position = &p
		}
	}
	return nil
}

// between is a position between two neighbours, nil for "no card on that side".
// ok is false when no number fits.
func between(above, below *float64) (p float64, ok bool) {
	switch {
	case above == nil && below == nil:
		return 0, true
	case above == nil:
		return *below - spacing, true
	case below == nil:
		return *above + spacing, true
	}
	p = *above + (*below-*above)/2
	return p, p-*above >= closest && *below-p >= closest
}

// spaced gives n positions evenly between two bounds, nil for "open end". ok is
// false when they would lie too close for another card to fit between.
func spaced(lo, hi *float64, n int) (out []float64, ok bool) {
	first, step := 0.0, spacing
	switch {
	case lo != nil && hi != nil:
		step = (*hi - *lo) / float64(n+1)
		first = *lo + step
	case lo != nil:
		first = *lo + step
	case hi != nil:
		first = *hi - step*float64(n)
	}
	out = make([]float64, n)
	for i := range out {
		out[i] = first + step*float64(i)
	}
	return out, step >= 8*closest
}

// beside finds the place right above or below another card of the stage.
func (s *Service) beside(ctx context.Context, tx pgx.Tx, d *Deal, stage uuid.UUID, in MoveInput) (*float64, error) {
	field, other := "after", in.After
	if in.Before != nil {
		field, other = "before", in.Before
	}
	for range 2 {
		anchor, err := s.anchor(ctx, d, stage, field, *other)
		if err != nil {
			return nil, err
		}
		p, ok, err := squeeze(ctx, tx, d.ID, anchor, field == "before")
		if err != nil || ok {
			return &p, err
		}
		if err := s.spread(ctx, tx, d.ID, anchor); err != nil {
			return nil, err
		}
	}
	return nil, errs.New(errs.Conflict, "busy", "Somebody moved cards at the same place at the same moment. Try again.")
}

// anchor is the card to lie beside; it must be visible and in the stage.
func (s *Service) anchor(ctx context.Context, d *Deal, stage uuid.UUID, field string, id uuid.UUID) (*Deal, error) {
	anchor, err := s.Deals.Get(record.Whole(ctx), id)
	if errs.KindOf(err) == errs.NotFound {
		return nil, errs.Field(field, "unknown_deal", "There is no deal with this id to lie beside.")
	}
	if err != nil {
		return nil, err
	}
	if id == d.ID || !anchor.in(stage) || anchor.DeletedAt != nil {
		return nil, errs.Field(field, "other_stage", "Name another deal of the same stage.")
	}
	return anchor, nil
}

// squeeze looks for a position between the anchor and its neighbour.
func squeeze(ctx context.Context, tx pgx.Tx, moving uuid.UUID, anchor *Deal, above bool) (float64, bool, error) {
	beyond, err := neighbours(ctx, tx, moving, anchor, above, 1)
	if err != nil {
		return 0, false, err
	}
	var next *float64
	if len(beyond) > 0 {
		next = &beyond[0].position
	}
	if above {
		p, ok := between(next, anchor.Position)
		return p, ok, nil
	}
	p, ok := between(anchor.Position, next)
	return p, ok, nil
}

type card struct {
	id       uuid.UUID
	position float64
}

// neighbours are up to n cards above or below the anchor, nearest first, whoever
// may see them: the order of a stage is one for all.
func neighbours(ctx context.Context, tx pgx.Tx, moving uuid.UUID, anchor *Deal, above bool, n int) ([]card, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	p := dealsdb.CardsAboveParams{TenantID: a.TenantID, StageID: *anchor.StageID, Moving: moving, Position: *anchor.Position, ID: anchor.ID, Amount: int32(n)}
	var out []card
	if above {
		rows, err := dealsdb.New(tx).CardsAbove(ctx, p)
		for _, r := range rows {
			out = append(out, card{r.ID, r.Position})
		}
		return out, err
	}
	rows, err := dealsdb.New(tx).CardsBelow(ctx, dealsdb.CardsBelowParams(p))
	for _, r := range rows {
		out = append(out, card{r.ID, r.Position})
	}
	return out, err
}

// spread makes room around the anchor: the cards nearest to it are put evenly
// between the first ones that stay. The window grows until there is room; at the
// latest the whole stage is in it and its ends are open. It writes past the
// kernel on purpose: a new version would tell two hundred people's open pages
// that their deals changed, although the order did not.
func (s *Service) spread(ctx context.Context, tx pgx.Tx, moving uuid.UUID, anchor *Deal) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	for n := window; ; n *= 4 {
		above, err := neighbours(ctx, tx, moving, anchor, true, n+1)
		if err != nil {
			return err
		}
		below, err := neighbours(ctx, tx, moving, anchor, false, n+1)
		if err != nil {
			return err
		}
		above, lo := cut(above, n)
		below, hi := cut(below, n)
		slices.Reverse(above)
		cards := slices.Concat(above, []card{{anchor.ID, *anchor.Position}}, below)
		positions, ok := spaced(lo, hi, len(cards))
		if !ok {
			continue
		}
		ids := make([]uuid.UUID, len(cards))
		for i, c := range cards {
			ids[i] = c.id
		}
		if err := s.k.Touched(ctx, "deal", ids...); err != nil {
			return err
		}
		return dealsdb.New(tx).SetPositions(ctx, dealsdb.SetPositionsParams{TenantID: a.TenantID, Ids: ids, Positions: positions})
	}
}

// cut keeps n cards and gives the position of the first one beyond, if any.
func cut(cards []card, n int) ([]card, *float64) {
	if len(cards) <= n {
		return cards, nil
	}
	return cards[:n], &cards[n].position
}
