package record_test

import (
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
	"crm/internal/record/recordtest"
)

// TestDaysBeginWhenClocksSay counts instants inside a day or word, in zones whose
// clocks change.
func TestDaysBeginWhenClocksSay(t *testing.T) {
	t.Parallel()
	e := recordtest.New(t)
	now := time.Date(2026, 3, 29, 10, 0, 0, 0, time.UTC)
	k, err := record.NewKernel(record.Deps{DB: e.DB, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	companies, err := record.Register[company](k, record.Definition{Name: "account", Plural: "accounts", Label: "Company", LabelPlural: "Companies"}, record.HooksFor[company]{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ zone, query, from, to string }{
		{"Europe/Berlin", "created_at=today", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},               // 23 hours
		{"Europe/Berlin", "created_at=2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},          // 25 hours
		{"Europe/Berlin", "created_at=this_month", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"},          //
		{"Europe/Berlin", "created_at=this_week", "2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z"},           // ends on a Sunday
		{"Europe/Berlin", "created_at=last_quarter", "2025-09-30T22:00:00Z", "2025-12-31T23:00:00Z"},        //
		{"Europe/Berlin", "created_at[last_days]=1", "2026-03-27T23:00:00Z", "2026-03-29T10:00:00.000001Z"}, //
		{"Asia/Kathmandu", "created_at=yesterday", "2026-03-27T18:15:00Z", "2026-03-28T18:15:00Z"},          //
		{"America/Sao_Paulo", "created_at=2018-11-04", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},      // 00:00 does not exist
		{"America/Sao_Paulo", "created_at=2018-02-17", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z"},      // 23:00 comes twice
		{"America/Havana", "created_at=2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},         // 00:00 comes twice
		{"Pacific/Apia", "created_at=this_year", "2025-12-31T11:00:00Z", "2026-12-31T11:00:00Z"},            //
		{"", "created_at[between]=2026-03-28,2026-03-29", "2026-03-28T00:00:00Z", "2026-03-30T00:00:00Z"},
	} {
		q, _ := url.ParseQuery(tt.query)
		f, err := companies.ParseFilter(auth.As(e.Admin, func(a *auth.Actor) { a.TimeZone = tt.zone }), q)
		if err != nil {
			t.Errorf("%s: %v", tt.query, err)
			continue
		}
		in := func(s string, add time.Duration) bool {
			at, err := time.Parse(time.RFC3339Nano, s)
			if err != nil {
				t.Fatal(err)
			}
			r := companies.Def.New()
			r.Set("created_at", at.Add(add))
			return f.Matches(r, record.Env{})
		}
		if !in(tt.from, 0) || in(tt.from, -time.Microsecond) || in(tt.to, 0) || !in(tt.to, -time.Microsecond) {
			t.Errorf("%s in %s is not from %s to %s: %s", tt.query, tt.zone, tt.from, tt.to, f.JSON())
		}
	}
}

// TestFiltersRefuseWhatTheyCannotRead: always a 400, never a failure and never a
// condition that is quietly left out.
func TestFiltersRefuseWhatTheyCannotRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	many := strings.Repeat(`{"field":"last_name","value":"x"},`, 100)
	for query, says := range map[string]string{
		"last_name[frob]=x":                          "Use one of: eq, ne, in, not_in, contains",
		"created_at[within]=x":                       "Use one of",
		"account.parent.name=x":                      "more than one relation",
		"account.nope=x":                             "no field",
		"nope=1":                                     "no field",
		"custom.nope=1":                              "no field",
		"email=":                                     "needs a value",
		"last_name[contains]=":                       "needs a value",
		"last_name[contains]=\x00":                   "needs a value",
		"last_name=" + strings.Repeat("x", 501):      "at most 500",
		"last_name[in]=" + strings.Repeat("x,", 600): "at most 500 values",
		"created_at[between]=2026-01-01":             "needs two",
		"created_at=soon":                            "is compared with",
		"created_at=last_days:0":                     "is compared with",
		"created_at=today:1":                         "is compared with",
		"account_id=x":                               "must be an id",
		"do_not_contact=perhaps":                     "yes or no",
		"account.annual_revenue=much":                "number like",
		"account.annual_revenue=1e9":                 "number like",
		"account.employees=99999999999999999999":     "whole number",
		"tags[contains]=x":                           "any_of, all_of, none_of",
		"filter={":                                   "must be JSON",
		"filter=null":                                "must be JSON",
		"filter=[]":                                  "must be JSON",
		"filter={} {}":                               "must be JSON",
		`filter={"or":[]}`:                           "at least one",
		`filter={"and":[{}]}`:                        "at least one",
		`filter={"not":[]}`:                          "must be JSON",
		`filter={"field":"last_name"}`:               "needs a value",
		`filter={"op":"eq","value":1}`:               "needs a field",
		`filter={"field":"last_name","value":"x","and":[]}`:                   "not both",
		`filter={"field":"last_name","op":"in","value":[]}`:                   "needs a value",
		`filter={"field":"last_name","value":["a","b"]}`:                      "takes one value",
		`filter={"field":"last_name","value":{"a":1}}`:                        "compared with texts",
		`filter={"field":"last_name","op":"gt","value":null}`:                 "needs a value",
		`filter={"and":[` + strings.TrimSuffix(many+many, ",") + `]}`:         "at most 100 conditions",
		`filter={"and":[{"and":[{"and":[{"and":[{"and":[{"and":[]}]}]}]}]}]}`: "at most 4 deep",
	} {
		key, value, _ := strings.Cut(query, "=")
		_, err := b.people.ParseFilter(b.ctx, url.Values{key: {value}})
		e := errs.As(err)
		if e == nil || e.Kind != errs.Malformed || len(e.Fields) == 0 || !strings.Contains(e.Message, says) {
			t.Errorf("%.60s: %v, want %q", query, err, says)
		}
	}
	for _, hostile := range []string{"'; drop table contacts; --", "\xff\xfe", "%", `\`, "$1", strings.Repeat("ä", 400), "\u202e"} {
		for _, key := range []string{"last_name", "last_name[contains]", "email", "tags[any_of]", "account.name", "last_name[between]", "sort", "nope[" + hostile + "]"} {
			f, err := b.people.ParseFilter(b.ctx, url.Values{key: {hostile}})
			if err == nil {
				_, err = b.people.List(b.ctx, record.Query{Filter: f, Search: hostile})
			}
			if err != nil && errs.KindOf(err) != errs.Malformed {
				t.Errorf("%s=%q: %v", key, hostile, err)
			}
		}
	}
}

func TestPredicateAndCountSayWhatListsSay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 12 {
		if _, err := b.people.Create(b.ctx, &person{LastName: fmt.Sprint("N", i%3)}); err != nil {
			t.Fatal(err)
		}
	}
	q := record.Query{Filter: b.people.Where("last_name", record.Eq, "N1")}
	for most, want := range map[int]int{3: 3, 100: 4} {
		if n, err := b.people.CountUpTo(b.ctx, q, most); n != want || err != nil {
			t.Errorf("counted %d up to %d: %v", n, most, err)
		}
	}
	p, err := b.people.Predicate(b.ctx, q, "mine")
	if err != nil || p.Args[0] != "mine" || !strings.Contains(p.SQL, "$2") || strings.Contains(p.SQL, "$1 ") {
		t.Errorf("%+v %v", p, err)
	}
	if n, err := b.people.CountUpTo(auth.With(t.Context(), b.rep), q, 10); n != 0 || err != nil {
		t.Errorf("a rep counts others' records: %d %v", n, err)
	}
}
