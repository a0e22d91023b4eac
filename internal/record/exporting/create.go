package exporting

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/jobs"
	"crm/internal/record"
)

// maxFields is the most columns one may ask for.
const maxFields = 1000

// Create checks the request and queues the work. What it refuses names the option at
// fault.
func (s *Service) Create(ctx context.Context, opts Options) (*Export, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	e, err := s.plan(ctx, a, opts)
	if err != nil {
		return nil, err
	}
	if err := s.insert(ctx, a, e); err != nil {
		return nil, fmt.Errorf("queue export: %w", err)
	}
	return s.load(ctx, e.ID)
}

func (s *Service) plan(ctx context.Context, a *auth.Actor, opts Options) (*Export, error) {
	o, err := s.object(ctx, opts.Object)
	if err != nil {
		return nil, err
	}
	if opts.Format == "" {
		opts.Format = CSV
	}
	if !slices.Contains(Formats, opts.Format) {
		return nil, errs.Field("format", "unknown_format", "format is csv, xlsx or ndjson, not %q.", opts.Format)
	}
	reach := Reach(a, o.Def.Name)
	if reach == auth.None {
		return nil, auth.Denied(o.Def.Name, auth.Export)
	}
	def, err := s.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return nil, err
	}
	if len(opts.Fields) > maxFields {
		return nil, errs.Field("fields", "too_many", "An export may have at most %d columns.", maxFields)
	}
	q := wholeList(opts.Query)
	view, err := s.tryOut(held(ctx, o.Def.Name), o, q)
	if err != nil {
		return nil, err
	}
	if len(opts.Fields) == 0 && view != nil {
		opts.Fields = Shown(def, view.Columns)
	}
	fields, err := chooseFields(def, opts.Fields)
	if err != nil {
		return nil, err
	}
	return &Export{ID: id.New(), Object: o.Def.Name, Format: opts.Format, Query: q, Fields: fields, scope: reach}, nil
}

// ofOnePage are parameters that say nothing about which rows a list has.
var ofOnePage = []string{"limit", "cursor", "count", "fields", "expand", "from", "peek", "pipeline_id", "columns", "edited"}

// wholeList takes what belongs to one page of a list off its address.
func wholeList(q url.Values) url.Values {
	out := url.Values{}
	for key, values := range q {
		if !slices.Contains(ofOnePage, key) && strings.Join(values, "") != "" {
			out[key] = slices.Clone(values)
		}
	}
	if q.Get("edited") != "" || uuid.Validate(q.Get("view")) != nil {
		out.Del("view") // spelled out already, or no saved view but a way to look
	}
	return out
}

// tryOut reads one row, so that an unknown field or operator is refused now rather
// than by the job. It returns the saved view the address names, if any.
func (s *Service) tryOut(ctx context.Context, o *record.Object, q url.Values) (*record.View, error) {
	query, view, err := o.ParseList(ctx, q)
	if err != nil {
		return nil, err
	}
	query.Limit = 1
	_, err = o.List(ctx, query)
	return view, err
}

// listQuery reads an address the way the list does.
func listQuery(ctx context.Context, o *record.Object, q url.Values) (record.Query, error) {
	out, _, err := o.ParseList(ctx, q)
	return out, err
}

// Shown are the fields of a list with these columns: the record's name comes first,
// whatever it is made of. No columns are the object's usual ones; none of those either
// is every field.
func Shown(d *record.Definition, columns []string) []string {
	if len(columns) == 0 {
		columns = d.ListFields
	}
	var out []string
	for _, f := range d.Fields {
		if f.Title && len(columns) > 0 {
			out = append(out, f.Name)
		}
	}
	for _, name := range columns {
		if f, ok := d.Field(name); ok && exportable(f) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// Count is how many rows an export of a list would have.
func (s *Service) Count(ctx context.Context, object string, q url.Values) (int64, error) {
	o, err := s.object(ctx, object)
	if err != nil {
		return 0, err
	}
	ctx = held(ctx, o.Def.Name)
	query, err := listQuery(ctx, o, wholeList(q))
	if err != nil {
		return 0, err
	}
	return o.CountAll(ctx, query)
}

// insert writes the export, its job and its journal row together.
func (s *Service) insert(ctx context.Context, a *auth.Actor, e *Export) error {
	who, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sqlInsert, a.TenantID, e.ID, e.Object, e.Format, e.Query.Encode(), e.Fields, who, e.scope.String(), s.Now().UTC(), nilIfZero(a.ID))
		if err != nil {
			return err
		}
		if _, err := s.k.Emit(ctx, tx, "export", e.ID, "created", s.facts(e)); err != nil || s.Jobs == nil {
			return err
		}
		_, err = s.Jobs.Insert(ctx, tx, Args{TenantID: a.TenantID, ExportID: e.ID}, jobs.When{Queue: "exports", Tries: maxTries})
		return err
	})
}

// facts are what the journal keeps of an export: no value of any record.
func (s *Service) facts(e *Export) map[string]any {
	return map[string]any{"object": e.Object, "format": e.Format, "filter": conditions(e.Query), "fields": len(e.Fields), "reach": e.scope.String()}
}

func nilIfZero(u uuid.UUID) *uuid.UUID {
	if u == uuid.Nil {
		return nil
	}
	return &u
}

// ReadFilter reads the filter of a request: an object of list parameters
// ({"status": "new", "score[gte]": 70}), a group of conditions ({"and": […]}), or
// either as a text (an address, or JSON).
func ReadFilter(raw json.RawMessage, into url.Values) error {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return badFilter()
	}
	switch v := v.(type) {
	case string:
		return readFilterText(v, into)
	case map[string]any:
		return readFilterObject(raw, v, into)
	}
	return badFilter()
}

func badFilter() error {
	return errs.Field("filter", "bad_filter", `filter is an object of list parameters like {"status":"new","score[gte]":70}, or a group like {"and":[{"field":"status","op":"eq","value":"new"}]}.`)
}

func readFilterText(s string, into url.Values) error {
	if strings.HasPrefix(strings.TrimSpace(s), "{") {
		return ReadFilter(json.RawMessage(s), into)
	}
	q, err := url.ParseQuery(strings.TrimPrefix(s, "?"))
	if err != nil {
		return badFilter()
	}
	for key, values := range q {
		into[key] = append(into[key], values...)
	}
	return nil
}

func readFilterObject(raw json.RawMessage, m map[string]any, into url.Values) error {
	_, and := m["and"]
	_, or := m["or"]
	_, field := m["field"]
	if and || or || field {
		into.Set("filter", string(raw))
		return nil
	}
	for key, v := range m {
		texts, ok := filterTexts(v)
		if !ok {
			return badFilter()
		}
		if key == "q" || key == "sort" || slices.Contains(ofOnePage, key) {
			return errs.Field("filter", "bad_filter", "%q is no filter; it stands beside filter.", key)
		}
		into[key] = append(into[key], texts...)
	}
	return nil
}

// filterTexts writes a value the way an address does; a list is one parameter.
func filterTexts(v any) ([]string, bool) {
	switch v := v.(type) {
	case string:
		return []string{v}, true
	case json.Number:
		return []string{v.String()}, true
	case bool:
		return []string{fmt.Sprint(v)}, true
	case []any:
		var parts []string
		for _, it := range v {
			one, ok := filterTexts(it)
			if !ok || len(one) != 1 {
				return nil, false
			}
			parts = append(parts, one[0])
		}
		return []string{strings.Join(parts, ",")}, true
	}
	return nil, false
}
