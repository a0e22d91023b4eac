package importing_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/jobs"
	"crm/internal/record"
	"crm/internal/record/importing"
)

func TestModes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := "External ID,Last name,Title\na,Adams,\nb,Baker,CEO\n"
	w.want(w.imports(w.Admin, first, importing.Options{Object: "contact"}), "done read=2 created=2 updated=0 skipped=0 failed=0")
	again := "external_id,last_name,title\na,Adams,CTO\nb,Baker,CEO\nc,Clark,\nc,Clarke,\n"
	for _, c := range []struct {
		mode importing.Mode
		key  string
		fate string
	}{
		{importing.Create, "", "done read=4 created=1 updated=0 skipped=0 failed=3"},            // c twice: the second is a double
		{importing.Create, "external_id", "done read=4 created=0 updated=0 skipped=4 failed=0"}, // all are there
		{importing.Update, "", "done read=4 created=0 updated=2 skipped=2 failed=0"},            // a gets its title, c is renamed
		{importing.Upsert, "external_id", "done read=4 created=0 updated=2 skipped=2 failed=0"}, // c is renamed twice
		{"", "external_id", "done read=4 created=0 updated=2 skipped=2 failed=0"},               // a key alone means upsert
	} {
		imp := w.imports(w.Admin, again, importing.Options{Object: "contacts", Mode: c.mode, Key: c.key})
		w.want(imp, c.fate)
	}
	if got := w.column("select last_name || coalesce(title, '') from contacts order by external_id"); strings.Join(got, " ") != "AdamsCTO BakerCEO Clarke" {
		t.Errorf("contacts are %v", got)
	}
	if n := w.count("contacts"); n != 3 {
		t.Errorf("%d contacts", n)
	}
}

func TestUpsertByAddressSeesOnlyWhatTheRepSees(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.imports(w.Admin, "last_name,email\nTheirs,x@example.com\n", importing.Options{Object: "contact"})
	imp := w.imports(w.Rep, "last_name,email\nMine,X@Example.com\n", importing.Options{Object: "contact", Key: "email"})
	w.want(imp, "done read=1 created=1 updated=0 skipped=0 failed=0")
	if got := w.column("select last_name from contacts where owner_id = $1", w.RepID); strings.Join(got, " ") != "Mine" {
		t.Errorf("the rep owns %v", got)
	}
	if _, err := w.s.Get(w.Other, imp.ID); errs.KindOf(err) != errs.NotFound {
		t.Errorf("another tenant reads the import: %v", err)
	}
	theirs := w.imports(w.Admin, "last_name\nA\n", importing.Options{Object: "contact"})
	if _, err := w.s.Get(w.Rep, theirs.ID); errs.KindOf(err) != errs.NotFound {
		t.Errorf("a rep reads an admin's import: %v", err)
	}
	if list, err := w.s.List(w.Rep, 50); err != nil || len(list) != 1 {
		t.Errorf("the rep's list: %d, %v", len(list), err)
	}
	if _, err := w.s.Create(w.Rep, importing.Options{Object: "product", Reader: strings.NewReader("name\nx\n")}); errs.KindOf(err) != errs.Forbidden {
		t.Errorf("import without the right: %v", err)
	}
}

func TestBadRowsAreKeptAndTheRestGoesIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := "name,Employees,owner,Parent company,Note\n" +
		"Good,12,,,\n" +
		"Bad number,twelve,,,=HYPERLINK(\"http://x\")\n" +
		",3,,,no name\n" +
		"Unknown owner,3,nobody@example.com,,+49 30 1\n" +
		"Ragged,1,,,,,x\n" +
		"   ,,,,\n" +
		"\"Long " + strings.Repeat("x", 600) + "\",3,,,\n" +
		"NUL\x00name,1.000,Rita Rep,good,-5\n"
	imp := w.imports(w.Admin, file, importing.Options{Object: "accounts"})
	w.want(imp, "done read=8 created=2 updated=0 skipped=1 failed=5")
	if got := strings.Join(imp.SkippedColumns(), " "); got != "Note" {
		t.Errorf("skipped columns %q", got)
	}
	if got := w.column("select row_number || ' ' || field || ' ' || code from import_errors order by row_number"); strings.Join(got, "; ") != "3 employees not_a_number; 4 name required; 5 owner_id unknown_user; 6  ragged_row; 8 name too_long" {
		t.Errorf("refused: %s", strings.Join(got, "; "))
	}
	if n := w.count("accounts a join accounts p on p.id = a.parent_id where a.name = 'NULname' and a.employees = 1000 and a.owner_id = $1 and p.name = 'Good'", w.RepID); n != 1 {
		t.Error("the last row did not come in whole")
	}
	var out strings.Builder
	if err := w.s.WriteErrors(w.Admin, imp.ID, &out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.ReplaceAll(out.String(), ",,,,,x,", ",,,,"))).ReadAll()
	if err != nil || len(rows) != 6 {
		t.Fatalf("errors.csv: %d rows, %v\n%s", len(rows), err, out.String())
	}
	if rows[1][4] != `'=HYPERLINK("http://x")` || rows[3][4] != "'+49 30 1" || rows[0][5] != "import_error" || !strings.Contains(rows[1][5], "twelve") {
		t.Errorf("errors.csv is not harmless or tells no reason: %q", rows)
	}
}

func TestDryRunCountsAndWritesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.imports(w.Admin, "external_id,name\n1,One\n", importing.Options{Object: "account"})
	before := w.count("journal")
	imp := w.imports(w.Admin, "external_id,name,founded,Owner\n1,First,1999,\n2,Two,2001,\n3,,1,\n", importing.Options{Object: "account", Mode: importing.Upsert, DryRun: true, CreateFields: true})
	w.want(imp, "done read=3 created=1 updated=1 skipped=0 failed=1")
	if n := w.count("accounts"); n != 1 {
		t.Errorf("%d accounts after a dry run", n)
	}
	if n := w.count("custom_fields"); n != 0 {
		t.Errorf("%d fields after a dry run", n)
	}
	if n := w.count("journal where object <> 'import'") - before + 1; n != 0 {
		t.Errorf("%d journal rows after a dry run", n)
	}
	if _, err := w.s.Undo(w.Admin, imp.ID); errs.KindOf(err) != errs.Conflict {
		t.Errorf("undo of a dry run: %v", err)
	}
}

func TestDialects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	utf16 := func(s string) string {
		b := []byte{0xff, 0xfe}
		for _, r := range s {
			b = append(b, byte(r), byte(r>>8))
		}
		return string(b)
	}
	for name, c := range map[string]struct{ text, want string }{
		"bom and crlf":     {"\ufeffname;annual_revenue\r\nGröße;1.234,50\r\n", "Größe 123450"},
		"windows-1252":     {"name;annual_revenue\nGr\xf6\xdfe;1234,5\n", "Größe 123450"},
		"tab":              {"name\tannual_revenue\nA, B\t1234.5\n", "A, B 123450"},
		"pipe":             {"name|annual_revenue\nA|1,234.50\n", "A 123450"},
		"sep line":         {"sep=;\nname;annual_revenue\nA;1 234,50 €\n", "A 123450"},
		"old mac":          {"name,annual_revenue\rA,1234.50\r", "A 123450"},
		"utf-16":           {utf16("name\tannual_revenue\nÄ\t1234.50\n"), "Ä 123450"},
		"quoted newline":   {"name,annual_revenue\n\"A \"\"B\"\" C\nD\",\"$1,234.50\"\n", `A "B" C D 123450`},
		"bare quote":       {"name,annual_revenue\nA \"B\" C,1234.50\n", `A "B" C 123450`},
		"damaged utf-8":    {"name,annual_revenue\nÄÖÜäöüßÄÖÜÄÖÜ\xff,1234.50\n", "ÄÖÜäöüßÄÖÜÄÖÜ 123450"},
		"starred headings": {"Name *,Annual Revenue\nA,(1234.50)\n", "A -123450"},
		"no last newline":  {"name,annual_revenue\nA,1234.50", "A 123450"},
		"formula guard":    {"name,annual_revenue\n'=A,1234.50\n", "=A 123450"},
	} {
		imp := w.imports(w.Admin, c.text, importing.Options{Object: "account"})
		got := w.column("select name || ' ' || annual_revenue from accounts where id = (select record_id from journal where batch_id = $1)", imp.ID)
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%s: got %q, want %q (%s %+v)", name, got, c.want, fates(imp), imp.Columns)
		}
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pipeline("Open", "Won")
	for name, c := range map[string]struct{ cells, want string }{
		"iso":       {"2026-03-04", "2026-03-04"},
		"dots":      {"04.03.2026", "2026-03-04"},
		"day first": {"04/03/2026|31/12/2026", "2026-03-04 2026-12-31"},
		"us":        {"03/04/2026|12/31/2026", "2026-03-04 2026-12-31"},
		"short":     {"3/4/26", "2026-03-04"},
		"words":     {"4 Mar 2026|March 4, 2026", "2026-03-04 2026-03-04"},
		"instants":  {"2026-03-04T10:00:00.000+0000|2026-03-04 10:00", "2026-03-04 2026-03-04"},
	} {
		text := "name,expected_close_date\n"
		for i, cell := range strings.Split(c.cells, "|") {
			text += fmt.Sprintf("%d,\"%s\"\n", i, cell)
		}
		imp := w.imports(w.Admin, text, importing.Options{Object: "deals"})
		got := w.column("select d.expected_close_date::text from deals d join journal j on j.record_id = d.id where j.batch_id = $1 order by d.name", imp.ID)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q (%s)", name, got, c.want, fates(imp))
		}
	}
}

func TestRefusedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ok := "name\nx\n"
	for name, c := range map[string]struct {
		text, field string
		o           importing.Options
	}{
		"empty":            {"", "file", importing.Options{Object: "account"}},
		"blank":            {"\n\n\n", "file", importing.Options{Object: "account"}},
		"header only":      {"name,industry\n", "file", importing.Options{Object: "account"}},
		"binary":           {"\x00\x01\x02\x03" + strings.Repeat("\x00\xff\x07", 500), "file", importing.Options{Object: "account"}},
		"xlsx":             {"PK\x03\x04rest", "file", importing.Options{Object: "account"}},
		"no heading":       {"a@example.com,b\nc@example.com,d\n", "file", importing.Options{Object: "account"}},
		"unknown object":   {ok, "object", importing.Options{Object: "unicorn"}},
		"no object":        {ok, "object", importing.Options{}},
		"unknown field":    {ok, "mapping.name", importing.Options{Object: "account", Mapping: map[string]any{"name": "nome"}}},
		"unknown column":   {ok, "mapping.nome", importing.Options{Object: "account", Mapping: map[string]any{"nome": "name"}}},
		"read-only field":  {"name,s\nx,1\n", "mapping.s", importing.Options{Object: "lead", Mapping: map[string]any{"s": "score"}}},
		"mapped twice":     {"a,b\nx,y\n", "mapping.b", importing.Options{Object: "account", Mapping: map[string]any{"a": "name", "b": "name"}}},
		"strange mapping":  {ok, "mapping.name", importing.Options{Object: "account", Mapping: map[string]any{"name": []any{1}}}},
		"nothing matches":  {"foo,bar\n1,2\n", "mapping", importing.Options{Object: "account"}},
		"unknown mode":     {ok, "mode", importing.Options{Object: "account", Mode: "replace"}},
		"upsert, no key":   {ok, "key", importing.Options{Object: "account", Mode: importing.Upsert}},
		"key not mapped":   {ok, "key", importing.Options{Object: "account", Key: "external_id"}},
		"unknown key":      {ok, "key", importing.Options{Object: "account", Key: "nome"}},
		"unknown preset":   {ok, "preset", importing.Options{Object: "account", Preset: "act"}},
		"too many columns": {strings.Repeat("c,", 1001) + "\nx\n", "file", importing.Options{Object: "account"}},
	} {
		c.o.Reader = strings.NewReader(c.text)
		_, err := w.s.Create(w.Admin, c.o)
		e := errs.As(err)
		if e == nil || e.Kind != errs.Invalid || len(e.Fields) == 0 || e.Fields[0].Field != c.field {
			t.Errorf("%s: %v, want a refusal of %s", name, err, c.field)
		}
	}
	left, err := os.ReadDir(w.files + "/" + w.Tenant.String())
	if err != nil || len(left) != 0 {
		t.Errorf("%d refused files are left, %v", len(left), err)
	}
}

func TestHostileFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct{ text, fate string }{
		"cell of a megabyte": {"name\n" + strings.Repeat("x", 1<<20) + "\nok\n", "done read=2 created=1 updated=0 skipped=0 failed=1"},
		"unclosed quote":     {"name\nok\n\"" + strings.Repeat("never closed\n", 1<<20), "failed read=1 created=1 updated=0 skipped=0 failed=0"},
		"same heading twice": {"name,name,Name\nA,B,C\n", "done read=1 created=1 updated=0 skipped=0 failed=0"},
		"empty headings":     {"name,,\nA,B,C\n", "done read=1 created=1 updated=0 skipped=0 failed=0"},
		"overlong headings":  {"name," + strings.Repeat("h", 199) + "\nA,B\n", "done read=1 created=1 updated=0 skipped=0 failed=0"},
		"odd characters":     {"name,h\x1bead\u202e\n\u202eA\u200b\x07B\ufffe,\x1b[31m\n", "done read=1 created=1 updated=0 skipped=0 failed=0"},
		"no such date":       {"name,created_at\nA,2026-02-31\nB,99999999\n", "done read=2 created=0 updated=0 skipped=0 failed=2"},
		"huge numbers":       {"name,employees,annual_revenue\nA,99999999999999999999,1\nB,1,99999999999999999999\nC,1e999,1\n", "done read=3 created=0 updated=0 skipped=0 failed=3"},
		"points to itself":   {"name,Parent company\nA1,A1\n", "done read=1 created=1 updated=0 skipped=0 failed=0"},
	} {
		w.want(w.imports(w.Admin, c.text, importing.Options{Object: "account", CreateFields: true, FileName: name}), c.fate)
	}
}

// TestKilledInTheMiddle stops a worker again and again between and within chunks;
// whoever goes on must neither lose nor double a row.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const rows = 12_000
	var text strings.Builder
	text.WriteString("external_id,last_name,company ref\n")
	for i := range rows {
		fmt.Fprintf(&text, "%d,Größe %d,\"line one\nline two\"\n", i, i)
		if i%1000 == 7 {
			text.WriteString("x,,\n,,\n") // one without a name is fine, an empty one is skipped
		}
	}
	imp, err := w.s.Create(w.Admin, importing.Options{Object: "contact", Reader: strings.NewReader(text.String()), Mode: importing.Upsert, Key: "external_id"})
	if err != nil {
		t.Fatal(err)
	}
	for kills := 1; kills <= 8; kills++ {
		w.killAfter(imp, kills)
		now, err := w.s.Get(w.Admin, imp.ID)
		if err != nil || now.Read != now.Created+now.Updated+now.Skipped+now.Failed || now.Created != w.count("contacts") {
			t.Fatalf("after kill %d: %s, %d contacts, %v", kills, fates(now), w.count("contacts"), err)
		}
		if kills < 3 && now.State.Over() {
			t.Fatal("the worker was not killed in the middle")
		}
	}
	imp = w.run(w.Admin, imp)
	w.want(imp, fmt.Sprintf("done read=%d created=%d updated=0 skipped=%d failed=0", rows+24, rows+1, 12+11))
	if n := w.count("contacts"); n != rows+1 {
		t.Errorf("%d contacts", n)
	}
	if n := w.count("journal where batch_id = $1", imp.ID); n != rows+1 {
		t.Errorf("%d journal rows", n)
	}
	got := w.column("select external_id from contacts where external_id <> 'x' order by id")
	for i, ext := range got {
		if ext != fmt.Sprint(i) {
			t.Fatalf("row %d came in as number %s: not in file order", i, ext)
		}
	}
}

// killAfter works the import until the n-th read of the clock, then ends its context
// as a killed process would: in the middle of whatever it was doing.
func (w *world) killAfter(imp *importing.Import, n int) {
	w.t.Helper()
	ctx, kill := context.WithCancel(w.Admin)
	defer kill()
	var reads atomic.Int64
	s := importing.New(importing.Deps{Kernel: w.K, Files: w.s.Files, Now: func() time.Time {
		if reads.Add(1) > int64(n+2) {
			kill()
		}
		return time.Now()
	}})
	_, err := s.Run(ctx, imp.ID, nil)
	if err == nil {
		return // it was through already
	}
	if !errors.Is(err, context.Canceled) && errs.KindOf(err) != errs.Unavailable {
		w.t.Fatalf("killed worker: %v", err)
	}
}

// TestBadRowsAmongMany: a few refused rows must not cost the others their speed, which
// shows in the number of journal transactions rather than in time.
func TestBadRowsAmongMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var text strings.Builder
	text.WriteString("name,employees\n")
	for i := range 3000 {
		if i%1000 == 500 {
			text.WriteString(",7\n")
			continue
		}
		fmt.Fprintf(&text, "N%d,7\n", i)
	}
	imp := w.imports(w.Admin, text.String(), importing.Options{Object: "account"})
	w.want(imp, "done read=3000 created=2997 updated=0 skipped=0 failed=3")
	got := w.column("select e.row_number::text from import_errors e order by e.row_number")
	if strings.Join(got, " ") != "502 1502 2502" {
		t.Errorf("refused rows %v", got)
	}
	if n := w.count("(select distinct at from journal where batch_id = $1) s", imp.ID); n > 3*25 {
		t.Errorf("%d saves", n)
	}
	if got := w.column("select name from accounts order by id"); got[0] != "N0" || got[500] != "N501" || got[2996] != "N2999" {
		t.Error("rows are not in file order")
	}
}

func TestTwoWorkersAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var text strings.Builder
	text.WriteString("last_name\n")
	for i := range 8000 {
		fmt.Fprintf(&text, "N%d\n", i)
	}
	imp, err := w.s.Create(w.Admin, importing.Options{Object: "contact", Reader: strings.NewReader(text.String())})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 3)
	for range 3 {
		go func() {
			_, err := w.s.Run(w.Admin, imp.ID, nil)
			done <- err
		}()
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	imp, err = w.s.Get(w.Admin, imp.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.want(imp, "done read=8000 created=8000 updated=0 skipped=0 failed=0")
	if n := w.count("contacts"); n != 8000 {
		t.Errorf("%d contacts", n)
	}
}

// TestJob runs the import as River does, cancels one, and undoes the other.
func TestJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	registry := jobs.NewRegistry()
	var s *importing.Service
	importing.Work(registry, func() *importing.Service { return s })
	client, err := jobs.New(registry, jobs.Options{Pool: w.DB.Pool(), Log: slog.New(slog.DiscardHandler), Works: true})
	if err != nil {
		t.Fatal(err)
	}
	s = importing.New(importing.Deps{Kernel: w.K, Files: w.s.Files, Jobs: client})
	cancelled, err := s.Create(w.Admin, importing.Options{Object: "contact", Reader: strings.NewReader("last_name\nA\n")})
	if err != nil {
		t.Fatal(err)
	}
	if cancelled, err = s.Cancel(w.Admin, cancelled.ID); err != nil {
		t.Fatal(err)
	}
	w.want(cancelled, "cancelled read=0 created=0 updated=0 skipped=0 failed=0")
	var text strings.Builder
	text.WriteString("last_name,tier\n")
	for i := range 6000 {
		fmt.Fprintf(&text, "N%d,gold\n", i)
	}
	imp, err := s.Create(w.Admin, importing.Options{Object: "contact", Reader: strings.NewReader(text.String()), CreateFields: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
		defer stop()
		_ = client.Stop(ctx)
	})
	if imp, err = s.Wait(w.Admin, imp.ID, nil); err != nil {
		t.Fatal(err)
	}
	w.want(imp, "done read=6000 created=6000 updated=0 skipped=0 failed=0")
	if n := w.count("journal where batch_id = $1 and via = 'import' and actor_id = $2", imp.ID, w.AdminID); n != 6000 {
		t.Errorf("%d journal rows in the admin's name", n)
	}
	w.exec("update contacts set version = 2, title = 'edited', updated_at = now() where last_name = 'N7'")
	if imp, err = s.Undo(w.Admin, imp.ID); err != nil {
		t.Fatal(err)
	}
	if imp, err = s.Wait(w.Admin, imp.ID, nil); err != nil || imp.Undo.State != "done" {
		t.Fatalf("undo: %+v %v", imp.Undo, err)
	}
	if imp.Undo.Reversed != 5999 || w.count("contacts where deleted_at is null and last_name = 'N7'") != 1 || w.count("contacts where deleted_at is null") != 1 {
		t.Errorf("undone %d, %d left", imp.Undo.Reversed, w.count("contacts where deleted_at is null"))
	}
	if len(imp.Undo.Conflicts) != 1 || imp.Undo.Conflicts[0].Field != "title" || imp.Undo.Conflicts[0].Current != "edited" {
		t.Errorf("conflicts %+v", imp.Undo.Conflicts)
	}
}

func TestUndoListsWhatWasEditedSince(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.imports(w.Admin, "external_id,last_name,title\n1,One,CEO\n2,Two,CEO\n", importing.Options{Object: "contact"})
	imp := w.imports(w.Admin, "external_id,last_name,title\n1,One,CTO\n2,Two,CTO\n3,Three,CTO\n", importing.Options{Object: "contact", Key: "external_id"})
	w.want(imp, "done read=3 created=1 updated=2 skipped=0 failed=0")
	o, _ := w.K.Object("contact")
	page, err := o.List(w.Admin, record.Query{Search: "", Limit: 10, Sort: "external_id"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.One(w.Admin, record.Operation{Kind: record.OpUpdate, ID: page.Records[1].ID(), Patch: record.Patch{"title": "Chair"}}); err != nil {
		t.Fatal(err)
	}
	if imp, err = w.s.Undo(w.Admin, imp.ID); err != nil {
		t.Fatal(err)
	}
	if imp.Undo.State != "done" || imp.Undo.Reversed != 2 || len(imp.Undo.Conflicts) != 1 || imp.Undo.Conflicts[0].Field != "title" {
		t.Errorf("undo: %+v", imp.Undo)
	}
	if got := w.column("select external_id || title from contacts where deleted_at is null order by 1"); strings.Join(got, " ") != "1CEO 2Chair" {
		t.Errorf("after undo %v", got)
	}
	again, err := w.s.Undo(w.Admin, imp.ID)
	if err != nil || again.Undo.Reversed != 2 {
		t.Errorf("a second undo: %+v %v", again, err)
	}
}

func TestRelations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.imports(w.Admin, "name,external_id,domain\nGTX Pro GmbH,77,gtx.example\nDup,,\nDup,,\n", importing.Options{Object: "account"})
	mapping := map[string]any{"n": "last_name", "c": "account", "o": "owner"}
	for cell, want := range map[string]string{"GTXPro GmbH": "GTX Pro GmbH", "77": "GTX Pro GmbH", "GTX.example": "GTX Pro GmbH", "Dup": "Dup"} {
		imp := w.imports(w.Admin, "n,c,o\nx,"+cell+",Rita Rep\n", importing.Options{Object: "contact", Mapping: mapping})
		w.want(imp, "done read=1 created=1 updated=0 skipped=0 failed=0")
		got := w.column("select a.name from contacts c join accounts a on a.id = c.account_id join journal j on j.record_id = c.id where j.batch_id = $1 and c.owner_id = $2", imp.ID, w.RepID)
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s means %v, want %s", cell, got, want)
		}
	}
	asked := w.imports(w.Admin, "n,c\nx,Nobody\n", importing.Options{Object: "contact", Mapping: map[string]any{"n": "last_name", "c": "account"}})
	w.want(asked, "done read=1 created=0 updated=0 skipped=0 failed=1")
	guessed := w.imports(w.Admin, "last name,Company Name\nx,Nobody\n", importing.Options{Object: "contact"})
	w.want(guessed, "done read=1 created=1 updated=0 skipped=0 failed=0")
	if len(guessed.Warnings) != 1 || guessed.Warnings[0].Code != "unknown_account" {
		t.Errorf("warnings: %+v", guessed.Warnings)
	}
	made := w.imports(w.Admin, "last name,Company Name\nx,Nobody\ny,NOBODY\nz,Nobody\n", importing.Options{Object: "contact", CreateFields: true})
	w.want(made, "done read=3 created=3 updated=0 skipped=0 failed=0")
	if n := w.count("accounts where lower(name) = 'nobody'"); n != 1 {
		t.Errorf("%d companies made", n)
	}
	// A record of another tenant is nobody here.
	if got := auth.From(w.Other).TenantID; w.count("accounts where tenant_id = $1", got) != 0 {
		t.Error("something went into the other tenant")
	}
}

func TestPartsListsAndPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := "External ID,Full name,Street,City,Mobile,Tags,Opt out\n1,\"Lovelace, Ada\",High St 1,London,+44 20 7946 0000,\"a; b\",yes\n"
	w.want(w.imports(w.Admin, first, importing.Options{Object: "contact"}), "done read=1 created=1 updated=0 skipped=0 failed=0")
	w.want(w.imports(w.Admin, "External ID,City\n1,Paris\n", importing.Options{Object: "contact", Mode: importing.Update}), "done read=1 created=0 updated=1 skipped=0 failed=0")
	got := w.column("select concat_ws('|', first_name, last_name, address->>'street', address->>'city', phones->0->>'value', phones->0->>'label', tags::text, do_not_contact::text) from contacts")
	if got[0] != "Ada|Lovelace|High St 1|Paris|+44 20 7946 0000|mobile|{a,b}|true" {
		t.Errorf("contact: %s", got[0])
	}
	people := "name,email,role,team,manager\nBea,Bea@alpha.test,Sales Manager,North,\nCal,cal@alpha.test,,South,Bea\nDee,not an address,,,\n"
	w.want(w.imports(w.Admin, people, importing.Options{Object: "users"}), "done read=3 created=2 updated=0 skipped=0 failed=1")
	got = w.column("select concat_ws('|', u.name, u.email, r.key, t.name, m.name, u.state) from users u join roles r on r.id = u.role_id left join teams t on t.id = u.team_id left join users m on m.id = u.manager_id where u.name in ('Bea', 'Cal') order by 1")
	if strings.Join(got, " ") != "Bea|bea@alpha.test|sales_manager|North|active Cal|cal@alpha.test|sales_rep|South|Bea|active" {
		t.Errorf("people: %v", got)
	}
	ids := w.column("select id::text from contacts")
	byID := w.imports(w.Admin, "id,title\n"+ids[0]+",Countess\n"+strings.Replace(ids[0], "0", "1", 1)+",Nobody\n", importing.Options{Object: "contact", Mode: importing.Update})
	w.want(byID, "done read=2 created=0 updated=1 skipped=1 failed=0")
}

func TestFileIsGoneWhenOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	imp := w.imports(w.Admin, "last_name\nA\n", importing.Options{Object: "contact"})
	if _, err := os.Stat(w.files + "/" + w.Tenant.String() + "/" + imp.ID.String()); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
	small := importing.New(importing.Deps{Kernel: w.K, Files: w.s.Files, MaxFile: 1 << 20})
	if _, err := small.Create(w.Admin, importing.Options{Object: "contact", Reader: endless{}}); errs.KindOf(err) != errs.TooLarge {
		t.Errorf("a file over the limit: %v", err)
	}
}

// endless is an upload that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}
