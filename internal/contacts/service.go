package contacts

import (
	"fmt"
	"log/slog"
	"time"

	"crm/internal/record"
)

// Deps are what the service needs.
type Deps struct {
	Kernel *record.Kernel
	Now    func() time.Time
	Log    *slog.Logger
}

// Service is the face of the context. Its stores do everything that is no act of
// its own.
type Service struct {
	Contacts *record.Store[Contact]
	Accounts *record.Store[Account]

	k *record.Kernel
}

// New registers accounts and contacts with the kernel.
func New(d Deps) (*Service, error) {
	s := &Service{k: d.Kernel}
	if err := s.registerAccounts(d.Kernel); err != nil {
		return nil, fmt.Errorf("register accounts: %w", err)
	}
	if err := s.registerContacts(d.Kernel); err != nil {
		return nil, fmt.Errorf("register contacts: %w", err)
	}
	return s, nil
}
