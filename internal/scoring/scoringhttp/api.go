package scoringhttp

import (
	"net/http"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/rest"
	"crm/internal/scoring"
)

// API serves scoring's calls.
type API struct {
	s *scoring.Service
}

// NewAPI makes the API of a service.
func NewAPI(s *scoring.Service) *API { return &API{s: s} }

// model is the object name of models in permissions and path ids.
const model = "scoring_model"

// Routes is scoring's part of the route table.
func (a *API) Routes() []rest.Route {
	id := map[string]string{"id": model}
	object := rest.Obj(map[string]rest.Schema{"object": {"type": "string", "enum": []any{"lead"}}})
	return []rest.Route{
		{
			Method: "GET", Path: "/leads/{id}/score", Name: "leads.score", Summary: "Score a lead, with reasons", Tag: "scoring", Object: "lead", Action: auth.Read,
			IDs: map[string]string{"id": "lead"}, Answer: scoreSchema, Handle: a.score,
		},
		{
			Method: "POST", Path: "/scoring/score", Name: "scoring.score", Summary: "Score up to 10,000 leads by id, or rows that are no leads yet", Tag: "scoring", Object: "lead", Action: auth.Read,
			Body: bulkSchema, MaxBody: bulkBody, Answer: resultsSchema, Handle: a.bulk,
		},
		{
			Method: "GET", Path: "/scoring/models", Name: "scoring.models.list", Summary: "List models, newest first", Tag: "scoring", Object: model, Action: auth.Read,
			Params: []rest.Param{{Name: "object", Description: "Only models of this object; lead when absent.", Schema: rest.Str}},
			Answer: rest.Obj(map[string]rest.Schema{"data": rest.Array(modelSchema), "next_cursor": rest.Nullable(rest.Str)}, "data", "next_cursor"), Handle: a.models,
		},
		{
			Method: "POST", Path: "/scoring/models/train", Name: "scoring.models.train", Summary: "Train a new model; it goes live if it is better", Tag: "scoring", Object: model, Action: auth.Create,
			Status: http.StatusAccepted, Body: trainSchema, Answer: modelSchema, Handle: a.train,
		},
		{
			Method: "POST", Path: "/scoring/models/rollback", Name: "scoring.models.rollback", Summary: "Go back to the model before the active one", Tag: "scoring", Object: model, Action: auth.Execute,
			Body: object, Answer: modelSchema, Handle: a.rollback,
		},
		{
			Method: "GET", Path: "/scoring/models/{id}", Name: "scoring.models.get", Summary: "Read a model's card", Tag: "scoring", Object: model, Action: auth.Read,
			IDs: id, Answer: modelSchema, Handle: a.model,
		},
		{
			Method: "POST", Path: "/scoring/models/{id}/activate", Name: "scoring.models.activate", Summary: "Put a model to use", Tag: "scoring", Object: model, Action: auth.Execute,
			IDs: id, Answer: modelSchema, Handle: a.activate,
		},
		{
			Method: "GET", Path: "/scoring/models/{id}/onnx", Name: "scoring.models.onnx", Summary: "Download a model as an ONNX file", Tag: "scoring", Object: model, Action: auth.Read,
			IDs: id, File: "application/octet-stream", Handle: a.file,
		},
	}
}

func (a *API) score(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	score, err := a.s.Score(r.Context(), "lead", id)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "private, no-cache")
	return rest.JSON(w, http.StatusOK, score)
}

func (a *API) bulk(w http.ResponseWriter, r *http.Request) error {
	in, err := decodeBulk(r)
	if err != nil {
		return err
	}
	var out *scoring.Bulk
	if in.hasIDs {
		out, err = a.s.ScoreIDs(r.Context(), in.object, in.ids)
	} else {
		out, err = a.s.ScoreRows(r.Context(), in.object, in.rows)
	}
	if err != nil {
		return err
	}
	return rest.JSON(w, http.StatusOK, out)
}

func (a *API) models(w http.ResponseWriter, r *http.Request) error {
	list, err := a.s.Models(r.Context(), r.URL.Query().Get("object"))
	if err != nil {
		return err
	}
	return rest.JSON(w, http.StatusOK, map[string]any{"data": list, "next_cursor": nil})
}

func (a *API) train(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Object string   `json:"object"`
		Refuse []string `json:"refuse"`
		Keep   []string `json:"keep"`
	}
	if err := rest.Decode(r, &in); err != nil {
		return err
	}
	m, err := a.s.Train(r.Context(), scoring.TrainRequest{Object: in.Object, Refuse: in.Refuse, Keep: in.Keep})
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/scoring/models/"+m.ID.String())
	return rest.JSON(w, http.StatusAccepted, m)
}

func (a *API) rollback(w http.ResponseWriter, r *http.Request) error {
	in := struct {
		Object string `json:"object"`
	}{Object: "lead"}
	if err := rest.Decode(r, &in); err != nil {
		return err
	}
	m, err := a.s.Rollback(r.Context(), in.Object)
	if err != nil {
		return err
	}
	return rest.JSON(w, http.StatusOK, m)
}

func (a *API) model(w http.ResponseWriter, r *http.Request) error {
	return answerOne(w, r, func(id uuid.UUID) (*scoring.Model, error) { return a.s.Model(r.Context(), id) })
}

func (a *API) activate(w http.ResponseWriter, r *http.Request) error {
	return answerOne(w, r, func(id uuid.UUID) (*scoring.Model, error) { return a.s.Activate(r.Context(), id) })
}

// answerOne writes what an act on the model in the path gives.
func answerOne(w http.ResponseWriter, r *http.Request, act func(uuid.UUID) (*scoring.Model, error)) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	m, err := act(id)
	if err != nil {
		return err
	}
	return rest.JSON(w, http.StatusOK, m)
}

func (a *API) file(w http.ResponseWriter, r *http.Request) error {
	id, err := rest.PathID(r, "id")
	if err != nil {
		return err
	}
	file, err := a.s.File(r.Context(), id)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+id.String()+`.onnx"`)
	_, err = w.Write(file)
	return err
}
