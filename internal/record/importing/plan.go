package importing

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/record"
)

// How says why a column goes where it goes.
type How string

const (
	Asked   How = "asked"   // the caller's mapping says so
	Exact   How = "exact"   // the heading is the field's name or label
	Guessed How = "guessed" // the heading is a known synonym
	Made    How = "created" // a custom field is made for it
	Skipped How = "skipped"
)

// Column is one column of the file in the plan.
type Column struct {
	Heading  string             `json:"column"`
	Field    string             `json:"field,omitempty"` // "" = not imported
	How      How                `json:"how"`
	Values   map[string]*string `json:"values,omitempty"`  // cell → value, nil = empty
	Lenient  bool               `json:"lenient,omitempty"` // asked for, but a value nobody knows is left empty
	Style    Style              `json:"style,omitzero"`
	Currency string             `json:"currency,omitempty"` // of amounts that name none
	Type     string             `json:"type,omitempty"`     // of a field to be made
	Choices  []string           `json:"choices,omitempty"`  // to be added to a select field
}

// Plan is what an import will do with each column, in file order.
type Plan struct {
	Columns []Column `json:"columns"`
}

// planner makes a plan out of the headings and what the caller asked for.
type planner struct {
	def    *record.Definition
	opts   Options
	others map[string]*record.Definition // companions
	exact  map[string]string
	taken  map[string]How
	heads  []string
	sample [][]string
}

func newPlan(def *record.Definition, opts Options, heads []string, sample [][]string, others map[string]*record.Definition) (Plan, error) {
	p := &planner{def: def, others: others, opts: opts, exact: exactNames(def), taken: map[string]How{}, heads: heads, sample: sample}
	asked, err := p.readMapping(heads)
	if err != nil {
		return Plan{}, err
	}
	plan := Plan{Columns: make([]Column, len(heads))}
	for i, h := range heads {
		plan.Columns[i] = Column{Heading: h, How: Skipped}
		if c, ok := asked[i]; ok {
			plan.Columns[i] = c
		}
	}
	// Exact headings choose before synonyms do, wherever they stand in the file.
	for _, how := range []How{Exact, Guessed} {
		for i := range plan.Columns {
			if _, said := asked[i]; !said && plan.Columns[i].Field == "" && !isErrorColumn(heads[i]) {
				p.match(&plan.Columns[i], i, how)
			}
		}
	}
	if opts.CreateFields {
		p.makeFields(&plan, asked)
	}
	return plan, p.check(plan)
}

// match fills a column the caller said nothing about. Beside a mapping only a
// column that would otherwise become a double of a field is matched.
func (p *planner) match(c *Column, i int, how How) {
	if p.opts.Mapping != nil && (how == Guessed || !p.opts.CreateFields) {
		return
	}
	names := []string{p.literal(c.Heading), p.exact[squeeze(c.Heading)], p.otherExact(c.Heading)}
	if squeeze(c.Heading) == "id" {
		names = []string{p.idTarget(i)}
	}
	if how == Guessed {
		names = candidates(p.def.Name, c.Heading)
	}
	for _, name := range names {
		if name == "" {
			continue
		}
		t, other, err := resolveIn(p.def, p.others, name)
		if err != nil || !p.free(t, other, how) {
			continue
		}
		p.take(t, other, how)
		c.Field, c.How = spell(t, other), how
		c.Currency = amountsIn[p.def.Name+":"+squeeze(c.Heading)]
		c.Lenient = p.opts.Preset != "" // "Stage" of another system may hold stages of its own
		return
	}
}

// literal is a heading that is written as our own exports write it: custom.tier,
// address.city, amount.currency.
func (p *planner) literal(heading string) string {
	if t, err := resolveTarget(p.def, heading); err == nil && strings.Contains(heading, ".") && t.spelling() == heading {
		return heading
	}
	return ""
}

// ours reports whether a heading names something of the object that an import does not
// set: a read-only field, or the name beside the id of a relation, as in our own exports.
func (p *planner) ours(heading string) bool {
	for _, name := range []string{heading, heading + "_id", strings.TrimSuffix(heading, "_name")} {
		if _, ok := p.def.Field(name); ok {
			return true
		}
	}
	return heading == "id"
}

// idTarget: a column "id" holds our own ids when records are to be found again by
// them, otherwise another system's; but not where a column of its own holds those.
func (p *planner) idTarget(i int) string {
	if p.opts.Mode == Create && slices.ContainsFunc(p.heads, func(h string) bool { return h == "external_id" && p.filled(h) }) {
		return ""
	}
	if p.opts.Mode == Create && p.opts.Key != "id" {
		return "external_id"
	}
	for _, row := range p.sample {
		if i < len(row) && clean(row[i]) != "" {
			if _, ok := id.Parse(clean(row[i])); !ok {
				return "external_id"
			}
		}
	}
	return "id"
}

// filled reports whether a column has values in the sample.
func (p *planner) filled(heading string) bool {
	i := slices.Index(p.heads, heading)
	return slices.ContainsFunc(p.sample, func(row []string) bool { return i < len(row) && clean(row[i]) != "" })
}

// otherExact takes headings such as account.name and "Account: name" at their word.
func (p *planner) otherExact(heading string) string {
	object, field, ok := strings.Cut(heading, ".")
	if !ok {
		object, field, ok = strings.Cut(heading, ": ")
	}
	object = strings.ToLower(strings.TrimSpace(object))
	if !ok || p.others[object] == nil {
		return ""
	}
	field = strings.ToLower(strings.TrimSpace(field))
	if name := exactNames(p.others[object])[squeeze(field)]; name != "" {
		field = name
	}
	return object + "." + field
}

func (p *planner) free(t target, other string, how How) bool {
	first, taken := p.taken[spell(t, other)]
	return !taken || (how == Guessed && first == Guessed && t.shared())
}

func (p *planner) take(t target, other string, how How) { p.taken[spell(t, other)] = how }

// readMapping reads {"Column": "field"} and {"Column": {"field": …, "values": {…}}}.
func (p *planner) readMapping(heads []string) (map[int]Column, error) {
	out := map[int]Column{}
	var refused errs.Fields
	for _, heading := range slices.Sorted(maps.Keys(p.opts.Mapping)) {
		i := findHeading(heads, heading)
		if i < 0 {
			refused.Add("mapping."+heading, "unknown_column", "The file has no column %q; it has %s.", heading, listSome(heads))
			continue
		}
		c, err := p.askedColumn(heads[i], p.opts.Mapping[heading])
		if err != nil {
			e := errs.As(err).Fields[0]
			refused.Add("mapping."+heading, e.Code, "%s", e.Message)
			continue
		}
		out[i] = c
	}
	return out, refused.Err()
}

func (p *planner) askedColumn(heading string, raw any) (Column, error) {
	c := Column{Heading: heading, How: Skipped}
	name, values, lenient, err := mappingValue(raw)
	if err != nil || name == "" {
		return c, err
	}
	how := Asked
	if lenient {
		how = Guessed
	}
	t, other, err := resolveIn(p.def, p.others, name)
	if err != nil {
		return c, err
	}
	if !p.free(t, other, how) {
		return c, errs.Field(name, "mapped_twice", "Two columns are mapped to %s.", name)
	}
	p.take(t, other, how)
	c.Field, c.How, c.Values, c.Lenient = spell(t, other), Asked, values, lenient
	c.Currency = amountsIn[p.def.Name+":"+squeeze(c.Heading)]
	return c, nil
}

func mappingValue(raw any) (name string, values map[string]*string, lenient bool, err error) {
	switch v := raw.(type) {
	case nil:
		return "", nil, false, nil
	case string:
		return strings.TrimSpace(v), nil, false, nil
	case map[string]any:
		return mappingObject(v)
	}
	return "", nil, false, errs.Field("mapping", "wrong_type", `A column is mapped to a field name, to null, or to {"field": "…", "values": {…}}.`)
}

// mappingObject reads {"field", "values", "unknown"}: unknown "empty" leaves out what
// nobody knows, as for a column that was only guessed; "refuse" is the default.
func mappingObject(m map[string]any) (name string, values map[string]*string, lenient bool, err error) {
	for k := range m {
		if k != "field" && k != "values" && k != "unknown" {
			return "", nil, false, errs.Field(k, "unknown_key", "A column's mapping has only field, values and unknown, not %q.", k)
		}
	}
	name, ok := m["field"].(string)
	values, err = mappingValues(m["values"])
	if !ok && m["field"] != nil {
		err = errs.Field("field", "wrong_type", "field must be a field's name.")
	}
	unknown, _ := m["unknown"].(string)
	if m["unknown"] != nil && unknown != "empty" && unknown != "refuse" {
		err = errs.Field("unknown", "unknown_option", `unknown is "refuse" or "empty".`)
	}
	return strings.TrimSpace(name), values, unknown == "empty", err
}

func mappingValues(raw any) (map[string]*string, error) {
	if raw == nil {
		return nil, nil
	}
	m, ok := raw.(map[string]any)
	if !ok {
		return nil, errs.Field("values", "wrong_type", "values must be an object of cell and value.")
	}
	out := make(map[string]*string, len(m))
	for cell, v := range m {
		switch v := v.(type) {
		case nil:
			out[cell] = nil
		case string:
			out[cell] = &v
		case bool, float64, json.Number:
			b, _ := json.Marshal(v)
			s := string(b)
			out[cell] = &s
		default:
			return nil, errs.Field("values", "wrong_type", "Each of values must be a text, a number, true, false or null.")
		}
	}
	return out, nil
}

// findHeading is lenient about case and punctuation when the exact name is absent.
func findHeading(heads []string, want string) int {
	want = strings.TrimSpace(want)
	if i := slices.Index(heads, want); i >= 0 {
		return i
	}
	if i := slices.IndexFunc(heads, func(h string) bool { return strings.EqualFold(h, want) }); i >= 0 {
		return i
	}
	key := squeeze(want)
	return slices.IndexFunc(heads, func(h string) bool { return key != "" && squeeze(h) == key })
}

func listSome(names []string) string {
	if len(names) > 12 {
		return strings.Join(names[:12], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// makeFields plans a custom field for each column that goes nowhere and was not
// skipped on purpose. The type is known after the survey.
func (p *planner) makeFields(plan *Plan, asked map[int]Column) {
	names := map[string]bool{}
	for i := range plan.Columns {
		c := &plan.Columns[i]
		if _, said := asked[i]; said || c.Field != "" || isErrorColumn(c.Heading) || p.ours(c.Heading) {
			continue
		}
		name := record.CustomName(c.Heading)
		if f, ok := p.def.Field("custom." + name); ok && !names[name] {
			c.Field, c.How, c.Type = "custom."+name, Exact, f.Type.Name()
			names[name] = true
			continue
		}
		name = numbered(name, names)
		c.Field, c.How = "custom."+name, Made
	}
}

// numbered makes a field name that is not taken by adding _2, _3 …
func numbered(name string, taken map[string]bool) string {
	out := name
	for n := 2; taken[out]; n++ {
		suffix := "_" + columnNumber(n-1)
		out = name[:min(len(name), 63-len(suffix))] + suffix
	}
	taken[out] = true
	return out
}

func (p *planner) check(plan Plan) error {
	for _, c := range plan.Columns {
		if c.Field != "" {
			return nil
		}
	}
	heads := make([]string, len(plan.Columns))
	for i, c := range plan.Columns {
		heads[i] = c.Heading
	}
	return errs.Field("mapping", "nothing_to_import", "No column of the file (%s) is known on %s. Say in mapping which column is which field.", listSome(heads), p.def.Plural)
}

// column finds the plan's column of a field.
func (p Plan) column(field string) (Column, bool) {
	for _, c := range p.Columns {
		if c.Field == field {
			return c, true
		}
	}
	return Column{}, false
}

// skipped lists the headings that are not imported.
func (p Plan) skipped() []string {
	out := []string{}
	for _, c := range p.Columns {
		if c.Field == "" {
			out = append(out, c.Heading)
		}
	}
	return out
}
