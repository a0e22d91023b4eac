package record

import (
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/errs"
	"crm/internal/platform/money"
)

// Values of unique and indexed custom fields also stand in two narrow tables, since
// the documents can have neither a constraint nor an index that serves under row level
// security. Both are written by PostgreSQL from the rows themselves, by the same
// expression for a save and for the backfill when a field is marked.

// canBeUnique names the types with one way to write each value.
func (f *Field) canBeUnique() bool {
	switch f.Type.Name() {
	case "text", "url", "email", "phone", "integer", "date", "select", "relation", "user":
		return !f.Computed()
	}
	return false
}

// keptColumn is where custom_values holds the field, "" when it cannot.
func (f *Field) keptColumn() string {
	switch f.Type.Name() {
	case "text", "url", "email", "phone", "select", "boolean", "relation", "user", "team", "file":
		return "text_value"
	case "integer", "decimal", "percent", "rating", "duration", "money":
		return "num_value"
	case "date", "datetime":
		return "time_value"
	}
	return ""
}

// keptExpr is the kept value as SQL over the row t; name is the parameter that holds
// the field's name.
func (f *Field) keptExpr(name string) string {
	path := "(t.custom->>" + name + "::text)"
	switch f.Type.Name() {
	case "money":
		return "(t.custom->" + name + "::text->>'amount')::double precision"
	case "date":
		return "(" + path + "::date::timestamp at time zone 'utc')"
	case "datetime":
		return path + "::timestamptz"
	}
	switch f.keptColumn() {
	case "num_value":
		return path + "::double precision"
	case "text_value":
		if f.Computed() {
			return fmt.Sprintf("left(%s, %d)", path, maxKept)
		}
	}
	return path
}

// keepSQL copies the field's values of some rows of table t into custom_values; $1 is
// the tenant, $2 the field, $3 its name.
func (f *Field) keepSQL(table, rows string) string {
	expr := f.keptExpr("$3")
	return fmt.Sprintf(`insert into custom_values (tenant_id, field_id, record_id, %[1]s)
	  select t.tenant_id, $2, t.id, %[2]s from %[3]s t where t.tenant_id = $1 and %[2]s is not null%[4]s`, f.keptColumn(), expr, table, rows)
}

// claimSQL takes the values of some living rows for them and tells whose it got.
func (f *Field) claimSQL(table, rows string) string {
	return fmt.Sprintf(`insert into custom_uniques (tenant_id, field_id, value, record_id)
	  select t.tenant_id, $2, t.custom->>$3::text, t.id from %s t
	  where t.tenant_id = $1 and t.deleted_at is null and t.custom->>$3::text is not null%s order by 3
	  on conflict on constraint custom_uniques_pkey do nothing returning record_id`, table, rows)
}

// queueKept brings custom_values in step with changes whose rows are written.
func (o *Object) queueKept(b *pgx.Batch, tenant uuid.UUID, def *Definition, changes []*Change) {
	for _, f := range def.rules.indexed {
		var gone, put []uuid.UUID
		for _, c := range changes {
			before, after := c.customs(f)
			if Same(before, after) {
				continue
			}
			if before != nil {
				gone = append(gone, c.New.ID())
			}
			if after != nil {
				put = append(put, c.New.ID())
			}
		}
		if len(gone) > 0 {
			b.Queue("delete from custom_values where tenant_id = $1 and field_id = $2 and record_id = any($3)", tenant, f.ID, gone)
		}
		if len(put) > 0 {
			b.Queue(f.keepSQL(def.Table, " and t.id = any($4)"), tenant, f.ID, f.Name, put)
		}
	}
}

// customs are the stored values of a custom field before and after.
func (c *Change) customs(f *Field) (before, after any) {
	if c.Old != nil {
		m, _ := c.Old.Get("custom").(map[string]any)
		before = m[f.Name]
	}
	m, _ := c.New.Get("custom").(map[string]any)
	return before, m[f.Name]
}

// queueUniques gives up the unique values that changes leave and takes those they
// bring, in value order, so that two batches cannot lock each other out. Two at once
// wait for one another; whoever comes second is refused.
func (o *Object) queueUniques(b *pgx.Batch, tenant uuid.UUID, def *Definition, changes []*Change) {
	for _, f := range def.rules.uniques {
		var gone, put []uuid.UUID
		for _, c := range changes {
			before, after := c.customs(f)
			if c.Old == nil || c.Old.Deleted() {
				before = nil
			}
			if c.New.Deleted() {
				after = nil
			}
			if Same(before, after) {
				continue
			}
			if before != nil {
				gone = append(gone, c.New.ID())
			}
			if after != nil {
				put = append(put, c.New.ID())
			}
		}
		if len(gone) > 0 {
			b.Queue("delete from custom_uniques where tenant_id = $1 and field_id = $2 and record_id = any($3)", tenant, f.ID, gone)
		}
		if len(put) > 0 {
			b.Queue(f.claimSQL(def.Table, " and t.id = any($4)"), tenant, f.ID, f.Name, put).Query(func(rows pgx.Rows) error {
				got, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
				if err == nil && len(got) < len(put) {
					err = f.taken()
				}
				return err
			})
		}
	}
}

func (f *Field) taken() error {
	e := errs.New(errs.Conflict, "already_exists", "Another record already has this %s.", f.Label)
	e.Fields = []errs.FieldError{{Field: f.fieldAs(), Code: "not_unique", Message: "Another record already has this value."}}
	return e
}

// holders is the predicate for rows of alias that hold one of the values, each as its
// stored text.
func (b *sqlBuilder) holders(f *Field, alias string, values []string) string {
	return fmt.Sprintf("%s.id in (select u.record_id from custom_uniques u where u.tenant_id = %s and u.field_id = %s and u.value = any(%s))",
		alias, b.arg(b.actor.TenantID), b.arg(f.ID), b.arg(values))
}

// uniqueText is the value as custom_uniques holds it.
func (f *Field) uniqueText(v any) string {
	if !f.Custom {
		return f.Type.Text(v)
	}
	if s, ok := storable(f, v).(string); ok {
		return s
	}
	return f.Type.Text(v)
}

// keptOps are the comparisons custom_values answers; the others read the documents.
var keptOps = []Op{Eq, In, Gt, Gte, Lt, Lte, Between}

// kept compiles a condition on an indexed custom field into a look-up by index.
func (b *sqlBuilder) kept(c *Cond, alias string) (string, bool) {
	f := c.Field
	if !f.Custom || !f.indexed || f.keptColumn() == "" || !slices.Contains(keptOps, c.Op) {
		return "", false
	}
	if f.Type.Name() == "boolean" && c.Op != Eq {
		return "", false
	}
	col := "v." + f.keptColumn()
	var test string
	if f.keptColumn() == "time_value" {
		return b.inKept(f, alias, b.moments(f.asInstant(c), col)), true
	}
	if slices.ContainsFunc(c.Values, hasCurrency) {
		return "", false // the narrow table knows no currencies
	}
	switch c.Op {
	case In:
		list := make([]any, len(c.Values))
		for i, v := range c.Values {
			list[i] = b.keptValue(f, v)
		}
		test = col + " = any(" + b.arg(typedList(f, list)) + ")"
	case Between:
		test = fmt.Sprintf("%s between %s and %s", col, b.arg(b.keptValue(f, c.Values[0])), b.arg(b.keptValue(f, c.Values[1])))
	default:
		test = fmt.Sprintf("%s %s %s", col, sqlOps[c.Op], b.arg(b.keptValue(f, c.Values[0])))
	}
	return b.inKept(f, alias, test), true
}

func (b *sqlBuilder) inKept(f *Field, alias, test string) string {
	return fmt.Sprintf("%s.id in (select v.record_id from custom_values v where v.tenant_id = %s and v.field_id = %s and %s)",
		alias, b.arg(b.actor.TenantID), b.arg(f.ID), test)
}

// asInstant is the condition on the kept instants of a date or time: a day is kept
// as its midnight in UTC.
func (f *Field) asInstant(c *Cond) *Cond {
	out := &Cond{Field: &Field{Name: f.Name, Type: timeType{}}, Op: c.Op}
	for _, v := range c.Values {
		out.Values = append(out.Values, momentOf(f, v))
	}
	return out
}

func hasCurrency(v any) bool {
	_, ok := v.(money.Amount)
	return ok
}

// keptValue is a comparison value in the type of the field's column.
func (b *sqlBuilder) keptValue(f *Field, v any) any {
	switch v := v.(type) {
	case int64, float64, money.Amount:
		x, _ := exact(v).Float64()
		return x
	case Figure:
		x, _ := v.rat().Float64()
		return x
	case bool, uuid.UUID:
		return fmt.Sprint(v)
	}
	return v
}

// typedList is the list as the driver wants it for = any(…).
func typedList(f *Field, list []any) any {
	if f.keptColumn() == "num_value" {
		out := make([]float64, len(list))
		for i, v := range list {
			out[i], _ = v.(float64)
		}
		return out
	}
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = fmt.Sprint(v)
	}
	return out
}
