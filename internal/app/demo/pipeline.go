package demo

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/money"
	"crm/internal/record"
)

type stage struct {
	id   uuid.UUID
	name string
	kind string
}

// stages reads the default pipeline that every tenant has.
func (m *Maker) stages(ctx context.Context) ([]stage, error) {
	o, _ := m.K.Object("stage")
	page, err := o.List(ctx, record.Query{Sort: "position", Limit: 50})
	if err != nil {
		return nil, err
	}
	var out []stage
	for _, r := range page.Records {
		out = append(out, stage{r.ID(), r.Text("name"), r.Text("kind")})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("the tenant has no pipeline")
	}
	return out, nil
}

func (m *Maker) makeDeals(ctx context.Context) error {
	stages, err := m.stages(ctx)
	if err != nil {
		return err
	}
	var patches []record.Patch
	for range deals {
		p := m.people[m.rnd.IntN(len(m.people))]
		created := m.ago(365)
		product := m.pick(products)
		patch := record.Patch{
			"name": product + " for " + p.name, "account_id": p.other, "contact_id": p.id, "owner_id": p.owner, "source": m.pick(sources),
			"amount": money.Amount{Minor: int64(math.Exp(m.rnd.NormFloat64()*0.8+9.2)/50) * 5000, Currency: "EUR"}, "created_at": created,
		}
		m.place(patch, stages, created)
		patches = append(patches, patch)
		m.deals = append(m.deals, made{name: patch["name"].(string), owner: p.owner, other: p.id})
	}
	ids, err := m.write(ctx, "deal", patches)
	for i := range ids {
		m.deals[i].id = ids[i]
	}
	return err
}

// place puts a deal where its age suggests: old ones are won or lost.
func (m *Maker) place(p record.Patch, stages []stage, created time.Time) {
	closed := created.AddDate(0, 0, 20+m.rnd.IntN(80))
	kind := "open"
	if closed.Before(m.Now) {
		kind = "lost"
		if m.rnd.Float64() < 0.45 {
			kind = "won"
		}
	}
	var fit []stage
	for _, s := range stages {
		if s.kind == kind {
			fit = append(fit, s)
		}
	}
	p["stage_id"] = fit[m.rnd.IntN(len(fit))].id
	switch kind {
	case "open":
		d := m.Now.AddDate(0, 0, m.rnd.IntN(75)-10)
		p["expected_close_date"] = time.Date(d.Year(), d.Month(), d.Day(), 0, 0, 0, 0, time.UTC)
	case "lost":
		p["closed_at"], p["lost_reason"] = closed, m.pick(lossReasons)
	default:
		p["closed_at"] = closed
	}
}

func (m *Maker) makeActivities(ctx context.Context) error {
	var patches []record.Patch
	for range activities {
		d := m.deals[m.rnd.IntN(len(m.deals))]
		kind := m.pick([]string{"task", "task", "call", "meeting", "note"})
		p := record.Patch{
			"type": kind, "subject": m.pick(subjects[kind]), "owner_id": d.owner,
			"related": []any{map[string]any{"object": "deal", "id": d.id.String()}, map[string]any{"object": "contact", "id": d.other.String()}},
		}
		if kind == "note" || m.rnd.Float64() < 0.6 {
			at := m.ago(200)
			p["created_at"] = at
			if kind != "note" {
				p["due_at"], p["done_at"] = at, at.Add(time.Hour)
			}
		} else {
			p["due_at"] = m.Now.Truncate(time.Hour).Add(time.Duration(m.rnd.IntN(24*12)-14) * time.Hour)
		}
		patches = append(patches, p)
	}
	_, err := m.write(ctx, "activity", patches)
	return err
}
