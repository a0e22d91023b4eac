package learn

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func hundredRows(t *testing.T) *Table {
	t.Helper()
	table := NewTable(Field{"employees", Number}, Field{"source", Category}, Field{"opted_in", Number})
	for i := range 100 {
		source := [3]string{"web", "referral", fmt.Sprint("one-off ", i)}[i%3]
		values := map[string]any{"employees": i, "source": source, "opted_in": i%2 == 0, "unknown": 1}
		if i%10 == 0 {
			values = map[string]any{}
		}
		if err := table.AppendMap(values, i%4 == 0, time.Unix(int64(i), 0)); err != nil {
			t.Fatal(err)
		}
	}
	return table
}

func smallLayout(t *testing.T) (*Table, *Layout) {
	t.Helper()
	table := hundredRows(t)
	l, err := fitLayout(table, []int{0, 1, 2}, span(0, 100))
	if err != nil {
		t.Fatal(err)
	}
	return table, l
}

func TestLayoutKeepsCommonLevels(t *testing.T) {
	t.Parallel()
	_, l := smallLayout(t)
	if got := l.Fields[1].Levels; !slices.Equal(got, []string{"referral", "web"}) && !slices.Equal(got, []string{"web", "referral"}) {
		t.Errorf("levels %q", got)
	}
	if l.Width != 1+4+1 || l.Fields[2].Offset != 5 {
		t.Errorf("width %d, last offset %d", l.Width, l.Fields[2].Offset)
	}
}

func TestEncodePutsEveryValueInItsPlace(t *testing.T) {
	t.Parallel()
	_, l := smallLayout(t)
	source := &l.Fields[1]
	web := source.Offset + slices.Index(source.Levels, "web")
	for name, c := range map[string]struct {
		values map[string]any
		set    int
		number float64
	}{
		"known":             {map[string]any{"employees": 12, "source": "web"}, web, 12},
		"padded":            {map[string]any{"employees": " 12 ", "source": "  web "}, web, 12},
		"never seen":        {map[string]any{"employees": json.Number("7"), "source": "carrier pigeon"}, source.rare(), 7},
		"empty":             {map[string]any{"employees": nil, "source": ""}, source.empty(), math.NaN()},
		"absent":            {nil, source.empty(), math.NaN()},
		"unreadable":        {map[string]any{"employees": "many", "source": []int{1}}, source.empty(), math.NaN()},
		"infinite":          {map[string]any{"employees": math.Inf(1)}, source.empty(), math.NaN()},
		"beyond float32":    {map[string]any{"employees": 1e300}, source.empty(), math.NaN()},
		"truth as number":   {map[string]any{"employees": true}, source.empty(), 1},
		"number as a level": {map[string]any{"source": 12}, source.rare(), math.NaN()},
	} {
		x := l.Encode(c.values)
		if got := float64(x[0]); got != c.number && !(math.IsNaN(got) && math.IsNaN(c.number)) {
			t.Errorf("%s: number %v, want %v", name, got, c.number)
		}
		for slot := source.Offset; slot < source.Offset+4; slot++ {
			if want := slot == c.set; (x[slot] == 1) != want || !want && x[slot] != 0 {
				t.Errorf("%s: slot %d is %v", name, slot, x[slot])
			}
		}
	}
}

// TestThreeWaysToEncodeAgree: by name, by row, and from a table's codes.
func TestThreeWaysToEncodeAgree(t *testing.T) {
	t.Parallel()
	table, l := smallLayout(t)
	e := l.bind(table)
	byCode, byRow := make([]float32, l.Width), make([]float32, l.Width)
	for row := range int32(table.Rows()) {
		e.vector(row, byCode)
		values := map[string]any{}
		cells := make([]Value, len(table.Cols))
		for i := range table.Cols {
			c := &table.Cols[i]
			if c.Kind == Number {
				cells[i], values[c.Name] = Num(c.Numbers[row]), c.Numbers[row]
			} else {
				cells[i], values[c.Name] = Text(c.Levels[c.Codes[row]]), c.Levels[c.Codes[row]]
			}
		}
		if err := l.EncodeRow(cells, byRow); err != nil {
			t.Fatal(err)
		}
		if !same(byCode, byRow) || !same(byCode, l.Encode(values)) {
			t.Fatalf("row %d: %v, %v, %v", row, byCode, byRow, l.Encode(values))
		}
	}
	if err := l.EncodeRow(nil, byRow); err == nil {
		t.Error("a row of the wrong length was encoded")
	}
}

func same(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return x == y || x != x && y != y })
}

func TestLayoutSurvivesJSONAndShowsTampering(t *testing.T) {
	t.Parallel()
	_, l := smallLayout(t)
	data, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseLayout(data)
	if err != nil {
		t.Fatal(err)
	}
	record := map[string]any{"employees": 3, "source": "referral"}
	if again.Hash != l.Hash || !same(again.Encode(record), l.Encode(record)) {
		t.Error("the layout changed on the way")
	}
	for name, damage := range map[string][2]string{
		"renamed level": {`"web"`, `"wep"`}, "renamed field": {"employees", "employee"}, "version": {`"version":1`, `"version":2`},
		"width": {`"width":6`, `"width":7`}, "hash": {l.Hash[:8], "00000000"},
	} {
		broken := strings.Replace(string(data), damage[0], damage[1], 1)
		if _, err := ParseLayout([]byte(broken)); !errors.Is(err, ErrLayout) {
			t.Errorf("%s: got %v, want ErrLayout", name, err)
		}
	}
}

func TestLayoutStaysNarrow(t *testing.T) {
	t.Parallel()
	var fields []Field
	for i := range 30 {
		fields = append(fields, Field{fmt.Sprint("field", i), Category})
	}
	table := NewTable(fields...)
	row := make([]Value, len(fields))
	for i := range 800 {
		for j := range row {
			row[j] = Text(fmt.Sprint(i % 70))
		}
		if err := table.Append(row, false, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	var columns []int
	for i := range fields {
		columns = append(columns, i)
	}
	l, err := fitLayout(table, columns, span(0, 800))
	if err != nil {
		t.Fatal(err)
	}
	if l.Width > maxWidth || len(l.Fields[0].Levels) < 10 {
		t.Errorf("width %d with %d levels per field", l.Width, len(l.Fields[0].Levels))
	}
}

func TestTableRefusesWhatItCannotHold(t *testing.T) {
	t.Parallel()
	table := hundredRows(t)
	if err := table.Append([]Value{Num(1)}, true, time.Time{}); err == nil {
		t.Error("a short row was accepted")
	}
	if err := table.check(); err != nil {
		t.Errorf("good table: %v", err)
	}
	backwards := table.Select([]int32{5, 4, 3})
	if err := backwards.check(); err == nil {
		t.Error("rows out of order were accepted")
	}
	backwards.SortByTime()
	if err := backwards.check(); err != nil {
		t.Errorf("sorted table: %v", err)
	}
	if got := backwards.Cols[0].Numbers; !slices.Equal(got, []float64{3, 4, 5}) {
		t.Errorf("sorted values %v", got)
	}
	backwards.Times = backwards.Times[:1]
	if err := backwards.check(); err == nil {
		t.Error("missing times were accepted")
	}
}

func TestLevelCutsLongTextBetweenCharacters(t *testing.T) {
	t.Parallel()
	got := level(strings.Repeat("a", longestLevel-1) + "é")
	if got != strings.Repeat("a", longestLevel-1) {
		t.Errorf("cut to %d bytes: %q", len(got), got[len(got)-3:])
	}
}
