package ui

import (
	"context"
	"io"
)

// ImportStep names the four pages of an import.
type ImportStep string

// Steps of an import.
const (
	ImportUpload   ImportStep = "upload"
	ImportMap      ImportStep = "map"
	ImportPreview  ImportStep = "preview"
	ImportProgress ImportStep = "progress"
	ImportResult   ImportStep = "result"
)

// ImportWizard is one step of an import; exactly the struct of Step is filled.
type ImportWizard struct {
	Title    string // "Import contacts"
	Back     *Link
	Step     ImportStep
	Upload   *ImportUploadView
	Map      *ImportMapView
	Preview  *ImportPreviewView
	Progress *ImportProgressView
	Result   *ImportResultView
}

// ImportUploadView asks for the file. The form is multipart with field "file";
// Form.Groups may add object, mode and preset.
type ImportUploadView struct {
	Form  Form
	Notes []string // what kinds of file, how large, what happens next
}

// ImportMapView maps columns to fields; each select is named map[{Column}].
type ImportMapView struct {
	Action  string
	Hidden  []Hidden
	File    string // "contacts.csv, 12,408 rows"
	Columns []ImportColumn
	Targets []Option // "" = do not import
	Extra   []Field  // mode, key
	Errors  []string
	Submit  string
	Back    string
}

// ImportColumn is one column of the file.
type ImportColumn struct {
	Column  string
	Samples []string
	Target  string
	Guessed bool
	Warning string // "14 of 100 look like no e-mail address"
}

// ImportPreviewView tells exactly what will happen before it does.
type ImportPreviewView struct {
	Counts  []Sum // new, update, skip, errors
	Heads   []string
	Rows    []ImportPreviewRow
	Notes   []string // what was left out of rows that would go in
	Actions []Action // Import 12,408 rows, Back
}

// ImportPreviewRow is one sample row with its verdict.
type ImportPreviewRow struct {
	Line    int
	Verdict Choice
	Cells   []string
	Problem string
}

// ImportProgressView is drawn while the job runs; RefreshURL is fetched by live
// updates, without script a link reloads.
type ImportProgressView struct {
	Done, Total int
	Line        string // "8,210 of 12,408 rows, 3,100 rows a second"
	RefreshURL  string
	Cancel      *Action
}

// ImportResultView closes the import.
type ImportResultView struct {
	Line       string // "12,404 imported, 4 not."
	Tone       Tone
	Counts     []Sum
	Notes      []string // what was left out of rows that are in
	ErrorsHref string   // CSV
	Errors     []ImportPreviewRow
	Undo       *Action
	UndoUntil  string // "until 28 Nov"
	Next       []Action
}

// Render draws the page body.
func (p ImportWizard) Render(ctx context.Context, w io.Writer) error {
	return importWizard(p).Render(ctx, w)
}
