package record_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/record"
)

// crowd makes people of whom every third has no first name, with names that
// come several times.
func (b *bundle) crowd(t *testing.T, n int) []*person {
	t.Helper()
	people := make([]*person, n)
	for i := range people {
		p := &person{LastName: fmt.Sprintf("Name%d", i%7), Email: fmt.Sprintf("p%d@acme%d.test", i, i%5)}
		if i%3 > 0 {
			p.FirstName = fmt.Sprintf("First%d", i*7919%11)
		}
		people[i] = p
	}
	created, err := b.people.CreateMany(b.ctx, people)
	if err != nil {
		t.Fatal(err)
	}
	return created
}

// pages walks a list to its end and returns the ids in the order shown.
func (b *bundle) pages(t *testing.T, q record.Query) []uuid.UUID {
	t.Helper()
	var out []uuid.UUID
	for {
		page, err := b.people.List(b.ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			out = append(out, r.ID())
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return out
		}
	}
}

func TestPagesShowEveryRowOnceWithEmptyValuesLast(t *testing.T) {
	t.Parallel()
	b := setup(t)
	people := b.crowd(t, 40)
	for _, sort := range []string{"first_name", "-first_name", "first_name,-email", "-first_name,last_name", "last_name,first_name", "-last_name,-first_name"} {
		for _, limit := range []int{1, 7, 40, 41} {
			got := b.pages(t, record.Query{Limit: limit, Sort: sort})
			if want := sorted(people, sort); !slices.Equal(got, want) {
				t.Errorf("sort=%s limit=%d\n got %v\nwant %v", sort, limit, got, want)
			}
		}
	}
}

// sorted is the order a list promises, computed the plain way.
func sorted(people []*person, sort string) []uuid.UUID {
	people = slices.Clone(people)
	keys := strings.Split(sort, ",")
	slices.SortFunc(people, func(a, b *person) int {
		for _, k := range keys {
			name, desc := strings.CutPrefix(k, "-")
			if c := compareText(value(a, name), value(b, name), desc); c != 0 {
				return c
			}
		}
		c := cmp.Compare(a.ID.String(), b.ID.String())
		if strings.HasPrefix(keys[len(keys)-1], "-") {
			return -c
		}
		return c
	})
	ids := make([]uuid.UUID, len(people))
	for i, p := range people {
		ids[i] = p.ID
	}
	return ids
}

func value(p *person, name string) string {
	switch name {
	case "first_name":
		return p.FirstName
	case "last_name":
		return p.LastName
	}
	return p.Email
}

func compareText(a, b string, desc bool) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	case desc:
		return cmp.Compare(b, a)
	}
	return cmp.Compare(a, b)
}

func TestATextConditionFindsTheSameWithAndWithoutTheSearchDocuments(t *testing.T) {
	t.Parallel()
	b := setup(t)
	people := b.crowd(t, 60)
	for _, c := range []struct {
		query string
		match func(p *person) bool
	}{
		{"email[contains]=@ACME3.", func(p *person) bool { return strings.Contains(p.Email, "@acme3.") }},
		{"email[starts_with]=p1", func(p *person) bool { return strings.HasPrefix(p.Email, "p1") }},
		{"email[starts_with]=p11@acme", func(p *person) bool { return strings.HasPrefix(p.Email, "p11@acme") }},
		{"last_name[contains]=ame4", func(p *person) bool { return p.LastName == "Name4" }},
		{"last_name=Name4", func(p *person) bool { return p.LastName == "Name4" }},
		{"last_name=name4", func(*person) bool { return false }},
		{"first_name[contains]=first1&last_name[contains]=name2", func(p *person) bool { return strings.HasPrefix(p.FirstName, "First1") && p.LastName == "Name2" }},
		{"last_name[contains]=a_e", func(*person) bool { return false }},
		{"last_name[contains]=%25am", func(*person) bool { return false }},
	} {
		v, err := parseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		f, err := b.people.ParseFilter(b.ctx, v)
		if err != nil {
			t.Fatal(err)
		}
		var want []uuid.UUID
		for _, id := range sorted(people, "email") {
			if p := people[slices.IndexFunc(people, func(p *person) bool { return p.ID == id })]; c.match(p) {
				want = append(want, id)
			}
		}
		if got := b.pages(t, record.Query{Limit: 9, Sort: "email", Filter: f}); !slices.Equal(got, want) {
			t.Errorf("%s found %d, want %d", c.query, len(got), len(want))
		}
	}
}

func TestASearchWithoutAnOrderPutsTheBestHitsFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, p := range []person{
		{FirstName: "Blacksmi", LastName: "Jones", Email: "x@acme.test"},
		{FirstName: "Anna", LastName: "Smithson", Email: "s@acme.test"},
		{FirstName: "Åsa", LastName: "Smith", Email: "a@acme.test"},
		{FirstName: "Bo", LastName: "Unrelated", Email: "b@acme.test"},
	} {
		if _, err := b.people.Create(b.ctx, &p); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]string{
		"smith": "Åsa Smith, Anna Smithson",
		"smi":   "Åsa Smith, Anna Smithson, Blacksmi Jones",
		"asa":   "Åsa Smith",
		"åsa s": "Åsa Smith",
		"smtih": "Åsa Smith",
		"%":     "",
	} {
		page, err := b.people.List(b.ctx, record.Query{Search: query, Count: true})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range page.Records {
			got = append(got, r.Title())
		}
		if query == "smtih" { // similar names too, but the best first
			got = got[:min(len(got), 1)]
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("q=%s shows %v, want %s", query, got, want)
		}
	}
	first := b.pages(t, record.Query{Search: "smi", Limit: 1})
	if all := b.pages(t, record.Query{Search: "smi"}); !slices.Equal(first, all) || len(all) != 3 {
		t.Errorf("pages of one show %v, the whole %v", first, all)
	}
}

func TestASearchFindsWhatIsVisibleAmongMuchThatIsNot(t *testing.T) {
	t.Parallel()
	b := setup(t)
	many := make([]*person, 600)
	for i := range many {
		many[i] = &person{LastName: "Miller", Email: fmt.Sprintf("m%d@acme.test", i)}
	}
	if _, err := b.people.CreateMany(b.ctx, many); err != nil {
		t.Fatal(err)
	}
	rep := auth.With(t.Context(), b.rep)
	mine, err := b.people.Create(rep, &person{LastName: "Millerson"})
	if err != nil {
		t.Fatal(err)
	}
	hits, err := b.k.Search(rep, "miller", 10)
	if err != nil || len(hits) != 1 || hits[0].Record.ID() != mine.ID {
		t.Errorf("the rep finds %d hits (%v), want the own one", len(hits), err)
	}
}

func TestAPhoneIsFoundHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p, err := b.people.Create(b.ctx, &person{LastName: "Caller +493012345678"})
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"+49 30 12345678", "030 12345678", "(030) 1234-5678", "12345678", "0049 30 12345678"} {
		hits, err := b.k.Search(b.ctx, q, 5)
		if err != nil || len(hits) != 1 || hits[0].Record.ID() != p.ID {
			t.Errorf("%q finds %d hits, %v", q, len(hits), err)
		}
	}
}
