package liquid

import (
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// filter gets the value and its arguments as plain values; the sizes of all of them are charged already, a filter
// charges what it adds.
type filter func(r *renderer, v any, args []any) (any, error)

type known struct {
	fn       filter
	min, max int // number of arguments, max <= 2
	usage    string
}

// filters is the whole allow-list.
var filters = map[string]known{
	"default":    {filterDefault, 1, 1, `default: "there"`},
	"upcase":     {onText(strings.ToUpper), 0, 0, "upcase"},
	"downcase":   {onText(strings.ToLower), 0, 0, "downcase"},
	"capitalize": {onText(capitalize), 0, 0, "capitalize"},
	"strip":      {onText(strings.TrimSpace), 0, 0, "strip"},
	"url_encode": {onText(url.QueryEscape), 0, 0, "url_encode"},
	"escape":     {filterEscape, 0, 0, "escape"},
	"date":       {filterDate, 1, 1, `date: "%d.%m.%Y"`},
	"truncate":   {filterTruncate, 1, 2, `truncate: 20 }} or {{ value | truncate: 20, "…"`},
	"append":     {filterAppend, 1, 1, `append: "text"`},
	"prepend":    {filterPrepend, 1, 1, `prepend: "text"`},
	"replace":    {filterReplace, 2, 2, `replace: "old", "new"`},
	"round":      {filterRound, 0, 1, "round }} or {{ value | round: 2"},
	"plus":       {arithmetic(addInt, func(a, b float64) float64 { return a + b }), 1, 1, "plus: 1"},
	"minus":      {arithmetic(subInt, func(a, b float64) float64 { return a - b }), 1, 1, "minus: 1"},
	"times":      {arithmetic(mulInt, func(a, b float64) float64 { return a * b }), 1, 1, "times: 2"},
	"divided_by": {filterDivide, 1, 1, "divided_by: 2"},
	"size":       {filterSize, 0, 0, "size"},
	"first":      {filterFirst, 0, 0, "first"},
	"last":       {filterLast, 0, 0, "last"},
	"join":       {filterJoin, 0, 1, `join: ", "`},
}

func filterNames() string { return strings.Join(slices.Sorted(maps.Keys(filters)), ", ") }

// onText makes a filter of a function whose result is at most a few times as long as its input.
func onText(fn func(string) string) filter {
	return func(r *renderer, v any, _ []any) (any, error) {
		s, err := r.text(v)
		if err != nil {
			return nil, err
		}
		out := fn(s)
		return out, r.charge(len(out))
	}
}

func filterDefault(_ *renderer, v any, args []any) (any, error) {
	if isEmpty(v) {
		return args[0], nil
	}
	return v, nil
}

// filterEscape leaves values alone in HTML, where they are escaped when written; doing it twice would show "&amp;lt;".
func filterEscape(r *renderer, v any, _ []any) (any, error) {
	if r.kind == HTML {
		return v, nil
	}
	return onText(escapeHTML)(r, v, nil)
}

func capitalize(s string) string {
	first, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToTitle(first)) + strings.ToLower(s[n:])
}

func filterDate(r *renderer, v any, args []any) (any, error) {
	t, ok := r.time(v)
	if !ok {
		return v, nil
	}
	out, err := strftime(t, str(args[0]))
	if err != nil {
		return nil, fail(r.line, "%s", err)
	}
	return out, r.charge(len(out))
}

// time reads times, the usual spellings of them, and the word "now", which is the variable now if the caller passes
// one: a template has no clock of its own.
func (r *renderer) time(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v, true
	case string:
		if v == "now" {
			t, ok := plain(r.vars["now"]).(time.Time)
			return t, ok
		}
		for _, layout := range []string{time.RFC3339, time.DateOnly, time.DateTime, "2006-01-02T15:04:05", "2006-01-02T15:04"} {
			if t, err := time.Parse(layout, strings.TrimSpace(v)); err == nil {
				return t, true
			}
		}
	}
	return time.Time{}, false
}

func filterTruncate(r *renderer, v any, args []any) (any, error) {
	s, err := r.text(v)
	if err != nil {
		return nil, err
	}
	ellipsis := "..."
	if len(args) == 2 {
		ellipsis = str(args[1])
	}
	limit, _, whole := number(args[0])
	if !whole || limit < 0 {
		return nil, fail(r.line, "truncate needs a whole number of characters, such as 20")
	}
	if int64(utf8.RuneCountInString(s)) <= limit {
		return s, nil
	}
	keep := max(limit-int64(utf8.RuneCountInString(ellipsis)), 0)
	for i := range s {
		if keep == 0 {
			s = s[:i] + ellipsis
			break
		}
		keep--
	}
	return s, r.charge(len(s))
}

func filterAppend(r *renderer, v any, args []any) (any, error) {
	s, err := r.text(v)
	if err != nil {
		return nil, err
	}
	out := s + str(args[0])
	return out, r.charge(len(out))
}

func filterPrepend(r *renderer, v any, args []any) (any, error) {
	s, err := r.text(v)
	if err != nil {
		return nil, err
	}
	out := str(args[0]) + s
	return out, r.charge(len(out))
}

// filterReplace books the length of the result before making it: a short value can become enormous.
func filterReplace(r *renderer, v any, args []any) (any, error) {
	s, err := r.text(v)
	if err != nil {
		return nil, err
	}
	old, with := str(args[0]), str(args[1])
	if old == "" {
		return s, nil
	}
	n := strings.Count(s, old)
	if n > 0 && len(with) > MaxWork/n {
		return nil, r.charge(MaxWork + 1)
	}
	if err := r.charge(len(s) + n*len(with)); err != nil {
		return nil, err
	}
	return strings.ReplaceAll(s, old, with), nil
}

func filterSize(_ *renderer, v any, _ []any) (any, error) {
	if n := field(v, "size"); n != nil {
		return n, nil
	}
	return int64(0), nil
}

func filterFirst(_ *renderer, v any, _ []any) (any, error) { return end(v, 0), nil }

func filterLast(_ *renderer, v any, _ []any) (any, error) { return end(v, -1), nil }

func end(v any, i int) any {
	if elements, ok := list(v); ok {
		return sliceField(elements, i)
	}
	return nil
}

func filterJoin(r *renderer, v any, args []any) (any, error) {
	separator := " "
	if len(args) == 1 {
		separator = str(args[0])
	}
	return r.join(v, separator)
}

func filterRound(r *renderer, v any, args []any) (any, error) {
	digits := int64(0)
	if len(args) == 1 {
		n, _, whole := number(args[0])
		if !whole || n < 0 || n > 12 {
			return nil, fail(r.line, "round needs a number of digits from 0 to 12")
		}
		digits = n
	}
	n, f, whole := number(v)
	if digits > 0 {
		// A fixed number of digits is what prices need: 12.5 with two digits is 12.50.
		return strconv.FormatFloat(f, 'f', int(digits), 64), nil
	}
	if whole {
		return n, nil
	}
	f = math.Round(f)
	if math.Abs(f) < 1<<53 {
		return int64(f), nil
	}
	return f, nil
}

// arithmetic keeps whole numbers whole as long as they fit; texts that are no numbers count as 0.
func arithmetic(whole func(a, b int64) (int64, bool), real func(a, b float64) float64) filter {
	return func(r *renderer, v any, args []any) (any, error) {
		ia, fa, intA := number(v)
		ib, fb, intB := number(args[0])
		if intA && intB {
			if n, ok := whole(ia, ib); ok {
				return n, nil
			}
		}
		out := finite(real(fa, fb))
		if out == nil {
			return nil, fail(r.line, "the result of the calculation is too large")
		}
		return out, nil
	}
}

func addInt(a, b int64) (int64, bool) {
	sum := a + b
	return sum, (sum > a) == (b > 0)
}

func subInt(a, b int64) (int64, bool) {
	diff := a - b
	return diff, (diff < a) == (b > 0)
}

func mulInt(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	if a == math.MinInt64 || b == math.MinInt64 {
		return 0, false
	}
	product := a * b
	return product, product/b == a
}

func filterDivide(r *renderer, v any, args []any) (any, error) {
	ia, fa, intA := number(v)
	ib, fb, intB := number(args[0])
	if fb == 0 {
		return nil, fail(r.line, "a number is divided by zero")
	}
	if intA && intB && ib != -1 {
		// As in Liquid, whole numbers divide to a whole number, rounded down.
		q := ia / ib
		if ia%ib != 0 && (ia < 0) != (ib < 0) {
			q--
		}
		return q, nil
	}
	out := finite(fa / fb)
	if out == nil {
		return nil, fail(r.line, "the result of the calculation is too large")
	}
	return out, nil
}
