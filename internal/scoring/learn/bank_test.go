package learn_test

import (
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"crm/internal/scoring/learn"
)

// bankNumbers are the numeric fields of the public bank campaign data; all others but the outcome are categories.
var bankNumbers = map[string]bool{
	"age": true, "duration": true, "campaign": true, "pdays": true, "previous": true, "emp.var.rate": true,
	"cons.price.idx": true, "cons.conf.idx": true, "euribor3m": true, "nr.employed": true,
}

// bankClocks are the fields that tell when the call was rather than who was called.
var bankClocks = []string{"month", "emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m", "nr.employed"}

var bankOnce = sync.OnceValues(loadBank)

// bank returns the 41,188 calls in time order, without duration unless asked for. When the data is not on this machine
// it returns a look-alike and says so; in CI that is a failure.
func bank(tb testing.TB) (table *learn.Table, real bool) {
	tb.Helper()
	table, err := bankOnce()
	if err == nil {
		return table, true
	}
	if os.Getenv("CI") == "true" {
		tb.Fatalf("the bank data is needed in CI: %v", err)
	}
	tb.Logf("NOTE: THE BANK DATA IS MISSING (%v); A GENERATED LOOK-ALIKE IS USED, figures are not comparable. Set CRM_TEST_DATA.", err)
	return lookAlike(41_188), false
}

func dataDir() (string, error) {
	if dir := os.Getenv("CRM_TEST_DATA"); dir != "" {
		return dir, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "..", "shared", "data"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no module root above the test")
		}
		dir = parent
	}
}

func loadBank() (*learn.Table, error) {
	dir, err := dataDir()
	if err != nil {
		return nil, err
	}
	file, err := os.Open(filepath.Join(dir, "bank", "bank-additional-full.csv"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Scan()
	names := strings.Split(strings.ReplaceAll(lines.Text(), `"`, ""), ";")
	table := learn.NewTable(bankFields(names[:len(names)-1])...)
	clock := calendar{year: 2008}
	for lines.Scan() {
		cells := strings.Split(strings.ReplaceAll(lines.Text(), `"`, ""), ";")
		row := make([]learn.Value, 0, len(names))
		at := time.Time{}
		for i, name := range names[:len(names)-1] {
			if name == "month" {
				at = clock.read(cells[i])
			}
			if name != "duration" {
				row = append(row, bankValue(name, cells[i]))
			}
		}
		if err := table.Append(row, cells[len(names)-1] == "yes", at); err != nil {
			return nil, err
		}
	}
	return table, lines.Err()
}

func bankFields(names []string) []learn.Field {
	var fields []learn.Field
	for _, name := range names {
		if name == "duration" {
			continue // known only after the call
		}
		kind := learn.Category
		if bankNumbers[name] {
			kind = learn.Number
		}
		fields = append(fields, learn.Field{Name: name, Kind: kind})
	}
	return fields
}

// bankValue reads a cell; 999 days since the last contact means there was none.
func bankValue(name, cell string) learn.Value {
	if !bankNumbers[name] {
		return learn.Text(cell)
	}
	v, err := strconv.ParseFloat(cell, 64)
	if err != nil || name == "pdays" && v == 999 {
		return learn.Missing()
	}
	return learn.Num(v)
}

// calendar recovers the month of each call: the file gives month names in time order, so a new year begins whenever
// they go back.
type calendar struct {
	year  int
	month time.Month
}

func (c *calendar) read(name string) time.Time {
	month := map[string]time.Month{
		"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
	}[name]
	if month < c.month {
		c.year++
	}
	c.month = month
	return time.Date(c.year, month, 1, 0, 0, 0, 0, time.UTC)
}

// lookAlike makes data of the bank's shape: a few signals, a drifting market series, a rising rate.
func lookAlike(n int) *learn.Table {
	rng := rand.New(rand.NewPCG(7, 7))
	table := learn.NewTable(
		learn.Field{Name: "age", Kind: learn.Number}, learn.Field{Name: "job", Kind: learn.Category},
		learn.Field{Name: "contact", Kind: learn.Category}, learn.Field{Name: "pdays", Kind: learn.Number},
		learn.Field{Name: "previous", Kind: learn.Number}, learn.Field{Name: "euribor3m", Kind: learn.Number},
		learn.Field{Name: "poutcome", Kind: learn.Category},
	)
	start := time.Date(2008, 5, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		age, job := 20+50*rng.Float64(), rng.IntN(12)
		previous, pdays := 0.0, math.NaN()
		outcome := "nonexistent"
		if rng.IntN(6) == 0 {
			previous, pdays, outcome = float64(1+rng.IntN(3)), float64(rng.IntN(20)), [2]string{"failure", "success"}[rng.IntN(2)]
		}
		contact := [2]string{"telephone", "cellular"}[rng.IntN(2)]
		euribor := 4.9 - 4*float64(i)/float64(n) + 0.02*rng.Float64()
		z := -2.6 + 0.0015*(age-45)*(age-45) + 0.15*float64(job%4) + previous*0.4
		if outcome == "success" {
			z += 1.6
		}
		if contact == "cellular" {
			z += 0.5
		}
		row := []learn.Value{
			learn.Num(math.Floor(age)), learn.Text(fmt.Sprint("job", job)), learn.Text(contact),
			learn.Num(pdays), learn.Num(previous), learn.Num(euribor), learn.Text(outcome),
		}
		if err := table.Append(row, rng.Float64() < 1/(1+math.Exp(-z)), start.Add(time.Duration(i)*30*time.Minute)); err != nil {
			return nil
		}
	}
	return table
}
