package recordpage

import (
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/money"
	"crm/internal/record"
	"crm/web/ui"
)

// maxOptions bounds the choices a select holds; the rest is found by typing.
const maxOptions = 50

// control is the form control of a field holding v (canonical, nil = empty).
// base is "/{workspace}"; targets are the choices of a relation.
func control(ctx context.Context, f *record.Field, v any, base string, k *record.Kernel, targets []ui.Option, zone *time.Location, currency string) ui.Field {
	out := ui.Field{Name: fieldName(f), Label: f.Label, Help: f.Help, Required: f.Required}
	if v != nil {
		out.Value = f.Type.Text(v)
	}
	bounds(&out, f)
	switch f.Type.Name() {
	case "long_text":
		out.Kind = ui.FieldLong
	case "rich_text":
		out.Kind, out.Max = ui.FieldLong, 0
		if out.Help == "" {
			out.Help = "Simple HTML such as <b>, <ul> and links is kept."
		}
	case "json":
		out.Kind = ui.FieldCode
	case "duration":
		out.Placeholder = "1h 30m"
		if n, ok := v.(int64); ok {
			out.Value = minutes(n)
		}
	case "rating":
		out.Kind, out.Options = ui.FieldSelect, stars(f)
	case "email":
		out.Kind, out.Placeholder = ui.FieldEmail, "name@company.com"
	case "phone":
		out.Kind, out.Placeholder = ui.FieldPhone, "+49 30 1234567"
	case "url":
		out.Kind, out.Placeholder = ui.FieldURL, "https://company.com"
	case "integer", "decimal", "percent":
		out.Kind = ui.FieldNumber
	case "boolean":
		out.Kind = ui.FieldCheck
	case "date":
		out.Kind = ui.FieldDate
	case "datetime":
		out.Kind = ui.FieldDateTime
		if t, ok := v.(time.Time); ok {
			out.Value = t.In(zone).Format("2006-01-02T15:04")
		}
	case "money":
		moneyField(&out, v, currency)
	case "select":
		out.Kind, out.Options = ui.FieldSelect, choices(f)
		if len(f.Options) == 0 {
			out.Kind = ui.FieldText
		}
	case "list":
		listField(&out, f, v)
	case "file":
		out.Placeholder = "the id of an uploaded file"
	case "relation", "user", "team":
		relationField(ctx, &out, f, base, k, targets)
	default:
		if out.Max == 0 {
			out.Max = 500
		}
	}
	return out
}

// bounds shows a field's limits to the browser, which then says so before the server.
func bounds(out *ui.Field, f *record.Field) {
	switch f.Type.Name() {
	case "integer", "decimal", "percent":
		out.Low, out.High = f.Min, f.Max
		if f.Type.Name() != "integer" {
			out.Step = "any"
		}
	case "text", "long_text", "url", "email", "phone":
		if n, err := strconv.Atoi(f.Max); err == nil {
			out.Max = n
		}
	}
}

func stars(f *record.Field) []ui.Option {
	var out []ui.Option
	for n := int64(1); n <= f.Stars(); n++ {
		s := strconv.FormatInt(n, 10)
		out = append(out, ui.Option{Value: s, Label: s + " of " + strconv.FormatInt(f.Stars(), 10)})
	}
	return out
}

func moneyField(out *ui.Field, v any, currency string) {
	out.Kind, out.Currency, out.Value = ui.FieldMoney, currency, ""
	if out.Currency == "" {
		out.Currency = "USD"
	}
	a, ok := v.(money.Amount)
	if ok {
		out.Value, out.Currency = a.Decimal(), a.Currency
	}
	out.Currencies = currencies(out.Currency)
}

// currencies offers the usual ones, with the record's own first.
func currencies(first string) []string {
	out := []string{first}
	for _, c := range []string{"EUR", "USD", "GBP", "CHF", "JPY", "SEK", "PLN", "CAD", "AUD", "INR", "CNY", "BRL"} {
		if c != first {
			out = append(out, c)
		}
	}
	return out
}

func listField(out *ui.Field, f *record.Field, v any) {
	out.Kind = ui.FieldTags
	if out.Help == "" {
		out.Help = "Separate words by commas."
	}
	if len(f.Options) > 0 {
		out.Kind, out.Options, out.Help = ui.FieldMulti, choices(f), f.Help
		out.Values, _ = v.([]string)
	}
}

func relationField(ctx context.Context, out *ui.Field, f *record.Field, base string, k *record.Kernel, targets []ui.Option) {
	out.Kind, out.Options = ui.FieldRelation, targets
	o, ok := k.ObjectFor(ctx, f.Target)
	if !ok {
		out.Off = "Nothing to choose from yet."
		return
	}
	if o.Def.System && len(targets) < maxOptions {
		out.Kind = ui.FieldSelect
		return
	}
	out.Lookup = base + "/lookup/" + o.Def.Plural
}

// options lists records of an object as choices; current ones are always among
// them, so that a form never loses what it shows. of, when given, narrows them to
// what shares its parent: a deal may only go to the stages of its own pipeline.
func (p *Pages) options(ctx context.Context, object string, current []uuid.UUID, of *record.Record) ([]ui.Option, error) {
	o, ok := p.k.ObjectFor(ctx, object)
	if !ok || !reads(auth.From(ctx), object) {
		return nil, nil
	}
	q := record.Query{Limit: maxOptions}
	if o.Def.System {
		q.Limit = record.MaxLimit
	}
	found, err := o.List(ctx, q)
	if err != nil {
		return nil, err
	}
	var out []ui.Option
	seen := map[uuid.UUID]bool{}
	for _, rec := range found.Records {
		if of == nil || sharesParent(rec, of) {
			seen[rec.ID()] = true
			out = append(out, option(rec))
		}
	}
	var missing []uuid.UUID
	for _, id := range current {
		if !seen[id] && id != uuid.Nil {
			missing = append(missing, id)
		}
	}
	more, err := o.GetMany(ctx, missing)
	if err != nil {
		return nil, err
	}
	for _, rec := range more {
		out = append(out, option(rec))
	}
	return out, nil
}

// sharesParent compares the required relations both records have.
func sharesParent(rec, of *record.Record) bool {
	for _, f := range rec.Def.Fields {
		if f.Type.Name() != "relation" || !f.Required {
			continue
		}
		if twin, ok := of.Def.Field(f.Name); ok && twin.Target == f.Target && of.Get(f.Name) != nil && !record.Same(of.Get(f.Name), rec.Get(f.Name)) {
			return false
		}
	}
	return true
}

func option(rec *record.Record) ui.Option {
	return ui.Option{Value: rec.ID().String(), Label: rec.Title(), Hint: hint(rec)}
}

// hint is what tells two records of the same name apart.
func hint(rec *record.Record) string {
	for _, name := range []string{"email", "domain", "company", "code"} {
		if s := rec.Text(name); s != "" && s != rec.Title() {
			return s
		}
	}
	return ""
}

// editable are the fields a form may change, in their order.
func editable(d *record.Definition) []*record.Field {
	var out []*record.Field
	for _, f := range d.Fields {
		if shownField(f) && !f.ReadOnly {
			out = append(out, f)
		}
	}
	for _, f := range d.CustomFields() {
		if !f.ReadOnly {
			out = append(out, f)
		}
	}
	return out
}

// addressParts are the fields of an address in a form: "{field}.street".
var addressParts = []struct{ key, label, autocomplete string }{
	{"street", "Street", "street-address"},
	{"city", "City", "address-level2"},
	{"region", "Region", "address-level1"},
	{"postal_code", "Postal code", "postal-code"},
	{"country", "Country", "country-name"},
}

func addressFields(f *record.Field, v any) []ui.Field {
	m, _ := v.(map[string]any)
	var out []ui.Field
	for _, part := range addressParts {
		s, _ := m[part.key].(string)
		out = append(out, ui.Field{Name: f.Name + "." + part.key, Label: part.label, Value: s, Max: 200, Wide: part.key == "street"})
	}
	return out
}
