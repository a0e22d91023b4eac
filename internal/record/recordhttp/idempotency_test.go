package recordhttp_test

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestAKeyedRequestHappensOnceForEveryMethod(t *testing.T) {
	t.Parallel()
	c := open(t)
	one := "/contacts/" + c.contact("Ada")
	for _, call := range []struct {
		method, path string
		body         any
	}{
		{"POST", "/contacts", map[string]any{"last_name": "Once"}},
		{"PATCH", one, map[string]any{"title": "CTO"}},
		{"PUT", "/contacts/by/external_id/e1", map[string]any{"last_name": "Put"}},
		{"DELETE", one, nil},
		{"POST", one + "/restore", nil},
		{"POST", "/contacts/batch", map[string]any{"operations": []any{map[string]any{"op": "create", "data": map[string]any{"last_name": "Batch"}}}}},
	} {
		key := call.method + call.path
		first := c.do(call.method, call.path, call.body, "Idempotency-Key", key)
		again := c.do(call.method, call.path, call.body, "Idempotency-Key", key)
		if first.Status >= 300 || again.Status != first.Status || !bytes.Equal(first.Raw, again.Raw) {
			t.Errorf("%s: %d %s, again %d %s", key, first.Status, first.Raw, again.Status, again.Raw)
		}
		if first.Header.Get("Idempotency-Replayed") != "" || again.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s: replayed %q, %q", key, first.Header.Get("Idempotency-Replayed"), again.Header.Get("Idempotency-Replayed"))
		}
		for _, name := range []string{"ETag", "Location", "Content-Type", "Cache-Control"} {
			if first.Header.Get(name) != again.Header.Get(name) {
				t.Errorf("%s: %s %q, again %q", key, name, first.Header.Get(name), again.Header.Get(name))
			}
		}
	}
	if got := names(c.is(200, "GET", "/contacts?sort=last_name", nil), "last_name"); got != "Ada Batch Once Put" {
		t.Errorf("%q", got)
	}
}

func TestAKeyIsForOneRequestOfOneCaller(t *testing.T) {
	t.Parallel()
	c := open(t)
	body := map[string]any{"last_name": "A"}
	c.is(201, "POST", "/contacts", body, "Idempotency-Key", "k")
	c.refused(422, "idempotency_key_reused", "POST", "/contacts", map[string]any{"last_name": "B"}, "Idempotency-Key", "k")
	c.refused(422, "idempotency_key_reused", "POST", "/accounts", map[string]any{"name": "B"}, "Idempotency-Key", "k")
	c.refused(400, "bad_idempotency_key", "POST", "/contacts", body, "Idempotency-Key", strings.Repeat("k", 256))
	for _, key := range []string{c.tn.KeyFor(t, "sales_manager"), c.env.Tenant(t, "beta").Key} {
		if a := c.as(key).is(201, "POST", "/contacts", body, "Idempotency-Key", "k"); a.Header.Get("Idempotency-Replayed") != "" {
			t.Errorf("another caller got the answer: %s", a.Raw)
		}
	}
	// A refused request may be corrected under the same key.
	c.refused(422, "validation_failed", "POST", "/contacts", map[string]any{"nonsense": 1}, "Idempotency-Key", "r")
	c.is(201, "POST", "/contacts", body, "Idempotency-Key", "r")
}

// TestAKeyedRequestOutlivesItsConnection holds the record's lock, so that the keyed
// request waits inside its transaction, and ends the database session under it.
func TestAKeyedRequestOutlivesItsConnection(t *testing.T) {
	t.Parallel()
	c := open(t)
	one := "/contacts/" + c.contact("Ada")
	lock, err := c.env.SQL.Owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Rollback(t.Context()) // ended below
	if _, err := lock.Exec(t.Context(), `select 1 from contacts for update`); err != nil {
		t.Fatal(err)
	}
	status := make(chan int)
	go func() {
		status <- c.do("PATCH", one, map[string]any{"title": "CTO"}, "Idempotency-Key", "k").Status
	}()
	c.until("the keyed request waits", `select count(*) = 1 from pg_stat_activity where datname = current_database() and usename = 'crm_app' and wait_event_type = 'Lock'`)
	if a := c.refused(409, "request_in_progress", "PATCH", one, map[string]any{"title": "CTO"}, "Idempotency-Key", "k"); a.Header.Get("Idempotency-Replayed") != "" {
		t.Error("there is nothing to replay yet")
	}
	if _, err := c.env.SQL.App.Exec(t.Context(), `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and usename = 'crm_app' and wait_event_type = 'Lock'`); err != nil {
		t.Fatal(err)
	}
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The product begins it again by itself, on another connection, and once.
	if s := <-status; s != 200 {
		t.Errorf("the interrupted request: %d", s)
	}
	a := c.is(200, "PATCH", one, map[string]any{"title": "CTO"}, "Idempotency-Key", "k")
	if a.JSON["title"] != "CTO" || a.JSON["version"] != 2.0 || a.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%s", a.Raw)
	}
}

// until polls the database until a statement says true.
func (c *client) until(what, sql string) {
	c.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		var yes bool
		if err := c.env.SQL.App.QueryRow(c.t.Context(), sql).Scan(&yes); err != nil {
			c.t.Fatal(err)
		}
		if yes {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("never happened: %s", what)
		}
	}
}
