package main

import "testing"

// The committed dist is what the sources build, and nothing is over budget.
func TestDistIsFreshAndWithinBudget(t *testing.T) {
	t.Parallel()
	bundle, err := Build("../../web")
	if err != nil {
		t.Fatal(err)
	}
	if err := overBudget(bundle); err != nil {
		t.Error(err)
	}
	if err := compare("../../web", bundle); err != nil {
		t.Error(err)
	}
}
