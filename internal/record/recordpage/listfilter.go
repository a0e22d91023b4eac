package recordpage

import (
	"context"
	"slices"
	"sort"
	"strings"

	"crm/internal/platform/auth"
	"crm/internal/record"
	"crm/web/ui"
)

// opWords say a filter operator in a sentence: "Status is any of New, Working".
var opWords = map[record.Op]string{
	record.Eq: "is", record.Ne: "is not", record.In: "is any of", record.NotIn: "is none of", record.Gt: "is over", record.Gte: "is at least",
	record.Lt: "is under", record.Lte: "is at most", record.Contains: "contains", record.StartsWith: "starts with", record.IsNull: "is empty",
	record.Between: "is between", record.AnyOf: "has any of", record.AllOf: "has all of", record.NoneOf: "has none of",
}

var dateWords = map[record.Op]string{record.Gte: "is on or after", record.Gt: "is after", record.Lte: "is on or before", record.Lt: "is before", record.Eq: "is"}

// spans are the words for relative dates.
var spans = map[string]string{
	"today": "today", "yesterday": "yesterday", "tomorrow": "tomorrow", "this_week": "this week", "last_week": "last week", "next_week": "next week",
	"this_month": "this month", "last_month": "last month", "next_month": "next month", "this_quarter": "this quarter", "last_quarter": "last quarter",
	"next_quarter": "next quarter", "this_year": "this year", "last_year": "last year",
}

// part is one filter parameter of the address.
type part struct {
	key, name string
	op        record.Op
	values    []string
}

// parts are the filters of the address, in the order of their names.
func (l *listing) parts() []part {
	var out []part
	for _, key := range sortedKeys(l.query) {
		name, op, _ := strings.Cut(strings.TrimSuffix(key, "]"), "[")
		if reservedParam(key) {
			continue
		}
		if op == "" {
			op = "eq"
		}
		for _, v := range l.query[key] {
			p := part{key: key, name: name, op: record.Op(op), values: []string{v}}
			switch p.op {
			case record.In, record.NotIn, record.AnyOf, record.AllOf, record.NoneOf, record.Between:
				p.values = strings.Split(v, ",")
			}
			out = append(out, p)
		}
	}
	return out
}

func reservedParam(key string) bool {
	return record.ListParam(key) || slices.Contains(ownParams, key)
}

// wantFilters collects the ids filters name, so that chips can say who is meant.
func (l *listing) wantFilters(w wanted) {
	for _, p := range l.parts() {
		f, ok := l.def.Field(p.name)
		if !ok || f.Target == "" {
			continue
		}
		for _, v := range p.values {
			w.add(f.Target, uuidOf(v))
		}
	}
}

// filters are the chips: each filter in words, with the address without it.
func (l *listing) filters() []ui.Filter {
	var out []ui.Filter
	for _, p := range l.parts() {
		chip := ui.Filter{Field: p.name, Operator: word(opWords, p.op), Value: strings.Join(p.values, ", "), RemoveHref: withQuery(l.self, clone(l.query, p.key, "cursor", "from"))}
		if f, ok := l.def.Field(p.name); ok {
			chip.Field, chip.Operator, chip.Value = f.Label, l.operator(f, p), l.values(f, p)
			if edit, ok := l.filterField(f, nil); ok {
				edit.Op, edit.Values = string(p.op), p.values
				chip.Edit = &edit
			}
		}
		out = append(out, chip)
	}
	if raw := l.query.Get("filter"); raw != "" {
		out = append(out, ui.Filter{Field: "Conditions", Operator: "are", Value: cut(raw, 60), RemoveHref: withQuery(l.self, clone(l.query, "filter", "cursor", "from"))})
	}
	return out
}

func word(words map[record.Op]string, op record.Op) string {
	if w, ok := words[op]; ok {
		return w
	}
	return strings.ReplaceAll(string(op), "_", " ")
}

func (l *listing) operator(f *record.Field, p part) string {
	if p.op == record.IsNull && p.values[0] == "false" {
		return "is not empty"
	}
	if t := f.Type.Name(); t == "date" || t == "datetime" {
		if w, ok := dateWords[p.op]; ok {
			return w
		}
	}
	return word(opWords, p.op)
}

// values says what a filter compares with: labels, names and "you" instead of ids.
func (l *listing) values(f *record.Field, p part) string {
	if p.op == record.IsNull {
		return ""
	}
	var out []string
	for _, v := range p.values {
		out = append(out, l.valueInWords(f, v))
	}
	sep := ", "
	if p.op == record.Between {
		sep = " and "
	}
	return strings.Join(out, sep)
}

func (l *listing) valueInWords(f *record.Field, v string) string {
	switch f.Type.Name() {
	case "select", "list":
		return choice(f, v).Label
	case "user", "team", "relation":
		id := uuidOf(v)
		if id == l.actor.ID || v == "me" {
			return "you"
		}
		if t := l.names.title(f.Target, id); t != "" {
			return t
		}
	case "boolean":
		if v == "true" {
			return "yes"
		}
		return "no"
	case "date", "datetime":
		if w, ok := spans[v]; ok {
			return w
		}
	}
	return v
}

// builder offers the fields one may filter by.
func (l *listing) builder() (*ui.FilterBuilder, error) {
	b := &ui.FilterBuilder{Action: l.self, Keep: keep(l.query, "cursor", "from")}
	choices := map[string][]ui.Option{}
	for _, f := range append(slices.Clone(l.def.Fields), l.def.CustomFields()...) {
		if !shownField(f) || slices.Contains(rarelyFiltered, f.Name) || f.Type.Name() == "long_text" {
			continue
		}
		if small(l.r.Context(), l.p, f) {
			if _, loaded := choices[f.Target]; !loaded {
				list, err := l.p.options(l.r.Context(), f.Target, nil, nil)
				if err != nil {
					return nil, err
				}
				choices[f.Target] = list
			}
		}
		if field, ok := l.filterField(f, choices[f.Target]); ok {
			b.Fields = append(b.Fields, field)
		}
	}
	return b, nil
}

// rarelyFiltered are fields the builder leaves out; an address may still name them.
var rarelyFiltered = []string{"external_id", "created_by", "updated_by", "score_grade", "score_probability", "score_model_id", "scored_at", "form_id", "stage_entered_at", "weighted_amount"}

// small reports whether a field points to an object with few records: people and
// settings.
func small(ctx context.Context, p *Pages, f *record.Field) bool {
	o, ok := p.k.ObjectFor(ctx, f.Target)
	return ok && o.Def.System
}

// filterField is one field of the builder; targets are the choices of a relation.
func (l *listing) filterField(f *record.Field, targets []ui.Option) (ui.FilterField, bool) {
	out := ui.FilterField{Name: fieldName(f), Label: f.Label, Kind: ui.FieldText}
	ops := func(list ...record.Op) {
		for _, op := range list {
			out.Ops = append(out.Ops, ui.Option{Value: string(op), Label: word(opWords, op)})
		}
	}
	switch f.Type.Name() {
	case "select":
		if len(f.Options) == 0 {
			ops(record.Eq, record.IsNull)
			return out, true
		}
		ops(record.In, record.NotIn)
		out.Options = choices(f)
	case "list":
		ops(record.AnyOf, record.NoneOf)
		out.Options = choices(f)
	case "boolean":
		ops(record.Eq, record.Ne)
		out.Options = []ui.Option{{Value: "true", Label: "Yes"}}
	case "integer", "decimal", "percent", "money":
		ops(record.Gte, record.Lte, record.Eq, record.IsNull)
	case "date", "datetime":
		out.Kind = ui.FieldDate
		for _, op := range []record.Op{record.Gte, record.Lte, record.IsNull} {
			label := word(dateWords, op)
			if op == record.IsNull {
				label = "is empty"
			}
			out.Ops = append(out.Ops, ui.Option{Value: string(op), Label: label})
		}
	case "user", "team", "relation":
		if len(targets) == 0 {
			return out, false
		}
		ops(record.In, record.NotIn)
		out.Options = l.nameYou(targets)
	case "address", "json", "custom":
		return out, false
	default:
		ops(record.Contains, record.Eq, record.StartsWith, record.IsNull)
	}
	return out, true
}

func (l *listing) nameYou(list []ui.Option) []ui.Option {
	out := slices.Clone(list)
	for i := range out {
		if l.actor.Kind == auth.User && out[i].Value == l.actor.ID.String() {
			out[i].Label += " (you)"
		}
	}
	return out
}

func choices(f *record.Field) []ui.Option {
	var out []ui.Option
	for _, o := range f.Options {
		out = append(out, ui.Option{Value: o.Value, Label: o.Label, Tone: ui.Tone(o.Tone)})
	}
	return out
}

func sortedKeys(q map[string][]string) []string {
	keys := make([]string, 0, len(q))
	for k := range q {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
