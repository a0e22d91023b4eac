package scoring

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/record"
)

// worst is how many refused values one answer lists; a wrong column would repeat itself ten thousand times.
const worst = 20

// ScoreRows scores up to [MostAtOnce] records that need not exist. A row has the shape the API gives records, with
// decoded JSON values (numbers as json.Number); fields may also be written custom.<name> and utm.<part>. An unknown
// field and a value of the wrong type are errors, since a score over a misspelt field would be quietly wrong.
func (s *Service) ScoreRows(ctx context.Context, object string, rows []map[string]any) (*Bulk, error) {
	a, _, err := s.readable(ctx, object)
	if err != nil {
		return nil, err
	}
	if err := countable("rows", len(rows)); err != nil {
		return nil, err
	}
	def, err := s.k.Definition(ctx, object)
	if err != nil {
		return nil, err
	}
	var refused errs.Fields
	gets, ids := make([]lookup, len(rows)), make([]*uuid.UUID, len(rows))
	for i, raw := range rows {
		row := rowReader{def: def, path: fmt.Sprintf("rows[%d]", i), values: map[string]any{}, refused: &refused}
		row.read(raw)
		gets[i], ids[i] = row.get, row.id
		if len(refused) >= worst {
			break
		}
	}
	if err := refused.Err(); err != nil {
		return nil, err
	}
	return s.bulk(ctx, a.TenantID, object, gets, func(i int) *uuid.UUID { return ids[i] })
}

// rowReader turns a JSON object into canonical values by the definition.
type rowReader struct {
	def     *record.Definition
	path    string
	id      *uuid.UUID
	values  map[string]any
	refused *errs.Fields
}

func (r *rowReader) get(name string) any { return r.values[name] }

func (r *rowReader) read(raw map[string]any) {
	if len(raw) == 0 {
		r.refused.Add(r.path, "empty", "%s has no fields; there is nothing to score.", r.path)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		switch {
		case name == "id":
			r.readID(raw[name])
		case name == "custom":
			r.nested("custom", raw[name])
		case strings.HasPrefix(name, "utm."):
			r.utm(name, raw[name])
		default:
			r.field(name, raw[name])
		}
	}
}

func (r *rowReader) readID(raw any) {
	text, _ := raw.(string)
	u, ok := id.Parse(text)
	if !ok && raw != nil {
		r.refused.Add(r.path+".id", "wrong_type", "id must be a UUID; leave it out for a record that does not exist.")
		return
	}
	if ok {
		r.id = &u
	}
}

// nested reads the object of custom fields.
func (r *rowReader) nested(prefix string, raw any) {
	m, ok := raw.(map[string]any)
	if !ok && raw != nil {
		r.refused.Add(r.path+"."+prefix, "wrong_type", "%s must be an object of fields.", prefix)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		r.field(prefix+"."+name, m[name])
	}
}

// utm reads one campaign tag by its dotted name.
func (r *rowReader) utm(name string, raw any) {
	text, ok := raw.(string)
	if _, known := r.def.Field("utm"); !known || !slices.Contains(utmParts, strings.TrimPrefix(name, "utm.")) {
		r.unknown(name)
		return
	}
	if raw == nil {
		return
	}
	if !ok {
		r.refused.Add(r.path+"."+name, "wrong_type", "%s must be text.", name)
		return
	}
	tags, _ := r.values["utm"].(map[string]any)
	tags = maps.Clone(tags)
	if tags == nil {
		tags = map[string]any{}
	}
	tags[strings.TrimPrefix(name, "utm.")] = text
	r.values["utm"] = tags
}

func (r *rowReader) unknown(name string) {
	r.refused.Add(r.path+"."+name, "unknown_field", "There is no field %q on %s. Custom fields go into custom, or are written custom.<name>.", name, r.def.Plural)
}

func (r *rowReader) field(name string, raw any) {
	f, ok := r.def.Field(name)
	if !ok {
		r.unknown(name)
		return
	}
	if raw == nil {
		return
	}
	v, err := f.Type.Parse(f, raw)
	if err != nil {
		r.add(name, err)
		return
	}
	if f.Custom {
		v = raw // as the custom document holds it
	}
	r.values[name] = v
}

func (r *rowReader) add(name string, err error) {
	e := errs.As(err)
	if e == nil || len(e.Fields) == 0 {
		r.refused.Add(r.path+"."+name, "invalid", "%s cannot be read.", name)
		return
	}
	for _, f := range e.Fields {
		r.refused.Add(r.path+"."+name, f.Code, "%s", f.Message)
	}
}
