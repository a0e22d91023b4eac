package exporting

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

type sheet struct {
	Rows []struct {
		Cells []struct {
			Type    string `xml:"t,attr"`
			Style   string `xml:"s,attr"`
			Value   string `xml:"v"`
			Inline  string `xml:"is>t"`
			Formula string `xml:"f"`
		} `xml:"c"`
	} `xml:"sheetData>row"`
}

func parts(t *testing.T, raw []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal(b, new(struct{})); err != nil {
			t.Fatalf("%s is no XML: %v\n%s", f.Name, err, b)
		}
		out[f.Name] = string(b)
	}
	return out
}

func readSheet(t *testing.T, text string) sheet {
	t.Helper()
	var s sheet
	if err := xml.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCellsOfAWorkbook(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	b, err := newWorkbook(&file, []string{"id", "=x"})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	long := strings.Repeat("ä", 40_000)
	cells := []cell{
		{text: "=HYPERLINK(\"http://x\")"},
		{text: `<a&b> _x0041_ ` + "\r\n\ttab\x01"},
		{kind: number, text: "-12.5"},
		{kind: number, text: "12345678901234567"},
		{kind: boolean, text: "true"},
		{kind: boolean, text: "false"},
		{kind: date, text: "2024-02-29", at: time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)},
		{kind: datetime, text: "x", at: at},
		{kind: date, text: "1899-01-01", at: time.Date(1899, 1, 1, 0, 0, 0, 0, time.UTC)},
		{},
		{text: long},
	}
	if err := b.row(cells); err != nil {
		t.Fatal(err)
	}
	if err := b.end(); err != nil {
		t.Fatal(err)
	}
	all := parts(t, file.Bytes())
	for _, name := range []string{"xl/workbook.xml", "xl/styles.xml", "xl/_rels/workbook.xml.rels", "_rels/.rels", "[Content_Types].xml"} {
		if all[name] == "" {
			t.Errorf("%s is missing", name)
		}
	}
	s := readSheet(t, all["xl/worksheets/sheet1.xml"])
	if len(s.Rows) != 2 || s.Rows[0].Cells[1].Inline != "=x" {
		t.Fatalf("rows: %+v", s.Rows)
	}
	want := []string{
		"inlineStr  =HYPERLINK(\"http://x\")", "inlineStr  <a&b> _x005F_x0041_ _x000D_\n\ttab", "  -12.5", "inlineStr  12345678901234567", "b  1", "b  0",
		" 2 45351", " 3 45351.5", "inlineStr  1899-01-01", "  ",
	}
	for i, w := range want {
		c := s.Rows[1].Cells[i]
		if got := c.Type + " " + c.Style + " " + c.Value + c.Inline; got != w || c.Formula != "" {
			t.Errorf("cell %d: %q, want %q (formula %q)", i, got, w, c.Formula)
		}
	}
	if got := []rune(s.Rows[1].Cells[10].Inline); len(got) != cellRunes {
		t.Errorf("a long text has %d characters", len(got))
	}
}

func TestAWorkbookGoesOnOnAnotherSheet(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	b, err := newWorkbook(&file, []string{"n"})
	if err != nil {
		t.Fatal(err)
	}
	b.limit = 3
	for i := range 5 {
		if err := b.row([]cell{{kind: number, text: fmt.Sprint(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.end(); err != nil {
		t.Fatal(err)
	}
	all := parts(t, file.Bytes())
	for n, rows := range []int{3, 3, 2} {
		s := readSheet(t, all[fmt.Sprintf("xl/worksheets/sheet%d.xml", n+1)])
		if len(s.Rows) != rows || s.Rows[0].Cells[0].Inline != "n" {
			t.Errorf("sheet %d: %+v", n+1, s.Rows)
		}
	}
	if strings.Count(all["xl/workbook.xml"], "<sheet ") != 3 || strings.Count(all["[Content_Types].xml"], "worksheet+xml") != 3 {
		t.Errorf("the listing: %s", all["xl/workbook.xml"])
	}
}
