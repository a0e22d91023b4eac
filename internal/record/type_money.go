package record

import (
	"encoding/json"
	"strings"

	"crm/internal/platform/money"
)

// moneyType is an exact amount: minor units in <name>, currency beside it.
// On the wire it is {"amount":"1234.50","currency":"EUR"}.
type moneyType struct{}

func (moneyType) Name() string      { return "money" }
func (moneyType) Columns() []string { return []string{"bigint", "text"} }
func (moneyType) Ops() []Op         { return orderedOps }
func (moneyType) Text(v any) string { return v.(money.Amount).String() }

func (moneyType) Scan(c []cell) any {
	if c[0].null() {
		return nil
	}
	return money.Amount{Minor: c[0].int64(), Currency: c[1].text()}
}

func (moneyType) Args(v any) []any {
	a, ok := v.(money.Amount)
	if !ok {
		return []any{nil, nil}
	}
	return []any{a.Minor, a.Currency}
}

func (moneyType) AppendJSON(dst []byte, v any) []byte {
	a := v.(money.Amount)
	dst = append(dst, `{"amount":"`...)
	dst = append(dst, a.Decimal()...)
	dst = append(dst, `","currency":"`...)
	dst = append(dst, a.Currency...)
	return append(dst, `"}`...)
}

func (moneyType) Parse(f *Field, raw any) (any, error) {
	m, ok := raw.(map[string]any)
	if !ok {
		return nil, wrongType(f, `an amount like {"amount":"1234.50","currency":"EUR"}`)
	}
	for k := range m {
		if k != "amount" && k != "currency" {
			return nil, refuse(f, "unknown_key", "%s has only amount and currency.", f.Label)
		}
	}
	amount, ok := m["amount"].(string)
	if n, isNum := m["amount"].(json.Number); isNum {
		amount, ok = n.String(), true
	}
	currency, ok2 := m["currency"].(string)
	if !ok || !ok2 {
		return nil, wrongType(f, `an amount like {"amount":"1234.50","currency":"EUR"}`)
	}
	return parseMoney(f, amount, currency)
}

// ParseText reads "1234.50 EUR" or a bare number in the default currency, which
// the caller appends (see Definition.ParseText).
func (moneyType) ParseText(f *Field, s string) (any, error) {
	amount, currency, _ := strings.Cut(strings.TrimSpace(s), " ")
	if currency == "" {
		currency = "USD"
	}
	amount = strings.TrimLeft(strings.ReplaceAll(amount, ",", ""), "$€£")
	return parseMoney(f, amount, currency)
}

func parseMoney(f *Field, amount, currency string) (any, error) {
	a, err := money.Parse(amount, currency)
	if err != nil {
		return nil, refuse(f, "not_money", "%s: %s.", f.Label, err)
	}
	return a, nil
}
