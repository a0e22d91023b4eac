package exporting

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/blob"
	"crm/internal/platform/errs"
	"crm/internal/platform/jobs"
	"crm/internal/record"
)

// Kept is how long a file can be loaded.
const Kept = 24 * time.Hour

// State of an export.
type State string

const (
	Queued    State = "queued"
	Running   State = "running"
	Done      State = "done"
	Failed    State = "failed"
	Cancelled State = "cancelled"
	Expired   State = "expired" // done, and the file deleted
)

// Over reports whether nothing more will be written.
func (s State) Over() bool { return s != Queued && s != Running }

// Options are what the caller wants. Object is needed, all else has a default.
type Options struct {
	Object string // name or plural
	Format Format // "" = CSV
	// Query is the address of the list: filters, q, sort and trash. Parameters of one
	// page (limit, cursor) are not looked at.
	Query  url.Values
	Fields []string // columns in order; none = every field
}

// Export is one file and how far it has come.
type Export struct {
	ID         uuid.UUID
	Object     string
	Format     Format
	State      State
	Query      url.Values
	Fields     []string
	Rows       int64
	Total      *int64 // rows to come, once counted
	Bytes      int64
	Error      string // why it failed, for people
	CreatedAt  time.Time
	CreatedBy  *uuid.UUID
	StartedAt  *time.Time
	FinishedAt *time.Time
	ExpiresAt  *time.Time

	scope auth.Scope // how far the file's rows reach
	actor json.RawMessage
}

// FileName is what the file is called when it is loaded.
func (e *Export) FileName() string {
	return e.Object + "-" + e.CreatedAt.UTC().Format("2006-01-02-150405") + "." + string(e.Format)
}

// Deps are what the service needs.
type Deps struct {
	Kernel *record.Kernel
	Files  blob.Store
	Jobs   *jobs.Client // nil: exports are only worked by Run (commands)
	Log    *slog.Logger
	Now    func() time.Time
	// Actor brings the rights of whoever asked up to date before the work, and refuses
	// people who have left. nil = the rights they had when they asked.
	Actor func(ctx context.Context, asked auth.Actor) (*auth.Actor, error)
	// Tenants lists every tenant, for deleting old files. nil = none.
	Tenants func(ctx context.Context) ([]uuid.UUID, error)
}

// Service writes exports. It is safe for concurrent use.
type Service struct {
	Deps
	k *record.Kernel
}

// New makes the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{Deps: d, k: d.Kernel}
}

func fileName(tenant, id uuid.UUID) string { return tenant.String() + "/" + id.String() }

func (s *Service) object(ctx context.Context, name string) (*record.Object, error) {
	if o, ok := s.k.ObjectFor(ctx, name); ok {
		return o, nil
	}
	if o, ok := s.k.PluralFor(ctx, name); ok {
		return o, nil
	}
	if name == "" {
		return nil, errs.Field("object", "required", "Say in object what to export, such as contacts.")
	}
	return nil, errs.Field("object", "unknown_object", "There is no object called %q.", name)
}

// Reach is how far the actor may export an object: as far as reading, or less where
// the role says so.
func Reach(a *auth.Actor, object string) auth.Scope {
	read := a.Grants.Scope(object, auth.Read)
	for _, key := range []string{object + ":" + string(auth.Export), "*:" + string(auth.Export)} {
		if s, ok := a.Grants[key]; ok {
			return min(read, s)
		}
	}
	return read
}

// held limits reading the object to what may be exported.
func held(ctx context.Context, object string) context.Context {
	return auth.As(ctx, func(a *auth.Actor) {
		reach := Reach(a, object)
		a.Grants = maps.Clone(a.Grants)
		a.Grants[object+":"+string(auth.Read)] = reach
	})
}

// Get returns an export the actor may see: their own, and with every record of the
// object in reach, everybody's.
func (s *Service) Get(ctx context.Context, id uuid.UUID) (*Export, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	e, err := s.load(ctx, id)
	if err != nil {
		return nil, err
	}
	if e == nil || !visible(a, e) {
		return nil, errs.Missing("export")
	}
	return e, nil
}

func visible(a *auth.Actor, e *Export) bool {
	if e.CreatedBy != nil && *e.CreatedBy == a.ID {
		return true
	}
	return Reach(a, e.Object) == auth.All
}

// List returns the newest exports the actor may see, at most limit.
func (s *Service) List(ctx context.Context, limit int) ([]*Export, error) {
	a, err := auth.Must(ctx)
	if err != nil {
		return nil, err
	}
	all := []string{}
	for _, o := range s.k.ObjectsFor(ctx) {
		if Reach(a, o.Def.Name) == auth.All {
			all = append(all, o.Def.Name)
		}
	}
	return s.list(ctx, all, a.ID, limit)
}

// Cancel stops an export; what was written is deleted.
func (s *Service) Cancel(ctx context.Context, id uuid.UUID) (*Export, error) {
	e, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if e.State.Over() && e.State != Cancelled {
		return nil, errs.New(errs.Conflict, "export_over", "This export is over already (%s).", e.State)
	}
	a := auth.From(ctx)
	err = s.k.DB.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sqlCancel, a.TenantID, id, s.Now().UTC())
		return err
	})
	if err != nil {
		return nil, err
	}
	s.removeFile(ctx, fileName(a.TenantID, id))
	return s.Get(ctx, id)
}

func (s *Service) removeFile(ctx context.Context, name string) {
	if err := s.Files.Remove(context.WithoutCancel(ctx), name); err != nil {
		s.Log.WarnContext(ctx, "file of an export could not be removed", "error", err)
	}
}

// conditions are the names of what an address filters by, without the values: those
// may be of people, and the journal is kept longer than they are.
func conditions(q url.Values) []string {
	out := []string{}
	for _, key := range slices.Sorted(maps.Keys(q)) {
		if key != "sort" {
			out = append(out, key)
		}
	}
	return out
}
