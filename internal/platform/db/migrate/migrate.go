package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

var (
	// ErrNewer says that the database has steps this binary does not know.
	ErrNewer = errors.New("database is newer than this program")
	// ErrLocked says that a table stayed locked by somebody else; nothing of the refused step was done.
	ErrLocked = errors.New("a table is in use")
	// ErrNothing says that there is no step to take back.
	ErrNothing = errors.New("no migration to take back")
)

const (
	lockTimeout   = 5 * time.Second
	lockAttempts  = 4               // times Up tries when a table stays locked
	lockPause     = 2 * time.Second // between them, for the queries that queued up behind us
	migratorPoll  = 100 * time.Millisecond
	cannotLockYet = "55P03" // lock_not_available
)

// riverGrants lets the program put in and work off jobs. Default privileges cover what a later River adds.
const riverGrants = `
grant usage on schema river to crm_app;
grant select, insert, update, delete on all tables in schema river to crm_app;
grant usage, select on all sequences in schema river to crm_app;
grant execute on all functions in schema river to crm_app;
alter default privileges in schema river grant select, insert, update, delete on tables to crm_app;
alter default privileges in schema river grant usage, select on sequences to crm_app;
alter default privileges in schema river grant execute on functions to crm_app;
grant select on public.goose_db_version to crm_app;`

// Up applies all pending steps and returns when the database is what this binary expects. It may be called at every
// start and from several processes at once. log may be nil.
func Up(ctx context.Context, ownerURL string, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return embedded().up(ctx, ownerURL, log)
}

// Down takes back the latest of our own steps; River's are left alone. ErrNothing when there is none.
func Down(ctx context.Context, ownerURL string) error {
	return embedded().down(ctx, ownerURL)
}

func (src source) up(ctx context.Context, ownerURL string, log *slog.Logger) error {
	return src.exclusively(ctx, ownerURL, func() error {
		for attempt := 1; ; attempt++ {
			err := src.upOnce(ctx, ownerURL, log)
			if !isLockTimeout(err) {
				return err
			}
			if attempt == lockAttempts {
				return fmt.Errorf("%w by a long transaction, so the database could not be migrated; find it in pg_stat_activity and try again: %w", ErrLocked, err)
			}
			log.WarnContext(ctx, "migration waits for a table in use", "attempt", attempt)
			if err := pause(ctx, lockPause); err != nil {
				return err
			}
		}
	})
}

func (src source) upOnce(ctx context.Context, ownerURL string, log *slog.Logger) error {
	provider, db, err := src.provider(ownerURL)
	if err != nil {
		return err
	}
	defer db.Close()
	applied, err := provider.Up(ctx)
	var partial *goose.PartialError
	if errors.As(err, &partial) {
		applied = partial.Applied
		err = fmt.Errorf("migration %s: %w", partial.Failed.Source.Path, partial.Err)
	}
	for _, r := range applied {
		log.InfoContext(ctx, "migration applied", "file", r.Source.Path, "took_ms", r.Duration.Milliseconds())
	}
	if err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return upRiver(ctx, ownerURL, log)
}

func upRiver(ctx context.Context, ownerURL string, log *slog.Logger) error {
	pool, err := openPool(ctx, ownerURL)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, "create schema if not exists "+Schema); err != nil {
		return fmt.Errorf("create schema %s: %w", Schema, err)
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: Schema, Logger: quiet(log)})
	if err != nil {
		return fmt.Errorf("load river's migrations: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate the job queue: %w", err)
	}
	if _, err := pool.Exec(ctx, riverGrants); err != nil {
		return fmt.Errorf("grant the job queue to crm_app: %w", err)
	}
	return nil
}

func (src source) down(ctx context.Context, ownerURL string) error {
	return src.exclusively(ctx, ownerURL, func() error {
		provider, db, err := src.provider(ownerURL)
		if err != nil {
			return err
		}
		defer db.Close()
		_, err = provider.Down(ctx)
		if errors.Is(err, goose.ErrNoNextVersion) {
			return ErrNothing
		}
		if err != nil {
			return fmt.Errorf("take back a migration: %w", err)
		}
		return nil
	})
}

// exclusively runs work while no other migrator does, and never on a database newer than the binary.
func (src source) exclusively(ctx context.Context, ownerURL string, work func() error) error {
	conn, err := connect(ctx, ownerURL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) // ends the session and with it the lock
	if err := becomeMigrator(ctx, conn); err != nil {
		return err
	}
	steps, err := src.status(ctx, conn)
	if err != nil {
		return err
	}
	if err := refuseUnknown(steps); err != nil {
		return err
	}
	return work()
}

// becomeMigrator polls rather than waits: a waiting statement holds a snapshot, and "create index concurrently" in the
// other migrator would wait for that snapshot in turn. The key is goose's own, so its command line tool queues up too.
func becomeMigrator(ctx context.Context, conn *pgx.Conn) error {
	for {
		var mine bool
		if err := conn.QueryRow(ctx, "select pg_try_advisory_lock($1)", lock.DefaultLockID).Scan(&mine); err != nil {
			return fmt.Errorf("lock the database for migration: %w", err)
		}
		if mine {
			return nil
		}
		if err := pause(ctx, migratorPoll); err != nil {
			return fmt.Errorf("wait for another migration to finish: %w", err)
		}
	}
}

func refuseUnknown(steps []Step) error {
	for _, s := range steps {
		if !s.Known() {
			return fmt.Errorf("%w: it has the %s migration %d, which this program does not know; run the newer program, or restore the backup made before its upgrade", ErrNewer, s.Set, s.Version)
		}
	}
	return nil
}

// provider opens a database/sql handle, which goose needs; the caller closes it.
func (src source) provider(ownerURL string) (*goose.Provider, *sql.DB, error) {
	cfg, err := parse(ownerURL)
	if err != nil {
		return nil, nil, err
	}
	db := stdlib.OpenDB(*cfg)
	// Steps are written by several people at once and may be merged out of order; each runs once, in order of time
	// among those that are missing.
	p, err := goose.NewProvider(goose.DialectPostgres, db, src.files,
		goose.WithAllowOutofOrder(true), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("load migrations: %w", err), db.Close())
	}
	return p, db, nil
}

func parse(ownerURL string) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(ownerURL)
	if err != nil {
		return nil, fmt.Errorf("read the database address for migrations: %w", err)
	}
	cfg.RuntimeParams["lock_timeout"] = fmt.Sprint(lockTimeout.Milliseconds())
	cfg.RuntimeParams["application_name"] = "crm migrate"
	return cfg, nil
}

func connect(ctx context.Context, ownerURL string) (*pgx.Conn, error) {
	cfg, err := parse(ownerURL)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect as the owner of the database: %w", err)
	}
	return conn, nil
}

func openPool(ctx context.Context, ownerURL string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(ownerURL)
	if err != nil {
		return nil, fmt.Errorf("read the database address for migrations: %w", err)
	}
	cfg.ConnConfig.RuntimeParams["lock_timeout"] = fmt.Sprint(lockTimeout.Milliseconds())
	cfg.MaxConns = 2
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect as the owner of the database: %w", err)
	}
	return pool, nil
}

func isLockTimeout(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == cannotLockYet
}

// quiet lowers River's chatter about each of its steps to what matters.
func quiet(log *slog.Logger) *slog.Logger { return slog.New(warnings{log.Handler()}) }

type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
