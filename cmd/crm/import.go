package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"crm/internal/app"
	"crm/internal/record/importing"
)

type importCmd struct {
	File          string `arg:"" help:"CSV or XLSX file."`
	Tenant        string `help:"The tenant." required:""`
	Object        string `help:"What the rows are: contacts, accounts, leads, deals, products, users …" required:""`
	Preset        string `help:"Where the file comes from, when the headings do not tell: hubspot, salesforce, pipedrive, twenty, espocrm." default:""`
	Mapping       string `help:"Columns to fields as JSON; by heading when left out." placeholder:"JSON"`
	Mode          string `help:"create, update or upsert." default:""`
	Key           string `help:"Field that finds an existing record." default:""`
	CreateFields  bool   `help:"Make custom fields for unknown columns, and named companies and products that are missing."`
	CreateOptions bool   `help:"Add choices that custom select fields do not have yet."`
	Blank         string `help:"What an empty cell means for a record that is there: keep the old value, or clear it." enum:"keep,clear" default:"keep"`
	Sheet         string `help:"Sheet of an XLSX file; the first one with rows when left out." default:""`
	DryRun        bool   `help:"Count what would happen, show the first rows, and change nothing."`
	Errors        string `help:"Write refused rows with their reasons here." placeholder:"FILE"`
	JSON          bool   `help:"Print the result as JSON."`
}

func (importCmd) Help() string {
	return `Examples:
  crm import contacts.csv --tenant alpha --object contacts --preset hubspot
  crm import people.xlsx --tenant alpha --object contacts --sheet People --mode upsert --key email --dry-run
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
			CreateOptions: c.CreateOptions, Blank: importing.Blank(c.Blank), Sheet: c.Sheet,
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

// progress shows one growing line on a terminal and nothing elsewhere. It ends the line
// when the import is over, so that the result stands on its own.
func progress(w *os.File) func(importing.Import) {
	fi, err := w.Stat()
	if err != nil || fi.Mode()&os.ModeCharDevice == 0 {
		return func(importing.Import) {}
	}
	return func(i importing.Import) {
		of := ""
		if i.Total != nil {
			of = fmt.Sprintf(" of %d", *i.Total)
		}
		fmt.Fprintf(w, "\r%d%s rows read, %d created, %d updated, %d failed, %.0f rows/s", i.Read, of, i.Created, i.Updated, i.Failed, i.Rate())
		if i.State.Over() {
			fmt.Fprintln(w)
		}
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
		err := printJSON(w, map[string]any{
			"id": imp.ID, "state": imp.State, "read": imp.Read, "created": imp.Created, "updated": imp.Updated,
			"skipped": imp.Skipped, "failed": imp.Failed, "skipped_columns": imp.SkippedColumns(), "created_fields": imp.CreatedFields(),
			"preset": imp.Preset, "key": imp.Key, "dry_run": imp.DryRun, "objects": imp.Objects, "sample": imp.Sample, "warnings": imp.Warnings, "error": imp.Error,
		})
		return errors.Join(err, failure(imp))
	}
	fmt.Fprintf(w, "%d rows read: %d created, %d updated, %d skipped, %d failed (%.0f rows/s)\n", imp.Read, imp.Created, imp.Updated, imp.Skipped, imp.Failed, imp.Rate())
	for _, object := range slices.Sorted(maps.Keys(imp.Objects)) {
		n := imp.Objects[object]
		fmt.Fprintf(w, "%s: %d created, %d updated, %d failed\n", object, n.Created, n.Updated, n.Failed)
	}
	showSample(w, imp)
	if cols := imp.SkippedColumns(); len(cols) > 0 {
		fmt.Fprintf(w, "Columns left out: %v. Add --create-fields to keep them as custom fields.\n", cols)
	}
	for _, warning := range imp.Warnings {
		fmt.Fprintf(w, "%d × %s: %s\n", warning.Count, warning.Field, warning.Message)
	}
	if imp.Failed > 0 && c.Errors == "" {
		fmt.Fprintln(w, "See the refused rows with: --errors refused.csv")
	}
	return failure(imp)
}

// failure is why the import did not come to its end; refused rows are no failure.
func failure(imp *importing.Import) error {
	switch {
	case imp.Error != "":
		return errors.New(imp.Error)
	case imp.State == importing.Cancelled:
		return errors.New("the import was cancelled; rows that were in stay, and can be undone")
	}
	return nil
}

// shownRows is how many rows of a dry run a terminal shows.
const shownRows = 10

func showSample(w io.Writer, imp *importing.Import) {
	for _, s := range imp.Sample[:min(len(imp.Sample), shownRows)] {
		fmt.Fprintf(w, "row %d: %s", s.Row, s.Fate)
		if s.Reason != "" {
			fmt.Fprintf(w, " (%s)", s.Reason)
		}
		for _, field := range slices.Sorted(maps.Keys(s.Changes)) {
			change := s.Changes[field]
			if change[0] == nil {
				fmt.Fprintf(w, " %s=%v", field, change[1])
				continue
			}
			fmt.Fprintf(w, " %s=%v→%v", field, change[0], change[1])
		}
		fmt.Fprintln(w)
	}
}
