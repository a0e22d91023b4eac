package record

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// durationType is a length of time in whole minutes: a number over the API, read
// also as ISO 8601 (PT1H30M), 1:30 and what people write (1h 30m).
type durationType struct{ intType }

// maxMinutes is a hundred years; no meeting is longer.
const maxMinutes = 100 * 366 * 24 * 60

func (durationType) Name() string { return "duration" }

// Text is ISO 8601, which every spreadsheet leaves alone and ParseText reads back.
func (durationType) Text(v any) string {
	n := v.(int64)
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	switch h, m := n/60, n%60; {
	case h == 0:
		return fmt.Sprintf("%sPT%dM", sign, m)
	case m == 0:
		return fmt.Sprintf("%sPT%dH", sign, h)
	default:
		return fmt.Sprintf("%sPT%dH%dM", sign, h, m)
	}
}

func (t durationType) Parse(f *Field, raw any) (any, error) {
	switch v := raw.(type) {
	case json.Number:
		n, err := t.intType.ParseText(f, v.String())
		if err != nil {
			return nil, refuseDuration(f)
		}
		return inRange(f, n.(int64))
	case string:
		return t.ParseText(f, v)
	}
	return nil, wrongType(f, "a number of minutes or a duration like PT1H30M")
}

var (
	isoDuration   = regexp.MustCompile(`^P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,8})H)?(?:(\d{1,9})M)?(?:0S)?)?$`)
	humanDuration = regexp.MustCompile(`^(?:(\d{1,6}) ?(?:w|weeks?))? ?(?:(\d{1,6}) ?(?:d|days?))? ?(?:(\d{1,8}) ?(?:h|hours?|hrs?))? ?(?:(\d{1,9}) ?(?:m|min|mins|minutes?))?$`)
	clockDuration = regexp.MustCompile(`^(\d{1,7}):([0-5]\d)$`)
)

func (durationType) ParseText(f *Field, s string) (any, error) {
	s = strings.TrimSpace(s)
	sign := int64(1)
	if rest, negative := strings.CutPrefix(s, "-"); negative {
		s, sign = rest, -1
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return inRange(f, sign*n)
	}
	if m := clockDuration.FindStringSubmatch(s); m != nil {
		return inRange(f, sign*(60*number64(m[1])+number64(m[2])))
	}
	m := isoDuration.FindStringSubmatch(strings.ToUpper(s))
	if m == nil {
		m = humanDuration.FindStringSubmatch(strings.ToLower(s))
	}
	if m == nil || m[1]+m[2]+m[3]+m[4] == "" {
		return nil, refuseDuration(f)
	}
	return inRange(f, sign*(number64(m[1])*7*24*60+number64(m[2])*24*60+number64(m[3])*60+number64(m[4])))
}

func number64(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64) // digits of bounded length, or empty
	return n
}

func inRange(f *Field, n int64) (any, error) {
	if n > maxMinutes || n < -maxMinutes {
		return nil, refuse(f, "out_of_range", "%s may be at most a hundred years.", f.Label)
	}
	return n, nil
}

func refuseDuration(f *Field) error {
	return refuse(f, "not_a_duration", "%s must be a length of time like 90, 1:30, 1h 30m or PT1H30M.", f.Label)
}

// ratingType is a number of stars from 1 to the field's Max, which is 5 when unset
// and 10 at most.
type ratingType struct{ intType }

// Stars is the most a rating field takes.
func (f *Field) Stars() int64 {
	if n, err := strconv.ParseInt(f.Max, 10, 64); err == nil && n >= 1 && n <= 10 {
		return n
	}
	return 5
}

func (ratingType) Name() string { return "rating" }

func (t ratingType) Parse(f *Field, raw any) (any, error) {
	v, err := t.intType.Parse(f, raw)
	if err != nil {
		return nil, err
	}
	return starsIn(f, v)
}

func (t ratingType) ParseText(f *Field, s string) (any, error) {
	v, err := t.intType.ParseText(f, s)
	if err != nil {
		return nil, err
	}
	return starsIn(f, v)
}

func starsIn(f *Field, v any) (any, error) {
	if n := v.(int64); n < 1 || n > f.Stars() {
		return nil, refuse(f, "out_of_range", "%s must be a whole number from 1 to %d.", f.Label, f.Stars())
	}
	return v, nil
}
