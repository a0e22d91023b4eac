package identity_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"crm/internal/identity"
	"crm/internal/platform/auth"
	"crm/internal/platform/errs"
)

func TestCodesAreThoseOfTheStandard(t *testing.T) {
	t.Parallel()
	const seed = "12345678901234567890"
	for step, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} { // RFC 4226, appendix D
		if got := identity.CodeOfStep(seed, int64(step)); got != want {
			t.Errorf("step %d: %s, want %s", step, got, want)
		}
	}
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 2000000000: "279037"} { // RFC 6238, appendix B, six digits
		if got := identity.CodeOfStep(seed, at/30); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
}

// app sets an authenticator app up and returns its secret, the codes and the session.
func (w *world) app(t *testing.T, ctx context.Context) (string, []string, *identity.Session) {
	t.Helper()
	e, err := w.StartTOTP(ctx, password)
	must(t, err)
	codes, s, err := w.FinishTOTP(ctx, identity.CodeAt(e.Secret, w.now()), visit)
	must(t, err)
	w.pass(time.Minute) // the step of the first code is used up
	return e.Secret, codes, s
}

func TestASecondFactorIsAskedForAtTheDoor(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.stop()
	u := w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	before := w.signIn(t, "ada@gamma.test", "")
	fieldCode(t, "an open screen is not enough", second(w.StartTOTP(w.as(t, before), wrong)), "wrong")
	w.stopped.Store(nil)
	secret, codes, in := w.app(t, w.as(t, before))
	if w.who(t, before.Token) != nil || w.who(t, in.Token) == nil || len(codes) != 10 {
		t.Fatalf("the old session must end, the new one be open, and codes be given: %d", len(codes))
	}
	if again, err := w.PendingTOTP(w.as(t, in)); again != nil || err != nil {
		t.Errorf("the seed is told again: %v %v", again, err)
	}
	if n := w.count(t, `select count(*) from totp_secrets where position(convert_to($1, 'utf8') in sealed) > 0`, secret); n != 0 {
		t.Error("the seed lies open")
	}
	w.stop()
	step := w.signIn(t, "ada@gamma.test", "")
	if step.Step != identity.StepCode || w.who(t, step.Token) != nil {
		t.Fatalf("the password alone opened %+v", step)
	}
	fieldCode(t, "a wrong code", second(w.PassCode(t.Context(), step.Token, "00000x", visit)), "wrong_code")
	code := identity.CodeAt(secret, w.now())
	open, err := w.PassCode(t.Context(), step.Token, code[:3]+" "+code[3:], visit)
	must(t, err)
	if open.Token == step.Token || w.who(t, open.Token) == nil {
		t.Error("the session has the token of the step, or is none")
	}
	code2 := func(err error) string { return errs.As(err).Code }
	if _, err := w.PassCode(t.Context(), step.Token, code, visit); code2(err) != "step_expired" {
		t.Errorf("the step again: %v", err)
	}
	next := w.signIn(t, "ada@gamma.test", "")
	fieldCode(t, "the same code again", second(w.PassCode(t.Context(), next.Token, code, visit)), "wrong_code")
	fieldCode(t, "an earlier one", second(w.PassCode(t.Context(), next.Token, identity.CodeAt(secret, w.now().Add(-30*time.Second)), visit)), "wrong_code")
	must(t, second(w.PassCode(t.Context(), next.Token, identity.CodeAt(secret, w.now().Add(30*time.Second)), visit)))
	for _, want := range []string{"", "wrong_code"} {
		s := w.signIn(t, "ada@gamma.test", "")
		_, err := w.PassCode(t.Context(), s.Token, strings.ToUpper(codes[3]), visit)
		if want == "" {
			must(t, err)
		} else {
			fieldCode(t, "a recovery code used before", err, want)
		}
	}
	f, err := w.Factors(w.as(t, open))
	if err != nil || !f.App || f.RecoveryLeft != 9 {
		t.Errorf("%+v %v", f, err)
	}
	if n := w.count(t, `select count(*) from journal where record_id = $1 and action in ('mfa_enabled', 'recovery_code_used', 'code_failed')`, u.ID); n != 6 {
		t.Errorf("%d rows tell of it", n)
	}
}

func TestCodesAreNotGuessed(t *testing.T) {
	t.Parallel()
	w := setup(t)
	u := w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	secret, _, _ := w.app(t, w.as(t, w.signIn(t, "ada@gamma.test", "")))
	w.stop()
	for range 5 { // a new step each time does not begin the count anew
		s := w.signIn(t, "ada@gamma.test", "")
		fieldCode(t, "a guess", second(w.PassCode(t.Context(), s.Token, "11111-11111", visit)), "wrong_code")
		must(t, w.LetInByPassword(t.Context(), "ada@gamma.test"))
	}
	s := w.signIn(t, "ada@gamma.test", "")
	if _, err := w.PassCode(t.Context(), s.Token, identity.CodeAt(secret, w.now()), visit); errs.KindOf(err) != errs.Limited {
		t.Errorf("after five guesses: %v", err)
	}
	must(t, w.LetIn(w.admin, u.ID))
	must(t, second(w.PassCode(t.Context(), s.Token, identity.CodeAt(secret, w.now()), visit)))
}

func TestASecondFactorCanBeRequired(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	w.user(t, w.admin, "root@gamma.test", identity.TenantAdmin)
	admin, err := w.RoleByKey(w.admin, identity.TenantAdmin)
	must(t, err)
	set := identity.SignInSettings{IdleMinutes: 600, AbsoluteMinutes: 600, MFA: identity.MFARoles}
	set.MFARoles = append(set.MFARoles, admin.ID)
	must(t, w.SetSignInSettings(w.admin, set))
	if s := w.signIn(t, "ada@gamma.test", ""); s.Step != "" {
		t.Errorf("a rep is asked for %s", s.Step)
	}
	s := w.signIn(t, "root@gamma.test", "")
	if s.Step != identity.StepEnrol || w.who(t, s.Token) != nil {
		t.Fatalf("an admin came in without: %+v", s)
	}
	code(t, "the door of the others", second(w.PassCode(t.Context(), s.Token, "123456", visit)), "step_expired")
	e, err := w.EnrolAtDoor(t.Context(), s.Token)
	must(t, err)
	again, err := w.EnrolAtDoor(t.Context(), s.Token)
	if err != nil || again.Secret != e.Secret {
		t.Errorf("loading the page again makes another seed: %v", err)
	}
	_, _, err = w.ConfirmAtDoor(t.Context(), s.Token, "00000x", visit)
	fieldCode(t, "a wrong code", err, "wrong_code")
	codes, in, err := w.ConfirmAtDoor(t.Context(), s.Token, identity.CodeAt(e.Secret, w.now()), visit)
	if err != nil || len(codes) != 10 || w.who(t, in.Token) == nil {
		t.Fatalf("%d codes, %v", len(codes), err)
	}
	ctx := w.as(t, in)
	w.pass(time.Minute)
	fieldCode(t, "taking it away", w.RemoveTOTP(ctx, identity.CodeAt(e.Secret, w.now())), "required")
	w.pass(time.Minute)
	must(t, second(w.NewRecoveryCodes(ctx, identity.CodeAt(e.Secret, w.now()))))
	key, err := w.CreateAPIKey(w.admin, "import", identity.TenantAdmin)
	must(t, err)
	if a, err := w.ByAPIKey(t.Context(), key.Token); a == nil || err != nil {
		t.Errorf("programs are asked for a code: %v %v", a, err)
	}
	must(t, w.ResetMFA(w.admin, auth.From(ctx).ID))
	if w.who(t, in.Token) != nil {
		t.Error("still in after the reset")
	}
	if s := w.signIn(t, "root@gamma.test", ""); s.Step != identity.StepEnrol {
		t.Errorf("after the reset: %+v", s)
	}
}

func TestAResetLinkKeepsTheSecondFactor(t *testing.T) {
	t.Parallel()
	w := setup(t)
	u := w.user(t, w.admin, "ada@gamma.test", identity.SalesRep)
	w.app(t, w.as(t, w.signIn(t, "ada@gamma.test", "")))
	link, err := w.ResetLink(w.admin, u.ID)
	must(t, err)
	must(t, w.ResetPassword(t.Context(), token(link), password+" again"))
	s, err := w.SignIn(t.Context(), "ada@gamma.test", password+" again", "", visit)
	if err != nil || s.Step != identity.StepCode {
		t.Errorf("%+v %v", s, err)
	}
	w.pass(11 * time.Minute)
	code(t, "a step that waited too long", second(w.PassCode(t.Context(), s.Token, "123456", visit)), "step_expired")
}
