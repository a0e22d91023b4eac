package deals

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"crm/internal/deals/internal/dealsdb"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/money"
)

var (
	now     = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	longAgo = time.Date(2017, 3, 1, 0, 0, 0, 0, time.UTC)
)

// shop is a tenant's catalog in memory: "Sales" is the default pipeline, "Partners"
// another one with an open stage only, and Sales has one deleted stage.
type shop struct {
	*catalog
	ids map[string]uuid.UUID
}

func newShop() shop {
	s := shop{ids: map[string]uuid.UUID{}}
	add := func(name string) uuid.UUID {
		s.ids[name] = id.New()
		return s.ids[name]
	}
	sales, partners := add("Sales"), add("Partners")
	gone := longAgo
	stage := func(p uuid.UUID, name, kind string, position, probability int64) dealsdb.StagesRow {
		return dealsdb.StagesRow{ID: add(name), PipelineID: p, Name: name, Kind: kind, Position: position, Probability: probability}
	}
	old := stage(sales, "Old", Open, 0, 5)
	old.DeletedAt = &gone
	s.catalog = newCatalog(
		[]dealsdb.PipelinesRow{{ID: sales, Name: "Sales", IsDefault: true}, {ID: partners, Name: "Partners"}},
		[]dealsdb.StagesRow{
			stage(sales, "Won", Won, 1, 100), stage(sales, "Lost", Lost, 2, 0), old,
			stage(sales, "Talk", Open, 3, 10), stage(sales, "Offer", Open, 4, 60), stage(sales, "Sign", Open, 5, 90),
			stage(partners, "Meet", Open, 1, 20),
		})
	return s
}

func (s shop) at(name string) *uuid.UUID {
	u := s.ids[name]
	return &u
}

// deal is a settled deal in a stage.
func (s shop) deal(stage string) *Deal {
	st := s.stages[s.ids[stage]]
	d := &Deal{PipelineID: st.PipelineID, StageID: &st.ID, Amount: &money.Amount{Minor: 1000, Currency: "EUR"}}
	if err := settle(nil, d, st, given{}, manner{now: longAgo, history: true}); err != nil {
		panic(err)
	}
	return d
}

func percent(n int64) *int64 { return &n }

func TestPlace(t *testing.T) {
	t.Parallel()
	s := newShop()
	tests := []struct {
		name  string
		old   string // stage of the deal before, "" for a new one
		set   func(d *Deal)
		given given
		want  string // stage, or the refused field
		code  string
	}{
		{"a new deal starts at the beginning", "", func(*Deal) {}, given{}, "Talk", ""},
		{"a new deal in another pipeline", "", func(d *Deal) { d.PipelineID = s.at("Partners") }, given{Pipeline: true}, "Meet", ""},
		{"the stage tells the pipeline", "", func(d *Deal) { d.StageID = s.at("Meet") }, given{Stage: true}, "Meet", ""},
		{"a new deal with a status", "", func(d *Deal) { d.Status = Won }, given{Status: true}, "Won", ""},
		{"a foreign stage for a new deal", "", func(d *Deal) { d.PipelineID, d.StageID = s.at("Partners"), s.at("Talk") }, given{Pipeline: true, Stage: true}, "stage_id", "foreign_stage"},
		{"a foreign stage for an old deal", "Talk", func(d *Deal) { d.StageID = s.at("Meet") }, given{Stage: true}, "stage_id", "foreign_stage"},
		{"another pipeline with its stage", "Talk", func(d *Deal) { d.PipelineID, d.StageID = s.at("Partners"), s.at("Meet") }, given{Pipeline: true, Stage: true}, "Meet", ""},
		{"another pipeline alone", "Offer", func(d *Deal) { d.PipelineID = s.at("Partners") }, given{Pipeline: true}, "Meet", ""},
		{"another pipeline without a stage of that kind", "Won", func(d *Deal) { d.PipelineID = s.at("Partners") }, given{Pipeline: true}, "stage_id", "no_such_stage"},
		{"a status alone moves", "Offer", func(d *Deal) { d.Status = Lost }, given{Status: true}, "Lost", ""},
		{"a status that is so already", "Offer", func(d *Deal) { d.Status = Open }, given{}, "Offer", ""},
		{"status and stage disagree", "Talk", func(d *Deal) { d.StageID, d.Status = s.at("Offer"), Won }, given{Stage: true, Status: true}, "status", "contradicts_stage"},
		{"status and stage agree", "Talk", func(d *Deal) { d.StageID, d.Status = s.at("Won"), Won }, given{Stage: true, Status: true}, "Won", ""},
		{"a deleted stage", "Talk", func(d *Deal) { d.StageID = s.at("Old") }, given{Stage: true}, "stage_id", "deleted_stage"},
		{"still in a deleted stage", "Old", func(*Deal) {}, given{}, "Old", ""},
		{"an unknown stage", "Talk", func(d *Deal) { u := id.New(); d.StageID = &u }, given{Stage: true}, "stage_id", "unknown_stage"},
		{"an unknown pipeline", "Talk", func(d *Deal) { u := id.New(); d.PipelineID = &u }, given{Pipeline: true}, "pipeline_id", "unknown_pipeline"},
		{"a cleared stage", "Offer", func(d *Deal) { d.StageID = nil }, given{}, "Talk", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var old *Deal
			d := &Deal{}
			if tt.old != "" {
				old = s.deal(tt.old)
				c := *old
				d = &c
			}
			tt.set(d)
			st, err := s.place(old, d, tt.given, manner{now: now})
			if tt.code != "" {
				wantRefused(t, err, tt.want, tt.code)
				return
			}
			if err != nil || st.Name != tt.want || !d.in(st.ID) || *d.PipelineID != *st.PipelineID {
				t.Fatalf("placed in %v, %v", st, err)
			}
		})
	}
}

func wantRefused(t *testing.T, err error, field, code string) {
	t.Helper()
	e := errs.As(err)
	if e == nil || len(e.Fields) == 0 || e.Fields[0].Field != field || e.Fields[0].Code != code {
		t.Fatalf("got %v, want %s refused with %s", err, field, code)
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	s := newShop()
	tests := []struct {
		name   string
		old    string
		to     string
		set    func(d *Deal)
		given  given
		manner manner
		check  func(d *Deal) bool
		field  string
		code   string
	}{
		{name: "a new deal takes the stage's probability", to: "Offer", check: func(d *Deal) bool {
			return *d.Probability == 60 && d.WeightedAmount.Minor == 600 && d.Status == Open && d.ForecastCategory == CategoryBestCase && d.StageEnteredAt.Equal(now)
		}},
		{name: "its own probability stays", to: "Offer", set: func(d *Deal) { d.Probability = percent(85) }, given: given{Probability: true}, check: func(d *Deal) bool {
			return *d.Probability == 85 && d.WeightedAmount.Minor == 850 && d.ForecastCategory == CategoryCommit
		}},
		{name: "the next stage overrides it", old: "Talk", to: "Offer", set: func(d *Deal) { d.Probability = percent(85) }, check: func(d *Deal) bool { return *d.Probability == 60 }},
		{name: "a cleared probability follows again", old: "Offer", to: "Offer", set: func(d *Deal) { d.Probability = nil }, check: func(d *Deal) bool { return *d.Probability == 60 }},
		{name: "probability has bounds", to: "Talk", set: func(d *Deal) { d.Probability = percent(101) }, given: given{Probability: true}, field: "probability", code: "out_of_range"},
		{name: "a won deal is certain", old: "Talk", to: "Won", set: func(d *Deal) { d.Probability = percent(50) }, given: given{Probability: true}, field: "probability", code: "closed_deal"},
		{name: "winning", old: "Talk", to: "Won", check: func(d *Deal) bool {
			return d.Status == Won && *d.Probability == 100 && d.ClosedAt.Equal(now) && d.ForecastCategory == CategoryClosed && d.WeightedAmount.Minor == 1000
		}},
		{name: "losing needs a reason", old: "Talk", to: "Lost", field: "lost_reason", code: "required"},
		{name: "blanks are no reason", old: "Talk", to: "Lost", set: func(d *Deal) { d.LostReason = "  " }, given: given{Reason: true}, field: "lost_reason", code: "required"},
		{name: "losing", old: "Talk", to: "Lost", set: func(d *Deal) { d.LostReason = " price " }, given: given{Reason: true}, check: func(d *Deal) bool {
			return d.Status == Lost && *d.Probability == 0 && d.ClosedAt.Equal(now) && d.LostReason == "price" && d.ForecastCategory == CategoryOmitted && d.WeightedAmount.Minor == 0
		}},
		{name: "an import may lose without one", to: "Lost", manner: manner{history: true}, check: func(d *Deal) bool { return d.LostReason == notGiven }},
		{name: "a reason for an open deal", old: "Talk", to: "Talk", set: func(d *Deal) { d.LostReason = "x" }, given: given{Reason: true}, field: "lost_reason", code: "not_lost"},
		{name: "a reason for an open deal of a file", to: "Talk", set: func(d *Deal) { d.LostReason = "x" }, given: given{Reason: true}, manner: manner{history: true}, check: func(d *Deal) bool { return d.LostReason == "" }},
		{name: "a lost deal keeps its reason", old: "Lost", to: "Lost", set: func(d *Deal) { d.LostReason = "" }, field: "lost_reason", code: "required"},
		{name: "reopening clears the end", old: "Lost", to: "Sign", check: func(d *Deal) bool {
			return d.Status == Open && d.ClosedAt == nil && d.LostReason == "" && *d.Probability == 90 && d.ForecastCategory == CategoryCommit
		}},
		{name: "from lost to won closes anew", old: "Lost", to: "Won", check: func(d *Deal) bool { return d.ClosedAt.Equal(now) && d.LostReason == "" }},
		{name: "a closed deal stays closed since then", old: "Won", to: "Won", check: func(d *Deal) bool { return d.ClosedAt.Equal(longAgo) && d.StageEnteredAt.Equal(longAgo) }},
		{name: "a file brings its closing date", to: "Won", set: func(d *Deal) { d.ClosedAt = &longAgo }, given: given{ClosedAt: true}, manner: manner{history: true}, check: func(d *Deal) bool {
			return d.ClosedAt.Equal(longAgo) && d.StageEnteredAt.Equal(longAgo)
		}},
		{name: "a file brings its making date", to: "Talk", set: func(d *Deal) { d.CreatedAt = longAgo }, manner: manner{history: true}, check: func(d *Deal) bool { return d.StageEnteredAt.Equal(longAgo) }},
		{name: "an open deal of a file has no end", to: "Talk", set: func(d *Deal) { d.ClosedAt = &longAgo }, given: given{ClosedAt: true}, manner: manner{history: true}, check: func(d *Deal) bool { return d.ClosedAt == nil }},
		{name: "a chosen category stays", old: "Talk", to: "Offer", set: func(d *Deal) { d.ForecastCategory = CategoryOmitted }, given: given{Category: true}, check: func(d *Deal) bool { return d.ForecastCategory == CategoryOmitted }},
		{name: "closed is not to be chosen", old: "Talk", to: "Talk", set: func(d *Deal) { d.ForecastCategory = CategoryClosed }, given: given{Category: true}, field: "forecast_category", code: "contradicts_status"},
		{name: "won is always closed", old: "Won", to: "Won", set: func(d *Deal) { d.ForecastCategory = CategoryPipeline }, given: given{Category: true}, field: "forecast_category", code: "contradicts_status"},
		{name: "amounts have a bound", to: "Talk", set: func(d *Deal) { d.Amount = &money.Amount{Minor: maxMinor + 1, Currency: "EUR"} }, given: given{Amount: true}, field: "amount", code: "too_large"},
		{name: "no amount, no weight", to: "Talk", set: func(d *Deal) { d.Amount = nil }, check: func(d *Deal) bool { return d.WeightedAmount == nil }},
		{name: "an undo refuses nothing", old: "Talk", to: "Lost", manner: manner{undoing: true}, check: func(d *Deal) bool { return d.LostReason == notGiven && d.ClosedAt != nil }},
		{name: "an undo leaves the probability it restored", old: "Talk", to: "Offer", set: func(d *Deal) { d.Probability = percent(33) }, manner: manner{undoing: true}, check: func(d *Deal) bool { return *d.Probability == 33 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var old *Deal
			d := &Deal{Amount: &money.Amount{Minor: 1000, Currency: "EUR"}}
			if tt.old != "" {
				old = s.deal(tt.old)
				c := *old
				d = &c
			}
			d.StageID = s.at(tt.to)
			if tt.set != nil {
				tt.set(d)
			}
			tt.manner.now = now
			err := settle(old, d, s.stages[s.ids[tt.to]], tt.given, tt.manner)
			if tt.code != "" {
				wantRefused(t, err, tt.field, tt.code)
				return
			}
			if err != nil || !tt.check(d) {
				t.Fatalf("%+v, %v", d, err)
			}
		})
	}
}

// A category that nobody chose follows the probability; a chosen one does not.
func TestCategoryFollowsUntilChosen(t *testing.T) {
	t.Parallel()
	s := newShop()
	step := func(old *Deal, to string, g given, set func(*Deal)) *Deal {
		d := *old
		d.StageID = s.at(to)
		set(&d)
		if err := settle(old, &d, s.stages[s.ids[to]], g, manner{now: now}); err != nil {
			t.Fatal(err)
		}
		return &d
	}
	nothing := func(*Deal) {}
	d := step(s.deal("Talk"), "Sign", given{}, nothing)
	if d.ForecastCategory != CategoryCommit {
		t.Fatalf("followed to %s", d.ForecastCategory)
	}
	d = step(d, "Sign", given{Category: true}, func(d *Deal) { d.ForecastCategory = CategoryBestCase })
	d = step(d, "Talk", given{}, nothing)
	if d.ForecastCategory != CategoryBestCase {
		t.Fatalf("the chosen category became %s", d.ForecastCategory)
	}
	d = step(d, "Won", given{}, nothing)
	d = step(d, "Talk", given{}, nothing)
	if d.ForecastCategory != CategoryPipeline {
		t.Fatalf("after reopening it is %s", d.ForecastCategory)
	}
}

// TestInvariants walks deals through random changes: whatever is accepted keeps
// what the package promises.
func TestInvariants(t *testing.T) {
	t.Parallel()
	s := newShop()
	stages := []string{"Talk", "Offer", "Sign", "Won", "Lost"}
	rapid.Check(t, func(rt *rapid.T) {
		var old *Deal
		for range rapid.IntRange(1, 8).Draw(rt, "changes") {
			d := &Deal{}
			if old != nil {
				c := *old
				d = &c
			}
			to := rapid.SampledFrom(stages).Draw(rt, "to")
			d.StageID = s.at(to)
			var g given
			if g.Probability = rapid.Bool().Draw(rt, "sets probability"); g.Probability {
				d.Probability = percent(rapid.Int64Range(-5, 105).Draw(rt, "probability"))
			}
			if g.Amount = rapid.Bool().Draw(rt, "sets amount"); g.Amount {
				d.Amount = &money.Amount{Minor: rapid.Int64Range(-1000, 1_000_000).Draw(rt, "amount"), Currency: "EUR"}
			}
			if g.Reason = rapid.Bool().Draw(rt, "sets reason"); g.Reason {
				d.LostReason = rapid.SampledFrom([]string{"price", "  ", "x"}).Draw(rt, "reason")
			}
			m := manner{now: now, undoing: rapid.Bool().Draw(rt, "undoing"), history: rapid.Bool().Draw(rt, "history")}
			st := s.stages[s.ids[to]]
			if settle(old, d, st, g, m) != nil {
				continue
			}
			if !sound(d, st) {
				rt.Fatalf("%+v in %s", d, to)
			}
			old = d
		}
	})
}

func sound(d *Deal, st *Stage) bool {
	p := *d.Probability
	certain := st.Kind == Won && p == 100 || st.Kind == Lost && p == 0 || st.Kind == Open && p >= 0 && p <= 100
	weighted := d.Amount == nil && d.WeightedAmount == nil || d.Amount != nil && *d.WeightedAmount == d.Amount.Percent(int(p))
	return d.Status == st.Kind && certain && weighted && (d.ClosedAt == nil) == (d.Status == Open) && (d.LostReason != "") == (d.Status == Lost) &&
		d.StageEnteredAt != nil && (d.ForecastCategory == CategoryClosed) == (d.Status == Won) && d.ForecastCategory != ""
}

func TestStagesInOrder(t *testing.T) {
	t.Parallel()
	s := newShop()
	var names []string
	for _, st := range s.steps[s.ids["Sales"]] {
		names = append(names, st.Name)
	}
	want := []string{"Old", "Talk", "Offer", "Sign", "Won", "Lost"}
	for i := range want {
		if names[i] != want[i] {
			t.Fatalf("order %v, want %v", names, want)
		}
	}
	st, err := s.named(s.ids["Sales"], " offer ")
	if err != nil || st.Name != "Offer" {
		t.Fatalf("by name: %v %v", st, err)
	}
	_, err = s.named(s.ids["Sales"], "Old")
	wantRefused(t, err, "stage_id", "unknown_stage")
}
