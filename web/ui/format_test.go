package ui_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/language"

	"crm/web/ui"
)

func TestMoney(t *testing.T) {
	t.Parallel()
	f := ui.Format{Now: noon}
	for _, c := range []struct {
		minor         int64
		code          string
		full, compact string
	}{
		{4800000, "EUR", "€48,000", "€48K"},
		{1250050, "EUR", "€12,500.50", "€12.5K"},
		{-4200, "CHF", "−CHF\u00a042", "−CHF\u00a042"},
		{124000000, "USD", "$1,240,000", "$1.24M"},
		{999999999, "EUR", "€9,999,999.99", "€10M"},
		{1500, "JPY", "¥1,500", "¥1.5K"},
		{0, "EUR", "€0", "€0"},
	} {
		if got := f.Money(c.minor, c.code); got != c.full {
			t.Errorf("Money(%d, %s) = %q, want %q", c.minor, c.code, got, c.full)
		}
		if got := f.MoneyCompact(c.minor, c.code); got != c.compact {
			t.Errorf("MoneyCompact(%d, %s) = %q, want %q", c.minor, c.code, got, c.compact)
		}
	}
	german := ui.Format{Locale: language.German}
	if got := german.Money(1250050, "EUR"); got != "12.500,50\u00a0€" {
		t.Errorf("German groups as %q", got)
	}
}

func TestWhen(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	f := ui.Format{Now: noon, Zone: berlin}
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{noon, "13:00"}, // Berlin is an hour ahead in November
		{noon.Add(-14 * time.Hour), "Yesterday"},
		{noon.AddDate(0, 0, 1), "Tomorrow 13:00"},
		{noon.AddDate(0, 0, -3), "Tue"},
		{noon.AddDate(0, 0, 3), "Mon 13:00"},
		{noon.AddDate(0, 0, -30), "21 Oct"},
		{noon.AddDate(-1, 0, 0), "20 Nov 2025"},
	} {
		if got := f.When(c.at); got != c.want {
			t.Errorf("When(%s) = %q, want %q", c.at, got, c.want)
		}
	}
}

func TestAgo(t *testing.T) {
	t.Parallel()
	f := ui.Format{Now: noon}
	for _, c := range []struct {
		back time.Duration
		want string
	}{{20 * time.Second, "just now"}, {3 * time.Minute, "3 min ago"}, {5 * time.Hour, "5 h ago"}, {50 * time.Hour, "2 d ago"}, {-2 * time.Hour, "in 2 h"}, {240 * time.Hour, "10 Nov"}} {
		if got := f.Ago(noon.Add(-c.back)); got != c.want {
			t.Errorf("Ago(%s) = %q, want %q", c.back, got, c.want)
		}
	}
}

func TestDueState(t *testing.T) {
	t.Parallel()
	f := ui.Format{Now: noon}
	for _, c := range []struct {
		due  ui.Due
		want ui.StepState
	}{
		{ui.Due{At: noon.Add(-time.Minute)}, ui.StepOverdue},
		{ui.Due{At: noon.Add(time.Hour)}, ui.StepToday},
		{ui.Due{At: noon.Truncate(24 * time.Hour), WholeDay: true}, ui.StepToday},
		{ui.Due{At: noon.AddDate(0, 0, 1)}, ui.StepLater},
		{ui.Due{At: noon.AddDate(0, 0, -1), Done: true}, ui.StepLater},
	} {
		if got := f.DueState(c.due); got != c.want {
			t.Errorf("DueState(%+v) = %q, want %q", c.due, got, c.want)
		}
	}
}

func TestFoldFilter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"choices are joined and the cursor goes", "sort=-score&cursor=x&filter_field=status&filter_op=in&filter_value=new&filter_value=working", "sort=-score&status[in]=new,working"},
		{"an edited filter replaces the old one", "status[in]=lost&filter_field=status&filter_op=not_in&filter_value=new", "status[not_in]=new"},
		{"equality has no bracket", "filter_field=title&filter_op=eq&filter_value=CFO", "title=CFO"},
		{"an empty value removes", "score[gte]=70&filter_field=score&filter_op=gte&filter_value=", ""},
		{"names that only begin alike stay", "score_grade=A&filter_field=score&filter_op=gte&filter_value=70", "score[gte]=70&score_grade=A"},
	} {
		q, err := url.ParseQuery(c.in)
		if err != nil {
			t.Fatal(err)
		}
		folded, ok := ui.FoldFilter(q)
		got, err := url.QueryUnescape(folded.Encode())
		if err != nil || !ok || got != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, got, ok, c.want)
		}
	}
	if _, ok := ui.FoldFilter(url.Values{"sort": {"name"}}); ok {
		t.Error("a query without filter_field was folded")
	}
}

func TestInitials(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"Ada Khan": "AK", "łukasz nowakowski": "ŁN", "Cher": "C", "": "?", "Ana María de la Cruz": "AC", "rep@demo.test": "RT"} {
		if got := ui.Initials(name); got != want {
			t.Errorf("Initials(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestMenuLeavesOutWhatARoleCannotUse(t *testing.T) {
	t.Parallel()
	groups := ui.DefaultNav("acme", func(s string) bool { return s == "home" || s == "deals" }, nil)
	var keys []string
	for _, g := range groups {
		for _, it := range g.Items {
			keys = append(keys, it.Key)
		}
	}
	if strings.Join(keys, " ") != "home deals" || len(groups) != 2 {
		t.Errorf("menu holds %v in %d groups", keys, len(groups))
	}
}
