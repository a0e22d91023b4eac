package scoringhttp

import (
	"crm/internal/platform/rest"
	"crm/internal/scoring"
)

var (
	reasonSchema = rest.Obj(map[string]rest.Schema{
		"field": rest.Str, "value": rest.Any, "text": rest.Str,
		"effect": {"type": "number", "description": "Points of the score this field adds or takes, against the average lead."},
	}, "field", "value", "effect", "text")

	modelRefSchema = rest.Obj(map[string]rest.Schema{"id": rest.UUID, "version": rest.Int, "trained_at": rest.Time}, "id", "version", "trained_at")

	scoreSchema = rest.Obj(map[string]rest.Schema{
		"score": percent, "probability": share, "grade": grade, "model": modelRefSchema, "reasons": rest.Array(reasonSchema), "scored_at": rest.Time,
	}, "score", "probability", "grade", "model", "reasons", "scored_at")

	resultsSchema = rest.Obj(map[string]rest.Schema{
		"model": modelRefSchema,
		"results": rest.Array(rest.Obj(map[string]rest.Schema{
			"id": rest.UUID, "probability": share, "score": percent, "grade": grade, "reasons": rest.Array(reasonSchema),
		}, "probability", "score", "grade", "reasons")),
	}, "model", "results")

	bulkSchema = rest.Obj(map[string]rest.Schema{
		"object": {"type": "string", "enum": []any{"lead"}},
		"ids":    {"type": "array", "items": rest.UUID, "minItems": 1, "maxItems": scoring.MostAtOnce},
		"rows": {
			"type": "array", "minItems": 1, "maxItems": scoring.MostAtOnce, "items": rest.Schema{"type": "object"},
			"description": "Records as the API shows them; they need not exist. Either ids or rows.",
		},
	}, "object")

	fieldNames = rest.Schema{"type": "array", "items": rest.Str}

	trainSchema = rest.Obj(map[string]rest.Schema{
		"object": {"type": "string", "enum": []any{"lead"}},
		"refuse": {"type": "array", "items": rest.Str, "description": "Fields to leave out, such as custom.duration; remembered until sent again."},
		"keep":   {"type": "array", "items": rest.Str, "description": "Fields known before the outcome although they look like leaks; remembered until sent again."},
	}, "object")

	modelSchema = rest.Obj(map[string]rest.Schema{
		"id": rest.UUID, "object": rest.Str, "version": rest.Int, "status": {"type": "string", "enum": []any{"training", "candidate", "active", "retired", "failed"}},
		"stage": rest.Str, "progress": share, "error": rest.Str, "decision": rest.Str, "created_at": rest.Time,
		"trained_at": rest.Nullable(rest.Time), "activated_at": rest.Nullable(rest.Time), "retired_at": rest.Nullable(rest.Time),
		"rows": rest.Int, "positives": rest.Int, "period": rest.Nullable(rest.Obj(map[string]rest.Schema{"from": rest.Time, "to": rest.Time}, "from", "to")),
		"holdout": rest.Nullable(anObject), "metrics": rest.Nullable(metricsSchema), "grade": rest.Str, "choice": anObject,
		"calibration": rest.Array(numbers("from", "to", "count", "predicted", "observed", "low", "high")),
		"lift":        rest.Array(numbers("share", "count", "rate", "lift", "captured")),
		"importance":  rest.Array(rest.Obj(map[string]rest.Schema{"field": rest.Str, "label": rest.Str, "importance": rest.Num, "share": rest.Num}, "field", "label", "importance", "share")),
		"warnings":    rest.Array(rest.Obj(map[string]rest.Schema{"code": rest.Str, "field": rest.Str, "text": rest.Str}, "code", "text")),
		"dropped":     rest.Array(rest.Obj(map[string]rest.Schema{"field": rest.Str, "code": rest.Str, "reason": rest.Str}, "field", "code", "reason")),
		"refuse":      fieldNames, "keep": fieldNames, "sha256": rest.Str, "labels": anObject,
	}, "id", "object", "version", "status", "progress", "trained_at", "rows", "positives", "metrics", "calibration", "lift", "importance", "warnings", "dropped")

	metricsSchema = numbers("auc", "auc_low", "auc_high", "average_precision", "log_loss", "base_log_loss", "brier", "ece")

	percent  = rest.Schema{"type": "integer", "minimum": 0, "maximum": 100}
	share    = rest.Schema{"type": "number", "minimum": 0, "maximum": 1}
	grade    = rest.Schema{"type": "string", "enum": []any{"A", "B", "C", "D"}}
	anObject = rest.Schema{"type": "object"}
)

// numbers is an object of which every property is a number.
func numbers(names ...string) rest.Schema {
	properties := map[string]rest.Schema{}
	for _, n := range names {
		properties[n] = rest.Num
	}
	return rest.Obj(properties, names...)
}
