package importing

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"

	"crm/internal/platform/errs"
	"crm/internal/record/importing/sheet"
)

// maxWorkbook is the largest workbook in bytes, packed: about two million rows.
const maxWorkbook = 256 << 20

// zipMagic begins every XLSX.
const zipMagic = "PK\x03\x04"

// unpack turns a workbook into the CSV that the rest of an import reads: a text file
// can be gone on with at any byte, an archive cannot. Other files stay as they are.
func (s *Service) unpack(ctx context.Context, up *Upload, name string) error {
	switch {
	case up.known != nil:
		return nil
	case !bytes.HasPrefix(up.head, []byte(zipMagic)):
		return noSheet(name)
	case up.bytes > maxWorkbook:
		return errs.New(errs.TooLarge, "file_too_large", "A workbook may have at most %d MiB. Save it as CSV, which may have %d.", maxWorkbook>>20, MaxFile>>20)
	}
	f, err := s.Files.Open(ctx, up.name)
	if err != nil {
		return err
	}
	defer f.Close()
	book, err := sheet.Open(readerAt(f), up.bytes, sheet.DefaultLimits)
	if err != nil {
		return refuseBook(err)
	}
	text, err := s.tableOf(ctx, book, name)
	if err != nil {
		return err
	}
	s.removeFile(ctx, up.name)
	*up = *text
	return nil
}

func noSheet(name string) error {
	if name == "" {
		return nil
	}
	return errs.Field("sheet", "no_workbook", "A sheet can be chosen of an XLSX file only, and this is none.")
}

// tableOf stores one sheet as text. Without a name it is the first that has rows.
func (s *Service) tableOf(ctx context.Context, book *sheet.Book, name string) (*Upload, error) {
	names := book.Sheets
	if name != "" {
		i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, strings.TrimSpace(name)) })
		if i < 0 {
			return nil, errs.Field("sheet", "unknown_sheet", "The workbook has no sheet %q; it has %s.", short(name), listSome(names))
		}
		names = names[i : i+1]
	}
	for _, n := range names {
		up, err := s.storeSheet(ctx, book, n)
		if err != nil {
			return nil, err
		}
		if up.bytes > 0 || n == names[len(names)-1] {
			up.known = &Dialect{Encoding: utf8Encoding, Delimiter: ","}
			up.sheet, up.sheets = n, book.Sheets
			return up, nil
		}
		s.Discard(ctx, up)
	}
	return nil, errs.Field("file", "empty_file", "The workbook is empty.")
}

func (s *Service) storeSheet(ctx context.Context, book *sheet.Book, name string) (*Upload, error) {
	rows, err := book.Rows(name)
	if err != nil {
		return nil, refuseBook(err)
	}
	defer rows.Close()
	return s.Store(ctx, newSheetText(rows))
}

// refuseBook says it for people.
func refuseBook(err error) error {
	switch {
	case errors.Is(err, sheet.ErrTooLarge):
		return errs.Wrap(err, errs.TooLarge, "workbook_too_large", "Unpacked, this workbook is larger than can be read. Save the sheet as CSV.")
	case errors.Is(err, sheet.ErrDamaged):
		e := notCSV("This is no workbook that can be read (%s). Save it again as XLSX, or as CSV.", cause(err))
		return e
	}
	return err
}

func cause(err error) string {
	_, after, ok := strings.Cut(err.Error(), ": ")
	if !ok {
		return "it is damaged"
	}
	return short(after)
}

// sheetText writes rows as CSV while it is read. Empty rows up to maxGap are kept, so
// that row numbers stay those of the spreadsheet.
type sheetText struct {
	rows    *sheet.Rows
	buf     bytes.Buffer
	csv     *csv.Writer
	last    int
	started bool
	err     error
}

const maxGap = 1000

func newSheetText(rows *sheet.Rows) *sheetText {
	t := &sheetText{rows: rows}
	t.csv = csv.NewWriter(&t.buf)
	return t
}

// Read fills the buffer row by row.
func (t *sheetText) Read(p []byte) (int, error) {
	for t.buf.Len() < len(p) && t.err == nil {
		t.err = t.row()
		t.csv.Flush()
	}
	if t.buf.Len() > 0 {
		return t.buf.Read(p)
	}
	if errors.Is(t.err, sheet.ErrDamaged) || errors.Is(t.err, sheet.ErrTooLarge) {
		return 0, refuseBook(t.err)
	}
	return 0, t.err
}

func (t *sheetText) row() error {
	cells, number, err := t.rows.Next()
	if err != nil {
		return err
	}
	if blank(cells) {
		return nil
	}
	if gap := number - t.last - 1; t.started && gap <= maxGap {
		for range gap {
			_ = t.csv.Write([]string{"", ""}) // a line without a comma would be no row
		}
	}
	t.started, t.last = true, number
	return t.csv.Write(cells)
}

func blank(cells []string) bool {
	return !slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" })
}

// readerAt reads a stored file at any place; files on disk can do it themselves.
func readerAt(f io.ReadSeeker) io.ReaderAt {
	if r, ok := f.(io.ReaderAt); ok {
		return r
	}
	return seekingAt{f}
}

// seekingAt serves one reader at a time, which is how workbooks are read.
type seekingAt struct{ f io.ReadSeeker }

// ReadAt seeks and reads until p is full.
func (s seekingAt) ReadAt(p []byte, off int64) (int, error) {
	if _, err := s.f.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(s.f, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}
