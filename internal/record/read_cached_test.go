package record_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/cache"
	"crm/internal/platform/cache/redistest"
	"crm/internal/platform/errs"
	"crm/internal/record"
	"crm/internal/record/recordtest"
)

// desk is one process of an installation whose records are cached.
type desk struct {
	*record.Store[company]
	k *record.Kernel
}

// openDesk starts a process that listens; its redis may be empty.
func openDesk(t *testing.T, e *recordtest.Env, redis string) *desk {
	t.Helper()
	space, err := cache.Open(cache.Deps{DB: e.DB, RedisURL: redis, Secret: []byte("test")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { space.Close(context.WithoutCancel(t.Context())) })
	k, err := record.NewKernel(record.Deps{DB: e.DB, Cache: space, CacheBytes: 1 << 20, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	s, err := record.Register[company](k, record.Definition{Name: "account", Plural: "accounts", Label: "Company", LabelPlural: "Companies", Owned: true}, record.HooksFor[company]{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- space.Listen(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	soon(t, "the process hears the others", space.Hears)
	return &desk{s, k}
}

func soon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

func (d *desk) make(t *testing.T, ctx context.Context, name string) *company {
	t.Helper()
	c, err := d.Create(ctx, &company{Name: name, Industry: "paper & \"ink\""})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (d *desk) name(t *testing.T, ctx context.Context, id uuid.UUID) string {
	t.Helper()
	c, err := d.Get(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return c.Name
}

func (d *desk) rename(t *testing.T, ctx context.Context, id uuid.UUID, name string) {
	t.Helper()
	if _, err := d.One(ctx, record.Operation{Kind: record.OpUpdate, ID: id, Patch: record.Patch{"name": name}}); err != nil {
		t.Fatal(err)
	}
}

// past changes a row without a word to anybody.
func past(t *testing.T, e *recordtest.Env, id uuid.UUID, name string) {
	t.Helper()
	if _, err := e.SQL.Owner.Exec(t.Context(), `update accounts set name = $2 where id = $1`, id, name); err != nil {
		t.Fatal(err)
	}
}

func TestARecordIsReadOnceAndItsChangesAreSeenAtOnce(t *testing.T) {
	t.Parallel()
	e := recordtest.New(t)
	d := openDesk(t, e, "")
	c := d.make(t, e.Admin, "One")
	if got := d.name(t, e.Admin, c.ID); got != "One" {
		t.Fatal(got)
	}
	past(t, e, c.ID, "Behind")
	if got := d.name(t, e.Admin, c.ID); got != "One" {
		t.Errorf("%s: it was read again", got)
	}
	d.rename(t, e.Admin, c.ID, "Two")
	if got := d.name(t, e.Admin, c.ID); got != "Two" {
		t.Errorf("own change: %s", got)
	}
	if _, err := d.One(e.Admin, record.Operation{Kind: record.OpDelete, ID: c.ID}); err != nil {
		t.Fatal(err)
	}
	if r, err := d.Object.Get(e.Admin, c.ID); err != nil || !r.Deleted() || r.Version() != 3 {
		t.Errorf("in the bin: %v, %v", r, err)
	}
	past(t, e, c.ID, "Told")
	err := d.k.DB.Tx(e.Admin, func(ctx context.Context, _ pgx.Tx) error { return d.k.Touched(ctx, "account", c.ID) })
	if got := d.name(t, e.Admin, c.ID); err != nil || got != "Told" {
		t.Errorf("after Touched: %s, %v", got, err)
	}
}

func TestACachedRecordIsShownToThoseWhoMaySeeItOnly(t *testing.T) {
	t.Parallel()
	e := recordtest.New(t)
	d := openDesk(t, e, "")
	c := d.make(t, e.Admin, "Secret")
	shown, err := d.GetShown(e.Admin, c.ID)
	if err != nil || !strings.Contains(string(shown.JSON), "Secret") || shown.ETag != `"1"` {
		t.Fatal(shown, err)
	}
	if r, err := d.Object.Get(e.Admin, c.ID); err != nil || string(r.AppendJSON(nil, nil, nil))+"\n" != string(shown.JSON) {
		t.Errorf("%s is not what the API shows otherwise: %v", shown.JSON, err)
	}
	nobody := auth.As(e.Rep, func(a *auth.Actor) { a.Grants = auth.Grants{} })
	for name, tt := range map[string]struct {
		ctx  context.Context
		kind errs.Kind
	}{"a rep": {e.Rep, errs.NotFound}, "another tenant": {e.Other, errs.NotFound}, "without the right": {nobody, errs.Forbidden}} {
		for what, get := range map[string]func(context.Context, uuid.UUID) error{
			"Get":      func(ctx context.Context, id uuid.UUID) error { _, err := d.Get(ctx, id); return err },
			"GetShown": func(ctx context.Context, id uuid.UUID) error { _, err := d.GetShown(ctx, id); return err },
		} {
			if err := get(tt.ctx, c.ID); errs.KindOf(err) != tt.kind {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
	if got, err := d.GetMany(e.Rep, []uuid.UUID{c.ID, uuid.New()}); err != nil || len(got) != 0 {
		t.Errorf("many: %v, %v", got, err)
	}
	if _, err := d.One(e.Admin, record.Operation{Kind: record.OpUpdate, ID: c.ID, Patch: record.Patch{"owner_id": e.RepID}}); err != nil {
		t.Fatal(err)
	}
	if got := d.name(t, e.Rep, c.ID); got != "Secret" {
		t.Errorf("the new owner: %s", got)
	}
}

var errChangedMind = errors.New("changed their mind")

func TestWhatATransactionSeesStaysInIt(t *testing.T) {
	t.Parallel()
	e := recordtest.New(t)
	d := openDesk(t, e, "")
	c := d.make(t, e.Admin, "One")
	d.name(t, e.Admin, c.ID)
	err := d.k.DB.Tx(e.Admin, func(ctx context.Context, _ pgx.Tx) error {
		d.rename(t, ctx, c.ID, "Never")
		if got := d.name(t, ctx, c.ID); got != "Never" {
			t.Errorf("inside: %s", got)
		}
		if got := d.name(t, e.Admin, c.ID); got != "One" {
			t.Errorf("outside: %s", got)
		}
		return errChangedMind
	})
	if got := d.name(t, e.Admin, c.ID); !errors.Is(err, errChangedMind) || got != "One" {
		t.Errorf("afterwards: %s, %v", got, err)
	}
}

func TestAJobReadsTheDatabase(t *testing.T) {
	t.Parallel()
	e := recordtest.New(t)
	d := openDesk(t, e, "")
	c := d.make(t, e.Admin, "One")
	d.name(t, e.Admin, c.ID)
	past(t, e, c.ID, "Two")
	imports := auth.As(e.Admin, func(a *auth.Actor) { a.Via = auth.ViaImport })
	for _, ctx := range []context.Context{auth.With(t.Context(), auth.SystemActor(e.Tenant)), imports} {
		if got := d.name(t, ctx, c.ID); got != "Two" {
			t.Errorf("%s", got)
		}
	}
}

func TestAnotherProcessSeesChanges(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	for name, url := range map[string]string{"without Redis": "", "with Redis": redis.URL, "Redis gone": "unix:///nowhere/s"} {
		e := recordtest.New(t)
		a, b := openDesk(t, e, url), openDesk(t, e, url)
		c := a.make(t, e.Admin, "v1")
		many := make([]record.Operation, 0, 300)
		for range 299 {
			x := a.make(t, e.Admin, "x")
			many = append(many, record.Operation{Kind: record.OpUpdate, ID: x.ID, Patch: record.Patch{"name": "y"}})
		}
		b.name(t, e.Admin, c.ID)
		a.rename(t, e.Admin, c.ID, "v2")
		soon(t, name+": one change", func() bool { return b.name(t, e.Admin, c.ID) == "v2" })
		many = append(many, record.Operation{Kind: record.OpUpdate, ID: c.ID, Patch: record.Patch{"name": "v3"}})
		if _, err := a.Apply(e.Admin, many, true); err != nil {
			t.Fatal(err)
		}
		if got := a.name(t, e.Admin, c.ID); got != "v3" {
			t.Errorf("%s: own change among many: %s", name, got)
		}
		soon(t, name+": among many", func() bool { return b.name(t, e.Admin, c.ID) == "v3" })
	}
}

// Readers and writers at once: nobody who wrote reads older afterwards.
func TestWritersReadTheirWrites(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	for _, url := range []string{"", redis.URL} {
		e := recordtest.New(t)
		d := openDesk(t, e, url)
		c := d.make(t, e.Admin, "0")
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = d.Get(e.Admin, c.ID) // only to fill the cache
				}
			}
		}()
		for v := int64(2); v < 60; v++ {
			d.rename(t, e.Admin, c.ID, "n"+time.Duration(v).String())
			if r, err := d.Object.Get(e.Admin, c.ID); err != nil || r.Version() != v {
				t.Fatalf("version %d after writing %d, %v", r.Version(), v, err)
			}
		}
		close(stop)
		<-done
	}
}
