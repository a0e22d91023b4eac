package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"crm/bench/floor"
	"crm/bench/installed"
	"crm/bench/load"
	"crm/bench/proc"
	"crm/internal/platform/db/embedpg"
)

// conns is how many connections the loops keep busy, the number the peers were measured with too.
const conns = 16

// measurement gives some figures. live ones need the running installation.
type measurement struct {
	name string
	live bool
	run  func(ctx context.Context, s *suite) ([]figure, error)
}

// measurements in the order they run: first what needs an empty machine, last what fills the tables.
func measurements() []measurement {
	return []measurement{
		{"serve", false, serveTimes},
		{"read_one", true, readOne},
		{"read_one_local", true, readOneLocal},
		{"read_one_redis", true, readOneRedis},
		{"read_one_half", true, readOneHalf},
		{"read_list50", true, readList},
		{"read_list50_contains", true, readContains},
		{"search", true, search},
		{"create", true, create},
		{"batch_create", true, batchCreate},
		{"import", true, importing},
		{"score", true, scoring},
		{"send", true, sending},
		{"rss_after", true, memoryAfter},
		{"quality", false, judging},
	}
}

func names() []string {
	var out []string
	for _, m := range measurements() {
		out = append(out, m.name)
	}
	return out
}

func known(name string) bool { return slices.Contains(names(), name) }

// suite is what measurements share: the installation, its people, and the doors to its database.
type suite struct {
	opt  options
	root string // of the checkout
	bin  string

	srv      *installed.Server
	api      *installed.Client
	cluster  *embedpg.Cluster
	owner    *pgxpool.Pool // the owner role sees all tenants: for looking and tidying, never inside a measurement of ours
	bare     *pgxpool.Pool // the application role, for peers
	floor    *installed.Child
	floorAt  string
	postgres int       // process id of the database server
	tenant   uuid.UUID // ours, and the floor's for reading
	other    uuid.UUID // where peers write, so that our lists stay as they are
	crowd    *crowd
	ids      []uuid.UUID // some contacts, in no order
}

// bench runs the chosen measurements. One that fails is shown as such and the others go on.
func bench(ctx context.Context, opt options) error {
	s := &suite{opt: opt, crowd: newCrowd()}
	if err := s.build(ctx); err != nil {
		return err
	}
	rep, err := newReport(ctx, s.root, opt)
	if err != nil {
		return err
	}
	defer s.close()
	failed := 0
	for _, m := range measurements() {
		if len(opt.only) > 0 && !slices.Contains(opt.only, m.name) {
			continue
		}
		figures, err := s.measure(ctx, m)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if err != nil {
			failed++
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", m.name, err)
			figures = append(figures, absent(m.name, "failed, see above"))
		}
		rep.add(os.Stdout, figures)
	}
	if err := rep.write(); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d measurements failed", failed)
	}
	return nil
}

// measure runs one measurement; a call that the program does not have is no failure.
func (s *suite) measure(ctx context.Context, m measurement) ([]figure, error) {
	if m.live && s.srv == nil {
		if err := s.install(ctx); err != nil {
			return nil, fmt.Errorf("prepare the installation: %w", err)
		}
	}
	figures, err := m.run(ctx, s)
	if load.Absent(err) {
		return append(figures, absent(m.name, "not in the program yet: "+err.Error())), nil
	}
	return figures, err
}

func (s *suite) build(ctx context.Context) error {
	var err error
	if s.root, err = moduleRoot(); err != nil {
		return err
	}
	s.bin = filepath.Join(s.root, "bin", "crm")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", s.bin, "./cmd/crm")
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.root, os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build the program: %w", err)
	}
	return s.findONNX()
}

// findONNX points the program at the library that ./dev fetched, unless the caller said where it is.
func (s *suite) findONNX() error {
	lib := filepath.Join(s.root, ".cache", "onnxruntime", "libonnxruntime.so.1")
	if _, err := os.Stat(lib); err != nil || os.Getenv("CRM_ONNXRUNTIME_LIB") != "" {
		return nil
	}
	return os.Setenv("CRM_ONNXRUNTIME_LIB", lib)
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("look for go.mod: %w; call from the checkout", fs.ErrNotExist)
		}
		dir = filepath.Dir(dir)
	}
}

// install starts the program, makes two tenants and fills ours.
func (s *suite) install(ctx context.Context) error {
	srv, err := installed.New(ctx, s.bin, "CRM_EGRESS_ALLOW=127.0.0.1")
	if err != nil {
		return err
	}
	s.srv = srv
	if s.opt.profile != "" {
		if err := srv.ServeWithSelf("serve-profiled", s.opt.profile); err != nil {
			return err
		}
	}
	if _, err := srv.Start(ctx); err != nil {
		return err
	}
	for name, id := range map[string]*uuid.UUID{"alpha": &s.tenant, "floor": &s.other} {
		if *id, err = s.newTenant(ctx, name); err != nil {
			return err
		}
	}
	key, err := srv.CLI(ctx, "apikey", "create", "--tenant", "alpha", "--name", "bench")
	if err != nil {
		return err
	}
	s.api = &installed.Client{Addr: srv.Addr, Key: key}
	if err := s.connect(ctx); err != nil {
		return err
	}
	if err := s.fill(ctx); err != nil {
		return fmt.Errorf("load contacts: %w", err)
	}
	return s.startFloor(ctx)
}

func (s *suite) newTenant(ctx context.Context, name string) (uuid.UUID, error) {
	raw, err := s.srv.CLI(ctx, "tenant", "create", "--name", name, "--json")
	if err != nil {
		return uuid.Nil, err
	}
	var t struct{ ID uuid.UUID }
	if err := json.Unmarshal([]byte(raw), &t); err != nil {
		return uuid.Nil, fmt.Errorf("read the tenant: %w", err)
	}
	return t.ID, nil
}

func (s *suite) connect(ctx context.Context) error {
	var err error
	if s.cluster, err = embedpg.Attach(ctx, embedpg.Config{Dir: s.srv.DataDir}); err != nil {
		return err
	}
	if s.owner, err = floor.Connect(ctx, s.cluster.URL("crm_owner", embedpg.Database), ""); err != nil {
		return err
	}
	if s.bare, err = floor.Connect(ctx, fmt.Sprintf("%s&pool_max_conns=%d", s.cluster.URL("crm_app", embedpg.Database), conns), ""); err != nil {
		return err
	}
	snap, err := proc.Now()
	if err != nil {
		return err
	}
	if s.postgres = snap.Child(s.srv.PID(), "postgres"); s.postgres == 0 {
		return errors.New("the database server is not a child of the program")
	}
	return nil
}

// fill loads the contacts through the batch call, as a client would, and brings the planner's statistics up to date, as
// autovacuum does within a minute.
func (s *suite) fill(ctx context.Context) error {
	start := time.Now()
	var bodies [][]byte
	for left := s.opt.rows; left > 0; left -= 1000 {
		body, err := batch(s.crowd.people(min(left, 1000)))
		if err != nil {
			return err
		}
		bodies = append(bodies, body)
	}
	for _, body := range bodies {
		if err := s.api.Call(ctx, http.MethodPost, "/contacts/batch", json.RawMessage(body), nil); err != nil {
			return err
		}
	}
	if err := s.pick(ctx); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "bench: %d contacts loaded in %.1f s\n", s.opt.rows, time.Since(start).Seconds())
	_, err := s.owner.Exec(ctx, "analyze")
	return err
}

// pick draws contacts to read, after making sure that all are there.
func (s *suite) pick(ctx context.Context) error {
	rows, err := s.owner.Query(ctx, "select id from contacts where tenant_id = $1", s.tenant)
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return err
	}
	if len(ids) != s.opt.rows {
		return fmt.Errorf("%d contacts of %d were accepted", len(ids), s.opt.rows)
	}
	s.crowd.rnd.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	s.ids = ids[:min(len(ids), 5000)]
	return nil
}

func (s *suite) startFloor(ctx context.Context) error {
	var err error
	if s.floor, err = installed.NewChild(ctx, "floor", s.cluster.URL("crm_app", embedpg.Database), s.tenant.String()); err != nil {
		return err
	}
	s.floorAt, err = s.floor.Line()
	return err
}

// close ends everything; what it cannot end is said and nothing more, the figures are safe by then.
func (s *suite) close() {
	if s.floor != nil {
		complain(s.floor.Close())
	}
	for _, pool := range []*pgxpool.Pool{s.owner, s.bare} {
		if pool != nil {
			pool.Close()
		}
	}
	if s.srv != nil {
		complain(s.srv.Close())
	}
}

func complain(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
}

// shuffled visits a list in an order of its own per connection, so that connections do not read the same row at once.
func shuffled(requests [][]byte) func(conn, n int) []byte {
	orders := make([][]int, conns)
	for i := range orders {
		orders[i] = rand.New(rand.NewPCG(uint64(i), 5)).Perm(len(requests)) //nolint:gosec // the same order in every run
	}
	return func(conn, n int) []byte { return requests[orders[conn][n%len(requests)]] }
}
