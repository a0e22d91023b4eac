package rest_test

import (
	"bytes"
	"testing"
)

// TestStoredAnswersAreSealed: what is shown once must not lie readable for a day, nor
// be moved to another key by who can write to the table.
func TestStoredAnswersAreSealed(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	if w := s.post(t, s.alice, "k1", tea); w.Code != 201 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	var body []byte
	if err := s.sql.Owner.QueryRow(t.Context(), `select body from idempotency_keys`).Scan(&body); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(body, []byte("tea")) {
		t.Errorf("the answer lies open: %q", body)
	}
	if _, err := s.sql.Owner.Exec(t.Context(), `update idempotency_keys set key = 'k2'`); err != nil {
		t.Fatal(err)
	}
	if w := s.post(t, s.alice, "k2", tea); w.Code != 409 || s.runs.Load() != 1 {
		t.Errorf("a moved answer: %d %s, %d runs", w.Code, w.Body, s.runs.Load())
	}
}

// TestAnswersFromBeforeTheUpgrade are replayed as they were kept.
func TestAnswersFromBeforeTheUpgrade(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	if w := s.post(t, s.alice, "k1", tea); w.Code != 201 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if _, err := s.sql.Owner.Exec(t.Context(), `update idempotency_keys set sealed = false, body = '{"old":true}'`); err != nil {
		t.Fatal(err)
	}
	if w := s.post(t, s.alice, "k1", tea); w.Code != 201 || w.Body.String() != `{"old":true}` || s.runs.Load() != 1 {
		t.Errorf("%d %s, %d runs", w.Code, w.Body, s.runs.Load())
	}
}
