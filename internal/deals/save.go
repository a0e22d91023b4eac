package deals

import (
	"context"
	"maps"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/record"
)

// beforeDeals is the hook every change of a deal goes through. It reads the
// catalog once and asks for ranks and names once for the whole batch.
func (s *Service) beforeDeals(ctx context.Context, tx pgx.Tx, changes []record.TypedChange[Deal]) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	cat, err := s.catalogFor(ctx, changes)
	if err != nil {
		return err
	}
	m := manner{now: s.now().UTC(), undoing: record.Undoing(ctx), history: a.Via == auth.ViaImport}
	for _, c := range changes {
		if err := prepare(cat, c, m); err != nil {
			return err
		}
	}
	if !m.undoing && !placedByHand(ctx) {
		if err := rankOnTop(ctx, tx, a.TenantID, changes); err != nil {
			return err
		}
	}
	if !m.history {
		return nil
	}
	return s.nameImported(ctx, changes)
}

// prepare applies the rules to one change and gives it the journal's word.
func prepare(cat *catalog, c record.TypedChange[Deal], m manner) error {
	g := givenIn(c.Change)
	st, err := cat.place(c.Old, c.New, g, m)
	if err != nil {
		return err
	}
	if err := settle(c.Old, c.New, st, g, m); err != nil {
		return err
	}
	word := wordFor(c.Old, c.New)
	if word == "" || m.undoing {
		return nil
	}
	c.Action = word
	// Stages get renamed and deleted; the journal keeps what they were called.
	c.Data = maps.Clone(c.Data)
	if c.Data == nil {
		c.Data = map[string]any{}
	}
	c.Data["to"] = st.Name
	if from := cat.stages[deref(c.Old.StageID)]; from != nil {
		c.Data["from"] = from.Name
	}
	return nil
}

// catalogFor makes the default pipeline when a deal needs one and the tenant has
// none, which happens to tenants from before it was made with them.
func (s *Service) catalogFor(ctx context.Context, changes []record.TypedChange[Deal]) (*catalog, error) {
	cat, err := s.loadCatalog(ctx)
	if err != nil || cat.fallback() != nil {
		return cat, err
	}
	for _, c := range changes {
		if c.New.PipelineID == nil && c.New.StageID == nil {
			if err := s.EnsureDefaultPipeline(ctx); err != nil {
				return nil, err
			}
			return s.loadCatalog(ctx)
		}
	}
	return cat, nil
}

// nameImported names deals of files that have no name column after what is sold
// to whom: "Acme – Widget", "Deal – Widget" or "Acme".
func (s *Service) nameImported(ctx context.Context, changes []record.TypedChange[Deal]) error {
	accounts, products := map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
	for _, c := range changes {
		if c.New.Name != "" {
			continue
		}
		accounts[deref(c.New.AccountID)], products[deref(c.New.ProductID)] = true, true
	}
	if len(accounts) == 0 {
		return nil
	}
	accountNames, err := s.titles(ctx, "account", keys(accounts))
	if err != nil {
		return err
	}
	productNames, err := s.titles(ctx, "product", keys(products))
	if err != nil {
		return err
	}
	for _, c := range changes {
		if c.New.Name == "" {
			c.New.Name = dealName(accountNames[deref(c.New.AccountID)], productNames[deref(c.New.ProductID)])
		}
	}
	return nil
}

func dealName(account, product string) string {
	if account == "" {
		account = "Deal"
	}
	if product == "" {
		return account
	}
	return strings.Join([]string{account, product}, " – ")
}

// keys lists the ids of a set, without the zero id.
func keys(set map[uuid.UUID]bool) []uuid.UUID {
	var out []uuid.UUID
	for id := range set {
		if id != uuid.Nil {
			out = append(out, id)
		}
	}
	return out
}
