package recordhttp

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/rest"
	"crm/internal/record"
)

// CustomField is a tenant's own field as the API shows it.
type CustomField struct {
	ID           uuid.UUID          `json:"id"`
	Object       string             `json:"object"`
	Name         string             `json:"name"`
	Path         string             `json:"path"` // what filters, imports and batches call it
	Label        string             `json:"label"`
	Type         string             `json:"type"`
	ResultType   string             `json:"result_type,omitempty"`
	Help         string             `json:"help"`
	Section      string             `json:"section"`
	Position     int                `json:"position"`
	Required     bool               `json:"required"`
	Unique       bool               `json:"unique"`
	Indexed      bool               `json:"indexed"`
	ReadOnly     bool               `json:"read_only"`
	Min          *json.Number       `json:"min"`
	Max          *json.Number       `json:"max"`
	Pattern      string             `json:"pattern"`
	Options      []record.Option    `json:"options"`
	Default      json.RawMessage    `json:"default"`
	Target       string             `json:"target,omitempty"`
	RequiredWhen json.RawMessage    `json:"required_when"`
	Formula      string             `json:"formula,omitempty"`
	RollUp       *record.RollUp     `json:"roll_up,omitempty"`
	AutoNumber   *record.AutoNumber `json:"auto_number,omitempty"`
	Pending      bool               `json:"pending"`
	DeletedAt    *time.Time         `json:"deleted_at"`
}

func wireCustom(f *record.CustomField) CustomField {
	out := CustomField{
		ID: f.ID, Object: f.Object, Name: f.Name, Path: "custom." + f.Name, Label: f.Label, Type: f.Type, ResultType: f.Result, Help: f.Help,
		Section: f.Section, Position: f.Position, Required: f.Required, Unique: f.Unique, Indexed: f.Indexed || f.Unique, Pattern: f.Pattern,
		Min: number(f.Min), Max: number(f.Max), Options: []record.Option{}, Default: orNull(f.Default), Target: f.Target, RequiredWhen: orNull(f.RequiredWhen),
		Formula: f.Formula, RollUp: f.RollUp, AutoNumber: f.AutoNumber, Pending: f.Pending, DeletedAt: f.DeletedAt,
	}
	out.ReadOnly = f.Type == "formula" || f.Type == "roll_up" || f.Type == "auto_number"
	for _, o := range f.Options {
		label := f.Labels[o]
		if label == "" {
			label = o
		}
		out.Options = append(out.Options, record.Option{Value: o, Label: label})
	}
	return out
}

func number(s string) *json.Number {
	if s == "" {
		return nil
	}
	n := json.Number(s)
	return &n
}

func orNull(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("null")
	}
	return raw
}

var customRules = map[string]rest.Schema{
	"label": rest.Str, "help": rest.Str, "section": rest.Str, "position": rest.Int,
	"required": rest.Bool, "unique": rest.Bool, "indexed": rest.Bool,
	"min": rest.Nullable(rest.Num), "max": rest.Nullable(rest.Num), "pattern": rest.Str,
	"options":       rest.Array(rest.Any),
	"default":       rest.Any,
	"required_when": rest.Nullable(rest.Schema{"type": "object"}),
	"formula":       rest.Str,
	"roll_up": rest.Nullable(rest.Obj(map[string]rest.Schema{
		"object": rest.Str, "relation": rest.Str, "function": {"type": "string", "enum": []any{"count", "sum", "min", "max", "avg"}}, "field": rest.Str, "filter": {"type": "object"},
	}, "object", "relation", "function")),
	"auto_number": rest.Nullable(rest.Obj(map[string]rest.Schema{"prefix": rest.Str, "digits": rest.Int, "start": rest.Int})),
}

func customRoutes(a *API) []rest.Route {
	var types []any
	for _, t := range record.CustomTypes() {
		types = append(types, t)
	}
	create := maps.Clone(customRules)
	create["object"], create["name"], create["target"] = rest.Str, rest.Str, rest.Str
	create["type"] = rest.Schema{"type": "string", "enum": types}
	one := rest.Obj(map[string]rest.Schema{"id": rest.UUID, "object": rest.Str, "name": rest.Str, "path": rest.Str, "label": rest.Str, "type": rest.Str}, "id", "object", "name", "path", "label", "type")
	id := map[string]string{"id": "custom_field"}
	route := func(method, path, name, summary, object string, action auth.Action, h rest.Handler) rest.Route {
		return rest.Route{Method: method, Path: "/custom_fields" + path, Name: "custom_fields." + name, Summary: summary, Tag: "custom_fields", Object: object, Action: action, Answer: one, Handle: h}
	}
	list := route("GET", "", "list", "The custom fields of every object", "", "", a.listCustom)
	list.Params = []rest.Param{{Name: "object", Description: "Only this object's.", Schema: rest.Str}, {Name: "trash", Description: "true lists hidden fields instead.", Schema: rest.Bool}}
	list.Answer = rest.Obj(map[string]rest.Schema{"data": rest.Array(one)}, "data")
	add := route("POST", "", "create", "Add a custom field to an object", "custom_field", auth.Create, a.createCustom)
	add.Status, add.Body = 201, rest.Obj(create, "object", "name", "type")
	get := route("GET", "/{id}", "get", "One custom field", "", "", a.getCustom)
	patch := route("PATCH", "/{id}", "update", "Change label, help and rules of a custom field", "custom_field", auth.Update, a.updateCustom)
	patch.Body = rest.Obj(customRules)
	del := route("DELETE", "/{id}", "delete", "Hide a custom field; its values are kept for 30 days", "custom_field", auth.Delete, a.deleteCustom)
	del.Answer, del.Status = nil, 204
	del.Params = []rest.Param{{Name: "purge", Description: "true removes a hidden field and its values for good.", Schema: rest.Bool}}
	restore := route("POST", "/{id}/restore", "restore", "Bring a hidden custom field back with its values", "custom_field", auth.Delete, a.restoreCustom)
	get.IDs, patch.IDs, del.IDs, restore.IDs = id, id, id, id
	return []rest.Route{list, add, get, patch, del, restore}
}

func (a *API) listCustom(w http.ResponseWriter, r *http.Request) error {
	fields, err := a.k.CustomFields(r.Context())
	if err != nil {
		return err
	}
	object, trash := a.objectName(r, r.URL.Query().Get("object")), r.URL.Query().Get("trash") == "true"
	out := []CustomField{}
	for i := range fields {
		if f := &fields[i]; (object == "" || f.Object == object) && (f.DeletedAt != nil) == trash {
			out = append(out, wireCustom(f))
		}
	}
	return rest.JSON(w, 200, map[string]any{"data": out})
}

// objectName takes "deals" for "deal".
func (a *API) objectName(r *http.Request, s string) string {
	s = strings.TrimSpace(s)
	if o, ok := a.k.PluralFor(r.Context(), s); ok {
		return o.Def.Name
	}
	return s
}

func (a *API) createCustom(w http.ResponseWriter, r *http.Request) error {
	body, err := rest.Object(r)
	if err != nil {
		return err
	}
	f, err := readField(body)
	if err != nil {
		return err
	}
	f.Object = a.objectName(r, f.Object)
	made := []record.CustomField{f}
	if err := a.k.AddCustomFields(r.Context(), made); err != nil {
		return err
	}
	return a.answerCustom(w, r, 201, made[0].ID)
}

func (a *API) answerCustom(w http.ResponseWriter, r *http.Request, status int, id uuid.UUID) error {
	f, err := a.k.CustomField(r.Context(), id)
	if err != nil {
		return err
	}
	if status == 201 {
		w.Header().Set("Location", "/api/v1/custom_fields/"+id.String())
	}
	return rest.JSON(w, status, wireCustom(f))
}

func (a *API) getCustom(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	return a.answerCustom(w, r, 200, id)
}

func (a *API) updateCustom(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	body, err := rest.Object(r)
	if err != nil {
		return err
	}
	f, err := a.k.ChangeCustomField(r.Context(), id, func(f *record.CustomField) error { return setRules(f, body) })
	if err != nil {
		return err
	}
	return rest.JSON(w, 200, wireCustom(f))
}

func (a *API) deleteCustom(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	if r.URL.Query().Get("purge") == "true" {
		err = a.k.PurgeCustomField(r.Context(), id)
	} else {
		err = a.k.HideCustomField(r.Context(), id)
	}
	if err != nil {
		return err
	}
	return rest.NoContent(w)
}

func (a *API) restoreCustom(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	if err := a.k.RestoreCustomField(r.Context(), id); err != nil {
		return err
	}
	return a.answerCustom(w, r, 200, id)
}

// setRules puts the named parts of a body into a definition; null empties a part.
func setRules(f *record.CustomField, body map[string]any) error {
	var refused errs.Fields
	for _, name := range slices.Sorted(maps.Keys(body)) {
		if !setRule(f, name, body[name]) {
			if _, known := customRules[name]; known {
				refused.Add(name, "wrong_type", "%s has the wrong type.", name)
			} else {
				refused.Add(name, "unknown_field", "A custom field has no %q, or it cannot be changed.", name)
			}
		}
	}
	return refused.Err()
}

func setRule(f *record.CustomField, name string, v any) bool {
	switch name {
	case "label", "help", "section", "pattern", "formula":
		s, ok := v.(string)
		*map[string]*string{"label": &f.Label, "help": &f.Help, "section": &f.Section, "pattern": &f.Pattern, "formula": &f.Formula}[name] = s
		return ok || v == nil
	case "required", "unique", "indexed":
		b, ok := v.(bool)
		*map[string]*bool{"required": &f.Required, "unique": &f.Unique, "indexed": &f.Indexed}[name] = b
		return ok || v == nil
	case "min", "max":
		to := map[string]*string{"min": &f.Min, "max": &f.Max}[name]
		switch v := v.(type) {
		case nil:
			*to = ""
		case json.Number:
			*to = v.String()
		case string:
			*to = v
		default:
			return false
		}
		return true
	case "position":
		return into(v, &f.Position)
	case "options":
		return setOptions(f, v)
	case "default":
		f.Default = rawOf(v)
		return true
	case "required_when":
		_, ok := v.(map[string]any)
		f.RequiredWhen = rawOf(v)
		return ok || v == nil
	case "roll_up":
		f.RollUp = nil
		return into(v, &f.RollUp)
	case "auto_number":
		f.AutoNumber = nil
		return into(v, &f.AutoNumber)
	}
	return false
}

// into reads a part of the body into its struct, strictly.
func into(v any, dst any) bool {
	b, err := json.Marshal(v)
	if err != nil {
		return false
	}
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.DisallowUnknownFields()
	return dec.Decode(dst) == nil
}

func rawOf(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}

// setOptions reads ["gold", {"value":"silver","label":"Silver plate"}].
func setOptions(f *record.CustomField, v any) bool {
	f.Options, f.Labels = nil, nil
	if v == nil {
		return true
	}
	list, ok := v.([]any)
	for _, it := range list {
		switch it := it.(type) {
		case string:
			f.Options = append(f.Options, it)
		case map[string]any:
			value, ok := it["value"].(string)
			label, ok2 := it["label"].(string)
			if !ok || (it["label"] != nil && !ok2) {
				return false
			}
			f.Options = append(f.Options, value)
			if label != "" {
				if f.Labels == nil {
					f.Labels = map[string]string{}
				}
				f.Labels[value] = label
			}
		default:
			return false
		}
	}
	return ok
}
