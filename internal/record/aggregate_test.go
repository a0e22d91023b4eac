package record_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/money"
	"crm/internal/record"
)

func (z *zoo) aggregate(t *testing.T, ctx context.Context, body string) *record.Aggregate {
	t.Helper()
	var in record.AggregateInput
	if err := json.Unmarshal([]byte(body), &in); err != nil {
		t.Fatal(err)
	}
	out, err := z.specimens.Aggregate(ctx, in)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return out
}

// counts is the count of every group of one key.
func counts(a *record.Aggregate, key string) map[string]int64 {
	out := map[string]int64{}
	for _, r := range a.Rows {
		out[fmt.Sprint(r.Group[key])] = r.Values["count"].(int64)
	}
	return out
}

// TestAggregateCountsWhatMemoryCounts groups by fields of every kind and compares
// with the same groups made of the records.
func TestAggregateCountsWhatMemoryCounts(t *testing.T) {
	t.Parallel()
	z := newZoo(t)
	z.fill(t, 100)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	local := func(v any) any { return v.(time.Time).In(berlin).Format(time.DateOnly) }
	text := func(v any) any {
		if d, ok := v.(time.Time); ok {
			return d.Format(time.DateOnly)
		}
		return v
	}
	for name, show := range map[string]func(any) any{
		"state": text, "name": text, "count": text, "alive": text, "day": text, "moment": local, "owner_id": text, "account_id": text,
		"custom.c_select": text, "custom.c_integer": text, "custom.c_boolean": text, "custom.c_date": text, "size": text,
	} {
		want := map[string]int64{}
		for _, r := range z.all {
			v := r.Get(name)
			if v != nil {
				v = show(v)
			}
			want[fmt.Sprint(v)]++
		}
		got := z.aggregate(t, z.berlin(), `{"group_by":["`+name+`"],"limit":1000}`)
		if fmt.Sprint(counts(got, name)) != fmt.Sprint(want) || got.Total["count"] != int64(len(z.all)) || got.Truncated {
			t.Errorf("by %s:\n got %v\nwant %v", name, counts(got, name), want)
		}
	}
	want := map[string]int64{}
	for _, r := range z.all {
		tags, _ := r.Get("tags").([]string)
		if len(tags) == 0 {
			want["<nil>"]++
		}
		for _, tag := range tags {
			want[tag]++
		}
	}
	if got := counts(z.aggregate(t, z.Admin, `{"group_by":["tags"]}`), "tags"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("by tags: %v, want %v", got, want)
	}
}

func TestAggregateNeverAddsCurrencies(t *testing.T) {
	t.Parallel()
	z := newZoo(t)
	z.fill(t, 100)
	sums := map[string]map[string]int64{}
	for _, r := range z.all {
		a, ok := r.Get("amount").(money.Amount)
		if !ok {
			continue
		}
		if a.Minor > 1e15 {
			continue
		}
		state := fmt.Sprint(r.Get("state"))
		if sums[state] == nil {
			sums[state] = map[string]int64{}
		}
		sums[state][a.Currency] += a.Minor
	}
	got := z.aggregate(t, z.Admin, `{"group_by":["state"],"measures":[{"fn":"sum","field":"amount"},{"fn":"sum","field":"custom.c_money","as":"other"},{"fn":"count"}],"sort":"-sum_amount","filter":{"or":[{"field":"amount","op":"lt","value":1000000},{"field":"amount","op":"is_null"}]}}`)
	last := int64(1) << 62
	for _, r := range got.Rows {
		found := map[string]int64{}
		eur := int64(-1) << 62
		for _, a := range r.Values["sum_amount"].(record.Amounts) {
			found[a.Currency] = a.Minor
			if a.Currency == "EUR" {
				eur = a.Minor
			}
		}
		want := sums[fmt.Sprint(r.Group["state"])]
		if fmt.Sprint(found) != fmt.Sprint(want) {
			t.Errorf("%v: sums %v, want %v", r.Group, found, want)
		}
		if eur > last {
			t.Errorf("not sorted by the sum in the tenant's currency: %v after %v", eur, last)
		}
		last = eur
	}
	raw, err := json.Marshal(got.Total["sum_amount"])
	if err != nil || !json.Valid(raw) || raw[0] != '[' {
		t.Errorf("total %s %v", raw, err)
	}
	if len(got.Rows) == 0 || len(got.Rows[0].Labels) == 0 {
		t.Errorf("no labels: %v", got.Rows)
	}
}

// TestBucketsAreLocalDays puts instants around midnight and around the two changes
// of the clock into the days and months of the reader.
func TestBucketsAreLocalDays(t *testing.T) {
	t.Parallel()
	z := newZoo(t)
	for _, s := range []string{"2026-03-28T22:59:59Z", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T22:59:59Z", "2026-10-25T23:00:00Z", "2026-12-31T23:30:00Z"} {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := z.specimens.Create(z.Admin, &specimen{Moment: &at}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ by, want string }{
		{"day", "map[2026-03-28:1 2026-03-29:2 2026-03-30:1 2026-10-25:2 2026-10-26:1 2027-01-01:1]"},
		{"week", "map[2026-03-23:3 2026-03-30:1 2026-10-19:2 2026-10-26:1 2026-12-28:1]"},
		{"month", "map[2026-03-01:4 2026-10-01:3 2027-01-01:1]"},
		{"quarter", "map[2026-01-01:4 2026-10-01:3 2027-01-01:1]"},
		{"year", "map[2026-01-01:7 2027-01-01:1]"},
	} {
		got := z.aggregate(t, z.berlin(), `{"group_by":[{"field":"moment","by":"`+tt.by+`"}]}`)
		if fmt.Sprint(counts(got, "moment")) != tt.want {
			t.Errorf("by %s: %v, want %s", tt.by, counts(got, "moment"), tt.want)
		}
		if !slices.IsSortedFunc(got.Rows, func(a, b record.AggregateRow) int {
			return len(a.Group["moment"].(string)) - len(b.Group["moment"].(string))
		}) {
			t.Errorf("by %s: not in order", tt.by)
		}
	}
	got := z.aggregate(t, z.berlin(), `{"group_by":[{"field":"moment","by":"day"}],"time_zone":"Asia/Kathmandu","filter":{"field":"moment","op":"eq","value":"2026-03-29"}}`)
	if fmt.Sprint(counts(got, "moment")) != "map[2026-03-29:2]" || got.TimeZone != "Asia/Kathmandu" {
		t.Errorf("in Kathmandu: %v %s", counts(got, "moment"), got.TimeZone)
	}
}

func TestAggregateSeesWhatListsSee(t *testing.T) {
	t.Parallel()
	z := newZoo(t)
	z.fill(t, 60)
	mine := 0
	for _, r := range z.all {
		if r.Get("owner_id") == any(z.RepID) {
			mine++
		}
	}
	rep := auth.As(z.Rep, func(a *auth.Actor) { a.Grants = auth.Grants{"specimen:read": auth.Own, "account:read": auth.Own} })
	got := z.aggregate(t, rep, `{"group_by":["account.name","owner_id"],"measures":[{"fn":"count"},{"fn":"avg","field":"size"},{"fn":"max","field":"moment"},{"fn":"min","field":"day"},{"fn":"count_distinct","field":"account_id"}]}`)
	if got.Total["count"] != int64(mine) {
		t.Errorf("a rep counts %v of their %d", got.Total, mine)
	}
	for _, r := range got.Rows {
		if r.Group["owner_id"] != any(z.RepID.String()) || r.Labels["owner_id"] != "" {
			t.Errorf("somebody else's, or a name of somebody unseen: %v", r)
		}
		if name := r.Group["account.name"]; name != nil && !slices.ContainsFunc(z.accounts, func(a *record.Record) bool {
			return a.Get("name") == name && a.Get("owner_id") == any(z.RepID)
		}) {
			t.Errorf("the name of a company that is not theirs: %v", name)
		}
	}
	nobody := auth.As(z.Rep, func(a *auth.Actor) { a.Grants = auth.Grants{"specimen:read": auth.All} })
	if _, err := z.specimens.Aggregate(nobody, record.AggregateInput{GroupBy: []record.GroupBy{{Field: "account.name"}}}); errs.KindOf(err) != errs.Forbidden {
		t.Errorf("grouping by what may not be read: %v", err)
	}
	if other := z.aggregate(t, z.Other, `{"group_by":["state"]}`); len(other.Rows) != 0 || other.Total["count"] != int64(0) {
		t.Errorf("another tenant: %v", other)
	}
}

func TestAggregateRefuses(t *testing.T) {
	t.Parallel()
	z := newZoo(t)
	for _, body := range []string{
		`{"group_by":["nope"]}`, `{"group_by":["a","b","c","d"]}`, `{"group_by":["doc"]}`, `{"group_by":["amount"]}`, `{"group_by":["state","state"]}`,
		`{"group_by":[{"field":"moment","by":"hour'); drop table specimens; --"}]}`, `{"group_by":[{"field":"state","by":"day"}]}`,
		`{"measures":[{"fn":"median","field":"size"}]}`, `{"measures":[{"fn":"sum"}]}`, `{"measures":[{"fn":"sum","field":"name"}]}`,
		`{"measures":[{"fn":"count_distinct","field":"tags"}]}`, `{"measures":[{"fn":"sum","field":"size"},{"fn":"sum","field":"size"}]}`,
		`{"measures":[{"fn":"sum","field":"account.employees"}]}`, `{"limit":1001}`, `{"limit":-1}`, `{"sort":"nope"}`, `{"filter":{"field":"nope","value":1}}`, `{"filter":[]}`,
		`{"time_zone":"Mars/Base"}`, `{"time_zone":"UTC'; select pg_sleep(9); --"}`, `{"time_zone":"../../etc/passwd"}`, `{"time_zone":"local"}`, `{"group_by":["account.parent.name"]}`,
	} {
		var in record.AggregateInput
		if err := json.Unmarshal([]byte(body), &in); err != nil {
			t.Fatal(err)
		}
		if _, err := z.specimens.Aggregate(z.Admin, in); errs.KindOf(err) != errs.Malformed {
			t.Errorf("%s: %v", body, err)
		}
	}
	hostile := auth.As(z.Admin, func(a *auth.Actor) { a.TimeZone = "UTC'; drop table specimens; --" })
	if _, err := z.specimens.Aggregate(hostile, record.AggregateInput{GroupBy: []record.GroupBy{{Field: "moment", By: "day"}}}); err != nil {
		t.Errorf("a profile with nonsense as zone counts as UTC: %v", err)
	}
}

func TestAggregateStopsAtItsLimit(t *testing.T) {
	t.Parallel()
	z := newZoo(t)
	z.fill(t, 30)
	got := z.aggregate(t, z.Admin, `{"group_by":["id"],"limit":7}`)
	if len(got.Rows) != 7 || !got.Truncated || got.Total["count"] != int64(30) {
		t.Errorf("%d rows, truncated %v, total %v", len(got.Rows), got.Truncated, got.Total)
	}
	if _, err := uuid.Parse(fmt.Sprint(got.Rows[0].Group["id"])); err != nil {
		t.Error(err)
	}
}
