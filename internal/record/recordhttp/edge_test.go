package recordhttp_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestEveryLayerAnswersWithAProblem(t *testing.T) {
	t.Parallel()
	c := open(t)
	nobody := c.as("")
	c.refused(404, "no_such_route", "GET", "/nothing", nil)
	c.refused(404, "no_such_route", "GET", "/", nil)
	nobody.refused(401, "unauthenticated", "GET", "/nothing", nil) // it may be an object of somebody's
	nobody.refused(404, "no_such_route", "GET", "/nothing/at/all/here", nil)
	wholeProblem(t, c.env.Do(t, "", "GET", "/api/nothing", nil, nil))
	wholeProblem(t, c.env.Do(t, "", "POST", "/api/openapi.json", nil, nil))
	nobody.refused(401, "unauthenticated", "GET", "/contacts", nil)
	c.as("crm_nonsense").refused(401, "unknown_token", "GET", "/contacts", nil)
	a := nobody.refused(401, "unknown_token", "GET", "/contacts", nil, "Authorization", "Basic YTpi")
	if !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("%v", a.Header)
	}
	rep := c.as(c.tn.KeyFor(t, "sales_rep"))
	rep.refused(403, "forbidden", "POST", "/api_keys", map[string]any{"name": "x"})
	a = c.refused(405, "method_not_allowed", "PUT", "/contacts", nil)
	if a.Header.Get("Allow") != "GET, HEAD, OPTIONS, POST" {
		t.Errorf("Allow %q", a.Header.Get("Allow"))
	}
	c.refused(405, "method_not_allowed", "BREW", "/contacts", nil)
}

func TestHeadAndOptions(t *testing.T) {
	t.Parallel()
	c := open(t)
	one := "/contacts/" + c.contact("Ada")
	a := c.is(200, "HEAD", one, nil)
	if len(a.Raw) != 0 || a.Header.Get("ETag") != `"1"` || a.Header.Get("Content-Type") == "" {
		t.Errorf("%q %v", a.Raw, a.Header)
	}
	c.is(200, "HEAD", "/contacts", nil)
	if a := c.do("HEAD", "/contacts/17", nil); a.Status != 404 {
		t.Errorf("%d", a.Status)
	}
	a = c.is(204, "OPTIONS", one, nil)
	if a.Header.Get("Allow") != "DELETE, GET, HEAD, OPTIONS, PATCH" || a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%v", a.Header)
	}
}

// TestOtherSitesMayPostFormsOnly: the preflight of a JSON form is answered, that of
// everything else is not.
func TestOtherSitesMayPostFormsOnly(t *testing.T) {
	t.Parallel()
	c := open(t)
	form := c.is(201, "POST", "/lead_forms", map[string]any{"name": "Web", "active": true})
	browser := c.as("")
	path := "/forms/" + fmt.Sprint(form.JSON["public_id"])
	ask := []string{"Origin", "https://shop.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type", "Sec-Fetch-Site", "cross-site"}
	a := browser.is(204, "OPTIONS", path, nil, ask...)
	h := a.Header
	if h.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "Content-Type") || h.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%v", h)
	}
	if a := browser.is(204, "OPTIONS", "/contacts", nil, ask...); a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%v", a.Header)
	}
	sent := browser.is(201, "POST", path, map[string]any{"last_name": "Ada", "email": "ada@shop.example"}, "Origin", "https://shop.example", "Sec-Fetch-Site", "cross-site")
	if sent.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%v", sent.Header)
	}
}

// TestADatabaseThatIsAwayIs503: also where the caller's key is looked up.
func TestADatabaseThatIsAwayIs503(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.is(200, "GET", "/contacts", nil)
	fresh := c.tn.KeyFor(t, "sales_manager")
	killer, err := c.env.SQL.App.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer killer.Release()
	// Nobody of the program gets in any more, and whoever is in is thrown out.
	if _, err := c.env.SQL.Owner.Exec(t.Context(), `do $$ begin execute format('revoke connect on database %I from public, crm_app', current_database()); end $$`); err != nil {
		t.Fatal(err)
	}
	if _, err := killer.Exec(t.Context(), `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and usename = 'crm_app' and pid <> pg_backend_pid()`); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{c.key, fresh} {
		for _, call := range [][2]string{{"GET", "/contacts"}, {"POST", "/contacts"}, {"GET", "/search?q=x"}} {
			var body any
			if call[0] == "POST" {
				body = map[string]any{"last_name": "A"}
			}
			a := c.as(key).do(call[0], call[1], body)
			if a.Status != 503 || a.Header.Get("Retry-After") == "" {
				t.Errorf("%s %s: %d %v %s", call[0], call[1], a.Status, a.Header, a.Raw)
				continue
			}
			wholeProblem(t, a)
		}
	}
}

// TestABrokenOffBodyIsNoEffect sends half of what Content-Length promises.
func TestABrokenOffBodyIsNoEffect(t *testing.T) {
	t.Parallel()
	c := open(t)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(c.env.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = fmt.Fprintf(conn, "POST /api/v1/contacts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"last_name\":\"A\"}", c.key)
	_ = conn.(*net.TCPConn).CloseWrite()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err == nil {
		raw, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != 400 {
			t.Errorf("%d %s", resp.StatusCode, raw)
		}
		_ = resp.Body.Close()
	}
	if names(c.is(200, "GET", "/contacts", nil), "id") != "" {
		t.Error("half a body made a record")
	}
}
