package leads

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"crm/internal/record"
)

// Deps are what the service needs. Limit may be nil: then each process counts
// submissions for itself.
type Deps struct {
	Kernel   *record.Kernel
	Now      func() time.Time
	Log      *slog.Logger
	Accounts Accounts
	Contacts Contacts
	Deals    Deals
	Limit    Limiter
}

// Service is the face of the context.
type Service struct {
	Leads *record.Store[Lead]
	Forms *record.Store[LeadForm]

	k        *record.Kernel
	now      func() time.Time
	log      *slog.Logger
	accounts Accounts
	contacts Contacts
	deals    Deals
	limit    Limiter
}

// New registers leads and lead forms with the kernel.
func New(d Deps) (*Service, error) {
	if d.Accounts == nil || d.Contacts == nil || d.Deals == nil {
		return nil, errors.New("leads need the ports Accounts, Contacts and Deals to convert")
	}
	if d.Limit == nil {
		d.Limit = NewMemoryLimiter(submissionsPerMinute, time.Minute, d.Now)
	}
	s := &Service{k: d.Kernel, now: d.Now, log: d.Log, accounts: d.Accounts, contacts: d.Contacts, deals: d.Deals, limit: d.Limit}
	if err := s.registerForms(d.Kernel); err != nil {
		return nil, fmt.Errorf("register lead forms: %w", err)
	}
	if err := s.registerLeads(d.Kernel); err != nil {
		return nil, fmt.Errorf("register leads: %w", err)
	}
	return s, nil
}
