package app

import (
	"context"
	"fmt"

	"crm/internal/activities"
	"crm/internal/contacts"
	"crm/internal/deals"
	"crm/internal/identity"
	"crm/internal/leads"
	"crm/internal/platform/jobs"
)

// services are the contexts, in the order they are built.
type services struct {
	Contacts   *contacts.Service
	Deals      *deals.Service
	Leads      *leads.Service
	Activities *activities.Service

	registry *jobs.Registry
}

// build makes the contexts one after the other; what one needs of another is
// connected in ports.go.
func (a *App) build(works bool) error {
	a.registry = jobs.NewRegistry()
	var err error
	for _, step := range []struct {
		name string
		make func() error
	}{
		{"identity", func() error {
			a.Identity, err = identity.New(identity.Deps{Kernel: a.Kernel, Shared: a.shared, Now: a.now, Log: a.Log})
			return err
		}},
		{"contacts", func() error {
			a.Contacts, err = contacts.New(contacts.Deps{Kernel: a.Kernel, Now: a.now, Log: a.Log})
			return err
		}},
		{"deals", func() error {
			a.Deals, err = deals.New(deals.Deps{Kernel: a.Kernel, Now: a.now})
			return err
		}},
		{"leads", func() error {
			a.Leads, err = leads.New(leads.Deps{Kernel: a.Kernel, Now: a.now, Log: a.Log, Accounts: a.Contacts, Contacts: a.Contacts, Deals: dealMaker{a.Deals}})
			return err
		}},
		{"activities", func() error {
			a.Activities, err = activities.New(activities.Deps{Kernel: a.Kernel, Now: a.now, Log: a.Log, Next: a.Deals})
			return err
		}},
	} {
		if err := step.make(); err != nil {
			return fmt.Errorf("build %s: %w", step.name, err)
		}
	}
	a.Identity.OnTenant(a.Deals.EnsureDefaultPipeline)
	a.registerJobs()
	a.Jobs, err = jobs.New(a.registry, jobs.Options{Pool: a.db.Pool(), Log: a.Log, Works: works})
	return err
}

func (a *App) closeServices() {}

// trainDemo trains the first model of the demo tenant.
func (a *App) trainDemo(context.Context) error { return nil }
