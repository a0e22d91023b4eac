package app

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/record"
)

// JournalReport is what checking one tenant's journal against its seals found.
type JournalReport struct {
	Tenant string `json:"tenant"`
	record.SealReport
}

// journals checks the seals of every tenant.
func (a *App) journals(ctx context.Context) ([]JournalReport, error) {
	tenants, err := a.Identity.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]JournalReport, 0, len(tenants))
	for _, t := range tenants {
		r, err := a.Kernel.VerifySeals(auth.With(ctx, auth.SystemActor(t.ID)), a.box)
		if err != nil {
			return nil, fmt.Errorf("check the journal of %s: %w", t.Slug, err)
		}
		out = append(out, JournalReport{Tenant: t.Slug, SealReport: *r})
	}
	return out, nil
}

// addJournals says in one line that all is well, or in one line for each tenant
// what is not.
func (r *Report) addJournals(err error) {
	var rows, seals, unsealed int64
	broken := false
	for _, j := range r.Journals {
		rows, seals, unsealed = rows+j.Rows, seals+j.Seals, unsealed+j.Unsealed
		if j.Broken > 0 {
			broken = true
			r.add("journal", fmt.Errorf("tenant %s, row %d: %s; %d rows hold, %d seals do not", j.Tenant, j.BreakSeq, j.Break, j.Rows, j.Broken), "")
		}
	}
	if err != nil || !broken {
		r.add("journal", err, fmt.Sprintf("%d rows verified against %d seals, %d not sealed yet", rows, seals, unsealed))
	}
}

// partitionFinding looks whether the journal has partitions for the months to come
// and none of its rows fell beside them.
func (a *App) partitionFinding(ctx context.Context) Finding {
	f := Finding{Part: "partitions", OK: true}
	var stray bool
	var ahead int
	err := a.db.System(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select stray, months_ahead from journal_partitions()`).Scan(&stray, &ahead)
	})
	switch {
	case err != nil:
		f.OK, f.Text = false, err.Error()
	case ahead == 0:
		f.OK, f.Text = false, "the journal has no partition for next month; a running server makes them, start one"
	case stray:
		f.Note, f.Text = true, "some journal rows lie in the default partition: they were written while the clock was wrong or no server had run for long; nothing is lost, reads are a little slower"
	default:
		f.Text = fmt.Sprintf("the journal has partitions for %d months to come", ahead)
	}
	return f
}
