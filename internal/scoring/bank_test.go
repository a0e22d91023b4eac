package scoring_test

import (
	"bufio"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"crm/internal/platform/onnx"
	"crm/internal/record"
	"crm/internal/scoring"
	"crm/internal/testdata"
)

// bankNumbers are the numeric columns of the bank campaign file; all others are categories.
var bankNumbers = []string{"age", "duration", "campaign", "pdays", "previous", "emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m", "nr.employed"}

// bank reads every step-th row of the public campaign data as leads with custom fields, in time order.
func bank(t testing.TB, step int) (fields []record.CustomField, list []*lead) {
	t.Helper()
	file, err := os.Open(testdata.Path(t, "bank/bank-additional-full.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Scan()
	names := strings.Split(strings.ReplaceAll(lines.Text(), `"`, ""), ";")
	for _, n := range names[:20] {
		typ := "text"
		if slices.Contains(bankNumbers, n) {
			typ = "decimal"
		}
		fields = append(fields, record.CustomField{Object: "lead", Name: record.CustomName(n), Type: typ})
	}
	year, month := 2008, time.Month(0)
	for i := 0; lines.Scan(); i++ {
		cells := strings.Split(strings.ReplaceAll(lines.Text(), `"`, ""), ";")
		m := months[cells[8]]
		if m < month {
			year++
		}
		month = m
		if i%step == 0 {
			list = append(list, bankLead(t, fields, cells, time.Date(year, month, 1, 9, 0, 0, 0, time.UTC)))
		}
	}
	return fields, list
}

var months = map[string]time.Month{"mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12}

func bankLead(t testing.TB, fields []record.CustomField, cells []string, at time.Time) *lead {
	t.Helper()
	l := &lead{Status: "disqualified"}
	l.CreatedAt, l.Custom = at, map[string]any{}
	if cells[20] == "yes" {
		l.Status = "converted"
	}
	for i, f := range fields {
		if f.Type == "text" {
			l.Custom[f.Name] = cells[i]
			continue
		}
		v, err := strconv.ParseFloat(cells[i], 64)
		if err != nil {
			t.Fatal(err)
		}
		l.Custom[f.Name] = v
	}
	return l
}

// TestBank is the whole way on real data: import, train through the queue, go live without the leak, score with
// reasons, and both engines of one opinion.
func TestBank(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fields, list := bank(t, 5)
	if err := w.K.AddCustomFields(w.Admin, fields); err != nil {
		t.Fatal(err)
	}
	decided := w.create(t, list)
	_, more := bank(t, 41)
	undecided := w.create(t, open(more))

	m := w.train(t, scoring.TrainRequest{})
	checkBankCard(t, m, len(decided))

	ask := ids(undecided)
	got, err := w.s.ScoreIDs(w.Admin, "lead", ask)
	if err != nil {
		t.Fatal(err)
	}
	other := w.service(t, func() (*onnx.Runtime, error) { return nil, &onnx.LibraryError{Reason: "not installed"} })
	want, err := other.ScoreIDs(w.Admin, "lead", ask)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(w.s.Engine(), "onnxruntime ") || !strings.HasPrefix(other.Engine(), "go evaluator: ") {
		t.Fatalf("engines are %q and %q", w.s.Engine(), other.Engine())
	}
	for i, r := range got.Results {
		if *r.ID != ask[i] {
			t.Fatalf("result %d is for another lead", i)
		}
		if d := math.Abs(r.Probability - want.Results[i].Probability); d > 1e-5 {
			t.Fatalf("lead %d: the engines differ by %g", i, d)
		}
		checkReasons(t, r)
	}
	t.Logf("engine %s; first reasons: %+v", w.s.Engine(), got.Results[0].Reasons)
}

func checkBankCard(t *testing.T, m *scoring.Model, rows int) {
	t.Helper()
	if m.Status != scoring.Active {
		t.Fatalf("the first model is %s: %s %s", m.Status, m.Decision, m.Error)
	}
	if m.Metrics.AUC < 0.6 || m.Metrics.AUC > 0.75 {
		t.Errorf("AUC %.3f: below .6 it learned nothing, above .75 it saw the duration of the call", m.Metrics.AUC)
	}
	if m.Rows != rows || m.Positives == 0 || m.Period == nil || m.Period.From.Year() != 2008 || m.Period.To.Year() != 2010 {
		t.Errorf("card has %d rows, %d positives, period %v", m.Rows, m.Positives, m.Period)
	}
	if len(m.Bins) != 10 || len(m.Lift) != 3 || len(m.Important) == 0 || m.Grade == "" || len(m.SHA256) != 64 {
		t.Errorf("card is incomplete: %d bins, %d lifts, %d fields, grade %q", len(m.Bins), len(m.Lift), len(m.Important), m.Grade)
	}
	codes := map[string]string{}
	for _, d := range m.Dropped {
		codes[d.Field] = d.Code
	}
	for field, code := range map[string]string{"custom.duration": "leak", "custom.euribor3m": "clock", "custom.nr_employed": "clock"} {
		if codes[field] != code {
			t.Errorf("%s is dropped as %q, want %q", field, codes[field], code)
		}
	}
	if !slices.ContainsFunc(m.Important, func(i scoring.Importance) bool { return i.Field == "custom.contact" && i.Label == "Contact" }) {
		t.Errorf("importance has no contact: %+v", m.Important)
	}
	t.Logf("%+v %s", *m.Metrics, m.Decision)
	for _, d := range m.Dropped {
		t.Logf("dropped %s (%s): %s", d.Field, d.Code, d.Reason)
	}
}

func checkReasons(t *testing.T, r scoring.Result) {
	t.Helper()
	if len(r.Reasons) == 0 || len(r.Reasons) > 6 {
		t.Fatalf("%d reasons", len(r.Reasons))
	}
	for _, reason := range r.Reasons {
		if !strings.HasSuffix(reason.Text, " points") && !strings.HasSuffix(reason.Text, " point") || !strings.Contains(reason.Text, ": ") {
			t.Fatalf("reason reads %q", reason.Text)
		}
	}
	if r.Score != int(math.Round(100*r.Probability)) && math.Abs(100*r.Probability-float64(r.Score)) > 0.51 {
		t.Fatalf("score %d for a chance of %f", r.Score, r.Probability)
	}
	if r.Grade == "" {
		t.Fatal("no grade")
	}
}
