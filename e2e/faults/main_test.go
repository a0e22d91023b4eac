package faults_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"crm/e2e"
	"crm/e2e/faults"
	"crm/internal/platform/db/dbtest"
	"crm/internal/platform/secret"
)

// bin is the built program; TestMain builds it once.
var bin string

// rounds is how often a fault strikes at a random moment.
var rounds = 1

func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv("CRM_BENCH_FAULT_ROUNDS")); err == nil && n > 0 {
		rounds = n
	}
	if bin = os.Getenv("CRM_BENCH_PROGRAM"); bin != "" { // built already
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "crm-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bin = filepath.Join(dir, "crm")
	out, err := exec.Command("go", "build", "-o", bin, "../../cmd/crm").CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// world is a tenant on a server whose database is not its own.
type world struct {
	*e2e.Server
	api *faults.Client
}

// onDatabase makes a server on a database of the test's cluster, without starting it.
func onDatabase(t *testing.T, app, owner string, extra ...string) *e2e.Server {
	t.Helper()
	return e2e.New(t, bin, append([]string{"CRM_DATABASE_URL=" + app, "CRM_MIGRATE_DATABASE_URL=" + owner, "CRM_SECRET_KEY=" + secret.Generate()}, extra...)...)
}

// start runs a server on a database of its own, with one tenant.
func start(t *testing.T, extra ...string) (*world, *dbtest.DB) {
	t.Helper()
	db := dbtest.New(t)
	w := &world{Server: onDatabase(t, db.AppURL, db.OwnerURL, extra...)}
	w.Start(t)
	w.api = w.tenant(t, "alpha")
	return w, db
}

const password = "four quiet words"

// tenant makes one more tenant, with a person who can sign in, and a key for it.
func (w *world) tenant(t *testing.T, name string) *faults.Client {
	t.Helper()
	w.CLI(t, "tenant", "create", "--name", name)
	w.CLI(t, "user", "create", "--tenant", name, "--email", "ada@"+name+".test", "--role", "tenant_admin", "--password", password)
	return faults.NewClient(w.URL, w.CLI(t, "apikey", "create", "--tenant", name))
}

// load is clients that make leads until stop, and write down what they know.
type load struct {
	ledger *faults.Ledger
	keyed  bool // repeat what is unknown or not now, under the same Idempotency-Key
	api    func() *faults.Client
	seen   func(*faults.Reply) // every reply, where a test wants to look

	stopped chan struct{}
	wg      sync.WaitGroup
	once    sync.Once
}

func (l *load) start(t *testing.T, clients int) {
	t.Helper()
	l.ledger, l.stopped = faults.NewLedger(), make(chan struct{})
	for n := range clients {
		l.wg.Go(func() {
			for i := 0; !l.over(); i++ {
				l.create(fmt.Sprintf("c%d-%d", n, i))
			}
		})
	}
	t.Cleanup(l.stop)
}

func (l *load) over() bool {
	select {
	case <-l.stopped:
		return true
	default:
		return false
	}
}

func (l *load) stop() {
	l.once.Do(func() { close(l.stopped) })
	l.wg.Wait()
}

func (l *load) create(name string) {
	l.ledger.Begin(name)
	body := map[string]any{"last_name": name, "email": name + "@firm-" + name + ".test"}
	deadline := time.Now().Add(faults.Patience)
	for {
		var headers []string
		if l.keyed {
			headers = []string{"Idempotency-Key", name}
		}
		r := l.api().Do(http.MethodPost, "/api/v1/leads", body, headers...)
		if l.seen != nil {
			l.seen(r)
		}
		again := l.keyed && (r.Err != nil || r.IsAway()) && time.Now().Before(deadline)
		if !again {
			if l.ledger.End(name, r.Outcome()); r.Outcome() == faults.Failed {
				l.ledger.Refused(name, string(r.Raw))
			}
			if r.Status/100 == 2 {
				return
			}
		}
		// As told: not at once.
		time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond)
		if !again {
			return
		}
	}
}

// atWork waits until at least 100 changes are acknowledged and several are in flight.
func (l *load) atWork(t *testing.T) {
	t.Helper()
	before := l.ledger.Count(faults.OK)
	e2e.Until(t, time.Minute, "100 changes are acknowledged and more are in flight", func() bool {
		return l.ledger.Count(faults.OK) >= before+100 && l.ledger.Count(faults.Invoked) >= 2
	})
}

// moves waits until more is acknowledged than now: the work goes on.
func (l *load) moves(t *testing.T, more int) {
	t.Helper()
	before := l.ledger.Count(faults.OK)
	e2e.Until(t, time.Minute, "work goes on", func() bool { return l.ledger.Count(faults.OK) >= before+more })
}

// metric sums the samples of a metric whose line holds all the words.
func metric(t *testing.T, s *e2e.Server, words ...string) float64 {
	t.Helper()
	r := faults.NewClient(s.Metrics, "").Do(http.MethodGet, "", nil)
	if r.Err != nil {
		t.Fatalf("metrics: %v", r.Err)
	}
	sum := 0.0
lines:
	for line := range strings.Lines(string(r.Raw)) {
		for _, w := range words {
			if strings.HasPrefix(line, "#") || !strings.Contains(line, w) {
				continue lines
			}
		}
		fields := strings.Fields(line)
		v, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			t.Fatalf("metric line %q: %v", line, err)
		}
		sum += v
	}
	return sum
}
