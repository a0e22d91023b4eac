package recordhttp_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestCreateReadChangeDelete(t *testing.T) {
	t.Parallel()
	c := open(t)
	made := c.is(201, "POST", "/contacts", map[string]any{"last_name": "Ada", "phone": "+49 30 901820"})
	path := "/contacts/" + id(made)
	if made.Header.Get("Location") != "/api/v1"+path || made.Header.Get("ETag") != `"1"` {
		t.Errorf("%v", made.Header)
	}
	if made.JSON["phone"] != "+4930901820" {
		t.Errorf("phone %v", made.JSON["phone"])
	}
	changed := c.is(200, "PATCH", path, map[string]any{"phone": nil, "title": "CTO"}, "Content-Type", "application/merge-patch+json")
	if changed.JSON["phone"] != nil || changed.JSON["title"] != "CTO" || changed.JSON["last_name"] != "Ada" || changed.Header.Get("ETag") != `"2"` {
		t.Errorf("%s", changed.Raw)
	}
	if a := c.is(204, "DELETE", path, nil); len(a.Raw) != 0 {
		t.Errorf("204 with a body: %s", a.Raw)
	}
	if a := c.is(200, "GET", path, nil); a.JSON["deleted_at"] == nil {
		t.Errorf("delete is soft: %s", a.Raw)
	}
	c.refused(422, "validation_failed", "POST", "/contacts", map[string]any{"last_name": "X", "nonsense": 1})
	c.refused(422, "validation_failed", "POST", "/contacts", map[string]any{"last_name": "X", "version": 3})
	c.refused(422, "validation_failed", "PATCH", path, map[string]any{"last_name": 3})
	c.refused(404, "not_found", "GET", "/contacts/17", nil)
	c.refused(404, "not_found", "PATCH", "/contacts/01a1fe31-b208-73b9-8aa0-4d79412261f8", map[string]any{"title": "X"})
}

func TestUpsertByAValueWithEveryKindOfCharacter(t *testing.T) {
	t.Parallel()
	c := open(t)
	for _, value := range []string{"plain", "a b", "a/b", "ü@x", "50%", "a+b", "a?b#c", "..", "%2F"} {
		path := "/contacts/by/external_id/" + escapeAll(value)
		made := c.is(201, "PUT", path, map[string]any{"last_name": "Ada"})
		if made.JSON["external_id"] != value || made.Header.Get("Location") != "/api/v1/contacts/"+id(made) {
			t.Errorf("%q: %s", value, made.Raw)
		}
		if again := c.is(200, "PUT", path, map[string]any{"title": "CTO"}); id(again) != id(made) || again.JSON["last_name"] != "Ada" {
			t.Errorf("%q: %s", value, again.Raw)
		}
	}
	c.refused(400, "not_unique_field", "PUT", "/contacts/by/last_name/x", map[string]any{})
}

// escapeAll escapes as encodeURIComponent does, which is more than Go would.
func escapeAll(s string) string {
	s = strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	return strings.ReplaceAll(s, "..", "%2E%2E")
}

func TestIfMatchHoldsForEveryChange(t *testing.T) {
	t.Parallel()
	c := open(t)
	one := "/contacts/" + c.contact("Ada")
	stale := func(method, path string, body any, header string) {
		t.Helper()
		if a := c.refused(412, "stale_version", method, path, body, "If-Match", header); a.Header.Get("ETag") != "" {
			t.Errorf("a refusal with an ETag: %v", a.Header)
		}
	}
	stale("PATCH", one, map[string]any{"title": "X"}, `"7"`)
	stale("DELETE", one, nil, `"7"`)
	stale("POST", one+"/restore", nil, `"7"`)
	stale("PATCH", one, map[string]any{"title": "X"}, `"7", "8"`)
	c.refused(400, "bad_if_match", "PATCH", one, map[string]any{"title": "X"}, "If-Match", `"abc"`)
	for i, header := range []string{`"1"`, `W/"2"`, `"9", "3"`, `*`} {
		c.is(200, "PATCH", one, map[string]any{"title": fmt.Sprint("T", i)}, "If-Match", header)
	}
	c.is(204, "DELETE", one, nil, "If-Match", `"5"`)
	c.refused(404, "not_found", "PATCH", "/contacts/01a1fe31-b208-73b9-8aa0-4d79412261f8", map[string]any{"title": "X"}, "If-Match", `"1"`)
}

// TestIfMatchHoldsForActs: acts know nothing of the header, the kernel does.
func TestIfMatchHoldsForActs(t *testing.T) {
	t.Parallel()
	c := open(t)
	lead := "/leads/" + id(c.is(201, "POST", "/leads", map[string]any{"last_name": "Ada", "company": "Acme"}))
	deal := "/deals/" + id(c.is(201, "POST", "/deals", map[string]any{"name": "Big"}))
	task := "/activities/" + id(c.is(201, "POST", "/activities", map[string]any{"type": "task", "subject": "Call"}))
	for _, act := range []struct {
		path string
		body any
	}{
		{lead + "/convert", map[string]any{}},
		{lead + "/disqualify", map[string]any{"reason": "No budget"}},
		{deal + "/win", map[string]any{}},
		{deal + "/lose", map[string]any{"lost_reason": "Price"}},
		{task + "/complete", map[string]any{}},
	} {
		c.refused(412, "stale_version", "POST", act.path, act.body, "If-Match", `"7"`)
	}
	c.is(200, "POST", task+"/complete", map[string]any{}, "If-Match", `"1"`)
	c.is(200, "POST", deal+"/win", map[string]any{}, "If-Match", `"1"`)
	c.is(200, "POST", lead+"/convert", map[string]any{}, "If-Match", `"1"`)
}

func TestIfMatchOnUpsertChoosesBetweenMakingAndChanging(t *testing.T) {
	t.Parallel()
	c := open(t)
	path := "/contacts/by/external_id/x1"
	body := map[string]any{"last_name": "Ada"}
	c.refused(412, "stale_version", "PUT", path, body, "If-Match", "*")
	c.is(201, "PUT", path, body, "If-None-Match", "*")
	c.refused(412, "already_exists", "PUT", path, body, "If-None-Match", "*")
	c.refused(412, "stale_version", "PUT", path, body, "If-Match", `"9"`)
	c.is(200, "PUT", path, map[string]any{"title": "CTO"}, "If-Match", `"1"`)
}

// TestOfManyWritersWithOneVersionOneWins: the header is compared under the lock.
func TestOfManyWritersWithOneVersionOneWins(t *testing.T) {
	t.Parallel()
	c := open(t)
	one := "/contacts/" + c.contact("Ada")
	statuses := make(chan int, 8)
	for i := range 8 {
		go func() {
			statuses <- c.do("PATCH", one, map[string]any{"title": fmt.Sprint("T", i)}, "If-Match", `"1"`).Status
		}()
	}
	won := 0
	for range 8 {
		switch s := <-statuses; s {
		case 200:
			won++
		case 412:
		default:
			t.Errorf("status %d", s)
		}
	}
	if won != 1 {
		t.Errorf("%d of 8 writers won", won)
	}
}

func TestIfNoneMatchSavesTheBody(t *testing.T) {
	t.Parallel()
	c := open(t)
	one := "/contacts/" + c.contact("Ada")
	for _, header := range []string{`"1"`, `W/"1"`, `"7", "1"`, "*"} {
		a := c.is(304, "GET", one, nil, "If-None-Match", header)
		if len(a.Raw) != 0 || a.Header.Get("ETag") != `"1"` {
			t.Errorf("%s: %q %v", header, a.Raw, a.Header)
		}
	}
	c.is(200, "GET", one, nil, "If-None-Match", `"2"`)
	c.is(200, "GET", one+"?expand=account", nil, "If-None-Match", `"1"`)
}

func TestBatchAnswersInOrder(t *testing.T) {
	t.Parallel()
	c := open(t)
	one := c.contact("Ada")
	ops := []any{
		map[string]any{"op": "create", "data": map[string]any{"last_name": "B"}},
		map[string]any{"op": "update", "id": one, "data": map[string]any{"title": "CTO"}},
		map[string]any{"op": "create", "data": map[string]any{"nonsense": 1}},
		map[string]any{"op": "upsert", "key": "external_id", "data": map[string]any{"external_id": "u1", "last_name": "U"}},
		map[string]any{"op": "delete", "id": one},
		map[string]any{"op": "dance"},
	}
	a := c.is(200, "POST", "/contacts/batch", map[string]any{"operations": ops})
	var got []string
	for _, r := range a.JSON["results"].([]any) {
		got = append(got, fmt.Sprint(at(r, "status")))
	}
	if s := strings.Join(got, " "); s != "201 200 422 201 200 422" {
		t.Errorf("%s: %s", s, a.Raw)
	}
	c.refused(422, "validation_failed", "POST", "/contacts/batch", map[string]any{"operations": []any{ops[0], ops[2]}, "atomic": true})
	if got := names(c.is(200, "GET", "/contacts?sort=last_name", nil), "last_name"); got != "B U" {
		t.Errorf("after a refused atomic batch: %q", got)
	}
	c.refused(422, "validation_failed", "POST", "/contacts/batch", map[string]any{"operations": []any{}})
}

// TestAThousandWideRowsGoInOneBatch: the limit is on operations, not on their keys.
func TestAThousandWideRowsGoInOneBatch(t *testing.T) {
	t.Parallel()
	c := open(t)
	ops := make([]any, 1000)
	for i := range ops {
		ops[i] = map[string]any{"op": "create", "data": map[string]any{
			"first_name": "A", "last_name": fmt.Sprint("N", i), "email": fmt.Sprintf("n%d@x.test", i), "title": "T", "language": "en", "source": "web",
			"lifecycle": nil, "time_zone": "UTC", "tags": []string{"a"}, "external_id": fmt.Sprint(i), "do_not_contact": false, "phone": nil, "address": map[string]any{"city": "B"},
		}}
	}
	a := c.is(200, "POST", "/contacts/batch", map[string]any{"operations": ops})
	if n := len(a.JSON["results"].([]any)); n != 1000 || at(a.JSON["results"].([]any)[999], "status") != 201.0 {
		t.Errorf("%d results: %.300s", n, a.Raw)
	}
	c.refused(422, "validation_failed", "POST", "/contacts/batch", map[string]any{"operations": append(ops[:1000:1000], map[string]any{"op": "delete"})[:1001]})
}
