package main

import (
	"io"
	"math"
	"strings"
	"testing"
)

func TestFigureLines(t *testing.T) {
	t.Parallel()
	tests := []struct {
		figure figure
		want   string
	}{
		{rounds("read_one", "req/s", []float64{5231.47, 5000, 6000}, "floor", []float64{10000, 10000, 10000}), "read_one 5231 req/s (floor 10000, ratio 0.5231)"},
		{single("quality", 0.80571, "", peer{Name: "logistic", Value: 0.7933}, peer{Name: "xgb", Value: 0.8045}), "quality 0.8057 (logistic 0.7933, ratio 1.016; xgb 0.8045, ratio 1.002)"},
		{rounds("idle_rss", "MB", []float64{61}, "", nil), "idle_rss 61 MB"},
		{absent("send", "no call"), "send absent (no call)"},
	}
	for _, tt := range tests {
		if got := tt.figure.String(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestRound(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]float64{123456: 123500, 0.00012346: 0.0001235, 0: 0, -1.23456: -1.235} {
		if got := round(v); got != want {
			t.Errorf("round(%v) = %v, want %v", v, got, want)
		}
	}
	if round(math.NaN()) != 0 || round(math.Inf(1)) != 0 {
		t.Error("JSON has no NaN and no infinity")
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	opt, err := parse([]string{"-quick", "-only", "read_one,send"}, io.Discard)
	if err != nil || opt.rows != 5000 || opt.rounds != 3 || len(opt.only) != 2 || !opt.partial() {
		t.Errorf("%+v %v", opt, err)
	}
	if opt, err = parse(nil, io.Discard); err != nil || opt.rows != 20_000 || opt.rounds != 5 || opt.partial() {
		t.Errorf("%+v %v", opt, err)
	}
	for _, args := range [][]string{{"-only", "speed"}, {"-rows", "3"}, {"x"}, {"-rounds", "-1"}} {
		var said strings.Builder
		if _, err := parse(args, &said); err == nil || said.Len() == 0 {
			t.Errorf("%v is accepted", args)
		}
	}
}
