package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"crm/bench/floor"
)

var (
	firsts     = []string{"Anna", "Ben", "Carla", "Dan", "Eva", "Finn", "Greta", "Hugo", "Ines", "Jan", "Kira", "Leo", "Mona", "Nils", "Olga", "Paul", "Rosa", "Sven", "Tara", "Uwe"}
	heads      = []string{"Gold", "Smi", "Lock", "Berg", "Hart", "Wood", "Stein", "Field", "Brown", "Green", "Mar", "Rich", "John", "Peter", "Ander", "Wil", "Rob", "Har", "Dav", "Fish"}
	tails      = []string{"smith", "th", "son", "mann", "ford", "ley", "er", "wood", "ström", "ing", "field", "well", "hart", "berg", "ton", "worth", "ham", "man", "stein", "dale"}
	titles     = []string{"Head of Sales", "Buyer", "Engineer", "CEO", "Office Manager", "VP Marketing", "Analyst", "Consultant"}
	lifecycles = []string{"subscriber", "lead", "opportunity", "customer", "customer", "other"}
	sources    = []string{"web", "fair", "referral", "partner", "cold call"}
	industries = []string{"retail", "software", "health", "finance", "energy", "logistics"}
)

// crowd makes people from a fixed seed; each has a number that no other has.
type crowd struct {
	rnd  *rand.Rand
	next int
}

func newCrowd() *crowd {
	return &crowd{rnd: rand.New(rand.NewPCG(11, 7))} //nolint:gosec // the same people in every run
}

func one[T any](rnd *rand.Rand, of []T) T { return of[rnd.IntN(len(of))] }

func (c *crowd) person() floor.Person {
	c.next++
	first, last := one(c.rnd, firsts), one(c.rnd, heads)+one(c.rnd, tails)
	return floor.Person{
		FirstName: first, LastName: last, Email: fmt.Sprintf("%c.%d@company%d.example", first[0]|0x20, c.next, c.next%2500),
		Phone: fmt.Sprintf("+4930%07d", 2_000_000+c.next), Title: one(c.rnd, titles), Lifecycle: one(c.rnd, lifecycles), Source: one(c.rnd, sources),
	}
}

func (c *crowd) people(n int) []floor.Person {
	out := make([]floor.Person, n)
	for i := range out {
		out[i] = c.person()
	}
	return out
}

// batch is the body of a batch call that creates people.
func batch(people []floor.Person) ([]byte, error) {
	type operation struct {
		Op   string       `json:"op"`
		Data floor.Person `json:"data"`
	}
	ops := make([]operation, len(people))
	for i, p := range people {
		ops[i] = operation{"create", p}
	}
	return json.Marshal(map[string]any{"operations": ops})
}

// peopleCSV is a file with one contact per row, its headings the API names.
func peopleCSV(people []floor.Person) ([]byte, error) {
	rows := [][]string{{"first_name", "last_name", "email", "phone", "title", "lifecycle", "source"}}
	for _, p := range people {
		rows = append(rows, []string{p.FirstName, p.LastName, p.Email, p.Phone, p.Title, p.Lifecycle, p.Source})
	}
	return writeCSV(rows)
}

func writeCSV(rows [][]string) ([]byte, error) {
	var buf bytes.Buffer
	w := csv.NewWriter(&buf)
	err := w.WriteAll(rows)
	return buf.Bytes(), err
}

// leadsCSV is a history of leads over a year with something to learn from: referrals, bosses and mid-sized firms convert
// more often. Two in ten are still open.
func (c *crowd) leadsCSV(n int) ([]byte, error) {
	rows := [][]string{{"first_name", "last_name", "email", "company", "title", "industry", "employees", "source", "status", "created_at"}}
	start := time.Now().UTC().AddDate(-1, 0, 0)
	for i := range n {
		p, employees := c.person(), 1+c.rnd.IntN(2000)
		industry := one(c.rnd, industries)
		status := "new"
		if c.rnd.IntN(10) > 1 {
			status = c.outcome(p, industry, employees)
		}
		at := start.Add(time.Duration(i) * (350 * 24 * time.Hour) / time.Duration(n))
		rows = append(rows, []string{p.FirstName, p.LastName, p.Email, fmt.Sprint("Company ", c.next), p.Title, industry, strconv.Itoa(employees), p.Source, status, at.Format(time.RFC3339)})
	}
	return writeCSV(rows)
}

func (c *crowd) outcome(p floor.Person, industry string, employees int) string {
	z := -1.6 - math.Abs(math.Log(float64(employees)/300))/2
	if p.Source == "referral" {
		z++
	}
	if p.Title == "CEO" || p.Title == "Head of Sales" {
		z += 0.8
	}
	if industry == "software" {
		z += 0.5
	}
	if c.rnd.Float64() < 1/(1+math.Exp(-z)) {
		return "converted"
	}
	return "disqualified"
}
