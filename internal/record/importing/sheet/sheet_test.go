package sheet_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"crm/internal/record/importing/sheet"
)

// written makes a workbook with the library everybody else uses.
func written(t *testing.T, fill func(f *excelize.File)) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	fill(f)
	var out bytes.Buffer
	if err := f.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// parts makes a workbook by hand; what is not given is as small as it can be.
func parts(t *testing.T, given map[string]string) []byte {
	t.Helper()
	files := map[string]string{
		"xl/workbook.xml":            `<workbook xmlns:r="r"><sheets><sheet name="One" sheetId="1" r:id="rId1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="rId1" Type="http://x/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`,
		"xl/worksheets/sheet1.xml":   `<worksheet><sheetData><row><c t="inlineStr"><is><t>name</t></is></c></row></sheetData></worksheet>`,
	}
	for name, text := range given {
		files[name] = text
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for name, text := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, text)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func readAll(raw []byte, name string) ([][]string, error) {
	b, err := sheet.Open(bytes.NewReader(raw), int64(len(raw)), sheet.DefaultLimits)
	if err != nil {
		return nil, err
	}
	rows, err := b.Rows(name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out [][]string
	for {
		row, _, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, append([]string(nil), row...))
	}
}

func TestCells(t *testing.T) {
	t.Parallel()
	raw := written(t, func(f *excelize.File) {
		day, _ := f.NewStyle(&excelize.Style{NumFmt: 14})
		custom := `dd.mm.yyyy "at" hh:mm`
		moment, _ := f.NewStyle(&excelize.Style{CustomNumFmt: &custom})
		share, _ := f.NewStyle(&excelize.Style{NumFmt: 10})
		money := `#,##0.00 "days" [$€-407]`
		amount, _ := f.NewStyle(&excelize.Style{CustomNumFmt: &money})
		when := time.Date(2026, 11, 21, 15, 4, 5, 0, time.UTC)
		for cell, v := range map[string]any{
			"A1": "text", "B1": 12, "C1": 0.1 + 0.2, "D1": true, "E1": 1e21, "F1": "Größe <&> \"_x\"", "G1": " =cmd|' /c calc'!A1",
			"A2": 46347.0, "B2": 46347.627835648, "C2": 0.125, "D2": 1234.5, "E2": 0.5,
		} {
			if err := f.SetCellValue("Sheet1", cell, v); err != nil {
				t.Fatal(err)
			}
		}
		_ = f.SetCellValue("Sheet1", "F2", when)
		_ = f.SetCellRichText("Sheet1", "G2", []excelize.RichTextRun{{Text: "rich "}, {Text: "text"}})
		for cell, style := range map[string]int{"A2": day, "B2": moment, "C2": share, "D2": amount, "E2": moment} {
			_ = f.SetCellStyle("Sheet1", cell, cell, style)
		}
		_ = f.SetCellFormula("Sheet1", "A4", "SUM(B1:B1)")
		_ = f.SetCellValue("Sheet1", "C4", "after a gap")
	})
	rows, err := readAll(raw, "")
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"text", "12", "0.3", "true", "1000000000000000000000", "Größe <&> \"_x\"", " =cmd|' /c calc'!A1"},
		{"2026-11-21", "2026-11-21 15:04:05", "12.5%", "1234.5", "12:00:00", "2026-11-21 15:04:05", "rich text"},
		{"", "", "after a gap"},
	}
	if fmt.Sprint(rows) != fmt.Sprint(want) {
		t.Errorf("got\n%q\nwant\n%q", rows, want)
	}
}

func TestSheetsAreChosenByName(t *testing.T) {
	t.Parallel()
	raw := written(t, func(f *excelize.File) {
		_, _ = f.NewSheet("People & more")
		_, _ = f.NewSheet("Hidden")
		_ = f.SetSheetVisible("Hidden", false)
		_ = f.SetCellValue("Sheet1", "A1", "one")
		_ = f.SetCellValue("People & more", "A1", "two")
	})
	b, err := sheet.Open(bytes.NewReader(raw), int64(len(raw)), sheet.DefaultLimits)
	if err != nil || fmt.Sprint(b.Sheets) != "[Sheet1 People & more]" {
		t.Fatalf("sheets %v, %v", b, err)
	}
	if rows, err := readAll(raw, "people & MORE"); err != nil || fmt.Sprint(rows) != "[[two]]" {
		t.Errorf("by name: %v, %v", rows, err)
	}
	if _, err := readAll(raw, "Hidden"); !errors.Is(err, sheet.ErrDamaged) {
		t.Errorf("a hidden sheet: %v", err)
	}
}

func TestOtherWriters(t *testing.T) {
	t.Parallel()
	const head = `<?xml version="1.0"?><x:worksheet xmlns:x="y"><x:sheetData>`
	for name, c := range map[string]struct{ cells, want string }{
		"prefixes, cached formula": {`<x:row r="1"><x:c r="A1" t="str"><x:f>A2&amp;"&gt;"</x:f><x:v>cached</x:v></x:c><x:c r="B1" t="e"><x:v>#N/A</x:v></x:c><x:c r="C1" t="b"><x:v>0</x:v></x:c></x:row>`, "[[cached  false]]"},
		"no places":                {`<x:row><x:c><x:v>1</x:v></x:c><x:c><x:v>2.50</x:v></x:c></x:row><x:row/><x:row><x:c><x:v>3</x:v></x:c></x:row>`, "[[1 2.5] [3]]"},
		"> within quotes":          {`<x:row spans="1>2"><x:c><x:v>1</x:v></x:c></x:row>`, "[[1]]"},
		"last row of the grid":     {`<x:row r="1048576"><x:c r="XFD1048576"><x:v>1</x:v></x:c></x:row>`, fmt.Sprintf("[[%s1]]", strings.Repeat(" ", 16383))},
		"iso date":                 {`<x:row><x:c t="d"><x:v>2026-11-21T00:00:00</x:v></x:c></x:row>`, "[[2026-11-21]]"},
	} {
		rows, err := readAll(parts(t, map[string]string{"xl/worksheets/sheet1.xml": head + c.cells + `</x:sheetData></x:worksheet>`}), "")
		if err != nil || fmt.Sprint(rows) != c.want {
			t.Errorf("%s: %v, %v; want %s", name, rows, err, c.want)
		}
	}
}

func TestHostileBooks(t *testing.T) {
	t.Parallel()
	cells := func(inner string) map[string]string {
		return map[string]string{"xl/worksheets/sheet1.xml": "<worksheet><sheetData>" + inner + "</sheetData></worksheet>"}
	}
	good := parts(t, nil)
	for name, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"no zip":               {[]byte("PK\x03\x04 but nothing more"), sheet.ErrDamaged},
		"cut in half":          {good[:len(good)/2], sheet.ErrDamaged},
		"a zip of photographs": {zipOf(t, "a.jpg", "x"), sheet.ErrDamaged},
		"bomb":                 {parts(t, cells(strings.Repeat(" ", 64<<20))), sheet.ErrTooLarge},
		"cell without end":     {parts(t, cells("<row><c><v>"+strings.Repeat("1234567 ", 1<<18)+"</v></c></row>")), sheet.ErrTooLarge},
		"row beyond the grid":  {parts(t, cells(`<row r="1048577"><c><v>1</v></c></row>`)), sheet.ErrDamaged},
		"column beyond":        {parts(t, cells(`<row><c r="ZZZZ1"><v>1</v></c></row>`)), sheet.ErrDamaged},
		"rows backwards":       {parts(t, cells(`<row r="5"/><row r="4"/>`)), sheet.ErrDamaged},
		"text that is not":     {parts(t, cells(`<row><c t="s"><v>7</v></c></row>`)), sheet.ErrDamaged},
		"entities":             {parts(t, map[string]string{"xl/worksheets/sheet1.xml": `<!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet><sheetData/></worksheet>`}), sheet.ErrDamaged},
		"ends in a row":        {parts(t, map[string]string{"xl/worksheets/sheet1.xml": `<worksheet><sheetData><row><c><v>1</v>`}), sheet.ErrDamaged},
		"missing sheet part":   {parts(t, map[string]string{"xl/_rels/workbook.xml.rels": `<Relationships/>`}), sheet.ErrDamaged},
	} {
		if _, err := readAll(c.raw, ""); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func zipOf(t *testing.T, name, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	w, err := z.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(w, text)
	_ = z.Close()
	return out.Bytes()
}

func FuzzRows(f *testing.F) {
	f.Add([]byte(`<row r="1"><c r="A1" t="s"><v>0</v></c></row>`))
	f.Add([]byte(`<row><c t="inlineStr"><is><t>&#x41;_x000D_</t></is></c></row>`))
	f.Fuzz(func(t *testing.T, cells []byte) {
		rows, err := readAll(parts(t, map[string]string{"xl/worksheets/sheet1.xml": "<worksheet><sheetData>" + string(cells) + "</sheetData></worksheet>"}), "")
		if err != nil && !errors.Is(err, sheet.ErrDamaged) && !errors.Is(err, sheet.ErrTooLarge) {
			t.Fatalf("%v after %v", err, rows)
		}
	})
}
