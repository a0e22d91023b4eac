package recordpage

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"crm/internal/platform/errs"
	"crm/internal/record"
)

// readForm turns what a form sent into a patch. Only fields of the form count;
// boxes that are not ticked are sent by nobody and mean no. Refusals come back by
// field, the readable values beside them.
func readForm(fields []*record.Field, form url.Values, def *record.Definition, zone *time.Location, currency string) (record.Patch, errs.Fields) {
	patch := record.Patch{}
	var refused errs.Fields
	for _, f := range fields {
		name := fieldName(f)
		v, sent, err := readValue(f, form, def, zone, currency)
		if err != nil {
			for _, e := range errs.As(err).Fields {
				refused.Add(name, e.Code, "%s", e.Message)
			}
			continue
		}
		if sent {
			patch[name] = v
		}
	}
	return patch, refused
}

func readValue(f *record.Field, form url.Values, def *record.Definition, zone *time.Location, currency string) (v any, sent bool, err error) {
	name := fieldName(f)
	switch f.Type.Name() {
	case "boolean":
		return form.Get(name) != "", true, nil
	case "address":
		return readAddress(f, form)
	}
	values, sent := form[name]
	if !sent {
		return nil, false, nil
	}
	text := strings.Join(values, ",")
	switch f.Type.Name() {
	case "money":
		if c := form.Get(name + "_currency"); c != "" {
			currency = c
		}
		text = plainAmount(text)
	case "datetime":
		text = inUTC(text, zone)
	}
	patch, err := def.ParseText(map[string]string{name: text}, record.FromText, currency)
	return patch[name], true, err
}

func readAddress(f *record.Field, form url.Values) (any, bool, error) {
	m, sent := map[string]any{}, false
	for _, part := range addressParts {
		if values, ok := form[f.Name+"."+part.key]; ok {
			sent = true
			m[part.key] = strings.Join(values, " ")
		}
	}
	if !sent {
		return nil, false, nil
	}
	v, err := f.Type.Parse(f, m)
	return v, true, err
}

// inUTC reads the clock time of the reader's wall and writes the instant.
func inUTC(s string, zone *time.Location) string {
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, strings.TrimSpace(s), zone); err == nil {
			return t.UTC().Format(time.RFC3339)
		}
	}
	return s
}

var thousands = regexp.MustCompile(`^\d{1,3}([.,' ]\d{3})+$`)

// plainAmount reads what people type for money (12k, 1.2m, 12.400,00, €1,200) as
// a plain decimal. What it does not understand it leaves for the field to refuse.
func plainAmount(s string) string {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune("€$£¥'\u00a0 ", r) {
			return -1
		}
		return r
	}, strings.TrimSpace(s))
	shift := 0
	if n := len(s); n > 1 {
		switch s[n-1] {
		case 'k', 'K':
			shift = 3
		case 'm', 'M':
			shift = 6
		}
		if shift > 0 {
			s = s[:n-1]
		}
	}
	return shifted(onePoint(s), shift)
}

// onePoint leaves at most one decimal point. A single separator with three digits
// after it counts as a comma for thousands, but as a point for decimals.
func onePoint(s string) string {
	comma, point := strings.LastIndex(s, ","), strings.LastIndex(s, ".")
	switch {
	case comma >= 0 && point >= 0 && comma > point:
		return strings.Replace(strings.ReplaceAll(s, ".", ""), ",", ".", 1)
	case comma >= 0 && point >= 0:
		return strings.ReplaceAll(s, ",", "")
	case comma >= 0 && thousands.MatchString(strings.TrimPrefix(s, "-")):
		return strings.ReplaceAll(s, ",", "")
	case comma >= 0:
		return strings.Replace(s, ",", ".", 1)
	case strings.Count(s, ".") > 1 && thousands.MatchString(strings.TrimPrefix(s, "-")):
		return strings.ReplaceAll(s, ".", "")
	}
	return s
}

// shifted moves the decimal point n places to the right.
func shifted(s string, n int) string {
	if n == 0 {
		return s
	}
	whole, frac, _ := strings.Cut(s, ".")
	for range n {
		digit := "0"
		if frac != "" {
			digit, frac = frac[:1], frac[1:]
		}
		whole += digit
	}
	if frac == "" {
		return whole
	}
	return whole + "." + frac
}

// errorOf is the message of a refused field, "" when it is fine. Custom fields are
// known to the kernel by their short name.
func errorOf(refused []errs.FieldError, f *record.Field) string {
	i := slices.IndexFunc(refused, func(e errs.FieldError) bool {
		return e.Field == fieldName(f) || (f.Custom && e.Field == f.Name)
	})
	if i < 0 {
		return ""
	}
	return refused[i].Message
}
