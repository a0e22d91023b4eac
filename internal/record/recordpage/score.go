package recordpage

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"crm/internal/record"
	"crm/web/ui"
)

// scoreOf draws the values a model writes: an integer field "score" with its
// "score_reasons", and "win_probability", a share. ok is false for other fields.
func scoreOf(rec *record.Record, field string) (ui.Value, bool) {
	switch field {
	case "score":
		if f, known := rec.Def.Field("score"); !known || !f.ReadOnly {
			return nil, false
		}
		n, scored := rec.Get("score").(int64)
		if !scored {
			return ui.None{}, true
		}
		at, _ := rec.Get("scored_at").(time.Time)
		return ui.Score{Value: int(n), Grade: rec.Text("score_grade"), Reasons: reasons(rec.Get("score_reasons")), At: at}, true
	case "win_probability":
		share, known := rec.Get(field).(float64)
		if !known {
			return ui.None{}, true
		}
		return ui.Score{Value: int(math.Round(share * 100))}, true
	}
	return nil, false
}

// headScore is the score of a record's header, nil when it has none.
func headScore(rec *record.Record) *ui.Score {
	if v, ok := scoreOf(rec, "score"); ok {
		if s, scored := v.(ui.Score); scored {
			return &s
		}
	}
	return nil
}

// reasons reads the list [{text, effect, field}] a model leaves with its score.
func reasons(raw any) []ui.Reason {
	items, _ := raw.([]any)
	var out []ui.Reason
	for _, it := range items {
		m, _ := it.(map[string]any)
		text, _ := m["text"].(string)
		if text == "" {
			continue
		}
		field, _ := m["field"].(string)
		out = append(out, ui.Reason{Text: text, Effect: floatOf(m["effect"]), Field: field})
	}
	return out
}

func floatOf(v any) float64 {
	switch n := v.(type) {
	case json.Number:
		f, _ := n.Float64()
		return f
	case float64:
		return n
	case string:
		f, _ := strconv.ParseFloat(n, 64)
		return f
	}
	return 0
}

// scorePanel explains the score beside the record.
func scorePanel(rec *record.Record) *ui.MachineSummary {
	s := headScore(rec)
	if s == nil {
		if f, ok := rec.Def.Field("score"); !ok || !f.ReadOnly {
			return nil
		}
		return &ui.MachineSummary{Title: "Score", Off: "Not scored yet. Scores appear once a model is trained."}
	}
	return &ui.MachineSummary{Title: "Score", Score: s, Reasons: s.Reasons, At: s.At}
}
