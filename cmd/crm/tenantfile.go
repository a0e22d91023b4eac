package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"crm/internal/app"
	"crm/internal/platform/tenantfile"
)

type tenantExport struct {
	File   string `arg:"" help:"Where to write; - is standard output."`
	Tenant string `help:"The tenant." required:""`
	JSON   bool   `help:"Print what was written as JSON."`
}

func (tenantExport) Help() string {
	return "The file holds everything but secrets: records, journal, settings, models. Keep it like a backup.\nExample:\n  crm tenant export --tenant alpha alpha.zip"
}

func (c *tenantExport) Run(e *env) error {
	return e.inTenant(c.Tenant, func(ctx context.Context, a *app.App) error {
		m, err := c.write(ctx, e, a)
		if err != nil || c.File == "-" {
			return err
		}
		if c.JSON {
			return printJSON(e.out, m)
		}
		fmt.Fprintf(e.out, "Tenant %s is in %s: %d rows of %d tables.\nLeft out:\n", c.Tenant, c.File, m.Rows(), len(m.Tables))
		for _, what := range slices.Sorted(maps.Keys(m.Left)) {
			fmt.Fprintf(e.out, "  %s: %s\n", what, m.Left[what])
		}
		return nil
	})
}

// write makes the file under another name first, so that a file of this name is whole.
func (c *tenantExport) write(ctx context.Context, e *env, a *app.App) (*tenantfile.Manifest, error) {
	if c.File == "-" {
		return a.ExportTenant(ctx, e.out)
	}
	part := c.File + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create the file: %w", err)
	}
	m, err := a.ExportTenant(ctx, f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(part))
	}
	return m, os.Rename(part, c.File)
}

type tenantImport struct {
	File string `arg:"" help:"File that crm tenant export wrote."`
	Name string `help:"Address of the tenant here; the one it had when left out."`
	JSON bool   `help:"Print JSON."`
}

func (tenantImport) Help() string {
	return "All of the file comes in, or nothing. Passwords, API keys and credentials of providers do not travel.\nExample:\n  crm tenant import alpha.zip --name alpha-copy"
}

func (c *tenantImport) Run(e *env) error {
	f, err := os.Open(c.File)
	if err != nil {
		return fmt.Errorf("open the file: %w", err)
	}
	defer f.Close()
	z, err := openZip(f)
	if err != nil {
		return fmt.Errorf("%s is no file of a tenant: %w", c.File, err)
	}
	return e.with(func(a *app.App) error {
		t, from, err := a.ImportTenant(e.ctx, z, c.Name)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(e.out, map[string]any{"id": t.ID, "slug": t.Slug, "rows": from.Rows(), "same_id": t.ID == from.TenantID})
		}
		fmt.Fprintf(e.out, "Tenant %s is at %s/%s with %d rows.\nNext: crm user reset-password --tenant %s --email …\nProviders are disabled until their credentials are entered again; messages that waited were cancelled.\n",
			t.Slug, e.cfg.URL(), t.Slug, from.Rows(), t.Slug)
		return nil
	})
}

func openZip(f *os.File) (*zip.Reader, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	return zip.NewReader(f, size)
}
