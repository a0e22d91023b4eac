package recordpage

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
	"crm/web/ui"
)

// What may be said about a field depends on its type.
var (
	computedTypes = []string{"formula", "roll_up", "auto_number"}
	uniqueTypes   = []string{"text", "url", "email", "phone", "integer", "date", "select", "relation", "user"}
	indexTypes    = []string{"text", "url", "email", "phone", "select", "boolean", "relation", "user", "team", "integer", "decimal", "percent", "rating", "duration", "money", "date", "datetime", "formula", "roll_up"}
	boundedTypes  = []string{"text", "long_text", "integer", "decimal", "percent", "money", "duration", "multi_select", "list"}
	optionTypes   = []string{"select", "multi_select"}
	defaultTypes  = []string{"text", "long_text", "integer", "decimal", "percent", "boolean", "select", "date"}
)

func sortFields(fields []record.CustomField) {
	slices.SortFunc(fields, func(a, b record.CustomField) int {
		return cmp.Or(cmp.Compare(a.Position, b.Position), strings.Compare(a.Name, b.Name))
	})
}

// newFieldForm answers GET /settings/fields/{objects}/new?type=&label=.
func (p *Pages) newFieldForm(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	f := &record.CustomField{Object: o.Def.Name, Type: r.URL.Query().Get("type"), Label: r.URL.Query().Get("label")}
	if !slices.Contains(record.CustomTypes(), f.Type) {
		f.Type = "text"
	}
	return p.showField(w, r, o, http.StatusOK, f, nil)
}

// fieldForm answers GET /settings/fields/{objects}/{id}.
func (p *Pages) fieldForm(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	f, err := p.ofPath(r, o)
	if err != nil {
		return err
	}
	return p.showField(w, r, o, http.StatusOK, f, nil)
}

// showField draws the form of a field; refused is why it was not taken.
func (p *Pages) showField(w http.ResponseWriter, r *http.Request, o *record.Object, status int, f *record.CustomField, refused error) error {
	if _, _, err := auth.Require(r.Context(), customField, auth.Update); err != nil {
		return err
	}
	all := Path(r, "settings", "fields", o.Def.Plural)
	form := ui.Form{Action: all, Submit: "Add field", Busy: "Adding…", Cancel: all, Groups: p.fieldGroups(r, o, f)}
	title := "New field of " + lower(o.Def.LabelPlural)
	if f.Name != "" && f.DeletedAt == nil && f.ID.String() == pathValue(r) {
		title, form.Action, form.Submit, form.Busy = f.Label, all+"/"+f.ID.String(), "Save", "Saving…"
	} else {
		form.Hidden = append(form.Hidden, ui.Hidden{Name: "type", Value: f.Type})
	}
	if refused != nil {
		loose, err := refusedForm(r, refused, form.Groups)
		if err != nil {
			return err
		}
		form.Errors = loose
	}
	return p.setting(w, r, status, ui.SettingsPage{Title: title, Current: "fields", Intro: typeNames[f.Type] + " of " + lower(o.Def.LabelPlural) + ".", Sections: []ui.Section{{ID: "field", Title: "Field", Form: &form}}})
}

// fieldGroups are the controls that fit the type.
func (p *Pages) fieldGroups(r *http.Request, o *record.Object, f *record.CustomField) []ui.FieldGroup {
	first := []ui.Field{{Name: "label", Label: "Label", Value: f.Label, Required: true, Max: 200}, nameField(f)}
	first = append(first, p.partFields(r, o, f)...)
	groups := []ui.FieldGroup{{Fields: first}}
	if rules := ruleFields(f); len(rules) > 0 {
		groups = append(groups, ui.FieldGroup{Title: "Rules", Fields: rules})
	}
	return append(groups, ui.FieldGroup{Title: "Where it stands", Fields: []ui.Field{
		{Name: "section", Label: "Section", Value: f.Section, Help: "Fields of one section stand together under its name.", Max: 200},
		{Name: "position", Label: "Place", Kind: ui.FieldNumber, Value: whole(f.Position), Help: "Lower numbers come first."},
		{Name: "help", Label: "Help", Value: f.Help, Help: "A sentence under the field in forms.", Max: 1000, Wide: true},
	}})
}

func nameField(f *record.CustomField) ui.Field {
	out := ui.Field{Name: "name", Label: "Name for programs", Value: f.Name, Help: "Small letters, digits and _. Left empty, it is made from the label.", Max: 63}
	if f.ID != uuid.Nil {
		out.Off, out.Help = "It stands in links, imports and programs, so it stays.", ""
	}
	return out
}

// partFields are what only one type has.
func (p *Pages) partFields(r *http.Request, o *record.Object, f *record.CustomField) []ui.Field {
	switch f.Type {
	case "select", "multi_select":
		return []ui.Field{{Name: "options", Label: "Choices", Kind: ui.FieldLong, Rows: 6, Value: optionLines(f), Required: f.Type == "multi_select", Wide: true, Help: "One a line. “gold = Gold plate” keeps gold and shows Gold plate."}}
	case "relation":
		target := ui.Field{Name: "target", Label: "Points to", Kind: ui.FieldSelect, Options: p.objectOptions(r), Value: f.Target, Required: true}
		if f.ID != uuid.Nil {
			target.Off = "What it points to stays."
		}
		return []ui.Field{target}
	case "formula":
		return []ui.Field{{Name: "formula", Label: "Formula", Kind: ui.FieldCode, Value: f.Formula, Required: true, Wide: true, Help: "Names of fields and functions, such as amount * probability / 100."}}
	case "roll_up":
		return p.rollUpFields(r, o, f)
	case "auto_number":
		n := f.AutoNumber
		if n == nil {
			n = &record.AutoNumber{}
		}
		return []ui.Field{
			{Name: "prefix", Label: "Begins with", Value: n.Prefix, Placeholder: "P-", Max: 40},
			{Name: "digits", Label: "Digits at least", Kind: ui.FieldNumber, Value: whole(n.Digits)},
			{Name: "start", Label: "First number", Kind: ui.FieldNumber, Value: whole(int(n.Start))},
		}
	}
	return nil
}

func (p *Pages) rollUpFields(r *http.Request, _ *record.Object, f *record.CustomField) []ui.Field {
	u := f.RollUp
	if u == nil {
		u = &record.RollUp{Function: "count"}
	}
	functions := []ui.Option{{Value: "count", Label: "Number of records"}, {Value: "sum", Label: "Sum"}, {Value: "avg", Label: "Average"}, {Value: "min", Label: "Lowest"}, {Value: "max", Label: "Highest"}}
	return []ui.Field{
		{Name: "roll_up.object", Label: "Records of", Kind: ui.FieldSelect, Options: p.objectOptions(r), Value: u.Object, Required: true},
		{Name: "roll_up.relation", Label: "that point here by", Value: u.Relation, Placeholder: "account_id", Required: true, Help: "The name of their relation field; an own one is custom.name."},
		{Name: "roll_up.function", Label: "Figure", Kind: ui.FieldSelect, Options: functions, Value: u.Function, Required: true},
		{Name: "roll_up.field", Label: "of their field", Value: u.Field, Placeholder: "amount", Help: "Not needed for the number of records."},
		{Name: "roll_up.filter", Label: "Only those that match", Kind: ui.FieldCode, Value: string(u.Filter), Wide: true, Help: `A filter as the API has it, or nothing: {"and":[{"field":"status","op":"eq","value":"open"}]}.`},
	}
}

func ruleFields(f *record.CustomField) []ui.Field {
	is := func(types []string) bool { return slices.Contains(types, f.Type) }
	var out []ui.Field
	check := func(name, label, help string, on bool) {
		out = append(out, ui.Field{Name: name, Label: label, Kind: ui.FieldCheck, Value: one(on), Help: help})
	}
	if !is(computedTypes) {
		check("required", "Needed", "No record is saved without it.", f.Required)
	}
	if is(uniqueTypes) {
		check("unique", "Unique", "No two records have the same value; imports can find records by it.", f.Unique)
	}
	if is(indexTypes) {
		check("indexed", "Quick to filter by", "For fields that are often asked for.", f.Indexed)
	}
	if is(boundedTypes) {
		what := "value"
		if f.Type == "text" || f.Type == "long_text" {
			what = "length"
		}
		out = append(out, ui.Field{Name: "min", Label: "Lowest " + what, Value: f.Min}, ui.Field{Name: "max", Label: "Highest " + what, Value: f.Max})
	}
	if f.Type == "rating" {
		out = append(out, ui.Field{Name: "max", Label: "Stars", Value: f.Max, Placeholder: "5"})
	}
	if f.Type == "text" {
		out = append(out, ui.Field{Name: "pattern", Label: "Pattern", Value: f.Pattern, Placeholder: "[A-Z]{2}[0-9]{4}", Help: "A regular expression the whole text must match."})
	}
	if is(defaultTypes) {
		out = append(out, ui.Field{Name: "default", Label: "Default", Value: defaultText(f.Default), Help: "What a new record gets when nothing is said."})
	}
	if !is(computedTypes) {
		out = append(out, ui.Field{Name: "required_when", Label: "Needed only when", Kind: ui.FieldCode, Value: string(f.RequiredWhen), Wide: true, Help: `A filter as the API has it, or nothing: {"and":[{"field":"status","op":"eq","value":"won"}]}.`})
	}
	return out
}

// objectOptions are the objects whose records can be pointed to.
func (p *Pages) objectOptions(r *http.Request) []ui.Option {
	var out []ui.Option
	for _, o := range p.k.ObjectsFor(r.Context()) {
		if !o.Def.System {
			out = append(out, ui.Option{Value: o.Def.Name, Label: o.Def.LabelPlural})
		}
	}
	return out
}

// addField answers POST /settings/fields/{objects}.
func (p *Pages) addField(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	f := record.CustomField{Object: o.Def.Name, Type: r.PostFormValue("type"), Name: strings.TrimSpace(r.PostFormValue("name"))}
	f.Target = r.PostFormValue("target")
	err := readFieldForm(r, &f)
	if f.Name == "" {
		f.Name = record.CustomName(f.Label)
	}
	if err == nil {
		err = p.freeName(r, o, f.Name)
	}
	if err == nil {
		err = p.k.AddCustomFields(r.Context(), []record.CustomField{f})
	}
	if refusal(err) {
		f.Name = r.PostFormValue("name")
		return p.showField(w, r, o, http.StatusUnprocessableEntity, &f, err)
	}
	return p.fieldDone(w, r, o, err, f.Label+" added.")
}

// freeName refuses a name that is taken, which the kernel takes for the same field
// said again.
func (p *Pages) freeName(r *http.Request, o *record.Object, name string) error {
	fields, err := p.k.CustomFields(r.Context())
	if err != nil {
		return err
	}
	if slices.ContainsFunc(fields, func(f record.CustomField) bool { return f.Object == o.Def.Name && f.Name == name }) {
		return errs.Field("name", "taken", "There is a field %s already, shown or hidden. Choose another name.", name)
	}
	return nil
}

// changeField answers POST /settings/fields/{objects}/{id}.
func (p *Pages) changeField(w http.ResponseWriter, r *http.Request, o *record.Object) error {
	f, err := p.ofPath(r, o)
	if err != nil {
		return err
	}
	_, err = p.k.ChangeCustomField(r.Context(), f.ID, func(c *record.CustomField) error { return readFieldForm(r, c) })
	if refusal(err) {
		return p.showField(w, r, o, http.StatusUnprocessableEntity, f, err)
	}
	return p.fieldDone(w, r, o, err, f.Label+" saved.")
}

func refusal(err error) bool {
	return errs.KindOf(err) == errs.Invalid || errs.KindOf(err) == errs.Conflict
}

func pathValue(r *http.Request) string {
	_, last, _ := strings.Cut(r.URL.Path, "/settings/fields/")
	_, last, _ = strings.Cut(last, "/")
	return last
}

func one(on bool) string {
	if on {
		return "1"
	}
	return ""
}

func whole(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// optionLines are the choices, one a line.
func optionLines(f *record.CustomField) string {
	var out []string
	for _, o := range f.Options {
		if label := f.Labels[o]; label != "" && label != o {
			o += " = " + label
		}
		out = append(out, o)
	}
	return strings.Join(out, "\n")
}

// defaultText is a default as a control shows it.
func defaultText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	if string(raw) == "null" {
		return ""
	}
	return string(raw)
}
