package record

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/cache"
	"crm/internal/platform/db"
	"crm/internal/platform/errs"
)

// Records are cached whole and for everybody: who may see one is decided on the
// cached row at each read, so a right that is withdrawn needs no word to the cache.
// Inside a transaction nothing is read from here, nor put here: it may see what
// never commits. And only what people and programs look at is: a job acts on what it
// reads, and may be woken by the very commit that its process has not yet heard of.
//
// rowsLocal and rowsShared together are the most that a reader may lag behind when
// word of a change was lost with the process that made it.
const (
	rowsLocal  = 10 * time.Second
	rowsShared = 30 * time.Second
	// mostCached is how many records one read takes through the cache; more are a
	// job's work, which would push out what people look at.
	mostCached = 200
)

func (k *Kernel) openCaches(space *cache.Space, bytes uint64) error {
	var err error
	if k.custom, err = cache.New(space, cache.Options[*customSet]{Name: "custom_fields", Local: customLocal, Shared: customShared, Entries: 10_000}); err != nil {
		return err
	}
	k.rows, err = cache.New(space, cache.Options[*row]{
		Name: "records", Local: rowsLocal, Shared: rowsShared, Bytes: bytes, Exact: true,
		Weigh:   (*row).weight,
		Version: func(r *row) int64 { return r.version },
		Encode:  func(r *row) ([]byte, error) { return r.packed, nil },
		Decode: func(key cache.Key, b []byte) (*row, error) {
			o := k.groupOf(key.Group)
			if o == nil {
				return nil, errRow
			}
			return o.Def.readRow(b)
		},
	})
	return err
}

func (o *Object) cached(ctx context.Context) bool {
	a := auth.From(ctx)
	looks := a != nil && a.Kind != auth.System && (a.Via == auth.ViaWeb || a.Via == auth.ViaAPI)
	return looks && !o.Def.Uncached && o.k.rows.Useful() && !db.InTx(ctx)
}

func (o *Object) key(tenant, id uuid.UUID) cache.Key {
	return cache.Key{Tenant: tenant, Group: o.group, ID: id}
}

// GetShown returns a record the actor may see as the API shows it whole. It is Get
// without the decoding where the record is cached.
func (o *Object) GetShown(ctx context.Context, id uuid.UUID) (*Shown, error) {
	if !o.cached(ctx) {
		r, err := o.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		return r.show(), nil
	}
	a, scope, err := auth.Require(ctx, o.Def.Name, auth.Read)
	if err != nil {
		return nil, err
	}
	def, err := o.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return nil, err
	}
	r, err := o.row(ctx, a, id)
	if err != nil {
		return nil, err
	}
	if r == nil || !r.visible(a, scope, o.Def) {
		return nil, errs.Missing(strings.ToLower(o.Def.Label))
	}
	return r.show(def)
}

// row returns a record of the actor's tenant, whoever may see it, or nil.
func (o *Object) row(ctx context.Context, a *auth.Actor, id uuid.UUID) (*row, error) {
	k := o.key(a.TenantID, id)
	if r, ok := o.k.rows.Peek(k); ok {
		return r, nil
	}
	r, err := o.k.rows.Fill(ctx, k, func(ctx context.Context) (*row, error) {
		found, err := o.loadRows(ctx, []cache.Key{k})
		if err == nil && found[k] == nil {
			err = errAbsent
		}
		return found[k], err
	})
	if err == errAbsent { //nolint:errorlint // a mark of our own, never wrapped
		return nil, nil
	}
	return r, err
}

// errAbsent keeps "there is no such record" out of the cache.
var errAbsent = errs.New(errs.NotFound, "not_found", "There is no such record.")

// getCached is GetMany through the cache.
func (o *Object) getCached(ctx context.Context, a *auth.Actor, scope auth.Scope, ids []uuid.UUID) (map[uuid.UUID]*Record, error) {
	keys := make([]cache.Key, len(ids))
	for i, id := range ids {
		keys[i] = o.key(a.TenantID, id)
	}
	def, err := o.k.Definition(ctx, o.Def.Name)
	if err != nil {
		return nil, err
	}
	rows, err := o.k.rows.GetMany(ctx, keys, o.loadRows)
	if err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID]*Record, len(rows))
	for k, r := range rows {
		if !r.visible(a, scope, o.Def) {
			continue
		}
		if out[k.ID], err = r.record(def); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// loadRows reads rows of the actor's tenant without asking who may see them.
func (o *Object) loadRows(ctx context.Context, keys []cache.Key) (map[cache.Key]*row, error) {
	b := &sqlBuilder{}
	where := "t.tenant_id = " + b.arg(keys[0].Tenant) + " and t.id = "
	if len(keys) == 1 {
		where += b.arg(keys[0].ID)
	} else {
		ids := make([]uuid.UUID, len(keys))
		for i, k := range keys {
			ids[i] = k.ID
		}
		where += "any(" + b.arg(ids) + ")"
	}
	out := make(map[cache.Key]*row, len(keys))
	q := db.Query{SQL: "select " + o.Def.selectList() + " from " + o.Def.Table + " t where " + where, Args: b.args}
	err := o.k.DB.Read(ctx, q, func(rows pgx.Rows) error {
		buf := make([]cell, 0, len(o.Def.columns))
		for rows.Next() {
			buf = cells(rows, buf)
			out[o.key(keys[0].Tenant, buf[o.Def.at("id")].uuid())] = o.Def.pack(buf)
		}
		return nil
	})
	return out, err
}

// forgetAfterCommit makes everybody see what changed. New records need no word:
// nobody has cached that they are not there.
func (o *Object) forgetAfterCommit(ctx context.Context, tenant uuid.UUID, changes []*Change) {
	var changed []cache.Floor
	for _, c := range changes {
		if c.Old != nil {
			changed = append(changed, cache.Floor{ID: c.New.ID(), Version: c.New.Version()})
		}
	}
	if len(changed) > 0 && !o.Def.Uncached {
		db.AfterCommitTried(ctx, func() { o.k.rows.Forget(ctx, tenant, o.group, changed...) })
	}
}

// Touched must be called by whoever writes to an object's table past the kernel, in
// the transaction of the write: it makes caches follow. Without ids it is about
// every record of the object.
func (k *Kernel) Touched(ctx context.Context, object string, ids ...uuid.UUID) error {
	a, err := auth.Must(ctx)
	if err != nil {
		return err
	}
	o, ok := k.ObjectFor(ctx, object)
	if !ok || o.Def.Uncached {
		return nil
	}
	changed := make([]cache.Floor, len(ids))
	for i, id := range ids {
		changed[i].ID = id
	}
	db.AfterCommitTried(ctx, func() { k.rows.Forget(ctx, a.TenantID, o.group, changed...) })
	return nil
}
