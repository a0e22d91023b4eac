package identity_test

import (
	"testing"

	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/record"
)

// TestNobodyHandsOutMoreThanTheyHave: not by making users, roles or keys, not by
// changing them, and not by taking over somebody who has more.
func TestNobodyHandsOutMoreThanTheyHave(t *testing.T) {
	t.Parallel()
	w := setup(t)
	boss := w.user(t, w.admin, "boss@gamma.test", identity.TenantAdmin)
	peer := w.user(t, w.admin, "rep@gamma.test", identity.SalesRep)
	me := w.user(t, w.admin, "ops@gamma.test", identity.SystemAdmin)
	ops := w.as(t, w.signIn(t, "ops@gamma.test", ""))
	admin, err := w.RoleByKey(w.admin, identity.TenantAdmin)
	must(t, err)
	system, err := w.RoleByKey(w.admin, identity.SystemAdmin)
	must(t, err)
	create := func(role string) error {
		return second(w.CreateUser(ops, identity.NewUser{Email: role + "@new.test", Password: password, Role: role}))
	}
	for what, err := range map[string]error{
		"a new admin": create(identity.TenantAdmin), "a new rep, who sees records": create(identity.SalesRep),
		"oneself": patch(t, ops, w.Users, me.ID, record.Patch{"role_id": admin.ID}), "a colleague": patch(t, ops, w.Users, peer.ID, record.Patch{"role_id": admin.ID}),
		"the address of an admin":    patch(t, ops, w.Users, boss.ID, record.Patch{"email": "ops+boss@gamma.test"}),
		"the state of an admin":      patch(t, ops, w.Users, boss.ID, record.Patch{"state": "disabled"}),
		"the role of an admin":       patch(t, ops, w.Users, boss.ID, record.Patch{"role_id": system.ID}),
		"the password of an admin":   w.SetPassword(ops, boss.ID, "a better choice of words"),
		"letting an admin in":        w.LetIn(ops, boss.ID),
		"ending an admin's sessions": second(w.EndSessionsOf(ops, boss.ID)),
	} {
		code(t, what, err, "more_rights")
	}
	must(t, create(identity.SystemAdmin))
	must(t, patch(t, ops, w.Users, me.ID, record.Patch{"name": "Ops"}))
	w.signIn(t, "boss@gamma.test", "")
	tenantAdmin := w.as(t, w.signIn(t, "boss@gamma.test", ""))
	for _, role := range []string{identity.TenantAdmin, identity.SystemAdmin, identity.SalesRep, identity.SalesManager} {
		must(t, second(w.CreateUser(tenantAdmin, identity.NewUser{Email: role + "@more.test", Password: password, Role: role})))
	}
}

func TestRolesAndKeysStayWithinTheirMakersRights(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, err := w.Roles.Create(w.admin, &identity.Role{Key: "keeper", Name: "Keeper", Grants: map[string]any{
		"role:create": "all", "role:read": "all", "role:update": "all", "api_key:create": "all", "*:read": "team", "deal:read": "all", "secret:read": "none", "deal:export": "own",
	}})
	must(t, err)
	w.user(t, w.admin, "keep@gamma.test", "keeper")
	keeper := w.as(t, w.signIn(t, "keep@gamma.test", ""))
	for _, grants := range []map[string]any{
		{"*:read": "all"}, {"contact:read": "all"}, {"deal:update": "own"}, {"secret:read": "own"}, {"*:read": "team"}, {"role:delete": "own"}, {"deal:read": "all"},
	} {
		_, err := w.Roles.Create(keeper, &identity.Role{Key: "more", Name: "More", Grants: grants})
		code(t, "grants beyond", err, "more_rights")
	}
	r, err := w.Roles.Create(keeper, &identity.Role{Key: "less", Name: "Less", Grants: map[string]any{"contact:read": "own", "deal:read": "own", "role:read": "all"}})
	must(t, err)
	code(t, "widening it", patch(t, keeper, w.Roles, r.ID, record.Patch{"grants": map[string]any{"contact:delete": "own"}}), "more_rights")
	must(t, second(w.CreateAPIKey(keeper, "small", "less")))
	code(t, "a key of an admin", second(w.CreateAPIKey(keeper, "big", identity.TenantAdmin)), "more_rights")
	a := auth.From(keeper)
	if a.Grants.Scope("contact", auth.Read) != auth.Team {
		t.Errorf("%v", a.Grants)
	}
}

func TestPlacesNobodyKnowsAreRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	u := w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	for _, zone := range []string{"Mars/Phobos", "Local", "../etc/passwd", "UTC'; drop table users"} {
		fieldCode(t, zone, patch(t, w.admin, w.Users, u.ID, record.Patch{"time_zone": zone}), "bad_time_zone")
	}
	for _, tag := range []string{"english please", "x", "de_", "1"} {
		fieldCode(t, tag, patch(t, w.admin, w.Users, u.ID, record.Patch{"language": tag}), "bad_language")
	}
	must(t, patch(t, w.admin, w.Users, u.ID, record.Patch{"time_zone": "Asia/Kathmandu", "language": "de-CH"}))
}

// TestAFieldWithheldFromOneCannotBeHandedOut: a role that says nothing of a field has
// it as the record.
func TestAFieldWithheldFromOneCannotBeHandedOut(t *testing.T) {
	t.Parallel()
	all, none := auth.All, auth.None
	mine := auth.Grants{"contact:read": all, "contact:update": all, "contact.salary:read": none, "contact.email:update": none}
	for _, tt := range []struct {
		what string
		want auth.Grants
		more bool
	}{
		{"the same", mine, false},
		{"less", auth.Grants{"contact:read": auth.Own, "contact.salary:read": none}, false},
		{"the hidden field", auth.Grants{"contact:read": auth.Own}, true},
		{"the hidden field, said", auth.Grants{"contact:read": all, "contact.salary:read": all}, true},
		{"the locked field", auth.Grants{"contact:update": all, "contact.salary:read": none}, true},
		{"another object", auth.Grants{"deal:read": auth.Own}, true},
	} {
		if got := identity.Exceeds(mine, tt.want); got != tt.more {
			t.Errorf("%s exceeds: %t", tt.what, got)
		}
	}
	if identity.Exceeds(auth.Grants{"contact:read": all, "contact:update": all}, mine) {
		t.Error("a limit is no right")
	}
}
