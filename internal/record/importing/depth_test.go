package importing_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
	"crm/internal/record/importing"
)

// book is a workbook with one sheet of the rows given.
func book(t *testing.T, rows ...[]any) string {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	for i, row := range rows {
		if err := f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := f.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestWorkbooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	day := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	text := book(t, []any{"Name", "Employees", "Annual revenue", "Created", "Note"}, []any{"Größe, \"1\"", 12, 1234.5, day, "=1+1"}, []any{}, []any{"Second", 13, 0.1, day, "x"}, []any{nil, 14, nil, nil, nil})
	imp := w.imports(w.Admin, text, importing.Options{Object: "accounts", FileName: "a.xlsx"})
	w.want(imp, "done read=4 created=2 updated=0 skipped=1 failed=1")
	if imp.Sheet != "Sheet1" {
		t.Errorf("sheet %q", imp.Sheet)
	}
	if got := w.column("select name || ' ' || employees || ' ' || annual_revenue || ' ' || created_at::date from accounts order by employees"); strings.Join(got, "; ") != "Größe, \"1\" 12 123450 2026-11-21; Second 13 10 2026-11-21" {
		t.Errorf("accounts %q", got)
	}
	if got := w.column("select row_number::text from import_errors"); fmt.Sprint(got) != "[5]" {
		t.Errorf("the refused row is %v, in the sheet it is 5", got)
	}
	for name, c := range map[string]struct {
		text, field string
		sheet       string
		kind        errs.Kind
	}{
		"no such sheet":  {text, "sheet", "People", errs.Invalid},
		"sheet of a CSV": {"name\nx\n", "sheet", "People", errs.Invalid},
		"empty book":     {book(t), "file", "", errs.Invalid},
		"a zip":          {"PK\x03\x04 nothing", "file", "", errs.Invalid},
		"old excel":      {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 999), "file", "", errs.Invalid},
		"pdf":            {"%PDF-1.7\n%\xe2\xe3", "file", "", errs.Invalid},
	} {
		_, err := w.s.Create(w.Admin, importing.Options{Object: "account", Sheet: c.sheet, Reader: strings.NewReader(c.text)})
		if e := errs.As(err); e == nil || e.Kind != c.kind || e.Fields[0].Field != c.field {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, _ := os.ReadDir(filepath.Join(w.files, w.Tenant.String())); len(left) != 0 {
		t.Errorf("%d files are left", len(left))
	}
}

func TestOneFileFillsAccountContactAndDeal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pipeline("Open", "Won")
	w.imports(w.Admin, "name,domain,employees\nAcme,acme.com,5\n", importing.Options{Object: "account"})
	file := "Last name,Email,Account: Name,account.domain,account.employees,deal.name,deal.amount,deal.stage,deal.close_date\n" +
		"Adams,a@acme.com,ACME Corp,acme.com,7,First,1000,Open,\n" +
		"Baker,b@acme.com,,acme.com,,,,,\n" +
		"Clark,c@new.net,New Ltd,new.net,9,Second,2000,Won,2026-03-04\n" +
		"Davis,d@new.net,New Ltd,new.net,9,,,,\n" +
		"Evans,e@x.net,,,,Third,3000,Nowhere,\n" +
		"Frank,f@x.net,X,,many,,,,\n" +
		"Green,g@x.net,,,,Fourth,10,,\n"
	imp := w.imports(w.Admin, file, importing.Options{Object: "contact", Key: "email"})
	w.want(imp, "done read=7 created=5 updated=0 skipped=0 failed=2")
	if a, d := imp.Objects["account"], imp.Objects["deal"]; a == nil || d == nil || a.Created != 1 || a.Updated != 1 || d.Created != 3 {
		t.Errorf("objects %+v %+v", a, d)
	}
	got := w.column("select c.last_name || ' ' || coalesce(a.name || ' ' || a.employees, '-') || ' ' || coalesce(d.name || ' ' || d.amount || ' ' || coalesce((d.account_id = c.account_id)::text, ''), '-') from contacts c left join accounts a on a.id = c.account_id left join deals d on d.contact_id = c.id order by 1")
	if strings.Join(got, "; ") != "Adams ACME Corp 7 First 100000 true; Baker ACME Corp 7 -; Clark New Ltd 9 Second 200000 true; Davis New Ltd 9 -; Green - Fourth 1000 " {
		t.Errorf("records: %q", got)
	}
	again := w.imports(w.Admin, file, importing.Options{Object: "contact", Key: "email"})
	if w.count("contacts") != 5 || w.count("accounts") != 2 || w.count("deals") != 3 || again.Objects["account"].Created != 0 {
		t.Errorf("again: %d contacts, %d accounts, %d deals", w.count("contacts"), w.count("accounts"), w.count("deals"))
	}
	if _, err := w.s.Undo(w.Admin, again.ID); err != nil && errs.KindOf(err) == errs.Internal {
		t.Error(err)
	}
	done, err := w.s.Undo(w.Admin, imp.ID)
	if err != nil || len(done.Undo.Conflicts) != 0 {
		t.Fatalf("undo: %+v, %v", done, err)
	}
	if c, a, d := w.count("contacts where deleted_at is null"), w.column("select name || employees from accounts where deleted_at is null"), w.count("deals where deleted_at is null"); c != 0 || d != 0 || fmt.Sprint(a) != "[Acme5]" {
		t.Errorf("after undo: %d contacts, %v, %d deals", c, a, d)
	}
}

func TestDealsBringContactAndAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pipeline("Open", "Won")
	file := "Deal - Title,Deal - Value,Organization - Name,Organization - Phone,Person - Name,Person - Email\n" +
		"One,10,Acme,+49301234567,Ada Smith,ada@acme.com\nTwo,20,Acme,+49301234567,Bob Young,\nThree,30,Acme,,Bob Young,\n"
	dry := w.imports(w.Admin, file, importing.Options{Object: "deal", DryRun: true})
	imp := w.imports(w.Admin, file, importing.Options{Object: "deal"})
	for _, i := range []*importing.Import{dry, imp} {
		w.want(i, "done read=3 created=3 updated=0 skipped=0 failed=0")
		if i.Preset != "pipedrive" || i.Objects["contact"].Created != 2 || i.Objects["account"].Created != 1 {
			t.Errorf("preset %q, objects %+v, warnings %+v", i.Preset, i.Objects, i.Warnings)
		}
	}
	got := w.column("select d.name || ' ' || coalesce(c.first_name, '') || ' ' || c.last_name || ' ' || a.name || ' ' || a.phone || ' ' || (c.account_id = a.id)::text from deals d join contacts c on c.id = d.contact_id join accounts a on a.id = d.account_id order by d.amount")
	if strings.Join(got, "; ") != "One Ada Smith Acme +49301234567 true; Two Bob Young Acme +49301234567 true; Three Bob Young Acme +49301234567 true" {
		t.Errorf("records %q", got)
	}
	rep := w.imports(w.Rep, "last_name,account.name\nMine,Acme\n", importing.Options{Object: "contact"})
	if rep.Failed != 0 || rep.Read != 1 {
		t.Errorf("a rep's import: %s", fates(rep))
	}
}

func TestMappingIsRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mapping := map[string]any{"Who": "name", "Size": map[string]any{"field": "employees", "values": map[string]any{"few": "3"}}, "Note": nil}
	w.want(w.imports(w.Admin, "Who,Size,Note\nA,few,x\n", importing.Options{Object: "account", Mapping: mapping}), "done read=1 created=1 updated=0 skipped=0 failed=0")
	imp := w.imports(w.Admin, "note;SIZE;who;import_error\nx;few;B;no\n", importing.Options{Object: "account", CreateFields: true})
	w.want(imp, "done read=1 created=1 updated=0 skipped=0 failed=0")
	if got := w.column("select name || employees from accounts order by 1"); fmt.Sprint(got) != "[A3 B3]" || len(imp.CreatedFields()) != 0 {
		t.Errorf("%v, fields made %v", got, imp.CreatedFields())
	}
	for name, ctxAndMap := range map[string]map[string]any{"fresh": {}, "other": {"Who": "domain"}} {
		_, err := w.s.Create(w.Admin, importing.Options{Object: "account", Mapping: ctxAndMap, Reader: strings.NewReader("Who,Size,Note\nA,1,\n")})
		if name == "fresh" && errs.KindOf(err) != errs.Invalid {
			t.Errorf("an empty mapping means by heading: %v", err)
		}
		if name == "other" && err != nil {
			t.Errorf("the mapping given wins: %v", err)
		}
	}
	if _, err := w.s.Create(w.Other, importing.Options{Object: "account", Reader: strings.NewReader("Who,Size,Note\nA,1,\n")}); errs.KindOf(err) != errs.Invalid {
		t.Errorf("another tenant remembers: %v", err)
	}
}

func TestBlankKeepsOrClears(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	full := "external_id,name,industry,billing_address.city,billing_address.country\n1,A,Steel,Berlin,DE\n"
	bare := "external_id,name,industry,billing_address.city,billing_address.country\n1,,,,DE\n"
	w.imports(w.Admin, full, importing.Options{Object: "account"})
	w.want(w.imports(w.Admin, bare, importing.Options{Object: "account", Key: "external_id"}), "done read=1 created=0 updated=0 skipped=1 failed=0")
	imp := w.imports(w.Admin, bare, importing.Options{Object: "account", Key: "external_id", Blank: importing.Clear})
	w.want(imp, "done read=1 created=0 updated=1 skipped=0 failed=0")
	if got := w.column("select name || coalesce(industry, '-') || billing_address::text from accounts"); fmt.Sprint(got) != `[A-{"country": "DE"}]` {
		t.Errorf("after clear: %v", got)
	}
	if _, err := w.s.Undo(w.Admin, imp.ID); err != nil {
		t.Fatal(err)
	}
	if got := w.column("select industry || (billing_address->>'city') from accounts"); fmt.Sprint(got) != "[SteelBerlin]" {
		t.Errorf("after undo: %v", got)
	}
}

func TestChoicesAreAddedOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.K.AddCustomFields(w.Admin, []record.CustomField{{Object: "account", Name: "tier", Label: "Tier", Type: "select", Options: []string{"gold"}}}); err != nil {
		t.Fatal(err)
	}
	file := "name,Tier\nA,Gold\nB,silver\nC,bronze\n"
	w.want(w.imports(w.Admin, file, importing.Options{Object: "account"}), "done read=3 created=1 updated=0 skipped=0 failed=2")
	w.want(w.imports(w.Admin, file, importing.Options{Object: "account", CreateOptions: true, DryRun: true}), "done read=3 created=3 updated=0 skipped=0 failed=0")
	if n := w.count("custom_fields where 'silver' = any(options)"); n != 0 {
		t.Error("a dry run added choices")
	}
	w.want(w.imports(w.Admin, file, importing.Options{Object: "account", CreateOptions: true}), "done read=3 created=3 updated=0 skipped=0 failed=0")
	if got := w.column("select options::text from custom_fields"); fmt.Sprint(got) != "[{gold,bronze,silver}]" {
		t.Errorf("choices %v", got)
	}
}

func TestDryRunSeesTheWholeFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.imports(w.Admin, "external_id,name,employees\nold,Old,1\n", importing.Options{Object: "account"})
	var text strings.Builder
	text.WriteString("external_id,name,employees,Size class\nold,Old,2,s\n,,3,\nnew,New,4,m\n")
	for i := range 2500 {
		fmt.Fprintf(&text, "%d,N%d,1,m\n", i%1200, i)
	}
	for _, o := range []importing.Options{
		{Object: "account", Mode: importing.Upsert, Key: "external_id", CreateFields: true},
		{Object: "account", Mode: importing.Create, Key: "external_id"},
		{Object: "account", Mode: importing.Update, Key: "external_id"},
		{Object: "account", Mode: importing.Create},
	} {
		o.DryRun = true
		dry := w.imports(w.Admin, text.String(), o)
		if n := w.count("import_marks"); n != 0 {
			t.Errorf("%d marks are left", n)
		}
		if o.Mode == importing.Upsert {
			checkSample(t, dry.Sample)
		}
		o.DryRun = false
		real := w.imports(w.Admin, text.String(), o)
		if fates(dry) != fates(real) {
			t.Errorf("%s: dry %s, in earnest %s", o.Mode, fates(dry), fates(real))
		}
		if _, err := w.s.Undo(w.Admin, real.ID); err != nil && real.Created+real.Updated > 0 {
			t.Fatal(err)
		}
	}
}

func checkSample(t *testing.T, sample []importing.Sampled) {
	t.Helper()
	if len(sample) != 50 {
		t.Fatalf("%d rows in the sample", len(sample))
	}
	if s := sample[0]; s.Row != 2 || s.Fate != "updated" || s.RecordID == nil || fmt.Sprint(s.Changes["employees"]) != "[1 2]" || fmt.Sprint(s.Changes["custom.size_class"]) != "[<nil> s]" || len(s.Changes) != 2 {
		t.Errorf("first row %+v", s)
	}
	if s := sample[1]; s.Row != 3 || s.Fate != "failed" || s.Field != "name" || s.Reason == "" {
		t.Errorf("second row %+v", s)
	}
	if s := sample[2]; s.Fate != "created" || fmt.Sprint(s.Changes["name"]) != "[<nil> New]" {
		t.Errorf("third row %+v", s)
	}
}

// TestRefusedRowsCanBeMendedAndSentAgain goes the whole way round: export, mend, import.
func TestRefusedRowsCanBeMendedAndSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	imp := w.imports(w.Admin, "name;Employees;Note\nA;1;=1+1\nB;many;'+49\n;3;-x\n", importing.Options{Object: "account", CreateFields: true})
	w.want(imp, "done read=3 created=1 updated=0 skipped=0 failed=2")
	var out strings.Builder
	if err := w.s.WriteErrors(w.Admin, imp.ID, &out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	if err != nil || fmt.Sprint(rows[0]) != "[name Employees Note import_error]" {
		t.Fatalf("%v %v", rows, err)
	}
	again := w.imports(w.Admin, out.String(), importing.Options{Object: "account", CreateFields: true})
	w.want(again, "done read=2 created=0 updated=0 skipped=0 failed=2")
	rows[1][1], rows[2][0] = "2", "C"
	var mended strings.Builder
	if err := csv.NewWriter(&mended).WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	w.want(w.imports(w.Admin, mended.String(), importing.Options{Object: "account", CreateFields: true}), "done read=2 created=2 updated=0 skipped=0 failed=0")
	if got := w.column("select name || employees || (custom->>'note') from accounts order by name"); strings.Join(got, " ") != "A1=1+1 B2+49 C3-x" {
		t.Errorf("accounts %q", got)
	}
	if n := w.count("custom_fields"); n != 1 {
		t.Errorf("%d fields made", n)
	}
}

func TestSweepLeavesWhatIsNeeded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	waiting, err := w.s.Create(w.Admin, importing.Options{Object: "account", Reader: strings.NewReader("name\nA\n")})
	if err != nil {
		t.Fatal(err)
	}
	up, err := w.s.Store(w.Admin, strings.NewReader("name\nB\n"))
	if err != nil {
		t.Fatal(err)
	}
	seen, err := w.s.Preview(w.Admin, up, importing.Options{Object: "account", FileName: "b.csv"}, true)
	if err != nil || seen.Upload == nil {
		t.Fatalf("%+v %v", seen, err)
	}
	if _, err := w.s.Store(w.Admin, strings.NewReader("name\nC\n")); err != nil { // nobody's
		t.Fatal(err)
	}
	later := func(d time.Duration) *importing.Service {
		return importing.New(importing.Deps{Kernel: w.K, Files: w.s.Files, Now: func() time.Time { return time.Now().Add(d) }})
	}
	for _, c := range []struct {
		after time.Duration
		gone  int
	}{{0, 0}, {2 * time.Hour, 1}, {25 * time.Hour, 1}, {25 * time.Hour, 0}} {
		if n, err := later(c.after).Sweep(t.Context()); err != nil || n != c.gone {
			t.Errorf("after %s: %d removed, want %d, %v", c.after, n, c.gone, err)
		}
	}
	if _, err := w.s.Kept(w.Admin, *seen.Upload); errs.KindOf(err) != errs.NotFound {
		t.Errorf("the upload that waited too long: %v", err)
	}
	w.want(w.run(w.Admin, waiting), "done read=1 created=1 updated=0 skipped=0 failed=0")
}

func TestPreviewThenDryRunThenImport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := "Record ID,First Name,Last Name,Work email,Lifecycle Stage,Contact owner,Create Date,Shoes\n7,Ada,Smith,ada@x.net,Lead,nobody,2024-01-02,38\n8,Bob,Young,no mail,Lead,nobody,2024-01-02,\n"
	store := func() *importing.Upload {
		up, err := w.s.Store(w.Admin, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return up
	}
	p, err := w.s.Preview(w.Admin, store(), importing.Options{Object: "contacts"}, false)
	if err != nil || p.Upload != nil || p.Preset != "hubspot" || p.Key != "external_id" || len(p.Columns) != 8 {
		t.Fatalf("%+v %v", p, err)
	}
	if c := p.Columns[3]; c.Field != "email" || c.Misfits != 1 || c.Filled != 2 || c.Confidence != 0.9 || fmt.Sprint(c.Samples) != "[ada@x.net no mail]" {
		t.Errorf("column %+v", c)
	}
	if c := p.Columns[7]; c.Field != "" || c.Confidence != 0 {
		t.Errorf("column %+v", c)
	}
	if left, _ := os.ReadDir(filepath.Join(w.files, w.Tenant.String())); len(left) != 0 || w.count("imports") != 0 {
		t.Error("a preview left something behind")
	}
	if p, err = w.s.Preview(w.Admin, store(), importing.Options{Object: "contacts", FileName: "h.csv"}, true); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"rep", "other"} {
		ctx := w.Rep
		if who == "other" {
			ctx = w.Other
		}
		if _, err := w.s.FromKept(ctx, *p.Upload, importing.Options{}); errs.KindOf(err) != errs.NotFound {
			t.Errorf("%s takes the upload: %v", who, err)
		}
	}
	for range 2 {
		dry, err := w.s.FromKept(w.Admin, *p.Upload, importing.Options{DryRun: true})
		if err != nil {
			t.Fatal(err)
		}
		w.want(w.run(w.Admin, dry), "done read=2 created=1 updated=0 skipped=0 failed=1")
	}
	if _, err := w.s.FromKept(w.Admin, *p.Upload, importing.Options{Mapping: map[string]any{"Nope": "email"}}); errs.KindOf(err) != errs.Invalid {
		t.Errorf("a wrong mapping: %v", err)
	}
	imp, err := w.s.FromKept(w.Admin, *p.Upload, importing.Options{})
	if err != nil || imp.FileName != "h.csv" {
		t.Fatal(imp, err)
	}
	w.want(w.run(w.Admin, imp), "done read=2 created=1 updated=0 skipped=0 failed=1")
	if _, err := w.s.FromKept(w.Admin, *p.Upload, importing.Options{}); errs.KindOf(err) != errs.NotFound {
		t.Errorf("the same upload twice: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(w.files, w.Tenant.String())); len(left) != 0 {
		t.Errorf("%d files are left", len(left))
	}
}

func TestSalesforceIDsAreOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.imports(w.Admin, "Id,Name,IsDeleted,OwnerId,CreatedById\n001D000000IRFmaIAH,Acme,false,,\n001D000000IRFmA,Other,false,,\n", importing.Options{Object: "account", Preset: "salesforce"})
	w.imports(w.Admin, "Id,LastName,AccountId,IsDeleted,OwnerId\n003D000000QYzcE,Smith,001D000000IRFma,false,\n", importing.Options{Object: "contact", Preset: "salesforce"})
	if got := w.column("select a.name || ' ' || a.external_id from contacts c join accounts a on a.id = c.account_id"); fmt.Sprint(got) != "[Acme 001D000000IRFmaIAH]" {
		t.Errorf("%v", got)
	}
	if n := w.count("accounts"); n != 2 {
		t.Errorf("%d accounts: ids that differ in case are two", n)
	}
}

func TestMoreHostileFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	little, big := []byte{}, []byte{0xfe, 0xff}
	for _, r := range "name,industry\r\nÄrger,Steel and more\r\n" {
		little, big = append(little, byte(r), byte(r>>8)), append(big, byte(r>>8), byte(r))
	}
	for name, c := range map[string]struct{ text, want string }{
		"utf-16 without mark": {string(little), "Ärger"},
		"utf-16 big endian":   {string(big), "Ärger"},
		"mixed line ends":     {"name,industry\r\nA,x\nB,y\r\nC,z", "A B C"},
		"short and long rows": {"name,industry\nA\nB,x,,\nC,x,y\n", "A B"},
		"nul bytes":           {"name,industry\nA\x00B,x\n", "AB"},
		"formulas":            {"name,industry\n=cmd|' /C calc'!A0,x\n@SUM(1),+x\n", "=cmd|' /C calc'!A0 @SUM(1)"},
	} {
		imp := w.imports(w.Admin, c.text, importing.Options{Object: "account"})
		got := w.column("select name from accounts where id in (select record_id from journal where batch_id = $1) order by id", imp.ID)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	before := w.count("accounts")
	for name, c := range map[string]string{
		"a gigabyte without an end of line": "name\n" + strings.Repeat("x", 40<<20),
		"ten thousand columns":              strings.Repeat("column name,", 10_000) + "\nx\n",
	} {
		imp, err := w.s.Create(w.Admin, importing.Options{Object: "account", Reader: strings.NewReader(c)})
		if err == nil {
			imp = w.run(w.Admin, imp)
		}
		if err == nil && imp.State != importing.Failed || err != nil && errs.KindOf(err) != errs.Invalid {
			t.Errorf("%s: %+v, %v", name, imp, err)
		}
	}
	if now := w.count("accounts"); now != before {
		t.Errorf("%d accounts more", now-before)
	}
}

func TestCompanionsNeedTheirRights(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := auth.As(w.Admin, func(a *auth.Actor) {
		a.Grants = auth.Grants{"contact:create": auth.All, "contact:read": auth.All, "contact:update": auth.All}
	})
	_, err := w.s.Create(ctx, importing.Options{Object: "contact", Mapping: map[string]any{"c": "account.name"}, Reader: strings.NewReader("last_name,c\nA,B\n")})
	if errs.KindOf(err) != errs.Invalid {
		t.Errorf("account.name without the right to make accounts: %v", err)
	}
}
