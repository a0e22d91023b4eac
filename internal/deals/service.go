package deals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/record"
)

// Deps are what the service needs.
type Deps struct {
	Kernel *record.Kernel
	Now    func() time.Time
}

// Service is the face of deals to the rest of the program. The stores serve plain
// reads and changes, with the rules of this package behind them; the methods are
// the acts that are more than a change of fields.
type Service struct {
	Pipelines *record.Store[Pipeline]
	Stages    *record.Store[Stage]
	Products  *record.Store[Product]
	Deals     *record.Store[Deal]

	k   *record.Kernel
	now func() time.Time
}

// New registers pipelines, stages, products and deals and returns the service.
func New(d Deps) (*Service, error) {
	s := &Service{k: d.Kernel, now: d.Now}
	if err := s.register(d.Kernel); err != nil {
		return nil, fmt.Errorf("register deals: %w", err)
	}
	return s, nil
}

func (s *Service) register(k *record.Kernel) error {
	var errPipelines, errStages, errProducts, errDeals error
	s.Pipelines, errPipelines = record.Register[Pipeline](k, record.Definition{
		Name: "pipeline", Plural: "pipelines", Label: "Pipeline", LabelPlural: "Pipelines", System: true, NoSearch: true,
		DefaultSort: "position", ListFields: []string{"name", "currency", "is_default", "position"},
	}, record.HooksFor[Pipeline]{Before: s.beforePipelines})
	s.Stages, errStages = record.Register[Stage](k, record.Definition{
		Name: "stage", Plural: "stages", Label: "Stage", LabelPlural: "Stages", System: true, NoSearch: true,
		DefaultSort: "position", ListFields: []string{"name", "pipeline_id", "kind", "probability", "position", "stale_days"},
	}, record.HooksFor[Stage]{Before: s.beforeStages})
	s.Products, errProducts = record.Register[Product](k, record.Definition{
		Name: "product", Plural: "products", Label: "Product", LabelPlural: "Products",
		DefaultSort: "name", ListFields: []string{"name", "code", "family", "price", "active"},
	}, record.HooksFor[Product]{})
	s.Deals, errDeals = record.Register[Deal](k, record.Definition{
		Name: "deal", Plural: "deals", Label: "Deal", LabelPlural: "Deals", Owned: true,
		ListFields: []string{"name", "account_id", "stage_id", "amount", "probability", "expected_close_date", "owner_id", "next_activity_at"},
	}, record.HooksFor[Deal]{Before: s.beforeDeals, Refs: refs})
	return errors.Join(errPipelines, errStages, errProducts, errDeals)
}

// errUnchanged ends an act that has nothing to do; it never leaves the package.
var errUnchanged = errors.New("the deal is already there")

// act runs fn on the locked deal and saves it under the act's name. When fn
// returns errUnchanged, nothing is written and the deal is returned as it is.
func (s *Service) act(ctx context.Context, id uuid.UUID, act record.Act, fn func(ctx context.Context, tx pgx.Tx, d *Deal) error) (*Deal, error) {
	var current *Deal
	out, err := s.Deals.Change(ctx, id, act, func(ctx context.Context, tx pgx.Tx, d *Deal) error {
		current = d
		return fn(ctx, tx, d)
	})
	if errors.Is(err, errUnchanged) {
		return current, nil
	}
	return out, err
}

// asProduct lets the product itself do what the actor's change needs but the
// actor's role may not allow, such as making the default pipeline. The journal
// names the actor all the same.
func asProduct(ctx context.Context) context.Context {
	return auth.As(ctx, func(a *auth.Actor) { a.Grants = auth.AllGrants() })
}

// titles names records of another context's object, as far as the actor may see
// them; the rest is left out.
func (s *Service) titles(ctx context.Context, object string, ids []uuid.UUID) (map[uuid.UUID]string, error) {
	out := map[uuid.UUID]string{}
	o, ok := s.k.Object(object)
	a := auth.From(ctx)
	if !ok || len(ids) == 0 || a == nil || a.Grants.Scope(object, auth.Read) == auth.None {
		return out, nil
	}
	found, err := o.GetMany(ctx, ids)
	for id, r := range found {
		out[id] = r.Title()
	}
	return out, err
}
