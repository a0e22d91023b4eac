package record

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/cache"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
)

// Kernel knows every object and is the only writer of their tables.
type Kernel struct {
	DB    *db.DB
	Cache *cache.Space
	Now   func() time.Time
	Log   *slog.Logger

	// Later asks for a job that calls Recompute; nil = everything is computed at once.
	Later func(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, object string) error

	objects     map[string]*Object
	byPlural    map[string]*Object
	order       []*Object
	byGroup     map[string]*Object // by the name of their rows in the cache
	custom      *cache.Aside[*customSet]
	fieldsSeen  sync.Map // tenant → the newest version of its custom fields known here
	rows        *cache.Aside[*row]
	watchMu     sync.RWMutex
	watchers    []func(Notice)
	subscribers []Subscriber
	movers      []Mover
	saved       Saved   // views and segments; nil = none
	template    *Object // what tenants' own objects are made from
}

// Deps are what a Kernel needs. Cache may be nil: then records are not cached, and
// the rest for seconds in this process. CacheBytes bound the records in memory.
type Deps struct {
	DB         *db.DB
	Cache      *cache.Space
	CacheBytes uint64
	Now        func() time.Time
	Log        *slog.Logger
}

// NewKernel makes an empty kernel; contexts register their objects in it.
func NewKernel(d Deps) (*Kernel, error) {
	k := &Kernel{DB: d.DB, Cache: d.Cache, Now: d.Now, Log: d.Log, objects: map[string]*Object{}, byPlural: map[string]*Object{}, byGroup: map[string]*Object{}}
	if k.Cache == nil {
		var err error
		if k.Cache, err = cache.Open(cache.Deps{Now: d.Now, Log: d.Log}); err != nil {
			return nil, err
		}
	}
	if err := k.prepareCustomObjects(); err != nil {
		return nil, err
	}
	return k, k.openCaches(k.Cache, d.CacheBytes)
}

// Hooks are a context's rules for one object, over records. Contexts use the
// typed HooksFor instead. Each is called once per save with all its changes, so
// that a hook that queries can do so once for a thousand rows.
type Hooks struct {
	// Before runs before anything is written: derive fields, refuse with an
	// errs.Error. It may change New of each change.
	Before func(ctx context.Context, tx pgx.Tx, changes []*Change) error
	// After runs after rows and journal are written, in the same transaction.
	After func(ctx context.Context, tx pgx.Tx, changes []*Change) error
	// Refs lists records whose timeline should tell of this one's changes.
	Refs func(r *Record) []uuid.UUID
}

// Object does what every object can do. It is safe for concurrent use.
type Object struct {
	Def   *Definition
	k     *Kernel
	hooks Hooks
	group string // of its rows in the cache
}

func (k *Kernel) add(def *Definition, hooks Hooks) (*Object, error) {
	if k.objects[def.Name] != nil {
		return nil, fmt.Errorf("object %s is registered twice", def.Name)
	}
	if err := def.checkBindings(); err != nil {
		return nil, fmt.Errorf("register %s: %w", def.Name, err)
	}
	o := &Object{Def: def, k: k, hooks: hooks, group: def.Name + "." + def.fingerprint()}
	k.objects[def.Name], k.byPlural[def.Plural], k.byGroup[o.group] = o, o, o
	k.order = append(k.order, o)
	return o, nil
}

// Object finds an object by its name ("deal").
func (k *Kernel) Object(name string) (*Object, bool) {
	o, ok := k.objects[name]
	return o, ok
}

// ByPlural finds an object by its path name ("deals").
func (k *Kernel) ByPlural(name string) (*Object, bool) {
	o, ok := k.byPlural[name]
	return o, ok
}

// Objects lists every object in registration order.
func (k *Kernel) Objects() []*Object { return slices.Clone(k.order) }

// Definition returns the object's definition as the actor may see it: with the
// tenant's custom fields, without those its role hides (see field_rights.go).
func (k *Kernel) Definition(ctx context.Context, object string) (*Definition, error) {
	def, err := k.wholeDefinition(ctx, object)
	if err != nil {
		return nil, err
	}
	if limits := fieldLimits(ctx, object); len(limits) > 0 {
		return def.narrowed(limits), nil
	}
	return def, nil
}

// wholeDefinition is what the kernel itself reads and writes by.
func (k *Kernel) wholeDefinition(ctx context.Context, object string) (*Definition, error) {
	set, err := k.customSet(ctx)
	if err != nil {
		return nil, err
	}
	o, ok := k.objectIn(set, object)
	if !ok {
		return nil, errs.New(errs.NotFound, "unknown_object", "There is no object called %q.", object)
	}
	return set.definition(o), nil
}

// resolver binds Definition to a context.
func (k *Kernel) resolver(ctx context.Context) Resolver {
	return func(object string) (*Definition, error) { return k.Definition(ctx, object) }
}

// Notice says that a committed transaction changed something; live pages, caches
// and subscribers wake on it. It may be lost in a crash, the journal is not.
type Notice struct {
	TenantID uuid.UUID
	Object   string
	IDs      []uuid.UUID
	Action   string
	Plural   string // of the object, "" where the journal's word is no object
}

// Topic is what open pages wait for.
func (n Notice) Topic() string { return cmp.Or(n.Plural, n.Object) }

// Watch registers f to be called after each commit. f must return at once.
func (k *Kernel) Watch(f func(Notice)) {
	k.watchMu.Lock()
	defer k.watchMu.Unlock()
	k.watchers = append(k.watchers, f)
}

func (k *Kernel) notify(n Notice) {
	k.watchMu.RLock()
	defer k.watchMu.RUnlock()
	for _, f := range k.watchers {
		f(n)
	}
}

// moment is now as the database keeps it.
func (k *Kernel) moment() time.Time { return k.Now().UTC().Truncate(time.Microsecond) }

// zone is the actor's time zone, UTC when unset or unknown.
func zone(a *auth.Actor) *time.Location {
	if a.TimeZone == "" || strings.EqualFold(a.TimeZone, "local") {
		return time.UTC
	}
	if loc, err := time.LoadLocation(a.TimeZone); err == nil {
		return loc
	}
	return time.UTC
}
