package liquid

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxFormat bounds a date format; the longest directive prints some thirty characters.
const maxFormat = 200

// layouts maps directives to layouts of package time; the ones that are not there are in computed.
var layouts = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'L': "000",
	'B': "January", 'b': "Jan", 'h': "Jan", 'A': "Monday", 'a': "Mon", 'p': "PM", 'P': "pm", 'Z': "MST", 'z': "-0700", 'e': "_2",
	'F': "2006-01-02", 'T': "15:04:05", 'X': "15:04:05", 'R': "15:04", 'r': "03:04:05 PM", 'D': "01/02/06", 'x': "01/02/06",
	'c': "Mon Jan _2 15:04:05 2006", 'v': "_2-Jan-2006",
}

// strftime formats t by the directives known from C and Ruby. A dash after the percent sign drops leading zeros:
// %-d. %-m. Unknown directives are an error, so that a typing mistake is seen before the mail goes out.
func strftime(t time.Time, format string) (string, error) {
	if len(format) > maxFormat {
		return "", fmt.Errorf("the date format is longer than %d characters", maxFormat)
	}
	var b strings.Builder
	for {
		text, rest, found := strings.Cut(format, "%")
		b.WriteString(text)
		if !found {
			return b.String(), nil
		}
		directive, short := strings.CutPrefix(rest, "-")
		if directive == "" {
			return "", fmt.Errorf("the date format ends with %%; write %%%% for a percent sign")
		}
		out, ok := directiveOf(t, directive[0])
		if !ok {
			return "", fmt.Errorf("the date format has %%%.1q, which is not known; usual ones are %%d %%m %%Y %%H %%M %%B %%A", directive)
		}
		if short {
			out = dropPadding(out)
		}
		b.WriteString(out)
		format = directive[1:]
	}
}

func directiveOf(t time.Time, c byte) (string, bool) {
	if layout, ok := layouts[c]; ok {
		if c == 'L' {
			return fmt.Sprintf("%03d", t.Nanosecond()/1e6), true
		}
		return t.Format(layout), true
	}
	switch c {
	case '%':
		return "%", true
	case 'j':
		return fmt.Sprintf("%03d", t.YearDay()), true
	case 'k':
		return fmt.Sprintf("%2d", t.Hour()), true
	case 'l':
		return fmt.Sprintf("%2d", (t.Hour()+11)%12+1), true
	case 's':
		return strconv.FormatInt(t.Unix(), 10), true
	case 'u':
		return strconv.Itoa((int(t.Weekday())+6)%7 + 1), true
	case 'w':
		return strconv.Itoa(int(t.Weekday())), true
	case 'V':
		_, week := t.ISOWeek()
		return fmt.Sprintf("%02d", week), true
	case 'G':
		year, _ := t.ISOWeek()
		return strconv.Itoa(year), true
	}
	return "", false
}

func dropPadding(s string) string {
	trimmed := strings.TrimLeft(s, "0 ")
	if trimmed == "" {
		return "0"
	}
	return trimmed
}
