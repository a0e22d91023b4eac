package record

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
)

// AddCustomOptions gives a custom select field more choices and journals it. Choices it
// has already are left alone, so that an import can be repeated.
func (k *Kernel) AddCustomOptions(ctx context.Context, object, name string, options []string) error {
	a, _, err := auth.Require(ctx, "custom_field", auth.Create)
	if err != nil {
		return err
	}
	return k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var fid uuid.UUID
		var have []string
		err := tx.QueryRow(ctx, `select id, options from custom_fields where tenant_id = $1 and object = $2 and name = $3 and type in ('select', 'multi_select') for update`, a.TenantID, object, name).Scan(&fid, &have)
		if err != nil {
			return fmt.Errorf("find the select field %s of %s: %w", name, object, err)
		}
		added := slices.DeleteFunc(slices.Clone(options), func(o string) bool { return o == "" || slices.Contains(have, o) })
		if len(added) == 0 {
			return nil
		}
		if len(have)+len(added) > maxCustomOptions {
			return errs.New(errs.Conflict, "too_many_options", "%s may have at most %d choices. Make it a text field.", name, maxCustomOptions)
		}
		if _, err := tx.Exec(ctx, `update custom_fields set options = $3 where tenant_id = $1 and id = $2`, a.TenantID, fid, append(have, added...)); err != nil {
			return err
		}
		db.AfterCommit(ctx, func() { k.custom.Forget(ctx, a.TenantID, "") })
		_, err = k.Emit(ctx, tx, "custom_field", fid, "options_added", map[string]any{"object": object, "name": name, "options": added})
		return err
	})
}
