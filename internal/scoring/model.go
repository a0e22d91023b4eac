package scoring

import (
	"time"

	"github.com/google/uuid"

	"crm/internal/scoring/learn"
)

// Status is where a model is in its life.
type Status string

const (
	Training  Status = "training"
	Candidate Status = "candidate" // trained, not in use; Decision says why
	Active    Status = "active"
	Retired   Status = "retired" // was in use
	Failed    Status = "failed"  // could not be trained; Error says why
)

// Model is a model's card: what it was trained on, how good it is, and what came of it. Figures and tables are
// measured on the held-out leads; they are absent until training has ended.
type Model struct {
	ID        uuid.UUID `json:"id"`
	Object    string    `json:"object"`
	Version   int       `json:"version"`
	Status    Status    `json:"status"`
	Stage     string    `json:"stage,omitempty"` // of a training: load, inspect, choose, evaluate, final
	Progress  float64   `json:"progress"`        // of a training, 0 to 1
	Error     string    `json:"error,omitempty"`
	Decision  string    `json:"decision,omitempty"` // why it is active or not, in a sentence
	CreatedAt time.Time `json:"created_at"`

	TrainedAt   *time.Time `json:"trained_at"`
	ActivatedAt *time.Time `json:"activated_at"`
	RetiredAt   *time.Time `json:"retired_at"`

	Rows      int                    `json:"rows"`      // leads with a known outcome
	Positives int                    `json:"positives"` // conversions among them
	Period    *Period                `json:"period"`
	Holdout   *learn.Holdout         `json:"holdout"`
	Metrics   *learn.Metrics         `json:"metrics"`
	Grade     string                 `json:"grade,omitempty"` // of the model itself, A to D by its AUC
	Choice    *learn.Choice          `json:"choice,omitempty"`
	Bins      []learn.CalibrationBin `json:"calibration"`
	Lift      []learn.LiftRow        `json:"lift"`
	Important []Importance           `json:"importance"`
	Warnings  []learn.Warning        `json:"warnings"`
	Dropped   []learn.Dropped        `json:"dropped"`
	Refuse    []string               `json:"refuse"` // fields left out on request
	Keep      []string               `json:"keep"`   // fields people vouched for
	// Labels are the names fields had when the model was trained.
	Labels map[string]string `json:"labels"`
	SHA256 string            `json:"sha256,omitempty"` // of the ONNX file
}

// Period is the span of time the training leads came in.
type Period struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Importance tells how much a field moves scores; Share is its part of all fields'.
type Importance struct {
	Field string  `json:"field"`
	Label string  `json:"label"`
	Size  float64 `json:"importance"`
	Share float64 `json:"share"`
}

// describe fills in what training reported.
func (m *Model) describe(r *learn.Report, labels map[string]string) {
	m.Bins, m.Lift, m.Important = []learn.CalibrationBin{}, []learn.LiftRow{}, []Importance{}
	m.Warnings, m.Dropped, m.Labels = []learn.Warning{}, []learn.Dropped{}, labels
	if r == nil {
		return
	}
	m.Rows, m.Positives, m.Grade = r.Rows, r.Positives, r.Grade
	m.Period, m.Holdout, m.Metrics, m.Choice = &Period{r.From, r.To}, &r.Holdout, &r.Metrics, &r.Choice
	m.Bins, m.Lift = append(m.Bins, r.Calibration...), append(m.Lift, r.Lift...)
	m.Warnings, m.Dropped = append(m.Warnings, r.Warnings...), append(m.Dropped, r.Dropped...)
	for _, im := range r.Importance {
		m.Important = append(m.Important, Importance{Field: im.Field, Label: m.Label(im.Field), Size: im.Importance, Share: im.Share})
	}
}

// Label is a field's name for people, as it was when the model was trained.
func (m *Model) Label(field string) string {
	if l := m.Labels[field]; l != "" {
		return l
	}
	return field
}
