package app

import (
	"archive/zip"
	"context"
	"errors"
	"io"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/tenantfile"
)

// TenantPolicy is what stays behind when a tenant moves to another installation, and
// what must not go on in two places at once. Everything else travels; a test reads the
// catalogue and asks about columns that look like secrets.
func TenantPolicy() tenantfile.Policy {
	return tenantfile.Policy{
		Skip: map[string]string{
			"user_credentials":   "password hashes are secrets; people get new passwords (crm user reset-password)",
			"sessions":           "signed-in browsers belong to the address they signed in to",
			"sign_in_tickets":    "links that were handed out lead to the old address",
			"totp_secrets":       "seeds of authenticator apps are secrets; people set them up anew",
			"recovery_codes":     "hashes of recovery codes are secrets",
			"passkeys":           "passkeys belong to the address they were made at",
			"sign_in_settings":   "how people sign in is set up anew where they do",
			"api_keys":           "hashes of keys are secrets; make new keys (crm apikey create)",
			"idempotency_keys":   "first answers of the last day's requests",
			"unsubscribe_tokens": "links in mails that were sent lead to the old address",
			"imports":            "files that were taken in lie on the old machine; what they brought is in the records",
			"import_errors":      "rows of those files",
			"import_links":       "rows of those files",
			"import_marks":       "rows of those files",
			"import_uploads":     "files that wait to be taken in lie on the old machine",
			"undos":              "undos under way; what they did is in the journal",
			"exports":            "files that were written lie on the old machine",
			"journal_seals":      "the chain that shows tampering is begun anew over the loaded journal",
			"journal.xid":        "a number of the old database's transactions",
			"providers.sealed":   "credentials are sealed with the old installation's key",
		},
		Fresh: []string{"lead_forms.public_id"},
		Settle: []string{
			`update providers set state = 'disabled', last_error = 'Enter the credentials again; they do not travel.' where tenant_id = $1 and deleted_at is null`,
			// What waits would be sent by both installations.
			`update messages set status = case status when 'sending' then 'in_doubt' else 'cancelled' end, next_attempt_at = null, dispatched_at = null, claimed_at = null, claimed_by = null,
			   last_error = 'It was waiting when the workspace moved here; send it again if the old installation did not.' where tenant_id = $1 and status in ('scheduled', 'queued', 'sending')`,
			`update scoring_models set status = 'failed', error = 'The training stayed on the old installation. Train again.' where tenant_id = $1 and status = 'training'`,
		},
	}
}

// ExportTenant writes everything the actor's tenant has into w.
func (a *App) ExportTenant(ctx context.Context, w io.Writer) (*tenantfile.Manifest, error) {
	m, err := tenantfile.Write(ctx, a.db, w, TenantPolicy(), Version, a.now())
	if err != nil {
		return nil, err
	}
	return m, a.db.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := a.Kernel.Emit(ctx, tx, "tenant", m.TenantID, "exported", map[string]any{"rows": m.Rows()})
		return err
	})
}

// ImportTenant makes a tenant from its file, all of it or nothing. slug is its address,
// "" = the one it had.
func (a *App) ImportTenant(ctx context.Context, z *zip.Reader, slug string) (*identity.Tenant, *tenantfile.File, error) {
	f, err := tenantfile.Open(z)
	if err != nil {
		return nil, nil, err
	}
	if slug == "" {
		slug = f.Slug
	}
	if err := identity.CheckSlug(slug); err != nil {
		return nil, nil, err
	}
	made := f.TenantID
	err = a.loadTenant(ctx, f, made, slug)
	if violates(err, "tenants_pkey") {
		made = id.New()
		err = a.loadTenant(ctx, f, made, slug)
	}
	if violates(err, "tenants_slug_key") {
		err = errs.Wrap(err, errs.Conflict, "slug_taken", "There is a tenant %s here already. Choose another address with --name.", slug)
	}
	if err != nil {
		return nil, nil, err
	}
	t, err := a.Identity.Tenant(auth.With(ctx, auth.SystemActor(made)))
	return t, f, err
}

func (a *App) loadTenant(ctx context.Context, f *tenantfile.File, tenant uuid.UUID, slug string) error {
	actor := auth.SystemActor(tenant)
	actor.Via, actor.Name = auth.ViaCLI, "command line"
	return a.db.Tx(auth.With(ctx, actor), func(ctx context.Context, tx pgx.Tx) error {
		if err := f.Load(ctx, tx, slug, TenantPolicy()); err != nil {
			return err
		}
		_, err := a.Kernel.Emit(ctx, tx, "tenant", tenant, "imported", map[string]any{"rows": f.Rows(), "from": f.TenantID.String(), "written": f.At})
		return err
	})
}

func violates(err error, constraint string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.ConstraintName == constraint
}
