package dbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"crm/internal/platform/db/embedpg"
)

// maxSlots bounds how many test processes of one user can run at once.
const maxSlots = 64

// shared is this process's slot, opened by the first test that asks. It is never closed: the server ends with the process.
var shared = sync.OnceValues(func() (*slot, error) {
	ctx, cancel := context.WithTimeout(context.Background(), openLimit)
	defer cancel()
	return openSlot(ctx)
})

// slot is a server with a migrated template, in use by this process alone.
type slot struct {
	dir      string
	lock     *os.File // held until the process ends
	cluster  *embedpg.Cluster
	admin    *pgxpool.Pool // superuser, database postgres
	template string
	serial   atomic.Int64
}

// openSlot takes a free slot. A slot that cannot be started (half deleted, made by another PostgreSQL version) is only a
// cache, so it is thrown away and made anew, once.
func openSlot(ctx context.Context) (*slot, error) {
	s, err := takeSlot()
	if err != nil {
		return nil, err
	}
	err = s.start(ctx)
	if err == nil || errors.Is(err, embedpg.ErrNoBinaries) || ctx.Err() != nil {
		return s, err
	}
	if err := os.RemoveAll(s.dir); err != nil {
		return nil, fmt.Errorf("throw a broken test server away: %w", err)
	}
	return s, s.start(ctx)
}

// takeSlot finds the first slot no living process holds.
func takeSlot() (*slot, error) {
	base := filepath.Join(os.TempDir(), "crm-dbtest-"+strconv.Itoa(os.Getuid()))
	if err := privateBase(base); err != nil {
		return nil, err
	}
	for i := range maxSlots {
		dir := filepath.Join(base, strconv.Itoa(i))
		lock, err := os.OpenFile(dir+".lock", os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open test slot: %w", err)
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			return &slot{dir: dir, lock: lock}, nil
		}
		_ = lock.Close()
	}
	return nil, fmt.Errorf("all %d test servers under %s are in use", maxSlots, base)
}

// privateBase makes the directory of all slots. In a shared temporary directory somebody else could have made it first.
func privateBase(base string) error {
	if err := os.MkdirAll(base, 0o711); err != nil {
		return fmt.Errorf("create directory for test servers: %w", err)
	}
	info, err := os.Lstat(base)
	if err != nil {
		return fmt.Errorf("create directory for test servers: %w", err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(st.Uid) != os.Getuid() {
		return fmt.Errorf("%s belongs to somebody else: remove it", base)
	}
	return nil
}

func (s *slot) start(ctx context.Context) error {
	c, err := embedpg.Start(ctx, embedpg.Config{Dir: s.dir, FastUnsafe: true})
	if err != nil {
		return err
	}
	s.cluster = c
	cfg, err := pgxpool.ParseConfig(c.URL("postgres", "postgres"))
	if err != nil {
		return errors.Join(err, c.Stop(ctx))
	}
	cfg.MaxConns = 8
	if s.admin, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return errors.Join(err, c.Stop(ctx))
	}
	if err := s.prepare(ctx); err != nil {
		s.admin.Close()
		return errors.Join(err, c.Stop(ctx))
	}
	return nil
}

// prepare drops what killed test processes left behind and makes sure of the template.
func (s *slot) prepare(ctx context.Context) error {
	rows, err := s.admin.Query(ctx, "select datname from pg_database where datname like 't\\_%'")
	if err != nil {
		return fmt.Errorf("list left-over test databases: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("list left-over test databases: %w", err)
	}
	for _, name := range names {
		if err := s.dropDatabase(ctx, name); err != nil {
			return err
		}
	}
	return s.ensureTemplate(ctx)
}

func (s *slot) nextName() string {
	return "t_" + strconv.FormatInt(s.serial.Add(1), 10)
}

// clone copies the template file by file: half the time of copying through the log, and durability is no concern.
func (s *slot) clone(ctx context.Context, name string) error {
	_, err := s.admin.Exec(ctx, "create database "+name+" template "+s.template+" owner crm_owner strategy file_copy")
	if err != nil {
		return fmt.Errorf("copy the template: %w", err)
	}
	return nil
}

// drop ends the test's database; a test that leaves connections open loses them.
func (s *slot) drop(t testing.TB, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), cleanupLimit)
	defer cancel()
	if err := s.dropDatabase(ctx, name); err != nil {
		t.Errorf("clean up: %v", err)
	}
}

func (s *slot) dropDatabase(ctx context.Context, name string) error {
	if _, err := s.admin.Exec(ctx, "drop database if exists "+name+" with (force)"); err != nil {
		return fmt.Errorf("drop database %s: %w", name, err)
	}
	return nil
}
