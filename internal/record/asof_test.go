package record_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// ticking is a clock that moves on by a minute each time it is asked.
func ticking(from time.Time) func() time.Time {
	return func() time.Time { from = from.Add(time.Minute); return from }
}

func TestARecordGoesBackToAMoment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.k.Now = ticking(time.Now().UTC().Truncate(time.Microsecond))
	if err := b.k.AddCustomFields(b.ctx, []record.CustomField{{Object: "contact", Name: "age", Type: "integer"}}); err != nil {
		t.Fatal(err)
	}
	before := b.k.Now()
	p, err := b.people.Create(b.ctx, &person{FirstName: "Ada", LastName: "Smith", Email: "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	change := func(patch record.Patch) time.Time {
		t.Helper()
		if _, err := b.people.One(b.ctx, record.Operation{Kind: record.OpUpdate, ID: p.ID, Patch: patch}); err != nil {
			t.Fatal(err)
		}
		return b.k.Now()
	}
	born := b.k.Now()
	then := change(record.Patch{"first_name": "Grace", "custom.age": int64(40), "tags": []string{"vip"}})
	change(record.Patch{"first_name": "Joan", "email": nil, "custom.age": int64(41)})
	change(record.Patch{"last_name": "Jones", "tags": nil, "do_not_contact": true})
	if _, err := b.people.One(b.ctx, record.Operation{Kind: record.OpDelete, ID: p.ID}); err != nil {
		t.Fatal(err)
	}
	binned := b.k.Now()

	past, err := b.people.AsOf(b.ctx, p.ID, then)
	if err != nil || past.Text("first_name") != "Grace" || past.Text("last_name") != "Smith" || past.Text("email") != "ada@example.com" || past.Deleted() || past.Version() != 2 {
		t.Fatalf("as of then: %v %v", past, err)
	}
	rec, err := b.people.RestoreTo(b.ctx, p.ID, then, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := record.To[person](rec)
	if got.FirstName != "Grace" || got.LastName != "Smith" || got.Email != "ada@example.com" || len(got.Tags) != 1 || got.DoNot || rec.Deleted() || rec.Text("custom.age") != "40" && rec.Get("custom.age") == nil {
		t.Fatalf("restored: %+v", got)
	}
	entries, err := b.k.Timeline(b.ctx, "contact", p.ID, 0, 1)
	if err != nil || entries[0].Action != record.ActRestored {
		t.Fatalf("the journal says %v, %v", entries, err)
	}
	if again, err := b.people.RestoreTo(b.ctx, p.ID, then, nil); err != nil || again.Version() != rec.Version() {
		t.Errorf("restoring twice changed something: %v", err)
	}
	if _, err := b.k.Undo(b.ctx, entries[0].Seq); err != nil {
		t.Fatal(err)
	}
	if r, err := b.people.Object.Get(b.ctx, p.ID); err != nil || r.Text("last_name") != "Jones" || !r.Deleted() {
		t.Errorf("after the undo of the restore: %v %v", r, err)
	}
	for moment, code := range map[time.Time]string{before: "before_creation", binned: "was_deleted"} {
		_, err := b.people.RestoreTo(b.ctx, p.ID, moment, nil)
		if e := errs.As(err); e == nil || len(e.Fields) != 1 || e.Fields[0].Code != code {
			t.Errorf("restore to %v: %v, want %s", moment, err, code)
		}
	}
	if r, err := b.people.AsOf(b.ctx, p.ID, born); err != nil || r.Text("first_name") != "Ada" || r.Get("custom") != nil {
		t.Errorf("as it was born: %v %v", r, err)
	}
	if _, err := b.people.RestoreTo(b.other, p.ID, then, nil); errs.KindOf(err) != errs.NotFound {
		t.Errorf("another tenant restores: %v", err)
	}
	if _, err := b.people.RestoreTo(auth.With(t.Context(), b.rep), p.ID, then, nil); errs.KindOf(err) != errs.NotFound {
		t.Errorf("a rep restores what is not theirs: %v", err)
	}
}

// TestTheFeedShowsWhatOneMaySee: a reader with own scope gets the rows of own
// records, moves on past those of others, and sees no secret field.
func TestTheFeedShowsWhatOneMaySee(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rep.Grants["journal:read"] = auth.All
	rep := auth.With(t.Context(), b.rep)
	var mine []uuid.UUID
	for i := range 40 {
		ctx := b.ctx
		if i%10 == 0 {
			ctx = rep
		}
		p, err := b.people.Create(ctx, &person{LastName: "N"})
		if err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			mine = append(mine, p.ID)
		}
	}
	if _, err := b.companies.Create(b.ctx, &company{Name: "Acme"}); err != nil {
		t.Fatal(err)
	}
	var got []uuid.UUID
	for after := int64(0); ; {
		entries, next, err := b.k.Changes(rep, after, "", 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			got = append(got, e.RecordID)
		}
		if next == after {
			break
		}
		if next < after {
			t.Fatalf("the feed went back from %d to %d", after, next)
		}
		after = next
	}
	if len(got) != len(mine) || got[0] != mine[0] || got[3] != mine[3] {
		t.Errorf("the rep was shown %d rows, owns %d", len(got), len(mine))
	}
	if seqs, _ := b.feed(t, 0, "accounts"); len(seqs) != 1 {
		t.Errorf("one object's feed has %d rows", len(seqs))
	}
	if _, _, err := b.k.Changes(auth.With(t.Context(), &auth.Actor{Kind: auth.User, TenantID: b.tenant, ID: mine[0]}), 0, "", 3); errs.KindOf(err) != errs.Forbidden {
		t.Errorf("without the right: %v", err)
	}
	if err := b.deleted(t, mine[0]); err != nil {
		t.Fatal(err)
	}
	entries, _, err := b.k.Changes(rep, b.seqs(t)[40], "contact", 10)
	if err != nil || len(entries) != 1 || entries[0].Action != "deleted" {
		t.Errorf("the delete: %v %v", entries, err)
	}
}

func (b *bundle) deleted(t *testing.T, id uuid.UUID) error {
	t.Helper()
	_, err := b.people.One(b.ctx, record.Operation{Kind: record.OpDelete, ID: id})
	return err
}

// TestTheFeedIsReadByIndex looks at the plan as the application's role has it,
// over several months.
func TestTheFeedIsReadByIndex(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.sql.Owner.Exec(t.Context(), `insert into journal (tenant_id, at, actor_kind, via, object, record_id, action)
	  select $1, now() + (n / 5000) * interval '1 month', 'system', 'system', 'contact', $1, 'x' from generate_series(1, 20000) n`, b.tenant)
	if err == nil {
		_, err = b.sql.Owner.Exec(t.Context(), `analyze journal`)
	}
	if err != nil {
		t.Fatal(err)
	}
	var plan strings.Builder
	tx, err := b.sql.App.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), `select set_config('app.tenant_id', $1, true), set_config('app.journal_horizon', '1000000', true)`, b.tenant.String()); err != nil {
		t.Fatal(err)
	}
	rows, err := tx.Query(t.Context(), `explain (analyze, costs off, timing off) select j.seq from journal j where j.tenant_id = '`+b.tenant.String()+`' and j.seq > 12000 and j.seq < current_setting('app.journal_horizon')::bigint order by j.seq limit 50`)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(line + "\n")
	}
	if strings.Contains(plan.String(), "Seq Scan on journal_2") || strings.Contains(plan.String(), "Sort Key: j.seq\n") && !strings.Contains(plan.String(), "Append") {
		t.Errorf("the feed is not read by its index:\n%s", plan.String())
	}
}
