// Package activitieshttp serves what can be done to activities beyond reading and
// writing them: complete, reopen, and the list of what is about a record. It
// decodes, asks the activities service and encodes; every rule is the service's.
package activitieshttp

import (
	"net/http"
	"strconv"

	"crm/internal/activities"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/rest"
	"crm/internal/record"
)

// HTTP serves the acts of activities.
type HTTP struct {
	activities *activities.Service
}

// New makes the handlers of a service.
func New(s *activities.Service) *HTTP { return &HTTP{activities: s} }

// about are the objects whose activities have an address of their own.
var about = []struct{ object, plural string }{{"contact", "contacts"}, {"account", "accounts"}, {"lead", "leads"}, {"deal", "deals"}}

// Routes is the context's part of the route table.
func (h *HTTP) Routes() []rest.Route {
	activity := map[string]string{"id": "activity"}
	out := []rest.Route{
		{
			Method: "POST", Path: "/activities/{id}/complete", Name: "activities.complete", Summary: "Mark an activity done", Tag: "activities",
			Object: "activity", Action: auth.Update, IDs: activity, Body: rest.Obj(map[string]rest.Schema{"outcome": rest.Str}), Answer: rest.Ref("Activity"), Handle: h.complete,
		},
		{
			Method: "POST", Path: "/activities/{id}/reopen", Name: "activities.reopen", Summary: "Make a done activity open again", Tag: "activities",
			Object: "activity", Action: auth.Update, IDs: activity, Answer: rest.Ref("Activity"), Handle: h.reopen,
		},
	}
	for _, o := range about {
		out = append(out, rest.Route{
			Method: "GET", Path: "/" + o.plural + "/{id}/activities", Name: "activities.for_record." + o.object, Tag: "activities",
			Summary: "Activities about one of the " + o.plural + ", newest first; filters as in the list of activities", Object: "activity", Action: auth.Read, IDs: map[string]string{"id": o.object},
			Params: []rest.Param{
				{Name: "limit", Description: "1 to 200.", Schema: rest.Int},
				{Name: "cursor", Description: "next_cursor of the page before.", Schema: rest.Str},
				{Name: "sort", Description: "Fields, - for descending.", Schema: rest.Str},
			},
			Filters: true,
			Answer:  rest.Obj(map[string]rest.Schema{"data": rest.Array(rest.Ref("Activity")), "next_cursor": rest.Nullable(rest.Str)}, "data", "next_cursor"),
			Handle:  h.forRecord(o.object),
		})
	}
	return out
}

func (h *HTTP) complete(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	var in struct {
		Outcome string `json:"outcome"`
	}
	if err := rest.Decode(r, &in); err != nil {
		return err
	}
	if _, err := h.activities.Complete(r.Context(), id, in.Outcome); err != nil {
		return err
	}
	return h.answer(w, r)
}

func (h *HTTP) reopen(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	if _, err := h.activities.Reopen(r.Context(), id); err != nil {
		return err
	}
	return h.answer(w, r)
}

// answer writes the activity of the path as it is now.
func (h *HTTP) answer(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	a, err := h.activities.Activities.Object.Get(r.Context(), id)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", rest.ETag(a.Version()))
	return rest.Raw(w, http.StatusOK, a.AppendJSON(nil, nil, nil))
}

func (h *HTTP) forRecord(object string) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, err := rest.PathID(r, "id")
		if err != nil {
			return err
		}
		q, err := readQuery(r)
		if err != nil {
			return err
		}
		if q.Filter, err = h.activities.Activities.ParseFilter(r.Context(), r.URL.Query()); err != nil {
			return err
		}
		page, err := h.activities.ForRecord(r.Context(), object, id, q)
		if err != nil {
			return err
		}
		return rest.Raw(w, http.StatusOK, appendPage(page))
	}
}

func readQuery(r *http.Request) (record.Query, error) {
	params := r.URL.Query()
	q := record.Query{Cursor: params.Get("cursor"), Sort: params.Get("sort")}
	if s := params.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return q, errs.New(errs.Malformed, "bad_parameter", "limit must be between 1 and %d.", record.MaxLimit)
		}
		q.Limit = n
	}
	return q, nil
}

func appendPage(page *record.Page) []byte {
	out := []byte(`{"data":[`)
	for i, a := range page.Records {
		if i > 0 {
			out = append(out, ',')
		}
		out = a.AppendJSON(out, nil, nil)
	}
	out = append(out, `],"next_cursor":`...)
	if page.Next == "" {
		return append(out, "null}"...)
	}
	return append(strconv.AppendQuote(out, page.Next), '}')
}
