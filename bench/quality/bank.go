package quality

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"crm/internal/scoring/learn"
)

// ErrNoData says that the bank data is not on this machine.
var ErrNoData = errors.New("the bank data is absent: point CRM_TEST_DATA at the folder that holds bank/bank-additional-full.csv")

// numbers are the numeric fields; the others are categories.
var numbers = map[string]bool{
	"age": true, "campaign": true, "pdays": true, "previous": true, "emp.var.rate": true, "cons.price.idx": true,
	"cons.conf.idx": true, "euribor3m": true, "nr.employed": true,
}

// unknown is known only after the call whose outcome is to be predicted.
const unknown = "duration"

// Bank reads the 41,188 calls in time order. dir is the data folder.
func Bank(dir string) (*learn.Table, error) {
	file, err := os.Open(filepath.Join(dir, "bank", "bank-additional-full.csv"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoData
	}
	if err != nil {
		return nil, fmt.Errorf("open bank data: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Scan()
	heads := cells(lines.Text())
	names := heads[:len(heads)-1] // the last one is the outcome
	table := learn.NewTable(fields(names)...)
	clock := calendar{year: 2008}
	for lines.Scan() {
		row := cells(lines.Text())
		if len(row) != len(heads) {
			return nil, fmt.Errorf("read bank data: a row has %d cells of %d", len(row), len(heads))
		}
		if err := table.Append(values(names, row), row[len(row)-1] == "yes", clock.read(row[monthAt(names)])); err != nil {
			return nil, fmt.Errorf("read bank data: %w", err)
		}
	}
	return table, lines.Err()
}

// cells splits a line; the file quotes texts but never has a separator in one.
func cells(line string) []string { return strings.Split(strings.ReplaceAll(line, `"`, ""), ";") }

func monthAt(names []string) int {
	for i, name := range names {
		if name == "month" {
			return i
		}
	}
	return 0
}

func fields(names []string) []learn.Field {
	var out []learn.Field
	for _, name := range names {
		if name == unknown {
			continue
		}
		kind := learn.Category
		if numbers[name] {
			kind = learn.Number
		}
		out = append(out, learn.Field{Name: name, Kind: kind})
	}
	return out
}

func values(names, row []string) []learn.Value {
	out := make([]learn.Value, 0, len(names))
	for i, name := range names {
		if name != unknown {
			out = append(out, value(name, row[i]))
		}
	}
	return out
}

// value reads a cell; 999 days since the last contact means there was none.
func value(name, cell string) learn.Value {
	if !numbers[name] {
		return learn.Text(cell)
	}
	v, err := strconv.ParseFloat(cell, 64)
	if err != nil || name == "pdays" && v == 999 {
		return learn.Missing()
	}
	return learn.Num(v)
}

// calendar recovers dates: the file has month names in time order, so a year begins whenever they go back.
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
