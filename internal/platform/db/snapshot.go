package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"crm/internal/platform/auth"
)

// Snapshot runs fn in a read-only transaction of the actor's tenant that sees the
// database as it was when it began, however long fn takes. Reads inside fn join it.
// It holds back vacuum meanwhile, so it is for exports, not for pages.
func (d *DB) Snapshot(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	if _, ok := ctx.Value(txKey{}).(*txState); ok {
		return fmt.Errorf("take a snapshot: a transaction is open already")
	}
	begin := "begin isolation level repeatable read read only; set local app.tenant_id = '" + a.TenantID.String() + "'"
	return MapError(d.with(ctx, a.TenantID, func(conn *pgxpool.Conn) error {
		tx, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
		if err != nil {
			return err
		}
		defer tx.Rollback(context.WithoutCancel(ctx)) // nothing was written
		st := &txState{tx: tx, tenant: a.TenantID}
		return fn(context.WithValue(ctx, txKey{}, st), tx)
	}))
}
