package identity_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

func TestANewTenantHasTheFourBuiltInRoles(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, key := range []string{identity.TenantAdmin, identity.SalesManager, identity.SalesRep, identity.SystemAdmin} {
		r, err := w.RoleByKey(w.admin, key)
		if err != nil || !r.BuiltIn || len(r.Grants) == 0 {
			t.Errorf("%s: %+v, %v", key, r, err)
		}
	}
	if n := w.count(t, `select count(*) from roles`); n != 4 {
		t.Errorf("%d roles", n)
	}
	found, err := w.TenantBySlug(t.Context(), "gamma")
	if err != nil || found.ID != w.tenant.ID || found.Currency != "EUR" || found.TimeZone != "Europe/Berlin" {
		t.Errorf("%+v, %v", found, err)
	}
	_, err = w.RoleByKey(w.admin, "owner")
	fieldCode(t, "an unknown role", err, "unknown_role")
}

func TestTenantsAreAddressedByTheirName(t *testing.T) {
	t.Parallel()
	w := setup(t)
	tests := []struct{ name, slug, want string }{
		{"Acme & Sons, Ltd.", "", "acme-sons-ltd"},
		{"", "Quiet Company", "quiet-company"},
		{"Big", "big-one", "big-one"},
		{strings.Repeat("long ", 30), "", strings.TrimSuffix(strings.Repeat("long-", 30)[:63], "-")},
	}
	for _, tt := range tests {
		got, err := w.CreateTenant(t.Context(), identity.Tenant{Name: tt.name, Slug: tt.slug})
		if err != nil || got.Slug != tt.want || got.Currency != "USD" || got.TimeZone != "UTC" || got.State != "active" {
			t.Errorf("%q: %+v, %v", tt.name, got, err)
		}
	}
}

func TestNamesThatCannotBeAnAddressAreRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for name, want := range map[string]string{
		"": "bad_name", "---": "bad_name", "日本": "bad_name",
		"api": "reserved", "API": "reserved", "sign in": "reserved", "assets": "reserved", "o": "reserved", "Healthz!": "reserved",
	} {
		_, err := w.CreateTenant(t.Context(), identity.Tenant{Name: name})
		fieldCode(t, name, err, want)
	}
	_, err := w.CreateTenant(t.Context(), identity.Tenant{Name: "Gamma"})
	code(t, "a name that is taken", err, "already_exists")
	if n := w.count(t, `select count(*) from tenants`); n != 1 {
		t.Errorf("%d tenants", n)
	}
}

func TestCurrenciesAndTimeZonesNobodyKnowsAreRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, err := w.CreateTenant(t.Context(), identity.Tenant{Name: "one", Currency: "euro"})
	fieldCode(t, "currency", err, "bad_currency")
	_, err = w.CreateTenant(t.Context(), identity.Tenant{Name: "two", TimeZone: "Mars/Phobos"})
	fieldCode(t, "time zone", err, "bad_time_zone")
}

func TestATenantWhoseSetUpFailsIsNotThere(t *testing.T) {
	t.Parallel()
	w := setup(t)
	errNo := errors.New("no default pipeline")
	w.OnTenant(func(ctx context.Context) error {
		if _, err := auth.Must(ctx); err != nil {
			return err
		}
		return errNo
	})
	if _, err := w.CreateTenant(t.Context(), identity.Tenant{Name: "delta"}); !errors.Is(err, errNo) {
		t.Fatal(err)
	}
	if n := w.count(t, `select count(*) from tenants`) + w.count(t, `select count(*) from roles`); n != 1+4 {
		t.Errorf("something is left: %d rows", n)
	}
	_, err := w.TenantBySlug(t.Context(), "delta")
	code(t, "the address", err, "no_such_tenant")
}

func TestARetiredTenantFreesItsAddress(t *testing.T) {
	t.Parallel()
	w := setup(t)
	must(t, w.Retire(w.admin))
	again, _ := w.addTenant(t, "gamma")
	list, err := w.Tenants(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != again.ID {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestBuiltInRolesCannotBeChanged(t *testing.T) {
	t.Parallel()
	w := setup(t)
	rep, err := w.RoleByKey(w.admin, identity.SalesRep)
	must(t, err)
	code(t, "more rights", patch(t, w.admin, w.Roles, rep.ID, record.Patch{"grants": map[string]any{"*:delete": "all"}}), "built_in_role")
	code(t, "another name", patch(t, w.admin, w.Roles, rep.ID, record.Patch{"name": "Rep"}), "built_in_role")
	_, err = w.Roles.Apply(w.admin, []record.Operation{{Kind: record.OpDelete, ID: rep.ID}}, true)
	code(t, "delete", err, "built_in_role")
}

func TestGrantsNobodyWouldUnderstandAreRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	bad := []map[string]any{
		{"contact": "all"},
		{"contact:read": "everything"},
		{"contact:read": true},
		{"contact:read": nil},
		{"contact:read": ""},
		{"contact:read": "ALL"},
		{"contact:fly": "all"},
		{":read": "all"},
		{":": "all"},
		{"contact:read:": "all"},
		{"contact:read": "own", "deal:read": map[string]any{"scope": "all"}},
	}
	for _, grants := range bad {
		_, err := w.Roles.Create(w.admin, &identity.Role{Key: "bad", Name: "Bad", Grants: grants})
		fieldCode(t, "grants", err, "bad_grant")
	}
}

func TestARoleOfOnesOwnGrantsWhatItSaysAtOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	r, err := w.Roles.Create(w.admin, &identity.Role{Key: "reader", Name: "Reader", Grants: map[string]any{"*:read": "all", "deal:read": "none", "deal:update": "own"}})
	must(t, err)
	w.user(t, w.admin, "ada@gamma.test", "reader")
	s := w.signIn(t, "ada@gamma.test", "")
	a, err := w.BySession(t.Context(), s.Token)
	must(t, err)
	if a.Grants.Scope("contact", auth.Read) != auth.All || a.Grants.Scope("deal", auth.Read) != auth.None || a.Grants.Scope("deal", auth.Update) != auth.Own {
		t.Errorf("%v", a.Grants)
	}
	must(t, patch(t, w.admin, w.Roles, r.ID, record.Patch{"grants": map[string]any{"contact:read": "own"}}))
	if a, err = w.BySession(t.Context(), s.Token); err != nil || a.Grants.Scope("contact", auth.Read) != auth.Own || a.Grants.Scope("deal", auth.Update) != auth.None {
		t.Errorf("after the change: %v, %v", a, err)
	}
}

func TestAddressesAreUniqueInATenantOnly(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	_, err := w.CreateUser(w.admin, identity.NewUser{Email: "ADA@gamma.test", Password: password, Role: identity.SalesRep})
	fieldCode(t, "the same address", err, "not_unique")
	_, err = w.CreateUser(w.admin, identity.NewUser{Email: "ada", Password: password, Role: identity.SalesRep})
	fieldCode(t, "no address", err, "not_an_email")
	_, delta := w.addTenant(t, "delta")
	w.user(t, delta, "ada@gamma.test", identity.SalesRep)
}

func TestOnlyWhoMayManageUsersDoes(t *testing.T) {
	t.Parallel()
	w := setup(t)
	u := w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	rep := auth.With(t.Context(), w.who(t, w.signIn(t, "ada@gamma.test", "").Token))
	_, err := w.CreateUser(rep, identity.NewUser{Email: "x@gamma.test", Password: password, Role: identity.TenantAdmin})
	code(t, "create", err, "forbidden")
	code(t, "own role", patch(t, rep, w.Users, u.ID, record.Patch{"name": "Boss"}), "forbidden")
	code(t, "password", w.SetPassword(rep, u.ID, "a better choice of words"), "forbidden")
	_, err = w.CreateAPIKey(rep, "mine", identity.TenantAdmin)
	code(t, "key", err, "forbidden")
	_, err = w.APIKeys(rep)
	code(t, "keys", err, "forbidden")
	code(t, "revoke", w.RevokeAPIKey(rep, uuid.New()), "forbidden")
}

func TestAManagerSeesTheTeamsBelow(t *testing.T) {
	t.Parallel()
	w := setup(t)
	north := w.team(t, "North", nil)
	oslo := w.team(t, "Oslo", &north)
	pier := w.team(t, "Pier", &oslo)
	south := w.team(t, "South", nil)
	join := func(email string, team *uuid.UUID, manager *uuid.UUID) uuid.UUID {
		u, err := w.CreateUser(w.admin, identity.NewUser{Email: email, Password: password, Role: identity.SalesManager, TeamID: team})
		must(t, err)
		if manager != nil {
			must(t, patch(t, w.admin, w.Users, u.ID, record.Patch{"manager_id": *manager}))
		}
		return u.ID
	}
	boss := join("boss@gamma.test", &north, nil)
	inOslo, onPier := join("oslo@gamma.test", &oslo, nil), join("pier@gamma.test", &pier, nil)
	apart, report := join("south@gamma.test", &south, nil), join("report@gamma.test", &south, &boss)
	alone := join("alone@gamma.test", nil, nil)
	tests := []struct {
		email string
		teams []uuid.UUID
		sees  []uuid.UUID
	}{
		{"boss@gamma.test", []uuid.UUID{north, oslo, pier}, []uuid.UUID{boss, inOslo, onPier, report}},
		{"oslo@gamma.test", []uuid.UUID{oslo, pier}, []uuid.UUID{inOslo, onPier}},
		{"pier@gamma.test", []uuid.UUID{pier}, []uuid.UUID{onPier}},
		{"south@gamma.test", []uuid.UUID{south}, []uuid.UUID{apart, report}},
		{"alone@gamma.test", nil, []uuid.UUID{alone}},
	}
	for _, tt := range tests {
		a := w.who(t, w.signIn(t, tt.email, "").Token)
		if got := sorted(a.TeamIDs); !slices.Equal(got, sorted(tt.teams)) {
			t.Errorf("%s is in %v, want %v", tt.email, got, sorted(tt.teams))
		}
		if got := sorted(a.TeamUsers); !slices.Equal(got, sorted(tt.sees)) {
			t.Errorf("%s sees %v, want %v", tt.email, got, sorted(tt.sees))
		}
	}
	_, err := w.Teams.Apply(w.admin, []record.Operation{{Kind: record.OpDelete, ID: oslo}}, true)
	must(t, err)
	if a := w.who(t, w.signIn(t, "boss@gamma.test", "").Token); slices.Contains(a.TeamUsers, inOslo) || slices.Contains(a.TeamUsers, onPier) {
		t.Error("a deleted team is still below")
	}
}

func TestTeamsInARingEndTheSearch(t *testing.T) {
	t.Parallel()
	w := setup(t)
	a := w.team(t, "A", nil)
	b := w.team(t, "B", &a)
	_, err := w.sql.Owner.Exec(t.Context(), `update teams set parent_id = $1 where id = $2`, b, a)
	must(t, err)
	_, err = w.CreateUser(w.admin, identity.NewUser{Email: "ada@gamma.test", Password: password, Role: identity.SalesRep, TeamID: &a})
	must(t, err)
	if got := w.who(t, w.signIn(t, "ada@gamma.test", "").Token); len(got.TeamIDs) != 2 {
		t.Errorf("%v", got.TeamIDs)
	}
}

func (w *world) team(t *testing.T, name string, parent *uuid.UUID) uuid.UUID {
	t.Helper()
	team, err := w.Teams.Create(w.admin, &identity.Team{Name: name, ParentID: parent})
	must(t, err)
	return team.ID
}

// sorted also drops doubles: TeamUsers is a set.
func sorted(ids []uuid.UUID) []uuid.UUID {
	out := slices.Clone(ids)
	slices.SortFunc(out, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(out)
}

func TestAnAPIKeyActsWithItsRoleUntilRevoked(t *testing.T) {
	t.Parallel()
	w := setup(t)
	k, err := w.CreateAPIKey(w.admin, "importer", identity.SalesRep)
	must(t, err)
	if !strings.HasPrefix(k.Token, identity.KeyPrefix) || !strings.HasPrefix(k.Token, k.Prefix) || len(k.Prefix) >= len(k.Token)/2 {
		t.Errorf("%+v", k)
	}
	a, err := w.ByAPIKey(t.Context(), k.Token)
	if err != nil || a == nil || a.Kind != auth.APIKey || a.ID != k.ID || a.TenantID != w.tenant.ID || a.Role != identity.SalesRep || a.Grants.Scope("deal", auth.Read) != auth.Own {
		t.Fatalf("%+v, %v", a, err)
	}
	list, err := w.APIKeys(w.admin)
	if err != nil || len(list) != 1 || list[0].Token != "" || list[0].Role != identity.SalesRep || list[0].LastUsedAt == nil {
		t.Errorf("%+v, %v", list, err)
	}
	must(t, w.RevokeAPIKey(w.admin, k.ID))
	for _, s := range []*identity.Service{w.Service, w.replica(t)} {
		if a, err := s.ByAPIKey(t.Context(), k.Token); a != nil || err != nil {
			t.Errorf("revoked, yet %+v, %v", a, err)
		}
	}
	_, err = w.Refresh(t.Context(), *a)
	code(t, "work asked for by it", err, "revoked")
	must(t, w.RevokeAPIKey(w.admin, k.ID)) // once more changes nothing
}

func TestUnknownExpiredAndForeignKeysAreNobody(t *testing.T) {
	t.Parallel()
	w := setup(t)
	k, err := w.CreateAPIKey(w.admin, "importer", "")
	must(t, err)
	_, err = w.sql.Owner.Exec(t.Context(), `update api_keys set expires_at = $1`, w.now().Add(time.Hour))
	must(t, err)
	asked, err := w.replica(t).ByAPIKey(t.Context(), k.Token)
	if err != nil || asked == nil {
		t.Fatalf("%v, %v", asked, err)
	}
	for _, token := range []string{"", "crm_unknown", k.Prefix, k.Token + "x", strings.ToUpper(k.Token)} {
		if a, err := w.ByAPIKey(t.Context(), token); a != nil || err != nil {
			t.Errorf("%q is %+v, %v", token, a, err)
		}
	}
	w.pass(2 * time.Hour)
	if a, err := w.replica(t).ByAPIKey(t.Context(), k.Token); a != nil || err != nil {
		t.Errorf("expired, yet %+v, %v", a, err)
	}
	if a, err := w.Refresh(t.Context(), *asked); err == nil {
		t.Errorf("expired, yet it is refreshed to %+v", a)
	}
	_, delta := w.addTenant(t, "delta")
	if err := w.RevokeAPIKey(delta, k.ID); errs.KindOf(err) != errs.NotFound {
		t.Errorf("revoked by another tenant: %v", err)
	}
}

func TestKeysNeedANameAndAKnownRole(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, err := w.CreateAPIKey(w.admin, "", identity.SalesRep)
	fieldCode(t, "no name", err, "required")
	_, err = w.CreateAPIKey(w.admin, "importer", "owner")
	fieldCode(t, "no such role", err, "unknown_role")
	if n := w.count(t, `select count(*) from api_keys`); n != 0 {
		t.Errorf("%d keys", n)
	}
}

func TestARoleIsKeptWhileSomebodyActsWithIt(t *testing.T) {
	t.Parallel()
	w := setup(t)
	r, err := w.Roles.Create(w.admin, &identity.Role{Key: "reader", Name: "Reader", Grants: map[string]any{"*:read": "all"}})
	must(t, err)
	drop := func() error {
		_, err := w.Roles.Apply(w.admin, []record.Operation{{Kind: record.OpDelete, ID: r.ID}}, true)
		return err
	}
	k, err := w.CreateAPIKey(w.admin, "importer", "reader")
	must(t, err)
	code(t, "the role of a key", drop(), "role_in_use")
	must(t, w.RevokeAPIKey(w.admin, k.ID))
	u := w.user(t, w.admin, "ada@gamma.test", "reader")
	code(t, "the role of a user", drop(), "role_in_use")
	_, err = w.Users.Apply(w.admin, []record.Operation{{Kind: record.OpDelete, ID: u.ID}}, true)
	must(t, err)
	must(t, drop())
}

func TestRefreshGivesTheRightsOfNow(t *testing.T) {
	t.Parallel()
	w := setup(t)
	u := w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	asked := *w.who(t, w.signIn(t, "ada@gamma.test", "").Token)
	manager, err := w.RoleByKey(w.admin, identity.SalesManager)
	must(t, err)
	must(t, patch(t, w.admin, w.Users, u.ID, record.Patch{"role_id": manager.ID}))
	now, err := w.Refresh(t.Context(), asked)
	if err != nil || now.Role != identity.SalesManager || now.Grants.Scope("deal", auth.Read) != auth.Team {
		t.Errorf("%+v, %v", now, err)
	}
	system := auth.SystemActor(w.tenant.ID)
	if same, err := w.Refresh(t.Context(), *system); err != nil || same.Kind != auth.System {
		t.Errorf("%+v, %v", same, err)
	}
}
