package deals_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"crm/internal/deals"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/money"
	"crm/internal/record"
)

// everything lists every living deal the actor may see, page by page.
func (w *world) everything(t testing.TB, ctx context.Context, f record.Filter) []*deals.Deal {
	t.Helper()
	var out []*deals.Deal
	for cursor := ""; ; {
		page := must(w.s.Deals.List(ctx, record.Query{Limit: record.MaxLimit, Cursor: cursor, Filter: f}))(t)
		for _, r := range page.Records {
			out = append(out, record.To[deals.Deal](r))
		}
		if cursor = page.Next; cursor == "" {
			return out
		}
	}
}

// sums is a recount: per stage and currency the number, the sum and the weight.
type sums map[string][3]int64

func (s sums) add(key string, amount, weighted *money.Amount) {
	v := s[key]
	v[0]++
	if amount != nil {
		v[1] += amount.Minor
		v[2] += weighted.Minor
	}
	s[key] = v
}

func recount(w *world, all []*deals.Deal) sums {
	out := sums{}
	for _, d := range all {
		stage := w.stageName(d.StageID)
		out.add(stage, nil, nil)
		if d.Amount != nil {
			out.add(stage+" "+d.Amount.Currency, d.Amount, d.WeightedAmount)
		}
	}
	return out
}

func shown(b *deals.Board) sums {
	out := sums{}
	for _, c := range b.Columns {
		if c.Count > 0 {
			out[c.Stage.Name] = [3]int64{c.Count, 0, 0}
		}
		for _, cur := range c.ByCurrency {
			out[c.Stage.Name+" "+cur.Sum.Currency] = [3]int64{cur.Count, cur.Sum.Minor, cur.Weighted.Minor}
		}
	}
	return out
}

// someday is a date in 2025 to 2027, or none.
func someday(r *rand.Rand) *time.Time {
	if r.IntN(5) == 0 {
		return nil
	}
	t := time.Date(2025, 1, 1+r.IntN(3*365), 0, 0, 0, 0, time.UTC)
	return &t
}

func randomAmount(r *rand.Rand) *money.Amount {
	if r.IntN(6) == 0 {
		return nil
	}
	return &money.Amount{Minor: r.Int64N(10_000_000), Currency: []string{"EUR", "EUR", "USD", "JPY"}[r.IntN(4)]}
}

// scatter makes n deals of the admin and the rep and leads them a random life.
func (w *world) scatter(t *testing.T, r *rand.Rand, n int) {
	t.Helper()
	names := []string{"Prospecting", "Engaging", "Proposal", "Negotiation", "Won", "Lost"}
	for i := range n {
		ctx := []context.Context{w.Admin, w.Rep}[r.IntN(2)]
		d := must(w.s.Deals.Create(ctx, &deals.Deal{Name: fmt.Sprintf("deal %d", i), Amount: randomAmount(r), ExpectedCloseDate: someday(r), Source: []string{"web", "fair"}[r.IntN(2)]}))(t)
		w.clock.set(time.Date(2025, 1, 1+r.IntN(3*365), r.IntN(24), 0, 0, 0, time.UTC))
		for range r.IntN(3) {
			stage := names[r.IntN(len(names))]
			in := deals.MoveInput{StageID: w.stages[stage]}
			if stage == "Lost" {
				in.LostReason = "x"
			}
			must(w.s.Move(ctx, d.ID, in))(t)
		}
		switch r.IntN(12) {
		case 0:
			must(w.s.Deals.One(w.Admin, record.Operation{Kind: record.OpDelete, ID: d.ID}))(t)
		case 1:
			must(w.s.Deals.One(ctx, record.Operation{Kind: record.OpUpdate, ID: d.ID, Patch: record.Patch{"forecast_category": nil, "amount": nil}}))(t)
		case 2:
			must(w.K.Undo(w.Admin, w.last(t, d.ID).Seq))(t)
		}
	}
}

// TestTotalsEqualARecount: whatever happened to the deals, board and forecast say
// what counting them one by one says, for everybody and with every filter.
func TestTotalsEqualARecount(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.scatter(t, rand.New(rand.NewPCG(seed, 2026)), 150)
			for who, ctx := range map[string]context.Context{"admin": w.Admin, "manager": w.Manager, "rep": w.Rep} {
				for _, query := range []string{"", "source=web", "amount[gt]=20000&status=open", "name[contains]=7"} {
					f := must(w.s.Deals.ParseFilter(ctx, must(url.ParseQuery(query))(t)))(t)
					all := w.everything(t, ctx, f)
					b := must(w.s.Board(ctx, deals.BoardInput{Limit: 5, Query: record.Query{Filter: f}}))(t)
					if diff := cmp.Diff(recount(w, all), shown(b)); diff != "" {
						t.Errorf("board of %s with %q (-recount +board):\n%s", who, query, diff)
					}
					for _, period := range []string{deals.Month, deals.Quarter, deals.Year} {
						got := must(w.s.Forecast(ctx, deals.ForecastInput{Period: period, GroupBy: deals.ByOwner, Query: record.Query{Filter: f}}))(t)
						if diff := cmp.Diff(recountForecast(period, all), shownForecast(got)); diff != "" {
							t.Errorf("%s forecast of %s with %q (-recount +forecast):\n%s", period, who, query, diff)
						}
					}
				}
			}
			if mine, all := w.everything(t, w.Rep, record.Filter{}), w.everything(t, w.Admin, record.Filter{}); len(mine) == 0 || len(mine) >= len(all) {
				t.Fatalf("the rep sees %d of %d deals", len(mine), len(all))
			}
		})
	}
}

// recountForecast sums in Go: label, owner, currency → closed, commit, best case,
// pipeline, weighted, count.
func recountForecast(period string, all []*deals.Deal) map[string][6]int64 {
	out := map[string][6]int64{}
	for _, d := range all {
		if d.Status == deals.Lost || d.ForecastCategory == deals.CategoryOmitted {
			continue
		}
		at := d.ExpectedCloseDate
		if d.Status == deals.Won {
			at = d.ClosedAt
		}
		key := label(period, at) + " " + d.OwnerID.String()
		count := out[key]
		count[5]++
		out[key] = count
		if d.Amount == nil {
			continue
		}
		key += " " + d.Amount.Currency
		v := out[key]
		v[map[string]int{"closed": 0, "commit": 1, "best_case": 2, "pipeline": 3}[d.ForecastCategory]] += d.Amount.Minor
		v[4] += d.WeightedAmount.Minor
		v[5]++
		out[key] = v
	}
	return out
}

func label(period string, at *time.Time) string {
	switch {
	case at == nil:
		return "No date"
	case period == deals.Year:
		return at.Format("2006")
	case period == deals.Quarter:
		return fmt.Sprintf("%d Q%d", at.Year(), (int(at.Month())-1)/3+1)
	}
	return at.Format("2006-01")
}

func shownForecast(f *deals.Forecast) map[string][6]int64 {
	out := map[string][6]int64{}
	for _, row := range f.Rows {
		key := row.Label + " " + row.Key.String()
		out[key] = [6]int64{5: row.Count}
		for _, o := range row.ByCurrency {
			out[key+" "+o.Closed.Currency] = [6]int64{o.Closed.Minor, o.Commit.Minor, o.BestCase.Minor, o.Pipeline.Minor, o.Weighted.Minor, o.Count}
		}
	}
	return out
}

func TestForecastBuckets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	day := func(s string) *time.Time {
		d := must(time.Parse(time.DateOnly, s))(t)
		return &d
	}
	add := func(stage, closed, expected string, amount int64, currency string) {
		t.Helper()
		st := w.stages[stage]
		d := &deals.Deal{Name: stage + closed + expected, StageID: &st, Amount: &money.Amount{Minor: amount, Currency: currency}}
		if closed != "" {
			d.ClosedAt = day(closed)
		}
		if expected != "" {
			d.ExpectedCloseDate = day(expected)
		}
		must(w.s.Deals.Create(importing(w.Rep), d))(t)
	}
	add("Won", "2026-03-31", "", 1000, "EUR")
	add("Won", "2026-04-01", "", 2000, "EUR")
	add("Won", "2026-06-30", "", 500, "USD")
	add("Negotiation", "", "2026-06-30", 10_000, "EUR") // commit, 80 %
	add("Proposal", "", "2026-05-05", 4000, "EUR")      // best case, 50 %
	add("Prospecting", "", "2026-07-01", 3000, "EUR")   // pipeline, 10 %
	add("Engaging", "", "", 700, "EUR")
	add("Lost", "2026-05-01", "2026-05-01", 9000, "EUR")
	f := must(w.s.Forecast(w.Rep, deals.ForecastInput{Period: deals.Quarter}))(t)
	var labels []string
	for _, r := range f.Rows {
		labels = append(labels, r.Label)
	}
	if diff := cmp.Diff([]string{"2026 Q1", "2026 Q2", "2026 Q3", "No date"}, labels); diff != "" {
		t.Fatal(diff)
	}
	q2 := f.Rows[1]
	if f.Currency != "EUR" || q2.Count != 4 || q2.Closed.Minor != 2000 || q2.Commit.Minor != 10_000 || q2.BestCase.Minor != 4000 || q2.Pipeline.Minor != 0 ||
		q2.Weighted.Minor != 2000+8000+2000 || len(q2.ByCurrency) != 2 || q2.ByCurrency[1].Closed.Minor != 500 || q2.ByCurrency[1].Closed.Currency != "USD" {
		t.Fatalf("second quarter %+v", q2)
	}
	if !q2.Start.Equal(*day("2026-04-01")) || !q2.End.Equal(*day("2026-07-01")) {
		t.Fatalf("from %v to %v", q2.Start, q2.End)
	}
	some := must(w.s.Forecast(w.Rep, deals.ForecastInput{Period: deals.Month, Since: day("2026-06-01"), Until: day("2026-07-01"), GroupBy: deals.ByStage}))(t)
	if len(some.Rows) != 2 || some.Rows[0].Label != "2026-06" || some.Rows[0].Name == "" {
		t.Fatalf("june %+v", some.Rows)
	}
	owners := must(w.s.Forecast(w.Admin, deals.ForecastInput{Period: deals.Year, GroupBy: deals.ByOwner}))(t)
	if len(owners.Rows) != 2 || owners.Rows[0].Name != "Rita Rep" || *owners.Rows[0].Key != w.RepID {
		t.Fatalf("by owner %+v", owners.Rows)
	}
	if none := must(w.s.Forecast(w.Other, deals.ForecastInput{}))(t); len(none.Rows) != 0 {
		t.Fatalf("another tenant sees %+v", none.Rows)
	}
	_, err := w.s.Forecast(w.Admin, deals.ForecastInput{Period: "week"})
	wantKind(t, err, errs.Malformed)
	_, err = w.s.Forecast(w.Admin, deals.ForecastInput{PipelineID: id.New()})
	wantKind(t, err, errs.NotFound)
	_, err = w.s.Forecast(w.Other, deals.ForecastInput{PipelineID: w.pipeline})
	wantKind(t, err, errs.NotFound)
}

func TestBoardOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deal(t, w.Admin, "of the admin", "Engaging")
	w.deal(t, w.Rep, "of the rep", "Engaging")
	for who, want := range map[string]int{"admin": 2, "manager": 2, "rep": 1} {
		ctx := map[string]context.Context{"admin": w.Admin, "manager": w.Manager, "rep": w.Rep}[who]
		if got := w.onBoard(t, ctx, "Engaging"); len(got) != want {
			t.Errorf("%s sees %v", who, got)
		}
	}
	_, err := w.s.Board(w.Other, deals.BoardInput{PipelineID: w.pipeline})
	wantKind(t, err, errs.NotFound)
	_, err = w.s.Board(w.Other, deals.BoardInput{PipelineID: uuid.Nil})
	wantKind(t, err, errs.NotFound) // it has none yet
	_, err = w.s.Board(w.Admin, deals.BoardInput{Limit: 201})
	wantKind(t, err, errs.Malformed)
	b := must(w.s.Board(w.Admin, deals.BoardInput{Limit: 1, Query: record.Query{Search: "admin"}}))(t)
	if b.Open.Count != 1 || b.Open.Sum != *eur(100_000) || b.Open.Weighted != *eur(30_000) || len(b.Columns) != 6 {
		t.Fatalf("searched %+v", b)
	}
}
