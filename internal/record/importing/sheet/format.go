package sheet

import (
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// format is what a cell's style says about its number.
type format uint8

const (
	general format = iota
	dated
	percent
)

// readStyles learns which cell styles are dates.
func (b *Book) readStyles() error {
	s, err := b.open("xl/styles.xml", 64<<20)
	if err != nil || s == nil {
		return err
	}
	defer s.close()
	custom := map[string]format{}
	inside := false
	for {
		t, err := s.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch string(t.name) {
		case "numFmt":
			if t.open {
				custom[t.attr("numFmtId")] = formatOf(t.attr("formatCode"))
			}
		case "cellXfs":
			inside = t.open && !t.empty
		case "xf":
			if inside && t.open {
				b.formats = append(b.formats, builtin(t.attr("numFmtId"), custom))
			}
		}
	}
}

// builtin knows the formats that files name by number only.
func builtin(id string, custom map[string]format) format {
	if f, ok := custom[id]; ok {
		return f
	}
	n, err := strconv.Atoi(id)
	switch {
	case err != nil:
		return general
	case n == 9 || n == 10:
		return percent
	case (n >= 14 && n <= 22) || (n >= 27 && n <= 36) || (n >= 45 && n <= 47) || (n >= 50 && n <= 58):
		return dated
	}
	return general
}

// formatOf reads a format code such as dd.mm.yyyy or #,##0.00 "days": letters of
// dates outside of quotes, brackets and escapes make it one.
func formatOf(code string) format {
	first, _, _ := strings.Cut(code, ";")
	var quoted, bracket, escaped bool
	out := general
	for _, r := range strings.ToLower(first) {
		switch {
		case escaped:
			escaped = false
		case r == '"':
			quoted = !quoted
		case quoted:
		case r == '\\' || r == '_' || r == '*':
			escaped = true
		case r == '[':
			bracket = true
		case r == ']':
			bracket = false
		case bracket:
		case strings.ContainsRune("ymdhs", r):
			return dated
		case r == '%':
			out = percent
		}
	}
	if strings.EqualFold(first, "general") {
		return general
	}
	return out
}

// show writes a number as its style means it.
func (b *Book) show(raw string, style int) string {
	v, err := strconv.ParseFloat(raw, 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return raw
	}
	f := general
	if style >= 0 && style < len(b.formats) {
		f = b.formats[style]
	}
	switch {
	case f == dated && v >= 0 && v < 2958466: // the year 10000
		return b.date(v)
	case f == percent:
		return plain(v*100) + "%"
	}
	return plain(v)
}

// plain rounds to fifteen digits, as spreadsheets do, and writes no exponent.
func plain(v float64) string {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 15, 64), 64)
	if err != nil {
		rounded = v
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

const secondsPerDay = 24 * 60 * 60

// date turns days since the start of 1900, or of 1904, into a day or an instant.
func (b *Book) date(serial float64) string {
	days, seconds := math.Floor(serial), math.Round((serial-math.Floor(serial))*secondsPerDay)
	epoch := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case b.from1904:
		epoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case days < 60:
		epoch = epoch.AddDate(0, 0, 1) // there was no 29 February 1900, but spreadsheets believe it
	}
	t := epoch.AddDate(0, 0, int(days)).Add(time.Duration(seconds) * time.Second)
	switch {
	case serial < 1 && !b.from1904:
		return t.Format("15:04:05")
	case seconds == 0:
		return t.Format("2006-01-02")
	}
	return t.Format("2006-01-02 15:04:05")
}
