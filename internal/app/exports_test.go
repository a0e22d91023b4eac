package app_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"crm/internal/app/apptest"
	"crm/internal/record"
	"crm/internal/record/importing"
)

// hostile are texts that break files and spreadsheets.
var hostile = []string{
	"=1+1", "+1+1", "-1+1", "@SUM(A1)", "'=1+1", "''=1+1", "'quoted'", "\"double\"", "a,b;c\td", "＝1+1", "=cmd|' /C calc'!A0", "-12.5", "+493012345678", "'-12.5", "NULL", "true", "0012", "1e5", "2024-02-29",
	"漢字 ü é", "a'b\"c,d", "[x]", "{\"a\":1}", "\\N", "  inner  space", "#REF!", "sep=;", "<b>&amp;</b>",
}

// TestRoundTrip exports records with every kind of value, takes the file in again as
// new records, and compares what the API shows.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	env := apptest.New(t)
	tn := env.Tenant(t, "acme")
	err := env.App.Kernel.AddCustomFields(tn.Ctx, []record.CustomField{
		{Object: "contact", Name: "tier", Type: "select", Options: []string{"gold", "tin"}},
		{Object: "contact", Name: "size", Type: "decimal"},
		{Object: "contact", Name: "n", Type: "integer"},
		{Object: "contact", Name: "fee", Type: "money"},
		{Object: "contact", Name: "since", Type: "date"},
		{Object: "contact", Name: "seen", Type: "datetime"},
		{Object: "contact", Name: "likes", Type: "list"},
		{Object: "contact", Name: "vip", Type: "boolean"},
		{Object: "contact", Name: "text", Type: "long_text"},
	})
	if err != nil {
		t.Fatal(err)
	}
	account := tn.Call(t, "POST", "/accounts", map[string]any{"name": "=Acme"}).JSON["id"]
	for i, text := range hostile {
		a := tn.Call(t, "POST", "/contacts", map[string]any{
			"last_name": text, "external_id": fmt.Sprintf("x%d-%s", i, text), "title": text, "source": text, "account_id": account, "tags": []any{text, "b"},
			"emails": []any{map[string]any{"value": fmt.Sprintf("a%d@example.com", i), "label": text, "primary": true}}, "phones": []any{map[string]any{"value": fmt.Sprintf("+49301234%04d", i), "label": "work", "primary": true}, map[string]any{"value": fmt.Sprintf("+49302234%04d", i), "label": "mobile", "primary": false}},
			"address": map[string]any{"street": text, "city": "Köln"}, "do_not_contact": i%2 == 0, "lifecycle": "lead", "last_contacted_at": "2024-02-29T23:59:59.123456Z",
			"custom": map[string]any{
				"tier": "gold", "size": -1.234, "n": -1500, "fee": map[string]any{"amount": "-1234", "currency": "JPY"}, "since": "2020-01-02", "seen": "2020-01-02T03:04:05.6Z", "likes": []any{text, "z"}, "vip": i%3 == 0, "text": "one\n" + text + "\n\ttwo",
			},
		})
		if a.Status != 201 {
			t.Fatalf("%q: %d %s", text, a.Status, a.Raw)
		}
	}
	before := shown(t, tn)
	for _, q := range []string{"", "all columns"} {
		body := map[string]any{"object": "contacts", "sort": "created_at"}
		if q == "" {
			body["fields"] = []any{"external_id", "last_name", "title", "source", "account_id", "tags", "emails", "phones", "address", "do_not_contact", "lifecycle", "last_contacted_at", "created_at", "owner_id", "custom"}
		}
		file := export(t, env, tn, body)
		rows, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, cell := range slices.Concat(rows...) {
			if strings.IndexByte("=@", (cell + " ")[0]) >= 0 || strings.HasPrefix(cell, "+1+") || strings.HasPrefix(cell, "-1+") {
				t.Errorf("a cell is a formula: %s", cell)
			}
		}
		contacts, _ := env.App.Kernel.Object("contact")
		ids, err := contacts.IDs(tn.Ctx, record.Query{}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		var gone []record.Operation
		for _, id := range ids {
			gone = append(gone, record.Operation{Kind: record.OpDelete, ID: id})
		}
		if _, err := contacts.Apply(tn.Ctx, gone, true); err != nil {
			t.Fatal(err)
		}
		takeIn(t, env, tn, file)
		if after := shown(t, tn); after != before {
			was, is := strings.Split(before, "\n"), strings.Split(after, "\n")
			for i := range min(len(was), len(is)) {
				if was[i] != is[i] {
					t.Fatalf("%s: record %d of %d, now %d\n was %s\n is  %s", q, i, len(was), len(is), was[i], is[i])
				}
			}
		}
	}
}

// shown is every contact as the API shows it, without what a new record has anew.
func shown(t *testing.T, tn *apptest.Tenant) string {
	t.Helper()
	a := tn.Call(t, "GET", "/contacts?limit=200&sort=created_at&fields=external_id,last_name,title,source,account_id,tags,email,emails,phone,phones,address,do_not_contact,lifecycle,last_contacted_at,created_at,owner_id,custom", nil)
	if a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	var out strings.Builder
	for _, r := range a.JSON["data"].([]any) {
		m := r.(map[string]any)
		delete(m, "id")
		line, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(line, '\n'))
	}
	return out.String()
}

// export asks over the API, works, and loads the file.
func export(t *testing.T, env *apptest.Env, tn *apptest.Tenant, body map[string]any) []byte {
	t.Helper()
	a := tn.Call(t, "POST", "/exports", body)
	if a.Status != 202 || a.JSON["state"] != "queued" || a.Header.Get("Location") == "" {
		t.Fatalf("export: %d %s", a.Status, a.Raw)
	}
	path := "/exports/" + a.JSON["id"].(string)
	if early := tn.Call(t, "GET", path+"/file", nil); early.Status != 409 {
		t.Errorf("the file before it is written: %d", early.Status)
	}
	if _, err := env.App.Exports.Run(tn.Ctx, uuid.MustParse(a.JSON["id"].(string))); err != nil {
		t.Fatal(err)
	}
	if a = tn.Call(t, "GET", path, nil); a.JSON["state"] != "done" || a.JSON["rows"] == 0.0 || a.JSON["bytes"] == 0.0 {
		t.Fatalf("export: %s", a.Raw)
	}
	file := tn.Call(t, "GET", path+"/file", nil)
	if file.Status != 200 || !strings.HasPrefix(file.Header.Get("Content-Type"), "text/csv") || !strings.HasPrefix(file.Header.Get("Content-Disposition"), "attachment; filename=\"contact-") {
		t.Fatalf("file: %d %v", file.Status, file.Header)
	}
	return file.Raw
}

func takeIn(t *testing.T, env *apptest.Env, tn *apptest.Tenant, file []byte) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	_ = form.WriteField("object", "contacts")
	part, err := form.CreateFormFile("file", "contacts.csv")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(file)
	_ = form.Close()
	a := env.Do(t, tn.Key, "POST", "/api/v1/imports", body.Bytes(), http.Header{"Content-Type": {form.FormDataContentType()}})
	if a.Status != 202 {
		t.Fatalf("import: %d %s", a.Status, a.Raw)
	}
	imp, err := env.App.Imports.Run(tn.Ctx, uuid.MustParse(a.JSON["id"].(string)), nil)
	if err != nil || imp.State != importing.Done || imp.Failed > 0 || imp.Created != int64(len(hostile)) || len(imp.Warnings) > 0 {
		t.Fatalf("import: %v, %+v", err, imp)
	}
}

// TestExportPages walks the way of a person: list, form, exports, file; without script.
func TestExportPages(t *testing.T) {
	t.Parallel()
	env := apptest.New(t)
	tn := env.Tenant(t, "acme")
	tn.User(t, "ada@example.com", "tenant_admin", "four quiet words here")
	for _, name := range []string{"Smith", "Jones"} {
		if a := tn.Call(t, "POST", "/contacts", map[string]any{"last_name": name, "source": "web"}); a.Status != 201 {
			t.Fatalf("%d %s", a.Status, a.Raw)
		}
	}
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	in := env.Do(t, "", "POST", "/sign-in", []byte("email=ada%40example.com&password=four+quiet+words+here"), form)
	cookie := ""
	for _, c := range in.Header.Values("Set-Cookie") {
		pair, _, _ := strings.Cut(c, ";")
		cookie += pair + "; "
	}
	see := func(method, path, body string, status int, texts ...string) *apptest.Answer {
		t.Helper()
		h := http.Header{"Cookie": {cookie}, "Content-Type": form["Content-Type"]}
		a := env.Do(t, "", method, path, []byte(body), h)
		if a.Status != status {
			t.Fatalf("%s %s: %d %.300s", method, path, a.Status, a.Raw)
		}
		for _, s := range texts {
			if !bytes.Contains(a.Raw, []byte(s)) {
				t.Errorf("%s %s does not show %q", method, path, s)
			}
		}
		return a
	}
	see("GET", "/acme/contacts?last_name=Smith&sort=-created_at", "", 200, "/acme/exports/new/contacts?last_name=Smith&amp;sort=-created_at")
	see("GET", "/acme/exports/new/contacts?last_name=Smith&sort=-created_at", "", 200, "1 contact:", `name="format"`, `name="columns"`)
	see("POST", "/acme/exports/new/contacts?last_name=Smith", "format=pdf", 422, "format is csv, xlsx or ndjson")
	see("GET", "/acme/exports/new/nothings", "", 404)
	done := see("POST", "/acme/exports/new/contacts?last_name=Smith&sort=-created_at", "format=csv&columns=list", 303)
	waiting := see("GET", done.Header.Get("Location"), "", 200, "Contacts, CSV", "Waiting", "Cancel")
	if waiting.Header.Get("Refresh") == "" {
		t.Error("a page of work under way does not load itself again")
	}
	list, err := env.App.Exports.List(tn.Ctx, 10)
	if err != nil || len(list) != 1 {
		t.Fatal(len(list), err)
	}
	if _, err := env.App.Exports.Run(tn.Ctx, list[0].ID); err != nil {
		t.Fatal(err)
	}
	path := "/acme/exports/" + list[0].ID.String()
	ready := see("GET", "/acme/exports", "", 200, "Ready until", path+"/file")
	if ready.Header.Get("Refresh") != "" {
		t.Error("a page of finished work loads itself again")
	}
	if file := see("GET", path+"/file", "", 200); !strings.HasPrefix(string(file.Raw), "first_name,last_name,email,phone,account_id,account,title,lifecycle,owner_id,owner,created_at\n,Smith,") || strings.Contains(string(file.Raw), "Jones") {
		t.Errorf("file: %s", file.Raw)
	}
	see("POST", path+"/cancel", "", 409)
	see("GET", "/acme/exports/new/contacts?columns=source,email&edited=1&view=board", "", 200, "2 contacts:")
	see("POST", "/acme/exports/new/contacts?columns=source,email&edited=1&view=board", "format=csv&columns=list", 303)
	if list, err = env.App.Exports.List(tn.Ctx, 1); err != nil || fmt.Sprint(list[0].Fields) != "[first_name last_name source email]" {
		t.Errorf("the columns of the list: %v, %v", list[0].Fields, err)
	}
}

// TestCardsOutAndIn writes people as vCards and takes them in again.
func TestCardsOutAndIn(t *testing.T) {
	t.Parallel()
	env := apptest.New(t)
	tn := env.Tenant(t, "acme")
	company := tn.Call(t, "POST", "/accounts", map[string]any{"name": "Müller; Söhne, KG"}).JSON["id"]
	a := tn.Call(t, "POST", "/contacts", map[string]any{
		"first_name": "=Jörg", "last_name": "Müller; \\ von", "title": "CEO\tx", "account_id": company, "tags": []any{"a", "b"}, "address": map[string]any{"street": "1 Main St, Rear", "city": "Köln", "postal_code": "0123"},
		"emails": []any{map[string]any{"value": "j@example.com", "label": "home", "primary": false}, map[string]any{"value": "w@example.com", "label": "work", "primary": true}},
		"phones": []any{map[string]any{"value": "+493012345678", "label": "mobile", "primary": true}},
	})
	if a.Status != 201 {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	id := a.JSON["id"].(string)
	tn.Call(t, "POST", "/contacts", map[string]any{"last_name": "Other"})
	one := tn.Call(t, "GET", "/contacts/"+id+"/vcard", nil)
	if one.Status != 200 || !strings.HasPrefix(one.Header.Get("Content-Type"), "text/vcard") || !strings.HasPrefix(string(one.Raw), "BEGIN:VCARD\r\nVERSION:3.0\r\n") {
		t.Fatalf("%d %v %s", one.Status, one.Header, one.Raw)
	}
	many := tn.Call(t, "GET", "/contacts/vcard?last_name[starts_with]=M", nil)
	if string(many.Raw) != string(one.Raw) {
		t.Errorf("a selection:\n%s\n%s", many.Raw, one.Raw)
	}
	if none := tn.Call(t, "GET", "/contacts/vcard?last_name=x", nil); none.Status != 200 || len(none.Raw) != 0 {
		t.Errorf("nobody: %d %s", none.Status, none.Raw)
	}
	if bad := tn.Call(t, "GET", "/contacts/vcard?nome=x", nil); bad.Status != 400 {
		t.Errorf("unknown filter: %d", bad.Status)
	}
	if d := tn.Call(t, "DELETE", "/contacts/"+id, nil); d.Status != 204 {
		t.Fatal(d.Status)
	}
	imp, err := env.App.Imports.Create(tn.Ctx, importing.Options{Object: "contacts", FileName: "people.vcf", Reader: bytes.NewReader(one.Raw)})
	if err != nil {
		t.Fatal(err)
	}
	if imp, err = env.App.Imports.Run(tn.Ctx, imp.ID, nil); err != nil || imp.Created != 1 || imp.Failed > 0 {
		t.Fatalf("%v %+v", err, imp)
	}
	again := tn.Call(t, "GET", "/contacts?last_name[starts_with]=M", nil).JSON["data"].([]any)[0].(map[string]any)
	for _, f := range []string{"first_name", "last_name", "title", "account_id", "tags", "address", "emails", "email", "phones", "phone"} {
		if was, is := fmt.Sprint(a.JSON[f]), fmt.Sprint(again[f]); was != is {
			t.Errorf("%s was %s, is %s", f, was, is)
		}
	}
}

// TestExportOfASavedView: its filter, sort and columns, over the API and from the page.
func TestExportOfASavedView(t *testing.T) {
	t.Parallel()
	env := apptest.New(t)
	tn := env.Tenant(t, "acme")
	for _, name := range []string{"Smith", "Jones", "Adams"} {
		if a := tn.Call(t, "POST", "/contacts", map[string]any{"last_name": name, "email": name + "@example.com", "source": map[bool]string{true: "fair", false: "web"}[name == "Jones"]}); a.Status != 201 {
			t.Fatalf("%d %s", a.Status, a.Raw)
		}
	}
	view := tn.Call(t, "POST", "/views", map[string]any{
		"object": "contact", "name": "From the web", "sharing": "all", "sort": "last_name", "columns": []any{"email", "source"},
		"filter": map[string]any{"and": []any{map[string]any{"field": "source", "op": "eq", "value": "web"}}},
	})
	if view.Status != 201 {
		t.Fatalf("view: %d %s", view.Status, view.Raw)
	}
	want := "first_name,last_name,email,source\n,Adams,adams@example.com,web\n,Smith,smith@example.com,web\n"
	if got := export(t, env, tn, map[string]any{"object": "contacts", "view": view.JSON["id"]}); string(got) != want {
		t.Errorf("the view: %q", got)
	}
	if got := export(t, env, tn, map[string]any{"object": "contacts", "view": view.JSON["id"], "fields": []any{"last_name"}, "filter": map[string]any{"last_name": "Adams"}}); string(got) != "last_name\nAdams\n" {
		t.Errorf("the view, narrowed: %q", got)
	}
	if a := tn.Call(t, "POST", "/exports", map[string]any{"object": "contacts", "view": "board"}); a.Status != 422 {
		t.Errorf("no view: %d %s", a.Status, a.Raw)
	}
	if a := tn.Call(t, "POST", "/exports", map[string]any{"object": "accounts", "view": view.JSON["id"]}); a.Status != 400 && a.Status != 422 {
		t.Errorf("a view of another object: %d %s", a.Status, a.Raw)
	}
}
