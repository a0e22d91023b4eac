package scoring

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/cache"
	"crm/internal/platform/jobs"
	"crm/internal/platform/onnx"
	"crm/internal/record"
)

// permission is the object name in grants: read sees models, create trains one, execute activates one.
const permission = "scoring_model"

const (
	// activeTTL is how long another replica may serve the model before.
	activeTTL = 2 * time.Second
	// loadedTTL frees the memory of models nobody asks for.
	loadedTTL = time.Hour
	// loadedModels is how many tenants' models a process keeps; a model is about 1 MB with its session.
	loadedModels = 256
)

// Deps are what scoring needs.
type Deps struct {
	Kernel *record.Kernel
	Now    func() time.Time
	Log    *slog.Logger

	LibPath string // CRM_ONNXRUNTIME_LIB, may be empty
	DataDir string // searched for the library too
	Device  string // auto, cpu or cuda
	// Runtime opens the library in another way; nil uses the three settings above.
	Runtime func() (*onnx.Runtime, error)

	// Scores keeps scores on records; nil writes them to the object's table.
	Scores Scores
	// Tenants lists whom the periodic sweep serves; nil = no sweep.
	Tenants func(context.Context) ([]uuid.UUID, error)
}

// Service trains, keeps and serves models. It is safe for concurrent use.
type Service struct {
	k       *record.Kernel
	now     func() time.Time
	log     *slog.Logger
	scores  Scores
	tenants func(context.Context) ([]uuid.UUID, error)
	jobs    *jobs.Client

	runtime  *onnx.Runtime // nil: the Go evaluator scores
	engine   string
	sessions *onnx.Cache
	active   *cache.Aside[activeRef]
	loaded   *cache.Aside[*loaded]
}

// New makes the service and says once in the log what will compute the scores. A missing library is no error.
func New(d Deps) (*Service, error) {
	s := &Service{k: d.Kernel, now: d.Now, log: d.Log, scores: d.Scores, tenants: d.Tenants, sessions: onnx.NewCache(loadedModels)}
	if s.scores == nil {
		s.scores = table{d.Kernel.DB}
	}
	var err error
	if s.active, err = cache.New(d.Kernel.Cache, cache.Options[activeRef]{Name: "scoring_active", Local: activeTTL, Entries: 10_000}); err != nil {
		return nil, err
	}
	if s.loaded, err = cache.New(d.Kernel.Cache, cache.Options[*loaded]{Name: "scoring_models", Local: loadedTTL, Entries: loadedModels}); err != nil {
		return nil, err
	}
	return s, s.openEngine(d)
}

func (s *Service) openEngine(d Deps) error {
	open := d.Runtime
	if open == nil {
		open = func() (*onnx.Runtime, error) { return onnx.Open(d.LibPath, d.Device, d.DataDir) }
	}
	runtime, err := open()
	if err != nil {
		if !isLibraryMissing(err) {
			return fmt.Errorf("open the scoring engine: %w", err)
		}
		s.engine = "go evaluator: " + err.Error()
		s.log.Warn("scores come from the Go evaluator; they are the same, without ONNX Runtime", "reason", err.Error())
		return nil
	}
	s.runtime = runtime
	s.engine = "onnxruntime " + runtime.Version() + " " + runtime.Provider()
	s.log.Info("scores come from ONNX Runtime", "version", runtime.Version(), "provider", runtime.Provider(), "cuda_fallback", runtime.Fallback())
	return nil
}

// Engine tells what computes the scores: "onnxruntime 1.27.0 cpu" or "go evaluator: <why>".
func (s *Service) Engine() string { return s.engine }

// SetJobs gives the service its queue, once, before it is used. It cannot be in Deps: the queue is made from the
// workers that Register adds.
func (s *Service) SetJobs(c *jobs.Client) { s.jobs = c }

// Close frees the loaded models. Scores asked for afterwards still come, from the Go evaluator.
func (s *Service) Close() { s.sessions.Close() }

// clock is the time as PostgreSQL keeps it.
func (s *Service) clock() time.Time { return s.now().UTC().Truncate(time.Microsecond) }
