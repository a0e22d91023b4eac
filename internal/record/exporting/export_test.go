package exporting_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/money"
	"crm/internal/record"
	"crm/internal/record/exporting"
)

// column finds the cells below a heading.
func column(rows [][]string, heading string) []string {
	i := slices.Index(rows[0], heading)
	var out []string
	for _, r := range rows[1:] {
		if i >= 0 {
			out = append(out, r[i])
		}
	}
	return out
}

func TestExactlyWhatTheListShows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme, err := w.accounts.Create(w.Admin, &account{Name: "=Acme"})
	if err != nil {
		t.Fatal(err)
	}
	var many []*contact
	for i := range 2500 { // several batches, far beyond a page
		many = append(many, &contact{LastName: fmt.Sprintf("Smith %04d", i), FirstName: []string{"Ann", "Bob"}[i%2], AccountID: &acme.ID, Base: record.Base{OwnerID: &w.RepID}})
	}
	for part := range slices.Chunk(many, 1000) {
		if _, err := w.contacts.CreateMany(w.Admin, part); err != nil {
			t.Fatal(err)
		}
	}
	w.makeContact(w.Admin, contact{LastName: "Unseen", FirstName: "Ann", Base: record.Base{OwnerID: &w.AdminID}})
	e, raw := w.export(w.Rep, exporting.Options{
		Object: "contacts", Query: query("first_name=Ann&sort=-last_name&limit=50&cursor=x&view=y"), Fields: []string{"last_name", "account_id", "owner_id"},
	})
	rows := w.table(raw)
	if fmt.Sprint(rows[0]) != "[last_name account_id account owner_id owner]" || len(rows) != 1251 || e.Rows != 1250 {
		t.Fatalf("%v, %d rows, %+v", rows[0], len(rows)-1, e)
	}
	// The rep may read companies of their own only: the id is part of the contact, the name is not.
	if first, last := rows[1], rows[1250]; first[0] != "Smith 2498" || last[0] != "Smith 0000" || first[1] != acme.ID.String() || first[2] != "" || first[4] != "Rita Rep" {
		t.Errorf("first %v, last %v", first, last)
	}
	_, raw = w.export(w.Admin, exporting.Options{Object: "contact", Query: query("q=smith+0042"), Fields: []string{"last_name", "account_id"}})
	if got := w.table(raw); len(got) != 2 || got[1][0] != "Smith 0042" || got[1][2] != "'=Acme" {
		t.Errorf("search: %v", got)
	}
}

func TestBinAndEveryField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.K.AddCustomFields(w.Admin, []record.CustomField{
		{Object: "contact", Name: "tier", Type: "select", Options: []string{"gold", "tin"}},
		{Object: "contact", Name: "size", Type: "decimal"},
		{Object: "contact", Name: "fee", Type: "money"},
		{Object: "contact", Name: "since", Type: "date"},
		{Object: "contact", Name: "likes", Type: "list"},
		{Object: "contact", Name: "vip", Type: "boolean"},
	}); err != nil {
		t.Fatal(err)
	}
	when := time.Date(2024, 2, 29, 23, 59, 59, 123456000, time.UTC)
	res, err := w.contacts.One(w.Admin, record.Operation{Kind: record.OpCreate, Patch: record.Patch{
		"last_name": "-1+1", "first_name": `a "b", c`, "phone": "+493012345678", "tags": []string{"a", "b"}, "last_contacted_at": when, "do_not_contact": true,
		"custom.tier": "gold", "custom.size": -1.5, "custom.fee": money.Amount{Minor: -12345, Currency: "EUR"}, "custom.since": time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC), "custom.likes": []string{"x,y", "z"}, "custom.vip": true,
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.contacts.One(w.Admin, record.Operation{Kind: record.OpDelete, ID: res.Record.ID()}); err != nil {
		t.Fatal(err)
	}
	if _, raw := w.export(w.Admin, exporting.Options{Object: "contact"}); len(w.table(raw)) != 1 {
		t.Errorf("the living: %s", raw)
	}
	_, raw := w.export(w.Admin, exporting.Options{Object: "contact", Query: query("trash=true")})
	rows := w.table(raw)
	want := map[string]string{
		"id": res.Record.ID().String(), "last_name": "'-1+1", "first_name": `a "b", c`, "phone": "+493012345678", "tags": "a, b", "last_contacted_at": "2024-02-29T23:59:59.123456Z", "do_not_contact": "true",
		"custom.tier": "gold", "custom.size": "-1.5", "custom.fee": "'-123.45 EUR", "custom.since": "2020-01-02", "custom.likes": `["x,y","z"]`, "custom.vip": "true", "account_id": "", "account": "", "version": "2",
	}
	for heading, cell := range want {
		if got := column(rows, heading); len(got) != 1 || got[0] != cell {
			t.Errorf("%s: %q, want %q", heading, got, cell)
		}
	}
	_, raw = w.export(w.Admin, exporting.Options{Object: "contact", Format: exporting.NDJSON, Query: query("trash=true"), Fields: []string{"last_name", "custom.size"}})
	if got := string(raw); got != `{"last_name":"-1+1","custom":{"size":-1.5}}`+"\n" {
		t.Errorf("ndjson: %s", got)
	}
	_, raw = w.export(w.Admin, exporting.Options{Object: "contact", Format: exporting.NDJSON, Query: query("trash=true")})
	again, err := w.contacts.Object.Get(w.Admin, res.Record.ID())
	if err != nil || string(raw) != string(again.AppendJSON(nil, nil, nil))+"\n" {
		t.Errorf("%v: ndjson is not what the API shows:\n%s\n%s", err, raw, again.AppendJSON(nil, nil, nil))
	}
}

func TestMoneyAndAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := int64(-7)
	if _, err := w.accounts.Create(w.Admin, &account{Name: "A", Employees: &n, AnnualRevenue: &money.Amount{Minor: -150, Currency: "JPY"}, BillingAddress: map[string]any{"street": "=1 Main St\nRear", "city": "Köln"}}); err != nil {
		t.Fatal(err)
	}
	_, raw := w.export(w.Admin, exporting.Options{Object: "accounts", Fields: []string{"name", "employees", "annual_revenue", "billing_address"}})
	want := "name,employees,annual_revenue,annual_revenue.currency,billing_address.street,billing_address.city,billing_address.region,billing_address.postal_code,billing_address.country\n" +
		"A,-7,-150,JPY,\"'=1 Main St\nRear\",Köln,,,\n"
	if string(raw) != want {
		t.Errorf("%q\n%q", raw, want)
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.makeContact(w.Admin, contact{LastName: "Mine", Base: record.Base{OwnerID: &w.RepID}})
	w.makeContact(w.Admin, contact{LastName: "Theirs", Base: record.Base{OwnerID: &w.AdminID}})
	opts := exporting.Options{Object: "contact", Fields: []string{"last_name"}}
	for name, c := range map[string]struct {
		grant string
		scope auth.Scope
		rows  int64
	}{"by reading": {"x:y", auth.All, 1}, "export is no more than reading": {"contact:export", auth.All, 1}} {
		if e, _ := w.export(may(w.Rep, c.grant, c.scope), opts); e.Rows != c.rows {
			t.Errorf("%s: %d rows", name, e.Rows)
		}
	}
	if e, _ := w.export(may(w.Admin, "*:export", auth.Own), opts); e.Rows != 1 {
		t.Errorf("a role held to its own exports %d rows", e.Rows)
	}
	_, err := w.s.Create(may(w.Admin, "contact:export", auth.None), opts)
	if errs.KindOf(err) != errs.Forbidden {
		t.Errorf("export forbidden: %v", err)
	}
	e, _ := w.export(w.Admin, opts)
	if _, err := w.s.Open(may(w.Admin, "contact:read", auth.Own), e); errs.KindOf(err) != errs.Forbidden {
		t.Errorf("whose rights shrank still gets the file: %v", err)
	}
	if _, err := w.s.Get(w.Rep, e.ID); errs.KindOf(err) != errs.NotFound {
		t.Errorf("a rep sees the admin's export: %v", err)
	}
	if _, err := w.s.Get(w.Other, e.ID); errs.KindOf(err) != errs.NotFound {
		t.Errorf("another tenant sees the export: %v", err)
	}
	reps, _ := w.export(w.Rep, opts)
	if _, err := w.s.Get(w.Admin, reps.ID); err != nil {
		t.Errorf("an admin does not see the rep's export: %v", err)
	}
	if list, err := w.s.List(w.Rep, 10); err != nil || len(list) != 3 {
		t.Errorf("the rep's list: %d, %v", len(list), err) // two above and this one
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, opts := range map[string]exporting.Options{
		"no object":        {},
		"unknown object":   {Object: "x"},
		"unknown format":   {Object: "contact", Format: "pdf"},
		"unknown column":   {Object: "contact", Fields: []string{"nome"}},
		"unknown filter":   {Object: "contact", Query: query("nome=1")},
		"unknown operator": {Object: "contact", Query: query("last_name[near]=1")},
		"unknown sort":     {Object: "contact", Query: query("sort=nome")},
	} {
		if _, err := w.s.Create(w.Admin, opts); errs.KindOf(err) != errs.Invalid && errs.KindOf(err) != errs.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEndsOfAnExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.makeContact(w.Admin, contact{LastName: "A"})
	e, err := w.s.Create(w.Admin, exporting.Options{Object: "contact"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.s.Open(w.Admin, e); errs.KindOf(err) != errs.Conflict {
		t.Errorf("file before it is written: %v", err)
	}
	if e, err = w.s.Cancel(w.Admin, e.ID); err != nil || e.State != exporting.Cancelled {
		t.Fatalf("cancel: %v, %+v", err, e)
	}
	if e, err = w.s.Run(w.Admin, e.ID); err != nil || e.State != exporting.Cancelled {
		t.Errorf("run a cancelled one: %v, %+v", err, e)
	}
	done, _ := w.export(w.Admin, exporting.Options{Object: "contact"})
	if _, err := w.s.Cancel(w.Admin, done.ID); errs.KindOf(err) != errs.Conflict {
		t.Errorf("cancel when done: %v", err)
	}
	w.now = w.now.Add(exporting.Kept - time.Minute)
	if err := w.s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.file(w.Admin, done)
	w.now = w.now.Add(2 * time.Minute)
	if err := w.s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if done, err = w.s.Get(w.Admin, done.ID); err != nil || done.State != exporting.Expired {
		t.Fatalf("a day later: %v, %+v", err, done)
	}
	if _, err := w.s.Open(w.Admin, done); errs.KindOf(err) != errs.NotFound {
		t.Errorf("file after a day: %v", err)
	}
	if kinds := w.journal(done.ID); fmt.Sprint(kinds) != "[created finished downloaded downloaded]" {
		t.Errorf("journal: %v", kinds)
	}
}

// journal lists what happened to an export, and finds no value of a record in it.
func (w *world) journal(id uuid.UUID) []string {
	w.t.Helper()
	rows, err := w.SQL.Owner.Query(w.t.Context(), `select action, data::text from journal where tenant_id = $1 and object = 'export' and record_id = $2 order by seq`, w.Tenant, id)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var action, data string
		if err := rows.Scan(&action, &data); err != nil {
			w.t.Fatal(err)
		}
		if strings.Contains(data, "secret") {
			w.t.Errorf("the journal holds a value: %s", data)
		}
		out = append(out, action)
	}
	return out
}

func TestJournalHoldsNoValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e, _ := w.export(w.Admin, exporting.Options{Object: "contact", Query: query("email=secret@example.com&q=secret")})
	if got := w.journal(e.ID); len(got) != 3 {
		t.Errorf("%v", got)
	}
}

func TestWhoLeftGetsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.s.Actor = func(context.Context, auth.Actor) (*auth.Actor, error) {
		return nil, errs.New(errs.Forbidden, "left", "Whoever asked for this may no longer sign in.")
	}
	e, err := w.s.Create(w.Admin, exporting.Options{Object: "contact"})
	if err != nil {
		t.Fatal(err)
	}
	if e, err = w.s.Run(w.Admin, e.ID); err != nil || e.State != exporting.Failed || !strings.Contains(e.Error, "no longer") {
		t.Errorf("%v, %+v", err, e)
	}
}

func TestReadFilter(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`null`: "", `""`: "", `{}`: "",
		`{"status":"new","score[gte]":70,"vip":true}`: "score%5Bgte%5D=70&status=new&vip=true",
		`{"status[in]":["new","working"]}`:            "status%5Bin%5D=new%2Cworking",
		`"status=new&score[gte]=70"`:                  "score%5Bgte%5D=70&status=new",
		`{"and":[{"field":"a"}]}`:                     "filter=%7B%22and%22%3A%5B%7B%22field%22%3A%22a%22%7D%5D%7D",
		`"{\"field\":\"a\"}"`:                         "filter=%7B%22field%22%3A%22a%22%7D",
		`{"a":{"b":1}}`:                               "refused",
		`[1]`:                                         "refused",
		`{"a":null}`:                                  "refused",
		`{"limit":1}`:                                 "refused",
	} {
		q := query("")
		got := "refused"
		if exporting.ReadFilter(json.RawMessage(raw), q) == nil {
			got = q.Encode()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
}
