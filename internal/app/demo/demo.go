// Package demo fills a tenant with a year of plausible history, the same for the
// same seed: companies, people, leads with outcomes that depend on what is known
// about them, deals in every stage, activities and templates. It writes through
// the record kernel like everybody else, so what it makes can be searched, undone
// and scored.
//
// Not for: tests that need particular rows; they make their own.
package demo

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/money"
	"crm/internal/record"
)

// Sizes of the demo; the contract promises at least these.
const (
	companies  = 400
	people     = 2000
	leads      = 3000
	deals      = 600
	activities = 1500
)

// Maker writes the demo into the actor's tenant.
type Maker struct {
	K      *record.Kernel
	Now    time.Time
	Owners []uuid.UUID // users who own what is made

	rnd       *rand.Rand
	companies []made
	people    []made
	deals     []made
}

type made struct {
	id    uuid.UUID
	name  string
	owner uuid.UUID
	other uuid.UUID // the company of a person, the person of a deal
}

// Load writes everything; it takes a few seconds.
func (m *Maker) Load(ctx context.Context) error {
	m.rnd = rand.New(rand.NewPCG(20261121, 7)) //nolint:gosec // plausible data, not secrets
	ctx = auth.As(ctx, func(a *auth.Actor) { a.Via, a.Name, a.BatchID = auth.ViaImport, "demo", id.New() })
	for _, step := range []struct {
		name string
		make func(context.Context) error
	}{
		{"companies", m.makeCompanies},
		{"people", m.makePeople},
		{"leads", m.makeLeads},
		{"deals", m.makeDeals},
		{"activities", m.makeActivities},
		{"templates", m.makeTemplates},
	} {
		if err := step.make(ctx); err != nil {
			return fmt.Errorf("make demo %s: %w", step.name, err)
		}
	}
	return nil
}

// write sends operations in batches and returns the ids in order.
func (m *Maker) write(ctx context.Context, object string, patches []record.Patch) ([]uuid.UUID, error) {
	o, ok := m.K.Object(object)
	if !ok {
		return nil, errs.New(errs.NotFound, "unknown_object", "There is no object %q.", object)
	}
	var ids []uuid.UUID
	for len(patches) > 0 {
		n := min(len(patches), 500)
		ops := make([]record.Operation, n)
		for i, p := range patches[:n] {
			ops[i] = record.Operation{Kind: record.OpCreate, Patch: p}
		}
		res, err := o.Apply(ctx, ops, true)
		if err != nil {
			return nil, err
		}
		for _, r := range res {
			ids = append(ids, r.Record.ID())
		}
		patches = patches[n:]
	}
	return ids, nil
}

func (m *Maker) pick(list []string) string { return list[m.rnd.IntN(len(list))] }

func (m *Maker) owner() uuid.UUID { return m.Owners[m.rnd.IntN(len(m.Owners))] }

// ago is a moment in the last days, in office hours.
func (m *Maker) ago(days int) time.Time {
	d := m.Now.AddDate(0, 0, -1-m.rnd.IntN(days))
	return time.Date(d.Year(), d.Month(), d.Day(), 8+m.rnd.IntN(10), m.rnd.IntN(60), m.rnd.IntN(60), 0, time.UTC)
}

func (m *Maker) makeCompanies(ctx context.Context) error {
	var patches []record.Patch
	seen := map[string]bool{}
	for len(patches) < companies {
		name := m.pick(companyFirst) + " " + m.pick(companySecond)
		if seen[name] {
			continue
		}
		seen[name] = true
		owner := m.owner()
		employees := int64(5 + math.Exp(m.rnd.NormFloat64()*1.4+4))
		patches = append(patches, record.Patch{
			"name": name, "domain": domain(name), "industry": m.pick(industries), "employees": employees, "owner_id": owner,
			"annual_revenue": money.Amount{Minor: employees * int64(80_000+m.rnd.IntN(120_000)) * 100, Currency: "EUR"},
			"website":        "https://" + domain(name), "created_at": m.ago(365),
			"billing_address": map[string]any{"street": fmt.Sprintf("%s %d", m.pick(streets), 1+m.rnd.IntN(120)), "city": m.pick(cities), "country": m.pick(countries)},
		})
		m.companies = append(m.companies, made{name: name, owner: owner})
	}
	ids, err := m.write(ctx, "account", patches)
	for i := range ids {
		m.companies[i].id = ids[i]
	}
	return err
}

func domain(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, " ", "-")) + ".example"
}

func (m *Maker) makePeople(ctx context.Context) error {
	var patches []record.Patch
	for i := range people {
		c := m.companies[m.rnd.IntN(len(m.companies))]
		first, last := m.pick(firstNames), m.pick(lastNames)
		patches = append(patches, record.Patch{
			"first_name": first, "last_name": last, "title": m.pick(titles), "account_id": c.id, "owner_id": c.owner,
			"email": fmt.Sprintf("%s.%s%d@%s", ascii(first), ascii(last), i, domain(c.name)),
			"phone": fmt.Sprintf("+4930%07d", 1_000_000+m.rnd.IntN(8_999_999)), "source": m.pick(sources), "created_at": m.ago(365),
		})
		m.people = append(m.people, made{name: first + " " + last, owner: c.owner, other: c.id})
	}
	ids, err := m.write(ctx, "contact", patches)
	for i := range ids {
		m.people[i].id = ids[i]
	}
	return err
}

func ascii(s string) string {
	return strings.NewReplacer("ü", "ue", "ö", "oe", "ä", "ae", "é", "e", "á", "a", "í", "i", "ñ", "n", "ç", "c", "ø", "o", "å", "a", "ł", "l").Replace(strings.ToLower(s))
}

// makeLeads gives each lead a chance that depends on source, seniority, size and
// what it wrote, so that there is something to learn, and noise, so that there is
// something to be humble about.
func (m *Maker) makeLeads(ctx context.Context) error {
	var patches []record.Patch
	for i := range leads {
		first, last := m.pick(firstNames), m.pick(lastNames)
		company := m.pick(companyFirst) + " " + m.pick(companySecond)
		source, title, industry := m.pick(sources), m.pick(titles), m.pick(industries)
		employees := int64(3 + math.Exp(m.rnd.NormFloat64()*1.5+3.8))
		created := m.Now.AddDate(0, 0, -365).Add(time.Duration(float64(i) / leads * 365 * 24 * float64(time.Hour)))
		p := record.Patch{
			"first_name": first, "last_name": last, "company": company, "title": title, "industry": industry, "employees": employees,
			"source": source, "email": fmt.Sprintf("%s.%s@%s", ascii(first), ascii(last), domain(company)), "owner_id": m.owner(), "created_at": created,
			"status": "new",
		}
		logit := -1.9 + sourceEffect[source] + titleEffect(title) + 0.35*math.Log(float64(employees)/40) + industryEffect[industry] + m.rnd.NormFloat64()*0.7
		if m.rnd.Float64() < 0.45 {
			p["phone"] = fmt.Sprintf("+4940%07d", 1_000_000+m.rnd.IntN(8_999_999))
			logit += 0.6
		}
		m.outcome(p, created, 1/(1+math.Exp(-logit)))
		patches = append(patches, p)
	}
	_, err := m.write(ctx, "lead", patches)
	return err
}

// outcome decides what became of a lead by now; the young ones are still open.
func (m *Maker) outcome(p record.Patch, created time.Time, chance float64) {
	age := m.Now.Sub(created)
	decided := created.Add(time.Duration(2+m.rnd.IntN(40)) * 24 * time.Hour)
	switch {
	case decided.After(m.Now):
		if age > 72*time.Hour && m.rnd.Float64() < 0.6 {
			p["status"] = "working"
		}
	case m.rnd.Float64() < chance:
		p["status"], p["converted_at"] = "converted", decided
	default:
		p["status"], p["disqualify_reason"] = "disqualified", m.pick(lossReasons)
	}
}

func (m *Maker) makeTemplates(ctx context.Context) error {
	if _, ok := m.K.Object("template"); !ok {
		return nil
	}
	_, err := m.write(ctx, "template", []record.Patch{
		{
			"name": "First reply", "channel": "email", "subject": "Your question, {{ contact.first_name | default: \"there\" }}",
			"body": "<p>Hello {{ contact.first_name | default: \"there\" }},</p><p>thank you for writing to us. When would a short call suit you this week?</p><p>Best wishes<br>{{ sender.name }}</p>",
		},
		{
			"name": "Proposal follow-up", "channel": "email", "subject": "Any questions about our proposal?",
			"body": "<p>Hello {{ contact.first_name | default: \"there\" }},</p><p>did our proposal answer what you needed to know? I am glad to go through it with you.</p><p>{{ sender.name }}</p>",
		},
	})
	return err
}
