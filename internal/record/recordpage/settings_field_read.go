package recordpage

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"crm/internal/platform/errs"
	"crm/internal/record"
)

// readFieldForm puts what the form says into a definition. Only what the form of this
// type asks is touched.
func readFieldForm(r *http.Request, f *record.CustomField) error {
	var refused errs.Fields
	text := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	count := func(name string) int {
		s := text(name)
		if s == "" {
			return 0
		}
		n, err := strconv.Atoi(s)
		if err != nil {
			refused.Add(name, "not_a_number", "Write a whole number, or nothing.")
		}
		return n
	}
	f.Label, f.Section, f.Help, f.Position = text("label"), text("section"), text("help"), count("position")
	if f.Label == "" {
		refused.Add("label", "required", "Say what the field is called.")
	}
	is := func(types []string) bool { return slices.Contains(types, f.Type) }
	if !is(computedTypes) {
		f.Required = text("required") != ""
		f.RequiredWhen = document(text("required_when"), "required_when", &refused)
	}
	if is(uniqueTypes) {
		f.Unique = text("unique") != ""
	}
	if is(indexTypes) {
		f.Indexed = text("indexed") != ""
	}
	if is(boundedTypes) || f.Type == "rating" {
		f.Min, f.Max = text("min"), text("max")
	}
	if f.Type == "text" {
		f.Pattern = text("pattern")
	}
	if is(defaultTypes) {
		f.Default = defaultOf(f.Type, text("default"))
	}
	if is(optionTypes) {
		readOptionLines(f, r.PostFormValue("options"))
	}
	switch f.Type {
	case "formula":
		f.Formula = text("formula")
	case "auto_number":
		f.AutoNumber = &record.AutoNumber{Prefix: r.PostFormValue("prefix"), Digits: count("digits"), Start: int64(count("start"))}
	case "roll_up":
		f.RollUp = &record.RollUp{
			Object: text("roll_up.object"), Relation: text("roll_up.relation"), Function: text("roll_up.function"), Field: text("roll_up.field"),
			Filter: document(text("roll_up.filter"), "roll_up.filter", &refused),
		}
	}
	return refused.Err()
}

// document reads a filter; what it means is for the kernel to judge.
func document(s, name string, refused *errs.Fields) json.RawMessage {
	if s == "" {
		return nil
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		refused.Add(name, "bad_json", "This is no JSON object. Leave it empty, or copy the filter from the API.")
		return nil
	}
	return json.RawMessage(s)
}

// defaultOf is what was typed as the JSON value the type takes; what does not fit is
// left as text for the type to refuse.
func defaultOf(typ, s string) json.RawMessage {
	if s == "" {
		return nil
	}
	switch typ {
	case "integer", "decimal", "percent":
		if json.Valid([]byte(s)) {
			return json.RawMessage(s)
		}
	case "boolean":
		switch strings.ToLower(s) {
		case "yes", "true", "1":
			return json.RawMessage("true")
		case "no", "false", "0":
			return json.RawMessage("false")
		}
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return nil
	}
	return raw
}

// readOptionLines reads "value" or "value = Label", one a line.
func readOptionLines(f *record.CustomField, lines string) {
	f.Options, f.Labels = nil, nil
	for line := range strings.Lines(lines) {
		value, label, named := strings.Cut(strings.TrimSpace(line), "=")
		value, label = strings.TrimSpace(value), strings.TrimSpace(label)
		if value == "" {
			continue
		}
		f.Options = append(f.Options, value)
		if named && label != "" {
			if f.Labels == nil {
				f.Labels = map[string]string{}
			}
			f.Labels[value] = label
		}
	}
}
