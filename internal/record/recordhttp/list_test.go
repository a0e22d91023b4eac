package recordhttp_test

import (
	"fmt"
	"net/url"
	"testing"
)

func TestListsRefuseWhatTheyDoNotUnderstand(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.is(200, "GET", "/contacts?limit=200", nil)
	for _, query := range []string{
		"limit=201", "limit=0", "limit=-1", "limit=ten", "limit=", "limit=1&limit=2", "nonsense=1", "last_nam=x", "last_name[like]=x", "lead_time=",
		"sort=nonsense", "sort=custom", "sort=-id,id,email,phone,title,source", "fields=nonsense", "fields=", "fields=custom.nonsense",
		"expand=nonsense", "expand=email", "expand=", "count=maybe", "trash=maybe", "filter=nonsense", `filter={"field":"nonsense","value":1}`,
		"cursor=nonsense", "created_at[gte]=yesterday-ish", "account_id=17", "account.nonsense=1", "custom.nonsense=1", "view=board", "after=3", "q=%FF", "q=%00", "email=%zz",
	} {
		a := c.do("GET", "/contacts?"+query, nil)
		if a.Status != 400 || a.JSON["code"] != "bad_parameter" {
			t.Errorf("?%s: %d %s", query, a.Status, a.Raw)
			continue
		}
		wholeProblem(t, a)
	}
	one := c.contact("Ada")
	for _, path := range []string{"/contacts/" + one + "?nonsense=1", "/contacts/" + one + "/timeline?sort=at", "/contacts/schema?x=1", "/changes?since=1", "/search?query=x"} {
		c.refused(400, "bad_parameter", "GET", path, nil)
	}
	c.refused(400, "bad_parameter", "DELETE", "/contacts/"+one+"?forever=true", nil)
	c.is(200, "GET", "/contacts/"+one, nil)
}

func TestCursorsWalkEveryRowOnceWhileOthersInsert(t *testing.T) {
	t.Parallel()
	c := open(t)
	for i := range 7 {
		c.contact(fmt.Sprintf("N%d", i%3))
	}
	for _, sort := range []string{"last_name", "-last_name", "-created_at", "last_name,-created_at", "phone", ""} {
		seen, cursor := map[string]bool{}, ""
		for page := 0; ; page++ {
			a := c.is(200, "GET", "/contacts?limit=2&sort="+def(sort, "-created_at")+cursor, nil)
			for _, row := range a.JSON["data"].([]any) {
				one := fmt.Sprint(row.(map[string]any)["id"])
				if seen[one] {
					t.Fatalf("sort %q shows %s twice", sort, one)
				}
				seen[one] = true
			}
			if a.JSON["next_cursor"] == nil {
				break
			}
			cursor = "&cursor=" + url.QueryEscape(a.JSON["next_cursor"].(string))
			if page == 0 {
				c.is(204, "DELETE", "/contacts/"+c.contact("Late"), nil)
			}
		}
		if len(seen) != 7 {
			t.Errorf("sort %q shows %d of 7", sort, len(seen))
		}
	}
}

func def(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func TestCursorsBelongToTenantAndSort(t *testing.T) {
	t.Parallel()
	c := open(t)
	other := c.as(c.env.Tenant(t, "beta").Key)
	for _, name := range []string{"A", "B", "C"} {
		c.contact(name)
		other.contact(name)
	}
	next := c.is(200, "GET", "/contacts?limit=1&sort=last_name", nil).JSON["next_cursor"].(string)
	c.is(200, "GET", "/contacts?limit=1&sort=last_name&cursor="+next, nil)
	c.refused(400, "bad_parameter", "GET", "/contacts?limit=1&sort=-last_name&cursor="+next, nil)
	c.refused(400, "bad_parameter", "GET", "/contacts?limit=1&cursor="+next, nil)
	other.refused(400, "bad_parameter", "GET", "/contacts?limit=1&sort=last_name&cursor="+next, nil)
}

func TestFieldsChooseAlsoCustomOnes(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.customField("contacts", "tier", "text")
	c.customField("contacts", "shoe", "integer")
	one := c.contact("Ada", "custom", map[string]any{"tier": "gold", "shoe": 42})
	for fields, want := range map[string]string{
		"id":                    `{"id":"` + one + `"}`,
		"last_name":             `{"id":"` + one + `","last_name":"Ada"}`,
		"custom.tier":           `{"custom":{"tier":"gold"},"id":"` + one + `"}`,
		"custom.shoe,last_name": `{"custom":{"shoe":42},"id":"` + one + `","last_name":"Ada"}`,
		"custom":                `{"custom":{"shoe":42,"tier":"gold"},"id":"` + one + `"}`,
	} {
		if got := keys(c.is(200, "GET", "/contacts/"+one+"?fields="+fields, nil).JSON); got != want {
			t.Errorf("fields=%s: %s, want %s", fields, got, want)
		}
		list := c.is(200, "GET", "/contacts?fields="+fields, nil).JSON["data"].([]any)
		if got := keys(list[0].(map[string]any)); got != want {
			t.Errorf("a list with fields=%s: %s, want %s", fields, got, want)
		}
	}
	if got := names(c.is(200, "GET", "/contacts?custom.tier=gold&fields=last_name", nil), "last_name"); got != "Ada" {
		t.Errorf("custom.tier=gold finds %q", got)
	}
}

func TestExpandEmbedsWhatTheCallerMaySee(t *testing.T) {
	t.Parallel()
	c := open(t)
	user := c.tn.User(t, "ada@alpha.test", "sales_rep", "correct horse battery staple").String()
	account := id(c.is(201, "POST", "/accounts", map[string]any{"name": "Acme"}))
	full := c.contact("Full", "account_id", account, "owner_id", user)
	c.contact("Empty")
	a := c.is(200, "GET", "/contacts/"+full+"?expand=account,owner,created_by&fields=last_name", nil)
	if at(a.JSON, "account", "name") != "Acme" || at(a.JSON, "owner", "email") != "ada@alpha.test" {
		t.Errorf("%s", a.Raw)
	}
	if v, there := a.JSON["created_by_user"]; !there || v != nil {
		t.Errorf("a key is no user, so created_by_user is null: %s", a.Raw)
	}
	for _, row := range c.is(200, "GET", "/contacts?expand=account", nil).JSON["data"].([]any) {
		row := row.(map[string]any)
		if _, there := row["account"]; !there || (row["account_id"] == nil) != (row["account"] == nil) {
			t.Errorf("%v", row)
		}
	}
	child := id(c.is(201, "POST", "/accounts", map[string]any{"name": "Child", "parent_id": account}))
	if a := c.is(200, "GET", "/accounts/"+child+"?expand=parent", nil); at(a.JSON, "parent", "name") != "Acme" {
		t.Errorf("%s", a.Raw)
	}
	if a := c.is(201, "POST", "/contacts?expand=account&fields=last_name", map[string]any{"last_name": "New", "account_id": account}); at(a.JSON, "account", "name") != "Acme" {
		t.Errorf("%s", a.Raw)
	}
}

func at(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func TestCountsAreExactOrSayThatTheyAreNot(t *testing.T) {
	t.Parallel()
	c := open(t)
	for range 3 {
		c.contact("X")
	}
	if a := c.is(200, "GET", "/contacts", nil); a.JSON["count"] != nil || a.JSON["count_exact"] != nil {
		t.Errorf("nobody asked: %s", a.Raw)
	}
	for _, kind := range []string{"exact", "estimate"} {
		if a := c.is(200, "GET", "/contacts?limit=1&last_name=X&count="+kind, nil); a.JSON["count"] != 3.0 || a.JSON["count_exact"] != true {
			t.Errorf("%s: %s", kind, a.Raw)
		}
	}
	_, err := c.env.SQL.Owner.Exec(t.Context(), `insert into contacts (tenant_id, id, last_name, created_at, updated_at, version)
	  select $1, gen_random_uuid(), 'Many', now(), now(), 1 from generate_series(1, 12000)`, c.tn.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.env.SQL.Owner.Exec(t.Context(), `analyze contacts`); err != nil {
		t.Fatal(err)
	}
	if a := c.is(200, "GET", "/contacts?limit=1&count=exact", nil); a.JSON["count"] != 12003.0 || a.JSON["count_exact"] != true {
		t.Errorf("exact: %s", a.JSON["count"])
	}
	a := c.is(200, "GET", "/contacts?limit=1&last_name[in]=Many,X&count=estimate", nil)
	if n, _ := a.JSON["count"].(float64); n < 10_001 || n > 100_000 || a.JSON["count_exact"] != false {
		t.Errorf("estimate: %v %v", a.JSON["count"], a.JSON["count_exact"])
	}
}

func TestFilterGrammar(t *testing.T) {
	t.Parallel()
	c := open(t)
	acme := id(c.is(201, "POST", "/accounts", map[string]any{"name": "Acme", "industry": "Retail", "employees": 50}))
	c.contact("Adams", "account_id", acme, "tags", []string{"vip", "news"}, "email", "adams@acme.test")
	c.contact("Brown", "tags", []string{"news"}, "title", "50% off, really")
	c.contact("Clark")
	for query, want := range map[string]string{
		"last_name=Adams":                   "Adams",
		"last_name[ne]=Adams":               "Brown Clark",
		"last_name[in]=Adams,Clark":         "Adams Clark",
		"last_name[not_in]=Adams,Clark":     "Brown",
		"last_name[starts_with]=b":          "Brown",
		"last_name[contains]=ark":           "Clark",
		"title[contains]=50%25":             "Brown",
		"title[contains]=_":                 "",
		"last_name[gt]=Brown":               "Clark",
		"last_name[lte]=Brown":              "Adams Brown",
		"email[is_null]=true":               "Brown Clark",
		"email[is_null]=false":              "Adams",
		"email=ADAMS@acme.test":             "Adams",
		"tags=vip":                          "Adams",
		"tags[any_of]=vip,news":             "Adams Brown",
		"tags[all_of]=vip,news":             "Adams",
		"tags[none_of]=vip":                 "Brown Clark",
		"account.industry=Retail":           "Adams",
		"account.industry[in]=Retail,Steel": "Adams",
		"account.employees[between]=1,50":   "Adams",
		"account_id=" + acme:                "Adams",
		"created_at=today":                  "Adams Brown Clark",
		"created_at=last_days:7":            "Adams Brown Clark",
		"created_at[lt]=2020-01-01":         "",
		"created_at=this_quarter":           "Adams Brown Clark",
		"last_name[gte]=B&last_name[lt]=C":  "Brown",
		"filter=" + url.QueryEscape(`{"or":[{"field":"last_name","value":"Adams"},{"and":[{"field":"tags","op":"any_of","value":["news"]},{"field":"last_name","op":"ne","value":"Adams"}]}]}`): "Adams Brown",
	} {
		if got := names(c.is(200, "GET", "/contacts?sort=last_name&"+query, nil), "last_name"); got != want {
			t.Errorf("?%s: %q, want %q", query, got, want)
		}
	}
}

func TestTheBinIsAListOfItsOwn(t *testing.T) {
	t.Parallel()
	c := open(t)
	gone := c.contact("Gone")
	c.contact("Here")
	c.is(204, "DELETE", "/contacts/"+gone, nil)
	c.is(204, "DELETE", "/contacts/"+gone, nil)
	if got := names(c.is(200, "GET", "/contacts", nil), "last_name"); got != "Here" {
		t.Errorf("the living: %q", got)
	}
	if got := names(c.is(200, "GET", "/contacts?trash=true", nil), "last_name"); got != "Gone" {
		t.Errorf("the bin: %q", got)
	}
	c.refused(409, "deleted", "PATCH", "/contacts/"+gone, map[string]any{"last_name": "X"})
	if a := c.is(200, "POST", "/contacts/"+gone+"/restore", nil); a.JSON["deleted_at"] != nil {
		t.Errorf("%s", a.Raw)
	}
	if got := names(c.is(200, "GET", "/contacts?sort=last_name", nil), "last_name"); got != "Gone Here" {
		t.Errorf("all again: %q", got)
	}
}
