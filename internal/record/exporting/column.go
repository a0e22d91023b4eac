package exporting

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/platform/money"
	"crm/internal/record"
)

// kind is how a spreadsheet should take a cell.
type kind uint8

const (
	text kind = iota
	number
	boolean
	date
	datetime
)

// cell is one value on its way into a file; the zero value is empty.
type cell struct {
	kind kind
	text string
	at   time.Time // of date and datetime
}

// column is one column of a table file. A field may have several: an amount and its
// currency, the parts of an address, an id and the name behind it.
type column struct {
	heading string
	object  string // the cell is the name of the record of this object that field points to
	field   *record.Field
	name    string // field name, custom. included
	value   func(f *record.Field, v any) cell
}

// bookkeeping of rows is not what people look at.
func exportable(f *record.Field) bool { return !f.Hidden && f.Type.Name() != "custom" }

// chooseFields resolves the names of a request; none means every field.
func chooseFields(def *record.Definition, names []string) ([]string, error) {
	if len(names) == 0 {
		return allFields(def), nil
	}
	var out []string
	for _, name := range names {
		name = strings.TrimSpace(name)
		if name == "custom" {
			out = append(out, customFields(def)...)
			continue
		}
		f, ok := def.Field(name)
		if !ok || !exportable(f) {
			return nil, errs.Field("fields", "unknown_field", "There is no field %q on %s.", name, def.Plural)
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out, nil
}

func allFields(def *record.Definition) []string {
	var out []string
	for _, f := range def.Fields {
		if exportable(f) {
			out = append(out, f.Name)
		}
	}
	return append(out, customFields(def)...)
}

func customFields(def *record.Definition) []string {
	var out []string
	for _, f := range def.CustomFields() {
		out = append(out, "custom."+f.Name)
	}
	return out
}

var addressParts = []string{"street", "city", "region", "postal_code", "country"}

// tableColumns lays the fields out side by side. A field that has gone since the
// request was made is left out.
func tableColumns(def *record.Definition, names []string) []column {
	var out []column
	for _, name := range names {
		if f, ok := def.Field(name); ok && exportable(f) {
			out = append(out, fieldColumns(f, name)...)
		}
	}
	return out
}

func fieldColumns(f *record.Field, name string) []column {
	one := column{heading: name, field: f, name: name, value: plain}
	if f.Custom {
		one.value = customValue
		return []column{one}
	}
	switch f.Type.Name() {
	case "money":
		currency := one
		one.value, currency.value, currency.heading = amount, currencyOf, name+".currency"
		return []column{one, currency}
	case "address":
		return addressColumns(one)
	case "relation", "user", "team":
		label := one
		label.heading, label.object = strings.TrimSuffix(name, "_id"), target(f)
		if label.heading == name {
			label.heading = name + "_name" // created_by
		}
		return []column{one, label}
	}
	return []column{one}
}

func target(f *record.Field) string {
	if f.Target == "" {
		return f.Type.Name() // user, team
	}
	return f.Target
}

func addressColumns(one column) []column {
	var out []column
	for _, part := range addressParts {
		c := one
		c.heading = one.name + "." + part
		c.value = func(_ *record.Field, v any) cell {
			m, _ := v.(map[string]any)
			s, _ := m[part].(string)
			return cell{text: s}
		}
		out = append(out, c)
	}
	return out
}

// plain writes a value the way its type writes it for CSV.
func plain(f *record.Field, v any) cell {
	switch v := v.(type) {
	case nil:
		return cell{}
	case string:
		return cell{text: v}
	case int64, float64:
		return cell{kind: number, text: f.Type.Text(v)}
	case bool:
		return cell{kind: boolean, text: f.Type.Text(v)}
	case time.Time:
		if f.Type.Name() == "date" {
			return cell{kind: date, text: f.Type.Text(v), at: v}
		}
		return cell{kind: datetime, text: f.Type.Text(v), at: v}
	case []string:
		return cell{text: joined(v)}
	case uuid.UUID:
		return cell{text: v.String()}
	}
	return cell{text: f.Type.Text(v)}
}

// joined writes a list as people do, and as JSON where an entry holds what divides
// entries, so that an import finds the same entries again.
func joined(items []string) string {
	for _, s := range items {
		if strings.ContainsAny(s, ",;[]\"\n\r") {
			b, err := json.Marshal(items)
			if err != nil {
				return ""
			}
			return string(b)
		}
	}
	return strings.Join(items, ", ")
}

func amount(_ *record.Field, v any) cell {
	if a, ok := v.(money.Amount); ok {
		return cell{kind: number, text: a.Decimal()}
	}
	return cell{}
}

func currencyOf(_ *record.Field, v any) cell {
	if a, ok := v.(money.Amount); ok {
		return cell{text: a.Currency}
	}
	return cell{}
}

// customValue reads a value as the custom document holds it.
func customValue(f *record.Field, v any) cell {
	switch v := v.(type) {
	case nil:
		return cell{}
	case string:
		return customText(f, v)
	case json.Number:
		return cell{kind: number, text: v.String()}
	case bool:
		return cell{kind: boolean, text: fmt.Sprint(v)}
	case []any:
		items := make([]string, len(v))
		for i, it := range v {
			items[i] = fmt.Sprint(it)
		}
		return cell{text: joined(items)}
	case map[string]any:
		if f.Type.Name() == "money" {
			return cell{text: fmt.Sprint(v["amount"], " ", v["currency"])}
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return cell{}
	}
	return cell{text: string(b)}
}

func customText(f *record.Field, s string) cell {
	switch f.Type.Name() {
	case "date":
		if t, err := time.Parse(time.DateOnly, s); err == nil {
			return cell{kind: date, text: s, at: t}
		}
	case "datetime":
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			return cell{kind: datetime, text: s, at: t}
		}
	}
	return cell{text: s}
}
