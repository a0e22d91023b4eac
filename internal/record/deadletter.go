package record

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
)

// DeadLetter is a journal row that a subscriber gave up on. Error is the last
// failure, for an admin; At is when it happened.
type DeadLetter struct {
	Subscriber string
	Seq        int64
	Error      string
	At         time.Time
	Object     string
	RecordID   uuid.UUID
	Action     string
}

// journalAdmin is the permission to look after the journal's readers.
const journalAdmin = "journal"

// bury sets a row aside for a subscriber.
func (k *Kernel) bury(ctx context.Context, tx pgx.Tx, subscriber string, e *Entry, cause error) error {
	_, err := tx.Exec(ctx, `insert into journal_dead_letters (tenant_id, subscriber, seq, error, at) values (app_tenant(), $1, $2, $3, $4) on conflict do nothing`,
		subscriber, e.Seq, cause.Error(), k.Now().UTC())
	return err
}

// DeadLetters lists what subscribers gave up on, oldest first, after a seq.
func (k *Kernel) DeadLetters(ctx context.Context, after int64, limit int) ([]DeadLetter, error) {
	a, _, err := auth.Require(ctx, journalAdmin, auth.Execute)
	if err != nil {
		return nil, err
	}
	var out []DeadLetter
	err = k.DB.Read(ctx, db.Query{SQL: `select d.subscriber, d.seq, d.error, d.at, j.object, j.record_id, j.action
	  from (select * from journal_dead_letters where tenant_id = $1 and seq > $2 order by seq, subscriber limit $3) d
	  join journal j on j.tenant_id = $1 and j.seq = d.seq order by d.seq, d.subscriber`, Args: []any{a.TenantID, after, limit}},
		func(rows pgx.Rows) (err error) {
			out, err = pgx.CollectRows(rows, pgx.RowToStructByPos[DeadLetter])
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	return out, nil
}

// Replay gives one dead letter to its subscriber again. When it succeeds the
// letter is gone, in the same transaction; when it fails the letter stays, with
// the new error, and the caller is told.
func (k *Kernel) Replay(ctx context.Context, subscriber string, seq int64) error {
	if _, _, err := auth.Require(ctx, journalAdmin, auth.Execute); err != nil {
		return err
	}
	i := slices.IndexFunc(k.subscribers, func(s Subscriber) bool { return s.Name == subscriber })
	if i < 0 {
		return errs.Missing("dead letter")
	}
	var failure error
	err := k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		failure = nil
		e, err := k.exhume(ctx, tx, subscriber, seq)
		if err != nil {
			return err
		}
		system := auth.With(ctx, auth.SystemActor(auth.From(ctx).TenantID))
		failure = pgx.BeginFunc(ctx, tx, func(pgx.Tx) error { return k.subscribers[i].Handle(Because(system, e), []Entry{*e}) })
		if failure != nil {
			_, err := tx.Exec(ctx, `update journal_dead_letters set error = $3, at = $4 where tenant_id = app_tenant() and subscriber = $1 and seq = $2`,
				subscriber, seq, failure.Error(), k.Now().UTC())
			return err
		}
		if _, err := tx.Exec(ctx, `delete from journal_dead_letters where tenant_id = app_tenant() and subscriber = $1 and seq = $2`, subscriber, seq); err != nil {
			return err
		}
		_, err = k.Emit(ctx, tx, "dead_letter", e.RecordID, "replayed", map[string]any{"subscriber": subscriber, "seq": seq})
		return err
	})
	if err != nil {
		return fmt.Errorf("replay dead letter: %w", err)
	}
	if failure != nil {
		return errs.Wrap(failure, errs.Conflict, "replay_failed", "It failed again and stays in the list, with what went wrong this time.")
	}
	return nil
}

// exhume locks the letter and returns its row.
func (k *Kernel) exhume(ctx context.Context, tx pgx.Tx, subscriber string, seq int64) (*Entry, error) {
	rows, err := tx.Query(ctx, "select "+entryColumns+` from journal_dead_letters d join journal j on j.tenant_id = d.tenant_id and j.seq = d.seq
	  where d.tenant_id = app_tenant() and d.subscriber = $1 and d.seq = $2 for update of d`, subscriber, seq)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, scanEntry)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errs.Missing("dead letter")
	}
	return &found[0], nil
}

// Replayed counts what became of a replay of all letters.
type Replayed struct {
	Replayed int `json:"replayed"`
	Failed   int `json:"failed"`
}

// maxReplays bounds one call of ReplayAll.
const maxReplays = 500

// ReplayAll gives the oldest letters (up to maxReplays) to their subscribers
// again, in order.
func (k *Kernel) ReplayAll(ctx context.Context) (Replayed, error) {
	var out Replayed
	letters, err := k.DeadLetters(ctx, 0, maxReplays)
	if err != nil {
		return out, err
	}
	for _, l := range letters {
		err := k.Replay(ctx, l.Subscriber, l.Seq)
		switch kind := errs.KindOf(err); {
		case err == nil:
			out.Replayed++
		case kind == errs.Conflict || kind == errs.NotFound: // NotFound: its reader is no more, or somebody else was quicker
			out.Failed++
		default:
			return out, err
		}
	}
	return out, nil
}
