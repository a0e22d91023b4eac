package app_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"crm/internal/app/apptest"
	"crm/internal/identity"
	"crm/internal/platform/auth"
)

// identityOf is one caller of the role matrix.
type identityOf struct {
	name   string
	key    string
	grants auth.Grants
}

// reader sees everything and may change nothing; leadsOnly is the key of a web form's
// server, the smallest one that is of use.
var (
	reader    = map[string]any{"*:read": "all", "*:export": "none"}
	leadsOnly = map[string]any{"lead:create": "all"}
)

func (r *refusals) identities(t *testing.T) []identityOf {
	t.Helper()
	var out []identityOf
	for name, grants := range map[string]map[string]any{"reader": reader, "leads_only": leadsOnly} {
		if a := r.caller.Call(t, "POST", "/roles", map[string]any{"key": name, "name": name, "grants": grants}); a.Status != 201 {
			t.Fatalf("%s: %s", name, a.Raw)
		}
	}
	// The admin is last: it may delete what the others are refused.
	for _, name := range []string{"leads_only", "reader", identity.SalesRep, identity.SalesManager, identity.TenantAdmin} {
		id := identityOf{name: name, key: r.caller.KeyFor(t, name), grants: auth.Grants{}}
		role, err := r.env.App.Identity.RoleByKey(r.caller.Ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range role.Grants {
			id.grants[k] = auth.ParseScope(fmt.Sprint(v))
		}
		out = append(out, id)
	}
	return out
}

// objectOf is whose right a call needs. Tenants' own objects share their rows of the
// table, where the object is known by request only.
func objectOf(c call) string {
	if c.Object == "" && c.path != c.Path {
		return "parcel"
	}
	return c.Object
}

// TestRoleMatrix calls every route as five identities and compares with what the table
// says and the role grants: not granted is 403 and changes nothing, granted is never
// 403 on account of the table.
func TestRoleMatrix(t *testing.T) {
	t.Parallel()
	r := newRefusals(t)
	people, calls := r.identities(t), r.routes()
	// What deletes comes last, so that the others find what they ask for.
	slices.SortStableFunc(calls, func(a, b call) int { return destroys(a) - destroys(b) })
	before, others := everyRow(t, r.env, r.caller.ID), everyRow(t, r.env, r.foreign.ID)
	r.w.news(t)
	for _, who := range people {
		for _, c := range calls {
			r.as(t, who, c)
		}
		if who.name == "reader" {
			r.onlyLeads(t, before)
		}
	}
	sameRows(t, "the other tenant", others, everyRow(t, r.env, r.foreign.ID))
	if want := len(people) * len(r.env.App.API().Routes()); r.seen < want {
		t.Errorf("%d calls for %d cases", r.seen, want)
	}
}

// onlyLeads: after the reader and the key for leads are through, no table but those of
// leads is another than before.
func (r *refusals) onlyLeads(t *testing.T, before map[string]string) {
	t.Helper()
	after := everyRow(t, r.env, r.caller.ID)
	for _, table := range []string{"leads", "journal", "journal_refs", "search_documents", "match_keys", "lead_scores", "custom_uniques", "custom_values"} {
		delete(after, table)
	}
	sameRows(t, "the tenant, read and given leads only,", before, after)
}

func destroys(c call) int {
	if c.Method == http.MethodDelete {
		return 1
	}
	return 0
}

func (r *refusals) as(t *testing.T, who identityOf, c call) {
	t.Helper()
	what := who.name + ": " + c.String()
	var body []byte
	if c.Body != nil && !c.Upload {
		body = encode(t, r.good(c))
	}
	path := r.address(t, c, r.own)
	a := r.send(t, who.key, c.Method, path, contentTypeOf(body), body)
	object := objectOf(c)
	granted := c.Public || object == "" || who.grants.Scope(object, c.Action) != auth.None
	switch {
	case a.Status == http.StatusUnauthorized:
		t.Errorf("%s: 401 %s", what, a.Raw)
	case !granted && a.Status != http.StatusForbidden:
		t.Errorf("%s is not granted, but: %d %.200s", what, a.Status, a.Raw)
	case granted && a.Status == http.StatusForbidden && c.Method == http.MethodGet && a.JSON["code"] == "forbidden":
		t.Errorf("%s is granted, but: %s", what, a.Raw)
	case granted && a.Status == http.StatusForbidden && who.name == identity.TenantAdmin:
		t.Errorf("%s: the admin may not: %s", what, a.Raw)
	}
	switch who.name {
	case "reader":
		if news := r.w.news(t); news != "" {
			t.Errorf("%s changed: %s (%d)", what, news, a.Status)
		}
	case "leads_only":
		r.leadsOnly(t, what, c, a)
	}
	r.judge(t, what, "", a)
}

// leadsOnly: the key makes leads and has its own name told; it is shown no word of the
// tenant's records.
func (r *refusals) leadsOnly(t *testing.T, what string, c call, a *apptest.Answer) {
	t.Helper()
	makesLeads := c.Object == "lead" && c.Action == auth.Create
	// The fields of leads are told: it must know them to fill them.
	if bytes.Contains(a.Raw, []byte(apptest.Canary)) && !c.Public && !strings.HasPrefix(c.Path, "/custom_fields") {
		t.Errorf("%s shows what is kept: %.300s", what, a.Raw)
	}
	if makesLeads || c.Public || a.Status >= 400 {
		return
	}
	if news := r.w.news(t); news != "" {
		t.Errorf("%s changed: %s", what, news)
	}
	if c.Method != http.MethodGet && c.Object != "" {
		t.Errorf("%s reaches further than leads: %d %.200s", what, a.Status, a.Raw)
	}
}

func contentTypeOf(body []byte) string {
	if body == nil {
		return ""
	}
	return "application/json"
}
