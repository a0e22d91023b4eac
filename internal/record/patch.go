package record

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"crm/internal/platform/errs"
)

// Patch is a set of wanted values by field name, canonical, nil = clear.
// Custom fields stand under "custom.<name>".
type Patch map[string]any

// Source says how strictly input is read.
type Source int

const (
	FromAPI    Source = iota // decoded JSON with exact types
	FromText                 // form fields and CSV cells
	FromImport               // like FromText, and history fields may be set
)

// ParseJSON reads a JSON object into a patch. Every refused field is reported;
// unknown and read-only fields are errors, because ignoring them silently is how
// integrations lose data.
func (d *Definition) ParseJSON(body map[string]any) (Patch, error) {
	var refused errs.Fields
	p := Patch{}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		if name == "custom" {
			d.parseCustom(body[name], p, &refused)
			continue
		}
		f, err := d.writable(name, FromAPI)
		if err == nil {
			var v any
			if v, err = parseValue(f, body[name]); err == nil {
				p[name] = v
				continue
			}
		}
		refused = append(refused, errs.As(err).Fields...)
	}
	return p, refused.Err()
}

func parseValue(f *Field, raw any) (any, error) {
	if raw == nil {
		return nil, nil
	}
	v, err := f.Type.Parse(f, raw)
	if err == nil {
		err = f.check(v)
	}
	return v, err
}

func (d *Definition) parseCustom(raw any, p Patch, refused *errs.Fields) {
	if raw == nil {
		raw = map[string]any{}
	}
	m, ok := raw.(map[string]any)
	if !ok {
		refused.Add("custom", "wrong_type", "custom must be an object of custom fields.")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		f, ok := d.byName["custom."+name]
		if !ok {
			refused.Add("custom."+name, "unknown_field", "There is no custom field %q. Make it first, under Objects & fields.", name)
			continue
		}
		v, err := parseValue(f, m[name])
		if f.ReadOnly {
			err = readOnly(f)
		}
		if err != nil {
			for _, fe := range errs.As(err).Fields {
				refused.Add("custom."+name, fe.Code, "%s", fe.Message)
			}
			continue
		}
		p["custom."+name] = v
	}
}

// ParseText reads form fields or CSV cells; an empty text clears the field.
func (d *Definition) ParseText(values map[string]string, src Source, currency string) (Patch, error) {
	var refused errs.Fields
	p := Patch{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		f, err := d.writable(name, src)
		if err == nil {
			var v any
			if v, err = parseText(f, values[name], currency); err == nil {
				p[name] = v
				continue
			}
		}
		refused = append(refused, errs.As(err).Fields...)
	}
	return p, refused.Err()
}

// parseText reads what a person wrote into a field, within its bounds.
func parseText(f *Field, s, currency string) (any, error) {
	v, err := readText(f, s, currency)
	if err == nil {
		err = f.check(v)
	}
	return v, named(f, err)
}

// readText is parseText without the bounds: a filter may ask for any value.
func readText(f *Field, s, currency string) (any, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, nil
	}
	if f.Type.Name() == "money" && !strings.Contains(s, " ") && currency != "" {
		s += " " + currency
	}
	return f.Type.ParseText(f, s)
}

// writable finds a field input may set.
func (d *Definition) writable(name string, src Source) (*Field, error) {
	f, ok := d.Field(name)
	if !ok {
		return nil, errs.Field(name, "unknown_field", "There is no field %q on %s.", name, d.Plural)
	}
	if f.ReadOnly && !(src == FromImport && f.History) {
		return nil, named(f, readOnly(f))
	}
	return f, nil
}

func readOnly(f *Field) error {
	if f.locked {
		return refuse(f, "read_only", "Your role does not allow changing %s. Leave it out, or ask an admin.", f.Label)
	}
	return refuse(f, "read_only", "%s is set by the product and cannot be changed.", f.Label)
}

func (p Patch) names() map[string]bool {
	out := make(map[string]bool, len(p))
	for name := range p {
		out[name] = true
	}
	return out
}

// apply writes the patch into a copy of r and returns it.
func (p Patch) apply(r *Record) *Record {
	out := r.Clone()
	var custom map[string]any
	for name, v := range p {
		key, isCustom := strings.CutPrefix(name, "custom.")
		if !isCustom {
			if v == nil && r.Def.byName[name].Type.Name() == "boolean" {
				v = r.Def.byName[name].Default // a box has no third state
			}
			out.Set(name, v)
			continue
		}
		if custom == nil {
			old, _ := r.Get("custom").(map[string]any)
			custom = maps.Clone(old)
			if custom == nil {
				custom = map[string]any{}
			}
		}
		if v == nil {
			delete(custom, key)
			continue
		}
		if f := r.Def.byName[name]; f != nil { // nil: removed meanwhile
			custom[key] = storable(f, v)
		}
	}
	if custom != nil {
		if len(custom) == 0 {
			out.Set("custom", nil)
		} else {
			out.Set("custom", custom)
		}
	}
	return out
}

// storable turns a canonical value into what the custom document holds, in the
// very types a read gives back, so that comparing old and new works.
func storable(f *Field, v any) any {
	switch v := v.(type) {
	case string, bool:
		return v
	case int64:
		return json.Number(strconv.FormatInt(v, 10))
	case float64:
		return json.Number(formatFloat(v))
	case time.Time:
		return f.Type.Text(v)
	}
	raw := f.Type.AppendJSON(nil, v)
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	var out any
	if err := dec.Decode(&out); err != nil {
		return fmt.Sprint(v)
	}
	return out
}

// formatFloat writes a number without exponent, as jsonb gives it back.
func formatFloat(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// checkRequired lists the required fields that are empty.
func (r *Record) checkRequired() error {
	var refused errs.Fields
	for i, f := range r.Def.Fields {
		if f.Required && r.Values[i] == nil {
			refused.Add(f.Name, "required", "%s is needed.", f.Label)
		}
	}
	return refused.Err()
}
