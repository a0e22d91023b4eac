package record

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
	"crm/internal/platform/money"
)

// runPlan reads the totals first: they tell which currencies occur, and the groups
// then have one column per currency. Two passes over the rows, whatever is asked.
func (o *Object) runPlan(ctx context.Context, p *plan) (*Aggregate, error) {
	out := &Aggregate{Total: map[string]any{}, TimeZone: p.zone.String(), Rows: []AggregateRow{}}
	currencies, err := o.totals(ctx, p, out.Total)
	if err != nil || len(p.groups) == 0 {
		return out, err
	}
	rows, err := o.groups(ctx, p, currencies)
	if err != nil {
		return nil, err
	}
	if out.Truncated = len(rows) > p.limit; out.Truncated {
		rows = rows[:p.limit]
	}
	out.Rows = rows
	return out, o.label(ctx, p, rows)
}

// builder starts a statement over the rows the query matches.
func (o *Object) builder(ctx context.Context, q Query) (*sqlBuilder, string, error) {
	a, scope, err := auth.Require(ctx, o.Def.Name, auth.Read)
	if err != nil {
		return nil, "", err
	}
	n, q, err := o.narrowTo(ctx, q)
	if err != nil {
		return nil, "", err
	}
	b := &sqlBuilder{actor: a, defs: o.k.resolver(ctx)}
	where, err := o.listWhere(b, scope, q, n)
	return b, where, err
}

// totals fills the figures over all rows and returns the currencies of each money
// field, the most frequent first.
func (o *Object) totals(ctx context.Context, p *plan, into map[string]any) (map[string][]string, error) {
	var queries []db.Query
	var fields []*Field
	b, where, err := o.builder(ctx, p.query)
	if err != nil {
		return nil, err
	}
	cols := []string{"count(*)"}
	for _, m := range p.measures {
		if !m.money() || m.fn == "count" {
			cols = append(cols, b.figure(m, "t", ""))
		} else if !slices.Contains(fields, m.cond.Field) {
			fields = append(fields, m.cond.Field)
		}
	}
	queries = append(queries, db.Query{SQL: fmt.Sprintf("select %s from %s t where %s", strings.Join(cols, ", "), o.Def.Table, where), Args: b.args, Varied: true})
	for _, f := range fields {
		b, where, err := o.builder(ctx, p.query)
		if err != nil {
			return nil, err
		}
		amount := b.minor(f, "t")
		queries = append(queries, db.Query{
			SQL: fmt.Sprintf("select %s, count(*), sum(%[2]s)::numeric::text, round(avg(%[2]s))::text, min(%[2]s)::bigint::text, max(%[2]s)::bigint::text from %[3]s t where %[4]s and %[2]s is not null group by 1 order by 2 desc, 1 limit %[5]d",
				b.currency(f, "t"), amount, o.Def.Table, where, maxCurrencies+1),
			Args: b.args, Varied: true,
		})
	}
	currencies := map[string][]string{}
	err = o.k.DB.ReadMany(ctx, queries, func(i int, rows pgx.Rows) error {
		if i == 0 {
			return p.readTotals(rows, into)
		}
		return p.readCurrencies(rows, fields[i-1], currencies, into)
	})
	return currencies, err
}

func (p *plan) readTotals(rows pgx.Rows, into map[string]any) error {
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return err
		}
		at := 1
		for _, m := range p.measures {
			if m.money() && m.fn != "count" {
				into[m.name] = Amounts{}
				continue
			}
			into[m.name] = m.read(values[at])
			at++
		}
	}
	return rows.Err()
}

func (p *plan) readCurrencies(rows pgx.Rows, f *Field, found map[string][]string, into map[string]any) error {
	for rows.Next() {
		var currency string
		var n int64
		figures := make([]string, 4)
		if err := rows.Scan(&currency, &n, &figures[0], &figures[1], &figures[2], &figures[3]); err != nil {
			return err
		}
		if len(found[f.path()]) == maxCurrencies {
			return errs.New(errs.Malformed, "too_many_currencies", "%s has more than %d currencies here. Narrow the filter.", f.Label, maxCurrencies)
		}
		found[f.path()] = append(found[f.path()], currency)
		for _, m := range p.measures {
			if at := slices.Index([]string{"sum", "avg", "min", "max"}, m.fn); m.cond != nil && m.cond.Field == f && at >= 0 {
				into[m.name] = addAmount(into[m.name], figures[at], currency)
			}
		}
	}
	return rows.Err()
}

// addAmount appends an amount given as text of minor units. A sum that fits no
// amount is left out rather than shown wrong.
func addAmount(list any, minor, currency string) any {
	n, err := strconv.ParseInt(minor, 10, 64)
	out, _ := list.(Amounts)
	if err != nil {
		return out
	}
	return append(out, money.Amount{Minor: n, Currency: currency})
}

// minor is the amount of a money field in minor units.
func (b *sqlBuilder) minor(f *Field, alias string) string {
	if !f.Custom {
		return b.column(f, alias)
	}
	none, three := money.Exponents()
	currency := b.currency(f, alias)
	return fmt.Sprintf("(%s * case when %s = any(%s::text[]) then 1 when %s = any(%s::text[]) then 1000 else 100 end)",
		b.decimal(f, alias), currency, b.arg(none), currency, b.arg(three))
}

// figure is the SQL of one measure; for money, of its amounts in one currency.
func (b *sqlBuilder) figure(m measure, alias, currency string) string {
	if m.cond == nil {
		return "count(*)"
	}
	f := m.cond.Field
	read := b.column
	if m.money() {
		read = b.minor
	}
	col, only := read(f, alias), ""
	if currency != "" {
		only = fmt.Sprintf(" filter (where %s = %s::text)", b.currency(f, alias), b.arg(currency))
	}
	switch {
	case m.fn == "count_distinct":
		return fmt.Sprintf("count(distinct %s)", col)
	case m.fn == "avg" && m.money():
		return fmt.Sprintf("round(avg(%s)%s)", col, only)
	}
	return fmt.Sprintf("%s(%s)%s", m.fn, col, only)
}

// groups reads the groups, at most one more than the limit.
func (o *Object) groups(ctx context.Context, p *plan, currencies map[string][]string) ([]AggregateRow, error) {
	b, where, err := o.builder(ctx, p.query)
	if err != nil {
		return nil, err
	}
	var cols, joins, positions []string
	for i, g := range p.groups {
		col, join, err := b.groupColumn(g, i, p)
		if err != nil {
			return nil, err
		}
		cols, positions = append(cols, col), append(positions, strconv.Itoa(i+1))
		if join != "" {
			joins = append(joins, join)
		}
	}
	first := make([]int, len(p.measures)) // column of each measure
	for i, m := range p.measures {
		first[i] = len(cols)
		if !m.money() || m.fn == "count" {
			cols = append(cols, b.figure(m, "t", ""))
			continue
		}
		for _, currency := range currencies[m.cond.Field.path()] {
			cols = append(cols, b.figure(m, "t", currency))
		}
	}
	sql := fmt.Sprintf("select %s from %s t %s where %s group by %s order by %s limit %d", strings.Join(cols, ", "), o.Def.Table, strings.Join(joins, " "),
		where, strings.Join(positions, ", "), b.groupOrder(p, first, currencies), p.limit+1)
	var out []AggregateRow
	err = o.k.DB.Read(ctx, db.Query{SQL: sql, Args: b.args, Varied: true}, func(rows pgx.Rows) error {
		for rows.Next() {
			values, err := rows.Values()
			if err != nil {
				return err
			}
			out = append(out, p.readGroup(values, first, currencies))
		}
		return rows.Err()
	})
	return out, err
}

func (p *plan) readGroup(values []any, first []int, currencies map[string][]string) AggregateRow {
	row := AggregateRow{Group: map[string]any{}, Labels: map[string]string{}, Values: map[string]any{}}
	for i, g := range p.groups {
		row.Group[g.name] = g.read(values[i])
	}
	for i, m := range p.measures {
		if !m.money() || m.fn == "count" {
			row.Values[m.name] = m.read(values[first[i]])
			continue
		}
		var list any = Amounts{}
		for n, currency := range currencies[m.cond.Field.path()] {
			if v := values[first[i]+n]; v != nil {
				list = addAmount(list, fmt.Sprint(plainNumber(v)), currency)
			}
		}
		row.Values[m.name] = list
	}
	return row
}

// groupColumn is the SQL of one group, with the join that unfolds a list.
func (b *sqlBuilder) groupColumn(g groupKey, i int, p *plan) (col, join string, err error) {
	f := g.cond.Field
	if f.kind() == kindList {
		alias := "u" + strconv.Itoa(i)
		list := b.column(f, "t")
		return alias + ".v", fmt.Sprintf("cross join lateral unnest(case when cardinality(%s) = 0 then array[null]::text[] else %s end) as %s(v)", list, list, alias), nil
	}
	if g.cond.Relation == nil {
		return b.bucket(g, b.column(f, "t"), p), "", nil
	}
	target, vis, err := b.related(g.cond.Relation, "r")
	if err != nil {
		return "", "", err
	}
	inner := fmt.Sprintf("(select %s from %s r where r.tenant_id = t.tenant_id and r.id = t.%s and r.deleted_at is null%s)",
		b.column(f, "r"), target.Table, g.cond.Relation.Column, vis)
	return b.bucket(g, inner, p), "", nil
}

// bucket cuts a date to the begin of its day, week … as a calendar date in the
// caller's zone; other values become what JSON shows.
func (b *sqlBuilder) bucket(g groupKey, col string, p *plan) string {
	f := g.cond.Field
	switch f.kind() {
	case kindDate:
		if f.Custom {
			col = fmt.Sprintf("(case when %[1]s ~ '^\\d{4}-\\d\\d-\\d\\d$' then (%[1]s)::date end)", col)
		}
		return fmt.Sprintf("date_trunc(%s::text, %s::timestamp)::date", b.arg(g.by), col)
	case kindTime:
		if f.Custom {
			col = fmt.Sprintf("(case when %[1]s ~ '^\\d{4}-\\d\\d-\\d\\dT' then (%[1]s || 'Z')::timestamptz end)", col)
		}
		zone := b.arg(p.zone.String())
		return fmt.Sprintf("date_trunc(%s::text, %s at time zone %s::text)::date", b.arg(g.by), col, zone)
	}
	return col
}

// groupOrder writes the order; empty values come last. Money is compared in the
// tenant's currency if it occurs, else in the most frequent one. The groups
// themselves settle ties.
func (b *sqlBuilder) groupOrder(p *plan, first []int, currencies map[string][]string) string {
	var out []string
	add := func(column int, desc bool) {
		s := strconv.Itoa(column + 1)
		if desc {
			s += " desc"
		}
		out = append(out, s+" nulls last")
	}
	for _, s := range p.sort {
		n := s.column - len(p.groups)
		if n < 0 {
			add(s.column, s.desc)
			continue
		}
		at := 0
		if m := p.measures[n]; m.money() && m.fn != "count" {
			list := currencies[m.cond.Field.path()]
			if len(list) == 0 {
				continue // no amount anywhere: nothing to sort by
			}
			at = max(0, slices.Index(list, b.actor.Currency))
		}
		add(first[n]+at, s.desc)
	}
	for i := range p.groups {
		add(i, false)
	}
	return strings.Join(out, ", ")
}
