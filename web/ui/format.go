package ui

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/currency"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

// Format turns raw values into words for one reader. The zero Format is English
// in UTC with the clock of the machine; handlers set all three.
type Format struct {
	Locale language.Tag
	Zone   *time.Location
	Now    time.Time // the moment of the request; relative words count from it
}

type formatKey struct{}

// WithFormat puts the reader's format into the context for components that are
// rendered alone. Page and Bare do it for whole documents.
func WithFormat(ctx context.Context, f Format) context.Context {
	return context.WithValue(ctx, formatKey{}, f)
}

func formatFrom(ctx context.Context) Format {
	f, _ := ctx.Value(formatKey{}).(Format)
	return f
}

func (f Format) zone() *time.Location {
	if f.Zone == nil {
		return time.UTC
	}
	return f.Zone
}

func (f Format) now() time.Time {
	if f.Now.IsZero() {
		return time.Now().In(f.zone())
	}
	return f.Now.In(f.zone())
}

func (f Format) printer() *message.Printer {
	if f.Locale == language.Und {
		return message.NewPrinter(language.English)
	}
	return message.NewPrinter(f.Locale)
}

// Lang is the value of the html lang attribute.
func (f Format) Lang() string {
	if f.Locale == language.Und {
		return "en"
	}
	return f.Locale.String()
}

// Integer groups digits: 12,408.
func (f Format) Integer(n int) string {
	return f.printer().Sprint(number.Decimal(n))
}

// Number groups digits and fixes the count of decimals.
func (f Format) Number(v float64, decimals int) string {
	return f.printer().Sprint(number.Decimal(v, number.MinFractionDigits(decimals), number.MaxFractionDigits(decimals)))
}

// Percent shows a share: 0.42 → 42 %.
func (f Format) Percent(v float64, decimals int) string {
	return f.Number(v*100, decimals) + "\u00a0%"
}

// Money shows minor units with the currency's symbol; cents only when not zero.
// Unknown codes stand before the amount as they are.
func (f Format) Money(minor int64, code string) string {
	digits := minorDigits(code)
	whole, cents := splitMinor(minor, digits)
	if cents == 0 {
		digits = 0
	}
	return f.signed(minor < 0, f.Number(math.Abs(whole), digits), code)
}

// signed puts minus and currency where the reader's language has them.
func (f Format) signed(negative bool, amount, code string) string {
	minus := ""
	if negative {
		minus = "−"
	}
	if f.symbolLast() {
		return minus + amount + "\u00a0" + strings.TrimRight(symbol(code), "\u00a0")
	}
	return minus + symbol(code) + amount
}

// symbolLast: most continental languages write the amount first.
func (f Format) symbolLast() bool {
	base, _ := f.Locale.Base()
	switch base.String() {
	case "de", "fr", "es", "it", "pt", "pl", "cs", "sk", "sv", "da", "nb", "fi", "ru", "uk", "ro", "hu", "bg", "el":
		return f.Locale != language.Und
	}
	return false
}

// MoneyCompact shows three figures: €1.24M. For tiles only.
func (f Format) MoneyCompact(minor int64, code string) string {
	v, _ := splitMinor(minor, minorDigits(code))
	return f.signed(v < 0, compact(math.Abs(v)), code)
}

func compact(v float64) string {
	steps := []struct {
		size float64
		mark string
	}{{1e9, "B"}, {1e6, "M"}, {1e3, "K"}}
	for _, s := range steps {
		if v >= s.size*0.9995 {
			return trimZeros(strconv.FormatFloat(v/s.size, 'f', threeFigures(v/s.size), 64)) + s.mark
		}
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

func threeFigures(v float64) int {
	switch {
	case v >= 99.95:
		return 0
	case v >= 9.995:
		return 1
	}
	return 2
}

func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

func minorDigits(code string) int {
	unit, err := currency.ParseISO(code)
	if err != nil {
		return 2
	}
	scale, _ := currency.Standard.Rounding(unit)
	return scale
}

func splitMinor(minor int64, digits int) (whole float64, cents int64) {
	div := int64(math.Pow10(digits))
	return float64(minor) / float64(div), minor % div
}

// symbol is the narrow sign for currencies whose sign is unmistakable, and the
// code for all others.
func symbol(code string) string {
	switch code {
	case "EUR":
		return "€"
	case "USD":
		return "$"
	case "GBP":
		return "£"
	case "JPY":
		return "¥"
	case "INR":
		return "₹"
	case "":
		return ""
	}
	return code + "\u00a0"
}

// When is how a moment reads in a list: 14:05 today, Yesterday, Tue within six
// days, 18 Nov this year, 18 Nov 2025 otherwise; the future mirrors it.
func (f Format) When(t time.Time) string {
	t = t.In(f.zone())
	switch d := dayNumber(t) - dayNumber(f.now()); {
	case d == 0:
		return t.Format("15:04")
	case d == 1 || (d > 1 && d <= 6):
		return f.dayWord(t, d) + " " + t.Format("15:04")
	}
	return f.Day(t)
}

// Day is how a civil day reads: Today, Yesterday, Tomorrow, Tue, 18 Nov, 18 Nov 2025.
func (f Format) Day(t time.Time) string {
	return f.dayWord(t, dayNumber(t)-dayNumber(f.now()))
}

func (f Format) dayWord(t time.Time, distance int) string {
	switch {
	case distance == 0:
		return Words.Today
	case distance == -1:
		return Words.Yesterday
	case distance == 1:
		return Words.Tomorrow
	case distance > -7 && distance < 7:
		return t.Format("Mon")
	case t.Year() == f.now().Year():
		return t.Format("2 Jan")
	}
	return t.Format("2 Jan 2006")
}

// DayName heads a group of the timeline: Today, Yesterday, Tuesday 18 November.
func (f Format) DayName(t time.Time) string {
	t = t.In(f.zone())
	switch dayNumber(t) - dayNumber(f.now()) {
	case 0:
		return Words.Today
	case -1:
		return Words.Yesterday
	}
	if t.Year() == f.now().Year() {
		return t.Format("Monday 2 January")
	}
	return t.Format("2 January 2006")
}

// Ago is the distance from now in the largest whole unit: "just now", "3 min ago",
// "in 2 h". Beyond a week it is the day.
func (f Format) Ago(t time.Time) string {
	d := f.now().Sub(t)
	switch {
	case d > 7*24*time.Hour || d < -7*24*time.Hour:
		return f.Day(t.In(f.zone()))
	case d < 0:
		return Words.In + " " + span(-d)
	case d < time.Minute:
		return Words.JustNow
	}
	return span(d) + " " + Words.AgoWord
}

func span(d time.Duration) string {
	switch {
	case d >= 24*time.Hour:
		return strconv.Itoa(int(d.Hours()/24)) + " d"
	case d >= time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	}
	return strconv.Itoa(max(1, int(d.Minutes()))) + " min"
}

// Clock is the time of day, 14:05.
func (f Format) Clock(t time.Time) string { return t.In(f.zone()).Format("15:04") }

// Full is the exact moment for titles: Fri 21 Nov 2026, 14:05 CET.
func (f Format) Full(t time.Time) string {
	return t.In(f.zone()).Format("Mon 2 Jan 2006, 15:04 MST")
}

// FullDay is the exact civil day for titles.
func (f Format) FullDay(t time.Time) string { return t.Format("Mon 2 Jan 2006") }

// DueState tells how urgent a moment or day is.
func (f Format) DueState(d Due) StepState {
	if d.Done || d.At.IsZero() {
		return StepLater
	}
	at := d.At
	if !d.WholeDay {
		at = at.In(f.zone())
	}
	switch n := dayNumber(at) - dayNumber(f.now()); {
	case n < 0, n == 0 && !d.WholeDay && d.At.Before(f.now()):
		return StepOverdue
	case n == 0:
		return StepToday
	}
	return StepLater
}

// dayNumber counts civil days so that two moments can be compared by date alone.
func dayNumber(t time.Time) int {
	y, m, d := t.Date()
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// Initials takes the first letter of the first and the last word.
func Initials(name string) string {
	parts := strings.FieldsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || r == '.' || r == '@' })
	if len(parts) == 0 {
		return "?"
	}
	out := firstLetter(parts[0])
	if len(parts) > 1 {
		out += firstLetter(parts[len(parts)-1])
	}
	return out
}

func firstLetter(s string) string {
	r, _ := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r))
}
