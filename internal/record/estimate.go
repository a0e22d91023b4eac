package record

import (
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"crm/internal/platform/db"
)

// exactUpTo is how many rows a rough count still counts one by one; counting
// them costs milliseconds, whatever the table holds.
const exactUpTo = 10_000

// roughCount asks for a count that ends early, and for what the planner expects.
func roughCount(count db.Query, rows string) []db.Query {
	return []db.Query{
		{SQL: fmt.Sprintf("select count(*) from (%s limit %d) counted", rows, exactUpTo+1), Args: count.Args, Varied: true},
		{SQL: "explain (format json) " + rows, Args: count.Args, Varied: true},
	}
}

// estimate takes the planner's word when there were more rows than are counted.
func (p *Page) estimate(rows pgx.Rows) error {
	raw, err := pgx.CollectOneRow(rows, pgx.RowTo[[]byte])
	if err != nil || *p.Count <= exactUpTo {
		return err
	}
	var plan []struct {
		Plan struct {
			Rows int64 `json:"Plan Rows"`
		}
	}
	if err := json.Unmarshal(raw, &plan); err != nil || len(plan) == 0 {
		return fmt.Errorf("read the planner's estimate: %w", err)
	}
	n := max(plan[0].Plan.Rows, *p.Count)
	p.Count, p.Rough = &n, true
	return nil
}
