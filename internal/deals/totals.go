package deals

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/money"
	"crm/internal/record"
)

// CurrencyTotal is a sum over deals in one currency.
type CurrencyTotal struct {
	Count         int64
	Sum, Weighted money.Amount
}

// Totals is a sum over deals that may have several currencies. Amounts of
// different currencies are never added: Sum and Weighted are in the currency of
// the whole answer, ByCurrency tells of every one that occurs, that one first.
// Count is all deals, also those without an amount.
type Totals struct {
	Count         int64
	Sum, Weighted money.Amount
	ByCurrency    []CurrencyTotal
}

func emptyTotals(currency string) Totals {
	zero := money.Amount{Currency: currency}
	return Totals{Sum: zero, Weighted: zero}
}

// add counts n deals of one currency in; "" is the currency of deals without an
// amount.
func (t *Totals) add(currency string, n, sum, weighted int64) {
	t.Count += n
	if currency == "" {
		return
	}
	if currency == t.Sum.Currency {
		t.Sum.Minor += sum
		t.Weighted.Minor += weighted
	}
	i := slices.IndexFunc(t.ByCurrency, func(c CurrencyTotal) bool { return c.Sum.Currency == currency })
	if i < 0 {
		i = len(t.ByCurrency)
		zero := money.Amount{Currency: currency}
		t.ByCurrency = append(t.ByCurrency, CurrencyTotal{Sum: zero, Weighted: zero})
	}
	c := &t.ByCurrency[i]
	c.Count += n
	c.Sum.Minor += sum
	c.Weighted.Minor += weighted
	slices.SortStableFunc(t.ByCurrency, func(a, b CurrencyTotal) int {
		return byCurrency(t.Sum.Currency, a.Sum.Currency, b.Sum.Currency)
	})
}

// byCurrency orders currencies by name, the primary one first.
func byCurrency(primary, a, b string) int {
	switch {
	case a == b:
		return 0
	case a == primary:
		return -1
	case b == primary:
		return 1
	}
	return cmp.Compare(a, b)
}

// primaryCurrency is the one an answer shows first: the pipeline's, else the
// tenant's, if any deal has it, else the one most deals have. counts is deals by
// currency.
func primaryCurrency(counts map[string]int64, wanted ...string) string {
	for _, c := range wanted {
		if counts[c] > 0 && c != "" {
			return c
		}
	}
	best := ""
	for c, n := range counts {
		if c != "" && (best == "" || n > counts[best] || n == counts[best] && c < best) {
			best = c
		}
	}
	return cmp.Or(best, cmp.Or(wanted...), "USD")
}

// reach is the actor's scope over deals as arguments of the totals' SQL. It says
// the same as the kernel's predicate for lists.
type reach struct {
	tenant, me          uuid.UUID
	everyone, own, team bool // exactly one is true
	owners, teams       []uuid.UUID
	ids                 []uuid.UUID // the deals a filter leaves; nil = no filter
}

func filtered(q record.Query) bool {
	return q.Search != "" || q.Filter.Cond != nil || len(q.Filter.All)+len(q.Filter.Any) > 0
}

// maxFiltered is how many deals a filter may leave for totals.
const maxFiltered = 500_000

// made refuses an answer to a role that does not have the fields it is made of:
// a column or a sum would tell of what is hidden.
func (s *Service) made(ctx context.Context, of ...string) error {
	def, err := s.k.Definition(ctx, "deal")
	if err == nil && !def.Has(of...) {
		err = errs.New(errs.Forbidden, "field_forbidden", "This is made of fields of the deal that your role does not have. Use the list, or ask an admin.")
	}
	return err
}

// sums reports which sums over deals the actor may have.
func (s *Service) sums(ctx context.Context) (amount, weighted bool, err error) {
	def, err := s.k.Definition(ctx, "deal")
	if err != nil {
		return false, false, err
	}
	amount = def.Has("amount")
	return amount, amount && def.Has("weighted_amount", "probability"), nil
}

// reachOf finds out which deals totals may count. A filter is compiled by the
// kernel, which knows the grammar and the rights; it answers with ids.
func (s *Service) reachOf(ctx context.Context, q record.Query) (reach, error) {
	a, scope, err := auth.Require(ctx, "deal", auth.Read)
	if err != nil {
		return reach{}, err
	}
	r := reach{
		tenant: a.TenantID, me: a.ID, owners: a.TeamUsers, teams: a.TeamIDs,
		everyone: scope == auth.All, own: scope == auth.Own, team: scope == auth.Team,
	}
	if !filtered(q) {
		return r, nil
	}
	r.ids, err = s.Deals.IDs(ctx, record.Query{Filter: q.Filter, Search: q.Search}, maxFiltered+1)
	if len(r.ids) > maxFiltered {
		return r, errs.New(errs.Malformed, "filter_too_wide", "More than %d deals match. Narrow the filter.", maxFiltered)
	}
	if r.ids == nil {
		r.ids = []uuid.UUID{}
	}
	return r, err
}
