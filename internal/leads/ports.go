package leads

import (
	"context"
	"time"

	"github.com/google/uuid"

	"crm/internal/record"
)

// Accounts finds and makes companies, within what the actor may see and do. A
// finder returns nil when there is none. FindAccountByDomain also takes a web
// address.
type Accounts interface {
	FindAccountByDomain(ctx context.Context, domain string) (*uuid.UUID, error)
	FindAccountByName(ctx context.Context, name string) (*uuid.UUID, error)
	CreateAccount(ctx context.Context, values record.Patch) (uuid.UUID, error)
}

// Contacts finds and makes people, within what the actor may see and do.
type Contacts interface {
	FindContactByEmail(ctx context.Context, email string) (*uuid.UUID, error)
	CreateContact(ctx context.Context, values record.Patch) (uuid.UUID, error)
}

// Deals opens deals. The maker fills in what the values leave out: the default
// pipeline and its first stage.
type Deals interface {
	CreateDeal(ctx context.Context, values record.Patch) (uuid.UUID, error)
}

// Limiter counts events by key. Allow returns 0 when one more is fine, else how
// long to wait.
type Limiter interface {
	Allow(ctx context.Context, key string) time.Duration
}
