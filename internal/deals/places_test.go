package deals_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"crm/internal/deals"
)

func TestPlacesOnTheBoard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := map[string]*deals.Deal{}
	for _, name := range []string{"a", "b", "c"} {
		ids[name] = w.deal(t, w.Admin, name, "Engaging")
	}
	want := func(names ...string) {
		t.Helper()
		if got := w.onBoard(t, w.Admin, "Engaging"); !slices.Equal(got, names) {
			t.Fatalf("the stage shows %v, want %v", got, names)
		}
	}
	want("c", "b", "a") // the newest on top
	must(w.s.Move(w.Admin, ids["a"].ID, deals.MoveInput{Before: &ids["b"].ID}))(t)
	want("c", "a", "b")
	must(w.s.Move(w.Admin, ids["c"].ID, deals.MoveInput{After: &ids["b"].ID}))(t)
	want("a", "b", "c")
	d := w.deal(t, w.Admin, "d", "Proposal")
	must(w.s.Move(w.Admin, d.ID, deals.MoveInput{StageID: w.stages["Engaging"], After: &ids["a"].ID}))(t)
	want("a", "d", "b", "c")
	b := must(w.s.Deals.Get(w.Admin, ids["b"].ID))(t)
	between := (*b.Position + *must(w.s.Deals.Get(w.Admin, ids["c"].ID))(t).Position) / 2
	must(w.s.Move(w.Admin, d.ID, deals.MoveInput{Position: &between}))(t)
	want("a", "b", "d", "c")
	// A chosen place that equals the old one is still a chosen place.
	e := w.deal(t, w.Admin, "e", "Negotiation")
	moved := must(w.s.Move(w.Admin, e.ID, deals.MoveInput{StageID: w.stages["Engaging"], Position: e.Position}))(t)
	if *moved.Position != *e.Position {
		t.Fatalf("put at %v instead of %v", *moved.Position, *e.Position)
	}
}

// Hundreds of cards squeezed into the same gap keep their order: the cards around
// are spread out whenever no number fits, and nobody's version changes by that.
func TestSqueezingIntoOneGap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bottom := w.deal(t, w.Admin, "bottom", "Engaging")
	top := w.deal(t, w.Admin, "top", "Engaging")
	mover := []*deals.Deal{w.deal(t, w.Admin, "x", "Engaging"), w.deal(t, w.Admin, "y", "Engaging")}
	for i := range 120 {
		// Each goes between the top card and the other one, so the gap halves.
		d := must(w.s.Move(w.Admin, mover[i%2].ID, deals.MoveInput{After: &top.ID}))(t)
		mover[i%2] = d
	}
	if got := w.onBoard(t, w.Admin, "Engaging"); !slices.Equal(got, []string{"top", "y", "x", "bottom"}) {
		t.Fatalf("order %v", got)
	}
	for _, d := range []*deals.Deal{bottom, top} {
		if got := must(w.s.Deals.Get(w.Admin, d.ID))(t); got.Version != 1 {
			t.Fatalf("%s has version %d", got.Name, got.Version)
		}
	}
}

// People who drop cards at the same place at the same moment all succeed, and the
// order is one.
func TestConcurrentDropsAtOnePlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anchor := w.deal(t, w.Admin, "anchor", "Proposal")
	var wg sync.WaitGroup
	failed := make([]error, 12)
	for i := range failed {
		d := w.deal(t, w.Admin, fmt.Sprintf("card %d", i), "Engaging")
		wg.Go(func() {
			_, failed[i] = w.s.Move(w.Admin, d.ID, deals.MoveInput{StageID: w.stages["Proposal"], After: &anchor.ID})
		})
	}
	wg.Wait()
	for _, err := range failed {
		if err != nil {
			t.Fatal(err)
		}
	}
	got := w.onBoard(t, w.Admin, "Proposal")
	if len(got) != 13 || got[0] != "anchor" {
		t.Fatalf("the stage shows %v", got)
	}
	// Cards with the same position can be told apart by a later move.
	last := must(w.s.Deals.Find(w.Admin, boardOrder(w, "Proposal")))(t)
	must(w.s.Move(w.Admin, last[12].ID, deals.MoveInput{After: &last[1].ID}))(t)
	again := w.onBoard(t, w.Admin, "Proposal")
	if again[2] != last[12].Name || again[1] != last[1].Name {
		t.Fatalf("%v became %v", got, again)
	}
}
