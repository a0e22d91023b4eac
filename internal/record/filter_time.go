package record

import (
	"strconv"
	"strings"
	"time"
)

// relative understands date words in the caller's zone: today, yesterday,
// tomorrow, last_days:7, next_days:7, this_week, last_month, next_quarter,
// this_year …, given as the value (created_at=today) or as the operator
// (created_at[last_days]=7). It reports whether the condition was one.
func (p *parser) relative(c *Cond, parts []string) (bool, error) {
	word := strings.TrimSpace(firstOr(parts, ""))
	if c.Op != Eq {
		if c.Op == Between || c.Op == IsNull || len(c.Op) <= 3 {
			return false, nil
		}
		word = string(c.Op) + ":" + word
	}
	name, arg, _ := strings.Cut(word, ":")
	from, to, ok := p.span(name, arg)
	if !ok {
		return false, nil
	}
	c.Op, c.From, c.To = within, from, to
	return true, nil
}

// span returns the half-open range a word means.
func (p *parser) span(name, arg string) (from, to time.Time, ok bool) {
	today := midnight(p.now.In(p.zone))
	switch name {
	case "today":
		return today, today.AddDate(0, 0, 1), true
	case "yesterday":
		return today.AddDate(0, 0, -1), today, true
	case "tomorrow":
		return today.AddDate(0, 0, 1), today.AddDate(0, 0, 2), true
	case "last_days", "next_days":
		n, err := strconv.Atoi(arg)
		if err != nil || n < 1 || n > 3660 {
			return from, to, false
		}
		if name == "last_days" {
			return today.AddDate(0, 0, -n), p.now.Add(time.Microsecond), true
		}
		return p.now, today.AddDate(0, 0, n+1), true
	}
	which, unit, found := strings.Cut(name, "_")
	offset, known := map[string]int{"this": 0, "last": -1, "next": 1}[which]
	if !found || !known {
		return from, to, false
	}
	return unitSpan(today, unit, offset)
}

func unitSpan(today time.Time, unit string, offset int) (from, to time.Time, ok bool) {
	y, m, _ := today.Date()
	loc := today.Location()
	switch unit {
	case "week": // ISO weeks begin on Monday
		monday := today.AddDate(0, 0, -(int(today.Weekday())+6)%7)
		from = monday.AddDate(0, 0, 7*offset)
		return from, from.AddDate(0, 0, 7), true
	case "month":
		from = time.Date(y, m+time.Month(offset), 1, 0, 0, 0, 0, loc)
		return from, from.AddDate(0, 1, 0), true
	case "quarter":
		first := (m-1)/3*3 + 1
		from = time.Date(y, first+time.Month(3*offset), 1, 0, 0, 0, 0, loc)
		return from, from.AddDate(0, 3, 0), true
	case "year":
		from = time.Date(y+offset, 1, 1, 0, 0, 0, 0, loc)
		return from, from.AddDate(1, 0, 0), true
	}
	return from, to, false
}

func midnight(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, t.Location())
}
