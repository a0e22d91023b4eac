package identity_test

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
	"crm/internal/record"
)

func TestTheRightPasswordOpensASession(t *testing.T) {
	t.Parallel()
	w := setup(t)
	u := w.user(t, w.admin, "ada@gamma.test", identity.TenantAdmin)
	s := w.signIn(t, "Ada@Gamma.test", "")
	a := w.who(t, s.Token)
	if a == nil || a.ID != u.ID || a.TenantID != w.tenant.ID || a.Kind != auth.User || a.Role != identity.TenantAdmin || a.SessionID == "" {
		t.Fatalf("the actor is %+v", a)
	}
	if s.Slug != "gamma" || a.TimeZone != "Europe/Berlin" || a.Currency != "EUR" || a.Grants.Scope("deal", auth.Delete) != auth.All {
		t.Errorf("session %+v, actor %+v", s, a)
	}
	stored := w.count(t, `select count(*) from sessions where position($1::bytea in token_hash) > 0`, []byte(s.Token))
	if stored != 0 {
		t.Error("the token itself is stored")
	}
}

func TestEveryFailedSignInLooksTheSame(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	off := w.user(t, w.admin, "off@gamma.test", identity.SalesRep)
	must(t, patch(t, w.admin, w.Users, off.ID, record.Patch{"state": "disabled"}))
	answers := []*errs.Error{
		w.refuse(t, "ada@gamma.test", wrong),
		w.refuse(t, "nobody@gamma.test", wrong),
		w.refuse(t, "off@gamma.test", password),
		w.refuse(t, "off@gamma.test", wrong),
		w.refuse(t, "", ""),
		w.refuse(t, "ada@gamma.test\x00", wrong),
	}
	_, err := w.SignIn(t.Context(), "ada@gamma.test", password, "elsewhere", visit)
	for i, e := range append(answers, errs.As(err)) {
		if !reflect.DeepEqual(e, answers[0]) || e.Kind != errs.Unauthenticated {
			t.Errorf("answer %d is %+v, want %+v", i, e, answers[0])
		}
	}
}

// Not parallel: it measures what hashing costs by the memory the process takes,
// one work area of 19 MiB each, which no clock disturbs but another hash would.
func TestSigningInCostsTheSameForKnownAndUnknown(t *testing.T) { //nolint:paralleltest // see above
	w := setup(t)
	w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	off := w.user(t, w.admin, "off@gamma.test", identity.SalesRep)
	must(t, patch(t, w.admin, w.Users, off.ID, record.Patch{"state": "disabled"}))
	const area = 19 << 20
	for _, email := range []string{"ada@gamma.test", "nobody@gamma.test", "off@gamma.test"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		w.refuse(t, email, wrong)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took < area || took > area*3/2 {
			t.Errorf("%s: %d bytes, want one hash of %d", email, took, area)
		}
	}
}

func TestFailuresMakeWaitLongerAndLonger(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.stop()
	u := w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	waits := func(email string) (out []time.Duration) {
		for range 5 {
			if e := w.refuse(t, email, wrong); e.Kind != errs.Unauthenticated {
				t.Fatalf("a free try: %v", e)
			}
		}
		for range 7 {
			e := w.refuse(t, email, password)
			if e.Kind != errs.Limited {
				t.Fatalf("no wait although the right password is tried too: %v", e)
			}
			out = append(out, e.RetryAfter.Round(time.Second))
			w.pass(e.RetryAfter + time.Second)
			if e := w.refuse(t, email, wrong); e.Kind != errs.Unauthenticated {
				t.Fatalf("after waiting: %v", e)
			}
		}
		return out
	}
	known := waits("ada@gamma.test")
	if want := []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute}; !slices.Equal(known, want) {
		t.Errorf("the waits are %v", known)
	}
	if unknown := waits("nobody@gamma.test"); !slices.Equal(unknown, known) {
		t.Errorf("the waits for an unknown address are %v", unknown)
	}
	if n := w.count(t, `select count(*) from journal where record_id = $1 and action = 'sign_in_blocked'`, u.ID); n != 8 {
		t.Errorf("%d rows of the journal tell of it", n)
	}
	w.pass(25 * time.Hour)
	if e := w.refuse(t, "ada@gamma.test", wrong); e.Kind != errs.Unauthenticated {
		t.Fatal(e)
	}
	w.signIn(t, "ada@gamma.test", "")
	if n := w.count(t, `select count(*) from sign_in_tries`); n != 1 {
		t.Errorf("%d counts are kept, not only the one of the unknown address", n)
	}
}

func TestStrangersDoNotLockTheOwnerOut(t *testing.T) {
	t.Parallel()
	w := setup(t)
	u := w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	home := visit
	home.Device = w.signIn(t, "ada@gamma.test", "").Device
	for range 6 {
		w.refuse(t, "ada@gamma.test", wrong)
	}
	for _, v := range []identity.Visit{visit, {Device: home.Device + "x"}, {Device: "a.b.c"}} {
		if _, err := w.SignIn(t.Context(), "ada@gamma.test", password, "", v); errs.KindOf(err) != errs.Limited {
			t.Errorf("%+v need not wait: %v", v, err)
		}
	}
	s, err := w.SignIn(t.Context(), "ada@gamma.test", password, "", home)
	if err != nil || s.Device != home.Device {
		t.Fatalf("the owner, on a device of hers: %v", err)
	}
	w.user(t, w.admin, "bob@gamma.test", identity.SalesRep)
	for range 5 {
		_, _ = w.SignIn(t.Context(), "bob@gamma.test", wrong, "", home)
	}
	if _, err := w.SignIn(t.Context(), "bob@gamma.test", password, "", home); errs.KindOf(err) != errs.Limited {
		t.Errorf("her device counts for others too: %v", err)
	}
	st, err := w.Standing(w.admin, u.ID)
	must(t, err)
	if st.FailedTries != 5 || st.WaitingUntil == nil || !st.HasPassword || st.Sessions != 2 {
		t.Errorf("an admin sees %+v", st)
	}
	must(t, w.LetIn(w.admin, u.ID))
	w.signIn(t, "ada@gamma.test", "")
}

func TestManyGuessesAtOnceAreManyGuesses(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	var tried atomic.Int64
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := w.SignIn(t.Context(), "ada@gamma.test", wrong, "", visit); errs.KindOf(err) == errs.Unauthenticated {
				tried.Add(1)
			}
		})
	}
	all.Wait()
	if tried.Load() != 5 {
		t.Errorf("%d of 20 guesses were compared", tried.Load())
	}
}

func TestSprayingFromOneAddressIsBounded(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	try := func(email, address string) error {
		_, err := w.SignIn(t.Context(), email, password, "", identity.Visit{Address: address})
		return err
	}
	w.stop()
	for i := range 40 {
		if err := try(fmt.Sprintf("no%d@gamma.test", i), fmt.Sprintf("2001:db8::%x", i+1)); errs.KindOf(err) != errs.Unauthenticated {
			t.Fatal(i, err)
		}
	}
	if err := try("ada@gamma.test", "2001:db8::ffff"); errs.KindOf(err) != errs.Limited {
		t.Errorf("the same customer's next address: %v", err)
	}
	must(t, try("ada@gamma.test", "2001:db8:0:1::1"))
}

func TestEverySignInHashesOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	off := w.user(t, w.admin, "off@gamma.test", identity.SalesRep)
	must(t, patch(t, w.admin, w.Users, off.ID, record.Patch{"state": "disabled"}))
	hashes := identity.CountHashes(w.Service)
	for _, email := range []string{"ada@gamma.test", "nobody@gamma.test", "off@gamma.test", "", "ada@gamma.test\x00"} {
		before := hashes.Load()
		w.refuse(t, email, wrong)
		if n := hashes.Load() - before; n != 1 {
			t.Errorf("%q: %d hashes", email, n)
		}
	}
}

func TestASuccessStartsTheCountAnew(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	for range 2 {
		for range 4 {
			w.refuse(t, "ada@gamma.test", wrong)
		}
		w.signIn(t, "ada@gamma.test", "")
	}
}

func TestANewPasswordUnlocksAndEndsTheSessions(t *testing.T) {
	t.Parallel()
	w := setup(t)
	u := w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	before := w.signIn(t, "ada@gamma.test", "")
	for range 6 {
		w.refuse(t, "ada@gamma.test", wrong)
	}
	must(t, w.SetPassword(w.admin, u.ID, "a better choice of words"))
	if a := w.who(t, before.Token); a != nil {
		t.Errorf("the old session is still %s", a.Name)
	}
	w.refuse(t, "ada@gamma.test", password)
	if _, err := w.SignIn(t.Context(), "ada@gamma.test", "a better choice of words", "", visit); err != nil {
		t.Errorf("the new password: %v", err)
	}
}

func TestOnePersonInTwoTenantsIsNotLockedOutByTheOther(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, delta := w.addTenant(t, "delta")
	w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	if _, err := w.CreateUser(delta, identity.NewUser{Email: "ada@gamma.test", Password: "another set of words", Role: identity.SalesRep}); err != nil {
		t.Fatal(err)
	}
	for i := range 12 { // the right password of delta is a wrong one for gamma
		s, err := w.SignIn(t.Context(), "ada@gamma.test", "another set of words", "", visit)
		if err != nil || s.Slug != "delta" {
			t.Fatalf("sign-in %d: %+v, %v", i+1, s, err)
		}
	}
	if s := w.signIn(t, "ada@gamma.test", ""); s.Slug != "gamma" {
		t.Errorf("signed in to %s", s.Slug)
	}
	if s, err := w.SignIn(t.Context(), "ada@gamma.test", password, "delta", visit); err == nil {
		t.Errorf("the password of gamma opened %s", s.Slug)
	}
}

func TestTheNamedTenantIsFoundAmongMany(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	for _, slug := range []string{"t1", "t2", "t3", "t4", "t5", "t6"} {
		_, ctx := w.addTenant(t, slug)
		w.user(t, ctx, "ada@gamma.test", identity.SalesRep)
	}
	if s := w.signIn(t, "ada@gamma.test", "t6"); s.Slug != "t6" {
		t.Errorf("signed in to %s", s.Slug)
	}
}

func TestADisabledOrDeletedUserIsOutAtOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for email, op := range map[string]record.Operation{
		"off@gamma.test":  {Kind: record.OpUpdate, Patch: record.Patch{"state": "disabled"}},
		"gone@gamma.test": {Kind: record.OpDelete},
	} {
		u := w.user(t, w.admin, email, identity.SalesRep)
		s := w.signIn(t, email, "")
		if a, err := w.BySession(t.Context(), s.Token); err != nil || a == nil {
			t.Fatalf("%v, %v", a, err) // remembered by this process now
		}
		op.ID = u.ID
		_, err := w.Users.Apply(w.admin, []record.Operation{op}, true)
		must(t, err)
		if a, err := w.BySession(t.Context(), s.Token); a != nil || err != nil {
			t.Errorf("%s is still in: %v, %v", email, a, err)
		}
		if n := w.count(t, `select count(*) from sessions where user_id = $1`, u.ID); n != 0 {
			t.Errorf("%s keeps %d sessions", email, n)
		}
		w.refuse(t, email, password)
		_, err = w.Refresh(t.Context(), auth.Actor{Kind: auth.User, TenantID: w.tenant.ID, ID: u.ID})
		code(t, "work asked for by "+email, err, "left")
	}
}

func TestNobodyDisablesTheirOwnAccount(t *testing.T) {
	t.Parallel()
	w := setup(t)
	u := w.user(t, w.admin, "ada@gamma.test", identity.TenantAdmin)
	ctx := auth.With(t.Context(), w.who(t, w.signIn(t, "ada@gamma.test", "").Token))
	code(t, "disable", patch(t, ctx, w.Users, u.ID, record.Patch{"state": "disabled"}), "own_account")
	_, err := w.Users.Apply(ctx, []record.Operation{{Kind: record.OpDelete, ID: u.ID}}, true)
	code(t, "delete", err, "own_account")
	must(t, patch(t, ctx, w.Users, u.ID, record.Patch{"name": "Ada"}))
}

func TestASessionEndsWhenIdleOrOld(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	w := setup(t)
	w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	idle := w.signIn(t, "ada@gamma.test", "")
	busy := w.signIn(t, "ada@gamma.test", "")
	for i := range 4 { // seen every 13 days, 52 in all
		w.pass(13 * day)
		if w.who(t, busy.Token) == nil {
			t.Fatalf("in use, yet ended after %d days", 13*(i+1))
		}
	}
	if w.who(t, idle.Token) != nil {
		t.Error("a session nobody used is open after 52 days")
	}
	w.pass(7 * day)
	if w.who(t, busy.Token) == nil {
		t.Error("ended before 60 days")
	}
	w.pass(2 * day)
	if w.who(t, busy.Token) != nil {
		t.Error("open after 61 days")
	}
}

func TestSigningOutEndsThisSessionOnly(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	here, there := w.signIn(t, "ada@gamma.test", ""), w.signIn(t, "ada@gamma.test", "")
	a, err := w.BySession(t.Context(), here.Token)
	must(t, err)
	must(t, w.SignOut(auth.With(t.Context(), a)))
	if a, err := w.BySession(t.Context(), here.Token); a != nil || err != nil {
		t.Errorf("still in: %v, %v", a, err)
	}
	if w.who(t, there.Token) == nil {
		t.Error("the other browser was signed out too")
	}
	if w.who(t, "no such token") != nil || w.who(t, "") != nil {
		t.Error("an unknown token is somebody")
	}
	code(t, "sign out of nobody", w.SignOut(t.Context()), "unauthenticated")
}

func TestASuspendedTenantLetsNobodyIn(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.user(t, w.admin, "ada@gamma.test", identity.TenantAdmin)
	s := w.signIn(t, "ada@gamma.test", "")
	must(t, w.SetTenantState(w.admin, "suspended"))
	if w.who(t, s.Token) != nil {
		t.Error("the session is still open")
	}
	w.refuse(t, "ada@gamma.test", password)
	must(t, w.SetTenantState(w.admin, "active"))
	if w.who(t, s.Token) == nil {
		t.Error("the session is lost although the tenant is back")
	}
}

func TestPasswordsAreLongEnoughAndNotCommon(t *testing.T) {
	t.Parallel()
	w := setup(t)
	u := w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	refused := map[string]string{
		"": "bad_length", "elevenchars": "bad_length", "éééééééääää": "bad_length", strings.Repeat("x y", 86): "bad_length", "nul \x00 is no letter": "bad_text", "\xff is no letter": "bad_text",
		"password12345": "too_common", " PassWord1234 ": "too_common", "qwertyuiopas": "too_common", "123456789012": "too_common", "P@55w0rd!!!!": "too_common",
		"aaaaaaaaaaaa": "too_common", "abcabcabcabc": "too_common", "monkeymonkey": "too_common", "1qaz2wsx3edc": "too_common", "098765432109": "too_common", "dragondragondragon": "too_common",
	}
	for p, want := range refused {
		_, err := w.CreateUser(w.admin, identity.NewUser{Email: "new@gamma.test", Password: p, Role: identity.SalesRep})
		fieldCode(t, "create with "+p, err, want)
		fieldCode(t, "reset to "+p, w.SetPassword(w.admin, u.ID, p), want)
	}
	fieldCode(t, "one's own address", w.SetPassword(w.admin, u.ID, "Ada@Gamma.test1"), "too_close")
	for _, p := range []string{"twelve chars", "éééééééééäää", "   spaces are fine   ", strings.Repeat("é", 255) + "z", "correct horse battery staple"} {
		must(t, w.SetPassword(w.admin, u.ID, p))
		if _, err := w.SignIn(t.Context(), "ada@gamma.test", p, "", visit); err != nil {
			t.Errorf("%q: %v", p, err)
		}
	}
	must(t, w.SetPassword(w.admin, u.ID, "une forêt très claire"))
	if _, err := w.SignIn(t.Context(), "ada@gamma.test", "une fore\u0302t tre\u0300s claire", "", visit); err != nil {
		t.Errorf("the same letters from another keyboard: %v", err)
	}
	w.refuse(t, "ada@gamma.test", "une foret tres claire")
}

func TestALongUserAgentInAnyLettersIsNoObstacle(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	for _, agent := range []string{strings.Repeat("x", 299) + "é", "bad \xff byte", "nul \x00"} {
		if _, err := w.SignIn(t.Context(), "ada@gamma.test", password, "", identity.Visit{Address: "192.0.2.1", Agent: agent}); err != nil {
			t.Errorf("%q: %v", agent, err)
		}
	}
}
