package deals

import (
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/money"
	"crm/internal/record"
)

// Kinds of stages, which are the statuses of the deals in them.
const (
	Open = "open"
	Won  = "won"
	Lost = "lost"
)

// Forecast categories. Won deals are Closed; lost and Omitted ones do not count.
const (
	CategoryPipeline = "pipeline"
	CategoryBestCase = "best_case"
	CategoryCommit   = "commit"
	CategoryClosed   = "closed"
	CategoryOmitted  = "omitted"
)

// Words of the journal for what happens to a deal.
const (
	ActMoved    = "moved"
	ActWon      = "won"
	ActLost     = "lost"
	ActReopened = "reopened"
)

// Deal is a sale on its way. Pointers are nil for "empty"; after a save
// PipelineID, StageID, Position and Probability never are.
type Deal struct {
	record.Base
	Name              string        `crm:"name,text,required,search,title"`
	AccountID         *uuid.UUID    `crm:"account_id,relation,target=account" label:"Company"`
	ContactID         *uuid.UUID    `crm:"contact_id,relation,target=contact" label:"Contact"`
	ProductID         *uuid.UUID    `crm:"product_id,relation,target=product" label:"Product"`
	PipelineID        *uuid.UUID    `crm:"pipeline_id,relation,target=pipeline" label:"Pipeline" help:"The default pipeline when left out."`
	StageID           *uuid.UUID    `crm:"stage_id,relation,target=stage" label:"Stage" help:"The pipeline's first open stage when left out."`
	Amount            *money.Amount `crm:"amount,money"`
	Probability       *int64        `crm:"probability,integer" label:"Probability, %" help:"Follows the stage when left out."`
	WeightedAmount    *money.Amount `crm:"weighted_amount,money,readonly" label:"Weighted amount" help:"Amount times probability."`
	ExpectedCloseDate *time.Time    `crm:"expected_close_date,date" label:"Expected close"`
	Status            string        `crm:"status,select,options=open:accent|won:good|lost:bad" help:"The kind of the stage. Setting it alone moves the deal to the first stage of that kind."`
	ClosedAt          *time.Time    `crm:"closed_at,datetime,readonly,history" label:"Closed"`
	LostReason        string        `crm:"lost_reason,text" label:"Lost because"`
	ForecastCategory  string        `crm:"forecast_category,select,options=pipeline|best_case|commit:accent|closed:good|omitted" label:"Forecast category" help:"Follows the probability when left out."`
	Source            string        `crm:"source,text"`
	NextActivityAt    *time.Time    `crm:"next_activity_at,datetime,readonly" label:"Next step"`
	StageEnteredAt    *time.Time    `crm:"stage_entered_at,datetime,readonly,history" label:"In this stage since"`
	WinProbability    *float64      `crm:"win_probability,decimal,readonly" label:"Predicted win" help:"What the scoring model expects, 0 to 1."`
	Position          *float64      `crm:"position,decimal,readonly" label:"Place on the board" help:"Rank inside the stage; smaller is higher."`
}

// weighted is the amount times the probability, nil without an amount.
func (d *Deal) weighted() *money.Amount {
	if d.Amount == nil || d.Probability == nil {
		return nil
	}
	w := d.Amount.Percent(int(*d.Probability))
	return &w
}

// category is the forecast category the deal has when nobody chose another.
func (d *Deal) category() string {
	switch {
	case d.Status == Won:
		return CategoryClosed
	case d.Status == Lost:
		return CategoryOmitted
	case d.Probability == nil || *d.Probability < 50:
		return CategoryPipeline
	case *d.Probability < 80:
		return CategoryBestCase
	}
	return CategoryCommit
}

// in reports whether the deal is in this stage.
func (d *Deal) in(stage uuid.UUID) bool { return d.StageID != nil && *d.StageID == stage }

// refs are the records whose timeline tells of the deal.
func refs(d *Deal) []uuid.UUID {
	var out []uuid.UUID
	for _, id := range []*uuid.UUID{d.AccountID, d.ContactID} {
		if id != nil {
			out = append(out, *id)
		}
	}
	return out
}
