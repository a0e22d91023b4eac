package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"crm/bench/quality"
)

// judging trains and tests on public data by three protocols. It needs no installation: the learner is a library.
func judging(ctx context.Context, s *suite) ([]figure, error) {
	dir := os.Getenv("CRM_TEST_DATA")
	if dir == "" {
		dir = filepath.Join(s.root, "..", "shared", "data")
	}
	table, err := quality.Bank(dir)
	if errors.Is(err, quality.ErrNoData) {
		return []figure{absent("quality", err.Error())}, nil
	}
	if err != nil {
		return nil, err
	}
	judged, err := quality.Judge(ctx, table, s.opt.quick)
	if err != nil {
		return nil, err
	}
	var out []figure
	for _, j := range judged {
		out = append(out, markFigure(j, "auc", func(m quality.Marks) float64 { return m.AUC }),
			markFigure(j, "logloss", func(m quality.Marks) float64 { return m.LogLoss }),
			markFigure(j, "ece", func(m quality.Marks) float64 { return m.ECE }))
	}
	return out, nil
}

func markFigure(j quality.Judged, mark string, of func(quality.Marks) float64) figure {
	var peers []peer
	for _, b := range j.Baselines {
		peers = append(peers, peer{Name: b.Name, Value: of(b.Marks)})
	}
	return single("quality_"+j.Protocol+"_"+mark, of(j.Marks), "", peers...)
}
