package recordhttp

import (
	"net/http"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/rest"
	"crm/internal/record"
)

// aggregateRoute is POST /{objects}/aggregate: figures over a list.
func (a *API) aggregateRoute(o *record.Object) rest.Route {
	d := o.Def
	return rest.Route{
		Method: "POST", Path: "/" + d.Plural + "/aggregate", Name: d.Plural + ".aggregate", Summary: "Count and sum " + d.Plural + " by groups", Tag: d.Plural,
		Object: d.Name, Action: auth.Read, Body: aggregateBody, Answer: aggregateAnswer, Handle: a.aggregate(o),
	}
}

var aggregateBody = rest.Obj(map[string]rest.Schema{
	"group_by": rest.Array(rest.Schema{"anyOf": []any{rest.Str, rest.Obj(map[string]rest.Schema{
		"field": rest.Str, "by": {"type": "string", "enum": []any{"day", "week", "month", "quarter", "year"}},
	}, "field")}}),
	"measures": rest.Array(rest.Obj(map[string]rest.Schema{
		"fn":    {"type": "string", "enum": []any{"count", "count_distinct", "sum", "avg", "min", "max"}},
		"field": rest.Str, "as": rest.Str,
	}, "fn")),
	"filter":    {"type": "object", "description": "The filter grammar as JSON."},
	"q":         rest.Str,
	"sort":      rest.Str,
	"limit":     {"type": "integer", "minimum": 1, "maximum": 1000},
	"time_zone": rest.Str,
})

var aggregateAnswer = rest.Obj(map[string]rest.Schema{
	"data": rest.Array(rest.Obj(map[string]rest.Schema{
		"group": {"type": "object"}, "labels": {"type": "object"}, "values": {"type": "object"},
	}, "group", "labels", "values")),
	"total": {"type": "object"}, "truncated": rest.Bool, "time_zone": rest.Str,
}, "data", "total", "truncated", "time_zone")

func (a *API) aggregate(o *record.Object) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var in record.AggregateInput
		if err := rest.Decode(r, &in); err != nil {
			return malformed(err)
		}
		out, err := o.Aggregate(r.Context(), in)
		if err != nil {
			return err
		}
		return rest.JSON(w, 200, map[string]any{"data": out.Rows, "total": out.Total, "truncated": out.Truncated, "time_zone": out.TimeZone})
	}
}

// malformed makes a refused question a 400: there is no record to validate.
func malformed(err error) error {
	if e := errs.As(err); e != nil && e.Kind == errs.Invalid {
		out := errs.New(errs.Malformed, "bad_parameter", "%s", e.Message)
		out.Fields = e.Fields
		return out
	}
	return err
}
