package contacts

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"crm/internal/record"
)

// FindAccountByDomain returns the oldest living company with this domain that
// the actor may see, or nil. The domain may be given as an address or an e-mail
// address; hosts that many companies share match nothing.
func (s *Service) FindAccountByDomain(ctx context.Context, domain string) (*uuid.UUID, error) {
	domain = Domain(domain)
	if domain == "" || sharedHost(domain) {
		return nil, nil
	}
	return oldest(ctx, s.Accounts, "domain", domain)
}

// FindAccountByName returns the oldest living company of exactly this name that
// the actor may see, or nil.
func (s *Service) FindAccountByName(ctx context.Context, name string) (*uuid.UUID, error) {
	return oldest(ctx, s.Accounts, "name", strings.TrimSpace(name))
}

// FindContactByEmail returns the oldest living contact whose primary address
// this is and whom the actor may see, or nil.
func (s *Service) FindContactByEmail(ctx context.Context, email string) (*uuid.UUID, error) {
	address, ok := record.NormalEmail(strings.TrimSpace(email))
	if !ok {
		return nil, nil
	}
	return oldest(ctx, s.Contacts, "email", address)
}

// oldest finds by one field; the first record made is the one others merge into.
func oldest[T any](ctx context.Context, store *record.Store[T], field, value string) (*uuid.UUID, error) {
	if value == "" {
		return nil, nil
	}
	page, err := store.List(ctx, record.Query{Limit: 1, Sort: "created_at", Filter: store.Where(field, record.Eq, value)})
	if err != nil || len(page.Records) == 0 {
		return nil, err
	}
	id := page.Records[0].ID()
	return &id, nil
}

// CreateAccount makes a company from canonical values and returns its id.
func (s *Service) CreateAccount(ctx context.Context, values record.Patch) (uuid.UUID, error) {
	return create(ctx, s.Accounts.Object, values)
}

// CreateContact makes a contact from canonical values and returns its id.
func (s *Service) CreateContact(ctx context.Context, values record.Patch) (uuid.UUID, error) {
	return create(ctx, s.Contacts.Object, values)
}

func create(ctx context.Context, object *record.Object, values record.Patch) (uuid.UUID, error) {
	res, err := object.One(ctx, record.Operation{Kind: record.OpCreate, Patch: values})
	if err != nil {
		return uuid.Nil, err
	}
	return res.Record.ID(), nil
}
