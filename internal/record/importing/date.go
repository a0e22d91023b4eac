package importing

import (
	"strconv"
	"strings"
	"time"
)

// parseTime reads the forms in which systems and people write days and instants.
// A time without a zone is taken as UTC. dayFirst decides 03/04/2026.
func parseTime(s string, dayFirst bool) (t time.Time, hasTime, ok bool) {
	if t, ok := isoDay(s); ok {
		return t, false, true
	}
	if len(s) < 6 || len(s) > 40 {
		return time.Time{}, false, false
	}
	for _, l := range isoLayouts {
		if t, err := time.Parse(l, s); err == nil {
			return sane(t, true)
		}
	}
	if t, hasTime, ok := numericDate(s, dayFirst); ok {
		return t, hasTime, true
	}
	return namedDate(s)
}

// isoLayouts are ISO 8601 as databases, Salesforce and JavaScript write it.
var isoLayouts = []string{
	time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04",
	"2006-01-02T15:04:05.999Z0700", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 MST",
}

func sane(t time.Time, hasTime bool) (time.Time, bool, bool) {
	t = t.UTC().Truncate(time.Microsecond)
	return t, hasTime, t.Year() >= 1 && t.Year() <= 9999
}

// isoDay is the quick answer for 2026-11-21.
func isoDay(s string) (time.Time, bool) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return time.Time{}, false
	}
	y, m, d := number(s[:4]), number(s[5:7]), number(s[8:])
	return day(y, m, d)
}

// day makes midnight UTC and refuses the 31st of February.
func day(y, m, d int) (time.Time, bool) {
	if y < 1 || y > 9999 || m < 1 || m > 12 || d < 1 || d > 31 {
		return time.Time{}, false
	}
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	return t, t.Day() == d
}

// number is -1 for anything but digits.
func number(s string) int {
	if s == "" || !allDigits(s) {
		return -1
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

// numericDate reads 31.12.2026, 12/31/2026, 31-12-26, 2026/12/31, with or without
// a time behind it.
func numericDate(s string, dayFirst bool) (time.Time, bool, bool) {
	date, clock, _ := strings.Cut(s, " ")
	a, b, c, sep, ok := dateParts(strings.TrimSuffix(date, ","))
	if !ok {
		return time.Time{}, false, false
	}
	var t time.Time
	switch {
	case len(a) == 4:
		t, ok = day(number(a), number(b), number(c))
	case sep == '.' || dayFirst:
		t, ok = day(year(c), number(b), number(a))
	default:
		t, ok = day(year(c), number(a), number(b))
	}
	if !ok {
		return time.Time{}, false, false
	}
	return withClock(t, clock)
}

func dateParts(s string) (a, b, c string, sep byte, ok bool) {
	i := strings.IndexAny(s, "./-")
	if i < 1 || i > 4 {
		return "", "", "", 0, false
	}
	sep = s[i]
	parts := strings.Split(s, string(sep))
	if len(parts) != 3 || len(parts[1]) > 2 || number(parts[0]) < 0 || number(parts[1]) < 0 || number(parts[2]) < 0 {
		return "", "", "", 0, false
	}
	return parts[0], parts[1], parts[2], sep, true
}

// year reads two digits as the years around now.
func year(s string) int {
	n := number(s)
	switch {
	case len(s) == 4:
		return n
	case len(s) == 2 && n >= 70:
		return 1900 + n
	case len(s) == 2 && n >= 0:
		return 2000 + n
	}
	return -1
}

var clockLayouts = []string{"15:04", "15:04:05", "3:04 PM", "3:04:05 PM", "3:04PM", "15:04:05.999"}

func withClock(t time.Time, clock string) (time.Time, bool, bool) {
	clock = strings.ToUpper(strings.TrimSpace(clock))
	if clock == "" {
		return t, false, true
	}
	for _, l := range clockLayouts {
		if c, err := time.Parse(l, clock); err == nil {
			return t.Add(c.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC))), true, true
		}
	}
	return time.Time{}, false, false
}

var namedLayouts = []string{"Jan 2, 2006", "January 2, 2006", "2 Jan 2006", "2 January 2006", "02-Jan-2006", "2-Jan-06", "Jan 2 2006", "Mon, 02 Jan 2006 15:04:05 -0700", "Jan 2, 2006 3:04 PM"}

func namedDate(s string) (time.Time, bool, bool) {
	if s[0] < '0' || (s[0] > '9' && s[0] < 'A') {
		return time.Time{}, false, false
	}
	for i, l := range namedLayouts {
		if t, err := time.Parse(l, s); err == nil {
			return sane(t, i >= 7)
		}
	}
	return time.Time{}, false, false
}

func isDate(s string) bool {
	_, _, ok := parseTime(s, false)
	if !ok {
		_, _, ok = parseTime(s, true)
	}
	return ok
}

// dayOrder collects what a column's dates say about 03/04/2026.
type dayOrder struct{ Day, Month int }

func (o *dayOrder) add(s string) {
	if len(s) < 6 || s[0] < '0' || s[0] > '9' || (len(s) == 10 && s[4] == '-') {
		return
	}
	date, _, _ := strings.Cut(s, " ")
	a, b, _, sep, ok := dateParts(strings.TrimSuffix(date, ","))
	if !ok || len(a) == 4 || sep == '.' {
		return
	}
	if number(a) > 12 {
		o.Day++
	}
	if number(b) > 12 {
		o.Month++
	}
}

// dayFirst needs a witness: where every day is 12 or less, 03/04 is read as the
// kernel's types read it, month first.
func (o dayOrder) dayFirst() bool { return o.Day > o.Month }
