package importing

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"crm/internal/record"
)

// Style is how one column writes its values.
type Style struct {
	Comma    bool `json:"comma,omitempty"`     // 12,5 is twelve and a half
	DayFirst bool `json:"day_first,omitempty"` // 03/04/2026 is in April
}

// survey is what one pass over the whole file learned. Types must hold for the last
// row as for the first: a field made too narrow would refuse rows later.
type survey struct {
	rows    int64
	columns []columnSurvey
}

type columnSurvey struct {
	numbers separators
	days    dayOrder
	types   typeSurvey
	sniff   bool            // a type is wanted for it
	style   bool            // it is mapped to a number or a day
	choices map[string]bool // not nil: its different values are wanted
}

func (s *columnSurvey) add(cell string) {
	if s.style {
		s.numbers.add(cell)
		s.days.add(cell)
	}
	if s.sniff {
		s.types.add(cell)
	}
	if s.choices != nil && len(s.choices) < maxChoices {
		s.choices[record.CleanText(cell)] = true
	}
}

func (s *columnSurvey) result(delimiter string) Style {
	if s.sniff {
		return s.types.style(delimiter)
	}
	return Style{Comma: s.numbers.comma(delimiter), DayFirst: s.days.dayFirst()}
}

// survey reads the file to its end.
func (d Dialect) survey(ctx context.Context, f io.ReadSeeker, columns []columnSurvey) (*survey, error) {
	r, err := openRows(f, d, 0)
	if err != nil {
		return nil, err
	}
	out := &survey{columns: columns}
	if _, err := r.next(); err != nil {
		return nil, err
	}
	for {
		row, err := r.next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, nil // the rows before the damage are taken in; the import fails when it comes there
		}
		if out.rows++; out.rows%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		out.add(row)
	}
}

func (s *survey) add(row []string) {
	for i := range min(len(row), len(s.columns)) {
		c := &s.columns[i]
		if !c.sniff && !c.style && c.choices == nil {
			continue
		}
		if cell := clean(row[i]); cell != "" {
			c.add(cell)
		}
	}
}

// typeSurvey narrows down what a column's values can all be. Everything starts
// possible; text always stays.
type typeSurvey struct {
	seen                                int64
	notInt, notPoint, notComma, notBool bool
	notMonthFirst, notDayFirst, timed   bool
	longest                             int
	separators                          separators
}

func (t *typeSurvey) add(cell string) {
	t.seen++
	t.longest = max(t.longest, len(cell))
	if t.notBool && t.notInt && t.notPoint && t.notComma && t.notMonthFirst && t.notDayFirst {
		return
	}
	t.notBool = t.notBool || !slices.Contains(yesNo, strings.ToLower(cell))
	t.addNumber(cell)
	t.addDate(cell)
}

var yesNo = []string{"yes", "no", "true", "false"}

func (t *typeSurvey) addNumber(cell string) {
	t.notInt = t.notInt || !isInteger(cell)
	if t.notPoint && t.notComma {
		return
	}
	// Only bare numbers make a number field: +49 30 and 12 % stay what they are.
	bare := cell[len(cell)-1] != '%' && !strings.ContainsAny(cell, "+()$€£ ") && (cell[0] != '0' || len(cell) == 1 || cell[1] == '.' || cell[1] == ',')
	if _, ok := normalNumber(cell, false); !ok || !bare {
		t.notPoint = true
	}
	if _, ok := normalNumber(cell, true); !ok || !bare {
		t.notComma = true
	}
	t.separators.add(cell)
}

func (t *typeSurvey) addDate(cell string) {
	if t.notMonthFirst && t.notDayFirst {
		return
	}
	_, timed, ok := parseTime(cell, false)
	t.timed, t.notMonthFirst = t.timed || (ok && timed), t.notMonthFirst || !ok
	_, timed, ok = parseTime(cell, true)
	t.timed, t.notDayFirst = t.timed || (ok && timed), t.notDayFirst || !ok
}

// fieldType is the narrowest type that holds every value seen.
func (t *typeSurvey) fieldType() string {
	switch {
	case t.seen == 0:
		return "text"
	case !t.notBool:
		return "boolean"
	case !t.notInt:
		return "integer"
	case !t.notPoint || !t.notComma:
		return "decimal"
	case (!t.notMonthFirst || !t.notDayFirst) && t.timed:
		return "datetime"
	case !t.notMonthFirst || !t.notDayFirst:
		return "date"
	case t.longest > 500: // bytes; text holds 500 characters
		return "long_text"
	}
	return "text"
}

func (t *typeSurvey) style(delimiter string) Style {
	comma := t.notPoint || (!t.notComma && t.separators.comma(delimiter))
	return Style{Comma: comma, DayFirst: t.notMonthFirst && !t.notDayFirst}
}
