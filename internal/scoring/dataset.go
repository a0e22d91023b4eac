package scoring

import (
	"context"
	"fmt"
	"slices"
	"time"

	"crm/internal/record"
	"crm/internal/scoring/learn"
)

const (
	// examplesMost bounds memory and time; what happened before the latest quarter million outcomes teaches little.
	examplesMost = 250_000
	// atOnce is a span of creation times that can only come from an import without dates.
	atOnce = 30 * time.Minute
)

// examples reads every record with a known outcome as a training table, oldest first. It reads through the kernel, by
// id from the newest, because the id is the one key whose index gives pages of equal cost however the dates lie.
func (s *Service) examples(ctx context.Context, t *target, p *plan, tick func(read int)) (*learn.Table, error) {
	o, ok := s.k.Object(t.object)
	if !ok {
		return nil, fmt.Errorf("read examples: object %s is not registered", t.object)
	}
	q, err := outcomeQuery(o, t)
	if err != nil {
		return nil, err
	}
	table := learn.NewTable(p.fields()...)
	row := make([]learn.Value, len(p.features))
	for {
		page, err := o.List(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("read examples: %w", err)
		}
		for _, r := range page.Records {
			at, _ := r.Get("created_at").(time.Time)
			p.row(r.Get, row)
			if err := table.Append(row, slices.Contains(t.won, r.Get(t.status)), at); err != nil {
				return nil, fmt.Errorf("read examples: %w", err)
			}
		}
		tick(table.Rows())
		if q.Cursor = page.Next; q.Cursor == "" || table.Rows() >= examplesMost {
			return inOrder(table), nil
		}
	}
}

func outcomeQuery(o *record.Object, t *target) (record.Query, error) {
	status, ok := o.Def.Field(t.status)
	if !ok {
		return record.Query{}, fmt.Errorf("read examples: %s has no field %s", t.object, t.status)
	}
	decided := record.Filter{Cond: &record.Cond{Field: status, Op: record.In, Values: t.decided()}}
	return record.Query{Limit: record.MaxLimit, Sort: "-id", Filter: decided}, nil
}

// inOrder turns a table read from the newest id into time order. Records made within minutes of each other have no
// dates of their own; their ids are in file order, which for an export is the order things happened in.
func inOrder(table *learn.Table) *learn.Table {
	order := make([]int32, table.Rows())
	for i := range order {
		order[i] = int32(len(order) - 1 - i)
	}
	out := table.Select(order)
	if spread(out.Times) > atOnce {
		out.SortByTime()
		return out
	}
	for i := 1; i < len(out.Times); i++ {
		if out.Times[i].Before(out.Times[i-1]) {
			out.Times[i] = out.Times[i-1]
		}
	}
	return out
}

func spread(times []time.Time) time.Duration {
	if len(times) == 0 {
		return 0
	}
	return slices.MaxFunc(times, time.Time.Compare).Sub(slices.MinFunc(times, time.Time.Compare))
}
