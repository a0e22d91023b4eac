package app

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/activities"
	"crm/internal/contacts"
	"crm/internal/deals"
	"crm/internal/identity"
	"crm/internal/leads"
	"crm/internal/messaging"
	"crm/internal/objects"
	"crm/internal/platform/blob"
	"crm/internal/platform/config"
	"crm/internal/platform/egress"
	"crm/internal/platform/jobs"
	"crm/internal/record/exporting"
	"crm/internal/record/importing"
	"crm/internal/record/undoing"
	"crm/internal/scoring"
)

// services are the contexts, in the order they are built.
type services struct {
	Contacts   *contacts.Service
	Deals      *deals.Service
	Leads      *leads.Service
	Activities *activities.Service
	Scoring    *scoring.Service
	Messaging  *messaging.Service
	Imports    *importing.Service
	Exports    *exporting.Service
	Objects    *objects.Service
	Undos      *undoing.Service

	post       *systemMailer // nil = none
	registry   *jobs.Registry
	importsDir *blob.Dir
	exportsDir *blob.Dir
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
			post, err := a.systemMail()
			if err != nil {
				return err
			}
			a.Identity, err = identity.New(identity.Deps{Kernel: a.Kernel, Box: a.box, Mail: post, BaseURL: a.Cfg.URL(), Now: a.now, Log: a.Log})
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
		{"objects", func() error {
			a.Objects, err = objects.New(objects.Deps{Kernel: a.Kernel, Now: a.now})
			return err
		}},
		{"scoring", func() error {
			a.Scoring, err = scoring.New(scoring.Deps{
				Kernel: a.Kernel, Now: a.now, Log: a.Log, LibPath: a.Cfg.ONNXRuntimeLib, DataDir: a.Cfg.DataDir,
				Device: a.Cfg.ScoringDevice, Tenants: a.Identity.TenantIDs,
			})
			return err
		}},
		{"messaging", func() error {
			out, err := egress.New(config.List(a.Cfg.EgressAllow))
			if err != nil {
				return fmt.Errorf("read CRM_EGRESS_ALLOW: %w", err)
			}
			a.Messaging, err = messaging.New(messaging.Deps{
				Kernel: a.Kernel, Box: a.box, Egress: out, Now: a.now, Log: a.Log, BaseURL: a.Cfg.URL(),
				Alone: a.cluster != nil && a.cluster.Owned(),
			})
			return err
		}},
	} {
		if err := step.make(); err != nil {
			return fmt.Errorf("build %s: %w", step.name, err)
		}
	}
	a.Identity.OnTenant(a.Deals.EnsureDefaultPipeline)
	a.react()
	a.registerJobs()
	if a.Jobs, err = jobs.New(a.registry, jobs.Options{Pool: a.db.Pool(), Log: a.Log, Works: works}); err != nil {
		return err
	}
	return a.connectJobs()
}

// connectJobs gives the job client to the contexts that queue work: it is made of
// what they registered.
func (a *App) connectJobs() error {
	a.Identity.SetJobs(a.Jobs)
	a.Scoring.SetJobs(a.Jobs)
	a.Kernel.Later = func(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, object string) error {
		_, err := a.Jobs.Insert(ctx, tx, recompute{tenant, object}, jobs.When{Queue: "bulk"})
		return err
	}
	a.Messaging.SetJobs(a.Jobs)
	a.Metrics.Registry.MustRegister(a.Messaging.Collector(), a.Kernel.Collector())
	a.Undos = undoing.New(undoing.Deps{Kernel: a.Kernel, Jobs: a.Jobs, Now: a.now, Log: a.Log, Actor: a.Identity.Refresh})
	var err error
	if a.importsDir, err = blob.OpenDir(filepath.Join(a.Cfg.DataDir, "imports")); err != nil {
		return err
	}
	a.Imports = importing.New(importing.Deps{Kernel: a.Kernel, Files: a.importsDir, Jobs: a.Jobs, Log: a.Log, Now: a.now, Actor: a.Identity.Refresh})
	if a.exportsDir, err = blob.OpenDir(filepath.Join(a.Cfg.DataDir, "exports")); err != nil {
		return err
	}
	a.Exports = exporting.New(exporting.Deps{Kernel: a.Kernel, Files: a.exportsDir, Jobs: a.Jobs, Log: a.Log, Now: a.now, Actor: a.Identity.Refresh, Tenants: a.Identity.TenantIDs})
	return nil
}

// closeServices frees what contexts hold beside the database.
func (a *App) closeServices() {
	if a.Scoring != nil {
		a.Scoring.Close()
	}
	if a.Messaging != nil {
		a.Messaging.Close()
	}
	if a.post != nil {
		if err := a.post.sender.Close(); err != nil {
			a.Log.Warn("close the connections to the mail server", "error", err)
		}
	}
	if a.importsDir != nil {
		if err := a.importsDir.Close(); err != nil {
			a.Log.Warn("close the imports directory", "error", err)
		}
	}
	if a.exportsDir != nil {
		if err := a.exportsDir.Close(); err != nil {
			a.Log.Warn("close the exports directory", "error", err)
		}
	}
}
