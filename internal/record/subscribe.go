package record

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
)

// Subscriber is a named reader of the journal. It gets each tenant's rows in
// order of seq, in batches, once nothing can turn up before them any more (see
// settled), and its place moves on in the same transaction as what it does: once
// in effect, provided that effects outside the database are idempotent by Seq.
//
// What Handle changes counts as a reaction to the deepest row it was given; see
// Because. A failing batch is retried row by row; a row that fails poisonTries
// times, or that closes a loop, is written to the dead letters and skipped, so
// that it holds up nobody else.
type Subscriber struct {
	Name   string
	Handle func(ctx context.Context, entries []Entry) error
	// Wants picks the rows that Handle is given; nil = all. A reader that leaves its
	// own output out is not taken for one that reacts to itself.
	Wants func(e *Entry) bool
	// Bare leaves Changes and Data of the rows out, for a reader that only asks what
	// happened to which record: decoding them costs more than all the rest.
	Bare bool
	// Batch is the most rows a call gets, 0 = subscriberBatch. Fewer are left to grow
	// until the oldest is Wait old.
	Batch int
	Wait  time.Duration
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
				k.CatchUp(ctx, t)
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
		k.CatchUp(ctx, t)
	}
}

// CatchUp lets every subscriber of a tenant read to the end.
func (k *Kernel) CatchUp(ctx context.Context, tenant uuid.UUID) {
	ctx = auth.With(ctx, auth.SystemActor(tenant))
	for _, s := range k.subscribers {
		k.follow(ctx, s)
	}
}

// follow lets one subscriber read on until there is nothing settled left, or a row
// it has to try again later.
func (k *Kernel) follow(ctx context.Context, s Subscriber) {
	for size := s.batch(); ; {
		n, err := k.readOn(ctx, s, size)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && n < size:
			return
		case err == nil:
			continue
		}
		k.Log.WarnContext(ctx, "journal subscriber failed", "subscriber", s.Name, "tenant_id", auth.From(ctx).TenantID, "error", err)
		if size > 1 {
			size = 1
			continue
		}
		if !k.failed(ctx, s, err) {
			return
		}
		size = s.batch()
	}
}

func (s *Subscriber) batch() int {
	if s.Batch > 0 {
		return s.Batch
	}
	return subscriberBatch
}

// readOn handles the next rows and moves the reader's place; it returns how many
// there were. A reader that another process holds has none for us.
func (k *Kernel) readOn(ctx context.Context, s Subscriber, size int) (int, error) {
	n := 0
	err := k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		after, horizon, err := k.place(ctx, tx, s.Name)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if wait, err := k.waits(ctx, tx, s, after, horizon, size); err != nil || wait {
			return err
		}
		entries, err := settled(ctx, tx, after, horizon, size)
		if err != nil || len(entries) == 0 {
			return err
		}
		wanted, err := s.wanted(ctx, tx, entries)
		if err != nil {
			return err
		}
		if len(wanted) > 0 {
			if err := s.Handle(reaction(ctx, wanted), wanted); err != nil {
				return err
			}
		}
		n = len(entries)
		return k.moveTo(ctx, tx, s.Name, &entries[n-1])
	})
	return n, err
}

// settled reads rows below the horizon, without their changes and data. Partitions
// are not pruned by time: a clock that was wrong for a while must not hide rows, and
// a look into the index of a month that has none costs microseconds.
func settled(ctx context.Context, tx pgx.Tx, after, horizon int64, limit int) ([]Entry, error) {
	rows, err := tx.Query(ctx, "select "+headColumns+` from journal j
	  where j.tenant_id = app_tenant() and j.seq > $1 and j.seq < $2 order by j.seq limit $3`, after, horizon, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanHead)
}

// waits reports whether fewer rows than a full batch are there, the oldest young
// enough to wait for more. It looks before anything is read: a reader that waits a
// minute is asked at every wake-up.
func (k *Kernel) waits(ctx context.Context, tx pgx.Tx, s Subscriber, after, horizon int64, size int) (bool, error) {
	if s.Wait == 0 {
		return false, nil
	}
	const rest = ` from journal j where j.tenant_id = app_tenant() and j.seq > $1 and j.seq < $2 order by j.seq limit 1`
	var oldest *time.Time
	var full bool
	err := tx.QueryRow(ctx, `select (select j.at`+rest+`), exists (select`+rest+` offset $3)`, after, horizon, size-1).Scan(&oldest, &full)
	if err != nil || oldest == nil || full {
		return false, err
	}
	age := k.Now().Sub(*oldest)
	return age >= 0 && age < s.Wait, nil
}

// wanted picks the rows Handle is given and completes them.
func (s *Subscriber) wanted(ctx context.Context, tx pgx.Tx, entries []Entry) ([]Entry, error) {
	if s.Wants != nil {
		entries = slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return !s.Wants(&e) })
	}
	if s.Bare || len(entries) == 0 {
		return entries, nil
	}
	seqs := make([]int64, len(entries))
	for i, e := range entries {
		seqs[i] = e.Seq
	}
	rows, err := tx.Query(ctx, "select "+entryColumns+` from journal j where j.tenant_id = app_tenant() and j.seq = any($1) order by j.seq`, seqs)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanEntry)
}

// place locks and returns where a reader is, making it on first use, and the
// horizon up to which it may read (see journal_horizon). It is one round trip.
func (k *Kernel) place(ctx context.Context, tx pgx.Tx, name string) (after, horizon int64, err error) {
	b := &pgx.Batch{}
	b.Queue(`insert into journal_subscribers (tenant_id, name, updated_at) values (app_tenant(), $1, $2) on conflict do nothing`, name, k.Now().UTC())
	found := false
	b.Queue(`select after_seq from journal_subscribers where tenant_id = app_tenant() and name = $1 for update skip locked`, name).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			found = true
			if err := rows.Scan(&after); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	b.Queue(`select journal_horizon()`).QueryRow(func(row pgx.Row) error { return row.Scan(&horizon) })
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return 0, 0, err
	}
	if !found {
		return 0, 0, pgx.ErrNoRows
	}
	return after, horizon, nil
}

func (k *Kernel) moveTo(ctx context.Context, tx pgx.Tx, name string, e *Entry) error {
	_, err := tx.Exec(ctx, `update journal_subscribers set after_seq = $2, after_at = $3, failures = 0, last_error = '', updated_at = $4
	  where tenant_id = app_tenant() and name = $1`, name, e.Seq, e.At, k.Now().UTC())
	return err
}

// failed counts a failure of the next single row and, when it has failed too
// often or never can succeed, sets it aside. It reports whether reading may go on
// at once. What is away for a while (a server, the cache) is not the row's fault.
func (k *Kernel) failed(ctx context.Context, s Subscriber, cause error) bool {
	if away(cause) {
		return false
	}
	skipped := false
	err := k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		skipped = false
		var failures int
		var seq int64
		err := tx.QueryRow(ctx, `update journal_subscribers set failures = failures + 1, last_error = $2, updated_at = $3
		  where tenant_id = app_tenant() and name = $1 returning failures, after_seq`, s.Name, cause.Error(), k.Now().UTC()).Scan(&failures, &seq)
		if err != nil || (failures < poisonTries && !isLoop(cause)) {
			return err
		}
		rows, err := settled(ctx, tx, seq, math.MaxInt64, 1)
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := k.bury(ctx, tx, s.Name, &rows[0], cause); err != nil {
			return err
		}
		skipped = true
		return k.moveTo(ctx, tx, s.Name, &rows[0])
	})
	if err != nil {
		k.Log.WarnContext(ctx, "count a subscriber's failure", "subscriber", s.Name, "error", err)
	}
	return skipped && err == nil
}

func away(err error) bool {
	kind := errs.KindOf(err)
	return kind == errs.Limited || (kind == errs.Unavailable && errs.As(err).Code != "timeout")
}
