package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"crm/internal/app"
	"crm/internal/record/importing"
)

type importCmd struct {
	File         string `arg:"" help:"CSV file."`
	Tenant       string `help:"The tenant." required:""`
	Object       string `help:"What the rows are: contacts, accounts, leads, deals, products, users …" required:""`
	Preset       string `help:"Where the file comes from, when the headings do not tell: hubspot, salesforce, pipedrive, twenty, espocrm." default:""`
	Mapping      string `help:"Columns to fields as JSON; by heading when left out." placeholder:"JSON"`
	Mode         string `help:"create, update or upsert." default:""`
	Key          string `help:"Field that finds an existing record." default:""`
	CreateFields bool   `help:"Make custom fields for unknown columns, and named companies and products that are missing."`
	DryRun       bool   `help:"Count what would happen and change nothing."`
	Errors       string `help:"Write refused rows with their reasons here." placeholder:"FILE"`
	JSON         bool   `help:"Print the result as JSON."`
}

func (importCmd) Help() string {
	return `Examples:
  crm import contacts.csv --tenant alpha --object contacts --preset hubspot
  crm import leads.csv --tenant alpha --object leads --create-fields --errors refused.csv
  crm import calls.csv --tenant alpha --object leads --mapping '{"y":{"field":"status","values":{"yes":"converted","no":"disqualified"}}}'`
}

func (c *importCmd) Run(e *env) error {
	var mapping map[string]any
	if c.Mapping != "" {
		if err := json.Unmarshal([]byte(c.Mapping), &mapping); err != nil {
			return fmt.Errorf("%w: --mapping must be JSON like {\"Column\":\"field\"}: %w", errUsage, err)
		}
	}
	f, err := os.Open(c.File)
	if err != nil {
		return fmt.Errorf("open the file: %w", err)
	}
	defer f.Close()
	return e.inTenant(c.Tenant, func(ctx context.Context, a *app.App) error {
		imp, err := a.Imports.Create(ctx, importing.Options{
			Object: c.Object, FileName: filepath.Base(c.File), Reader: f, Mapping: mapping,
			Mode: importing.Mode(c.Mode), Key: c.Key, DryRun: c.DryRun, CreateFields: c.CreateFields, Preset: c.Preset,
		})
		if err != nil {
			return err
		}
		done, err := a.Imports.Run(ctx, imp.ID, progress(os.Stderr))
		if err != nil {
			return err
		}
		return errors.Join(c.writeErrors(ctx, a, done), c.report(e.out, done))
	})
}

// progress shows one growing line on a terminal and nothing elsewhere.
func progress(w *os.File) func(importing.Import) {
	fi, err := w.Stat()
	if err != nil || fi.Mode()&os.ModeCharDevice == 0 {
		return func(importing.Import) {}
	}
	return func(i importing.Import) {
		fmt.Fprintf(w, "\r%d rows read, %d created, %d updated, %d failed, %.0f rows/s", i.Read, i.Created, i.Updated, i.Failed, i.Rate())
	}
}

func (c *importCmd) writeErrors(ctx context.Context, a *app.App, imp *importing.Import) error {
	if c.Errors == "" || imp.Failed == 0 {
		return nil
	}
	f, err := os.Create(c.Errors)
	if err != nil {
		return fmt.Errorf("write refused rows: %w", err)
	}
	return errors.Join(a.Imports.WriteErrors(ctx, imp.ID, f), f.Close())
}

func (c *importCmd) report(w io.Writer, imp *importing.Import) error {
	if c.JSON {
		return printJSON(w, map[string]any{
			"id": imp.ID, "state": imp.State, "read": imp.Read, "created": imp.Created, "updated": imp.Updated,
			"skipped": imp.Skipped, "failed": imp.Failed, "skipped_columns": imp.SkippedColumns(), "created_fields": imp.CreatedFields(),
		})
	}
	fmt.Fprintf(w, "%d rows read: %d created, %d updated, %d skipped, %d failed (%.0f rows/s)\n", imp.Read, imp.Created, imp.Updated, imp.Skipped, imp.Failed, imp.Rate())
	if cols := imp.SkippedColumns(); len(cols) > 0 {
		fmt.Fprintf(w, "Columns left out: %v. Add --create-fields to keep them as custom fields.\n", cols)
	}
	for _, warning := range imp.Warnings {
		fmt.Fprintf(w, "%d × %s: %s\n", warning.Count, warning.Field, warning.Message)
	}
	if imp.Failed > 0 && c.Errors == "" {
		fmt.Fprintln(w, "See the refused rows with: --errors refused.csv")
	}
	if imp.Error != "" {
		return errors.New(imp.Error)
	}
	return nil
}
