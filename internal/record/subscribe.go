package record

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
)

// Subscriber is a named reader of the journal. It gets each tenant's rows in
// order, in batches, after they are committed for sure, and its place moves on in
// the same transaction as what it does: once in effect, provided that effects
// outside the database are idempotent by Seq.
//
// A failing batch is retried row by row; a row that fails poisonTries times is
// written to the dead letters and skipped, so that it holds up nobody else.
type Subscriber struct {
	Name   string
	Handle func(ctx context.Context, entries []Entry) error
}

const (
	subscriberBatch = 500
	poisonTries     = 5
	// sweepEvery finds what a lost wake-up or another replica left.
	sweepEvery = 5 * time.Second
	// settle is how long rows of slower neighbours may hold a batch back before
	// it is looked for again.
	settle = 200 * time.Millisecond
)

// Subscribe adds a reader; at start-up only.
func (k *Kernel) Subscribe(s Subscriber) { k.subscribers = append(k.subscribers, s) }

// RunSubscribers works until ctx ends. tenants lists whom to serve. Several
// processes may run it: a reader's place is locked while it works.
func (k *Kernel) RunSubscribers(ctx context.Context, tenants func(context.Context) ([]uuid.UUID, error)) error {
	woken := make(chan uuid.UUID, 1024)
	k.Watch(func(n Notice) {
		select {
		case woken <- n.TenantID:
		default: // the sweep will find it
		}
	})
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case t := <-woken:
			k.afterSettling(ctx, woken, t)
		case <-tick.C:
			ids, err := tenants(ctx)
			if err != nil && ctx.Err() == nil {
				k.Log.WarnContext(ctx, "list tenants for subscribers", "error", err)
			}
			for _, t := range ids {
				k.catchUp(ctx, t)
			}
		}
	}
}

// afterSettling gathers wake-ups that come in a burst and serves each tenant once.
func (k *Kernel) afterSettling(ctx context.Context, woken <-chan uuid.UUID, first uuid.UUID) {
	set := map[uuid.UUID]bool{first: true}
	timer := time.NewTimer(settle)
	defer timer.Stop()
	for {
		select {
		case t := <-woken:
			set[t] = true
			continue
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		break
	}
	for t := range set {
		k.catchUp(ctx, t)
	}
}

// catchUp lets every subscriber of a tenant read to the end.
func (k *Kernel) catchUp(ctx context.Context, tenant uuid.UUID) {
	ctx = auth.With(ctx, auth.SystemActor(tenant))
	for _, s := range k.subscribers {
		for size := subscriberBatch; ; {
			n, err := k.readOn(ctx, s, size)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				k.Log.WarnContext(ctx, "journal subscriber failed", "subscriber", s.Name, "tenant_id", tenant, "error", err)
				if size > 1 {
					size = 1
					continue
				}
				if !k.failed(ctx, s, err) {
					break
				}
				continue
			}
			if n < size {
				break
			}
		}
	}
}

// readOn handles the next rows and moves the reader's place; it returns how many
// there were. A reader that another process holds has none for us.
func (k *Kernel) readOn(ctx context.Context, s Subscriber, size int) (int, error) {
	n := 0
	err := k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		seq, at, err := k.place(ctx, tx, s.Name)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "select "+entryColumns+` from journal j
		  where j.tenant_id = app_tenant() and j.seq > $1 and j.at >= $2::timestamptz - interval '1 day' and j.xid < pg_snapshot_xmin(pg_current_snapshot())
		  order by j.seq limit $3`, seq, at, size)
		if err != nil {
			return err
		}
		entries, err := pgx.CollectRows(rows, scanEntry)
		if err != nil || len(entries) == 0 {
			return err
		}
		if err := s.Handle(ctx, entries); err != nil {
			return err
		}
		n = len(entries)
		return k.moveTo(ctx, tx, s.Name, &entries[n-1])
	})
	return n, err
}

// place locks and returns where a reader is, making it on first use.
func (k *Kernel) place(ctx context.Context, tx pgx.Tx, name string) (seq int64, at any, err error) {
	_, err = tx.Exec(ctx, `insert into journal_subscribers (tenant_id, name, updated_at) values (app_tenant(), $1, $2) on conflict do nothing`, name, k.Now().UTC())
	if err != nil {
		return 0, nil, err
	}
	var text string
	err = tx.QueryRow(ctx, `select after_seq, after_at::text from journal_subscribers where tenant_id = app_tenant() and name = $1 for update skip locked`, name).Scan(&seq, &text)
	return seq, text, err
}

func (k *Kernel) moveTo(ctx context.Context, tx pgx.Tx, name string, e *Entry) error {
	_, err := tx.Exec(ctx, `update journal_subscribers set after_seq = $2, after_at = $3, failures = 0, last_error = '', updated_at = $4
	  where tenant_id = app_tenant() and name = $1`, name, e.Seq, e.At, k.Now().UTC())
	return err
}

// failed counts a failure of the next single row and, when it has failed too
// often, sets it aside. It reports whether reading may go on at once.
func (k *Kernel) failed(ctx context.Context, s Subscriber, cause error) bool {
	skipped := false
	err := k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var failures int
		var seq int64
		err := tx.QueryRow(ctx, `update journal_subscribers set failures = failures + 1, last_error = $2, updated_at = $3
		  where tenant_id = app_tenant() and name = $1 returning failures, after_seq`, s.Name, cause.Error(), k.Now().UTC()).Scan(&failures, &seq)
		if err != nil || failures < poisonTries {
			return err
		}
		rows, err := tx.Query(ctx, "select "+entryColumns+` from journal j where j.tenant_id = app_tenant() and j.seq > $1 order by j.seq limit 1`, seq)
		if err != nil {
			return err
		}
		e, err := pgx.CollectExactlyOneRow(rows, scanEntry)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `insert into journal_dead_letters (tenant_id, subscriber, seq, error, at) values (app_tenant(), $1, $2, $3, $4) on conflict do nothing`,
			s.Name, e.Seq, cause.Error(), k.Now().UTC())
		skipped = err == nil
		return errors.Join(err, k.moveTo(ctx, tx, s.Name, &e))
	})
	if err != nil {
		k.Log.WarnContext(ctx, "count a subscriber's failure", "subscriber", s.Name, "error", err)
	}
	return skipped
}

// Lag is how many rows a reader of the actor's tenant has yet to read.
func (k *Kernel) Lag(ctx context.Context, name string) (int64, error) {
	var n int64
	err := k.DB.Read(ctx, db.Query{SQL: `select count(*) from journal j where j.tenant_id = app_tenant()
	  and j.seq > coalesce((select after_seq from journal_subscribers where tenant_id = app_tenant() and name = $1), 0)`, Args: []any{name}}, func(rows pgx.Rows) error {
		var err error
		n, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[int64])
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("measure lag of %s: %w", name, err)
	}
	return n, nil
}
