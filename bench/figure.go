package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"crm/bench/stats"
)

// figure is one result.
type figure struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"` // median of the rounds
	Unit   string  `json:"unit,omitempty"`
	Low    float64 `json:"low,omitempty"` // least and greatest round; 0 with one round
	High   float64 `json:"high,omitempty"`
	Peers  []peer  `json:"peers,omitempty"`
	Absent string  `json:"absent,omitempty"` // why there is no value
}

// peer is what the value stands beside. Ratio is value / peer.
type peer struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Ratio float64 `json:"ratio"`
}

// single is a figure of one measurement.
func single(name string, value float64, unit string, peers ...peer) figure {
	f := figure{Name: name, Value: round(value), Unit: unit}
	for _, p := range peers {
		f.Peers = append(f.Peers, peer{p.Name, round(p.Value), round(value / p.Value)})
	}
	return f
}

// rounds is a figure of the same quantity in several rounds; theirs may be empty.
func rounds(name, unit string, ours []float64, peerName string, theirs []float64) figure {
	f := figure{Name: name, Value: round(stats.Median(ours)), Unit: unit}
	if len(ours) > 1 {
		low, high := stats.Spread(ours)
		f.Low, f.High = round(low), round(high)
	}
	if len(theirs) > 0 {
		f.Peers = []peer{{peerName, round(stats.Median(theirs)), round(stats.Ratio(ours, theirs))}}
	}
	return f
}

func absent(name, why string) figure { return figure{Name: name, Absent: why} }

// round keeps four significant digits: more would pretend.
func round(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	out, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
	if err != nil {
		return v
	}
	return out
}

// String is the line of the figure.
func (f figure) String() string {
	if f.Absent != "" {
		return f.Name + " absent (" + f.Absent + ")"
	}
	line := f.Name + " " + number(f.Value)
	if f.Unit != "" {
		line += " " + f.Unit
	}
	if len(f.Peers) == 0 {
		return line
	}
	return line + " (" + f.beside() + ")"
}

func (f figure) beside() string {
	parts := make([]string, len(f.Peers))
	for i, p := range f.Peers {
		parts[i] = fmt.Sprintf("%s %s, ratio %s", p.Name, number(p.Value), number(p.Ratio))
	}
	return strings.Join(parts, "; ")
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
