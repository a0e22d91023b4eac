package record_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/record"
)

// TestALateCommitWithALowerNumberIsNotLost interleaves two transactions so that
// the one with the higher number commits first. Neither xids nor numbers alone
// tell: the first transaction to get an xid draws the later number.
func TestALateCommitWithALowerNumberIsNotLost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := &seen{}
	b.k.Subscribe(record.Subscriber{Name: "test", Handle: s.handle})
	anchor, err := b.people.Create(b.ctx, &person{LastName: "Anchor"})
	if err != nil {
		t.Fatal(err)
	}
	start := b.follow(t, s, 1)
	var low, high int64
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// Three connections: the early transaction gets its xid first by locking a row,
	// the late one draws number one and stays open, the early one draws the next
	// number and commits.
	early, err := b.sql.Owner.Begin(t.Context())
	fatal(err)
	defer early.Rollback(context.WithoutCancel(t.Context()))
	_, err = early.Exec(t.Context(), `select id from contacts where id = $1 for update`, anchor.ID)
	fatal(err)
	late, err := b.sql.Owner.Begin(t.Context())
	fatal(err)
	defer late.Rollback(context.WithoutCancel(t.Context()))
	low, high = b.write(t, late, "late"), b.write(t, early, "early")
	if low >= high {
		t.Fatalf("the late row has %d, the early one %d", low, high)
	}
	fatal(early.Commit(t.Context()))

	b.k.CatchUp(t.Context(), b.tenant)
	if s.count() != 1 {
		t.Fatalf("a row was shown before which another can turn up: %v", s.seqs)
	}
	if got, next := b.feed(t, start, ""); len(got) != 0 || next != start {
		t.Fatalf("the feed shows %v and goes on at %d", got, next)
	}
	fatal(late.Commit(t.Context()))
	b.follow(t, s, 3)
	if !slices.Equal(s.seqs[1:], []int64{low, high}) {
		t.Errorf("the reader saw %v, want %d and %d", s.seqs[1:], low, high)
	}
	if got, next := b.feed(t, start, ""); !slices.Equal(got, []int64{low, high}) || next != high {
		t.Errorf("the feed shows %v and goes on at %d", got, next)
	}
}

// TestWhatIsRolledBackHoldsNobodyUp: neither an abandoned transaction nor an
// abandoned savepoint leaves a hold behind; one that goes on after a savepoint was
// rolled back still holds.
func TestWhatIsRolledBackHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tx, err := b.sql.Owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context()))
	gone := errors.New("gone")
	if err := pgx.BeginFunc(t.Context(), tx, func(sp pgx.Tx) error { b.write(t, sp, "gone"); return gone }); !errors.Is(err, gone) {
		t.Fatal(err)
	}
	if _, err := b.people.Create(b.ctx, &person{LastName: "Free"}); err != nil {
		t.Fatal(err)
	}
	got, next := b.feed(t, 0, "")
	if len(got) != 1 {
		t.Fatalf("the feed shows %v", got)
	}
	b.write(t, tx, "held")
	if _, err := b.people.Create(b.ctx, &person{LastName: "Waits"}); err != nil {
		t.Fatal(err)
	}
	if got, _ := b.feed(t, next, ""); len(got) != 0 {
		t.Fatalf("the feed shows %v", got)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, _ := b.feed(t, next, ""); len(got) != 1 {
		t.Fatalf("after the end of the other the feed shows %v", got)
	}
}

// TestNothingIsLostUnderLoad lets writers commit in whatever order while a reader
// follows: in the end it has seen every number once, in order.
func TestNothingIsLostUnderLoad(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := &seen{}
	b.k.Subscribe(record.Subscriber{Name: "test", Handle: s.handle})
	const writers, each = 3, 25
	errc := make(chan error, writers)
	for range writers {
		go func() {
			for i := range each {
				err := b.db.Tx(b.ctx, func(ctx context.Context, tx pgx.Tx) error {
					for range 1 + i%3 {
						if _, err := b.people.Create(ctx, &person{LastName: "W"}); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					errc <- err
					return
				}
			}
			errc <- nil
		}()
	}
	var fed []int64
	after := int64(0)
	for left := writers; left > 0; {
		select {
		case err := <-errc:
			if left--; err != nil {
				t.Fatal(err)
			}
		default:
		}
		b.k.CatchUp(t.Context(), b.tenant)
		got, next := b.feed(t, after, "")
		fed, after = append(fed, got...), next
	}
	for {
		got, next := b.feed(t, after, "")
		if next == after {
			break
		}
		fed, after = append(fed, got...), next
	}
	want := b.seqs(t)
	b.follow(t, s, len(want))
	if !slices.Equal(s.seqs, want) {
		t.Errorf("the reader saw %d of %d rows in order", len(s.seqs), len(want))
	}
	if !slices.Equal(fed, want) {
		t.Errorf("the feed showed %d of %d rows in order", len(fed), len(want))
	}
}

// write adds a bare journal row within a transaction of its own connection and
// returns its number.
func (b *bundle) write(t *testing.T, tx pgx.Tx, action string) (seq int64) {
	t.Helper()
	err := tx.QueryRow(t.Context(), `insert into journal (tenant_id, at, actor_kind, via, object, record_id, action) values ($1, now(), 'system', 'system', 'contact', $1, $2) returning seq`,
		b.tenant, action).Scan(&seq)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// follow runs the readers until s has seen n rows, and returns the last number.
func (b *bundle) follow(t *testing.T, s *seen, n int) int64 {
	t.Helper()
	for s.count() < n {
		if t.Context().Err() != nil {
			t.Fatalf("saw %d of %d rows", s.count(), n)
		}
		b.k.CatchUp(t.Context(), b.tenant)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seqs[len(s.seqs)-1]
}

func (b *bundle) feed(t *testing.T, after int64, object string) ([]int64, int64) {
	t.Helper()
	entries, next, err := b.k.Changes(b.ctx, after, object, 200)
	if err != nil {
		t.Fatal(err)
	}
	var out []int64
	for _, e := range entries {
		out = append(out, e.Seq)
	}
	return out, next
}

// seqs are all numbers of the tenant's journal.
func (b *bundle) seqs(t *testing.T) []int64 {
	t.Helper()
	rows, err := b.sql.Owner.Query(t.Context(), `select seq from journal where tenant_id = $1 order by seq`, b.tenant)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestALoopIsStopped has a subscriber react to its own changes.
func TestALoopIsStopped(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.k.Subscribe(record.Subscriber{Name: "loop", Handle: func(ctx context.Context, entries []record.Entry) error {
		for _, e := range entries {
			if _, err := b.people.Create(record.Because(ctx, &e), &person{LastName: "Echo"}); err != nil {
				return err
			}
		}
		return nil
	}})
	// One that leaves its own output out goes on for ever without being refused.
	b.k.Subscribe(record.Subscriber{Name: "once", Wants: func(e *record.Entry) bool { return e.Depth == 0 && e.Action == "created" }, Handle: func(ctx context.Context, entries []record.Entry) error {
		_, err := b.companies.Create(ctx, &company{Name: "From a person"})
		return err
	}})
	if _, err := b.people.Create(b.ctx, &person{LastName: "First"}); err != nil {
		t.Fatal(err)
	}
	for range 30 { // each call carries the chain some steps on
		b.k.CatchUp(t.Context(), b.tenant)
	}
	dead, err := b.k.DeadLetters(b.ctx, 0, 10)
	if err != nil || len(dead) == 0 {
		t.Fatalf("dead letters %v, %v", dead, err)
	}
	rows, err := b.sql.Owner.Query(t.Context(), `select depth, cause_seq is not null from journal where object = 'contact' order by seq`)
	if err != nil {
		t.Fatal(err)
	}
	type link struct {
		Depth  int
		Caused bool
	}
	chain, err := pgx.CollectRows(rows, pgx.RowToStructByPos[link])
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range chain {
		if l.Depth > record.MaxDepth || l.Caused != (l.Depth > 0) {
			t.Errorf("a row of depth %d, with a cause: %v", l.Depth, l.Caused)
		}
	}
	if got := slices.MaxFunc(chain, func(x, y link) int { return x.Depth - y.Depth }); got.Depth != record.MaxDepth {
		t.Errorf("the chain is %d deep, want %d", got.Depth, record.MaxDepth)
	}
	for _, d := range dead {
		if d.Subscriber != "loop" {
			t.Errorf("%s was refused: %s", d.Subscriber, d.Error)
		}
	}
}

// TestDeadLettersAreReplayed: a row that failed is set aside, replayed once what
// was wrong is mended, and then gone; only admins may.
func TestDeadLettersAreReplayed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	broken := true
	handled := map[int64]bool{}
	b.k.Subscribe(record.Subscriber{Name: "fragile", Handle: func(_ context.Context, entries []record.Entry) error {
		for _, e := range entries {
			if broken && e.Changes["last_name"][1] == "Poison" {
				return errors.New("cannot digest")
			}
			if e.Object == "contact" {
				handled[e.Seq] = true
			}
		}
		return nil
	}})
	for _, name := range []string{"One", "Poison", "Two"} {
		if _, err := b.people.Create(b.ctx, &person{LastName: name}); err != nil {
			t.Fatal(err)
		}
	}
	for range 12 {
		b.k.CatchUp(t.Context(), b.tenant)
	}
	dead, err := b.k.DeadLetters(b.ctx, 0, 10)
	if err != nil || len(dead) != 1 || dead[0].Subscriber != "fragile" || dead[0].Error != "cannot digest" || dead[0].Object != "contact" {
		t.Fatalf("dead letters %+v, %v", dead, err)
	}
	if len(handled) != 2 {
		t.Fatalf("handled %v", handled)
	}
	seq := dead[0].Seq
	if _, err := b.k.DeadLetters(auth.With(t.Context(), b.rep), 0, 10); err == nil {
		t.Error("a rep lists dead letters")
	}
	if err := b.k.Replay(auth.With(t.Context(), b.rep), "fragile", seq); err == nil {
		t.Error("a rep replays")
	}
	if err := b.k.Replay(b.other, "fragile", seq); err == nil {
		t.Error("another tenant replays")
	}
	if done, err := b.k.ReplayAll(b.ctx); err != nil || done.Failed != 1 || done.Replayed != 0 {
		t.Errorf("still broken: %+v %v", done, err)
	}
	broken = false
	if err := b.k.Replay(b.ctx, "fragile", seq); err != nil {
		t.Fatal(err)
	}
	if !handled[seq] {
		t.Errorf("row %d was not handled: %v", seq, handled)
	}
	if err := b.k.Replay(b.ctx, "fragile", seq); err == nil {
		t.Error("a letter was replayed twice")
	}
	var acts int
	if err := b.sql.Owner.QueryRow(t.Context(), `select count(*) from journal where object = 'dead_letter' and action = 'replayed'`).Scan(&acts); err != nil || acts != 1 {
		t.Errorf("%d journal rows of the act, %v", acts, err)
	}
	lags, err := b.k.Lags(b.ctx)
	if err != nil || len(lags) != 1 || lags[0].Behind != 1 { // the act itself
		t.Errorf("lags %+v %v", lags, err)
	}
}
