package record

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
)

const (
	// feedWindow is how many journal rows one step of the feed looks at; the rows it
	// shows may be few among them (another object, out of sight).
	feedWindow = 2_000
	// feedWindows bounds the steps of one call, and with them its time.
	feedWindows = 10
)

// Changes is the change feed: rows after a sequence number, in order, deletes
// included, no row of a transaction that may still be running and none before
// which one could turn up: whoever remembers any number it was shown misses
// nothing. Rows about records the actor may not see are left out. The second value is
// where to go on; it moves on even when nothing was to be shown, and equals
// after only when there is nothing new at all.
func (k *Kernel) Changes(ctx context.Context, after int64, object string, limit int) ([]Entry, int64, error) {
	if _, _, err := auth.Require(ctx, journalAdmin, auth.Read); err != nil {
		return nil, 0, err
	}
	object, err := k.feedObject(ctx, object)
	if err != nil {
		return nil, 0, err
	}
	return k.feed(ctx, after, object, limit)
}

// feedObject takes a name or a plural; other words of the journal ("import",
// "api_key") stand for themselves.
func (k *Kernel) feedObject(ctx context.Context, name string) (string, error) {
	if o, ok := k.PluralFor(ctx, name); ok {
		return o.Def.Name, nil
	}
	if len(name) > 64 {
		return "", errs.New(errs.Malformed, "bad_parameter", "object is the name of an object, such as contact.")
	}
	return name, nil
}

func (k *Kernel) feed(ctx context.Context, after int64, object string, limit int) ([]Entry, int64, error) {
	var out []Entry
	for range feedWindows {
		found, end, err := k.feedStep(ctx, after, object, limit-len(out))
		if err != nil {
			return nil, 0, fmt.Errorf("read the change feed: %w", err)
		}
		full := len(found) == limit-len(out)
		if full {
			end = found[len(found)-1].Seq
		}
		shown, err := k.visibleEntries(ctx, found)
		if err != nil {
			return nil, 0, err
		}
		out = append(out, shown...)
		if end == after || len(out) == limit {
			return out, end, nil
		}
		after = end
	}
	return out, after, nil
}

// feedStep reads the next window: its wanted rows, and the seq of its last row of
// any kind (after itself when it is empty). The horizon is a statement of its own,
// as it must be; all go out in one round trip.
func (k *Kernel) feedStep(ctx context.Context, after int64, object string, limit int) (found []Entry, end int64, err error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, 0, err
	}
	const window = `select j.seq from journal j where j.tenant_id = $1 and j.seq > $2 and j.seq < current_setting('app.journal_horizon')::bigint order by j.seq limit $3`
	queries := []db.Query{
		{SQL: `select set_config('app.journal_horizon', journal_horizon()::text, true)`},
		{SQL: `select coalesce(max(w.seq), $2) from (` + window + `) w`, Args: []any{a.TenantID, after, feedWindow}},
		{SQL: `select ` + entryColumns + ` from journal j where j.tenant_id = $1 and j.seq > $2 and j.seq <= (select max(w.seq) from (` + window + `) w)
		  and ($4 = '' or j.object = $4) order by j.seq limit $5`, Args: []any{a.TenantID, after, feedWindow, object, limit}},
	}
	err = k.DB.ReadMany(ctx, queries, func(i int, rows pgx.Rows) error {
		switch i {
		case 1:
			end, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[int64])
			return err
		case 2:
			found, err = pgx.CollectRows(rows, scanEntry)
			return err
		}
		return nil
	})
	return found, end, err
}

// visibleEntries leaves out rows about records the actor may not see, and from
// the others the fields it may not. Order is kept.
func (k *Kernel) visibleEntries(ctx context.Context, entries []Entry) ([]Entry, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	asked := map[string][]uuid.UUID{}
	for _, e := range entries {
		if s := a.Grants.Scope(e.Object, auth.Read); s == auth.Own || s == auth.Team {
			asked[e.Object] = append(asked[e.Object], e.RecordID)
		}
	}
	seen := map[uuid.UUID]*Record{}
	for object, ids := range asked {
		o, ok := k.ObjectFor(ctx, object)
		if !ok {
			continue // a happening about no record: for those who may read all
		}
		found, err := o.GetMany(ctx, ids)
		if err != nil {
			return nil, err
		}
		for id, r := range found {
			seen[id] = r
		}
	}
	out := entries[:0:0]
	for _, e := range entries {
		if a.Grants.Scope(e.Object, auth.Read) == auth.All || seen[e.RecordID] != nil {
			out = append(out, e)
		}
	}
	return k.shownEntries(ctx, out)
}
