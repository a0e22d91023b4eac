package identity_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

// as is the context of somebody who has signed in.
func (w *world) as(t *testing.T, s *identity.Session) context.Context {
	t.Helper()
	a := w.who(t, s.Token)
	if a == nil {
		t.Fatal("the session is not open")
	}
	return auth.With(t.Context(), a)
}

func TestPeopleSeeAndEndTheirOwnSessions(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	w.user(t, w.admin, "bob@gamma.test", identity.SalesRep)
	const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"
	there, err := w.SignIn(t.Context(), "ada@gamma.test", password, "", identity.Visit{Address: "198.51.100.7", Agent: firefox})
	must(t, err)
	bob := w.signIn(t, "bob@gamma.test", "")
	w.pass(time.Minute)
	here, third := w.signIn(t, "ada@gamma.test", ""), w.signIn(t, "ada@gamma.test", "")
	ctx := w.as(t, here)
	list, err := w.Sessions(ctx)
	must(t, err)
	if len(list) != 3 || list[2].Device != "Firefox on Linux" || list[2].Address != "198.51.100.7" || list[2].Current || list[2].Method != "password" {
		t.Fatalf("%+v", list)
	}
	bobs, err := w.Sessions(w.as(t, bob))
	must(t, err)
	code(t, "somebody else's", w.EndSession(ctx, bobs[0].ID), "not_found")
	code(t, "one that is not", w.EndSession(ctx, uuid.New()), "not_found")
	must(t, w.EndSession(ctx, list[2].ID))
	if w.who(t, there.Token) != nil {
		t.Error("the ended session is open")
	}
	n, err := w.EndOtherSessions(ctx)
	if err != nil || n != 1 || w.who(t, third.Token) != nil || w.who(t, here.Token) == nil || w.who(t, bob.Token) == nil {
		t.Errorf("ended %d others, %v", n, err)
	}
	if n := w.count(t, `select count(*) from journal where action = 'session_ended'`); n != 2 {
		t.Errorf("%d rows of the journal", n)
	}
	code(t, "for others", second(w.EndSessionsOf(ctx, list[0].ID)), "forbidden")
}

func second[A any](_ A, err error) error { return err }

func TestATenantSetsHowLongSessionsLast(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	old := w.signIn(t, "ada@gamma.test", "")
	set := identity.SignInSettings{IdleMinutes: 10, AbsoluteMinutes: 60, MFA: identity.MFAOptional}
	for field, bad := range map[string]identity.SignInSettings{
		"out_of_range": {IdleMinutes: 4, AbsoluteMinutes: 60, MFA: identity.MFAOptional}, "unknown_choice": {IdleMinutes: 10, AbsoluteMinutes: 60, MFA: "never"},
		"unknown_role": {IdleMinutes: 10, AbsoluteMinutes: 60, MFA: identity.MFARoles, MFARoles: []uuid.UUID{uuid.New()}},
	} {
		fieldCode(t, field, w.SetSignInSettings(w.admin, bad), field)
	}
	code(t, "by a rep", w.SetSignInSettings(w.as(t, old), set), "forbidden")
	must(t, w.SetSignInSettings(w.admin, set))
	for range 5 {
		w.pass(9 * time.Minute)
		if w.who(t, old.Token) == nil {
			t.Fatal("in use, yet ended")
		}
	}
	idle := w.signIn(t, "ada@gamma.test", "")
	if got := idle.ExpiresAt.Sub(w.now()).Round(time.Minute); got != time.Hour {
		t.Errorf("a new session lasts %v", got)
	}
	w.pass(11 * time.Minute)
	if w.who(t, idle.Token) != nil || w.who(t, old.Token) != nil {
		t.Error("open after eleven minutes without use")
	}
}

func TestAChangedRoleEndsTheSessions(t *testing.T) {
	t.Parallel()
	w := setup(t)
	u := w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	s := w.signIn(t, "ada@gamma.test", "")
	manager, err := w.RoleByKey(w.admin, identity.SalesManager)
	must(t, err)
	must(t, patch(t, w.admin, w.Users, u.ID, record.Patch{"name": "Ada"}))
	if w.who(t, s.Token) == nil {
		t.Fatal("another name ended the session")
	}
	must(t, patch(t, w.admin, w.Users, u.ID, record.Patch{"role_id": manager.ID}))
	if a, err := w.BySession(t.Context(), s.Token); a != nil || err != nil {
		t.Errorf("still in: %v %v", a, err)
	}
}

func TestChangingThePasswordAsksForTheOldOne(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	here, there := w.signIn(t, "ada@gamma.test", ""), w.signIn(t, "ada@gamma.test", "")
	ctx := w.as(t, here)
	fieldCode(t, "wrong", second(w.ChangePassword(ctx, wrong, "a better choice of words", visit)), "wrong")
	fieldCode(t, "too short", second(w.ChangePassword(ctx, password, "short", visit)), "bad_length")
	s, err := w.ChangePassword(ctx, password, "a better choice of words", visit)
	must(t, err)
	if w.who(t, here.Token) != nil || w.who(t, there.Token) != nil || w.who(t, s.Token) == nil {
		t.Error("the old sessions must end and the new one be open")
	}
	ctx = w.as(t, s)
	for range 5 {
		fieldCode(t, "guessing", second(w.ChangePassword(ctx, wrong, "yet another choice", visit)), "wrong")
	}
	if _, err = w.ChangePassword(ctx, "a better choice of words", "yet another choice", visit); errs.KindOf(err) != errs.Limited {
		t.Errorf("guessing at an open screen: %v", err)
	}
	code(t, "a program", second(w.ChangePassword(w.admin, password, password, visit)), "no_account")
}

func TestWorkOfASuspendedTenantIsRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	u := w.user(t, w.admin, "ada@gamma.test", identity.TenantAdmin)
	key, err := w.CreateAPIKey(w.admin, "import", identity.TenantAdmin)
	must(t, err)
	must(t, w.SetTenantState(w.admin, "suspended"))
	if a, err := w.ByAPIKey(t.Context(), key.Token); a != nil || err != nil {
		t.Errorf("its key works: %v %v", a, err)
	}
	_, err = w.Refresh(t.Context(), auth.Actor{Kind: auth.User, TenantID: w.tenant.ID, ID: u.ID})
	code(t, "a person's work", err, "left")
	_, err = w.Refresh(t.Context(), auth.Actor{Kind: auth.APIKey, TenantID: w.tenant.ID, ID: key.ID})
	code(t, "a key's work", err, "revoked")
}

func TestPasswordsCanBeSwitchedOffButForAdmins(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	w.user(t, w.admin, "root@gamma.test", identity.TenantAdmin)
	must(t, w.SetSignInSettings(w.admin, identity.SignInSettings{IdleMinutes: 60, AbsoluteMinutes: 600, MFA: identity.MFAOptional, PasswordsOff: true}))
	_, err := w.SignIn(t.Context(), "ada@gamma.test", password, "", visit)
	code(t, "the right password", err, "passwords_off")
	if e := w.refuse(t, "ada@gamma.test", wrong); e.Code != "sign_in_failed" {
		t.Errorf("a wrong password tells more: %v", e)
	}
	w.signIn(t, "root@gamma.test", "")
}
