package messaging_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/messaging"
	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/egress"
	"crm/internal/platform/jobs"
	"crm/internal/platform/mail/smtptest"
	"crm/internal/platform/secret"
	"crm/internal/record"
	"crm/internal/record/recordtest"
)

// person, prospect and company stand in for the objects of the neighbouring
// contexts, over their real tables: contexts never import each other.
type person struct {
	record.Base
	FirstName    string     `crm:"first_name,text,title"`
	LastName     string     `crm:"last_name,text,title"`
	Email        string     `crm:"email,email"`
	Phone        string     `crm:"phone,phone"`
	AccountID    *uuid.UUID `crm:"account_id,relation,target=account"`
	DoNotContact bool       `crm:"do_not_contact,boolean"`
}

type prospect struct {
	record.Base
	FirstName string `crm:"first_name,text,title"`
	LastName  string `crm:"last_name,text,title"`
	Email     string `crm:"email,email"`
	Phone     string `crm:"phone,phone"`
	Company   string `crm:"company,text"`
}

type company struct {
	record.Base
	Name string `crm:"name,text,required,title"`
}

// world is a database with people; processes work on it.
type world struct {
	*recordtest.Env
	sink *smtptest.Sink
	key  string
}

func newWorld(t *testing.T, sink ...smtptest.Options) *world {
	t.Helper()
	return &world{Env: recordtest.New(t), sink: smtptest.Start(t, sink...), key: secret.Generate()}
}

// process is one running copy of the program: its own pool, kernel and workers.
type process struct {
	s        *messaging.Service
	k        *record.Kernel
	jobs     *jobs.Client
	people   *record.Store[person]
	leads    *record.Store[prospect]
	accounts *record.Store[company]
	stop     func()
}

// quick makes retries fast enough to be waited for.
var quick = messaging.Policy{MaxAttempts: 4, FirstPause: 20 * time.Millisecond, LongestWait: 100 * time.Millisecond, GiveUpAfter: time.Hour}

// build makes a process that does not work yet.
func (w *world) build(t *testing.T, change ...func(*messaging.Deps)) *process {
	t.Helper()
	pool, err := db.Open(t.Context(), w.SQL.AppURL, 8)
	must(t, err)
	t.Cleanup(pool.Close)
	k, err := record.NewKernel(record.Deps{DB: pool, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{k: k, stop: func() {}}
	p.accounts = register[company](t, p.k, "account", "accounts")
	p.people = register[person](t, p.k, "contact", "contacts")
	p.leads = register[prospect](t, p.k, "lead", "leads")
	box, err := secret.New([]string{w.key})
	must(t, err)
	guard, err := egress.New([]string{"127.0.0.0/8"})
	must(t, err)
	d := messaging.Deps{
		Kernel: p.k, Box: box, Egress: guard, Now: time.Now, Log: slog.New(slog.DiscardHandler), BaseURL: "https://crm.test", Alone: true, Policy: quick,
		Limits: messaging.Timeouts{Connect: 5 * time.Second, Step: 5 * time.Second, Answer: 10 * time.Second},
	}
	for _, f := range change {
		f(&d)
	}
	p.s, err = messaging.New(d)
	must(t, err)
	reg := jobs.NewRegistry()
	p.s.Register(reg)
	p.jobs, err = jobs.New(reg, jobs.Options{Pool: pool.Pool(), Log: slog.New(slog.DiscardHandler), Works: true})
	must(t, err)
	p.s.SetJobs(p.jobs)
	t.Cleanup(p.s.Close)
	return p
}

func register[T any](t *testing.T, k *record.Kernel, name, plural string) *record.Store[T] {
	t.Helper()
	s, err := record.Register[T](k, record.Definition{Name: name, Plural: plural, Label: name, LabelPlural: plural, Owned: true}, record.HooksFor[T]{})
	must(t, err)
	return s
}

// start lets the process work until the test ends or stop is called.
func (p *process) start(t *testing.T) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	must(t, p.jobs.Start(context.WithoutCancel(ctx), true))
	done := make(chan error, 1)
	go func() { done <- p.s.Run(ctx) }()
	stopped := false
	p.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("dispatcher: %v", err)
		}
		grace, end := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer end()
		if err := p.jobs.Stop(grace); err != nil {
			t.Errorf("stop jobs: %v", err)
		}
	}
	t.Cleanup(func() { p.stop() })
	return p
}

// running is a world with one working process and a provider that leads to its
// sink.
func running(t *testing.T) (*world, *process) {
	t.Helper()
	w := newWorld(t)
	p := w.build(t)
	w.smtp(t, p, w.sink, 10)
	return w, p.start(t)
}

func (w *world) smtp(t *testing.T, p *process, sink *smtptest.Sink, priority int) *messaging.Provider {
	t.Helper()
	host, port := sink.HostPort()
	out, err := p.s.CreateProvider(w.Admin, messaging.ProviderInput{
		Name: new(fmt.Sprintf("sink %d", priority)), Type: new("smtp"), Priority: &priority,
		Settings: map[string]any{"host": host, "port": port, "tls": "none", "from": "Desk <desk@crm.test>"},
	})
	must(t, err)
	return out
}

// system acts like a job.
func (w *world) system() context.Context { return auth.With(w.Admin, auth.SystemActor(w.Tenant)) }

// plain is a draft to an address.
func plain(to string) messaging.Draft {
	return messaging.Draft{To: to, Subject: "Hello", Body: "Some text."}
}

func (p *process) send(t *testing.T, ctx context.Context, d messaging.Draft) *messaging.Message {
	t.Helper()
	m, err := p.s.Send(ctx, d)
	must(t, err)
	return m
}

// become waits until the message has the status and returns it.
func (p *process) become(t *testing.T, ctx context.Context, id uuid.UUID, status string) *messaging.Message {
	t.Helper()
	var m *messaging.Message
	wait(t, func() bool {
		var err error
		m, err = p.s.Messages.Get(ctx, id)
		must(t, err)
		return m.Status == status
	}, func() string { return fmt.Sprintf("message is %s (%s), want %s", m.Status, m.LastError, status) })
	return m
}

// wait polls until ok, or fails with what is said.
func wait(t *testing.T, ok func() bool, say func() string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("gave up waiting: %s", say())
		}
	}
}

func (w *world) count(t *testing.T, sql string, args ...any) int {
	t.Helper()
	var n int
	must(t, w.SQL.Owner.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
