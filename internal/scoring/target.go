package scoring

import (
	"slices"

	"crm/internal/platform/errs"
)

// target is an object that can be scored. Another one (deal) is another value of this type, and a row in scoreTables.
type target struct {
	object string
	one    string // what a person calls a record: "lead"
	many   string
	status string // the field that holds the outcome
	won    []any  // its values that count as success
	lost   []any
	open   []any // undecided: not learned from, but scored
	// standard lists the object's own fields to learn from. Custom fields are added by themselves.
	standard []feature
}

var leads = target{
	object: "lead", one: "lead", many: "leads", status: "status",
	won:      []any{"converted"},
	lost:     []any{"disqualified"},
	open:     []any{"new", "working", "nurturing", "qualified"},
	standard: leadFeatures(),
}

// targetOf finds what is known about scoring an object.
func targetOf(object string) (*target, error) {
	if object == leads.object {
		return &leads, nil
	}
	if object == "" {
		return nil, errs.Field("object", "required", "Say which object to score, such as lead.")
	}
	return nil, errs.Field("object", "not_scorable", "There is no scoring for %q; use lead.", object)
}

// decided lists the outcomes a model learns from.
func (t *target) decided() []any { return slices.Concat(t.won, t.lost) }

// texts are values of a select field as SQL wants them.
func texts(values []any) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i], _ = v.(string)
	}
	return out
}
