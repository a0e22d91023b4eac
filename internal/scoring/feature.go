package scoring

import (
	"math"
	"strconv"
	"strings"
	"time"

	"crm/internal/record"
	"crm/internal/scoring/learn"
)

// lookup gives a record's canonical value by field name, custom fields as custom.<name>; nil is empty.
type lookup func(name string) any

// feature is one thing a model may learn from.
type feature struct {
	name  string // stable: part of every stored model
	field string // the field of the object it is read from; refusing the field refuses the feature
	label string // "" = the field's own
	kind  learn.Kind
	value func(get lookup) any // what learn.Coerce reads; nil is missing
	// say words a value for a seller, without the points. nil says "<label> is <value>".
	say    func(v any) string
	custom bool
}

// utmParts are the campaign tags of a link.
var utmParts = []string{"source", "medium", "campaign", "term", "content"}

// leadFeatures are what is known about a lead when it comes in. Left out on purpose: names and ids (they name one
// person), owner (who works a lead is not what the lead is), scores, and everything written after the outcome.
func leadFeatures() []feature {
	out := []feature{category("source"), category("industry"), category("country"), category("title"), seniority(), number("employees")}
	out = append(out,
		presence("email", "an e-mail address"), presence("phone", "a phone number"), presence("website", "a website"),
		presence("company", "a company name"), presence("message", "a message"), mailbox(),
	)
	for _, part := range utmParts {
		out = append(out, utm(part))
	}
	return append(out, hourOfArrival(), weekdayOfArrival())
}

func category(field string) feature {
	return feature{name: field, field: field, kind: learn.Category, value: func(get lookup) any { return folded(get(field)) }}
}

func number(field string) feature {
	return feature{name: field, field: field, kind: learn.Number, value: func(get lookup) any { return get(field) }}
}

// folded is a text without the accidents of typing, so that Web and web are one level.
func folded(v any) any {
	if s, ok := v.(string); ok {
		return strings.ToLower(strings.TrimSpace(s))
	}
	return v
}

func presence(field, noun string) feature {
	return feature{
		name: "has_" + field, field: field, label: "Has " + noun, kind: learn.Number,
		value: func(get lookup) any { return get(field) != nil },
		say: func(v any) string {
			if v == true {
				return "Left " + noun
			}
			return "Did not leave " + noun
		},
	}
}

func utm(part string) feature {
	return feature{
		name: "utm." + part, field: "utm", label: "Campaign tag " + part, kind: learn.Category,
		value: func(get lookup) any {
			m, _ := get("utm").(map[string]any)
			return folded(m[part])
		},
	}
}

func hourOfArrival() feature {
	return feature{
		name: "arrival_hour", field: "created_at", label: "Hour of arrival (UTC)", kind: learn.Number,
		value: func(get lookup) any {
			if at, ok := get("created_at").(time.Time); ok {
				return at.UTC().Hour()
			}
			return nil
		},
		say: func(v any) string {
			hour, _ := v.(int)
			return "Came in between " + strconv.Itoa(hour) + " and " + strconv.Itoa(hour+1) + " o'clock UTC"
		},
	}
}

func weekdayOfArrival() feature {
	return feature{
		name: "arrival_weekday", field: "created_at", label: "Weekday of arrival", kind: learn.Category,
		value: func(get lookup) any {
			if at, ok := get("created_at").(time.Time); ok {
				return at.UTC().Weekday().String()
			}
			return nil
		},
		say: func(v any) string { day, _ := v.(string); return "Came in on a " + day },
	}
}

// customFeature reads one of the tenant's own fields by its type; ok is false for types that tell nothing without
// more thought: free prose, and dates, which are clocks unless they are ages.
func customFeature(f *record.Field) (out feature, ok bool) {
	name := "custom." + f.Name
	out = feature{name: name, field: name, label: f.Label, kind: learn.Category, custom: true}
	switch f.Type.Name() {
	case "text", "select":
		out.value = func(get lookup) any { return folded(get(name)) }
	case "integer", "decimal", "percent":
		out.kind, out.value = learn.Number, func(get lookup) any { return get(name) }
	case "boolean":
		out.kind, out.value, out.say = learn.Number, func(get lookup) any { return get(name) }, yesNo(f.Label)
	case "money":
		out.kind, out.value = learn.Number, func(get lookup) any { return amount(get(name)) }
	case "list":
		out.value = func(get lookup) any { return joined(get(name)) }
	case "url", "email", "phone":
		out.name, out.label = "has_"+name, "Has "+f.Label
		out.kind, out.value, out.say = learn.Number, func(get lookup) any { return get(name) != nil }, yesNo(out.label)
	default:
		return out, false
	}
	return out, true
}

func yesNo(label string) func(any) string {
	return func(v any) string {
		if v == true {
			return label + ": yes"
		}
		return label + ": no"
	}
}

// amount is the number in a custom money value. Currencies are not converted: a tenant mostly has one.
func amount(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	s, _ := m["amount"].(string)
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(n, 0) {
		return nil
	}
	return n
}

func joined(v any) any {
	switch items := v.(type) {
	case []string:
		return strings.Join(items, ", ")
	case []any:
		var parts []string
		for _, it := range items {
			if s, ok := it.(string); ok {
				parts = append(parts, s)
			}
		}
		return strings.Join(parts, ", ")
	}
	return nil
}

// plan is every feature an object has for one tenant, in a fixed order.
type plan struct {
	features []feature
	byName   map[string]*feature
	skipped  []learn.Dropped // custom fields whose type is not learned from
	unread   []*record.Field // the same
}

// planOf makes the plan from the definition with the tenant's custom fields.
func planOf(t *target, def *record.Definition) *plan {
	p := &plan{byName: map[string]*feature{}}
	for _, f := range t.standard {
		field, ok := def.Field(f.field)
		if !ok {
			continue
		}
		if f.label == "" {
			f.label = field.Label
		}
		p.features = append(p.features, f)
	}
	for _, field := range def.CustomFields() {
		if field.ReadOnly {
			continue // counted or computed later, from things that tell the outcome
		}
		f, ok := customFeature(field)
		if !ok {
			p.unread = append(p.unread, field)
			p.skipped = append(p.skipped, learn.Dropped{Field: "custom." + field.Name, Code: "type", Reason: "fields of type " + field.Type.Name() + " are not learned from"})
			continue
		}
		p.features = append(p.features, f)
	}
	for i := range p.features {
		p.byName[p.features[i].name] = &p.features[i]
	}
	return p
}

// fields are the plan as columns of a training table.
func (p *plan) fields() []learn.Field {
	out := make([]learn.Field, len(p.features))
	for i, f := range p.features {
		out[i] = learn.Field{Name: f.name, Kind: f.kind}
	}
	return out
}

// row writes a record's values into row, one per feature.
func (p *plan) row(get lookup, row []learn.Value) {
	for i := range p.features {
		row[i] = learn.Coerce(p.features[i].kind, p.features[i].value(get))
	}
}

// labels are the features' names for people, kept with a model because fields may be renamed or deleted later.
func (p *plan) labels() map[string]string {
	out := make(map[string]string, len(p.features)+len(p.skipped))
	for _, f := range p.features {
		out[f.name] = f.label
	}
	for _, f := range p.unread {
		out["custom."+f.Name] = f.Label
	}
	return out
}

// named lists the features that a field or feature name stands for.
func (p *plan) named(name string) []string {
	var out []string
	for _, f := range p.features {
		if f.name == name || f.field == name {
			out = append(out, f.name)
		}
	}
	return out
}

// knows reports whether a name means anything here, be it only a field that is skipped anyway.
func (p *plan) knows(name string) bool {
	for _, d := range p.skipped {
		if d.Field == name {
			return true
		}
	}
	return len(p.named(name)) > 0
}
