package recordhttp

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/rest"
	"crm/internal/record"
)

// shapeParams decide how a record is shown.
var shapeParams = []rest.Param{
	{Name: "fields", Description: "Only these fields, comma separated; custom.tier is one custom field, custom all of them. id is always there, the other fields are then absent.", Schema: rest.Str},
	{Name: "expand", Description: "Relations to embed, comma separated: account,owner,created_by. What is empty or not visible to the caller is null.", Schema: rest.Str},
}

var listParams = append([]rest.Param{
	{Name: "limit", Description: "Rows per page, 1 to 200; 50 when absent.", Schema: rest.Schema{"type": "integer", "minimum": 1, "maximum": record.MaxLimit, "default": record.DefaultLimit}},
	{Name: "cursor", Description: "next_cursor of the page before; it belongs to one tenant, sort and object.", Schema: rest.Str},
	{Name: "sort", Description: "Fields, - for descending: -created_at,last_name.", Schema: rest.Str},
	{Name: "q", Description: "Words to search for.", Schema: rest.Str},
	{Name: "count", Description: "Also count all matching rows. estimate counts up to 10,000 and guesses beyond; count_exact in the answer tells which it is.", Schema: rest.Schema{"type": "string", "enum": []any{"exact", "estimate"}}},
	{Name: "filter", Description: "Nested and/or groups as JSON. Plain filters are parameters of their own: field=value and field[op]=value.", Schema: rest.Str},
	{Name: "view", Description: "A saved view; other parameters add to it.", Schema: rest.UUID},
	{Name: "segment", Description: "Only members of this segment.", Schema: rest.UUID},
	{Name: "trash", Description: "true lists the bin instead.", Schema: rest.Bool},
}, shapeParams...)

var timelineParams = []rest.Param{
	{Name: "limit", Description: "Changes per page, 1 to 200; 50 when absent.", Schema: rest.Schema{"type": "integer", "minimum": 1, "maximum": record.MaxLimit, "default": record.DefaultLimit}},
	{Name: "cursor", Description: "next_cursor of the page before.", Schema: rest.Str},
}

// pageOnly are parameters the web app's lists have and the API has not; the kernel
// passes over them, so they are refused here.
var pageOnly = []string{"peek", "after", "before"}

func badParameter(name, code, format string, args ...any) error {
	var f errs.Fields
	f.Add(name, code, format, args...)
	e := errs.New(errs.Malformed, "bad_parameter", "%s", f[0].Message)
	e.Fields = f
	return e
}

func (a *API) query(r *http.Request, o *record.Object) (record.Query, error) {
	v := r.URL.Query()
	for _, name := range pageOnly {
		if v.Has(name) {
			return record.Query{}, badParameter(name, "unknown_parameter", "There is no parameter %q here.", name)
		}
	}
	if v.Has("view") && uuid.Validate(v.Get("view")) != nil {
		return record.Query{}, badParameter("view", "invalid", "view is the id of a saved view.")
	}
	switch v.Get("trash") {
	case "", "false", "true":
	default:
		return record.Query{}, badParameter("trash", "invalid", "trash is true or false.")
	}
	q, _, err := o.ParseList(r.Context(), v)
	if err != nil {
		return q, err
	}
	if v.Has("limit") {
		n, err := strconv.Atoi(v.Get("limit"))
		if err != nil || n < 1 || n > record.MaxLimit {
			return q, badParameter("limit", "out_of_range", "limit must be between 1 and %d.", record.MaxLimit)
		}
		q.Limit = n
	}
	switch count := v.Get("count"); count {
	case "":
	case "exact", "estimate":
		q.Count, q.Rough = true, count == "estimate"
	default:
		return q, badParameter("count", "invalid", "count is exact or estimate.")
	}
	return q, nil
}

// fields reads the fields parameter; nil means all.
func (a *API) fields(r *http.Request, o *record.Object) (map[string]bool, error) {
	v := r.URL.Query()
	if !v.Has("fields") {
		return nil, nil
	}
	def, err := a.k.Definition(r.Context(), o.Def.Name)
	if err != nil {
		return nil, err
	}
	only := map[string]bool{"id": true}
	for _, name := range strings.Split(v.Get("fields"), ",") {
		if _, ok := def.Field(name); !ok {
			return nil, badParameter("fields", "unknown_field", "There is no field %q on %s.", name, o.Def.Plural)
		}
		only[name] = true
	}
	return only, nil
}

// embedded maps record ids to what is embedded in them, by relation name.
type embedded map[uuid.UUID]map[string]*record.Record

// expand loads the related records asked for, one query per relation, only
// those the caller may see.
func (a *API) expand(r *http.Request, o *record.Object, records []*record.Record) (embedded, error) {
	wanted, err := a.expansions(r, o)
	if err != nil || wanted == nil {
		return nil, err
	}
	out := embedded{}
	for _, rec := range records {
		out[rec.ID()] = map[string]*record.Record{}
	}
	for _, e := range wanted {
		if err := expandOne(r, e.target, e.field, e.as, records, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// expansion is a relation that was asked for, and the name it is embedded under.
type expansion struct {
	field  *record.Field
	as     string
	target *record.Object
}

// expansions reads expand; nil when it is not there.
func (a *API) expansions(r *http.Request, o *record.Object) ([]expansion, error) {
	v := r.URL.Query()
	if !v.Has("expand") {
		return nil, nil
	}
	def, err := a.k.Definition(r.Context(), o.Def.Name)
	if err != nil {
		return nil, err
	}
	var out []expansion
	for _, name := range strings.Split(v.Get("expand"), ",") {
		f, as := relation(def, name)
		if f == nil {
			return nil, badParameter("expand", "unknown_relation", "%q is not a relation of %s.", name, o.Def.Plural)
		}
		target, ok := a.k.ObjectFor(r.Context(), f.Target)
		if !ok {
			return nil, badParameter("expand", "unknown_relation", "%q cannot be expanded.", name)
		}
		out = append(out, expansion{f, as, target})
	}
	return out, nil
}

// shaped refuses a shape that could not be answered before anything is saved: a
// refusal after the save would read as if nothing had been done.
func (a *API) shaped(o *record.Object, next rest.Handler) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, err := a.fields(r, o); err != nil {
			return err
		}
		wanted, err := a.expansions(r, o)
		if err != nil {
			return err
		}
		for _, e := range wanted {
			if _, _, err := auth.Require(r.Context(), e.target.Def.Name, auth.Read); err != nil {
				return err
			}
		}
		return next(w, r)
	}
}

// relation finds the field behind a relation's name and the name it is embedded
// under: account is account_id, shown as account; created_by has no such ending
// and is shown as created_by_user. A custom relation is shown under its own path.
func relation(def *record.Definition, name string) (field *record.Field, as string) {
	if f, ok := def.Field(name + "_id"); ok && f.Target != "" {
		return f, name
	}
	f, ok := def.Field(name)
	if ok && f.Custom && f.Target != "" {
		return f, name
	}
	if ok && f.Target != "" && f.Type.Name() != "json" && !strings.HasSuffix(name, "_id") {
		return f, name + "_" + f.Target
	}
	return nil, ""
}

func expandOne(r *http.Request, target *record.Object, f *record.Field, as string, records []*record.Record, out embedded) error {
	var ids []uuid.UUID
	for _, rec := range records {
		if id, ok := f.Value(rec).(uuid.UUID); ok && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	found, err := target.GetMany(r.Context(), ids)
	if err != nil {
		return err
	}
	for _, rec := range records {
		id, _ := f.Value(rec).(uuid.UUID)
		out[rec.ID()][as] = found[id]
	}
	return nil
}
