package deals

import (
	"github.com/google/uuid"

	"crm/internal/platform/money"
	"crm/internal/record"
)

// Pipeline is a way a deal goes. Currency, when set, is the one its totals are
// shown in first; deals may have any.
type Pipeline struct {
	record.Base
	Name      string `crm:"name,text,required,unique,title"`
	Currency  string `crm:"currency,text" help:"Three letters like EUR; the workspace's when left out."`
	Position  *int64 `crm:"position,integer"`
	IsDefault bool   `crm:"is_default,boolean" label:"Default" help:"Deals without a pipeline go here."`
}

// Stage is a step of a pipeline. Probability is a whole number of percent. A deal
// that stays longer than StaleDays days is shown as stale.
type Stage struct {
	record.Base
	PipelineID  *uuid.UUID `crm:"pipeline_id,relation,target=pipeline,required" label:"Pipeline"`
	Name        string     `crm:"name,text,required,title"`
	Kind        string     `crm:"kind,select,options=open:accent|won:good|lost:bad,default=open"`
	Probability *int64     `crm:"probability,integer" label:"Probability, %"`
	Position    *int64     `crm:"position,integer"`
	StaleDays   *int64     `crm:"stale_days,integer" label:"Stale after days"`
}

// Product is what is sold.
type Product struct {
	record.Base
	Name        string        `crm:"name,text,required,search,title"`
	Code        string        `crm:"code,text,unique,search"`
	Description string        `crm:"description,long_text"`
	Price       *money.Amount `crm:"price,money"`
	Family      string        `crm:"family,text"`
	Active      bool          `crm:"active,boolean,default=true"`
}

// alive reports whether the pipeline is not in the bin.
func (p *Pipeline) alive() bool { return p.DeletedAt == nil }

// alive reports whether the stage is not in the bin.
func (s *Stage) alive() bool { return s.DeletedAt == nil }

// defaultPipeline is what a new tenant sells with.
func defaultPipeline() (*Pipeline, []*Stage) {
	stage := func(name, kind string, position, probability int64) *Stage {
		return &Stage{Name: name, Kind: kind, Position: &position, Probability: &probability}
	}
	first := int64(1)
	return &Pipeline{Name: "Sales", IsDefault: true, Position: &first}, []*Stage{
		stage("Prospecting", Open, 1, 10),
		stage("Engaging", Open, 2, 30),
		stage("Proposal", Open, 3, 50),
		stage("Negotiation", Open, 4, 80),
		stage("Won", Won, 5, 100),
		stage("Lost", Lost, 6, 0),
	}
}
