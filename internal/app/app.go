// Package app is the composition root: it opens the database, builds the contexts
// in order, connects their ports and mounts their routes. It holds no rule of the
// business; a reader follows services.go, ports.go, routes.go and jobs.go like a
// table of contents.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"crm/internal/identity"
	"crm/internal/platform/cache"
	"crm/internal/platform/config"
	"crm/internal/platform/db"
	"crm/internal/platform/db/embedpg"
	"crm/internal/platform/db/migrate"
	"crm/internal/platform/jobs"
	"crm/internal/platform/observe"
	"crm/internal/platform/page"
	"crm/internal/platform/secret"
	"crm/internal/record"
)

// App is the built program. Close it.
type App struct {
	Cfg      *config.Settings
	Log      *slog.Logger
	Kernel   *record.Kernel
	Identity *identity.Service
	Jobs     *jobs.Client
	Metrics  *observe.Metrics

	services
	db      *db.DB
	cluster *embedpg.Cluster
	caches  *cache.Space
	box     *secret.Box
	now     func() time.Time

	flashKey []byte // signs flash messages
	cacheKey []byte // seals what is kept in Redis
	live     *page.Live
	trusted  []netip.Prefix
	limits   *limits
	drain    time.Duration
	draining atomic.Bool // told to end: no longer ready, still answering
}

// Mode says what the caller wants of the database.
type Mode int

const (
	// Serve becomes the parent of the embedded cluster and migrates it.
	Serve Mode = iota
	// Admin uses the cluster that is running, or starts it for the call.
	Admin
)

// Open builds the program. works says whether it will run background jobs.
func Open(ctx context.Context, cfg *config.Settings, log *slog.Logger, mode Mode, works bool) (*App, error) {
	a := &App{Cfg: cfg, Log: log, Metrics: observe.NewMetrics(), now: time.Now}
	if err := a.open(ctx, mode, works); err != nil {
		a.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return a, nil
}

func (a *App) open(ctx context.Context, mode Mode, works bool) error {
	appURL, err := a.database(ctx, mode)
	if err != nil {
		return err
	}
	if a.drain, err = a.Cfg.DrainTime(); err != nil {
		return err
	}
	if a.db, err = db.Open(ctx, appURL, 0); err != nil {
		return err
	}
	a.Metrics.Registry.MustRegister(a.db)
	if err := a.checkSchema(ctx); err != nil {
		return err
	}
	if a.box, err = a.secretBox(); err != nil {
		return err
	}
	bytes, err := a.Cfg.CacheBytes()
	if err != nil {
		return err
	}
	if a.caches, err = cache.Open(cache.Deps{DB: a.db, RedisURL: a.Cfg.RedisURL, Secret: a.cacheKey, Now: a.now, Log: a.Log}); err != nil {
		return err
	}
	a.Metrics.Registry.MustRegister(a.caches)
	if a.trusted, err = trustedProxies(a.Cfg.TrustedProxies); err != nil {
		return err
	}
	if a.limits, err = newLimits(a.Cfg.APIRate, a.caches, a.now); err != nil {
		return err
	}
	a.Metrics.Registry.MustRegister(a.limits.limiter)
	if a.Kernel, err = record.NewKernel(record.Deps{DB: a.db, Cache: a.caches, CacheBytes: bytes, Now: a.now, Log: a.Log}); err != nil {
		return err
	}
	a.watchLive()
	return a.build(works)
}

// database returns the URL of the application role, after making sure that an
// embedded cluster runs and is migrated.
func (a *App) database(ctx context.Context, mode Mode) (string, error) {
	if !a.Cfg.Embedded() {
		if mode == Serve && a.Cfg.MigrateDatabaseURL != "" {
			return a.Cfg.DatabaseURL, migrate.Up(ctx, a.Cfg.MigrateDatabaseURL, a.Log)
		}
		return a.Cfg.DatabaseURL, nil
	}
	var err error
	if a.cluster, err = OpenCluster(ctx, a.Cfg, a.Log, mode); err != nil {
		return "", err
	}
	if a.cluster.Owned() {
		if err := migrate.Up(ctx, a.cluster.URL("crm_owner", embedpg.Database), a.Log); err != nil {
			return "", err
		}
	}
	return a.cluster.URL("crm_app", embedpg.Database), nil
}

// OpenCluster starts or joins the embedded PostgreSQL.
func OpenCluster(ctx context.Context, cfg *config.Settings, log *slog.Logger, mode Mode) (*embedpg.Cluster, error) {
	if err := os.MkdirAll(cfg.DataDir, 0o755); err != nil { //nolint:gosec // the database's own user must be able to enter; secrets inside are 0600
		return nil, fmt.Errorf("make the data directory %s: %w", cfg.DataDir, err)
	}
	ec := embedpg.Config{Dir: cfg.DataDir, BinDir: cfg.PostgresBin, Log: log}
	if mode == Serve {
		return embedpg.Start(ctx, ec)
	}
	return embedpg.Attach(ctx, ec)
}

func (a *App) checkSchema(ctx context.Context) error {
	pending, err := migrate.Pending(ctx, a.db.Pool())
	if err != nil {
		return fmt.Errorf("look at the database schema: %w", err)
	}
	if pending > 0 {
		return fmt.Errorf("the database needs %d migrations; run: crm migrate up", pending)
	}
	return nil
}

// secretBox reads the root key; with an embedded cluster it is made on first use
// and kept beside the data, readable by the owner only.
func (a *App) secretBox() (*secret.Box, error) {
	key := a.Cfg.SecretKey
	if key == "" && !a.Cfg.Embedded() {
		return nil, errors.New("CRM_SECRET_KEY is needed with CRM_DATABASE_URL; make one with: openssl rand -base64 32")
	}
	if key == "" {
		var err error
		if key, err = keyFile(filepath.Join(a.Cfg.DataDir, "secret.key")); err != nil {
			return nil, err
		}
	}
	a.flashKey, a.cacheKey = secret.Hash("flash "+key), secret.Hash("cache "+key)
	return secret.New(secret.ParseKeys(key))
}

func keyFile(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(raw)), nil
	}
	if !os.IsNotExist(err) {
		return "", fmt.Errorf("read the secret key: %w", err)
	}
	key := secret.Generate()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", fmt.Errorf("write the secret key: %w", err)
	}
	_, err = f.WriteString(key + "\n")
	return key, errors.Join(err, f.Sync(), f.Close())
}

// Close releases everything in reverse order.
func (a *App) Close(ctx context.Context) {
	a.closeServices()
	a.caches.Close(ctx)
	if a.db != nil {
		a.db.Close()
	}
	if a.cluster != nil {
		if err := a.cluster.Stop(ctx); err != nil {
			a.Log.WarnContext(ctx, "stop the embedded database", "error", err)
		}
	}
}
