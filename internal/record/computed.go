package record

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/platform/money"
	"crm/internal/record/formula"
)

// text is the n-th number as people read it.
func (a *AutoNumber) text(n int64) string { return fmt.Sprintf("%s%0*d", a.Prefix, a.Digits, n) }

// setCustom puts a stored value into the custom document, nil removes it. The
// document is copied: other records may share it.
func (r *Record) setCustom(name string, stored any) {
	old, _ := r.Get("custom").(map[string]any)
	if before, has := old[name]; Same(before, stored) && has == (stored != nil) {
		return
	}
	doc := maps.Clone(old)
	if doc == nil {
		doc = map[string]any{}
	}
	if stored == nil {
		delete(doc, name)
	} else {
		doc[name] = stored
	}
	if len(doc) == 0 {
		r.Set("custom", nil)
		return
	}
	r.Set("custom", doc)
}

func storedNumber(s string) any { return json.Number(s) }

// compute works out the formulas, which are in an order that each finds what it reads.
func (r *Record) compute(formulas []*Field) {
	for _, f := range formulas {
		v := f.program.Eval(func(name string) any { return operand(r.Def.byName[name], r) })
		r.setCustom(f.Name, stored(f, v))
	}
}

// kindOf is how a formula sees a field; ok is false for one it cannot compute with.
func kindOf(f *Field) (formula.Kind, bool) {
	switch f.Type.Name() {
	case "integer", "decimal", "percent", "rating", "duration", "version":
		return formula.Number, true
	case "money":
		return formula.Money, true
	case "text", "long_text", "url", "email", "phone", "select", "relation", "user", "team", "id":
		return formula.Text, true
	case "boolean":
		return formula.Bool, true
	case "date":
		return formula.Date, true
	case "datetime":
		return formula.Time, true
	}
	return 0, false
}

// operand is a field's value for a formula.
func operand(f *Field, r *Record) any {
	if f == nil {
		return nil
	}
	if f.Custom { // as written: a number in the document has digits a float would lose
		m, _ := r.Get("custom").(map[string]any)
		if n, ok := m[f.Name].(json.Number); ok {
			if x, ok := decimalText(n.String()); ok {
				return x
			}
		}
	}
	switch v := f.Value(r).(type) {
	case int64, float64:
		if x := exact(v); x != nil {
			return x
		}
	case money.Amount:
		return formula.Amount{Value: exact(v), Currency: v.Currency}
	case uuid.UUID:
		return v.String()
	case string, bool, time.Time:
		return v
	}
	return nil
}

// resultTypes are the field types that hold what a formula computes.
var resultTypes = map[formula.Kind]string{
	formula.Number: "decimal", formula.Money: "money", formula.Text: "text", formula.Bool: "boolean", formula.Date: "date", formula.Time: "datetime",
}

// stored turns a computed value into what the custom document holds. Money is rounded
// half away from zero to its currency's minor unit, numbers to ten decimals.
func stored(f *Field, v any) any {
	switch v := v.(type) {
	case *big.Rat:
		switch f.Type.Name() {
		case "integer", "duration", "rating":
			return storedNumber(formula.Decimal(formula.Round(v, 0)))
		}
		return storedNumber(formula.Decimal(v))
	case formula.Amount:
		exp := money.Exponent(v.Currency)
		a, err := money.Parse(formula.Round(v.Value, exp).FloatString(exp), v.Currency)
		if err != nil {
			return nil // beyond what an amount can hold
		}
		return storable(f, a)
	case string:
		s, err := textType{"text", 10_000}.clean(f, v)
		if err != nil || s == nil {
			return nil
		}
		return s
	case bool:
		return v
	case time.Time:
		return storable(f, v)
	}
	return nil
}

// formulaOrder sorts formulas so that each comes after those it reads, and refuses
// circles.
type formulaOrder struct {
	def   *Definition
	state map[*Field]int // 1 = being visited, 2 = done
	done  []*Field
}

func (o *formulaOrder) visit(f *Field) error {
	switch o.state[f] {
	case 1:
		return errs.Field("formula", "circular", "The formula of %s depends on itself.", f.Name)
	case 2:
		return nil
	}
	o.state[f] = 1
	var inner error
	program, err := formula.Parse(f.settings.Formula, func(name string) (formula.Kind, bool) {
		ref, ok := o.def.Field(name)
		if !ok || ref.Type.Name() == "custom" {
			return 0, false
		}
		if ref.Kind == "formula" {
			if err := o.visit(ref); err != nil {
				inner = err
				return 0, false
			}
		}
		return kindOf(ref)
	})
	if inner != nil {
		return inner
	}
	if err != nil {
		return errs.Field("formula", "bad_formula", "%s.", upperFirst(err.Error()))
	}
	f.program = program
	o.state[f] = 2
	o.done = append(o.done, f)
	return nil
}

// RollsUp reports whether a record's values may change without a change of its own.
func (d *Definition) RollsUp() bool { return len(d.rules.rollUps) > 0 }

// readsRollUp reports whether a field's value comes, at whatever distance, from other
// records.
func (d *Definition) readsRollUp(f *Field) bool {
	if f.Kind == "roll_up" {
		return true
	}
	if f.Kind != "formula" || f.program == nil {
		return false
	}
	for _, name := range f.program.Fields() {
		if ref := d.byName[name]; ref != nil && d.readsRollUp(ref) {
			return true
		}
	}
	return false
}
