package record

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/money"
)

var sqlOps = map[Op]string{Eq: "=", Gt: ">", Gte: ">=", Lt: "<", Lte: "<="}

// compare writes one condition. What evaluate.go says of a value in memory is what
// this says of it in a row; TestSQLAndMemoryAgree holds the two together.
func (b *sqlBuilder) compare(c *Cond, alias string) string {
	if s, ok := b.kept(c, alias); ok {
		return s
	}
	f := c.Field
	if c.Op == IsNull {
		return b.isNull(f, alias, c.Values[0] == any(true))
	}
	switch f.kind() {
	case kindList:
		return b.overlap(c, alias)
	case kindDate, kindTime:
		return b.moments(c, b.column(f, alias))
	case kindMoney:
		return b.amounts(c, alias)
	}
	return b.scalar(c, b.column(f, alias))
}

func (b *sqlBuilder) isNull(f *Field, alias string, want bool) string {
	col := b.column(f, alias)
	switch f.kind() {
	case kindList:
		col = "nullif(cardinality(" + col + "), 0)"
	case kindJSON: // an empty document is no document
		col = fmt.Sprintf("nullif(nullif(%s, '{}'), 'null')", col)
	}
	if want {
		return col + " is null"
	}
	return col + " is not null"
}

// scalar compares texts, numbers, booleans and ids.
func (b *sqlBuilder) scalar(c *Cond, col string) string {
	cast, text := b.cast(c.Field), ""
	if s, ok := c.Values[0].(string); ok {
		text = s
	}
	switch c.Op {
	case Ne:
		return fmt.Sprintf("%s is distinct from %s%s", col, b.arg(c.Values[0]), cast)
	case In:
		return fmt.Sprintf("%s = any(%s)", col, b.array(c))
	case NotIn:
		return fmt.Sprintf("(%s = any(%s)) is not true", col, b.array(c))
	case Between:
		return fmt.Sprintf("%s between %s%s and %s%s", col, b.arg(c.Values[0]), cast, b.arg(c.Values[1]), cast)
	case Contains:
		return fmt.Sprintf("lower(%s) like %s", col, b.arg("%"+escapeLike(text)+"%"))
	case StartsWith:
		return fmt.Sprintf("lower(%s) like %s", col, b.arg(escapeLike(text)+"%"))
	case Gt, Gte, Lt, Lte:
		if c.Field.kind() == kindText {
			col += ` collate "C"` // the same order everywhere, whatever the database was made with
		}
	}
	return fmt.Sprintf("%s %s %s%s", col, sqlOps[c.Op], b.arg(c.Values[0]), cast)
}

// cast makes a parameter of the type the column is compared in.
func (b *sqlBuilder) cast(f *Field) string {
	switch {
	case f.kind() == kindInt && f.Custom:
		return "::bigint::numeric"
	case f.kind() == kindInt:
		return "::bigint"
	case f.kind() == kindFloat:
		return "::double precision"
	}
	return ""
}

// array is one parameter for all values of in and not_in, so that a long list
// makes no long statement.
func (b *sqlBuilder) array(c *Cond) string {
	switch c.Field.kind() {
	case kindInt:
		arg := b.arg(listOf[int64](c.Values)) + "::bigint[]"
		if c.Field.Custom {
			return arg + "::numeric[]"
		}
		return arg
	case kindFloat:
		return b.arg(listOf[float64](c.Values)) + "::double precision[]"
	case kindBool:
		return b.arg(listOf[bool](c.Values)) + "::boolean[]"
	case kindID:
		return b.arg(listOf[uuid.UUID](c.Values)) + "::uuid[]"
	}
	return b.arg(listOf[string](c.Values)) + "::text[]"
}

func listOf[T any](values []any) []T {
	out := make([]T, 0, len(values))
	for _, v := range values {
		if x, ok := v.(T); ok {
			out = append(out, x)
		}
	}
	return out
}

// moments compares dates and times; every value is a span.
func (b *sqlBuilder) moments(c *Cond, col string) string {
	switch c.Op {
	case Ne:
		return "(" + b.within(c, col, c.Values[0]) + ") is not true"
	case In, NotIn:
		var parts []string
		for _, v := range c.Values {
			parts = append(parts, b.within(c, col, v))
		}
		either := "(" + strings.Join(parts, " or ") + ")"
		if c.Op == NotIn {
			return either + " is not true"
		}
		return either
	case Between:
		from, to := momentOf(c.Field, c.Values[0]), momentOf(c.Field, c.Values[1])
		return fmt.Sprintf("(%s >= %s and %s < %s)", col, b.time(c.Field, from.From), col, b.time(c.Field, to.To))
	case Gt:
		return col + " >= " + b.time(c.Field, momentOf(c.Field, c.Values[0]).To)
	case Gte:
		return col + " >= " + b.time(c.Field, momentOf(c.Field, c.Values[0]).From)
	case Lt:
		return col + " < " + b.time(c.Field, momentOf(c.Field, c.Values[0]).From)
	case Lte:
		return col + " < " + b.time(c.Field, momentOf(c.Field, c.Values[0]).To)
	}
	return b.within(c, col, c.Values[0])
}

func (b *sqlBuilder) within(c *Cond, col string, v any) string {
	m := momentOf(c.Field, v)
	return fmt.Sprintf("(%s >= %s and %s < %s)", col, b.time(c.Field, m.From), col, b.time(c.Field, m.To))
}

// time is the parameter of one end of a span. Custom dates and times lie in the
// document as text whose order is the order of time (see column).
func (b *sqlBuilder) time(f *Field, t time.Time) string {
	switch {
	case f.Custom && f.kind() == kindDate:
		return b.arg(t.Format(time.DateOnly)) + "::text"
	case f.Custom:
		return b.arg(strings.TrimSuffix(t.UTC().Format(time.RFC3339Nano), "Z")) + "::text"
	case f.kind() == kindDate:
		return b.arg(t) + "::date"
	}
	return b.arg(t) + "::timestamptz"
}

// amounts compares money: with a currency only amounts in it, without one the
// number in each record's own currency. Nothing is converted.
func (b *sqlBuilder) amounts(c *Cond, alias string) string {
	one := func(i int, op string) string { return b.amount(c.Field, c.Values[i], op, alias) }
	switch c.Op {
	case Between:
		return "(" + one(0, ">=") + " and " + one(1, "<=") + ")"
	case Gt, Gte, Lt, Lte:
		return one(0, sqlOps[c.Op])
	}
	var parts []string
	for i := range c.Values {
		parts = append(parts, one(i, "="))
	}
	either := "(" + strings.Join(parts, " or ") + ")"
	if c.Op == Ne || c.Op == NotIn {
		return either + " is not true"
	}
	return either
}

func (b *sqlBuilder) amount(f *Field, v any, op, alias string) string {
	switch v := v.(type) {
	case money.Amount:
		if f.Custom {
			return fmt.Sprintf("(%s = %s and %s %s %s::text::numeric)", b.currency(f, alias), b.arg(v.Currency), b.decimal(f, alias), op, b.arg(v.Decimal()))
		}
		return fmt.Sprintf("(%s = %s and %s %s %s::bigint)", b.currency(f, alias), b.arg(v.Currency), b.column(f, alias), op, b.arg(v.Minor))
	case Figure:
		return fmt.Sprintf("%s %s %s::text::numeric", b.decimal(f, alias), op, b.arg(v.Decimal))
	}
	return "false"
}

// decimal is the exact number of an amount in units of its currency.
func (b *sqlBuilder) decimal(f *Field, alias string) string {
	if f.Custom {
		path := fmt.Sprintf("(%s.custom->%s->>'amount')", alias, b.arg(f.Name)+"::text")
		return fmt.Sprintf(`(case when %[1]s ~ '^-?[0-9]{1,19}(\.[0-9]{1,3})?$' then %[1]s::numeric end)`, path)
	}
	none, three := money.Exponents()
	return fmt.Sprintf("(%s * case when %s = any(%s::text[]) then 1 when %s = any(%s::text[]) then 0.001 else 0.01 end)",
		b.column(f, alias), b.currency(f, alias), b.arg(none), b.currency(f, alias), b.arg(three))
}

func (b *sqlBuilder) currency(f *Field, alias string) string {
	if f.Custom {
		return fmt.Sprintf("(%s.custom->%s->>'currency')", alias, b.arg(f.Name)+"::text")
	}
	return alias + "." + f.Column + "_currency"
}

// overlap compares lists; an empty list has none of anything.
func (b *sqlBuilder) overlap(c *Cond, alias string) string {
	col, arg := b.column(c.Field, alias), b.arg(listOf[string](c.Values))
	switch c.Op {
	case AllOf:
		return fmt.Sprintf("%s @> %s::text[]", col, arg)
	case NoneOf:
		return fmt.Sprintf("(%s && %s::text[]) is not true", col, arg)
	}
	return fmt.Sprintf("%s && %s::text[]", col, arg)
}

// column is the SQL expression of a field. Custom fields are read from the
// document; what is not of their type there counts as empty, so that no row can
// make a list fail. Custom dates and times stay text, and are written so that
// their order as text is the order of time: of "…00.5" and "…00" the longer one is
// later, which the trailing Z would turn around.
func (b *sqlBuilder) column(f *Field, alias string) string {
	if !f.Custom {
		return alias + "." + f.Column
	}
	name := b.arg(f.Name) + "::text"
	doc := fmt.Sprintf("%s.custom->%s", alias, name)
	text := fmt.Sprintf("%s.custom->>%s", alias, name)
	switch f.kind() {
	case kindInt:
		return fmt.Sprintf("(case when %[1]s ~ '^-?[0-9]{1,19}$' then (%[1]s)::numeric end)", text)
	case kindFloat:
		return fmt.Sprintf("(case when jsonb_typeof(%s) = 'number' then (%s)::double precision end)", doc, text)
	case kindBool:
		return fmt.Sprintf("(case when jsonb_typeof(%s) = 'boolean' then (%s)::boolean end)", doc, text)
	case kindDate:
		return fmt.Sprintf(`(%s) collate "C"`, text)
	case kindTime:
		return fmt.Sprintf(`rtrim(%s, 'Z') collate "C"`, text)
	case kindID:
		return fmt.Sprintf("(case when %[1]s ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then (%[1]s)::uuid end)", text)
	case kindList:
		return fmt.Sprintf("array(select jsonb_array_elements_text(case jsonb_typeof(%[1]s) when 'array' then %[1]s else '[]' end))", doc)
	case kindMoney, kindJSON:
		return "(" + doc + ")"
	}
	return "(" + text + ")"
}

// value is the parameter for a comparison with a sortable field.
func (b *sqlBuilder) value(_ *Field, v any) string {
	if m, ok := v.(money.Amount); ok {
		return b.arg(m.Minor)
	}
	return b.arg(v)
}

func escapeLike(s string) string {
	return strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(strings.ToLower(s))
}
