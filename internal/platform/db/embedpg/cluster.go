package embedpg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// Config says where the cluster lives and how to run it.
type Config struct {
	Dir        string       // the program's data directory; the cluster lives in Dir/postgres
	BinDir     string       // directory of initdb and postgres; empty = search
	Log        *slog.Logger // nil = discard; the server's own messages go here too
	FastUnsafe bool         // tests only: no fsync, no full-page writes; a power cut destroys the data

	patience time.Duration // longest pause between two attempts to bring a dead server back; 0 = maxPause
}

// Cluster is a running PostgreSQL, ours or one we found running. Its methods may be called concurrently.
type Cluster struct {
	l         layout
	bin       binaries
	me, srv   account
	socketDir string
	log       *slog.Logger
	patience  time.Duration

	lock     *parentLock // nil when attached
	running  context.Context
	cancel   context.CancelFunc // ends running: the order to stop
	hurry    chan struct{}      // closed when Stop lost patience
	done     chan struct{}
	stopOnce sync.Once
	restarts atomic.Int64

	mu  sync.Mutex
	err error
}

// Start becomes the parent of the cluster in cfg.Dir and returns when it takes connections, creating it first if need
// be (about half a second; later starts take some 50 ms). ctx bounds the start only, not the server's life. While another parent
// holds the directory, Start waits up to ten seconds and then fails with ErrInUse.
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	c, err := newCluster(cfg)
	if err != nil {
		return nil, err
	}
	lock, err := waitLock(ctx, c.l, c.me)
	if err != nil {
		return nil, err
	}
	return c.own(ctx, cfg, lock)
}

// Attach uses the cluster that another process keeps running, or starts it until Stop if nobody does. ErrInUse means
// that another process holds the directory but its server did not become ready within ten seconds.
func Attach(ctx context.Context, cfg Config) (*Cluster, error) {
	c, err := newCluster(cfg)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(lockWait)
	for {
		lock, err := tryLock(c.l, c.me)
		if err != nil {
			return nil, err
		}
		if lock != nil { // nobody's child: a server that may still answer is about to end
			return c.own(ctx, cfg, lock)
		}
		if c.join(ctx) {
			return c, nil
		}
		if time.Now().After(deadline) {
			return nil, inUse(c.l, nil)
		}
		if err := pause(ctx, lockPoll); err != nil {
			return nil, inUse(c.l, err)
		}
	}
}

func newCluster(cfg Config) (*Cluster, error) {
	me, err := currentAccount()
	if err != nil {
		return nil, err
	}
	l, err := newLayout(cfg.Dir, me)
	if err != nil {
		return nil, err
	}
	c := &Cluster{l: l, me: me, log: cfg.Log, hurry: make(chan struct{}), done: make(chan struct{})}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.patience = cmp.Or(cfg.patience, maxPause)
	c.running, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// own runs the server as its parent. It takes over the lock: on failure the lock is released.
func (c *Cluster) own(ctx context.Context, cfg Config, lock *parentLock) (*Cluster, error) {
	c.lock = lock
	if err := c.prepare(ctx, cfg); err != nil {
		return nil, errors.Join(explain(ctx, err), lock.release())
	}
	starting, cancel := context.WithCancel(c.running)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	started := make(chan error, 1)
	go c.supervise(starting, started)
	if err := <-started; err != nil {
		<-c.done
		return nil, errors.Join(explain(ctx, err), lock.release())
	}
	if err := c.bootstrap(ctx); err != nil {
		return nil, errors.Join(explain(ctx, err), c.Stop(context.WithoutCancel(ctx)))
	}
	return c, nil
}

// explain prefers the caller's own cancellation, with its cause, over its echo from below.
func explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("start the database: %w", context.Cause(ctx))
	}
	return err
}

// prepare does everything that needs no server yet.
func (c *Cluster) prepare(ctx context.Context, cfg Config) error {
	var err error
	if c.srv, err = serverAccount(c.me, c.l.keeper, c.l.data); err != nil {
		return err
	}
	if err = c.l.prepareHome(c.me); err != nil {
		return err
	}
	major, err := c.l.dataMajor()
	if err != nil {
		return err
	}
	if c.bin, err = findBinaries(ctx, cfg.BinDir, major); err != nil {
		return err
	}
	if err = checkReach(ctx, c.bin, c.l, c.me, c.srv); err != nil {
		return err
	}
	if err = c.l.adoptData(c.srv); err != nil {
		return err
	}
	if err = ensureCluster(ctx, c.bin, c.l, c.me, c.srv, cfg.FastUnsafe); err != nil {
		return err
	}
	if c.socketDir, err = c.l.socketDir(c.me, c.srv); err != nil {
		return err
	}
	return writeSettings(c.l, c.socketDir, c.me, c.srv, cfg.FastUnsafe)
}

// join tells whether a server is ready for the program. crm_app may log in only after a complete bootstrap.
func (c *Cluster) join(ctx context.Context) bool {
	p := readPidFile(c.l.pidFile())
	if !p.ready || p.socketDir == "" {
		return false
	}
	c.socketDir = p.socketDir
	conn, err := pgx.Connect(ctx, c.URL(appRole, Database))
	if err != nil {
		return false
	}
	return conn.Close(ctx) == nil
}

// URL is a connection string for pgx: the unix socket, no password. role is crm_app, crm_owner or postgres.
func (c *Cluster) URL(role, database string) string {
	q := url.Values{"host": {c.socketDir}, "port": {strconv.Itoa(socketPort)}, "user": {role}, "sslmode": {"disable"}}
	// As in libpq, a plus sign is no space here.
	u := url.URL{Scheme: "postgres", Path: "/" + database, RawQuery: strings.ReplaceAll(q.Encode(), "+", "%20")}
	return u.String()
}

// Owned tells whether this process is the server's parent, so that Stop ends it.
func (c *Cluster) Owned() bool { return c.lock != nil }

// Done is closed when the server is no longer looked after: after Stop, or when it ended and could not be brought back,
// which Err then explains. A server that merely crashed is restarted and Done stays open. It never closes by itself on an attached cluster.
func (c *Cluster) Done() <-chan struct{} { return c.done }

// Err is nil while the server is kept running and after Stop, else why it was given up.
func (c *Cluster) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *Cluster) setErr(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// Restarts counts how often the server had to be brought back.
func (c *Cluster) Restarts() int64 { return c.restarts.Load() }

// Stop ends the server if it is ours: orderly within 30 seconds or until ctx ends, then by force, which costs a
// recovery at the next start but no data. Close pools before. It may be called twice; on an attached cluster it only lets go.
func (c *Cluster) Stop(ctx context.Context) error {
	var err error
	c.stopOnce.Do(func() { err = c.stop(ctx) })
	return err
}

func (c *Cluster) stop(ctx context.Context) error {
	c.cancel()
	if c.lock == nil {
		close(c.done)
		return nil
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		close(c.hurry)
		<-c.done
	}
	return c.release()
}

// release frees the directory. The server may have been killed: its children must not outlive our lock.
func (c *Cluster) release() error {
	err := clearStale(context.Background(), c.l, c.socketDir)
	if err == nil {
		err = c.l.dropSocketDir(c.socketDir)
	}
	return errors.Join(err, c.lock.release())
}
