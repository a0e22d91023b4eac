package scoring

import (
	"fmt"
	"math"
	"strconv"

	"github.com/google/uuid"

	"crm/internal/scoring/learn"
)

// reasonsEach is how many reasons are given for a score and against it.
const reasonsEach = 3

// leastPoints is the smallest effect worth a person's attention, in points of the score.
const leastPoints = 0.05

// Reason is one field's part in a score. Effect is in points of the score, positive when it speaks for success: the
// field's exact share of the way from the tenant's average lead to this one. All fields' effects add up to that way.
type Reason struct {
	Field  string  `json:"field"`
	Value  any     `json:"value"` // as the record has it, null when empty
	Effect float64 `json:"effect"`
	Text   string  `json:"text"`
}

// reasons picks the strongest effects on either side, those for it first.
func (sc *scorer) reasons(get lookup, e learn.Explanation) []Reason {
	scale := pointsPerLogit(e)
	places := map[string]int{}
	for i, f := range sc.model.model.Layout.Fields {
		places[f.Name] = i
	}
	var pros, cons []Reason
	for _, c := range e.Contributions {
		side := &pros
		if c.Effect < 0 {
			side = &cons
		}
		points := c.Effect * scale
		if len(*side) < reasonsEach && math.Abs(points) >= leastPoints {
			*side = append(*side, sc.reason(get, sc.fields[places[c.Field]], c.Field, points))
		}
	}
	return append(append([]Reason{}, pros...), cons...)
}

// pointsPerLogit is the slope between the average lead and this one on the curve from log-odds to chance. With it each
// effect in log-odds becomes points, and their sum is the difference of the two chances; where the two meet it is the
// curve's own slope.
func pointsPerLogit(e learn.Explanation) float64 {
	move := 0.0
	for _, c := range e.Contributions {
		move += c.Effect
	}
	base := 1 / (1 + math.Exp(-e.Base))
	if math.Abs(move) < 1e-3 {
		return 100 * base * (1 - base)
	}
	return 100 * (1/(1+math.Exp(-(e.Base+move))) - base) / move
}

func (sc *scorer) reason(get lookup, f *feature, name string, points float64) Reason {
	r := Reason{Field: name, Effect: math.Round(points*10) / 10}
	if f == nil {
		r.Text = fmt.Sprintf("%s is no longer recorded: %s", name, spell(points))
		return r
	}
	v := f.value(get)
	if v == "" {
		v = nil
	}
	r.Value = v
	r.Text = f.clause(v) + ": " + spell(points)
	return r
}

// clause words a value: "Last campaign outcome is success".
func (f *feature) clause(v any) string {
	switch {
	case v == nil:
		return f.label + " is not known"
	case f.say != nil:
		return f.say(v)
	}
	return f.label + " is " + plain(v)
}

func plain(v any) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case string:
		if runes := []rune(v); len(runes) > 60 {
			return string(runes[:59]) + "…"
		}
	}
	return fmt.Sprint(v)
}

// spell writes points with their sign, whole unless they are few.
func spell(points float64) string {
	digits, unit := 0, " points"
	if math.Abs(points) < 0.95 {
		digits = 1
	}
	text := strconv.FormatFloat(math.Abs(points), 'f', digits, 64)
	if text == "1" {
		unit = " point"
	}
	if points < 0 {
		return "−" + text + unit
	}
	return "+" + text + unit
}

// stored ties a bulk answer to its record, for storing.
func (r *Result) stored(id uuid.UUID, m *loaded) Scored {
	return Scored{ID: id, Score: r.Score, Grade: r.Grade, Probability: r.Probability, Reasons: r.Reasons, ModelID: m.ID}
}
