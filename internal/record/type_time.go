package record

import (
	"strings"
	"time"
)

// dateType is a calendar day without a zone, kept as midnight UTC.
type dateType struct{}

func (dateType) Name() string      { return "date" }
func (dateType) Columns() []string { return []string{"date"} }
func (dateType) Scan(c []cell) any { return c[0].date() }
func (dateType) Args(v any) []any  { return []any{v} }
func (dateType) Ops() []Op         { return timeOps }
func (dateType) Text(v any) string { return v.(time.Time).Format(time.DateOnly) }
func (dateType) AppendJSON(dst []byte, v any) []byte {
	dst = append(dst, '"')
	dst = v.(time.Time).AppendFormat(dst, time.DateOnly)
	return append(dst, '"')
}

func (dateType) Parse(f *Field, raw any) (any, error) {
	s, ok := raw.(string)
	if !ok {
		return nil, wrongType(f, "a date like 2026-11-21")
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1 {
		return nil, refuse(f, "not_a_date", "%s must be a date like 2026-11-21.", f.Label)
	}
	return t, nil
}

// ParseText also reads the orders spreadsheets write.
func (dateType) ParseText(f *Field, s string) (any, error) {
	s = strings.TrimSpace(s)
	for _, layout := range []string{time.DateOnly, time.RFC3339, "2006-01-02 15:04:05", "2006/01/02", "02.01.2006", "01/02/2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC), nil
		}
	}
	return nil, refuse(f, "not_a_date", "%s must be a date like 2026-11-21.", f.Label)
}

// timeType is an instant, stored and shown over the API in UTC.
type timeType struct{}

func (timeType) Name() string      { return "datetime" }
func (timeType) Columns() []string { return []string{"timestamptz"} }
func (timeType) Scan(c []cell) any { return c[0].time() }
func (timeType) Args(v any) []any  { return []any{v} }
func (timeType) Ops() []Op         { return timeOps }
func (timeType) Text(v any) string { return v.(time.Time).UTC().Format(time.RFC3339Nano) }
func (timeType) AppendJSON(dst []byte, v any) []byte {
	dst = append(dst, '"')
	dst = v.(time.Time).UTC().AppendFormat(dst, time.RFC3339Nano)
	return append(dst, '"')
}

func (timeType) Parse(f *Field, raw any) (any, error) {
	s, ok := raw.(string)
	if !ok {
		return nil, wrongType(f, "a time like 2026-11-21T09:00:00Z")
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return nil, refuse(f, "not_a_time", "%s must be a time like 2026-11-21T09:00:00Z.", f.Label)
	}
	return t.UTC().Truncate(time.Microsecond), nil
}

// ParseText also reads what <input type="datetime-local"> and other systems'
// files write; a time without zone is taken as UTC.
func (timeType) ParseText(f *Field, s string) (any, error) {
	s = strings.TrimSpace(s)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly, "2006/01/02", "02.01.2006", "01/02/2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Truncate(time.Microsecond), nil
		}
	}
	return nil, refuse(f, "not_a_time", "%s must be a time like 2026-11-21T09:00:00Z.", f.Label)
}
