package quality

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"crm/internal/scoring/learn"
)

func TestBank(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Bank(dir); !errors.Is(err, ErrNoData) {
		t.Errorf("without data: %v", err)
	}
	file := `"age";"job";"month";"duration";"pdays";"y"
56;"retired";"nov";261;999;"no"
31;"admin.";"may";10;3;"yes"
`
	if err := os.MkdirAll(filepath.Join(dir, "bank"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bank", "bank-additional-full.csv"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	table, err := Bank(dir)
	if err != nil {
		t.Fatal(err)
	}
	if table.Rows() != 2 || len(table.Cols) != 4 || table.Labels[0] || !table.Labels[1] {
		t.Fatalf("%d rows, %d columns, labels %v", table.Rows(), len(table.Cols), table.Labels)
	}
	if pdays := table.Cols[3]; pdays.Kind != learn.Number || !math.IsNaN(pdays.Numbers[0]) || pdays.Numbers[1] != 3 {
		t.Errorf("999 days are not missing: %+v", pdays)
	}
	if first, second := table.Times[0], table.Times[1]; first.Year() != 2008 || second != time.Date(2009, 5, 1, 0, 0, 0, 0, time.UTC) {
		t.Errorf("times %v, %v", first, second)
	}
}

func TestSplitKeepsEveryRowOnce(t *testing.T) {
	t.Parallel()
	rest, test := split(1000, 3)
	if len(rest) != 800 || len(test) != 200 {
		t.Fatalf("%d and %d", len(rest), len(test))
	}
	seen := map[int32]bool{}
	for _, row := range append(rest, test...) {
		seen[row] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d different rows", len(seen))
	}
}
