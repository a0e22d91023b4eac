package ui

import (
	"context"
	"io"
	"math"
	"strconv"
	"strings"
)

// BarChart is one series drawn by the server: no script, colours from tokens.
// Finding is the sentence the chart proves; it is also the spoken label.
type BarChart struct {
	Finding string
	Bars    []Bar
}

// Bar is one mark. Partial is a period that is not over yet, drawn hatched light.
type Bar struct {
	Label   string
	Text    string // final value in words: "€84K"
	Value   float64
	Partial bool
}

// Render draws the figure.
func (c BarChart) Render(ctx context.Context, w io.Writer) error { return barChart(c).Render(ctx, w) }

func (c BarChart) left(i int) float64 {
	step := 320 / float64(len(c.Bars))
	return float64(i)*step + (step-c.width())/2
}

func (c BarChart) width() float64 {
	return math.Min(36, 320/float64(len(c.Bars))*0.68)
}

func (c BarChart) height(b Bar) float64 {
	top := 0.0
	for _, o := range c.Bars {
		top = math.Max(top, o.Value)
	}
	if top == 0 {
		return 0
	}
	return 112 * b.Value / top
}

func calibrationLine(bins []CalibrationBin) string {
	points := make([]string, 0, len(bins))
	for _, b := range bins {
		points = append(points, figure(140*b.Predicted)+","+figure(130-130*b.Observed))
	}
	return strings.Join(points, " ")
}

// binRadius makes area follow the number of rows, between 2 and 6 units.
func binRadius(b CalibrationBin, bins []CalibrationBin) float64 {
	top := 1
	for _, o := range bins {
		top = max(top, o.Count)
	}
	return 2 + 4*math.Sqrt(float64(b.Count)/float64(top))
}

func calibrationTitle(b CalibrationBin) string {
	return Words.Predicted + " " + percentWord(b.Predicted) + ", " + Words.Observed + " " + percentWord(b.Observed) + ", " + strconv.Itoa(b.Count)
}

// calibrationWords is the plot in one sentence: the largest gap.
func calibrationWords(bins []CalibrationBin) string {
	worst := 0.0
	for _, b := range bins {
		worst = math.Max(worst, math.Abs(b.Predicted-b.Observed))
	}
	return Words.Calibration + ": " + strconv.Itoa(int(math.Round(worst*100))) + " " + Words.PointsOff
}

func liftWords(bins []LiftBin) string {
	if len(bins) == 0 {
		return Words.Lift
	}
	return Words.Lift + ": " + figure(round1(bins[0].Lift)) + " " + Words.TimesChance
}

func liftTitle(b LiftBin) string {
	return figure(round1(b.Lift)) + " " + Words.TimesChance + ", " + percentWord(b.Rate)
}

func liftTop(bins []LiftBin) float64 {
	top := 1.0
	for _, b := range bins {
		top = math.Max(top, b.Lift)
	}
	return top
}

func importanceTop(list []Importance) float64 {
	top := 0.0001
	for _, f := range list {
		top = math.Max(top, f.Share)
	}
	return top
}

func percentWord(v float64) string { return strconv.Itoa(int(math.Round(v*100))) + " %" }

func round1(v float64) float64 { return math.Round(v*10) / 10 }
