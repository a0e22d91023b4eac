package rest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"crm/internal/platform/auth"
	"crm/internal/platform/db"
	"crm/internal/platform/db/dbtest"
	"crm/internal/platform/errs"
	"crm/internal/platform/id"
	"crm/internal/platform/rest"
	"crm/internal/platform/secret"
)

// shop takes orders: each effect is a row in orders, each answer has an id of its
// own, so that a replay is told from a second run.
type shop struct {
	sql    *dbtest.DB
	db     *db.DB
	alice  *auth.Actor
	bob    *auth.Actor
	foe    *auth.Actor  // another tenant
	mood   atomic.Value // what the handler does after its effect: "", "refuse", "fail", "panic"
	runs   atomic.Int64
	offset atomic.Int64 // what the clock is ahead, in nanoseconds
	h      http.Handler
}

func openShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{sql: dbtest.New(t)}
	s.mood.Store("")
	var err error
	if s.db, err = db.Open(t.Context(), s.sql.AppURL, 6); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.db.Close)
	if _, err := s.sql.Owner.Exec(t.Context(), `create table orders (id uuid); grant select, insert on orders to crm_app`); err != nil {
		t.Fatal(err)
	}
	ours := id.New()
	s.alice, s.bob, s.foe = buyer(ours), buyer(ours), buyer(id.New())
	now := func() time.Time { return time.Now().Add(time.Duration(s.offset.Load())) }
	box, err := secret.New([]string{secret.Generate()})
	if err != nil {
		t.Fatal(err)
	}
	gift := []rest.Param{{Name: "gift", Schema: rest.Int}}
	s.h = rest.Serve(rest.Route{Name: "orders.create", Params: gift, Handle: s.order}, rest.Idempotent(s.db, box, now))
	return s
}

func buyer(tenant [16]byte) *auth.Actor {
	return &auth.Actor{Kind: auth.User, TenantID: tenant, ID: id.New(), Grants: auth.AllGrants()}
}

func (s *shop) order(w http.ResponseWriter, r *http.Request) error {
	s.runs.Add(1)
	in, err := rest.Object(r)
	if err != nil {
		return err
	}
	order := id.New()
	err = s.db.Tx(r.Context(), func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `insert into orders (id) values ($1)`, order)
		return err
	})
	if err != nil {
		return err
	}
	switch s.mood.Load() {
	case "refuse":
		return errs.New(errs.Conflict, "sold_out", "Come back tomorrow.")
	case "fail":
		return context.DeadlineExceeded
	case "panic":
		panic("the process dies here")
	}
	w.Header().Set("Location", "/orders/"+order.String())
	w.Header().Add("X-Many", "a")
	w.Header().Add("X-Many", "b")
	return rest.JSON(w, 201, map[string]any{"id": order, "what": in["what"]})
}

func (s *shop) post(t *testing.T, a *auth.Actor, key, body string) *httptest.ResponseRecorder {
	t.Helper()
	return s.send(t, a, http.MethodPost, "/orders", key, body)
}

func (s *shop) send(t *testing.T, a *auth.Actor, method, path, key, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(auth.With(t.Context(), a), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	return w
}

func (s *shop) count(t *testing.T, table string) int {
	t.Helper()
	var n int
	if err := s.sql.Owner.QueryRow(t.Context(), `select count(*) from `+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

const tea = `{"what":"tea"}`

func TestARepeatedRequestGetsTheFirstAnswerByteForByte(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	first := s.post(t, s.alice, "k1", tea)
	if first.Code != 201 || first.Header().Get("Idempotency-Replayed") != "" {
		t.Fatalf("%d %s", first.Code, first.Body)
	}
	again := s.post(t, s.alice, "k1", tea)
	if again.Code != 201 || again.Body.String() != first.Body.String() || again.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d %v %s, want %s", again.Code, again.Header(), again.Body, first.Body)
	}
	again.Header().Del("Idempotency-Replayed")
	for name := range first.Header() {
		if got, want := strings.Join(again.Header()[name], "|"), strings.Join(first.Header()[name], "|"); got != want {
			t.Errorf("%s: %q, first %q", name, got, want)
		}
	}
	if s.runs.Load() != 1 || s.count(t, "orders") != 1 {
		t.Errorf("%d runs, %d orders", s.runs.Load(), s.count(t, "orders"))
	}
}

func TestWithoutAKeyEveryRequestCounts(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.post(t, s.alice, "", tea)
	s.post(t, s.alice, "", tea)
	if s.count(t, "orders") != 2 || s.count(t, "idempotency_keys") != 0 {
		t.Errorf("%d orders, %d keys", s.count(t, "orders"), s.count(t, "idempotency_keys"))
	}
}

func TestAKeyForAnotherRequestIsRefused(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.post(t, s.alice, "k1", tea)
	others := []*httptest.ResponseRecorder{
		s.post(t, s.alice, "k1", `{"what":"coffee"}`),
		s.send(t, s.alice, http.MethodPut, "/orders", "k1", tea),
		s.send(t, s.alice, http.MethodPost, "/orders?gift=1", "k1", tea),
	}
	for _, w := range others {
		if p := readProblem(t, w); w.Code != 422 || p.Code != "idempotency_key_reused" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if s.count(t, "orders") != 1 {
		t.Errorf("%d orders", s.count(t, "orders"))
	}
}

func TestAKeyBelongsToOneCallerOfOneTenant(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	sameID := *s.foe
	sameID.ID = s.alice.ID
	seen := map[string]bool{}
	for _, a := range []*auth.Actor{s.alice, s.bob, s.foe, &sameID} {
		w := s.post(t, a, "k1", tea)
		if w.Code != 201 || w.Header().Get("Idempotency-Replayed") != "" || seen[w.Body.String()] {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		seen[w.Body.String()] = true
	}
}

func TestTwentyIdenticalRequestsAtOnceHaveOneEffect(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	answers := make([]*httptest.ResponseRecorder, 20)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = s.post(t, s.alice, "k1", tea) })
	}
	wg.Wait()
	bodies, fresh := map[string]int{}, 0
	for _, w := range answers {
		switch w.Code {
		case 409:
			if p := readProblem(t, w); p.Code != "request_in_progress" {
				t.Errorf("%s", w.Body)
			}
		case 201:
			bodies[w.Body.String()]++
			if w.Header().Get("Idempotency-Replayed") == "" {
				fresh++
			}
		default:
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if len(bodies) != 1 || fresh != 1 || s.runs.Load() != 1 || s.count(t, "orders") != 1 {
		t.Errorf("%d different answers, %d fresh, %d runs, %d orders", len(bodies), fresh, s.runs.Load(), s.count(t, "orders"))
	}
}

func TestARefusedRequestLeavesNothingAndMayBeTriedAgain(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	for mood, status := range map[string]int{"refuse": 409, "fail": 500} {
		s.mood.Store(mood)
		w := s.post(t, s.alice, "k1", tea)
		if readProblem(t, w); w.Code != status || s.count(t, "orders") != 0 || s.count(t, "idempotency_keys") != 0 {
			t.Errorf("%s: %d, %d orders, %d keys", mood, w.Code, s.count(t, "orders"), s.count(t, "idempotency_keys"))
		}
	}
	s.mood.Store("")
	if w := s.post(t, s.alice, "k1", `{"what":"coffee instead"}`); w.Code != 201 || s.count(t, "orders") != 1 {
		t.Errorf("the second try: %d %s", w.Code, w.Body)
	}
}

func TestACrashBetweenEffectAndAnswerLeavesNoKey(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.mood.Store("panic")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		s.post(t, s.alice, "k1", tea)
	}()
	if s.count(t, "orders") != 0 || s.count(t, "idempotency_keys") != 0 {
		t.Errorf("%d orders, %d keys", s.count(t, "orders"), s.count(t, "idempotency_keys"))
	}
	s.mood.Store("")
	if w := s.post(t, s.alice, "k1", tea); w.Code != 201 || s.count(t, "orders") != 1 {
		t.Errorf("after the crash: %d %s", w.Code, w.Body)
	}
}

func TestAKeyIsFreeAgainAfterADay(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	first := s.post(t, s.alice, "k1", tea)
	s.offset.Store(int64(23*time.Hour + 59*time.Minute))
	if w := s.post(t, s.alice, "k1", tea); w.Body.String() != first.Body.String() {
		t.Errorf("within the day: %s", w.Body)
	}
	s.offset.Store(int64(24*time.Hour + time.Minute))
	w := s.post(t, s.alice, "k1", `{"what":"coffee"}`)
	if w.Code != 201 || w.Header().Get("Idempotency-Replayed") != "" || s.count(t, "orders") != 2 {
		t.Errorf("after a day: %d %s", w.Code, w.Body)
	}
	if again := s.post(t, s.alice, "k1", `{"what":"coffee"}`); again.Body.String() != w.Body.String() {
		t.Errorf("the new answer is not kept: %s", again.Body)
	}
}

func TestKeysWhoseDayIsOverAreForgotten(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.post(t, s.alice, "old", tea)
	s.post(t, s.foe, "old", tea)
	s.offset.Store(int64(23 * time.Hour))
	s.post(t, s.alice, "new", tea)
	if err := rest.ForgetKeys(auth.With(t.Context(), s.alice), s.db, time.Now().Add(24*time.Hour+time.Minute)); err != nil {
		t.Fatal(err)
	}
	if n := s.count(t, "idempotency_keys"); n != 2 {
		t.Errorf("%d keys, want the new one and the one of the other tenant", n)
	}
	if w := s.post(t, s.alice, "new", tea); w.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("the new key is forgotten: %d %v", w.Code, w.Header())
	}
}

func TestKeysThatCannotBeKeptAreRefused(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	for _, key := range []string{strings.Repeat("k", 256), "caf\xe9"} {
		w := s.post(t, s.alice, key, tea)
		if p := readProblem(t, w); w.Code != 400 || p.Code != "bad_idempotency_key" {
			t.Errorf("%q: %d %s", key, w.Code, w.Body)
		}
	}
	if w := s.post(t, s.alice, strings.Repeat("k", 255), tea); w.Code != 201 {
		t.Errorf("255 characters: %d %s", w.Code, w.Body)
	}
	if w := s.post(t, s.alice, "big", strings.Repeat(" ", rest.MaxBody)+tea); w.Code != 413 {
		t.Errorf("over 1 MiB: %d %s", w.Code, w.Body)
	}
}

func TestReadingNeedsNoKeyAndKeepsNone(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.send(t, s.alice, http.MethodGet, "/orders", "k1", tea)
	s.send(t, s.alice, http.MethodGet, "/orders", "k1", tea)
	if s.runs.Load() != 2 || s.count(t, "idempotency_keys") != 0 {
		t.Errorf("%d runs, %d keys", s.runs.Load(), s.count(t, "idempotency_keys"))
	}
}
