package scoring

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
	"crm/internal/scoring/learn"
)

// MostAtOnce is how many records one call may score.
const MostAtOnce = 10_000

// batchRows bounds the memory of one run of the engine.
const batchRows = 1024

// Score is a model's answer for one record, with its reasons.
type Score struct {
	Score       int       `json:"score"`       // 0 to 100
	Probability float64   `json:"probability"` // of success, 0 to 1
	Grade       string    `json:"grade"`       // A to D among the tenant's own records
	Model       ModelRef  `json:"model"`
	Reasons     []Reason  `json:"reasons"`
	ScoredAt    time.Time `json:"scored_at"`
}

// ModelRef names the model behind a score.
type ModelRef struct {
	ID        uuid.UUID `json:"id"`
	Version   int       `json:"version"`
	TrainedAt time.Time `json:"trained_at"`
}

// Result is one answer of a bulk call. ID is set when the record was named by id or the row had one.
type Result struct {
	ID          *uuid.UUID `json:"id,omitempty"`
	Probability float64    `json:"probability"`
	Score       int        `json:"score"`
	Grade       string     `json:"grade"`
	Reasons     []Reason   `json:"reasons"`
}

// Bulk are the answers to many records, in their order.
type Bulk struct {
	Model   ModelRef `json:"model"`
	Results []Result `json:"results"`
}

// scorer scores records of one object and tenant by one model, whatever becomes active meanwhile.
type scorer struct {
	s      *Service
	target *target
	model  *loaded
	// fields are the model's, in the layout's order; nil for one the object no longer has.
	fields []*feature
	row    []learn.Value
}

// Score scores one record as it is now. The caller must be allowed to see it; [ErrNoModel] without an active model.
func (s *Service) Score(ctx context.Context, object string, id uuid.UUID) (*Score, error) {
	a, o, err := s.readable(ctx, object)
	if err != nil {
		return nil, err
	}
	r, err := o.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	m, err := s.current(ctx, a.TenantID, object)
	if err != nil {
		return nil, err
	}
	sc, err := s.scorer(ctx, m, object)
	if err != nil {
		return nil, err
	}
	at := s.clock()
	got := sc.score(ctx, []lookup{r.Get})[0]
	return &Score{Score: got.Score, Probability: got.Probability, Grade: got.Grade, Model: sc.model.ref(), Reasons: got.Reasons, ScoredAt: at}, nil
}

// ScoreIDs scores up to [MostAtOnce] records the caller may see, in the order asked for.
func (s *Service) ScoreIDs(ctx context.Context, object string, ids []uuid.UUID) (*Bulk, error) {
	a, o, err := s.readable(ctx, object)
	if err != nil {
		return nil, err
	}
	if err := countable("ids", len(ids)); err != nil {
		return nil, err
	}
	found, err := o.GetMany(ctx, ids)
	if err != nil {
		return nil, err
	}
	gets := make([]lookup, len(ids))
	for i, id := range ids {
		r := found[id]
		if r == nil {
			e := errs.Missing(o.Def.Name)
			e.Fields = []errs.FieldError{{Field: fmt.Sprintf("ids[%d]", i), Code: "not_found", Message: "There is no " + o.Def.Name + " with this id, or you may not see it."}}
			return nil, e
		}
		gets[i] = r.Get
	}
	return s.bulk(ctx, a.TenantID, object, gets, func(i int) *uuid.UUID { return &ids[i] })
}

func (s *Service) bulk(ctx context.Context, tenant uuid.UUID, object string, gets []lookup, id func(int) *uuid.UUID) (*Bulk, error) {
	m, err := s.current(ctx, tenant, object)
	if err != nil {
		return nil, err
	}
	sc, err := s.scorer(ctx, m, object)
	if err != nil {
		return nil, err
	}
	out := &Bulk{Model: sc.model.ref(), Results: sc.score(ctx, gets)}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i := range out.Results {
		out.Results[i].ID = id(i)
	}
	return out, nil
}

// countable refuses lists that are empty or too long, rather than cutting them.
func countable(field string, n int) error {
	if n == 0 {
		return errs.Field(field, "empty", "Send at least one of %s to score.", field)
	}
	if n > MostAtOnce {
		return errs.Field(field, "too_many", "At most %d can be scored in one call, these are %d. Send them in parts.", MostAtOnce, n)
	}
	return nil
}

// readable finds an object that can be scored and that the actor may read.
func (s *Service) readable(ctx context.Context, object string) (*auth.Actor, *record.Object, error) {
	t, err := targetOf(object)
	if err != nil {
		return nil, nil, err
	}
	a, _, err := auth.Require(ctx, t.object, auth.Read)
	if err != nil {
		return nil, nil, err
	}
	o, ok := s.k.Object(t.object)
	if !ok {
		return nil, nil, fmt.Errorf("score %s: the object is not registered", t.object)
	}
	return a, o, nil
}

func (m *loaded) ref() ModelRef { return ModelRef{m.ID, m.Version, m.TrainedAt} }

// scorer prepares to score with a model.
func (s *Service) scorer(ctx context.Context, m *loaded, object string) (*scorer, error) {
	t, err := targetOf(object)
	if err != nil {
		return nil, err
	}
	def, err := s.k.Definition(ctx, object)
	if err != nil {
		return nil, err
	}
	p := planOf(t, def)
	fields := m.model.Layout.Fields
	sc := &scorer{s: s, target: t, model: m, fields: make([]*feature, len(fields)), row: make([]learn.Value, len(fields))}
	for i, f := range fields {
		sc.fields[i] = p.byName[f.Name]
	}
	return sc, nil
}

// score answers for each record in order. It cannot fail: a value the model cannot read is a missing one.
func (sc *scorer) score(ctx context.Context, gets []lookup) []Result {
	out := make([]Result, 0, len(gets))
	width := sc.model.model.Layout.Width
	x := make([]float32, min(len(gets), batchRows)*width)
	for from := 0; from < len(gets) && ctx.Err() == nil; from += batchRows {
		part := gets[from:min(len(gets), from+batchRows)]
		for i, get := range part {
			sc.encode(get, x[i*width:(i+1)*width])
		}
		chances := sc.s.probabilities(ctx, sc.model, x[:len(part)*width], len(part))
		for i, get := range part {
			out = append(out, sc.answer(get, x[i*width:(i+1)*width], chances[i]))
		}
	}
	return out
}

func (sc *scorer) encode(get lookup, x []float32) {
	for i, f := range sc.model.model.Layout.Fields {
		sc.row[i] = learn.Missing()
		if sc.fields[i] != nil {
			sc.row[i] = learn.Coerce(f.Kind, sc.fields[i].value(get))
		}
	}
	// The row and the vector are made to the layout's measure above, so this cannot fail.
	_ = sc.model.model.Layout.EncodeRow(sc.row, x)
}

func (sc *scorer) answer(get lookup, x []float32, chance float64) Result {
	return Result{
		Probability: math.Round(chance*1e7) / 1e7, Score: learn.Score(chance), Grade: sc.model.model.Bands.Grade(chance),
		Reasons: sc.reasons(get, sc.model.model.Explain(x)),
	}
}
