package main

import (
	"context"
	"errors"
	"fmt"

	"crm/internal/app"
	"crm/internal/platform/db/embedpg"
	"crm/internal/platform/db/migrate"
	"crm/internal/platform/rest"
)

type migrateCmd struct {
	Up     migrateUp     `cmd:"" help:"Apply what is missing."`
	Down   migrateDown   `cmd:"" help:"Take the newest step back."`
	Status migrateStatus `cmd:"" help:"List every step."`
	Verify migrateVerify `cmd:"" help:"Check, without changing anything, that an upgrade would work."`
}

// withOwner runs fn with the URL of the owner role.
func (e *env) withOwner(fn func(ctx context.Context, url string) error) error {
	if !e.cfg.Embedded() {
		if e.cfg.MigrateDatabaseURL == "" {
			return errors.New("CRM_MIGRATE_DATABASE_URL is needed: the address of the database with its owner role")
		}
		return fn(e.ctx, e.cfg.MigrateDatabaseURL)
	}
	cluster, err := app.OpenCluster(e.ctx, e.cfg, e.log, app.Admin)
	if err != nil {
		return err
	}
	err = fn(e.ctx, cluster.URL("crm_owner", embedpg.Database))
	return errors.Join(err, cluster.Stop(context.WithoutCancel(e.ctx)))
}

type migrateUp struct{}

func (migrateUp) Run(e *env) error {
	return e.withOwner(func(ctx context.Context, url string) error {
		if err := migrate.Up(ctx, url, e.log); err != nil {
			return err
		}
		fmt.Fprintln(e.out, "The schema is up to date.")
		return nil
	})
}

type migrateDown struct{}

func (migrateDown) Run(e *env) error {
	return e.withOwner(func(ctx context.Context, url string) error {
		if err := migrate.Down(ctx, url); err != nil {
			return err
		}
		fmt.Fprintln(e.out, "One step was taken back.")
		return nil
	})
}

type migrateStatus struct {
	JSON bool `help:"Print JSON."`
}

func (c *migrateStatus) Run(e *env) error {
	return e.withOwner(func(ctx context.Context, url string) error {
		steps, err := migrate.Status(ctx, url)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(e.out, steps)
		}
		var rows [][]string
		for _, s := range steps {
			state := "pending"
			if s.Applied {
				state = "applied"
			}
			rows = append(rows, []string{s.Set, fmt.Sprint(s.Version), s.Name, state})
		}
		return printTable(e.out, []string{"SET", "VERSION", "STEP", "STATE"}, rows)
	})
}

type migrateVerify struct {
	JSON bool `help:"Print JSON."`
}

func (c *migrateVerify) Run(e *env) error {
	return e.withOwner(func(ctx context.Context, url string) error {
		dir := ""
		if e.cfg.Embedded() {
			dir = e.cfg.DataDir
		}
		report, err := migrate.Verify(ctx, url, dir)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(e.out, report)
		}
		for _, check := range report.Checks {
			fmt.Fprintf(e.out, "%+v\n", check)
		}
		fmt.Fprintf(e.out, "%d steps are pending.\n", len(report.Pending))
		if !report.OK() {
			return errors.New("an upgrade would fail; mend what is listed above first")
		}
		return nil
	})
}

type doctorCmd struct {
	Quick bool `help:"Only ask the running server whether it is ready."`
	JSON  bool `help:"Print JSON."`
}

func (c *doctorCmd) Run(e *env) error {
	report := app.Doctor(e.ctx, e.cfg, e.log, c.Quick)
	if c.JSON {
		if err := printJSON(e.out, report); err != nil {
			return err
		}
	} else {
		for _, f := range report.Findings {
			mark := "ok  "
			if !f.OK {
				mark = "FAIL"
			} else if f.Note {
				mark = "note"
			}
			fmt.Fprintf(e.out, "%s  %-12s %s\n", mark, f.Part, f.Text)
		}
	}
	if !report.OK() {
		return errors.New("something needs attention, see above")
	}
	return nil
}

type openapiCmd struct {
	TypeScript bool `name:"typescript" help:"Print a TypeScript client of the document instead."`
}

func (c openapiCmd) Run(e *env) error {
	return e.with(func(a *app.App) error {
		doc, err := a.OpenAPI(e.ctx, a.API())
		if err != nil {
			return err
		}
		if c.TypeScript {
			if doc, err = rest.TypeScript(doc); err != nil {
				return err
			}
		}
		_, err = e.out.Write(append(doc, '\n'))
		return err
	})
}

type configCmd struct{}

func (configCmd) Run(e *env) error { return e.cfg.Print(e.out) }

type versionCmd struct{}

func (versionCmd) Run(e *env) error {
	fmt.Fprintln(e.out, "crm", app.Version)
	return nil
}
