package deals

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/deals/internal/dealsdb"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/money"
	"crm/internal/record"
)

// Periods and groupings of a forecast.
const (
	Month   = "month"
	Quarter = "quarter"
	Year    = "year"

	ByNone  = "none"
	ByOwner = "owner"
	ByStage = "stage"
)

// ForecastInput says what the forecast covers. Periods are those of UTC.
type ForecastInput struct {
	Period     string       // Month, Quarter or Year; "" = Month
	GroupBy    string       // ByNone, ByOwner or ByStage; "" = ByNone
	PipelineID uuid.UUID    // zero: every pipeline
	Since      *time.Time   // only from this day on; deals without a date are then left out
	Until      *time.Time   // only before this day; likewise
	Query      record.Query // Filter and Search only
}

// Outlook is what deals of one currency bring. Closed is won; Commit, BestCase
// and Pipeline are the open deals by forecast category, none of them in two.
// Weighted is what to expect of all four: won deals in full, open ones by their
// probability.
type Outlook struct {
	Count                                        int64
	Closed, Commit, BestCase, Pipeline, Weighted money.Amount
}

// ForecastRow is one period, of one owner or stage when grouped. Start is nil for
// open deals without an expected close. The Outlook is in the currency of the
// forecast, though Count is all deals; ByCurrency has every currency, that one
// first.
type ForecastRow struct {
	Start, End *time.Time // Start ≤ t < End
	Label      string
	Key        *uuid.UUID // owner or stage; nil for nobody and when not grouped
	Name       string
	Outlook
	ByCurrency []Outlook
}

// Forecast is the rows in order of time.
type Forecast struct {
	Period, GroupBy, Currency string
	Rows                      []ForecastRow
}

// Forecast sums up what each period has brought and is expected to bring, over
// every deal the actor may see: won deals by closed_at, open ones by
// expected_close_date. Lost deals and the category omitted do not count.
func (s *Service) Forecast(ctx context.Context, in ForecastInput) (*Forecast, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	if err := s.made(ctx, "amount", "weighted_amount", "probability", "forecast_category", "status", "stage_id", "pipeline_id", "expected_close_date", "closed_at"); err != nil {
		return nil, err
	}
	r, err := s.reachOf(ctx, in.Query)
	if err != nil {
		return nil, err
	}
	cat, err := s.loadCatalog(ctx)
	if err != nil {
		return nil, err
	}
	if in.PipelineID != uuid.Nil && cat.pipelines[in.PipelineID] == nil {
		return nil, errs.Missing("pipeline")
	}
	rows, err := s.readForecast(ctx, in, r, cat)
	if err != nil {
		return nil, err
	}
	names, err := s.forecastNames(ctx, in.GroupBy, cat, rows)
	if err != nil {
		return nil, err
	}
	return newForecast(in, rows, names, cat.currencyOf(in.PipelineID), auth.From(ctx).Currency), nil
}

func (in *ForecastInput) check() error {
	if in.Period == "" {
		in.Period = Month
	}
	if in.GroupBy == "" {
		in.GroupBy = ByNone
	}
	if !slices.Contains([]string{Month, Quarter, Year}, in.Period) {
		return errs.New(errs.Malformed, "bad_parameter", "period is month, quarter or year.")
	}
	if !slices.Contains([]string{ByNone, ByOwner, ByStage}, in.GroupBy) {
		return errs.New(errs.Malformed, "bad_parameter", "group_by is owner, stage or none.")
	}
	return nil
}

func (s *Service) readForecast(ctx context.Context, in ForecastInput, r reach, cat *catalog) (out []dealsdb.ForecastRow, err error) {
	stages := []uuid.UUID{}
	for id, st := range cat.stages {
		if in.PipelineID == uuid.Nil || *st.PipelineID == in.PipelineID {
			stages = append(stages, id)
		}
	}
	q := dealsdb.ForecastParams{
		Period: in.Period, Grouping: in.GroupBy, TenantID: r.tenant, Stages: stages, Since: in.Since, Until: in.Until,
		Everyone: r.everyone, Own: r.own, Me: r.me, Team: r.team, Owners: r.owners, Teams: r.teams, Ids: r.ids,
	}
	err = s.k.DB.Read(ctx, q.Query(), func(rows pgx.Rows) (err error) {
		out, err = pgx.CollectRows(rows, pgx.RowToStructByPos[dealsdb.ForecastRow])
		return err
	})
	return out, err
}

// forecastNames finds what the groups are called.
func (s *Service) forecastNames(ctx context.Context, groupBy string, cat *catalog, rows []dealsdb.ForecastRow) (map[uuid.UUID]string, error) {
	set := map[uuid.UUID]bool{}
	for _, r := range rows {
		set[r.Key] = true
	}
	if groupBy == ByOwner {
		return s.titles(ctx, "user", keys(set))
	}
	names := map[uuid.UUID]string{}
	for id := range set {
		if st := cat.stages[id]; st != nil {
			names[id] = st.Name
		}
	}
	return names, nil
}

// currencyOf is the pipeline's own currency, "" for none.
func (c *catalog) currencyOf(pipeline uuid.UUID) string {
	if p := c.pipelines[pipeline]; p != nil {
		return p.Currency
	}
	return ""
}

func newForecast(in ForecastInput, rows []dealsdb.ForecastRow, names map[uuid.UUID]string, wanted ...string) *Forecast {
	counts := map[string]int64{}
	for _, r := range rows {
		counts[r.Currency] += r.Deals
	}
	f := &Forecast{Period: in.Period, GroupBy: in.GroupBy, Currency: primaryCurrency(counts, wanted...)}
	for i, r := range rows {
		// Rows of one period and group follow each other, one per currency.
		if i == 0 || !r.Start.Equal(rows[i-1].Start) || r.Key != rows[i-1].Key {
			f.Rows = append(f.Rows, newForecastRow(in.Period, r, names, f.Currency))
		}
		f.Rows[len(f.Rows)-1].add(r)
	}
	noDateLast(f.Rows)
	return f
}

// noDateLast moves the rows without a period, which sort first in SQL, to the end.
func noDateLast(rows []ForecastRow) {
	slices.SortStableFunc(rows, func(a, b ForecastRow) int {
		switch {
		case (a.Start == nil) == (b.Start == nil):
			return 0
		case a.Start == nil:
			return 1
		}
		return -1
	})
}

func newForecastRow(period string, r dealsdb.ForecastRow, names map[uuid.UUID]string, currency string) ForecastRow {
	row := ForecastRow{Outlook: emptyOutlook(currency), Label: "No date", Name: names[r.Key]}
	if r.Key != uuid.Nil {
		row.Key = &r.Key
	}
	if start := r.Start.UTC(); start.Year() > 1 {
		end, label := span(period, start)
		row.Start, row.End, row.Label = &start, &end, label
	}
	return row
}

// span is the end and the name of the period that begins at start.
func span(period string, start time.Time) (end time.Time, label string) {
	switch period {
	case Year:
		return start.AddDate(1, 0, 0), start.Format("2006")
	case Quarter:
		return start.AddDate(0, 3, 0), fmt.Sprintf("%d Q%d", start.Year(), (int(start.Month())+2)/3)
	}
	return start.AddDate(0, 1, 0), start.Format("2006-01")
}

func emptyOutlook(currency string) Outlook {
	zero := money.Amount{Currency: currency}
	return Outlook{Closed: zero, Commit: zero, BestCase: zero, Pipeline: zero, Weighted: zero}
}

func (row *ForecastRow) add(r dealsdb.ForecastRow) {
	row.Count += r.Deals
	if r.Currency == "" {
		return
	}
	in := func(minor int64) money.Amount { return money.Amount{Minor: minor, Currency: r.Currency} }
	o := Outlook{Count: r.Deals, Closed: in(r.Closed), Commit: in(r.Commit), BestCase: in(r.BestCase), Pipeline: in(r.Pipeline), Weighted: in(r.Weighted)}
	primary := row.Closed.Currency
	if r.Currency == primary {
		count := row.Count
		row.Outlook = o
		row.Count = count
	}
	row.ByCurrency = append(row.ByCurrency, o)
	slices.SortStableFunc(row.ByCurrency, func(a, b Outlook) int { return byCurrency(primary, a.Closed.Currency, b.Closed.Currency) })
}
