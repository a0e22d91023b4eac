package record

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"crm/internal/platform/auth"
	"crm/internal/platform/money"
)

// Amounts are sums of money, one per currency.
type Amounts []money.Amount

// MarshalJSON writes them as amounts are written everywhere in the API.
func (a Amounts) MarshalJSON() ([]byte, error) {
	out := []byte{'['}
	for i, v := range a {
		if i > 0 {
			out = append(out, ',')
		}
		out = moneyType{}.AppendJSON(out, v)
	}
	return append(out, ']'), nil
}

// plainNumber is a number as PostgreSQL sent it, exact; other values pass.
func plainNumber(v any) any {
	switch v := v.(type) {
	case pgtype.Numeric:
		raw, err := v.MarshalJSON()
		if err != nil || v.NaN || v.InfinityModifier != pgtype.Finite {
			return nil
		}
		return json.Number(raw)
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) { // a sum beyond what a double holds
			return nil
		}
	}
	return v
}

// read turns the column of a measure into what JSON shows.
func (m measure) read(v any) any {
	v = plainNumber(v)
	if m.cond == nil || m.fn == "count" || m.fn == "count_distinct" {
		return v
	}
	f := m.cond.Field
	switch v := v.(type) {
	case time.Time:
		return f.Type.Text(v)
	case string:
		if f.kind() == kindTime {
			return v + "Z" // custom times are compared without it
		}
	}
	return v
}

// read turns the column of a group into what JSON shows.
func (g groupKey) read(v any) any {
	switch v := plainNumber(v).(type) {
	case time.Time:
		return v.Format(time.DateOnly)
	case [16]byte:
		return uuid.UUID(v).String()
	default:
		return v
	}
}

// label says in words what ids and options of the groups mean, with one query per
// object. What the actor may not see has no words.
func (o *Object) label(ctx context.Context, p *plan, rows []AggregateRow) error {
	for _, g := range p.groups {
		f := g.cond.Field
		switch {
		case len(f.Options) > 0:
			labelOptions(g.name, f.Options, rows)
		case f.Target != "" && f.kind() == kindID:
			if err := o.labelRecords(ctx, g.name, f.Target, rows); err != nil {
				return err
			}
		}
	}
	return nil
}

func labelOptions(name string, options []Option, rows []AggregateRow) {
	for _, r := range rows {
		for _, opt := range options {
			if r.Group[name] == any(opt.Value) {
				r.Labels[name] = opt.Label
			}
		}
	}
}

func (o *Object) labelRecords(ctx context.Context, name, object string, rows []AggregateRow) error {
	target, ok := o.k.ObjectFor(ctx, object)
	if !ok || auth.From(ctx).Grants.Scope(object, auth.Read) == auth.None {
		return nil
	}
	var ids []uuid.UUID
	for _, r := range rows {
		if s, ok := r.Group[name].(string); ok {
			id, _ := uuid.Parse(s) // from a uuid column
			ids = append(ids, id)
		}
	}
	found, err := target.GetMany(ctx, ids)
	if err != nil {
		return err
	}
	for _, r := range rows {
		s, _ := r.Group[name].(string)
		if id, err := uuid.Parse(s); err == nil && found[id] != nil {
			r.Labels[name] = found[id].Title()
		}
	}
	return nil
}
