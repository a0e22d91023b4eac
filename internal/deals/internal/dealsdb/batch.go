package dealsdb

import (
	"github.com/google/uuid"

	"crm/internal/platform/db"
)

// The generated methods wait for one answer each. Below are the same statements
// as values for db.ReadMany, which sends several at once; arguments stand in the
// order of the generated methods.

// PipelinesQuery is Pipelines as a value.
func PipelinesQuery(tenant uuid.UUID) db.Query {
	return db.Query{SQL: pipelines, Args: []any{tenant}}
}

// StagesQuery is Stages as a value.
func StagesQuery(tenant uuid.UUID) db.Query {
	return db.Query{SQL: stages, Args: []any{tenant}}
}

// Query is BoardTotals as a value.
func (p BoardTotalsParams) Query() db.Query {
	return db.Query{Varied: true, SQL: boardTotals, Args: []any{p.TenantID, p.Stages, p.Everyone, p.Own, p.Me, p.Team, p.Owners, p.Teams, p.Ids}}
}

// Query is BoardCards as a value.
func (p BoardCardsParams) Query() db.Query {
	return db.Query{Varied: true, SQL: boardCards, Args: []any{p.Stages, p.TenantID, p.Everyone, p.Own, p.Me, p.Team, p.Owners, p.Teams, p.Amount}}
}

// Query is Forecast as a value.
func (p ForecastParams) Query() db.Query {
	return db.Query{Varied: true, SQL: forecast, Args: []any{
		p.Period, p.Grouping, p.TenantID, p.Stages, p.Since, p.Until, p.Everyone, p.Own, p.Me, p.Team, p.Owners, p.Teams, p.Ids,
	}}
}
