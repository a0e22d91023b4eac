package record_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/platform/money"
	"crm/internal/record"
	"crm/internal/record/recordtest"
)

// firm and worker are a parent and its children; a firm may have a mother firm.
type firm struct {
	record.Base
	Name     string        `crm:"name,text,required,search,title,min=2,max=60"`
	Industry string        `crm:"industry,text"`
	Worth    *money.Amount `crm:"annual_revenue,money"`
	Mother   *uuid.UUID    `crm:"parent_id,relation,target=account"`
}

type worker struct {
	record.Base
	LastName string     `crm:"last_name,text,required,search,title"`
	Email    string     `crm:"email,email,search"`
	Source   string     `crm:"source,text"`
	Firm     *uuid.UUID `crm:"account_id,relation,target=account"`
	DoNot    bool       `crm:"do_not_contact,boolean"`
}

type shop struct {
	*recordtest.Env
	firms   *record.Store[firm]
	workers *record.Store[worker]
}

func newShop(t testing.TB) *shop {
	t.Helper()
	s := &shop{Env: recordtest.New(t)}
	var err error
	if s.firms, err = record.Register[firm](s.K, record.Definition{Name: "account", Plural: "accounts", Label: "Account", LabelPlural: "Accounts", Owned: true}, record.HooksFor[firm]{}); err != nil {
		t.Fatal(err)
	}
	if s.workers, err = record.Register[worker](s.K, record.Definition{Name: "contact", Plural: "contacts", Label: "Contact", LabelPlural: "Contacts", Owned: true}, record.HooksFor[worker]{}); err != nil {
		t.Fatal(err)
	}
	return s
}

// add makes fields or fails the test.
func (s *shop) add(t testing.TB, fields ...record.CustomField) {
	t.Helper()
	if err := s.K.AddCustomFields(s.Admin, fields); err != nil {
		t.Fatal(err)
	}
}

func (s *shop) field(t testing.TB, object, name string) record.CustomField {
	t.Helper()
	all, err := s.K.CustomFields(s.Admin)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.Object == object && f.Name == name {
			return f
		}
	}
	t.Fatalf("no field %s.%s", object, name)
	return record.CustomField{}
}

// save runs one operation from a JSON body, as the API would.
func (s *shop) save(ctx context.Context, o *record.Object, kind record.OpKind, id uuid.UUID, body string) (*record.Record, error) {
	def, err := s.K.Definition(ctx, o.Def.Name)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(strings.NewReader(body))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return nil, err
	}
	p, err := def.ParseJSON(m)
	if err != nil {
		return nil, err
	}
	res, err := o.One(ctx, record.Operation{Kind: kind, ID: id, Patch: p})
	return res.Record, err
}

func (s *shop) firm(t testing.TB, body string) *record.Record {
	t.Helper()
	r, err := s.save(s.Admin, s.firms.Object, record.OpCreate, uuid.Nil, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (s *shop) worker(t testing.TB, body string) *record.Record {
	t.Helper()
	r, err := s.save(s.Admin, s.workers.Object, record.OpCreate, uuid.Nil, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func custom(r *record.Record, name string) string {
	v := r.Get("custom." + name)
	if v == nil {
		return "empty"
	}
	b, _ := json.Marshal(v)
	return string(b)
}

func (s *shop) again(t testing.TB, o *record.Object, id uuid.UUID) *record.Record {
	t.Helper()
	r, err := o.Get(s.Admin, id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// refusedField is the first field an error blames, with its code.
func refusedField(err error) string {
	e := errs.As(err)
	if e == nil {
		return fmt.Sprint(err)
	}
	if len(e.Fields) == 0 {
		return e.Code
	}
	return e.Fields[0].Field + " " + e.Fields[0].Code
}

func (s *shop) list(t testing.TB, o *record.Object, query string) []*record.Record {
	t.Helper()
	q, err := parseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	f, err := o.ParseFilter(s.Admin, q)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	page, err := o.List(s.Admin, record.Query{Filter: f, Limit: 200})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return page.Records
}

func TestRulesOfCustomFields(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.add(t,
		record.CustomField{Object: "account", Name: "code", Type: "text", FieldSettings: record.FieldSettings{Pattern: "[A-Z]{2}-[0-9]+", Help: "Like AB-12.", Min: "4", Max: "8"}},
		record.CustomField{Object: "account", Name: "seats", Type: "integer", FieldSettings: record.FieldSettings{Min: "1", Max: "500", Default: json.RawMessage("5")}},
		record.CustomField{Object: "account", Name: "budget", Type: "money", FieldSettings: record.FieldSettings{Max: "1000.50"}},
		record.CustomField{Object: "account", Name: "tier", Type: "select", Options: []string{"gold", "tin"}, FieldSettings: record.FieldSettings{Required: true}},
		record.CustomField{Object: "account", Name: "why", Type: "long_text", FieldSettings: record.FieldSettings{RequiredWhen: json.RawMessage(`{"and":[{"field":"industry","value":"lost"},{"field":"custom.tier","op":"ne","value":"tin"}]}`)}},
		record.CustomField{Object: "account", Name: "likes", Type: "multi_select", Options: []string{"tea", "milk", "rum"}, FieldSettings: record.FieldSettings{Max: "2"}},
	)
	for body, want := range map[string]string{
		`{"name":"ok","custom":{"tier":"gold"}}`:                                                "",
		`{"name":"x","custom":{"tier":"gold"}}`:                                                 "name too_small",
		`{"name":"ok"}`:                                                                         "custom.tier required",
		`{"name":"ok","custom":{"tier":"lead"}}`:                                                "custom.tier not_an_option",
		`{"name":"ok","custom":{"tier":"gold","code":"ab-1"}}`:                                  "custom.code pattern",
		`{"name":"ok","custom":{"tier":"gold","code":"AB-123456"}}`:                             "custom.code too_large",
		`{"name":"ok","custom":{"tier":"gold","code":"AB-12"}}`:                                 "",
		`{"name":"ok","custom":{"tier":"gold","seats":0}}`:                                      "custom.seats too_small",
		`{"name":"ok","custom":{"tier":"gold","budget":{"amount":"1000.51","currency":"EUR"}}}`: "custom.budget too_large",
		`{"name":"ok","custom":{"tier":"gold","budget":{"amount":"1000.50","currency":"EUR"}}}`: "",
		`{"name":"ok","industry":"lost","custom":{"tier":"gold"}}`:                              "custom.why required",
		`{"name":"ok","industry":"lost","custom":{"tier":"tin"}}`:                               "",
		`{"name":"ok","industry":"lost","custom":{"tier":"gold","why":"price"}}`:                "",
		`{"name":"ok","custom":{"tier":"gold","likes":["tea","Milk"]}}`:                         "",
		`{"name":"ok","custom":{"tier":"gold","likes":["tea","gin"]}}`:                          "custom.likes not_an_option",
		`{"name":"ok","custom":{"tier":"gold","likes":["tea","milk","rum"]}}`:                   "custom.likes too_large",
	} {
		got := ""
		if _, err := s.save(s.Admin, s.firms.Object, record.OpCreate, uuid.Nil, body); err != nil {
			got = refusedField(err)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
	r := s.firm(t, `{"name":"ok","custom":{"tier":"gold"}}`)
	if custom(r, "seats") != "5" {
		t.Errorf("default: %s", custom(r, "seats"))
	}
	if _, err := s.save(s.Admin, s.firms.Object, record.OpUpdate, r.ID(), `{"industry":"lost"}`); refusedField(err) != "custom.why required" {
		t.Errorf("the change that makes it needed: %v", err)
	}
	if _, err := s.save(s.Admin, s.firms.Object, record.OpUpdate, r.ID(), `{"custom":{"tier":null}}`); refusedField(err) != "custom.tier required" {
		t.Errorf("emptying a required field: %v", err)
	}
	// Typed code that goes past the parser meets the same rules.
	if _, err := s.firms.Create(s.Admin, &firm{Name: "x", Base: record.Base{Custom: map[string]any{"tier": "gold"}}}); refusedField(err) != "name too_small" {
		t.Errorf("typed: %v", err)
	}
}

func TestBadDefinitionsAreRefused(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	set := func(f record.FieldSettings) record.FieldSettings { return f }
	for want, f := range map[string]record.CustomField{
		"type unknown_type":              {Name: "a", Type: "blob"},
		"name bad_name":                  {Name: "A", Type: "text"},
		"pattern bad_pattern":            {Name: "a", Type: "text", FieldSettings: set(record.FieldSettings{Pattern: "("})},
		"pattern too_long":               {Name: "a", Type: "text", FieldSettings: set(record.FieldSettings{Pattern: strings.Repeat("a", 257)})},
		"pattern not_supported":          {Name: "a", Type: "integer", FieldSettings: set(record.FieldSettings{Pattern: "1"})},
		"min not_a_number":               {Name: "a", Type: "integer", FieldSettings: set(record.FieldSettings{Min: "1e999999"})},
		"max out_of_range":               {Name: "a", Type: "integer", FieldSettings: set(record.FieldSettings{Min: "2", Max: "1"})},
		"min not_supported":              {Name: "a", Type: "boolean", FieldSettings: set(record.FieldSettings{Min: "2"})},
		"default not_a_number":           {Name: "a", Type: "integer", FieldSettings: set(record.FieldSettings{Default: json.RawMessage(`1.5`)})},
		"unique not_supported":           {Name: "a", Type: "json", FieldSettings: set(record.FieldSettings{Unique: true})},
		"indexed not_supported":          {Name: "a", Type: "list", FieldSettings: set(record.FieldSettings{Indexed: true})},
		"options required":               {Name: "a", Type: "multi_select"},
		"options bad_option":             {Name: "a", Type: "select", Options: []string{"a", "a"}},
		"target unknown_object":          {Name: "a", Type: "relation", FieldSettings: set(record.FieldSettings{Target: "planet"})},
		"formula wrong_type":             {Name: "a", Type: "formula"},
		"formula bad_formula":            {Name: "a", Type: "formula", FieldSettings: set(record.FieldSettings{Formula: "nothing + 1"})},
		"formula circular":               {Name: "a", Type: "formula", FieldSettings: set(record.FieldSettings{Formula: "custom.a + 1"})},
		"required not_supported":         {Name: "a", Type: "formula", FieldSettings: set(record.FieldSettings{Formula: "1", Required: true})},
		"roll_up wrong_type":             {Name: "a", Type: "roll_up"},
		"roll_up.object unknown_object":  {Name: "a", Type: "roll_up", FieldSettings: set(record.FieldSettings{RollUp: &record.RollUp{Object: "planet"}})},
		"roll_up.relation no_relation":   {Name: "a", Type: "roll_up", FieldSettings: set(record.FieldSettings{RollUp: &record.RollUp{Object: "contact", Relation: "email", Function: "count"}})},
		"roll_up.function not_an_option": {Name: "a", Type: "roll_up", FieldSettings: set(record.FieldSettings{RollUp: &record.RollUp{Object: "contact", Relation: "account_id", Function: "median"}})},
		"roll_up.field required":         {Name: "a", Type: "roll_up", FieldSettings: set(record.FieldSettings{RollUp: &record.RollUp{Object: "contact", Relation: "account_id", Function: "sum"}})},
		"roll_up.field not_supported":    {Name: "a", Type: "roll_up", FieldSettings: set(record.FieldSettings{RollUp: &record.RollUp{Object: "contact", Relation: "account_id", Function: "sum", Field: "email"}})},
		"required_when unknown_field":    {Name: "a", Type: "text", FieldSettings: set(record.FieldSettings{RequiredWhen: json.RawMessage(`{"field":"nope","value":"x"}`)})},
		"auto_number out_of_range":       {Name: "a", Type: "auto_number", FieldSettings: set(record.FieldSettings{AutoNumber: &record.AutoNumber{Digits: 99}})},
	} {
		f.Object = "account"
		err := s.K.AddCustomFields(s.Admin, []record.CustomField{f})
		if got := refusedField(err); !strings.HasPrefix(got, want) && !(want == "required_when unknown_field" && got == "nope unknown_field") {
			t.Errorf("%s: %s (%v)", want, got, err)
		}
	}
	if all, _ := s.K.CustomFields(s.Admin); len(all) != 0 {
		t.Errorf("%d fields were made", len(all))
	}
	if err := s.K.AddCustomFields(s.Rep, []record.CustomField{{Object: "account", Name: "a", Type: "text"}}); errs.KindOf(err) != errs.Forbidden {
		t.Errorf("without the right: %v", err)
	}
}

func TestUniqueCustomFields(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.add(t, record.CustomField{Object: "account", Name: "code", Type: "text", FieldSettings: record.FieldSettings{Unique: true}})
	first := s.firm(t, `{"name":"One","custom":{"code":"A"}}`)
	if _, err := s.save(s.Admin, s.firms.Object, record.OpCreate, uuid.Nil, `{"name":"Two","custom":{"code":"A"}}`); errs.KindOf(err) != errs.Conflict || refusedField(err) != "custom.code not_unique" {
		t.Fatalf("a second one: %v", err)
	}
	one := func(kind record.OpKind, id uuid.UUID) error {
		_, err := s.firms.One(s.Admin, record.Operation{Kind: kind, ID: id})
		return err
	}
	if err := one(record.OpDelete, first.ID()); err != nil {
		t.Fatal(err)
	}
	second := s.firm(t, `{"name":"Two","custom":{"code":"A"}}`)
	if err := one(record.OpRestore, first.ID()); refusedField(err) != "custom.code not_unique" {
		t.Fatalf("restore while taken: %v", err)
	}
	if _, err := s.save(s.Admin, s.firms.Object, record.OpUpdate, second.ID(), `{"custom":{"code":"B"}}`); err != nil {
		t.Fatal(err)
	}
	if err := one(record.OpRestore, first.ID()); err != nil {
		t.Fatalf("restore when free: %v", err)
	}
	// Two records change places in one batch.
	res, err := s.firms.Apply(s.Admin, []record.Operation{
		{Kind: record.OpUpdate, ID: first.ID(), Patch: record.Patch{"custom.code": "B"}},
		{Kind: record.OpUpdate, ID: second.ID(), Patch: record.Patch{"custom.code": "A"}},
	}, true)
	if err != nil {
		t.Fatalf("swap: %v %v", res, err)
	}
	// One bad row of a batch leaves the others alone.
	res, err = s.firms.Apply(s.Admin, []record.Operation{
		{Kind: record.OpCreate, Patch: record.Patch{"name": "n1", "custom.code": "C"}},
		{Kind: record.OpCreate, Patch: record.Patch{"name": "n2", "custom.code": "C"}},
		{Kind: record.OpCreate, Patch: record.Patch{"name": "n3", "custom.code": "D"}},
		{Kind: record.OpUpsert, Key: "custom.code", Patch: record.Patch{"name": "n4", "custom.code": "D"}},
	}, false)
	if err != nil || res[0].Err != nil || refusedField(res[1].Err) != "custom.code not_unique" || res[2].Err != nil || res[3].Err != nil {
		t.Fatalf("batch: %+v %v", res, err)
	}
	if got := s.again(t, s.firms.Object, res[2].Record.ID()); got.Get("name") != "n4" {
		t.Errorf("the upsert met the create: %v", got.Get("name"))
	}
}

func TestUniqueUnderParallelCreates(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.add(t, record.CustomField{Object: "account", Name: "code", Type: "text", FieldSettings: record.FieldSettings{Unique: true}},
		record.CustomField{Object: "account", Name: "no", Type: "auto_number", FieldSettings: record.FieldSettings{AutoNumber: &record.AutoNumber{Prefix: "A-", Digits: 3}}})
	errors := make([]error, 20)
	var wg sync.WaitGroup
	for i := range errors {
		wg.Go(func() {
			_, errors[i] = s.firms.One(s.Admin, record.Operation{Kind: record.OpCreate, Patch: record.Patch{"name": "Same", "custom.code": "X"}})
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errors {
		if err == nil {
			won++
		} else if refusedField(err) != "custom.code not_unique" {
			t.Errorf("%v", err)
		}
	}
	if n := len(s.list(t, s.firms.Object, "custom.code=X")); won != 1 || n != 1 {
		t.Fatalf("%d creates won, %d records", won, n)
	}
	// The same race by upsert: one creates, the others change.
	created := make([]bool, 20)
	for i := range created {
		wg.Go(func() {
			res, err := s.firms.One(s.Admin, record.Operation{Kind: record.OpUpsert, Key: "custom.code", Patch: record.Patch{"name": fmt.Sprint("Up", i), "custom.code": "Y"}})
			if err != nil {
				t.Error(err)
			}
			created[i] = res.Created
		})
	}
	wg.Wait()
	won = 0
	for _, c := range created {
		if c {
			won++
		}
	}
	if n := len(s.list(t, s.firms.Object, "custom.code=Y")); won != 1 || n != 1 {
		t.Fatalf("%d upserts created, %d records", won, n)
	}
	// And every number is given once.
	for range 20 {
		wg.Go(func() {
			ops := []record.Operation{{Kind: record.OpCreate, Patch: record.Patch{"name": "N1"}}, {Kind: record.OpCreate, Patch: record.Patch{"name": "N2"}}, {Kind: record.OpCreate, Patch: record.Patch{"name": "N3"}}}
			if _, err := s.firms.Apply(s.Admin, ops, true); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, r := range s.list(t, s.firms.Object, "") {
		no := custom(r, "no")
		if seen[no] || !strings.HasPrefix(no, `"A-0`) {
			t.Errorf("number %s", no)
		}
		seen[no] = true
	}
	if len(seen) != 62 {
		t.Errorf("%d numbers", len(seen))
	}
	if _, err := s.save(s.Admin, s.firms.Object, record.OpCreate, uuid.Nil, `{"name":"own","custom":{"no":"A-1"}}`); refusedField(err) != "custom.no read_only" {
		t.Errorf("a number of one's own: %v", err)
	}
}

func TestFormulasFollowTheirFields(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	old := s.firm(t, `{"name":"Before","annual_revenue":{"amount":"10.00","currency":"EUR"}}`)
	s.add(t,
		record.CustomField{Object: "account", Name: "rate", Type: "percent"},
		record.CustomField{Object: "account", Name: "share", Type: "formula", FieldSettings: record.FieldSettings{Formula: "annual_revenue * coalesce(custom.rate, 50) / 100", Indexed: true}},
		record.CustomField{Object: "account", Name: "size", Type: "formula", FieldSettings: record.FieldSettings{Formula: "if(custom.share > 100, 'big', 'small')", Indexed: true}},
	)
	if r := s.again(t, s.firms.Object, old.ID()); custom(r, "share") != `{"amount":"5.00","currency":"EUR"}` || r.Version() != 1 {
		t.Fatalf("existing records are computed: %s", custom(r, "share"))
	}
	r := s.firm(t, `{"name":"After","annual_revenue":{"amount":"1000.01","currency":"EUR"},"custom":{"rate":12.5}}`)
	if custom(r, "share") != `{"amount":"125.00","currency":"EUR"}` || custom(r, "size") != `"big"` {
		t.Fatalf("%s %s", custom(r, "share"), custom(r, "size"))
	}
	if n := len(s.list(t, s.firms.Object, "custom.size=big")); n != 1 {
		t.Errorf("filter on a formula: %d", n)
	}
	r, err := s.save(s.Admin, s.firms.Object, record.OpUpdate, r.ID(), `{"annual_revenue":null}`)
	if err != nil || custom(r, "share") != "empty" || custom(r, "size") != `"small"` {
		t.Fatalf("%s %s %v", custom(r, "share"), custom(r, "size"), err)
	}
	if n := len(s.list(t, s.firms.Object, "custom.size=big")); n != 0 {
		t.Errorf("filter after the change: %d", n)
	}
	if _, err := s.save(s.Admin, s.firms.Object, record.OpUpdate, r.ID(), `{"custom":{"size":"big"}}`); refusedField(err) != "custom.size read_only" {
		t.Errorf("writing a formula: %v", err)
	}
	share := s.field(t, "account", "share")
	if _, err := s.K.ChangeCustomField(s.Admin, share.ID, func(f *record.CustomField) error { f.Formula = "custom.size"; return nil }); refusedField(err) != "formula circular" {
		t.Errorf("a circle: %v", err)
	}
	if _, err := s.K.ChangeCustomField(s.Admin, share.ID, func(f *record.CustomField) error { f.Formula = "name"; return nil }); refusedField(err) != "formula breaks" {
		t.Errorf("another kind under a reader: %v", err)
	}
	if _, err := s.K.ChangeCustomField(s.Admin, share.ID, func(f *record.CustomField) error { f.Formula = "annual_revenue * 100"; return nil }); err != nil {
		t.Fatal(err)
	}
	if r := s.again(t, s.firms.Object, old.ID()); custom(r, "share") != `{"amount":"1000.00","currency":"EUR"}` || custom(r, "size") != `"big"` {
		t.Errorf("a changed formula: %s %s", custom(r, "share"), custom(r, "size"))
	}
	if n := len(s.list(t, s.firms.Object, "custom.share[gte]=1000")); n != 1 {
		t.Errorf("filter on the new values: %d", n)
	}
	rate := s.field(t, "account", "rate")
	if err := s.K.HideCustomField(s.Admin, rate.ID); err != nil {
		t.Errorf("nothing reads rate any more: %v", err)
	}
	if err := s.K.HideCustomField(s.Admin, share.ID); errs.As(err) == nil || errs.As(err).Code != "in_use" {
		t.Errorf("hiding what a formula reads: %v", err)
	}
}

func TestNewRulesAreCheckedAgainstRecords(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.add(t, record.CustomField{Object: "account", Name: "n", Type: "integer"})
	for _, n := range []string{"1", "1", "7", "null"} {
		s.firm(t, `{"name":"firm","custom":{"n":`+n+`}}`)
	}
	gone := s.firm(t, `{"name":"gone","custom":{"n":7}}`)
	if _, err := s.firms.One(s.Admin, record.Operation{Kind: record.OpDelete, ID: gone.ID()}); err != nil {
		t.Fatal(err)
	}
	f := s.field(t, "account", "n")
	for rule, test := range map[string]struct {
		set  func(*record.CustomField)
		want int64
	}{
		"required":      {func(f *record.CustomField) { f.Required = true }, 1},
		"max":           {func(f *record.CustomField) { f.Max = "5" }, 1},
		"unique":        {func(f *record.CustomField) { f.Unique = true }, 2},
		"required_when": {func(f *record.CustomField) { f.RequiredWhen = json.RawMessage(`{"field":"name","value":"firm"}`) }, 1},
		"fine":          {func(f *record.CustomField) { f.Min, f.Label = "1", "Number" }, 0},
	} {
		_, err := s.K.ChangeCustomField(s.Admin, f.ID, func(f *record.CustomField) error { test.set(f); return nil })
		e := errs.As(err)
		if test.want == 0 && err != nil || test.want > 0 && (e == nil || e.Kind != errs.Conflict || e.Data["violations"] != test.want) {
			t.Errorf("%s: %v", rule, err)
		}
	}
	if _, err := s.K.ChangeCustomField(s.Other, f.ID, func(*record.CustomField) error { return nil }); errs.KindOf(err) != errs.NotFound {
		t.Errorf("from another tenant: %v", err)
	}
}

func TestHiddenFieldsKeepTheirValues(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.add(t, record.CustomField{Object: "account", Name: "code", Type: "text", FieldSettings: record.FieldSettings{Unique: true}})
	r := s.firm(t, `{"name":"One","custom":{"code":"A"}}`)
	f := s.field(t, "account", "code")
	if err := s.K.HideCustomField(s.Admin, f.ID); err != nil {
		t.Fatal(err)
	}
	if out := string(s.again(t, s.firms.Object, r.ID()).AppendJSON(nil, nil, nil)); strings.Contains(out, "code") {
		t.Errorf("shown: %s", out)
	}
	if _, err := s.save(s.Admin, s.firms.Object, record.OpUpdate, r.ID(), `{"custom":{"code":"B"}}`); refusedField(err) != "custom.code unknown_field" {
		t.Errorf("written: %v", err)
	}
	if err := s.K.AddCustomFields(s.Admin, []record.CustomField{{Object: "account", Name: "code", Type: "text"}}); errs.As(err) == nil || errs.As(err).Code != "field_hidden" {
		t.Errorf("the name is taken: %v", err)
	}
	if err := s.K.RestoreCustomField(s.Admin, f.ID); err != nil {
		t.Fatal(err)
	}
	if n := len(s.list(t, s.firms.Object, "custom.code=A")); n != 1 {
		t.Errorf("after the restore: %d", n)
	}
	if _, err := s.save(s.Admin, s.firms.Object, record.OpCreate, uuid.Nil, `{"name":"Two","custom":{"code":"A"}}`); refusedField(err) != "custom.code not_unique" {
		t.Errorf("unique again: %v", err)
	}
	if err := s.K.PurgeCustomField(s.Admin, f.ID); errs.KindOf(err) != errs.Conflict {
		t.Errorf("purge of a living field: %v", err)
	}
	if err := s.K.HideCustomField(s.Admin, f.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.K.PurgeCustomField(s.Admin, f.ID); err != nil {
		t.Fatal(err)
	}
	s.add(t, record.CustomField{Object: "account", Name: "code", Type: "integer"})
	if got := s.again(t, s.firms.Object, r.ID()); custom(got, "code") != "empty" {
		t.Errorf("after the purge: %s", custom(got, "code"))
	}
}

func TestCustomRelations(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.add(t, record.CustomField{Object: "contact", Name: "second", Type: "relation", FieldSettings: record.FieldSettings{Target: "accounts", Indexed: true}})
	f := s.firm(t, `{"name":"Firm"}`)
	theirs, err := s.firms.Create(s.Other, &firm{Name: "Foreign"})
	if err != nil {
		t.Fatal(err)
	}
	gone := s.firm(t, `{"name":"Gone"}`)
	if _, err := s.firms.One(s.Admin, record.Operation{Kind: record.OpDelete, ID: gone.ID()}); err != nil {
		t.Fatal(err)
	}
	with := func(ctx context.Context, id uuid.UUID) error {
		_, err := s.save(ctx, s.workers.Object, record.OpCreate, uuid.Nil, fmt.Sprintf(`{"last_name":"W","custom":{"second":"%s"}}`, id))
		return err
	}
	if err := with(s.Admin, f.ID()); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"foreign": with(s.Admin, theirs.ID), "missing": with(s.Admin, uuid.New()), "in the bin": with(s.Admin, gone.ID()), "invisible": with(s.Rep, f.ID())} {
		if refusedField(err) != "custom.second unknown_reference" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(s.list(t, s.workers.Object, "custom.second="+f.ID().String())); n != 1 {
		t.Errorf("filter: %d", n)
	}
}

func TestBoolWithoutDefaultIsFalse(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.worker(t, `{"last_name":"W"}`)
	if r.Get("do_not_contact") != false {
		t.Errorf("created with %v", r.Get("do_not_contact"))
	}
	r, err := s.save(s.Admin, s.workers.Object, record.OpUpdate, r.ID(), `{"do_not_contact":null,"last_name":"V"}`)
	if err != nil || r.Get("do_not_contact") != false {
		t.Errorf("cleared to %v: %v", r.Get("do_not_contact"), err)
	}
}

func TestUpsertAndUpdateOfOneRecordMeet(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.firm(t, `{"name":"One","external_id":"7"}`)
	for _, atomic := range []bool{true, false} {
		res, err := s.firms.Apply(s.Admin, []record.Operation{
			{Kind: record.OpUpdate, ID: r.ID(), Patch: record.Patch{"industry": fmt.Sprint("a", atomic)}},
			{Kind: record.OpUpsert, Key: "external_id", Patch: record.Patch{"external_id": "7", "name": fmt.Sprint("b", atomic)}},
		}, atomic)
		if err != nil || res[0].Err != nil || res[1].Err != nil || res[1].Created {
			t.Fatalf("%+v %v", res, err)
		}
		if got := s.again(t, s.firms.Object, r.ID()); got.Get("industry") != fmt.Sprint("a", atomic) || got.Get("name") != fmt.Sprint("b", atomic) {
			t.Errorf("%v %v", got.Get("industry"), got.Get("name"))
		}
	}
}
