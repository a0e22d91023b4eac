package deals

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/errs"
	"crm/internal/record"
)

// maxMinor bounds an amount, in minor units (a trillion of most currencies): sums
// over a tenant's deals then fit 64 bits.
const maxMinor = 100_000_000_000_000

// notGiven is the reason of lost deals from files that have none.
const notGiven = "not given"

// given says which fields the change itself sets. A field that is cleared counts
// as not given: clearing a derived value means "follow again".
type given struct {
	Pipeline, Stage, Status, Amount, Probability, Category, Reason, ClosedAt, EnteredAt bool
}

func givenIn(c *record.Change) given {
	set := func(field string) bool { return c.Changed(field) && c.New.Get(field) != nil }
	return given{
		Pipeline: set("pipeline_id"), Stage: set("stage_id"), Status: set("status"), Amount: set("amount"),
		Probability: set("probability"), Category: set("forecast_category"), Reason: set("lost_reason"),
		ClosedAt: set("closed_at"), EnteredAt: set("stage_entered_at"),
	}
}

// manner is how the change comes in.
type manner struct {
	now     time.Time
	undoing bool // a state that was held before: derive, refuse nothing
	history bool // an import: fill gaps instead of refusing
}

func (m manner) strict() bool { return !m.undoing && !m.history }

// place finds the stage d belongs in and writes pipeline and stage into it. old
// is nil for a new deal.
func (c *catalog) place(old, d *Deal, g given, m manner) (*Stage, error) {
	if m.undoing {
		if st := c.stages[deref(d.StageID)]; st != nil {
			d.PipelineID = st.PipelineID
			return st, nil
		}
	}
	p, err := c.pipelineOf(d, g)
	if err != nil {
		return nil, err
	}
	st, err := c.stageOf(d, p, g)
	if err != nil {
		return nil, err
	}
	if *st.PipelineID != p.ID {
		return nil, errs.Field("stage_id", "foreign_stage", "The stage %q is not in the pipeline %q. Choose one of its stages, or change pipeline_id too.", st.Name, p.Name)
	}
	if !st.alive() && (old == nil || !old.in(st.ID)) {
		return nil, errs.Field("stage_id", "deleted_stage", "The stage %q was deleted. Choose another one.", st.Name)
	}
	if g.Status && d.Status != st.Kind {
		return nil, errs.Field("status", "contradicts_stage", "status is %s but the stage %q means %s. Send only one of the two.", d.Status, st.Name, st.Kind)
	}
	d.PipelineID, d.StageID = &p.ID, &st.ID
	return st, nil
}

// pipelineOf is the deal's pipeline: its own, its stage's, or the default one.
func (c *catalog) pipelineOf(d *Deal, g given) (*Pipeline, error) {
	if d.PipelineID == nil && d.StageID != nil {
		if st := c.stages[*d.StageID]; st != nil {
			return c.pipelines[*st.PipelineID], nil
		}
	}
	if d.PipelineID == nil {
		if p := c.fallback(); p != nil {
			return p, nil
		}
		return nil, errs.Field("pipeline_id", "no_pipeline", "There is no pipeline yet. Make one in the settings first.")
	}
	p := c.pipelines[*d.PipelineID]
	if p == nil || (g.Pipeline && !p.alive()) {
		return nil, errs.Field("pipeline_id", "unknown_pipeline", "There is no such pipeline.")
	}
	return p, nil
}

// stageOf is the stage the change asks for: the one it names, or the first of the
// wanted kind when it names none, changes the pipeline, or sets only the status.
func (c *catalog) stageOf(d *Deal, p *Pipeline, g given) (*Stage, error) {
	kind := d.Status
	if kind == "" {
		kind = Open
	}
	if d.StageID == nil {
		return c.mustFirst(p.ID, kind, "stage_id")
	}
	st := c.stages[*d.StageID]
	if st == nil {
		return nil, errs.Field("stage_id", "unknown_stage", "There is no such stage.")
	}
	switch {
	case g.Stage:
		return st, nil
	case g.Pipeline && *st.PipelineID != p.ID:
		return c.mustFirst(p.ID, kind, "stage_id")
	case g.Status && kind != st.Kind:
		return c.mustFirst(p.ID, kind, "status")
	}
	return st, nil
}

// settle brings every field that depends on the stage into line with it. It is
// the one place that keeps the invariants of the package.
func settle(old, d *Deal, st *Stage, g given, m manner) error {
	var refused errs.Fields
	d.Status = st.Kind
	settleProbability(old, d, st, g, m, &refused)
	settleTimes(old, d, g, m)
	settleReason(old, d, g, m, &refused)
	settleCategory(old, d, g, m, &refused)
	if g.Amount && (d.Amount.Minor > maxMinor || d.Amount.Minor < -maxMinor) {
		refused.Add("amount", "too_large", "Amount may be at most %d minor units.", int64(maxMinor))
	}
	if err := refused.Err(); err != nil {
		return err
	}
	d.WeightedAmount = d.weighted()
	return nil
}

func settleProbability(old, d *Deal, st *Stage, g given, m manner, refused *errs.Fields) {
	switch {
	case st.Kind != Open:
		if g.Probability && *d.Probability != *st.Probability && m.strict() {
			refused.Add("probability", "closed_deal", "A %s deal has a probability of %d %%.", st.Kind, *st.Probability)
		}
		d.Probability = st.Probability
	case d.Probability == nil, !g.Probability && !m.undoing && entered(old, d):
		d.Probability = st.Probability
	case *d.Probability < 0 || *d.Probability > 100:
		refused.Add("probability", "out_of_range", "Probability must be between 0 and 100.")
	}
}

// entered reports whether the change brings the deal into its stage.
func entered(old, d *Deal) bool { return old == nil || !old.in(*d.StageID) }

// settleTimes keeps closed_at and stage_entered_at. An import brings dates of its
// own; a deal that came with its closing or making date has been in its stage
// since then.
func settleTimes(old, d *Deal, g given, m manner) {
	switch {
	case d.Status == Open:
		d.ClosedAt = nil
	case d.ClosedAt == nil, !g.ClosedAt && (old == nil || old.Status != d.Status):
		d.ClosedAt = &m.now
	}
	if g.EnteredAt || !entered(old, d) {
		return
	}
	d.StageEnteredAt = &m.now
	switch {
	case m.history && d.ClosedAt != nil:
		d.StageEnteredAt = d.ClosedAt
	case m.history && old == nil && !d.CreatedAt.IsZero():
		d.StageEnteredAt = &d.CreatedAt
	}
}

func settleReason(old, d *Deal, g given, m manner, refused *errs.Fields) {
	d.LostReason = strings.TrimSpace(d.LostReason)
	if d.Status != Lost {
		if g.Reason && m.strict() {
			refused.Add("lost_reason", "not_lost", "Only a lost deal has a reason. Move it to a lost stage as well.")
		}
		d.LostReason = ""
		return
	}
	if d.LostReason != "" {
		return
	}
	if m.strict() {
		refused.Add("lost_reason", "required", "Say why the deal was lost.")
		return
	}
	if old != nil && old.LostReason != "" {
		d.LostReason = old.LostReason
		return
	}
	d.LostReason = notGiven
}

func settleCategory(old, d *Deal, g given, m manner, refused *errs.Fields) {
	derived := d.category()
	wrong := d.Status != Open && d.ForecastCategory != derived || d.Status == Open && d.ForecastCategory == CategoryClosed
	switch {
	case wrong && g.Category && m.strict():
		refused.Add("forecast_category", "contradicts_status", "The forecast category of a deal that is %s cannot be %s.", d.Status, d.ForecastCategory)
	case wrong, d.ForecastCategory == "":
		d.ForecastCategory = derived
	case g.Category, m.undoing, old == nil:
	case old.Status != Open || old.ForecastCategory == old.category():
		d.ForecastCategory = derived // nobody had chosen another
	}
}

// wordFor is what the journal calls the change, "" when it is a plain update.
func wordFor(old, d *Deal) string {
	switch {
	case old == nil:
		return ""
	case old.Status != d.Status && d.Status == Won:
		return ActWon
	case old.Status != d.Status && d.Status == Lost:
		return ActLost
	case old.Status != d.Status:
		return ActReopened
	case !old.in(*d.StageID):
		return ActMoved
	}
	return ""
}

// deref is the id or the zero id.
func deref(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
}
