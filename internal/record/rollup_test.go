package record_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/id"
	"crm/internal/record"
)

func rollUp(name, function, field, filter string) record.CustomField {
	r := &record.RollUp{Object: "contact", Relation: "account_id", Function: function, Field: field}
	if filter != "" {
		r.Filter = []byte(filter)
	}
	return record.CustomField{Object: "account", Name: name, Type: "roll_up", FieldSettings: record.FieldSettings{RollUp: r, Indexed: true}}
}

// TestRollUpsAreExact: after random batches, moves, deletes, restores and undo, every
// figure is what counting all over again gives.
func TestRollUpsAreExact(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.add(t,
		record.CustomField{Object: "contact", Name: "pay", Type: "money"},
		record.CustomField{Object: "contact", Name: "age", Type: "integer"},
		record.CustomField{Object: "contact", Name: "tax", Type: "formula", FieldSettings: record.FieldSettings{Formula: "custom.pay * 0.19"}},
		rollUp("people", "count", "", ""),
		rollUp("sick", "count", "", `{"field":"source","value":"sick"}`),
		rollUp("wages", "sum", "custom.pay", ""),
		rollUp("taxes", "sum", "custom.tax", ""),
		rollUp("years", "sum", "custom.age", ""),
		rollUp("oldest", "max", "custom.age", ""),
		rollUp("mean", "avg", "custom.age", ""),
		record.CustomField{Object: "account", Name: "per_head", Type: "formula", FieldSettings: record.FieldSettings{Formula: "if(custom.people > 0, custom.wages / custom.people)"}},
	)
	var firms []uuid.UUID
	for i := range 5 {
		firms = append(firms, s.firm(t, fmt.Sprintf(`{"name":"Firm %d"}`, i)).ID())
	}
	if r := s.again(t, s.firms.Object, firms[0]); custom(r, "people") != "0" {
		t.Fatalf("a firm without people: %s", custom(r, "people"))
	}
	rng := rand.New(rand.NewPCG(7, 11)) //nolint:gosec // a fixed seed
	var people []uuid.UUID
	var batches []uuid.UUID
	pick := func() any {
		if rng.IntN(6) == 0 {
			return nil
		}
		return firms[rng.IntN(len(firms))]
	}
	patch := func() record.Patch {
		p := record.Patch{"account_id": pick(), "custom.age": int64(rng.IntN(90))}
		if rng.IntN(2) == 0 {
			p["custom.pay"] = amount(int64(rng.IntN(1_000_000)))
		}
		if rng.IntN(3) == 0 {
			p["source"] = "sick"
		}
		return p
	}
	for step := range 40 {
		batch := id.New()
		ctx := auth.As(s.Admin, func(a *auth.Actor) { a.BatchID = batch })
		var ops []record.Operation
		seen := map[uuid.UUID]bool{}
		for range 1 + rng.IntN(12) {
			if len(people) < 10 || rng.IntN(3) == 0 {
				op := record.Operation{Kind: record.OpCreate, ID: id.New(), Patch: patch()}
				op.Patch["last_name"] = "W"
				people, seen[op.ID] = append(people, op.ID), true
				ops = append(ops, op)
				continue
			}
			who := people[rng.IntN(len(people))]
			if seen[who] {
				continue
			}
			seen[who] = true
			switch rng.IntN(4) {
			case 0:
				ops = append(ops, record.Operation{Kind: record.OpDelete, ID: who})
			case 1:
				ops = append(ops, record.Operation{Kind: record.OpRestore, ID: who})
			default:
				ops = append(ops, record.Operation{Kind: record.OpUpdate, ID: who, Patch: patch()})
			}
		}
		if _, err := s.workers.Apply(ctx, ops, false); err != nil {
			t.Fatal(err)
		}
		batches = append(batches, batch)
		if step%7 == 6 {
			// Conflicts with later changes are left alone; either way it must add up.
			_, _ = s.K.UndoBatch(s.Admin, batches[rng.IntN(len(batches))])
		}
		s.checkRollUps(t, step)
		if t.Failed() {
			return
		}
	}
	if r := s.again(t, s.firms.Object, firms[0]); r.Version() != 1 {
		t.Errorf("roll-ups leave the version alone: %d", r.Version())
	}
	var rows int
	if err := s.SQL.Owner.QueryRow(t.Context(), `select count(*) from journal where object = 'account' and action <> 'created'`).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d journal rows of firms: %v", rows, err)
	}
}

// checkRollUps counts everything again by plain SQL.
func (s *shop) checkRollUps(t *testing.T, step int) {
	t.Helper()
	rows, err := s.SQL.Owner.Query(t.Context(), `
	  select a.name, concat_ws('|', coalesce(a.custom->>'people', ''), a.custom->>'sick', coalesce(a.custom->'wages'->>'amount', '-'), coalesce(a.custom->'taxes'->>'amount', '-'),
	      a.custom->>'years', coalesce(a.custom->>'oldest', '-'), coalesce(round((a.custom->>'mean')::numeric, 6)::text, '-'), coalesce(a.custom->'per_head'->>'amount', '-'), coalesce(k.num_value::text, '-')),
	    concat_ws('|', count(c.id), count(c.id) filter (where c.source = 'sick'), coalesce(sum((c.custom->'pay'->>'amount')::numeric)::text, '-'), coalesce(sum((c.custom->'tax'->>'amount')::numeric)::text, '-'),
	      coalesce(sum((c.custom->>'age')::numeric), 0), coalesce(max((c.custom->>'age')::int)::text, '-'), coalesce(round(avg((c.custom->>'age')::numeric), 6)::text, '-'),
	      coalesce(round(sum((c.custom->'pay'->>'amount')::numeric) / nullif(count(c.id), 0), 2)::text, '-'), count(c.id))
	  from accounts a left join contacts c on c.tenant_id = a.tenant_id and c.account_id = a.id and c.deleted_at is null
	    left join custom_fields f on f.tenant_id = a.tenant_id and f.name = 'people' left join custom_values k on k.tenant_id = a.tenant_id and k.field_id = f.id and k.record_id = a.id
	  group by a.id, a.name, a.custom, k.num_value order by a.name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name, got, want string
		if err := rows.Scan(&name, &got, &want); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("step %d, %s:\n kept    %s\n counted %s", step, name, got, want)
		}
	}
}

func TestRollUpsUnderParallelChildren(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.add(t, rollUp("people", "count", "", ""))
	a, b := s.firm(t, `{"name":"Firm A"}`).ID(), s.firm(t, `{"name":"Firm B"}`).ID()
	done := make(chan error)
	for i := range 24 {
		go func() {
			firm := a
			if i%2 == 0 {
				firm = b
			}
			res, err := s.workers.One(s.Admin, record.Operation{Kind: record.OpCreate, Patch: record.Patch{"last_name": "W", "account_id": firm}})
			if err == nil && i%3 == 0 {
				other := a
				if firm == a {
					other = b
				}
				_, err = s.workers.One(s.Admin, record.Operation{Kind: record.OpUpdate, ID: res.Record.ID(), Patch: record.Patch{"account_id": other}})
			}
			if err == nil && i%4 == 0 {
				_, err = s.firms.One(s.Admin, record.Operation{Kind: record.OpUpdate, ID: firm, Patch: record.Patch{"industry": fmt.Sprint(i)}})
			}
			done <- err
		}()
	}
	for range 24 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	var kept, counted int
	err := s.SQL.Owner.QueryRow(t.Context(), `select (select sum((custom->>'people')::int) from accounts where id in ($1, $2)), (select count(*) from contacts where account_id in ($1, $2))`, a, b).Scan(&kept, &counted)
	if err != nil || kept != counted || counted != 24 {
		t.Fatalf("kept %d, counted %d: %v", kept, counted, err)
	}
}

func TestRollUpOverACustomRelationAndTheFirmItself(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.add(t, record.CustomField{Object: "contact", Name: "second", Type: "relation", FieldSettings: record.FieldSettings{Target: "account"}})
	over := record.CustomField{Object: "account", Name: "friends", Type: "roll_up", FieldSettings: record.FieldSettings{RollUp: &record.RollUp{Object: "contact", Relation: "custom.second", Function: "count"}}}
	if err := s.K.AddCustomFields(s.Admin, []record.CustomField{over}); refusedField(err) != "roll_up.relation not_indexed" {
		t.Fatalf("over a relation without index: %v", err)
	}
	if _, err := s.K.ChangeCustomField(s.Admin, s.field(t, "contact", "second").ID, func(f *record.CustomField) error { f.Indexed = true; return nil }); err != nil {
		t.Fatal(err)
	}
	s.add(t, over, record.CustomField{Object: "account", Name: "group_worth", Type: "roll_up", FieldSettings: record.FieldSettings{RollUp: &record.RollUp{Object: "account", Relation: "parent_id", Function: "sum", Field: "annual_revenue"}}})
	mother := s.firm(t, `{"name":"Mother"}`)
	s.worker(t, fmt.Sprintf(`{"last_name":"W","custom":{"second":"%s"}}`, mother.ID()))
	s.firm(t, fmt.Sprintf(`{"name":"Child","parent_id":"%s","annual_revenue":{"amount":"10.50","currency":"EUR"}}`, mother.ID()))
	child := s.firm(t, fmt.Sprintf(`{"name":"Other","parent_id":"%s","annual_revenue":{"amount":"1.25","currency":"EUR"}}`, mother.ID()))
	r := s.again(t, s.firms.Object, mother.ID())
	if custom(r, "friends") != "1" || custom(r, "group_worth") != `{"amount":"11.75","currency":"EUR"}` {
		t.Fatalf("%s %s", custom(r, "friends"), custom(r, "group_worth"))
	}
	if _, err := s.save(s.Admin, s.firms.Object, record.OpUpdate, child.ID(), `{"annual_revenue":{"amount":"1","currency":"USD"}}`); err != nil {
		t.Fatal(err)
	}
	if r := s.again(t, s.firms.Object, mother.ID()); custom(r, "group_worth") != "empty" {
		t.Errorf("two currencies have no sum: %s", custom(r, "group_worth"))
	}
	chained := record.CustomField{Object: "account", Name: "again", Type: "roll_up", FieldSettings: record.FieldSettings{RollUp: &record.RollUp{Object: "account", Relation: "parent_id", Function: "sum", Field: "custom.friends"}}}
	if err := s.K.AddCustomFields(s.Admin, []record.CustomField{chained}); refusedField(err) != "roll_up.field chained" {
		t.Errorf("a roll-up of a roll-up: %v", err)
	}
}

// TestARollUpOverManyRecordsGoesToAJob: the job does in pages what a small object gets
// at once, while records keep changing.
func TestRecomputeInPages(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	var asked []string
	s.K.Later = func(_ contextT, _ txT, _ uuid.UUID, object string) error { asked = append(asked, object); return nil }
	s.fillFirms(t, 20_500)
	s.add(t, record.CustomField{Object: "account", Name: "caps", Type: "formula", FieldSettings: record.FieldSettings{Formula: "upper(name)", Indexed: true}})
	if len(asked) != 1 || !s.field(t, "account", "caps").Pending {
		t.Fatalf("asked for %v", asked)
	}
	late := s.firm(t, `{"name":"late"}`)
	if custom(late, "caps") != `"LATE"` || len(s.list(t, s.firms.Object, "custom.caps=LATE")) != 1 {
		t.Errorf("a new record: %s", custom(late, "caps"))
	}
	for done := false; !done; {
		var err error
		if done, err = s.K.Recompute(s.Admin, "account", 1); err != nil {
			t.Fatal(err)
		}
	}
	var missing, kept int
	err := s.SQL.Owner.QueryRow(t.Context(), `select count(*) filter (where custom->>'caps' is distinct from upper(name)), (select count(*) from custom_values) from accounts`).Scan(&missing, &kept)
	if err != nil || missing != 0 || kept != 20_501 || s.field(t, "account", "caps").Pending {
		t.Fatalf("%d missing, %d kept: %v", missing, kept, err)
	}
	if n := len(s.list(t, s.firms.Object, "custom.caps="+strings.ToUpper("firm 77"))); n != 1 {
		t.Errorf("filter: %d", n)
	}
}
