package recordhttp

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"crm/internal/platform/rest"
	"crm/internal/record"
)

func schemaName(d *record.Definition) string {
	if d.Own() { // a word of its own, whatever the tenant chose
		return "Own_" + d.Name
	}
	var b strings.Builder
	for _, part := range strings.Split(d.Name, "_") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

// Schemas are the OpenAPI components of the definitions.
func Schemas(defs []*record.Definition) map[string]rest.Schema {
	out := map[string]rest.Schema{
		"Money": {
			"type": "object", "required": []string{"amount", "currency"}, "examples": []any{map[string]any{"amount": "1234.50", "currency": "EUR"}},
			"properties": map[string]rest.Schema{
				"amount":   {"type": "string", "pattern": `^-?[0-9]+(\.[0-9]+)?$`, "description": "A decimal number, exact."},
				"currency": {"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217."},
			},
		},
		"ObjectSchema": objectSchema, "FieldInfo": fieldInfoSchema,
		"Address": rest.Obj(map[string]rest.Schema{"street": rest.Str, "city": rest.Str, "region": rest.Str, "postal_code": rest.Str, "country": rest.Str}),
		"Change":  changeSchema,
	}
	for _, d := range defs {
		answer, input := objectSchemas(d)
		embeds(answer, d, defs)
		out[schemaName(d)], out[schemaName(d)+"Input"] = answer, input
		if d.Match != nil {
			out[schemaName(d)+"Create"] = createSchema(input)
		}
	}
	return out
}

// createSchema is the input of a create: it also takes the wish to double a record.
func createSchema(input rest.Schema) rest.Schema {
	props, _ := input["properties"].(map[string]rest.Schema)
	props = maps.Clone(props)
	props["allow_duplicate"] = rest.Bool
	out := rest.Obj(props)
	out["additionalProperties"] = false
	return out
}

// embeds adds what expand embeds; never required, since nobody has to ask for it.
func embeds(answer rest.Schema, d *record.Definition, defs []*record.Definition) {
	properties := answer["properties"].(map[string]rest.Schema)
	for _, f := range slices.Concat(d.Fields, d.CustomFields()) {
		i := slices.IndexFunc(defs, func(o *record.Definition) bool { return o.Name == f.Target })
		name, as := strings.TrimSuffix(f.Name, "_id"), ""
		if f.Custom {
			name = "custom." + name
		}
		if _, as = relation(d, name); i < 0 || as == "" || properties[as] != nil {
			continue
		}
		properties[as] = rest.Nullable(rest.Ref(schemaName(defs[i])))
	}
}

func objectSchemas(d *record.Definition) (answer, input rest.Schema) {
	all, in := map[string]rest.Schema{}, map[string]rest.Schema{}
	var required []string
	for _, f := range d.Fields {
		if f.Hidden {
			continue
		}
		s := fieldSchema(f)
		if f.Type.Name() == "custom" {
			s = customSchema(d)
		}
		all[f.Name] = nullableUnlessFilled(f, s)
		required = append(required, f.Name)
		if !f.ReadOnly {
			in[f.Name] = rest.Nullable(s)
		}
	}
	inSchema := rest.Obj(in)
	inSchema["additionalProperties"] = false
	return rest.Obj(all, required...), inSchema
}

func nullableUnlessFilled(f *record.Field, s rest.Schema) rest.Schema {
	switch f.Name {
	case "id", "created_at", "updated_at", "version", "tags", "custom":
		return s
	}
	return rest.Nullable(s)
}

func customSchema(d *record.Definition) rest.Schema {
	props := map[string]rest.Schema{}
	for _, f := range d.CustomFields() {
		props[f.Name] = rest.Nullable(fieldSchema(f))
	}
	return rest.Schema{"type": "object", "properties": props}
}

// fieldSchema is the field's type with its bounds, as JSON Schema says them.
func fieldSchema(f *record.Field) rest.Schema {
	s := maps.Clone(typeSchema(f))
	if f.ReadOnly && f.Custom {
		s["readOnly"] = true
	}
	if f.Help != "" {
		s["description"] = f.Help
	}
	low, high := "minimum", "maximum"
	switch s["type"] {
	case "string":
		low, high = "minLength", "maxLength"
	case "array":
		low, high = "minItems", "maxItems"
	case nil: // an amount is a reference, whose bounds only the server knows
		return s
	}
	if f.Min != "" {
		s[low] = json.Number(f.Min)
	}
	if f.Max != "" {
		s[high] = json.Number(f.Max)
	}
	if f.Pattern != "" {
		s["pattern"] = "^(?:" + f.Pattern + ")$"
	}
	return s
}

func typeSchema(f *record.Field) rest.Schema {
	switch f.Type.Name() {
	case "integer", "version":
		return rest.Int
	case "duration":
		return rest.Schema{"type": "integer", "description": "Minutes."}
	case "rating":
		return rest.Schema{"type": "integer", "minimum": 1, "maximum": f.Stars()}
	case "decimal", "percent":
		return rest.Num
	case "boolean":
		return rest.Bool
	case "date":
		return rest.Schema{"type": "string", "format": "date"}
	case "datetime":
		return rest.Time
	case "id", "relation", "user", "team", "file":
		return rest.UUID
	case "money":
		return rest.Ref("Money")
	case "address":
		return rest.Ref("Address")
	case "list":
		return rest.Array(choices(f))
	case "rich_text":
		return rest.Schema{"type": "string", "contentMediaType": "text/html"}
	case "json":
		return rest.Any
	case "select":
		return choices(f)
	}
	return rest.Str
}

func choices(f *record.Field) rest.Schema {
	if len(f.Options) == 0 {
		return rest.Str
	}
	var values []any
	for _, o := range f.Options {
		values = append(values, o.Value)
	}
	return rest.Schema{"type": "string", "enum": values}
}

// FieldInfo tells a program what a field is.
type FieldInfo struct {
	Name     string          `json:"name"`
	Label    string          `json:"label"`
	Type     string          `json:"type"`
	Required bool            `json:"required"`
	Unique   bool            `json:"unique"`
	ReadOnly bool            `json:"read_only"`
	Custom   bool            `json:"custom"`
	Target   string          `json:"target,omitempty"`
	Options  []record.Option `json:"options,omitempty"`
	Filters  []record.Op     `json:"filters"`
	Sortable bool            `json:"sortable"`

	Help       string       `json:"help,omitempty"`
	Section    string       `json:"section,omitempty"`
	ResultType string       `json:"result_type,omitempty"` // of a formula or roll-up
	Min        *json.Number `json:"min,omitempty"`
	Max        *json.Number `json:"max,omitempty"`
	Pattern    string       `json:"pattern,omitempty"`
	Indexed    bool         `json:"indexed,omitempty"`
	Schema     rest.Schema  `json:"schema"`
}

// Describe is the answer of GET /{objects}/schema.
func Describe(d *record.Definition) map[string]any {
	var fields []FieldInfo
	for _, f := range append(append([]*record.Field{}, d.Fields...), d.CustomFields()...) {
		if f.Hidden {
			continue
		}
		name := f.Name
		if f.Custom {
			name = "custom." + name
		}
		info := FieldInfo{
			Name: name, Label: f.Label, Type: f.TypeName(), Required: f.Required, Unique: f.Unique, ReadOnly: f.ReadOnly, Custom: f.Custom, Target: f.Target,
			Options: f.Options, Filters: f.Type.Ops(), Sortable: f.Sortable(),
			Help: f.Help, Section: f.Section, Min: number(f.Min), Max: number(f.Max), Pattern: f.Pattern, Indexed: f.Indexed, Schema: fieldSchema(f),
		}
		if f.Computed() {
			info.ResultType = f.Type.Name()
		}
		fields = append(fields, info)
	}
	return map[string]any{"object": d.Name, "plural": d.Plural, "label": d.Label, "label_plural": d.LabelPlural, "fields": fields}
}

var objectSchema = rest.Obj(map[string]rest.Schema{
	"object": rest.Str, "plural": rest.Str, "label": rest.Str, "label_plural": rest.Str, "fields": rest.Array(rest.Ref("FieldInfo")),
}, "object", "plural", "label", "label_plural", "fields")

var fieldInfoSchema = rest.Obj(map[string]rest.Schema{
	"name": rest.Str, "label": rest.Str, "type": rest.Str, "required": rest.Bool, "unique": rest.Bool, "read_only": rest.Bool, "custom": rest.Bool, "target": rest.Str,
	"options": rest.Array(rest.Schema{"type": "object"}), "filters": rest.Array(rest.Str), "sortable": rest.Bool,
}, "name", "label", "type", "required", "unique", "read_only", "custom", "filters", "sortable")

func listAnswer(one rest.Schema) rest.Schema {
	return rest.Obj(map[string]rest.Schema{
		"data": rest.Array(one), "next_cursor": rest.Nullable(rest.Str), "count": rest.Int,
		"count_exact": {"type": "boolean", "description": "false when count is an estimate."},
	}, "data", "next_cursor")
}

func batchSchema(input rest.Schema) rest.Schema {
	return rest.Obj(map[string]rest.Schema{
		"atomic": rest.Bool, "allow_duplicate": rest.Bool,
		"operations": rest.Array(rest.Obj(map[string]rest.Schema{"op": {"type": "string", "enum": []any{"create", "update", "upsert", "delete", "restore"}}, "id": rest.UUID, "key": rest.Str, "data": input}, "op")),
	}, "operations")
}

func batchAnswer(one rest.Schema) rest.Schema {
	return rest.Obj(map[string]rest.Schema{"results": rest.Array(rest.Obj(map[string]rest.Schema{
		"status": rest.Int, "id": rest.UUID, "data": one,
		"error": rest.Obj(map[string]rest.Schema{"code": rest.Str, "detail": rest.Str, "errors": rest.Nullable(rest.Array(rest.Any)), "candidates": rest.Array(candidateSchema)}),
	}, "status")), "batch_id": rest.UUID}, "results")
}
