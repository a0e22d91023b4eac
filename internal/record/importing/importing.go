package importing

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/blob"
	"crm/internal/platform/errs"
	"crm/internal/platform/jobs"
	"crm/internal/record"
)

// MaxFile is the largest upload in bytes.
const MaxFile = 512 << 20

// Mode says what becomes of rows that meet a record that is already there.
type Mode string

const (
	Create Mode = "create" // only new records; a row whose key exists is skipped
	Update Mode = "update" // only records that exist; other rows are skipped
	Upsert Mode = "upsert" // both
)

// State of an import.
type State string

const (
	Queued    State = "queued"
	Running   State = "running"
	Done      State = "done"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Over reports whether nothing more will happen by itself.
func (s State) Over() bool { return s == Done || s == Failed || s == Cancelled }

// Options are what the caller wants. Object and a file are needed, all else has a
// default.
type Options struct {
	Object       string // name or plural
	FileName     string
	Reader       io.Reader
	Mapping      map[string]any // column → field, nil, or {"field", "values"}; empty = by heading
	Mode         Mode           // "" = create, or upsert when there is a key
	Key          string         // field that finds the record; "" = the first of id, external_id, unique fields, email
	DryRun       bool
	CreateFields bool // make custom fields, and companies and products that are named but missing
	// CreateOptions adds choices that a custom select field does not have yet.
	CreateOptions bool
	Blank         Blank  // "" = Keep
	Sheet         string // of a workbook; "" = the first one
	// Preset names the system the file comes from; "" = found by its headings.
	Preset string
}

// Blank says what an empty cell means for a record that is already there.
type Blank string

const (
	Keep  Blank = "keep"  // nothing is known, the old value stays
	Clear Blank = "clear" // there is no value, the old one goes
)

// Import is one file and how far it has come. read = created + updated + skipped +
// failed always.
type Import struct {
	ID           uuid.UUID
	Object       string
	State        State
	FileName     string
	FileBytes    int64
	Preset       string
	Mode         Mode
	Key          string
	DryRun       bool
	CreateFields bool
	// CreateOptions, Blank and Sheet are as in Options.
	CreateOptions bool
	Blank         Blank
	Sheet         string
	Objects       map[string]*Counts // what became of records of other objects in the file
	Sample        []Sampled          // the first rows of a dry run and their fates
	Columns       []Column
	Total         *int64 // rows in the file, once surveyed
	Read          int64
	Created       int64
	Updated       int64
	Skipped       int64
	Failed        int64
	Warnings      []Warning
	Error         string // why the import failed, for people
	WorkedMS      int64
	Undo          UndoState
	CreatedAt     time.Time
	CreatedBy     *uuid.UUID
	StartedAt     *time.Time
	FinishedAt    *time.Time

	dialect Dialect
	actor   json.RawMessage
	offset  int64
	upload  *uuid.UUID // the kept file it reads; nil = its own
}

// file is where the import's file lies.
func (i *Import) file(tenant uuid.UUID) string {
	if i.upload != nil {
		return fileName(tenant, *i.upload)
	}
	return fileName(tenant, i.ID)
}

// Counts are the records of another object that came along with the rows.
type Counts struct {
	Created int64 `json:"created"`
	Updated int64 `json:"updated"`
	Failed  int64 `json:"failed"`
}

// Warning is something that was left out of rows that went in, counted.
type Warning struct {
	Field   string `json:"field"`
	Code    string `json:"code"`
	Message string `json:"message"` // about the first such value
	Count   int64  `json:"count"`
}

// UndoState tells of taking the import back; State is "" when nobody asked.
type UndoState struct {
	State     string                `json:"state"`
	Reversed  int64                 `json:"reversed"`
	Conflicts []record.UndoConflict `json:"conflicts"`
}

func (u UndoState) pending() bool { return u.State == "queued" || u.State == "running" }

// Rate is rows a second of work; 0 before the first chunk.
func (i *Import) Rate() float64 {
	if i.WorkedMS == 0 {
		return 0
	}
	return float64(i.Read) / (float64(i.WorkedMS) / 1000)
}

// SkippedColumns are the headings that are not imported.
func (i *Import) SkippedColumns() []string { return Plan{i.Columns}.skipped() }

// CreatedFields are the custom fields made for the import.
func (i *Import) CreatedFields() []string {
	out := []string{}
	for _, c := range i.Columns {
		if c.How == Made {
			out = append(out, c.Field)
		}
	}
	return out
}

// Deps are what the service needs.
type Deps struct {
	Kernel *record.Kernel
	Files  blob.Store
	Jobs   *jobs.Client // nil: imports are only worked by Run (commands)
	Log    *slog.Logger
	Now    func() time.Time
	// MaxFile is the largest upload in bytes; 0 = MaxFile.
	MaxFile int64
	// Actor brings the rights of whoever asked up to date before work goes on, and
	// refuses people who have left. nil = the rights they had when they asked.
	Actor func(ctx context.Context, asked auth.Actor) (*auth.Actor, error)
}

// Service takes in files. It is safe for concurrent use.
type Service struct {
	Deps
	k *record.Kernel
}

// New makes the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.MaxFile == 0 {
		d.MaxFile = MaxFile
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{Deps: d, k: d.Kernel}
}

// fileName is where an upload lies.
func fileName(tenant, id uuid.UUID) string { return tenant.String() + "/" + id.String() }

// object finds what the file is about, by name or plural.
func (s *Service) object(ctx context.Context, name string) (*record.Object, error) {
	if o, ok := s.k.ObjectFor(ctx, name); ok {
		return o, nil
	}
	if o, ok := s.k.PluralFor(ctx, name); ok {
		return o, nil
	}
	if name == "" {
		return nil, errs.Field("object", "required", "Say in object what the rows are, such as contacts.")
	}
	return nil, errs.Field("object", "unknown_object", "There is no object called %q.", name)
}

// Get returns an import the actor may see: their own, and with the right to create
// all records of the object, everybody's.
func (s *Service) Get(ctx context.Context, id uuid.UUID) (*Import, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	imp, err := s.load(ctx, id)
	if err != nil {
		return nil, err
	}
	if imp == nil || !visible(a, imp) {
		return nil, errs.Missing("import")
	}
	return imp, nil
}

func visible(a *auth.Actor, imp *Import) bool {
	switch reach(a, imp.Object) {
	case auth.All:
		return true
	case auth.None:
		return false
	}
	return imp.CreatedBy != nil && *imp.CreatedBy == a.ID
}

// reach is how far the actor's right to bring in records of an object goes.
func reach(a *auth.Actor, object string) auth.Scope {
	return max(a.Grants.Scope(object, auth.Create), a.Grants.Scope(object, auth.Update))
}

// List returns the newest imports the actor may see, at most limit.
func (s *Service) List(ctx context.Context, limit int) ([]*Import, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	var all, own []string
	for _, o := range s.k.ObjectsFor(ctx) {
		switch reach(a, o.Def.Name) {
		case auth.All:
			all = append(all, o.Def.Name)
		case auth.Own, auth.Team:
			own = append(own, o.Def.Name)
		}
	}
	return s.list(ctx, all, own, a.ID, limit)
}

// Cancel stops an import; rows that are in stay, and can be undone.
func (s *Service) Cancel(ctx context.Context, id uuid.UUID) (*Import, error) {
	imp, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if imp.State.Over() && imp.State != Cancelled {
		return nil, errs.New(errs.Conflict, "import_over", "This import is over already (%s). Undo it if you do not want it.", imp.State)
	}
	err = s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sqlCancel, auth.From(ctx).TenantID, id, s.Now().UTC())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cancel import: %w", err)
	}
	s.letGo(ctx, imp)
	return s.Get(ctx, id)
}
