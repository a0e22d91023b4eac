package migrate

import (
	"testing"

	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// TestGoesOnAmongTheQueuesSteps: whoever was killed while River's tables were being made
// finds them in a shape only River knows, at whichever of its steps.
func TestGoesOnAmongTheQueuesSteps(t *testing.T) {
	t.Parallel()
	steps, err := riverSteps()
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps[:len(steps)-1] {
		t.Run(step.Name, func(t *testing.T) {
			t.Parallel()
			d := newDatabase(t)
			owner := pool(t, d.owner)
			exec(t, owner, "create schema river")
			m, err := rivermigrate.New(riverpgxv5.New(owner), &rivermigrate.Config{Schema: Schema, Logger: testLog(t)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Migrate(t.Context(), rivermigrate.DirectionUp, &rivermigrate.MigrateOpts{TargetVersion: step.Version}); err != nil {
				t.Fatal(err)
			}
			if err := Up(t.Context(), d.owner, testLog(t)); err != nil {
				t.Fatalf("up from River's step %d: %v", step.Version, err)
			}
			if left := pendingOf(must(Status(t.Context(), d.owner))(t)); len(left) > 0 {
				t.Errorf("%d steps are left", len(left))
			}
		})
	}
}
