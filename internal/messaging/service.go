package messaging

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/egress"
	"crm/internal/platform/id"
	"crm/internal/platform/jobs"
	"crm/internal/platform/secret"
	"crm/internal/record"
)

// Deps are what the service needs. BaseURL is the public address of the
// installation, for links. Jobs may be set later, see SetJobs. Alone says that no
// other process can be working this database, so that what a killed one left is
// taken up at once instead of after the lease.
type Deps struct {
	Kernel  *record.Kernel
	Jobs    *jobs.Client
	Box     *secret.Box
	Egress  *egress.Egress
	Now     func() time.Time
	Log     *slog.Logger
	BaseURL string
	Alone   bool
	Policy  Policy   // zero = DefaultPolicy
	Limits  Timeouts // zero = the defaults
}

// Timeouts bound one conversation with a provider. Zero means the default.
type Timeouts struct {
	Connect time.Duration // name resolution and TCP; 10 s
	Step    time.Duration // each command and its answer; 20 s
	Answer  time.Duration // the answer to the complete message; 60 s. Each one given up is a message in doubt
}

// Service is the face of the context.
type Service struct {
	Templates    *record.Store[Template]
	Suppressions *record.Store[Suppression]
	Messages     *record.Store[Message]

	k       *record.Kernel
	jobs    *jobs.Client
	box     *secret.Box
	egress  *egress.Egress
	now     func() time.Time
	log     *slog.Logger
	baseURL string
	alone   bool
	policy  Policy
	limits  Timeouts

	worker  uuid.UUID // this process, in claims
	routes  *routes
	woken   chan struct{}
	metrics *metrics
}

// New registers templates, suppressions and messages with the kernel.
func New(d Deps) (*Service, error) {
	if d.Kernel == nil || d.Box == nil || d.Egress == nil || d.Now == nil || d.Log == nil {
		return nil, errors.New("messaging needs the kernel, the secret box, egress, a clock and a log")
	}
	s := &Service{
		k: d.Kernel, jobs: d.Jobs, box: d.Box, egress: d.Egress, now: d.Now, log: d.Log,
		baseURL: strings.TrimSuffix(d.BaseURL, "/"), alone: d.Alone, policy: d.Policy.completed(), limits: d.Limits.completed(),
		worker: id.New(), routes: newRoutes(), woken: make(chan struct{}, 1), metrics: newMetrics(),
	}
	if err := s.registerTemplates(); err != nil {
		return nil, fmt.Errorf("register templates: %w", err)
	}
	if err := s.registerSuppressions(); err != nil {
		return nil, fmt.Errorf("register suppressions: %w", err)
	}
	if err := s.registerMessages(); err != nil {
		return nil, fmt.Errorf("register messages: %w", err)
	}
	return s, nil
}

// Register adds what the service can work to the registry, which must be complete
// before the client is made.
func (s *Service) Register(reg *jobs.Registry) { jobs.Work(reg, s.work) }

// SetJobs connects the client made from the registry; at start-up only. Without
// one, messages wait for a dispatcher (Run) of another process.
func (s *Service) SetJobs(c *jobs.Client) { s.jobs = c }

// Close ends the connections to providers. Call it after the jobs have stopped.
func (s *Service) Close() { s.routes.close() }

func (t Timeouts) completed() Timeouts {
	t.Connect = orDefault(t.Connect, 10*time.Second)
	t.Step = orDefault(t.Step, 20*time.Second)
	t.Answer = orDefault(t.Answer, time.Minute)
	return t
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d <= 0 {
		return fallback
	}
	return d
}

// micros is the precision PostgreSQL keeps; what is compared later must have it.
func (s *Service) micros() time.Time { return s.now().UTC().Truncate(time.Microsecond) }
