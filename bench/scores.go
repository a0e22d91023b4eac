package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"crm/bench/load"
	"crm/internal/scoring/learn"
)

// bulkSize is how many leads one bulk call scores, on bulkConns connections.
const (
	bulkSize  = 1000
	bulkConns = 2
)

// scoring imports leads with outcomes, has the program train its model on them and then asks for scores. The peer is
// the same model in the Go evaluator, in this process: no HTTP, no database, no words for the reasons.
func scoring(ctx context.Context, s *suite) ([]figure, error) {
	if err := s.train(ctx); err != nil {
		return nil, err
	}
	model, err := s.activeModel(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := s.leadIDs(ctx, bulkSize)
	if err != nil {
		return nil, err
	}
	out, err := s.scoreOne(ctx, model, ids)
	if err != nil {
		return out, err
	}
	bulk, err := s.scoreBulk(ctx, model, ids)
	return append(out, bulk...), err
}

func (s *suite) train(ctx context.Context) error {
	file, err := s.crowd.leadsCSV(s.opt.size(10_000, 4_000))
	if err != nil {
		return err
	}
	if _, err := s.api.Import(ctx, file, map[string]string{"object": "leads", "mode": "create"}); err != nil {
		return fmt.Errorf("import leads: %w", err)
	}
	var card struct {
		ID     string `json:"id"`
		Status string `json:"status"`
		Error  string `json:"error"`
	}
	if err := s.api.Call(ctx, http.MethodPost, "/scoring/models/train", map[string]any{"object": "lead"}, &card); err != nil {
		return err
	}
	err = s.api.Until(ctx, func() (bool, error) {
		err := s.api.Call(ctx, http.MethodGet, "/scoring/models/"+card.ID, nil, &card)
		return card.Status != "training", err
	})
	switch {
	case err != nil:
		return err
	case card.Status == "candidate":
		return s.api.Call(ctx, http.MethodPost, "/scoring/models/"+card.ID+"/activate", map[string]any{}, nil)
	case card.Status != "active":
		return fmt.Errorf("the training ended as %s: %s", card.Status, card.Error)
	}
	return nil
}

// activeModel reads the model that serves, so that both sides compute the same.
func (s *suite) activeModel(ctx context.Context) (*learn.Model, error) {
	var raw []byte
	err := s.owner.QueryRow(ctx, "select model from scoring_models where tenant_id = $1 and status = 'active'", s.tenant).Scan(&raw)
	if err != nil {
		return nil, fmt.Errorf("read the active model: %w", err)
	}
	return learn.ReadModel(raw)
}

// scoreOne asks on one connection for the time a person waits, and on sixteen for what the program can do.
func (s *suite) scoreOne(ctx context.Context, model *learn.Model, ids []uuid.UUID) ([]figure, error) {
	var requests [][]byte
	for _, id := range ids {
		requests = append(requests, s.get("/leads/"+id.String()+"/score"))
	}
	var out []figure
	for _, run := range []struct {
		name  string
		conns int
	}{{"score_one", 1}, {"score_one_16", conns}} {
		ours, err := s.http(ctx, s.srv.Addr, s.ourCPU, http.StatusOK, run.conns, shuffled(requests))
		if err != nil {
			return out, err
		}
		d, err := fight(ctx, s.opt.rounds, ours, s.evaluator(model, run.conns, 1))
		if err != nil {
			return out, err
		}
		out = append(out, d.figures(run.name, "req/s", "req", "evaluator")...)
	}
	return out, nil
}

// evaluator scores and explains made-up leads, rows of them per call.
func (s *suite) evaluator(model *learn.Model, connections, rows int) side {
	probes, width := model.Probes(bulkSize, 1), model.Layout.Width
	shape := load.Shape{Conns: connections, Duration: s.opt.round()}
	return side{cpu: loneCPU, per: float64(rows), run: func(ctx context.Context, _ int) (*load.Result, error) {
		return load.Do(ctx, shape, func(_ context.Context, _, n int) error {
			for i := range rows {
				at := (n*rows + i) % bulkSize * width
				x := probes[at : at+width]
				if p := model.Probability(x); !(p >= 0 && p <= 1) || len(model.Explain(x).Contributions) == 0 {
					return errors.New("the evaluator gave no probability")
				}
			}
			return nil
		})
	}}
}

func (s *suite) scoreBulk(ctx context.Context, model *learn.Model, ids []uuid.UUID) ([]figure, error) {
	body, err := json.Marshal(map[string]any{"object": "lead", "ids": ids})
	if err != nil {
		return nil, err
	}
	request := load.Post("/api/v1/scoring/score", body, s.api.Bearer())
	ours, err := s.http(ctx, s.srv.Addr, s.ourCPU, http.StatusOK, bulkConns, func(int, int) []byte { return request })
	if err != nil {
		return nil, err
	}
	ours.per = float64(len(ids))
	d, err := fight(ctx, s.opt.rounds, ours, s.evaluator(model, bulkConns, bulkSize))
	if err != nil {
		return nil, err
	}
	return d.costs("score_bulk", "rows/s", "row", "evaluator"), nil
}
