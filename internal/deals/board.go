package deals

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/deals/internal/dealsdb"
	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// BoardInput says what the board shows.
type BoardInput struct {
	PipelineID uuid.UUID    // zero: the default pipeline
	Limit      int          // cards per column, 1 to 200; 0 = 50
	Query      record.Query // Filter and Search only
}

// Column is a stage with its cards. Totals count every deal of the stage the
// actor may see and the filter leaves, Deals are the uppermost of them.
type Column struct {
	Stage *Stage
	Totals
	Deals []*record.Record
}

// Board is a pipeline by stages. Open sums up the columns of open stages.
type Board struct {
	Pipeline *Pipeline
	Currency string
	Columns  []Column
	Open     Totals
}

// Board returns the columns of a pipeline, open stages first. A deleted stage
// that still holds deals has a column too: no deal may be out of sight.
func (s *Service) Board(ctx context.Context, in BoardInput) (*Board, error) {
	if in.Limit == 0 {
		in.Limit = record.DefaultLimit
	}
	if in.Limit < 1 || in.Limit > record.MaxLimit {
		return nil, errs.New(errs.Malformed, "bad_parameter", "limit must be between 1 and %d.", record.MaxLimit)
	}
	if err := s.made(ctx, "pipeline_id", "stage_id", "status"); err != nil {
		return nil, err
	}
	r, err := s.reachOf(ctx, in.Query)
	if err != nil {
		return nil, err
	}
	cat, p, err := s.pipelineForBoard(ctx, in.PipelineID)
	if err != nil {
		return nil, err
	}
	return s.readBoard(ctx, p, cat.steps[p.ID], r, in)
}

func (s *Service) pipelineForBoard(ctx context.Context, id uuid.UUID) (*catalog, *Pipeline, error) {
	cat, err := s.loadCatalog(ctx)
	if err != nil {
		return nil, nil, err
	}
	p := cat.pipelines[id]
	if id == uuid.Nil {
		p = cat.fallback()
	}
	if p == nil || !p.alive() {
		return nil, nil, errs.Missing("pipeline")
	}
	return cat, p, nil
}

// readBoard asks for totals and the uppermost cards in one round trip, and for the
// cards' fields in a second one.
func (s *Service) readBoard(ctx context.Context, p *Pipeline, steps []*Stage, r reach, in BoardInput) (*Board, error) {
	stages := make([]uuid.UUID, len(steps))
	for i, st := range steps {
		stages[i] = st.ID
	}
	queries := []db.Query{dealsdb.BoardTotalsParams{TenantID: r.tenant, Stages: stages, Everyone: r.everyone, Own: r.own, Me: r.me, Team: r.team, Owners: r.owners, Teams: r.teams, Ids: r.ids}.Query()}
	if !filtered(in.Query) {
		queries = append(queries, dealsdb.BoardCardsParams{TenantID: r.tenant, Stages: stages, Everyone: r.everyone, Own: r.own, Me: r.me, Team: r.team, Owners: r.owners, Teams: r.teams, Amount: int32(in.Limit)}.Query())
	}
	var totals []dealsdb.BoardTotalsRow
	var cards []dealsdb.BoardCardsRow
	err := s.k.DB.ReadMany(ctx, queries, func(i int, rows pgx.Rows) (err error) {
		if i == 0 {
			totals, err = pgx.CollectRows(rows, pgx.RowToStructByPos[dealsdb.BoardTotalsRow])
			return err
		}
		cards, err = pgx.CollectRows(rows, pgx.RowToStructByPos[dealsdb.BoardCardsRow])
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.withhold(ctx, totals); err != nil {
		return nil, err
	}
	b := newBoard(auth.From(ctx).Currency, p, steps, totals)
	if filtered(in.Query) {
		return b, s.fillFiltered(ctx, b, in)
	}
	return b, s.fill(ctx, b, cards)
}

// withhold empties the sums that the actor may not have; how many deals there are it
// sees anyway.
func (s *Service) withhold(ctx context.Context, totals []dealsdb.BoardTotalsRow) error {
	amount, weighted, err := s.sums(ctx)
	for i := range totals {
		if !amount {
			totals[i].Currency, totals[i].Amount = "", 0
		}
		if !weighted {
			totals[i].Weighted = 0
		}
	}
	return err
}

// newBoard makes the columns with their totals.
func newBoard(currency string, p *Pipeline, steps []*Stage, totals []dealsdb.BoardTotalsRow) *Board {
	counts := map[string]int64{}
	for _, t := range totals {
		counts[t.Currency] += t.Deals
	}
	b := &Board{Pipeline: p, Currency: primaryCurrency(counts, p.Currency, currency)}
	b.Open = emptyTotals(b.Currency)
	for _, st := range steps {
		col := Column{Stage: st, Totals: emptyTotals(b.Currency)}
		for _, t := range totals {
			if t.StageID != st.ID {
				continue
			}
			col.add(t.Currency, t.Deals, t.Amount, t.Weighted)
			if st.Kind == Open {
				b.Open.add(t.Currency, t.Deals, t.Amount, t.Weighted)
			}
		}
		if st.alive() || col.Count > 0 {
			b.Columns = append(b.Columns, col)
		}
	}
	return b
}

// fill reads the cards of every column at once.
func (s *Service) fill(ctx context.Context, b *Board, cards []dealsdb.BoardCardsRow) error {
	ids := make([]uuid.UUID, len(cards))
	for i, c := range cards {
		ids[i] = c.ID
	}
	records, err := s.Deals.GetMany(ctx, ids)
	if err != nil {
		return err
	}
	for i := range b.Columns {
		col := &b.Columns[i]
		for _, c := range cards {
			// A card may have gone between the two reads.
			if r := records[c.ID]; c.StageID == col.Stage.ID && r != nil {
				col.Deals = append(col.Deals, r)
			}
		}
	}
	return nil
}

// fillFiltered reads each column as a list: it ends after a column's worth of
// matches, while handing the database every id that matches would not.
func (s *Service) fillFiltered(ctx context.Context, b *Board, in BoardInput) error {
	for i := range b.Columns {
		col := &b.Columns[i]
		if col.Count == 0 {
			continue
		}
		page, err := s.Deals.List(ctx, record.Query{
			Limit: in.Limit, Prefer: "position", Search: in.Query.Search,
			Filter: record.Filter{All: []record.Filter{s.Deals.Where("stage_id", record.Eq, col.Stage.ID), in.Query.Filter}},
		})
		if err != nil {
			return err
		}
		col.Deals = page.Records
	}
	return nil
}
