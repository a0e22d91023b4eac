package importing

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/money"
	"crm/internal/record"
)

// column is a Column of the plan ready to read cells with.
type column struct {
	Column
	target      target
	index       int
	currencyCol int    // column that names the currency of this amount, -1 = none
	currency    string // of amounts that name none
	salesforce  bool   // ids of 15 characters are brought to their 18
	clear       bool   // an empty cell takes the old value away
}

// lenient columns leave empty what nobody knows; see the package comment.
func (c *column) lenient() bool { return c.How == Guessed || c.Lenient }

// compile resolves the plan against the definition as it is now.
func compile(def *record.Definition, plan Plan, currencyCode string) ([]*column, error) {
	var out []*column
	amounts := map[string]int{}
	for i, pc := range plan.Columns {
		if pc.Field == "" {
			continue
		}
		t, err := resolveTarget(def, pc.Field)
		if err != nil {
			return nil, err
		}
		c := &column{Column: pc, target: t, index: i, currencyCol: -1, currency: currencyCode}
		if pc.Currency != "" {
			c.currency = pc.Currency
		}
		if t.kind == currency {
			amounts[t.name] = i
			continue
		}
		out = append(out, c)
	}
	for _, c := range out {
		if i, ok := amounts[c.target.name]; ok {
			c.currencyCol = i
		}
	}
	return out, nil
}

// put reads the column's cell of a row into the draft. An empty cell says nothing:
// it neither sets nor clears.
func (c *column) put(d *draft, row []string) error {
	if c.index >= len(row) {
		return nil
	}
	text := clean(row[c.index])
	if text == "" {
		if c.clear {
			d.clears = append(d.clears, c)
		}
		return nil
	}
	if c.salesforce && (c.target.kind == relation || c.target.name == "external_id") {
		text = longID(text)
	}
	if c.Values != nil {
		var ok bool
		if text, ok = c.replace(text); !ok {
			return nil
		}
	}
	switch c.target.kind {
	case relation:
		d.refs = append(d.refs, ref{c, firstOf(c, text)})
		return nil
	case recordID:
		return c.putID(d, text)
	case fullName:
		d.setName(text)
		return nil
	case closeDate:
		return c.putCloseDate(d, text)
	case dealStatus:
		d.status = strings.ToLower(text)
		return nil
	case part:
		d.setPart(c.target.name, c.target.part, record.CleanText(text))
		return nil
	case item:
		d.addItem(c.target.name, c.target.part, record.CleanText(text))
		return nil
	}
	return c.putPlain(d, row, text)
}

// replace applies the mapping's values; ok is false for one mapped to nothing.
func (c *column) replace(text string) (string, bool) {
	v, found := c.Values[text]
	if !found {
		for from, to := range c.Values {
			if strings.EqualFold(strings.TrimSpace(from), text) {
				v, found = to, true
				break
			}
		}
	}
	if !found {
		return text, true
	}
	if v == nil || *v == "" {
		return "", false
	}
	return *v, true
}

// firstOf takes the first of several companies that some exports put in a cell.
func firstOf(c *column, text string) string {
	if !c.lenient() {
		return text
	}
	first, _, _ := strings.Cut(text, ";")
	return strings.TrimSpace(first)
}

func (c *column) putID(d *draft, text string) error {
	u, ok := id.Parse(strings.ToLower(text))
	if !ok {
		return errs.Field("id", "not_an_id", "id must be the id of a record (a UUID).")
	}
	d.id = u
	return nil
}

func (c *column) putCloseDate(d *draft, text string) error {
	t, _, ok := parseTime(text, c.Style.DayFirst)
	if !ok {
		return errs.Field("close_date", "not_a_date", "%q is no date; write it like 2026-11-21.", short(text))
	}
	d.closeDate = t
	return nil
}

func (c *column) putPlain(d *draft, row []string, text string) error {
	name := c.target.name
	if _, set := d.patch[name]; set && c.target.shared() {
		return nil
	}
	v, err := c.value(row, text)
	var unknown *unknownOption
	if errors.As(err, &unknown) {
		d.warn(name, "not_an_option", "%q is none of the choices and was left out.", short(text))
		return nil
	}
	if err != nil {
		return err
	}
	if v != nil {
		d.patch[name] = v
	}
	return nil
}

// unknownOption is a choice a guessed column does not have.
type unknownOption struct{ error }

// value turns a cell into the field's canonical value.
func (c *column) value(row []string, text string) (any, error) {
	f := c.target.field
	switch f.Type.Name() {
	case "integer", "decimal", "percent":
		n, ok := normalNumber(text, c.Style.Comma)
		if !ok {
			return nil, errs.Field(c.target.name, "not_a_number", "%s: %q is no number.", f.Label, short(text))
		}
		if whole := strings.TrimPrefix(n, "-"); f.Type.Name() == "integer" && strings.Contains(n, ".") && grouped(whole, ".") {
			n = strings.ReplaceAll(n, ".", "") // 1.500 is no whole number but by thousands
		}
		return f.Type.ParseText(f, n)
	case "money":
		return c.amount(row, text)
	case "date", "datetime":
		return c.time(text)
	case "select":
		return c.option(text)
	case "list":
		return c.list(text)
	}
	return f.Type.ParseText(f, text)
}

func (c *column) time(text string) (any, error) {
	t, _, ok := parseTime(text, c.Style.DayFirst)
	if !ok {
		return nil, errs.Field(c.target.name, "not_a_date", "%s: %q is no date; write it like 2026-11-21.", c.target.field.Label, short(text))
	}
	if c.target.field.Type.Name() == "date" {
		return midnight(t), nil
	}
	return t, nil
}

func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

func (c *column) option(text string) (any, error) {
	f := c.target.field
	v, err := f.Type.ParseText(f, text)
	if err == nil {
		return v, nil
	}
	key := squeeze(text)
	for _, o := range f.Options {
		if key != "" && (squeeze(o.Value) == key || squeeze(o.Label) == key) {
			return o.Value, nil
		}
	}
	if c.lenient() {
		return nil, &unknownOption{err}
	}
	return nil, err
}

// list reads "a; b", "a, b" and the JSON lists of some exports.
func (c *column) list(text string) (any, error) {
	f := c.target.field
	if strings.HasPrefix(text, "[") {
		var items []any
		if json.Unmarshal([]byte(text), &items) == nil {
			return f.Type.Parse(f, items)
		}
	}
	return f.Type.ParseText(f, text)
}

var symbols = []struct{ symbol, code string }{{"€", "EUR"}, {"£", "GBP"}}

// amount reads "1.234,50 €", "USD 1,234.50" and bare numbers in the column's, the
// file's or the tenant's currency, in this order.
func (c *column) amount(row []string, text string) (any, error) {
	code := c.currency
	if c.currencyCol >= 0 && c.currencyCol < len(row) {
		if cell := strings.ToUpper(clean(row[c.currencyCol])); cell != "" {
			code = cell
		}
	}
	text, code = cutCurrency(text, code)
	n, ok := normalNumber(text, c.Style.Comma)
	if ok {
		a, err := money.Parse(n, code)
		if err == nil {
			return a, nil
		}
	}
	return nil, errs.Field(c.target.name, "not_money", "%s: %q is no amount of %s.", c.target.field.Label, short(text), code)
}

// cutCurrency takes a code or symbol off an amount.
func cutCurrency(text, code string) (string, string) {
	for _, s := range symbols {
		if strings.Contains(text, s.symbol) {
			return text, s.code
		}
	}
	if len(text) > 4 {
		if head := text[:3]; money.ValidCurrency(head) {
			return strings.TrimSpace(text[3:]), head
		}
		if tail := text[len(text)-3:]; money.ValidCurrency(tail) {
			return strings.TrimSpace(text[:len(text)-3]), tail
		}
	}
	return text, code
}

// draft is a row on its way to become a change.
type draft struct {
	row       int64 // number in the file; the heading is 1
	raw       []string
	blank     bool
	patch     record.Patch
	refs      []ref
	id        uuid.UUID // from a column "id"
	closeDate time.Time
	status    string // open, won, lost; as in the file
	err       error
	warnings  []Warning
	clears    []*column         // those whose cells are empty, where that means something
	others    map[string]*draft // companions, by object
}

// ref is a cell that points to another record.
type ref struct {
	col  *column
	text string
}

func (d *draft) warn(field, code, format string, args ...any) {
	d.warnings = append(d.warnings, warning(field, code, format, args...))
}

// setName splits "Ada van Lovelace" at the first blank and "Lovelace, Ada" at the comma.
func (d *draft) setName(text string) {
	text = strings.Join(strings.Fields(record.CleanText(text)), " ")
	first, last, ok := strings.Cut(text, " ")
	if l, f, comma := strings.Cut(text, ","); comma {
		first, last, ok = strings.TrimSpace(f), strings.TrimSpace(l), true
	}
	if !ok {
		first, last = "", text
	}
	d.setDefault("first_name", first)
	d.setDefault("last_name", last)
}

func (d *draft) setDefault(name, v string) {
	if _, set := d.patch[name]; !set && v != "" {
		d.patch[name] = v
	}
}

func (d *draft) setPart(name, key, text string) {
	m, _ := d.patch[name].(map[string]any)
	if m == nil {
		m = map[string]any{}
		d.patch[name] = m
	}
	if _, set := m[key]; !set && len(text) <= 500 {
		m[key] = text
	}
}

func (d *draft) addItem(name, label, text string) {
	if len(text) > 500 {
		return
	}
	list, _ := d.patch[name].([]any)
	d.patch[name] = append(list, map[string]any{"value": text, "label": label, "primary": false})
}

// short keeps a cell of a megabyte out of messages.
func short(s string) string {
	s = record.CleanText(strings.ToValidUTF8(s[:min(len(s), 300)], ""))
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// read makes a draft of a row. raw is copied; the reader reuses its slice.
func (r *run) readDraft(heads int, number int64, row []string) *draft {
	d := &draft{row: number, raw: append([]string(nil), row...), patch: make(record.Patch, len(r.columns)+2)}
	d.blank = true
	for i, cell := range row {
		if clean(cell) == "" {
			continue
		}
		d.blank = false
		if i >= heads {
			d.err = errs.Field("", "ragged_row", "The row has %d cells, the heading %d; probably a %s.", len(row), heads, "quotation mark or delimiter is missing")
			return d
		}
	}
	if d.blank {
		return d
	}
	refused := d.fill(r.columns, row)
	for _, c := range r.others {
		sub := &draft{row: number, patch: record.Patch{}}
		refused = append(refused, sub.fill(c.columns, row)...)
		if len(sub.patch) > 0 || len(sub.refs) > 0 || sub.status != "" || !sub.closeDate.IsZero() {
			d.setOther(c.name, sub)
		}
	}
	d.err = refused.Err()
	return d
}

func (d *draft) fill(columns []*column, row []string) (refused errs.Fields) {
	for _, c := range columns {
		if err := c.put(d, row); err != nil {
			refused = append(refused, refusal(c, err)...)
		}
	}
	return refused
}

func (d *draft) setOther(name string, sub *draft) {
	if d.others == nil {
		d.others = map[string]*draft{}
	}
	d.others[name] = sub
}

// refusal names the field as the plan does, custom. included.
func refusal(c *column, err error) errs.Fields {
	e := errs.As(err)
	if e == nil {
		return errs.Fields{{Field: c.Field, Code: "invalid", Message: "The value could not be read."}}
	}
	out := make(errs.Fields, 0, len(e.Fields))
	for _, f := range e.Fields {
		f.Field = c.Field
		out = append(out, f)
	}
	return out
}
