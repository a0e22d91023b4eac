package recordpage

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nyaruka/phonenumbers"

	"crm/internal/platform/money"
	"crm/internal/record"
	"crm/web/ui"
)

// cell is how a field of a record is drawn.
func (n *names) cell(rec *record.Record, f *record.Field) ui.Value {
	name := fieldName(f)
	v := rec.Get(name)
	if s, ok := scoreOf(rec, name); ok {
		return s
	}
	if v == nil {
		return ui.None{}
	}
	if t, ok := v.(time.Time); ok && (name == "due_at" || name == "next_activity_at") {
		return ui.Due{At: t, Done: rec.Get("done_at") != nil}
	}
	if f.Custom {
		v = canonical(f, v)
	}
	return n.value(f, v)
}

// canonical reads the stored form of a custom value; what cannot be read is empty.
func canonical(f *record.Field, raw any) any {
	v, err := f.Type.Parse(f, raw)
	if err != nil {
		return nil
	}
	return v
}

// value draws a canonical value by its field type.
func (n *names) value(f *record.Field, v any) ui.Value {
	switch v := v.(type) {
	case nil:
		return ui.None{}
	case string:
		return n.text(f, v)
	case bool:
		return ui.Bool(v)
	case int64:
		return wholeNumber(f, v)
	case float64:
		return number(f, v)
	case time.Time:
		if f.Type.Name() == "date" {
			return ui.Date{Day: v}
		}
		return ui.Time{At: v}
	case money.Amount:
		return ui.Money{Minor: v.Minor, Currency: v.Currency}
	case []string:
		return tags(f, v)
	case uuid.UUID:
		return n.link(f, v)
	}
	switch f.Type.Name() {
	case "address", "json":
		return ui.LongText(f.Type.Text(v))
	}
	return ui.None{}
}

func (n *names) text(f *record.Field, s string) ui.Value {
	switch f.Type.Name() {
	case "long_text":
		return ui.LongText(s)
	case "rich_text":
		return ui.LongText(record.PlainText(s))
	case "url":
		return ui.Web{Href: s}
	case "email":
		return ui.Email{Address: s}
	case "phone":
		return ui.Phone{E164: s, Text: phoneText(s)}
	case "select":
		return choice(f, s)
	}
	return ui.Text(s)
}

// phoneText groups the digits as the number's own country does; what is no E.164
// number stays as it was typed.
func phoneText(s string) string {
	num, err := phonenumbers.Parse(s, "")
	if err != nil {
		return s
	}
	return phonenumbers.Format(num, phonenumbers.INTERNATIONAL)
}

func choice(f *record.Field, s string) ui.Choice {
	for _, o := range f.Options {
		if o.Value == s {
			return ui.Choice{Label: o.Label, Tone: ui.Tone(o.Tone)}
		}
	}
	return ui.Choice{Label: s}
}

func tags(f *record.Field, list []string) ui.Value {
	var t ui.Tags
	for _, s := range list {
		t.Items = append(t.Items, choice(f, s))
	}
	return t
}

// wholeNumber shows minutes and stars as people say them.
func wholeNumber(f *record.Field, n int64) ui.Value {
	switch f.Type.Name() {
	case "duration":
		return ui.Text(minutes(n))
	case "rating":
		return ui.Text(strings.Repeat("★", int(n)) + strings.Repeat("☆", int(max(f.Stars()-n, 0))))
	}
	return ui.Number{Value: float64(n)}
}

// minutes writes 90 as "1h 30m".
func minutes(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	switch h, m := n/60, n%60; {
	case h == 0:
		return fmt.Sprintf("%s%dm", sign, m)
	case m == 0:
		return fmt.Sprintf("%s%dh", sign, h)
	default:
		return fmt.Sprintf("%s%dh %dm", sign, h, m)
	}
}

// number shows up to two decimals, none when there are none.
func number(f *record.Field, v float64) ui.Value {
	decimals := 0
	for decimals < 2 && math.Abs(v*math.Pow10(decimals)-math.Round(v*math.Pow10(decimals))) > 1e-9 {
		decimals++
	}
	if f.Type.Name() == "percent" {
		return ui.Number{Value: v, Decimals: decimals, Unit: "%"}
	}
	return ui.Number{Value: v, Decimals: decimals}
}

func (n *names) link(f *record.Field, id uuid.UUID) ui.Value {
	title := n.title(f.Target, id)
	if title == "" {
		return ui.None{}
	}
	switch f.Target {
	case "user":
		return ui.Person{Name: title}
	case "team":
		return ui.Person{Name: title, Team: true}
	}
	if n.record(f.Target, id).Deleted() {
		title += " (in the bin)"
	}
	href := n.href(f.Target, id)
	if href == "" {
		return ui.Text(title)
	}
	return ui.Ref{Name: title, Href: href, Icon: iconOf(n.record(f.Target, id).Def)}
}

// plain is a value in words, for the timeline and for conflicts.
func (n *names) plain(f *record.Field, v any, format ui.Format) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		if f.Type.Name() == "select" {
			return choice(f, v).Label
		}
		return cut(v, 160)
	case bool:
		if v {
			return "Yes"
		}
		return "No"
	case time.Time:
		if f.Type.Name() == "date" {
			return format.Day(v)
		}
		return format.When(v)
	case money.Amount:
		return format.Money(v.Minor, v.Currency)
	case int64:
		if f.Type.Name() == "duration" {
			return minutes(v)
		}
		return format.Integer(int(v))
	case float64:
		return strings.TrimSuffix(format.Number(v, 2), ".00")
	case []string:
		return strings.Join(v, ", ")
	case uuid.UUID:
		if t := n.title(f.Target, v); t != "" {
			return t
		}
		return "somebody else's " + lower(f.Label)
	}
	return cut(f.Type.Text(v), 160)
}

func cut(s string, runes int) string {
	r := []rune(s)
	if len(r) <= runes {
		return s
	}
	return string(r[:runes-1]) + "…"
}

// fieldName is what Record.Get and forms call a field.
func fieldName(f *record.Field) string {
	if f.Custom {
		return "custom." + f.Name
	}
	return f.Name
}
