// Package testdata finds the real files that tests import and learn from, and
// makes look-alikes of the same shape where they are absent. It is for tests only.
package testdata

import (
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Path returns a file of the real test data, such as "bank/bank-additional-full.csv":
// below CRM_TEST_DATA, else below ../shared/data beside the checkout. Where it is
// absent a look-alike is made and the test says so; in CI its absence is a failure.
func Path(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(dir(t), name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("the real data is not at %s; point CRM_TEST_DATA at it", path)
	}
	t.Logf("REAL DATA IS ABSENT: using a made-up look-alike of %s", name)
	path = filepath.Join(t.TempDir(), filepath.Base(name))
	if err := os.WriteFile(path, []byte(lookAlike(name)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// dir is where the real data would be.
func dir(t testing.TB) string {
	t.Helper()
	if set := os.Getenv("CRM_TEST_DATA"); set != "" {
		return set
	}
	at, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; at != filepath.Dir(at); at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return filepath.Join(at, "..", "shared", "data")
		}
	}
	t.Fatal("go.mod is in no folder above the test")
	return ""
}

// Rows reads a CSV file as maps by heading.
func Rows(t testing.TB, path string, comma rune) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma = comma
	all, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	out := make([]map[string]string, 0, len(all)-1)
	for _, row := range all[1:] {
		m := make(map[string]string, len(row))
		for i, v := range row {
			m[all[0][i]] = v
		}
		out = append(out, m)
	}
	return out
}

var (
	agents   = []string{"Anna Stone", "Ben Cho", "Carla Diaz", "Dan Frey", "Eva Holm", "Finn Moss"}
	things   = []string{"GTX Basic", "GTX Pro", "MG Special", "MG Advanced", "GTX Plus Basic", "GTX Plus Pro", "GTK 500"}
	stagesOf = []string{"Won", "Won", "Won", "Lost", "Lost", "Engaging", "Prospecting"}
)

func lookAlike(name string) string {
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // test data
	var b strings.Builder
	switch filepath.Base(name) {
	case "accounts.csv":
		b.WriteString("account,sector,year_established,revenue,employees,office_location,subsidiary_of\n")
		for i := range 40 {
			fmt.Fprintf(&b, "Company %d,retail,19%02d,%d.5,%d,United States,\n", i, i+50, 10+i, 100*i+7)
		}
	case "products.csv":
		b.WriteString("product,series,sales_price\n")
		for i, p := range things {
			fmt.Fprintf(&b, "%s,GTX,%d\n", p, 500*(i+1))
		}
	case "sales_teams.csv":
		b.WriteString("sales_agent,manager,regional_office\n")
		for i, a := range agents {
			fmt.Fprintf(&b, "%s,%s,%s\n", a, []string{"Mona Boss", "Nils Chef"}[i%2], []string{"East", "West"}[i%2])
		}
	case "sales_pipeline.csv":
		b.WriteString("opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value\n")
		for i := range 900 {
			stage := stagesOf[rnd.IntN(len(stagesOf))]
			engaged, closed, value := "2017-03-01", "2017-06-01", strconv.Itoa(100+rnd.IntN(5000))
			switch stage {
			case "Lost":
				value = "0"
			case "Engaging":
				closed, value = "", ""
			case "Prospecting":
				engaged, closed, value = "", "", ""
			}
			fmt.Fprintf(&b, "OPP%05d,%s,%s,Company %d,%s,%s,%s,%s\n", i, agents[rnd.IntN(len(agents))], things[rnd.IntN(len(things))], rnd.IntN(40), stage, engaged, closed, value)
		}
	default:
		bankLookAlike(&b, rnd)
	}
	return b.String()
}

// bankLookAlike has the bank file's columns: calls in time order, a modest signal, a
// market series that drifts like a clock, and a duration known only afterwards.
func bankLookAlike(b *strings.Builder, rnd *rand.Rand) {
	b.WriteString(`"age";"job";"marital";"education";"default";"housing";"loan";"contact";"month";"day_of_week";"duration";"campaign";"pdays";"previous";"poutcome";"emp.var.rate";"cons.price.idx";"cons.conf.idx";"euribor3m";"nr.employed";"y"` + "\n")
	pick := func(words ...string) string { return words[rnd.IntN(len(words))] }
	for i := range bankRows {
		job, contact := pick("admin.", "technician", "services", "retired", "student", "blue-collar"), pick("cellular", "cellular", "telephone")
		before := pick("nonexistent", "nonexistent", "nonexistent", "nonexistent", "failure", "success")
		logit := -2.3 + map[string]float64{"success": 1.3, "failure": -0.2}[before] + map[string]float64{"retired": 0.5, "student": 0.6}[job]
		if contact == "cellular" {
			logit += 0.7
		}
		y, talked := "no", 5.0
		if rnd.Float64() < 1/(1+math.Exp(-logit)) {
			y, talked = "yes", 6.2
		}
		at := 4 + i*31/bankRows // months since January 2008
		fmt.Fprintf(b, "%d;%q;%q;%q;\"no\";%q;\"no\";%q;%q;%q;%d;%d;999;0;%q;%.1f;%.3f;-36.4;%.3f;%.0f;%q\n",
			20+rnd.IntN(60), job, pick("married", "single", "divorced"), pick("basic.9y", "high.school", "university.degree"), pick("yes", "no"),
			contact, monthNames[at%12], pick("mon", "tue", "wed", "thu", "fri"), int(math.Exp(talked+rnd.NormFloat64()*0.7)), 1+rnd.IntN(5), before,
			1.4-float64(at)/7, 93+float64(at)/20, 5-float64(at)/8, 5191-float64(at*6), y)
	}
}

const bankRows = 20_000

var monthNames = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
