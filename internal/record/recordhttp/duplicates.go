package recordhttp

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/rest"
	"crm/internal/record"
)

// Candidate is a probable duplicate as the API shows it.
type Candidate struct {
	ID        uuid.UUID       `json:"id"`
	Title     string          `json:"title"`
	MatchedOn []string        `json:"matched_on"`
	Score     float64         `json:"score"`
	URL       string          `json:"url"`
	Record    json.RawMessage `json:"record,omitempty"`
}

func wireCandidate(r *record.Record, on []string, score float64) Candidate {
	return Candidate{ID: r.ID(), Title: r.Title(), MatchedOn: on, Score: score, URL: "/api/v1/" + r.Def.Plural + "/" + r.ID().String()}
}

// Group is a set of probable duplicates. Count is how many there are, of which the
// first 20 are listed.
type Group struct {
	MatchedOn []string    `json:"matched_on"`
	Score     float64     `json:"score"`
	Count     int64       `json:"count"`
	Records   []Candidate `json:"records"`
}

var (
	candidateSchema = rest.Obj(map[string]rest.Schema{
		"id": rest.UUID, "title": rest.Str, "matched_on": rest.Array(rest.Str), "score": rest.Num, "url": rest.Str, "record": {"type": "object"},
	}, "id", "title", "matched_on", "score", "url")
	groupSchema = rest.Obj(map[string]rest.Schema{
		"matched_on": rest.Array(rest.Str), "score": rest.Num, "count": rest.Int, "records": rest.Array(candidateSchema),
	}, "matched_on", "score", "count", "records")
)

func (a *API) duplicatesRoute(o *record.Object) rest.Route {
	d := o.Def
	return rest.Route{
		Method: "GET", Path: "/" + d.Plural + "/duplicates", Name: d.Plural + ".duplicates", Tag: d.Plural, Object: d.Name, Action: auth.Read,
		Summary: "Groups of probable duplicates among the " + strings.ToLower(d.LabelPlural),
		Params: []rest.Param{
			{Name: "id", Description: "Only the group of this record, itself first.", Schema: rest.UUID},
			{Name: "limit", Description: "Groups per page, 1 to 200; 50 when absent.", Schema: rest.Schema{"type": "integer", "minimum": 1, "maximum": 200}},
			{Name: "cursor", Description: "next_cursor of the page before.", Schema: rest.Str},
		},
		Answer: rest.Obj(map[string]rest.Schema{"data": rest.Array(groupSchema), "next_cursor": rest.Nullable(rest.Str)}, "data", "next_cursor"),
		Handle: a.duplicates(o),
	}
}

func (a *API) duplicates(o *record.Object) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if s := r.URL.Query().Get("id"); s != "" {
			return a.duplicatesOf(w, r, o, s)
		}
		limit, err := intParam(r, "limit", record.DefaultLimit, 1, record.MaxLimit)
		if err != nil {
			return err
		}
		after, err := keyCursor(r, o)
		if err != nil {
			return err
		}
		groups, next, err := o.DuplicateGroups(r.Context(), after, int(limit))
		if err != nil {
			return err
		}
		out := []Group{}
		for _, g := range groups {
			out = append(out, wireGroup(g))
		}
		return rest.JSON(w, 200, map[string]any{"data": out, "next_cursor": nextKey(r, o, next)})
	}
}

func wireGroup(g record.Group) Group {
	out := Group{MatchedOn: g.On, Score: g.Score, Count: g.Count}
	for _, rec := range g.Records {
		c := wireCandidate(rec, g.On, g.Score)
		c.Record = rec.AppendJSON(nil, nil, nil)
		out.Records = append(out.Records, c)
	}
	return out
}

// duplicatesOf answers for one record: itself, then whom it may be.
func (a *API) duplicatesOf(w http.ResponseWriter, r *http.Request, o *record.Object, raw string) error {
	u, ok := id.Parse(raw)
	if !ok {
		return errs.New(errs.Malformed, "bad_parameter", "id must be the id of a record.")
	}
	rec, err := o.Get(r.Context(), u)
	if err != nil {
		return err
	}
	found, err := o.Duplicates(r.Context(), rec)
	if err != nil {
		return err
	}
	out := []Group{}
	if len(found) > 0 {
		g := Group{MatchedOn: found[0].On, Score: found[0].Score, Count: int64(len(found)) + 1}
		for _, c := range append([]record.Candidate{{Record: rec, On: found[0].On, Score: found[0].Score}}, found...) {
			one := wireCandidate(c.Record, c.On, c.Score)
			one.Record = c.Record.AppendJSON(nil, nil, nil)
			g.Records = append(g.Records, one)
		}
		out = append(out, g)
	}
	return rest.JSON(w, 200, map[string]any{"data": out, "next_cursor": nil})
}

// keyCursor reads the place after a group; it names tenant and object, so that one
// cannot be used where it makes no sense.
func keyCursor(r *http.Request, o *record.Object) (*int64, error) {
	s := r.URL.Query().Get("cursor")
	if s == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	mark := cursorMark(r, o)
	if err != nil || len(raw) != 8+len(mark) || string(raw[8:]) != mark {
		return nil, errs.New(errs.Malformed, "bad_parameter", "This cursor belongs to another list. Start again without it.")
	}
	key := int64(binary.BigEndian.Uint64(raw)) //nolint:gosec // the bits, not the number
	return &key, nil
}

func nextKey(r *http.Request, o *record.Object, next *int64) *string {
	if next == nil {
		return nil
	}
	raw := binary.BigEndian.AppendUint64(nil, uint64(*next)) //nolint:gosec // the bits, not the number
	s := base64.RawURLEncoding.EncodeToString(append(raw, cursorMark(r, o)...))
	return &s
}

func cursorMark(r *http.Request, o *record.Object) string {
	return auth.From(r.Context()).TenantID.String()[24:] + o.Def.Name
}

// allowsDuplicate reads allow_duplicate from the address or, taking it out, from
// the body of a create.
func allowsDuplicate(r *http.Request, body map[string]any) (bool, error) {
	allow := r.URL.Query().Get("allow_duplicate")
	if v, ok := body["allow_duplicate"]; ok {
		b, isBool := v.(bool)
		if !isBool {
			return false, errs.Field("allow_duplicate", "wrong_type", "allow_duplicate must be true or false.")
		}
		delete(body, "allow_duplicate")
		if b {
			allow = "true"
		}
	}
	switch allow {
	case "", "false", "0":
		return false, nil
	case "true", "1":
		return true, nil
	}
	return false, errs.New(errs.Malformed, "bad_parameter", "allow_duplicate is true or false.")
}

// withCandidates puts what a refused create would have doubled into the answer.
func withCandidates(err error) error {
	found := record.CandidatesOf(err)
	if found == nil {
		return err
	}
	list := make([]Candidate, len(found))
	for i, c := range found {
		list[i] = wireCandidate(c.Record, c.On, c.Score)
	}
	errs.As(err).Data = map[string]any{"candidates": list}
	return err
}
