package dealshttp

import (
	"net/http"

	"github.com/google/uuid"

	"crm/internal/deals"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/rest"
)

// API serves the acts on deals and their totals.
type API struct {
	s *deals.Service
}

// NewAPI makes the API of a service.
func NewAPI(s *deals.Service) *API { return &API{s: s} }

var (
	dealSchema    = rest.Ref("Deal")
	rankSchema    = rest.Schema{"type": "number", "description": "Rank inside the stage; smaller is higher."}
	versionSchema = rest.Schema{"type": "integer", "description": "The version the act is meant for; 412 when the deal is at another. If-Match says the same."}
	besideSchema  = rest.Schema{"type": "string", "format": "uuid", "description": "A deal of the same stage to lie beside."}
	pipelineParam = rest.Param{Name: "pipeline_id", Description: "The pipeline; the default one (board) or all (forecast) when absent.", Schema: rest.UUID}
)

// Routes is the part of deals in the route table.
func (h *API) Routes() []rest.Route {
	act := func(path, name, summary string, body rest.Schema, handle rest.Handler) rest.Route {
		return rest.Route{
			Method: "POST", Path: "/deals/{id}/" + path, Name: "deals." + name, Summary: summary, Tag: "deals", Object: "deal", Action: auth.Update,
			IDs: map[string]string{"id": "deal"}, Body: body, Answer: dealSchema, Handle: handle,
		}
	}
	return []rest.Route{
		act("move", "move", "Move a deal to a stage, or to another place in its own",
			rest.Obj(map[string]rest.Schema{"stage_id": rest.UUID, "position": rankSchema, "before": besideSchema, "after": besideSchema, "lost_reason": rest.Str, "version": versionSchema}), h.move),
		act("win", "win", "Win a deal", rest.Obj(map[string]rest.Schema{"version": versionSchema}), h.win),
		act("lose", "lose", "Lose a deal", rest.Obj(map[string]rest.Schema{"lost_reason": rest.Str, "version": versionSchema}, "lost_reason"), h.lose),
		act("reopen", "reopen", "Reopen a won or lost deal where it was before", rest.Obj(map[string]rest.Schema{"version": versionSchema}), h.reopen),
		{
			Method: "GET", Path: "/deals/board", Name: "deals.board", Summary: "A pipeline by stages, with totals over all its deals", Tag: "deals", Object: "deal", Action: auth.Read,
			Params: []rest.Param{pipelineParam, {Name: "limit", Description: "Cards per column, 1 to 200; 50 when absent.", Schema: rest.Int}}, Filters: true, Answer: boardSchema, Handle: h.board,
		},
		{
			Method: "GET", Path: "/deals/forecast", Name: "deals.forecast", Summary: "What each period has brought and is expected to bring", Tag: "deals", Object: "deal", Action: auth.Read,
			Params: forecastParams, Filters: true, Answer: forecastSchema, Handle: h.forecast,
		},
	}
}

type actBody struct {
	StageID    *string  `json:"stage_id"`
	Position   *float64 `json:"position"`
	Before     *string  `json:"before"`
	After      *string  `json:"after"`
	LostReason string   `json:"lost_reason"`
	Version    int64    `json:"version"`
}

func (h *API) move(w http.ResponseWriter, r *http.Request) error {
	dealID, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	var in actBody
	if err := rest.Decode(r, &in); err != nil {
		return err
	}
	m, err := in.input()
	if err != nil {
		return err
	}
	if m.Version, err = expected(r, in.Version); err != nil {
		return err
	}
	if _, err := h.s.Move(r.Context(), dealID, m); err != nil {
		return err
	}
	return h.answer(w, r, dealID)
}

// input reads the ids, each refused by its own name.
func (b actBody) input() (deals.MoveInput, error) {
	in := deals.MoveInput{Position: b.Position, LostReason: b.LostReason}
	var stage *uuid.UUID
	var refused errs.Fields
	read := func(name string, s *string, dst **uuid.UUID) {
		if s == nil {
			return
		}
		u, ok := id.Parse(*s)
		if !ok {
			refused.Add(name, "not_an_id", "%s must be the id of a record.", name)
			return
		}
		*dst = &u
	}
	read("stage_id", b.StageID, &stage)
	read("before", b.Before, &in.Before)
	read("after", b.After, &in.After)
	if stage != nil {
		in.StageID = *stage
	}
	return in, refused.Err()
}

// expected is the version of the body, else of If-Match; 0 = any.
func expected(r *http.Request, body int64) (int64, error) {
	if body != 0 {
		return body, nil
	}
	v, err := rest.IfMatch(r)
	if err != nil || v == nil {
		return 0, err
	}
	return *v, nil
}

func (h *API) win(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Version int64 `json:"version"`
	}
	return h.act(w, r, &in, &in.Version, func(deal uuid.UUID, version int64) error {
		_, err := h.s.Win(r.Context(), deal, version)
		return err
	})
}

func (h *API) lose(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		LostReason string `json:"lost_reason"`
		Version    int64  `json:"version"`
	}
	return h.act(w, r, &in, &in.Version, func(deal uuid.UUID, version int64) error {
		_, err := h.s.Lose(r.Context(), deal, in.LostReason, version)
		return err
	})
}

func (h *API) reopen(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Version int64 `json:"version"`
	}
	return h.act(w, r, &in, &in.Version, func(deal uuid.UUID, version int64) error {
		_, err := h.s.Reopen(r.Context(), deal, version)
		return err
	})
}

// act reads the body into dst, does the act and answers with the deal after it.
func (h *API) act(w http.ResponseWriter, r *http.Request, dst any, version *int64, do func(deal uuid.UUID, version int64) error) error {
	dealID, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	if err := rest.Decode(r, dst); err != nil {
		return err
	}
	v, err := expected(r, *version)
	if err != nil {
		return err
	}
	if err := do(dealID, v); err != nil {
		return err
	}
	return h.answer(w, r, dealID)
}

// answer writes the deal as the generic calls do.
func (h *API) answer(w http.ResponseWriter, r *http.Request, dealID uuid.UUID) error {
	rec, err := h.s.Deals.Object.Get(r.Context(), dealID)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", rest.ETag(rec.Version()))
	return rest.Raw(w, 200, rec.AppendJSON(nil, nil, nil))
}
