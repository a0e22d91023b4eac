package record_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"crm/internal/platform/secret"
)

// TestSealsTellTampering changes the past in every way the owner of the database
// can, one per tenant-sized copy of the same story.
func TestSealsTellTampering(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, sql, want string
		at              int // which row is named, from 1; 0 = any
	}{
		{"nothing", "", "", 0},
		{"a value", `update journal set changes = '{"last_name": [null, "Forged"]}' where seq = %d`, "changed", 3},
		{"an actor", `update journal set actor_name = 'somebody else' where seq = %d`, "changed", 3},
		{"a moment", `update journal set at = at + interval '1 second' where seq = %d`, "changed", 3},
		{"a row removed", `delete from journal where seq = %d`, "removed", 3},
		{"the last rows removed", `delete from journal where seq >= %d`, "removed", 5},
		{"a row slipped in", `insert into journal (tenant_id, seq, at, actor_kind, via, object, record_id, action) select tenant_id, seq - 1, at, actor_kind, via, object, record_id, action from journal where seq = %d`, "added", 3},
		{"the last seal removed", `delete from journal_seals where to_seq >= %d`, "removed", 6},
		{"a seal removed from within", `delete from journal_seals where from_seq <= %[1]d and to_seq >= %[1]d`, "missing", 1},
		{"a seal rewritten", `update journal_seals set hash = '\x00' where from_seq <= %[1]d and to_seq >= %[1]d`, "not ours", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			box, err := secret.New([]string{secret.Generate()})
			if err != nil {
				t.Fatal(err)
			}
			// Numbers leave gaps, as those of other tenants do.
			if _, err := b.sql.Owner.Exec(t.Context(), `alter sequence journal_seq increment by 5`); err != nil {
				t.Fatal(err)
			}
			b.k.Seal(box)
			seqs := b.sealed(t, 3)
			seqs = append(seqs, b.sealed(t, 3)...)
			if c.sql != "" {
				n := seqs[2]
				if strings.Contains(c.name, "last") {
					n = seqs[4]
				}
				if _, err := b.sql.Owner.Exec(t.Context(), fmt.Sprintf(c.sql, n)); err != nil {
					t.Fatal(err)
				}
			}
			r, err := b.k.VerifySeals(b.ctx, box)
			if err != nil {
				t.Fatal(err)
			}
			if c.want == "" {
				if r.Broken != 0 || r.Rows != 6 || r.Seals < 2 || r.Unsealed != 0 || r.HeadSeq != seqs[5] {
					t.Errorf("an honest journal: %+v", r)
				}
				other, err := secret.New([]string{secret.Generate()})
				if err != nil {
					t.Fatal(err)
				}
				if r, err := b.k.VerifySeals(b.ctx, other); err != nil || !strings.Contains(r.Break, "CRM_SECRET_KEY") {
					t.Errorf("with another key: %+v %v", r, err)
				}
				return
			}
			if r.Broken == 0 || !strings.Contains(r.Break, c.want) {
				t.Fatalf("found %+v, want %q", r, c.want)
			}
			if c.want == "changed" && r.BreakSeq != seqs[c.at-1] {
				t.Errorf("names row %d, want %d", r.BreakSeq, seqs[c.at-1])
			}
			if c.want == "removed" && c.name == "a row removed" && r.BreakSeq != seqs[2] {
				t.Errorf("names row %d, want %d", r.BreakSeq, seqs[2])
			}
			if c.want == "added" && r.BreakSeq != seqs[2]-1 {
				t.Errorf("names row %d, want %d", r.BreakSeq, seqs[2]-1)
			}
		})
	}
}

// sealed makes n rows and has them sealed, without waiting for the minute.
func (b *bundle) sealed(t *testing.T, n int) []int64 {
	t.Helper()
	before := b.seqs(t)
	for range n {
		if _, err := b.people.Create(b.ctx, &person{LastName: "Sealed"}); err != nil {
			t.Fatal(err)
		}
	}
	b.k.Now = later(b.k.Now)
	for {
		b.k.CatchUp(t.Context(), b.tenant)
		if t.Context().Err() != nil {
			t.Fatal("the rows were not sealed")
		}
		var unsealed int
		if err := b.sql.Owner.QueryRow(t.Context(), `select count(*) from journal where tenant_id = $1 and seq > coalesce((select max(to_seq) from journal_seals where tenant_id = $1), 0)`, b.tenant).Scan(&unsealed); err != nil {
			t.Fatal(err)
		}
		if unsealed == 0 {
			return b.seqs(t)[len(before):]
		}
	}
}

// TestYoungRowsWaitForTheirSeal: one seal per burst would be one per write.
func TestYoungRowsWaitForTheirSeal(t *testing.T) {
	t.Parallel()
	b := setup(t)
	box, err := secret.New([]string{secret.Generate()})
	if err != nil {
		t.Fatal(err)
	}
	b.k.Seal(box)
	if _, err := b.people.Create(b.ctx, &person{LastName: "Young"}); err != nil {
		t.Fatal(err)
	}
	b.k.CatchUp(t.Context(), b.tenant)
	r, err := b.k.VerifySeals(b.ctx, box)
	if err != nil || r.Unsealed != 1 || r.Seals != 0 || r.Broken != 0 {
		t.Fatalf("%+v %v", r, err)
	}
	b.sealed(t, 0)
	if r, err := b.k.VerifySeals(b.ctx, box); err != nil || r.Unsealed != 0 || r.Rows != 1 {
		t.Fatalf("%+v %v", r, err)
	}
}

// later is a clock two minutes ahead: what was just written is old enough to seal.
func later(clock func() time.Time) func() time.Time {
	return func() time.Time { return clock().Add(2 * time.Minute) }
}
