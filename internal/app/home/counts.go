package home

import (
	"context"
	"time"

	"crm/internal/platform/auth"
	"crm/internal/record"
)

// Counts returns the numbers beside Inbox and Tasks in the menu: leads nobody has
// answered, and one's own tasks due by tonight. For recordpage.ShellDeps.Counts.
func Counts(k *record.Kernel, now func() time.Time) func(ctx context.Context) (map[string]int, error) {
	return func(ctx context.Context) (map[string]int, error) {
		a, err := auth.Must(ctx)
		if err != nil {
			return nil, err
		}
		out := map[string]int{}
		if o, ok := k.Object("lead"); ok && a.Grants.Scope("lead", auth.Read) != auth.None {
			if out["inbox"], err = count(ctx, o, where(o, "status", record.Eq, "new")); err != nil {
				return nil, err
			}
		}
		if o, ok := k.Object("activity"); ok && a.Grants.Scope("activity", auth.Read) != auth.None {
			tonight := midnight(now()).AddDate(0, 0, 1).UTC()
			f := all(where(o, "owner_id", record.Eq, a.ID), where(o, "done_at", record.IsNull, true), where(o, "due_at", record.Lt, tonight))
			if out["activities"], err = count(ctx, o, f); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
}

func count(ctx context.Context, o *record.Object, f record.Filter) (int, error) {
	page, err := o.List(ctx, record.Query{Limit: 1, Count: true, Filter: f})
	if err != nil {
		return 0, err
	}
	return total(page), nil
}
