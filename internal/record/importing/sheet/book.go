package sheet

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// Limits bound what a workbook may cost, in bytes unless said otherwise.
type Limits struct {
	Part    int64 // one part, unpacked
	Strings int64 // the shared strings, which are held in memory
	Ratio   int64 // unpacked to packed, for parts of more than a MiB
	Entries int   // files in the archive
}

// DefaultLimits suit a server: a full sheet of a million rows passes, a bomb does not.
var DefaultLimits = Limits{Part: 2 << 30, Strings: 128 << 20, Ratio: 400, Entries: 5000}

// ErrDamaged: the file is no workbook, or one that nobody can read.
var ErrDamaged = errors.New("no readable workbook")

// ErrTooLarge: unpacked, the workbook is larger than the limits allow.
var ErrTooLarge = errors.New("workbook too large")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// Book is an open workbook. It is not safe for concurrent use.
type Book struct {
	Sheets []string // names of the visible sheets that hold cells, in their order

	limits   Limits
	parts    map[string]*zip.File
	paths    map[string]string // sheet → part
	strings  *sharedStrings
	formats  []format // by cell style
	from1904 bool
}

// Open reads everything but the cells.
func Open(r io.ReaderAt, size int64, limits Limits) (*Book, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, damaged("%v", err)
	}
	b := &Book{limits: limits, parts: map[string]*zip.File{}, paths: map[string]string{}}
	if len(z.File) > limits.Entries {
		return nil, fmt.Errorf("%w: %d files in the archive", ErrTooLarge, len(z.File))
	}
	for _, f := range z.File {
		if err := b.admit(f); err != nil {
			return nil, err
		}
	}
	if err := b.readSheets(); err != nil {
		return nil, err
	}
	if err := b.readStyles(); err != nil {
		return nil, err
	}
	b.strings, err = b.readStrings()
	return b, err
}

// admit checks what an entry says about itself; part readers check what it does.
func (b *Book) admit(f *zip.File) error {
	size, packed := int64(f.UncompressedSize64), max(int64(f.CompressedSize64), 1)
	if size < 0 || size > b.limits.Part || (size > 1<<20 && size/packed > b.limits.Ratio) {
		return fmt.Errorf("%w: %q says it unpacks to %d bytes", ErrTooLarge, f.Name, f.UncompressedSize64)
	}
	b.parts[strings.ToLower(strings.TrimPrefix(f.Name, "/"))] = f
	return nil
}

// open starts reading a part; nil when there is none of the name.
func (b *Book) open(name string, limit int64) (*scanner, error) {
	f := b.parts[strings.ToLower(name)]
	if f == nil {
		return nil, nil
	}
	r, err := f.Open()
	if err != nil {
		return nil, damaged("open %q: %v", name, err)
	}
	return newScanner(r, limit), nil
}

// workbook is the part that lists the sheets; its place is conventional, but some
// programs choose another and say so in the relations.
func (b *Book) workbook() (string, error) {
	targets, err := b.relations("_rels/.rels", "")
	if err != nil {
		return "", err
	}
	for _, r := range targets {
		if strings.HasSuffix(r.kind, "/officeDocument") {
			return r.target, nil
		}
	}
	if b.parts["xl/workbook.xml"] == nil {
		return "", damaged("there is no workbook in the archive")
	}
	return "xl/workbook.xml", nil
}

type relation struct{ id, kind, target string }

func (b *Book) relations(name, dir string) ([]relation, error) {
	s, err := b.open(name, 4<<20)
	if err != nil || s == nil {
		return nil, err
	}
	defer s.close()
	var out []relation
	for {
		t, err := s.next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if t.open && string(t.name) == "Relationship" {
			target := t.attr("Target")
			if !strings.HasPrefix(target, "/") {
				target = path.Join(dir, target)
			}
			out = append(out, relation{t.attr("Id"), t.attr("Type"), strings.TrimPrefix(target, "/")})
		}
	}
}

func (b *Book) readSheets() error {
	book, err := b.workbook()
	if err != nil {
		return err
	}
	rels, err := b.relations(path.Join(path.Dir(book), "_rels", path.Base(book)+".rels"), path.Dir(book))
	if err != nil {
		return err
	}
	s, err := b.open(book, 16<<20)
	if err != nil || s == nil {
		return errors.Join(err, damaged("there is no workbook in the archive"))
	}
	defer s.close()
	for {
		t, err := s.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		b.noteSheet(t, rels)
	}
	if len(b.Sheets) == 0 {
		return damaged("the workbook has no sheet with cells")
	}
	return nil
}

func (b *Book) noteSheet(t *tag, rels []relation) {
	switch {
	case !t.open:
	case string(t.name) == "workbookPr":
		b.from1904 = t.attr("date1904") == "1" || t.attr("date1904") == "true"
	case string(t.name) == "sheet" && (t.attr("state") == "" || t.attr("state") == "visible"):
		name, id := t.attr("name"), t.attr("id")
		i := slices.IndexFunc(rels, func(r relation) bool { return r.id == id && strings.HasSuffix(r.kind, "/worksheet") })
		if name != "" && i >= 0 && b.parts[strings.ToLower(rels[i].target)] != nil {
			b.Sheets = append(b.Sheets, name)
			b.paths[name] = rels[i].target
		}
	}
}

// sharedStrings holds texts end to end; a string of its own for each would cost
// more than the texts.
type sharedStrings struct {
	text []byte
	ends []int
}

func (s *sharedStrings) at(i int) (string, bool) {
	if s == nil || i < 0 || i >= len(s.ends) {
		return "", false
	}
	from := 0
	if i > 0 {
		from = s.ends[i-1]
	}
	return string(s.text[from:s.ends[i]]), true
}

func (b *Book) readStrings() (*sharedStrings, error) {
	s, err := b.open("xl/sharedStrings.xml", b.limits.Part)
	if err != nil || s == nil {
		return nil, err
	}
	defer s.close()
	out := &sharedStrings{}
	text := false
	phonetic := 0
	for {
		t, err := s.next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if text && phonetic == 0 {
			out.text = append(out.text, t.text...)
		}
		if int64(len(out.text)+8*len(out.ends)) > b.limits.Strings {
			return nil, fmt.Errorf("%w: more than %d MiB of text", ErrTooLarge, b.limits.Strings>>20)
		}
		switch name := string(t.name); {
		case name == "t":
			text = t.open && !t.empty
		case name == "rPh" && !t.empty: // how to pronounce it
			phonetic += map[bool]int{true: 1, false: -1}[t.open]
		case name == "si" && (!t.open || t.empty):

			out.ends = append(out.ends, len(out.text))
		}
	}
}
