package record

import (
	"strconv"
	"strings"
	"time"
)

// Moment is a time as a filter names it: a span of one instant, one day, or what
// a word such as last_month covers; From ≤ value < To. For fields of type date
// both ends are calendar days at midnight UTC. Comparisons read it as people do:
// after a day is after its end, up to a day includes it.
type Moment struct{ From, To time.Time }

// instant is the smallest step PostgreSQL keeps.
const instant = time.Microsecond

// relativeNames are the words that may also stand as operator, with their number
// as value: created_at[last_days]=7.
var relativeNames = map[Op]bool{"last_days": true, "next_days": true}

// wordAsOperator reads created_at[last_days]=7 as created_at=last_days:7.
func wordAsOperator(op Op, parts []any) (Op, []any) {
	if !relativeNames[op] || len(parts) != 1 {
		return op, parts
	}
	s, _ := textOf(parts[0])
	return Eq, []any{string(op) + ":" + strings.TrimSpace(s)}
}

// moment reads a date word, a day, or an instant in the caller's zone.
func (p *parser) moment(f *Field, s string) (any, string, error) {
	name, arg, _ := strings.Cut(s, ":")
	if from, to, ok := p.span(name, arg); ok {
		if f.kind() == kindDate {
			return Moment{asDate(from), ceilDate(to)}, s, nil
		}
		return Moment{from.UTC(), to.UTC()}, s, nil
	}
	if f.kind() == kindDate {
		v, err := f.Type.ParseText(f, s)
		if err != nil {
			return nil, "", badMoment(f)
		}
		return v, "", nil
	}
	if day, err := time.Parse(time.DateOnly, s); err == nil && day.Year() > 0 {
		y, m, d := day.Date()
		return Moment{dayStart(y, m, d, p.zone).UTC(), dayStart(y, m, d+1, p.zone).UTC()}, s, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, s, p.zone); err == nil {
			return t.UTC(), "", nil
		}
	}
	v, err := f.Type.ParseText(f, s)
	if err != nil {
		return nil, "", badMoment(f)
	}
	return v, "", nil
}

func badMoment(f *Field) error {
	return refuse(f, "not_a_time", "%s is compared with a date like 2026-11-21, a time like 2026-11-21T09:00:00Z, or a word: today, yesterday, tomorrow, last_days:7, next_days:7, this_week, last_month, next_quarter, this_year.", f.Label)
}

// span returns the half-open range a word means.
func (p *parser) span(name, arg string) (from, to time.Time, ok bool) {
	now := p.now.In(p.zone)
	y, m, d := now.Date()
	day := func(offset int) time.Time { return dayStart(y, m, d+offset, p.zone) }
	switch name {
	case "last_days", "next_days":
		n, err := strconv.Atoi(arg)
		if err != nil || n < 1 || n > 3660 {
			return from, to, false
		}
		if name == "last_days" {
			return day(-n), now.Add(instant), true
		}
		return now, day(n + 1), true
	}
	if arg != "" {
		return from, to, false
	}
	switch name {
	case "today":
		return day(0), day(1), true
	case "yesterday":
		return day(-1), day(0), true
	case "tomorrow":
		return day(1), day(2), true
	}
	which, unit, found := strings.Cut(name, "_")
	offset, known := map[string]int{"this": 0, "last": -1, "next": 1}[which]
	if !found || !known {
		return from, to, false
	}
	return unitSpan(y, m, d, p.zone, unit, offset)
}

// unitSpan is the week, month, quarter or year of a day, moved by offset.
func unitSpan(y int, m time.Month, d int, zone *time.Location, unit string, offset int) (from, to time.Time, ok bool) {
	switch unit {
	case "week": // ISO weeks begin on Monday
		weekday := time.Date(y, m, d, 12, 0, 0, 0, time.UTC).Weekday()
		monday := d - (int(weekday)+6)%7 + 7*offset
		return dayStart(y, m, monday, zone), dayStart(y, m, monday+7, zone), true
	case "month":
		m += time.Month(offset)
		return dayStart(y, m, 1, zone), dayStart(y, m+1, 1, zone), true
	case "quarter":
		first := (m-1)/3*3 + 1 + time.Month(3*offset)
		return dayStart(y, first, 1, zone), dayStart(y, first+3, 1, zone), true
	case "year":
		return dayStart(y+offset, 1, 1, zone), dayStart(y+offset+1, 1, 1, zone), true
	}
	return from, to, false
}

// dayStart is the first instant of a calendar day in a zone. Clocks that change
// at midnight make it another time than 00:00, or let 00:00 happen twice.
func dayStart(y int, m time.Month, d int, zone *time.Location) time.Time {
	want := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	t := time.Date(y, m, d, 0, 0, 0, 0, zone)
	start, end := t.ZoneBounds()
	switch local := asDate(t); {
	case local.Before(want): // 00:00 does not exist: the day begins with the change
		return end
	case local.After(want) || t.Hour() != 0 || t.Minute() != 0:
		return start
	}
	if start.IsZero() {
		return t
	}
	// 00:00 may have happened before, on the other side of the last change.
	before := start.Add(-time.Nanosecond)
	if _, offset := before.Zone(); asDate(before).Equal(want) {
		return time.Date(y, m, d, 0, 0, 0, 0, time.FixedZone("", offset)).In(zone)
	}
	return t
}

// asDate is the calendar day of t in its own zone, as midnight UTC.
func asDate(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// ceilDate is the first day that begins at or after t.
func ceilDate(t time.Time) time.Time {
	y, m, d := t.Date()
	if dayStart(y, m, d, t.Location()).Equal(t) {
		return asDate(t)
	}
	return asDate(t).AddDate(0, 0, 1)
}

// momentOf reads a time value of a condition, as parsed or from code.
func momentOf(f *Field, v any) Moment {
	switch v := v.(type) {
	case Moment:
		return v
	case time.Time:
		if f.kind() == kindDate {
			return Moment{asDate(v), asDate(v).AddDate(0, 0, 1)}
		}
		v = v.UTC().Truncate(instant)
		return Moment{v, v.Add(instant)}
	}
	return Moment{}
}
